//! Request bodies: any bytes give a request or an error with a sentence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::request::{Limits, Request};

fuzz_target!(|data: &[u8]| {
    if let Err(error) = Request::parse(data, &Limits::default()) {
        assert!(!error.to_string().is_empty());
    }
});
