//! Everything that is called out to: models, tools, issuers, and OpenAI's sessions API.
//!
//! One policy for outgoing HTTP ([`http`]) stands behind all of it. The shapes of other services
//! end in this crate.

pub mod agent;
pub mod demo;
pub mod error;
pub mod fallback;
pub mod http;
pub mod introspection;
mod json;
pub mod keys;
pub mod mcp;
pub mod metered;
pub mod openai;
pub mod pdf;
pub mod relay;
pub mod session;
pub mod sse;
#[cfg(test)]
mod testing;

pub use agent::{AgentConfig, HttpAgent};
pub use demo::Demo;
pub use error::Error;
pub use fallback::Fallback;
pub use http::{HttpClient, HttpPolicy, Outgoing};
pub use introspection::HttpTokenIntrospection;
pub use keys::HttpKeyFetch;
pub use mcp::{
    ExchangeClient, ForwardedIdentity, IdentitySigner, McpServer, McpTools, TokenExchange,
};
pub use metered::Metered;
pub use openai::{ChatCompletions, ProviderConfig, Responses};
pub use pdf::PdfReader;
pub use relay::Relay;
pub use session::HttpSessionLookup;
