//! The commands as people run them: the real binary, a real database, and a real server beside it.
#![cfg(test)]

mod audit;
mod backup;
mod credentials;
mod doctor;
mod files;
mod harness;
mod jwt;
mod mcp;
mod metrics;
mod outgoing;
mod pdf;
mod postgresql;
mod proxies;
mod setting;
mod signing;
mod stop;
