//! Any requests to the AWS service, in any of its protocols: no panic, no error that is not the sender's, and an answer in the protocol of
//! the request. `broker-aws/tests/hostile/corpus` has requests to begin with, and the words of the protocols.
#![no_main]

#[path = "../../broker-aws/tests/hostile/exercise.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    exercise::exercise(text);
});
