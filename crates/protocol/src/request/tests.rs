//! What requests are read and what are refused.
