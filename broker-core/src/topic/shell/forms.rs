//! The forms in which one message is handed over: raw or in an envelope, with or without what only FIFO queues take. Each
//! is made once for all queues that get it, and its row is one and the same for all of them: a store in memory keeps the
//! body once.

use bytes::Bytes;

use crate::{
    queue::{
        message::SendMessage,
        row::{RowHead, UnstampedRow},
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

/// The forms of one message.
pub(super) struct Forms<'m> {
    pub(super) notification: Notification,
    message: &'m PublishMessage,
    made: Vec<(Form, SharedRow)>,
}

impl<'m> Forms<'m> {
    pub(super) fn new(notification: Notification, message: &'m PublishMessage) -> Self {
        Self { notification, message, made: Vec::new() }
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
                let notification = Notification { body, ..self.notification.clone() };
                SharedRow::new(size_bytes, notification.to_row(in_order.then_some(IN_ORDER)))
            }
            Form::Raw { .. } | Form::Wrapped { .. } => {
                let message = self.queue_message(form, envelope);
                SharedRow::new(message.size_bytes(), UnstampedRow::new(&message, None))
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
    fn queue_message(&self, form: &Form, envelope: &dyn Envelope) -> SendMessage {
        queue_message(&self.notification, self.body_for_queues(), form, envelope)
    }
}

/// The message that a queue gets in this form.
pub(super) fn queue_message(
    notification: &Notification,
    body: &str,
    form: &Form,
    envelope: &dyn Envelope,
) -> SendMessage {
    let fifo = matches!(form, Form::Raw { fifo: true } | Form::Wrapped { fifo: true, .. });
    let of_fifo_topic = notification.sequence_number.is_some();
    let mut message = match form {
        Form::Wrapped { unsubscribe_url, .. } => {
            SendMessage::new(wrap(envelope, notification, body, unsubscribe_url))
        }
        Form::Raw { .. } | Form::Parts { .. } => {
            let attributes = notification.attributes.clone();
            SendMessage { attributes, ..SendMessage::new(Bytes::copy_from_slice(body.as_bytes())) }
        }
    };
    // A FIFO topic tells standard queues neither group nor id.
    message.group_id = notification.group_id.clone().filter(|_| fifo == of_fifo_topic);
    message.deduplication_id = notification.deduplication_id.clone().filter(|_| fifo);
    message
}
