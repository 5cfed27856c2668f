//! Back-pressure: how many bytes may wait for their commit.

use super::Pipeline;
use crate::error::Result;

/// Room in the pipeline for the bytes of one batch; given back when the batch is committed, or when dropped.
pub(crate) struct Admission<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) bytes: usize,
}

impl Pipeline {
    /// Waits until the bytes in flight leave room for a batch of about `bytes`, and takes that room. Fails if the store is full.
    ///
    /// Cancel safe: the room is given back by the group that [`submit`](Self::submit) puts the batch in, and there is
    /// no await between the two.
    pub(crate) async fn admit(&self, bytes: usize) -> Result<Admission<'_>> {
        self.with_store(|store| store.room(bytes))?;
        let (bytes, permits) = self.permits(bytes);
        if permits > 0 {
            self.admission.acquire_many(permits).await.expect("the semaphore is never closed").forget();
        }
        Ok(Admission { pipeline: self, bytes })
    }

    /// The same without waiting: none if there is no room now.
    pub(crate) fn admit_at_once(&self, bytes: usize) -> Result<Option<Admission<'_>>> {
        self.with_store(|store| store.room(bytes))?;
        let (bytes, permits) = self.permits(bytes);
        if permits > 0 {
            let Ok(permit) = self.admission.try_acquire_many(permits) else { return Ok(None) };
            permit.forget();
        }
        Ok(Some(Admission { pipeline: self, bytes }))
    }

    /// How much room a batch takes. None on a store that cannot block, where nothing is ever on the way.
    fn permits(&self, bytes: usize) -> (usize, u32) {
        let bytes = if self.profile.can_block { bytes.min(self.admission_max) } else { 0 };
        (bytes, u32::try_from(bytes).expect("admission_max fits in u32"))
    }
}

impl Admission<'_> {
    /// Passes the room on to a group, which gives it back.
    pub(super) fn hand_over(mut self) -> usize {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        self.pipeline.admission.add_permits(self.bytes);
    }
}
