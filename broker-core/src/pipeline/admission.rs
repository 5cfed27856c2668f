//! Back-pressure: how many bytes may wait for their commit.

use super::Pipeline;

/// Room in the pipeline for the bytes of one batch; given back when the batch is committed, or when dropped.
pub(crate) struct Admission<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) bytes: usize,
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
