//! Who may put refused origins on the operator's list, and how many.
//!
//! An `Origin` header costs nothing to make up, and the list has room for few. So a network address
//! names a few origins in a day, each once a minute for an environment, and cannot push out what others named.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use auth::{Environment, origin_refusal::OriginCause};
use moka::sync::Cache;
use tokio::time::Instant;

use crate::{
    app::App,
    client_ip::{ClientIp, Network},
    error::ErrorReport,
};

/// How many origins one network names in a day. An app has one or two, and more while it is set up.
const MAX_ORIGINS: usize = 5;
/// How often each of them counts.
const ONCE_IN: Duration = Duration::from_mins(1);
/// How many networks are remembered.
const MAX_NETWORKS: u64 = 10_000;

/// What each network has named lately.
pub(crate) struct RefusedOrigins {
    named: Cache<Network, Arc<Mutex<Vec<Named>>>>,
}

struct Named {
    origin: String,
    /// Whose list refused it: a preflight can only guess, and the request after it knows.
    environment: Environment,
    counted_at: Instant,
}

impl Default for RefusedOrigins {
    fn default() -> Self {
        Self {
            named: Cache::builder()
                .max_capacity(MAX_NETWORKS)
                .time_to_live(Duration::from_hours(24))
                .build(),
        }
    }
}

impl RefusedOrigins {
    /// Whether the origin that this client came from is written down now, for this environment.
    fn counts(
        &self,
        client: ClientIp,
        origin: &str,
        environment: Environment,
        now: Instant,
    ) -> bool {
        let named = self.named.get_with(client.network(), Arc::default);
        let mut named = named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = named
            .iter_mut()
            .find(|known| known.origin == origin && known.environment == environment)
        {
            let counts = now.duration_since(known.counted_at) >= ONCE_IN;
            if counts {
                known.counted_at = now;
            }
            return counts;
        }
        let has_room = named.len() < MAX_ORIGINS;
        if has_room {
            named.push(Named {
                origin: origin.to_owned(),
                environment,
                counted_at: now,
            });
        }
        has_room
    }
}

/// Writes down the origin of a page that was refused, if that is why the request was. A help for the
/// operator, not a record: it does not fail the request.
pub(crate) async fn note(app: &App, report: &ErrorReport, client: ClientIp) {
    let Some(refusal) = &report.origin else {
        return;
    };
    let OriginCause::NotRegistered(origin) = refusal.cause() else {
        return;
    };
    let refused = &app.limits.refused_origins;
    let environment = refusal.environment();
    if !refused.counts(client, origin.as_str(), environment, Instant::now()) {
        return;
    }
    if let Err(error) = app.domains.note_refusal(refusal, app.now().wall).await {
        tracing::warn!(%error, "a refused origin could not be noted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> ClientIp {
        ClientIp::of_peer(address.parse().unwrap())
    }

    #[test]
    fn an_address_names_few_origins_and_takes_nothing_from_others() {
        let (origins, now) = (RefusedOrigins::default(), Instant::now());
        let counts = |address: &str, number: usize| {
            let origin = format!("https://{number}.example");
            origins.counts(client(address), &origin, Environment::Live, now)
        };
        let noted = (0..1_000).filter(|number| counts("192.0.2.1", *number));
        assert_eq!(noted.count(), MAX_ORIGINS);
        assert!(counts("192.0.2.2", 0), "another address");
        // Whoever has many addresses has them side by side.
        let noted =
            (0..1_000).filter(|number| counts(&format!("2001:db8:1:{number:x}::1"), *number));
        assert_eq!(noted.count(), MAX_ORIGINS);
        assert!(counts("2001:db8:2::1", 0), "another site");
    }

    #[test]
    fn an_origin_that_keeps_coming_counts_once_a_minute() {
        let (origins, start) = (RefusedOrigins::default(), Instant::now());
        let counted = (0..=180).filter(|seconds| {
            let now = start + Duration::from_secs(*seconds);
            origins.counts(
                client("192.0.2.1"),
                "https://app.example",
                Environment::Live,
                now,
            )
        });
        assert_eq!(counted.collect::<Vec<_>>(), [0, 60, 120, 180]);
    }

    #[test]
    fn an_origin_counts_for_each_environment_that_refuses_it() {
        let (origins, now) = (RefusedOrigins::default(), Instant::now());
        let counts = |environment| {
            origins.counts(client("192.0.2.1"), "https://app.example", environment, now)
        };
        assert!(counts(Environment::Live));
        assert!(counts(Environment::Test));
        assert!(!counts(Environment::Test));
    }
}
