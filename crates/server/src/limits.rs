//! Rate limits: how often one address, person, visitor or public token may do something.
//!
//! Each limit is a token bucket per key. The buckets live in a bounded cache, so that a flood of keys costs
//! memory once and no more; a bucket that nobody used for its whole period is full again, so forgetting it
//! changes nothing.
//! Counts are kept in memory and start anew with the process: they protect the machine and the
//! operator's bill, they are not accounting. What protects the bill is counted by all nodes together where
//! they have a Redis (docs/decisions/0041); what protects the machine, by each for itself.
//!
//! - `limits/bucket.rs`: the buckets
//! - `limits/running.rs`: turns that run at this moment

mod bucket;
mod running;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use auth::{ports::Quotas, rule::Terms};
use engine::{Words, ports::Buckets};
use http::Method;

pub use self::bucket::Rate;
use self::bucket::{PerAddress, Shared};
pub(crate) use self::running::RunningTurn;
use self::running::{Holder, RunningTurns};
use crate::{
    client_ip::ClientIp, connections::AddressIsFull, error::ApiError,
    refused_origins::RefusedOrigins,
};

/// When to try again while too many turns run; nobody knows how long they take.
const RUNNING_TURNS_PAUSE: Duration = Duration::from_secs(5);

/// When to try again while an address has too much open.
const FULL_PAUSE: Duration = Duration::from_secs(5);
/// Searches of one person at once: one, and some whose answers nobody waits for any more.
const SEARCHES_AT_ONCE: usize = 4;
/// When to try again while that many go on.
const SEARCH_PAUSE: Duration = Duration::from_secs(1);
/// Addresses by which the process is watched.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// The configured rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    /// Requests of any kind from one address.
    pub requests_per_ip: Rate,
    /// Secrets minted or refreshed by one person.
    pub secrets_per_user: Rate,
    /// Turns of one person.
    pub turns_per_user: Rate,
    /// Turns of one person that run at once; 0 switches the limit off.
    pub turns_at_once: usize,
    /// Turns from one address that run at once; 0 switches the limit off.
    pub turns_at_once_per_ip: usize,
    /// Turns of everybody that run at once; 0 switches the limit off.
    pub turns_at_once_in_all: usize,
}

impl Default for Rates {
    /// Far above what a person does by hand, and below what hurts a small machine.
    fn default() -> Self {
        Self {
            requests_per_ip: Rate::per_minute(1_200),
            secrets_per_user: Rate::per_minute(30),
            turns_per_user: Rate::per_minute(60),
            // A few pages, each with a turn or two.
            turns_at_once: 16,
            // An office behind one address; a small machine's worth of streams.
            turns_at_once_per_ip: 256,
            turns_at_once_in_all: 4_000,
        }
    }
}

/// All limits of one server.
pub struct Limits {
    rates: Rates,
    requests: PerAddress,
    preflights: PerAddress,
    secrets: Shared,
    turns: Shared,
    running_turns: RunningTurns,
    visitors: Shared,
    token_visitors: Shared,
    visitor_messages: Shared,
    address_messages: Shared,
    token_messages: Shared,
    session_requests: Shared,
    /// What all nodes count together.
    everywhere: Option<Arc<dyn Buckets>>,
    pub(crate) refused_origins: RefusedOrigins,
}

impl Limits {
    /// Empty buckets for the configured rates; what is spent is counted with other nodes, where there are any.
    pub fn new(rates: Rates, everywhere: Option<Arc<dyn Buckets>>) -> Self {
        let hour = Duration::from_hours(1);
        Self {
            requests: PerAddress::new(rates.requests_per_ip),
            preflights: PerAddress::new(rates.requests_per_ip),
            secrets: Shared::new("secrets", rates.secrets_per_user.period),
            turns: Shared::new("turns", rates.turns_per_user.period),
            running_turns: RunningTurns::default(),
            visitors: Shared::new("visitors", hour),
            token_visitors: Shared::new("token visitors", hour),
            visitor_messages: Shared::new("visitor messages", hour),
            address_messages: Shared::new("address messages", hour * 24),
            token_messages: Shared::new("token messages", hour * 24),
            session_requests: Shared::new("session requests", Duration::from_mins(1)),
            everywhere,
            refused_origins: RefusedOrigins::default(),
            rates,
        }
    }

    /// Counts a request of an address. Probes are not counted and always let through: whoever watches
    /// the server comes from an address like any other.
    pub(crate) fn request<B>(
        &self,
        client: ClientIp,
        request: &http::Request<B>,
    ) -> Result<(), ApiError> {
        if PROBES.contains(&request.uri().path()) {
            return Ok(());
        }
        if request.extensions().get::<AddressIsFull>().is_some() {
            return Err(ApiError::too_many(Words::TooManyOpenRequests, FULL_PAUSE)
                .with_param("max_connections_per_ip"));
        }
        // Preflights have a bucket of their own, of the same size. A page sends at most one for a
        // request, so it is always the request that is refused, and its answer can be read.
        let limit = match *request.method() {
            Method::OPTIONS => &self.preflights,
            _ => &self.requests,
        };
        limit.take(client).map_err(|wait| {
            ApiError::too_many(Words::TooManyRequests, wait)
                .with_param("requests_per_ip_per_minute")
        })
    }

    /// Counts a client secret that a person gets.
    pub(crate) async fn secret(&self, owner: &Arc<str>) -> Result<(), ApiError> {
        self.take(&self.secrets, owner.clone(), self.rates.secrets_per_user)
            .await
            .map_err(|wait| {
                ApiError::too_many(Words::TooManySessions, wait)
                    .with_param("secrets_per_user_per_minute")
            })
    }

