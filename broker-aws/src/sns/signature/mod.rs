//! The signatures of messages, and the certificate that they are checked with (rule N40).
//!
//! | file | what it is for |
//! |---|---|
//! | `text` | what is signed of a message |
//! | `key` | the key, its certificate, and signing |

mod key;
mod text;

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

pub(super) use key::{Key, Version};
use parking_lot::Mutex;
pub(super) use text::Signed;

/// Signs with a key that is made when it is first needed. All realms of a service have the same one.
#[derive(Default)]
pub(crate) struct Signer {
    key: OnceLock<Key>,
    wanted: AtomicBool,
    /// The last signature: a message that goes to many queues is signed once.
    last: Mutex<Option<(Version, String, String)>>,
}

impl Signer {
    /// The key. Making it takes some tenths of a second, and everybody else who wants it waits for that.
    fn key(&self) -> Option<&Key> {
        if let Some(key) = self.key.get() {
            return Some(key);
        }
        let made = Key::make()?;
        Some(self.key.get_or_init(|| made))
    }

    /// Notes that the key will be needed, so that [`ready`](Self::ready) has it made.
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Waits until the key is there, if it is wanted: off the runtime's threads, where nobody holds a lock.
    pub(super) async fn ready(self: &std::sync::Arc<Self>) {
        if self.wanted.load(Ordering::Relaxed) && self.key.get().is_none() {
            let signer = self.clone();
            // If that fails, whoever signs first makes the key.
            let _ = tokio::task::spawn_blocking(move || signer.key().is_some()).await;
        }
    }

    /// The signature of a text in Base64, and the path of the certificate; nothing if there is no key, which takes a system
    /// without randomness.
    pub(super) fn sign(&self, version: Version, text: String) -> Option<(String, String)> {
        let key = self.key()?;
        let mut last = self.last.lock();
        if let Some((of, signed, signature)) = &*last
            && (*of, signed) == (version, &text)
        {
            return Some((signature.clone(), key.path().to_owned()));
        }
        let signature = key.sign(version, text.as_bytes())?;
        *last = Some((version, text, signature.clone()));
        Some((signature, key.path().to_owned()))
    }

    /// The certificate in PEM, if it is asked for by its path.
    pub(crate) fn certificate(&self, path: &str) -> Option<String> {
        let key = self.key.get()?;
        (path == key.path()).then(|| key.certificate().to_owned())
    }
}
