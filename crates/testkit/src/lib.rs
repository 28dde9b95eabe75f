//! What the tests of the workspace share: real services that are started and stopped, a
//! model server with scripted answers, and a login provider that signs anything. Never part of the product.

pub mod fake_model;
pub mod oidc;
pub mod services;
pub mod store_contract;
