//! Request bodies: any bytes give a request or an error with a sentence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{Envelope, Limits};

fuzz_target!(|data: &[u8]| {
    match Envelope::parse(data, &Limits::default()) {
        // What was understood can be written and understood again.
        Ok(envelope) => {
            let written = serde_json::to_vec(&envelope).expect("a request can be written");
            let again = Envelope::parse(&written, &Limits::default()).expect("and read again");
            assert_eq!(again, envelope);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
