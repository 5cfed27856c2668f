//! FIFO topics (N23, N40, N44, N80, N81).

use crate::support::{Aws, invalid};

// N23, N80, N81
#[tokio::test(start_paused = true)]
async fn a_duplicate_has_the_answer_of_the_original() {
    let aws = Aws::start().await;
    let topic = aws.fifo_topic("news.fifo").await;
    aws.subscribe(&topic, "q.fifo", &[]).await;
    let publish = |text: &str| aws.sns.publish().topic_arn(&topic).message(text).message_group_id("g");
    let first = publish("a").send().await.unwrap();
    let again = publish("a").send().await.unwrap();
    let other = publish("a").message_deduplication_id("b").send().await.unwrap();
    assert_eq!(first.sequence_number().unwrap().len(), 20);
    assert_eq!(first.message_id(), again.message_id());
    assert_eq!(first.sequence_number(), again.sequence_number());
    assert!(other.sequence_number() > first.sequence_number());
    assert_eq!(aws.depth("q.fifo").await, 2);
}

// N80
#[tokio::test(start_paused = true)]
async fn group_and_id_are_needed() {
    let aws = Aws::start().await;
    let create = aws.sns.create_topic().name("news.fifo").attributes("FifoTopic", "true");
    let topic = create.send().await.unwrap().topic_arn.unwrap();
    let publish = || aws.sns.publish().topic_arn(&topic).message("m");
    let told = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics";
    assert_eq!(invalid(publish().send().await), told);
    let told = "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or \
                MessageDeduplicationId provided explicitly";
    assert_eq!(invalid(publish().message_group_id("g").send().await), told);
    let told = invalid(publish().message_group_id("").message_deduplication_id("d").send().await);
    assert!(told.starts_with("Invalid parameter: MessageGroupId Reason:"), "{told}");
}

// N40, N44
#[tokio::test(start_paused = true)]
async fn a_fifo_queue_gets_group_and_id_and_an_envelope_without_signature() {
    let aws = Aws::start().await;
    let topic = aws.fifo_topic("news.fifo").await;
    aws.subscribe(&topic, "q.fifo", &[]).await;
    let publish = aws.sns.publish().topic_arn(&topic).message("m").message_group_id("g");
    let sent = publish.message_deduplication_id("d").send().await.unwrap();
    let message = aws.take("q.fifo").await;
    assert_eq!(message.group_id.as_deref(), Some("g"));
    assert_eq!(message.deduplication_id.as_deref(), Some("d"));
    let envelope: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(envelope["SequenceNumber"], sent.sequence_number().unwrap());
    for absent in ["SignatureVersion", "Signature", "SigningCertURL"] {
        assert_eq!(envelope.get(absent), None, "{absent}");
    }
}