    /// Counts a turn of a person, which runs until the answer is dropped. What the person's terms
    /// leave open is as for everybody.
    pub(crate) async fn turn(
        &self,
        owner: &Arc<str>,
        client: Option<ClientIp>,
        terms: &Terms,
    ) -> Result<RunningTurn, ApiError> {
        let most = terms.turns_at_once.unwrap_or(self.rates.turns_at_once);
        // A bucket keeps its size, so people whose terms change get another one.
        let (bucket, rate) = match terms.turns_per_minute {
            Some(count) => (format!("{owner}\n{count}").into(), Rate::per_minute(count)),
            None => (owner.clone(), self.rates.turns_per_user),
        };
        let per_ip = self.rates.turns_at_once_per_ip;
        let mut holders = vec![
            (Holder::Person(owner.clone()), most),
            (Holder::Server, self.rates.turns_at_once_in_all),
        ];
        holders.extend(client.map(|client| (Holder::Address(client), per_ip)));
        let running = self.running_turns.begin(holders).map_err(|full| {
            let (limit, message) = match full {
                Holder::Person(_) => ("turns_per_user_at_once", Words::TooManyAnswersForPerson),
                Holder::Address(_) => ("turns_per_ip_at_once", Words::TooManyAnswersForAddress),
                Holder::Server | Holder::Search(_) => ("turns_at_once", Words::TooManyAnswersInAll),
            };
            ApiError::too_many(message, RUNNING_TURNS_PAUSE).with_param(limit)
        })?;
        let taken = self.take(&self.turns, bucket, rate).await;
        taken.map_err(|wait| {
            ApiError::too_many(Words::TooManyMessages, wait).with_param("turns_per_user_per_minute")
        })?;
        Ok(running)
    }

    /// Counts a search of a person, until it is done.
    pub(crate) fn search(&self, owner: &Arc<str>) -> Result<RunningTurn, ApiError> {
        let holder = Holder::Search(owner.clone());
        let running = self.running_turns.begin(vec![(holder, SEARCHES_AT_ONCE)]);
        running.map_err(|_full| {
            ApiError::too_many(Words::TooManyRequests, SEARCH_PAUSE).with_param("searches_at_once")
        })
    }

    /// Counts a turn of a chat session that was opened with a limit of its own.
    pub(crate) async fn session_request(
        &self,
        session_id: &str,
        per_minute: NonZeroU32,
    ) -> Result<(), ApiError> {
        let rate = Rate::per_minute(per_minute.get());
        self.take(&self.session_requests, session_id.into(), rate)
            .await
            .map_err(|wait| {
                ApiError::too_many(
                    Words::SessionMessagesPerMinute {
                        most: per_minute.get(),
                    },
                    wait,
                )
                .with_param("max_requests_per_1_minute")
            })
    }

    /// Counts a new visitor of a public token, first against their address's quota, then against the
    /// token's.
    pub(crate) async fn visitor(
        &self,
        token_id: &str,
        client: ClientIp,
        quotas: &Quotas,
    ) -> Result<(), ApiError> {
        let address = of_address(token_id, client);
        let rate = Rate::per_hour(quotas.visitors_per_ip_per_hour);
        self.take(&self.visitors, address, rate)
            .await
            .map_err(|wait| {
                ApiError::too_many(Words::TooManyVisitorsOfAddress, wait)
                    .with_code("quota_exceeded")
                    .with_param("visitors_per_ip_per_hour")
            })?;
        let rate = Rate::per_hour(quotas.visitors_per_token_per_hour);
        self.take(&self.token_visitors, token_id.into(), rate)
            .await
            .map_err(|wait| {
                ApiError::too_many(Words::TooManyVisitorsOfChat, wait)
                    .with_code("quota_exceeded")
                    .with_param("visitors_per_token_per_hour")
            })
    }

    /// Counts a message of a visitor: first against their own quota, then against their address's, then
    /// against the token's, so that whoever is refused takes nothing from those who share the next.
    pub(crate) async fn visitor_message(
        &self,
        owner: &Arc<str>,
        client: Option<ClientIp>,
        token_id: &str,
        quotas: &Quotas,
    ) -> Result<(), ApiError> {
        let rate = Rate::per_hour(quotas.messages_per_visitor_per_hour);
        self.take(&self.visitor_messages, owner.clone(), rate)
            .await
            .map_err(|wait| {
                ApiError::too_many(Words::TooManyMessagesOfVisitor, wait)
                    .with_code("quota_exceeded")
                    .with_param("messages_per_visitor_per_hour")
            })?;
        if let Some(client) = client {
            let address = of_address(token_id, client);
            let rate = Rate::per_day(quotas.messages_per_ip_per_day());
            self.take(&self.address_messages, address, rate)
                .await
                .map_err(|wait| {
                    ApiError::too_many(Words::TooManyMessagesOfAddress, wait)
                        .with_code("quota_exceeded")
                        .with_param("messages_per_ip_per_day")
                })?;
        }
        let rate = Rate::per_day(quotas.messages_per_token_per_day);
        self.take(&self.token_messages, token_id.into(), rate)
            .await
            .map_err(|wait| {
                ApiError::too_many(Words::TooManyMessagesOfChat, wait)
                    .with_code("quota_exceeded")
                    .with_param("messages_per_token_per_day")
            })
    }

    async fn take(&self, limiter: &Shared, key: Arc<str>, rate: Rate) -> Result<(), Duration> {
        limiter.take(self.everywhere.as_deref(), key, rate).await
    }
}

/// The key of an address among the visitors of a public token.
fn of_address(token_id: &str, client: ClientIp) -> Arc<str> {
    format!("{token_id}\n{client}").into()
}
