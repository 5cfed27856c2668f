//! The forms in which one message is handed over: raw or in an envelope, with or without what only FIFO queues take. Each
//! is made once for all queues that get it, and its row is one and the same for all of them: a store in memory keeps the
//! body once.

use std::cell::OnceCell;

use bytes::Bytes;

use crate::{
    clock::Timestamp,
    ids::{MessageId, SequenceNumber},
    queue::{
        attributes::MessageAttributes,
        redrive::Origin,
        row::{RowHead, RowParts, UnstampedRow},
    },
    topic::{
        envelope::{Envelope, wrap},
        message::PublishMessage,
        notification::Notification,
    },
};

/// How a queue gets a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// As it was published. To a FIFO queue or not.
    Raw { fifo: bool },
    /// In its envelope, with this place to unsubscribe.
    Wrapped { fifo: bool, unsubscribe_url: String },
    /// With all its parts, for the backlog of a push subscriber of this protocol, or for the archive.
    Parts { protocol: String, in_order: bool },
}

impl Form {
    /// As the archive keeps it: only queues can be subscribed to a topic that has one.
    pub(super) fn archived() -> Self {
        Self::Parts { protocol: "sqs".into(), in_order: false }
    }
}

/// A row that several queues may get.
pub(super) struct SharedRow {
    /// What the limits of queues count.
    pub(super) size_bytes: usize,
    /// What the store is given.
    pub(super) row_bytes: usize,
    unstamped: Option<UnstampedRow>,
    stamped: Option<(RowHead, Bytes)>,
}

impl SharedRow {
    pub(super) fn new(size_bytes: usize, row: UnstampedRow) -> Self {
        Self { size_bytes, row_bytes: row.len(), unstamped: Some(row), stamped: None }
    }

    /// The row with its times: the same bytes as before if they are the same.
    pub(super) fn stamp(&mut self, head: RowHead) -> Bytes {
        if let Some((before, row)) = &self.stamped {
            if *before == head {
                return row.clone();
            }
            return UnstampedRow::again(row).stamp(head);
        }
        let row = self.unstamped.take().expect("a row that is not stamped is unstamped").stamp(head);
        self.stamped = Some((head, row.clone()));
        row
    }
}

/// All messages of a subscriber that is delivered to in order are of this group of its backlog.
pub(super) const IN_ORDER: &str = "in order";

/// Forms that are kept to be used again; beyond these, every queue has one of its own.
const KEPT: usize = 8;

/// What a message is besides what was published.
#[derive(Debug, Clone)]
pub(super) struct Stamp<'t> {
    pub(super) id: MessageId,
    pub(super) topic: &'t str,
    pub(super) sequence_number: Option<SequenceNumber>,
    pub(super) published_at: Timestamp,
    pub(super) replayed: bool,
}

/// The forms of one message.
pub(super) struct Forms<'m> {
    stamp: Stamp<'m>,
    pub(super) message: &'m PublishMessage,
    /// Made when it is needed: most messages go to queues, raw.
    notification: OnceCell<Notification>,
    made: Vec<(Form, SharedRow)>,
}

/// An envelope has no attributes outside.
static NO_ATTRIBUTES: MessageAttributes = MessageAttributes::new();

impl<'m> Forms<'m> {
    pub(super) fn new(stamp: Stamp<'m>, message: &'m PublishMessage) -> Self {
        Self { stamp, message, notification: OnceCell::new(), made: Vec::new() }
    }

    /// What subscribers are told.
    pub(super) fn notification(&self) -> &Notification {
        self.notification.get_or_init(|| {
            let (stamp, message) = (&self.stamp, self.message);
            Notification {
                id: stamp.id,
                topic: stamp.topic.to_owned(),
                sequence_number: stamp.sequence_number,
                subject: message.subject.clone(),
                body: Bytes::copy_from_slice(message.body.as_bytes()),
                attributes: message.attributes.clone(),
                group_id: message.group_id.clone(),
                deduplication_id: message.deduplication_id.clone(),
                published_at: stamp.published_at,
                replayed: stamp.replayed,
                attempt: 1,
            }
        })
    }

    /// The row in a form.
    pub(super) fn row(&mut self, form: &Form, envelope: &dyn Envelope) -> &mut SharedRow {
        if let Some(at) = self.made.iter().position(|(made, _)| made == form) {
            return &mut self.made[at].1;
        }
        if self.made.len() == KEPT {
            self.made.pop();
        }
        let row = match form {
            Form::Parts { protocol, in_order } => {
                let body = Bytes::copy_from_slice(self.message.body_of(protocol).as_bytes());
                let size_bytes = body.len();
                let notification = Notification { body, ..self.notification().clone() };
                SharedRow::new(size_bytes, notification.to_row(in_order.then_some(IN_ORDER)))
            }
            Form::Raw { fifo } => {
                let body = self.body_for_queues().as_bytes();
                self.queue_row(*fifo, &self.message.attributes, body)
            }
            Form::Wrapped { fifo, unsubscribe_url } => {
                let body = wrap(envelope, self.notification(), self.body_for_queues(), unsubscribe_url);
                self.queue_row(*fifo, &NO_ATTRIBUTES, &body)
            }
        };
        self.made.push((form.clone(), row));
        &mut self.made.last_mut().expect("pushed a line above").1
    }

    /// What queues are told.
    pub(super) fn body_for_queues(&self) -> &'m str {
        self.message.body_of("sqs")
    }

    /// What a queue gets (rules N24, N40, N41, N44).
    fn queue_row(&self, fifo: bool, attributes: &MessageAttributes, body: &[u8]) -> SharedRow {
        let of_fifo_topic = self.stamp.sequence_number.is_some();
        let parts = RowParts {
            // A FIFO topic tells standard queues neither group nor id.
            group_id: self.message.group_id.as_deref().filter(|_| fifo == of_fifo_topic),
            trace_header: None,
            deduplication_id: self.message.deduplication_id.as_deref().filter(|_| fifo),
            attributes,
            origin: None,
            body,
        };
        SharedRow::new(parts.size_bytes(), UnstampedRow::of(&parts))
    }
}

/// The row of a message that could not be delivered: what a queue would have got in this form, and why.
pub(super) fn dead_row(
    notification: &Notification,
    body: &str,
    form: &Form,
    envelope: &dyn Envelope,
    origin: &Origin,
) -> UnstampedRow {
    let (fifo, wrapped) = match form {
        Form::Wrapped { fifo, unsubscribe_url } => {
            (*fifo, Some(wrap(envelope, notification, body, unsubscribe_url)))
        }
        Form::Raw { fifo } => (*fifo, None),
        Form::Parts { .. } => (false, None),
    };
    let of_fifo_topic = notification.sequence_number.is_some();
    UnstampedRow::of(&RowParts {
        group_id: notification.group_id.as_deref().filter(|_| fifo == of_fifo_topic),
        trace_header: None,
        deduplication_id: notification.deduplication_id.as_deref().filter(|_| fifo),
        attributes: if wrapped.is_some() { &NO_ATTRIBUTES } else { &notification.attributes },
        origin: Some(origin),
        body: wrapped.as_deref().unwrap_or(body.as_bytes()),
    })
}
