//! Finding out what a message would be a duplicate of, without sending it.

use super::{
    LocalQueue,
    send::{content_id, no_deduplication_id},
};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    ids::{MessageId, SequenceNumber},
    queue::{
        check,
        inspect::DuplicateOf,
        message::SendMessage,
        settings::DeduplicationScope,
        state::{Known, Original, QueueState, ScopedId},
    },
    storage::Storage,
};

impl LocalQueue {
    /// The message that this one would be a duplicate of if it were sent now to this FIFO queue, and until when. Sends
    /// nothing. Needs the group and the deduplication id of the message, or if the queue takes it for one, the body.
    /// Cancel safe.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::SendMessage;
    ///
    /// let orders = broker.queue("orders.fifo").fifo().await?;
    /// let order = SendMessage::new("order 1").group_id("customer-7").deduplication_id("1");
    /// let sent = orders.send(order.clone()).await?;
    /// let duplicate = orders.duplicate_of(&order).await?.expect("it was sent a moment ago");
    /// assert_eq!(duplicate.id, sent.id);
    /// println!("{duplicate}"); // a duplicate of message … until …
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn duplicate_of(&self, message: &SendMessage) -> Result<Option<DuplicateOf>> {
        let cell = &*self.cell;
        let Some(scope) = cell.fifo else {
            return Err(Error::invalid(
                "name",
                &cell.name,
                "must be a FIFO queue, others know no duplicates",
            ));
        };
        let group = message.group_id.as_deref().ok_or(Error::MissingParameter { field: "group_id" })?;
        check::id_of_128("group_id", group)?;
        let given = message.deduplication_id.clone();
        given.as_ref().map_or(Ok(()), |id| check::id_of_128("deduplication_id", id))?;
        let computed = given.is_none();
        let id = given.unwrap_or_else(|| content_id(&message.body));
        let group = Some(group).filter(|_| scope == DeduplicationScope::MessageGroup);
        let mut id = ScopedId::new(group, &id);
        let look = |state: &QueueState, now| {
            let fifo = state.settings.fifo.unwrap_or_default();
            if computed && !fifo.content_based_deduplication {
                return Err(no_deduplication_id());
            }
            Ok((state.partition(), state.look_up_id(&id, now), now))
        };
        let (partition, known, now) = cell.look_inside(look).await??;
        let original = match known {
            Known::New => None,
            Known::Duplicate(original) => Some(original),
            Known::Perhaps(generations) => {
                let find = move |store: &dyn Storage| Original::find(store, partition, &mut id, &generations);
                cell.engine.pipeline.read(find).await?
            }
        };
        Ok(original.filter(|original| original.forgotten_at() > now).map(|original| DuplicateOf {
            id: MessageId::new(cell.engine.seed, cell.id, original.seq),
            sequence_number: SequenceNumber::new(original.seq),
            until: Timestamp::from_millis(original.forgotten_at()),
        }))
    }
}
