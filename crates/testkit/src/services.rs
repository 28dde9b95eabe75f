//! Real services for tests, each started on a free port and stopped when its guard is dropped:
//! [`BetterAuth`], [`McpPeer`], [`ModelServers`], [`PgBouncer`], [`PostgreSql`], [`Redis`], [`ReverseProxy`] and
//! [`SeaweedFs`].
//!
//! A guard stops exactly the process that it started. Nothing is shared between tests, so they can
//! run side by side and in any order.

mod better_auth;
mod mcp;
mod model_servers;
mod object_store;
mod pgbouncer;
mod postgresql;
mod process;
mod redis;
mod reverse_proxy;

pub use better_auth::{Account, BetterAuth, BetterAuthOptions, OAuthClient, OAuthOptions, Tokens};
pub use mcp::{McpPeer, mcp_folder, mcp_python};
pub use model_servers::ModelServers;
pub use object_store::SeaweedFs;
pub use pgbouncer::PgBouncer;
pub use postgresql::{PostgreSql, PostgreSqlDatabase};
pub use process::free_port;
pub use redis::Redis;
pub use reverse_proxy::{ReverseProxy, ReverseProxyKind};
