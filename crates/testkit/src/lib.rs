//! What the tests of the workspace share: real services that are started and stopped, and a
//! model server with scripted answers. Never part of the product.

pub mod fake_model;
pub mod services;
pub mod store_contract;
