//! Which messages of a publish are new, and the places that those get in the topic.

use super::{
    TopicCell, TopicInner,
    fan_out::LookedUpAll,
    forms::{Form, Forms, Stamp},
};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    ids::{MessageId, SequenceNumber},
    queue::{
        row::ORIGIN_BYTES_MAX,
        shell::{LookedUp, ToLookUp, content_id},
        state::{Original, ScopedId},
    },
    topic::{
        message::{PublishMessage, Published},
        settings::{Fifo, FifoThroughputScope},
    },
};

/// A message that passed the checks.
pub(super) struct Draft {
    pub(super) message: PublishMessage,
    /// Whether its deduplication id was computed from the body.
    id_computed: bool,
}

/// What becomes of a message of the batch.
pub(super) enum Verdict {
    New(Option<ScopedId>),
    Duplicate(Original),
    /// It has the deduplication id of this one of the batch.
    Twin(usize),
}

impl Draft {
    pub(super) fn new(mut message: PublishMessage, fifo: bool) -> Self {
        let id_computed = fifo && message.deduplication_id.is_none();
        if id_computed {
            message.deduplication_id = Some(content_id(message.body.as_bytes()));
        }
        Self { message, id_computed }
    }

    fn scoped_id(&self, scope: FifoThroughputScope) -> Option<ScopedId> {
        let group = self.message.group_id.as_deref();
        let group = group.filter(|_| scope == FifoThroughputScope::MessageGroup);
        Some(ScopedId::new(group, self.message.deduplication_id.as_deref()?))
    }
}

impl TopicCell {
    /// Finds out which messages are new. On a standard topic all are.
    pub(super) fn judge(
        &self,
        inner: &TopicInner,
        drafts: &[Draft],
        looked_up: &LookedUpAll,
        now: u64,
    ) -> Result<Result<Vec<Verdict>, ToLookUp>> {
        let state = &inner.state;
        let Some(Fifo { content_based_deduplication, throughput_scope, .. }) = state.settings.fifo else {
            return Ok(Ok(drafts.iter().map(|_| Verdict::New(None)).collect()));
        };
        if !content_based_deduplication && drafts.iter().any(|draft| draft.id_computed) {
            let reason = "must be given, or the topic must have content-based deduplication";
            return Err(Error::invalid("deduplication_id", "missing", reason));
        }
        let scoped = |draft: &Draft| draft.scoped_id(throughput_scope).expect("every draft has an id");
        let ids: Vec<_> = drafts.iter().map(scoped).collect();
        let nothing = LookedUp::default();
        let known = looked_up.get(&self.id).unwrap_or(&nothing);
        let look_up = |id: &ScopedId| state.look_up_id(id, now);
        if let Some(missing) = known.missing_of(&self.engine, state.partition(), ids.iter(), look_up) {
            return Ok(Err(missing));
        }
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(ids.len());
        for (at, id) in ids.iter().enumerate() {
            let mut id = id.clone();
            let what = look_up(&id);
            let original = known.original_of(&self.engine, state.partition(), &mut id, what, now)?;
            let twin = ids[..at].iter().position(|earlier| *earlier == id);
            verdicts.push(match (original, twin) {
                (Some(original), _) => Verdict::Duplicate(original),
                (None, Some(twin)) => Verdict::Twin(twin),
                (None, None) => Verdict::New(Some(id)),
            });
        }
        Ok(Ok(verdicts))
    }

    /// Gives the new messages their places in the topic. They are taken when the state accepts them, in this order.
    pub(super) fn stamp<'d>(
        &'d self,
        inner: &TopicInner,
        drafts: &'d [Draft],
        verdicts: &[Verdict],
        now: u64,
    ) -> (Vec<Option<Forms<'d>>>, Vec<Published>) {
        let answer = |seq: u64, duplicate: bool| Published {
            id: MessageId::new(self.engine.seed, self.id, seq),
            sequence_number: self.fifo.then(|| SequenceNumber::new(seq)),
            duplicate,
        };
        let mut next = inner.state.tail();
        let (mut forms, mut published) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        for (Draft { message, .. }, verdict) in drafts.iter().zip(verdicts) {
            let (accepted, form) = match verdict {
                Verdict::New(_) => {
                    let accepted = answer(next, false);
                    next += 1;
                    let stamp = Stamp {
                        id: accepted.id,
                        topic: &self.name,
                        sequence_number: accepted.sequence_number,
                        published_at: Timestamp::from_millis(now),
                        replayed: false,
                    };
                    (accepted, Some(Forms::new(stamp, message)))
                }
                Verdict::Duplicate(original) => (answer(original.seq, true), None),
                Verdict::Twin(at) => (Published { duplicate: true, ..published[*at] }, None),
            };
            forms.push(form);
            published.push(accepted);
        }
        (forms, published)
    }

    /// Refuses what the store could not take: with very many attributes a row is much larger than what counts as its size.
    pub(super) fn check_archived(&self, inner: &TopicInner, forms: &mut [Option<Forms<'_>>]) -> Result<()> {
        let max = self.engine.pipeline.profile().value_bytes_max.saturating_sub(ORIGIN_BYTES_MAX);
        let archives = inner.state.settings.archive_ms().is_some();
        let parts = Form::archived();
        for forms in forms.iter_mut().flatten().filter(|_| archives) {
            let bytes = forms.row(&parts, &self.engine.envelope).row_bytes;
            if bytes > max {
                return Err(Error::MessageTooLong { bytes, max });
            }
        }
        Ok(())
    }
}
