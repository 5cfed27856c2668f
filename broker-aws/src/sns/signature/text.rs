//! What is signed of a message: some of its members, sorted by name, each name and value on a line of its own.

/// The members of a message that are signed.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sns) struct Signed<'a> {
    pub(in crate::sns) kind: &'a str,
    pub(in crate::sns) message: &'a str,
    pub(in crate::sns) message_id: &'a str,
    pub(in crate::sns) subject: Option<&'a str>,
    pub(in crate::sns) timestamp: &'a str,
    pub(in crate::sns) topic_arn: &'a str,
    /// URL and token, of messages that ask for a confirmation.
    pub(in crate::sns) confirm: Option<(&'a str, &'a str)>,
}

impl Signed<'_> {
    /// The text that is signed.
    pub(in crate::sns) fn text(&self) -> String {
        let members = [
            ("Message", Some(self.message)),
            ("MessageId", Some(self.message_id)),
            ("Subject", self.subject),
            ("SubscribeURL", self.confirm.map(|(url, _)| url)),
            ("Timestamp", Some(self.timestamp)),
            ("Token", self.confirm.map(|(_, token)| token)),
            ("TopicArn", Some(self.topic_arn)),
            ("Type", Some(self.kind)),
        ];
        let lines = members.into_iter().filter_map(|(name, value)| Some(format!("{name}\n{}\n", value?)));
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // N40
    #[test]
    fn members_are_signed_in_the_order_of_their_names() {
        let signed = Signed {
            kind: "Notification",
            message: "m",
            message_id: "id",
            timestamp: "t",
            topic_arn: "arn",
            ..Signed::default()
        };
        assert_eq!(
            signed.text(),
            "Message\nm\nMessageId\nid\nTimestamp\nt\nTopicArn\narn\nType\nNotification\n"
        );
        let with_subject = Signed { subject: Some("s"), ..signed };
        assert!(with_subject.text().contains("id\nSubject\ns\nTimestamp\n"));
        let confirm = Signed { confirm: Some(("url", "token")), ..signed };
        assert!(confirm.text().contains("id\nSubscribeURL\nurl\nTimestamp\nt\nToken\ntoken\nTopicArn\n"));
    }
}
