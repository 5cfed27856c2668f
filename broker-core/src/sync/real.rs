//! What a normal build uses.

pub(crate) use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::yield_now as yield_thread,
};

pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
pub(crate) use tokio::{
    runtime::Handle as Runtime,
    sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, Notify, Semaphore, futures::Notified},
    task::{AbortHandle, JoinSet, yield_now},
};
