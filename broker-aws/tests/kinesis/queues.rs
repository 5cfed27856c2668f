//! Queues on streams, request by request: the SDK does not know them yet.

use broker_aws::TestAws;
use serde_json::{Value, json};

use crate::support::{advance, ask_json, stream_arn};

const QUEUE: &str = "arn:aws:kinesis:us-east-1:000000000000:queue/work";

struct World {
    aws: TestAws,
}

impl World {
    /// A stream on demand, `free`, and a queue on it, `work`.
    async fn new() -> Self {
        let aws = TestAws::start().await.unwrap();
        let world = Self { aws };
        world.ok("CreateStream", json!({ "StreamName": "free" })).await;
        let streams =
            json!([{ "StreamARN": stream_arn("free"), "StartingPosition": { "Type": "TRIM_HORIZON" } }]);
        world.ok("CreateQueue", json!({ "QueueName": "work", "StreamConfigurationList": streams })).await;
        world
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        let (status, told) = ask_json(self.aws.service(), operation, input).await;
        assert_eq!(status, 200, "{operation}: {told}");
        told
    }

    #[track_caller]
    fn refused(&self, operation: &str, input: Value) -> impl Future<Output = String> {
        let asked = operation.to_owned();
        async move {
            let (status, told) = ask_json(self.aws.service(), &asked, input).await;
            assert_eq!(status, 400, "{asked}: {told}");
            told["__type"].as_str().unwrap().to_owned()
        }
    }

    async fn put(&self, key: &str) {
        self.ok("PutRecord", json!({ "StreamName": "free", "PartitionKey": key, "Data": "aGk=" })).await;
    }

    async fn receive(&self, operation: &str) -> Vec<Value> {
        let told = self.ok(operation, json!({ "QueueARN": QUEUE, "WaitTimeSeconds": 1 })).await;
        told["QueueRecords"].as_array().unwrap().clone()
    }
}

/// D10: what a queue says of itself.
#[tokio::test(start_paused = true)]
async fn d10_a_queue_is_created_described_listed_and_deleted() {
    let world = World::new().await;
    let described = world.ok("DescribeQueue", json!({ "QueueARN": QUEUE })).await;
    let queue = &described["QueueDescription"];
    assert_eq!((&queue["QueueName"], &queue["QueueStatus"]), (&json!("work"), &json!("ACTIVE")));
    assert_eq!(queue["QueueARN"], QUEUE);
    let defaults = json!({
        "VisibilityTimeoutSeconds": 30,
        "DeadLetterConfiguration": { "TargetType": "BUILT_IN", "MaxReceiveCount": 6 },
    });
    assert_eq!(queue["QueueAttributes"], defaults);
    assert_eq!(queue["StreamConfigurationList"][0]["StreamARN"], stream_arn("free"));
    let change =
        json!({ "VisibilityTimeoutSeconds": 5, "DeadLetterConfiguration": { "TargetType": "NONE" } });
    let updated = world.ok("UpdateQueue", json!({ "QueueARN": QUEUE, "QueueAttributes": change })).await;
    assert_eq!(updated["QueueDescription"]["QueueAttributes"], change);
    let listed =
        world.ok("ListQueues", json!({ "StreamFilter": [{ "StreamARN": stream_arn("free") }] })).await;
    assert_eq!(listed["QueueSummaries"][0]["QueueName"], "work");
    let other = world.ok("ListQueues", json!({ "StreamFilter": [{ "StreamARN": stream_arn("x") }] })).await;
    assert_eq!(other["QueueSummaries"], json!([]));
    let stream = world.ok("DescribeStreamSummary", json!({ "StreamName": "free" })).await;
    assert_eq!(stream["StreamDescriptionSummary"]["QueueCount"], 1);
    // K11, D10: a stream with queues is neither deleted nor made provisioned.
    assert_eq!(
        world.refused("DeleteStream", json!({ "StreamName": "free" })).await,
        "ResourceInUseException"
    );
    let mode =
        json!({ "StreamARN": stream_arn("free"), "StreamModeDetails": { "StreamMode": "PROVISIONED" } });
    assert_eq!(world.refused("UpdateStreamMode", mode).await, "ValidationException");
    world.ok("DeleteQueue", json!({ "QueueARN": QUEUE })).await;
    assert_eq!(
        world.refused("DescribeQueue", json!({ "QueueARN": QUEUE })).await,
        "ResourceNotFoundException"
    );
    assert_eq!(world.ok("ListQueues", json!({})).await["QueueSummaries"], json!([]));
    world.ok("DeleteStream", json!({ "StreamName": "free" })).await;
}

