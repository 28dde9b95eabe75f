//! The server as its clients see it: real connections, a real database, a real model server.
//!
//! `harness` starts it; each other file is one promise that it keeps.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod closed_by_default;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod door_one;
#[cfg(test)]
mod door_two;
#[cfg(test)]
mod files;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod hosted_errors;
#[cfg(test)]
mod hosted_rules;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod issuer_budgets;
#[cfg(test)]
mod origins;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod sign_out;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod token_exchange;
#[cfg(test)]
mod unread;
#[cfg(test)]
mod workflow_access;
