//! See the module of `broker-fuzz` of this name.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    if broker_fuzz::receipt::run(bytes) { Corpus::Keep } else { Corpus::Reject }
});
