//! The rules of the house that a compiler does not know; `tests/tidy.rs` holds the tree to them.