#[tokio::test(start_paused = true)]
async fn d10_queues_are_listed_in_pages() {
    let world = World::new().await;
    for name in ["a", "zz"] {
        let streams = json!([{ "StreamARN": stream_arn("free") }]);
        world.ok("CreateQueue", json!({ "QueueName": name, "StreamConfigurationList": streams })).await;
    }
    let first = world.ok("ListQueues", json!({ "MaxResults": 2 })).await;
    let names = |told: &Value| -> Vec<String> {
        let summaries = told["QueueSummaries"].as_array().unwrap().iter();
        summaries.map(|queue| queue["QueueName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["a", "work"]);
    let second = world.ok("ListQueues", json!({ "NextToken": first["NextToken"] })).await;
    assert_eq!((names(&second), second.get("NextToken")), (vec!["zz".to_owned()], None));
}

/// D10: what cannot be created.
#[tokio::test(start_paused = true)]
async fn d10_queues_that_cannot_be_are_refused() {
    let world = World::new().await;
    world.ok("CreateStream", json!({ "StreamName": "bound", "ShardCount": 1 })).await;
    let create = |name: &str, stream: &str| {
        let streams = json!([{ "StreamARN": stream_arn(stream) }]);
        world.refused("CreateQueue", json!({ "QueueName": name, "StreamConfigurationList": streams }))
    };
    assert_eq!(create("work", "free").await, "ResourceInUseException");
    assert_eq!(create("a b", "free").await, "ValidationException");
    assert_eq!(create("other", "bound").await, "ValidationException");
    assert_eq!(create("other", "none").await, "ResourceNotFoundException");
    let two = json!([{ "StreamARN": stream_arn("free") }, { "StreamARN": stream_arn("free") }]);
    let two = json!({ "QueueName": "other", "StreamConfigurationList": two });
    assert_eq!(world.refused("CreateQueue", two).await, "ValidationException");
    let bad = json!({ "QueueARN": QUEUE, "QueueAttributes": { "VisibilityTimeoutSeconds": 43_201 } });
    assert_eq!(world.refused("UpdateQueue", bad).await, "ValidationException");
}

/// K70, D10: queues and consumers share a limit.
#[tokio::test(start_paused = true)]
async fn k70_a_stream_has_20_consumers_and_queues_at_most() {
    let world = World::new().await;
    let consumer = |n: u32| json!({ "StreamARN": stream_arn("free"), "ConsumerName": format!("c{n}") });
    for n in 0..19 {
        world.ok("RegisterStreamConsumer", consumer(n)).await;
    }
    assert_eq!(world.refused("RegisterStreamConsumer", consumer(19)).await, "LimitExceededException");
    let queue = |name: &str| json!({ "QueueName": name, "StreamConfigurationList": [{ "StreamARN": stream_arn("free") }] });
    assert_eq!(world.refused("CreateQueue", queue("more")).await, "LimitExceededException");
    let gone = json!({ "StreamARN": stream_arn("free"), "ConsumerName": "c0" });
    world.ok("DeregisterStreamConsumer", gone).await;
    world.ok("CreateQueue", queue("more")).await;
}

/// D10: records are received, hidden, and acknowledged.
#[tokio::test(start_paused = true)]
async fn d10_records_are_received_and_acknowledged() {
    let world = World::new().await;
    world.put("k").await;
    let received = world.receive("ReceiveQueueRecords").await;
    assert_eq!(received.len(), 1);
    let record = &received[0];
    assert_eq!(
        (&record["Data"], &record["PartitionKey"], &record["ReceiveCount"]),
        (&json!("aGk="), &json!("k"), &json!(1))
    );
    assert!(record["RecordId"].as_str().unwrap().len() <= 64);
    assert!(world.receive("ReceiveQueueRecords").await.is_empty(), "it is invisible");

    let entry = json!({ "ReceiptHandle": record["ReceiptHandle"], "VisibilityTimeoutSeconds": 0 });
    let shown = json!({ "QueueARN": QUEUE, "Entries": [entry, { "ReceiptHandle": "x", "VisibilityTimeoutSeconds": 0 }] });
    let shown = world.ok("UpdateQueueRecordsVisibility", shown).await;
    assert_eq!(shown["Successful"][0]["ReceiptHandle"], record["ReceiptHandle"]);
    assert_eq!(shown["Failed"][0]["ErrorCode"], "InvalidArgumentException");
    let again = world.receive("ReceiveQueueRecords").await;
    assert_eq!((&again[0]["RecordId"], &again[0]["ReceiveCount"]), (&record["RecordId"], &json!(2)));
    assert_ne!(again[0]["ReceiptHandle"], record["ReceiptHandle"]);

    let both =
        json!([{ "ReceiptHandle": record["ReceiptHandle"] }, { "ReceiptHandle": again[0]["ReceiptHandle"] }]);
    let done = world.ok("AcknowledgeQueueRecords", json!({ "QueueARN": QUEUE, "Entries": both })).await;
    assert_eq!(done["Successful"].as_array().unwrap().len(), 1);
    assert_eq!(done["Failed"][0]["ErrorCode"], "ResourceNotFoundException");
    advance(60).await;
    assert!(world.receive("ReceiveQueueRecords").await.is_empty());
    let many: Vec<_> = (0..11).map(|_| json!({ "ReceiptHandle": "x" })).collect();
    let many = json!({ "QueueARN": QUEUE, "Entries": many });
    assert_eq!(world.refused("AcknowledgeQueueRecords", many).await, "ValidationException");
    let eleven = json!({ "QueueARN": QUEUE, "Limit": 11 });
    assert_eq!(world.refused("ReceiveQueueRecords", eleven).await, "ValidationException");
}

/// D10: a record that was received too often is a dead letter, which is received, restored or discarded.
#[tokio::test(start_paused = true)]
async fn d10_dead_letters_are_restored_and_discarded() {
    let world = World::new().await;
    let change = json!({ "DeadLetterConfiguration": { "TargetType": "BUILT_IN", "MaxReceiveCount": 1 } });
    world.ok("UpdateQueue", json!({ "QueueARN": QUEUE, "QueueAttributes": change })).await;
    world.put("k").await;
    assert_eq!(world.receive("ReceiveQueueRecords").await.len(), 1);
    advance(31).await;
    assert!(world.receive("ReceiveQueueRecords").await.is_empty(), "it is a dead letter now");
    let dead = world.receive("ReceiveDeadLetterQueueRecords").await;
    let entries = json!({ "QueueARN": QUEUE, "Entries": [{ "ReceiptHandle": dead[0]["ReceiptHandle"] }] });
    let restored = world.ok("RestoreDeadLetterQueueRecords", entries).await;
    assert_eq!(restored["Successful"].as_array().unwrap().len(), 1);
    let again = world.receive("ReceiveQueueRecords").await;
    assert_eq!(again[0]["ReceiveCount"], 1);
    advance(31).await;
    assert!(world.receive("ReceiveQueueRecords").await.is_empty());
    let dead = world.receive("ReceiveDeadLetterQueueRecords").await;
    let receipt = &dead[0]["ReceiptHandle"];
    let show = json!({ "QueueARN": QUEUE, "Entries": [{ "ReceiptHandle": receipt, "VisibilityTimeoutSeconds": 0 }] });
    world.ok("UpdateDeadLetterQueueRecordsVisibility", show).await;
    let dead = world.receive("ReceiveDeadLetterQueueRecords").await;
    let entries = json!({ "QueueARN": QUEUE, "Entries": [{ "ReceiptHandle": dead[0]["ReceiptHandle"] }] });
    world.ok("AcknowledgeDeadLetterQueueRecords", entries).await;
    advance(60).await;
    assert!(world.receive("ReceiveDeadLetterQueueRecords").await.is_empty());
}

/// K90: tags and policies of queues.
#[tokio::test(start_paused = true)]
async fn k90_a_queue_has_tags_and_a_policy() {
    let world = World::new().await;
    world.ok("TagResource", json!({ "ResourceARN": QUEUE, "Tags": { "a": "1", "b": "2" } })).await;
    world.ok("UntagResource", json!({ "ResourceARN": QUEUE, "TagKeys": ["a"] })).await;
    let tags = world.ok("ListTagsForResource", json!({ "ResourceARN": QUEUE })).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "b", "Value": "2" }]));
    world.ok("PutResourcePolicy", json!({ "ResourceARN": QUEUE, "Policy": "{\"Statement\":[]}" })).await;
    let policy = world.ok("GetResourcePolicy", json!({ "ResourceARN": QUEUE })).await;
    assert_eq!(policy["Policy"], "{\"Statement\":[]}");
    world.ok("DeleteResourcePolicy", json!({ "ResourceARN": QUEUE })).await;
}
