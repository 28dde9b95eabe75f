//! What the programs of the rig share: the clock, the form of a token, HTTP and SSE as a client reads
//! them, and the check that a stream arrived as it was sent.

pub mod client;
pub mod clock;
pub mod fidelity;
pub mod http1;
pub mod issuer;
pub mod listen;
pub mod report;
pub mod script;
pub mod token;
