//! Every operation of the service model with the SDK: it succeeds, and it is refused with an error of its own type.
//!
//! | file | what it is for |
//! |---|---|
//! | `happy` | it succeeds |
//! | `refused` | it is refused |

mod happy;
mod refused;

use crate::operations::Called;

const MODEL: &str = include_str!("../../models/kinesis.json");
/// Those of channels, which deliver to S3: no rule names them.
const NOT_BUILT: [&str; 5] =
    ["CreateChannel", "DeleteChannel", "DescribeChannel", "ListChannels", "UpdateChannel"];
/// The SDK that this workspace can build does not know them. `queues.rs` and `settings.rs` call them in both ways by hand, and boto3 does over
/// the listener.
const NOT_IN_THE_SDK: [&str; 13] = [
    "AcknowledgeDeadLetterQueueRecords",
    "AcknowledgeQueueRecords",
    "CreateQueue",
    "DeleteQueue",
    "DescribeQueue",
    "ListQueues",
    "ReceiveDeadLetterQueueRecords",
    "ReceiveQueueRecords",
    "RestoreDeadLetterQueueRecords",
    "UpdateDeadLetterQueueRecordsVisibility",
    "UpdateQueue",
    "UpdateQueueRecordsVisibility",
    "UpdateStreamRecordDistributionStrategy",
];

fn assert_all(called: &Called) {
    called.assert_all(MODEL, &[&NOT_BUILT[..], &NOT_IN_THE_SDK].concat());
}
