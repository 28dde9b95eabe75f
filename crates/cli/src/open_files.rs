//! How many files, sockets included, the process may have open, and what fits into that.
//!
//! A process that runs out of them fails at whatever comes next: accepting a connection, asking a
//! model, opening the database's log. So the limit is raised first, and where the system allows too
//! little, less is taken in. What is taken in then works, and the rest waits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::RawConfig;

/// For everything but connections and answers: the database, the log, files that people send, issuers'
/// keys, connections that are only told that there are too many.
const RESERVE: u64 = 64;
/// What an answer opens beside the connection it is written to: one socket to the model, one to a tool.
const FILES_PER_TURN: u64 = 2;

/// What happens at once at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    connections: u64,
    turns: u64,
}

impl Load {
    /// As it is configured. Answers leave an eighth of the connections to everything else, so that
    /// lists can be read, answers stopped and probes answered however many are being written.
    fn of(config: &RawConfig) -> Self {
        let connections = (config.server.max_connections.max(1)) as u64;
        let most = (connections - connections / 8).max(1);
        let turns = match config.limits.turns_at_once {
            0 => most,
            turns => most.min(turns as u64),
        };
        Self { connections, turns }
    }

    fn files(self) -> u64 {
        RESERVE + self.connections + FILES_PER_TURN * self.turns
    }

    /// As much of it as fits: half of the files for connections, half for their answers.
    fn within(self, limit: u64) -> Self {
        if self.files() <= limit {
            return self;
        }
        let files = limit.saturating_sub(RESERVE);
        Self {
            connections: self.connections.min(files / 2).max(1),
            turns: self.turns.min(files / (2 * FILES_PER_TURN)).max(1),
        }
    }
}

/// Raises the limit as far as the configuration needs and the system allows, fits the configuration
/// into what was reached, and says so.
pub(crate) fn provide(config: &mut RawConfig) {
    let wanted = Load::of(config);
    let limit = raise_to(wanted.files());
    let Load { connections, turns } = wanted.within(limit);
    if connections < wanted.connections || turns < wanted.turns {
        tracing::warn!(
            limit,
            wanted = wanted.files(),
            connections,
            turns,
            "too few files may be open at once: fewer connections and answers are taken than configured; \
             raise the hard limit (ulimit -Hn, LimitNOFILE of systemd, --ulimit nofile of Docker), or lower \
             server.max_connections and limits.turns_at_once"
        );
    } else {
        tracing::debug!(
            limit,
            connections,
            turns,
            "enough files may be open at once"
        );
    }
    config.server.max_connections = usize::try_from(connections).unwrap_or(usize::MAX);
    config.server.max_connections_per_ip = share(config.server.max_connections_per_ip, connections);
    config.limits.turns_at_once = usize::try_from(turns).unwrap_or(usize::MAX);
}

/// What one address may hold of so many connections: half of them at most, so that the other half is
/// there for others. 0 is no limit, as it is configured.
fn share(configured: u32, connections: u64) -> u32 {
    let half = u32::try_from(connections / 2).unwrap_or(u32::MAX).max(1);
    configured.min(half)
}

/// Raises the soft limit to so many, if it is lower. The limit that holds from now on.
fn raise_to(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::MAX);
    let reachable = wanted.min(maximum.unwrap_or(u64::MAX));
    if current >= reachable {
        return current;
    }
    let raised = Rlimit {
        current: Some(reachable),
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => reachable,
        Err(error) => {
            tracing::warn!(%error, limit = current, "cannot raise the limit of open files");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(max_connections: usize, turns_at_once: usize) -> Load {
        let mut config = RawConfig::default();
        config.server.max_connections = max_connections;
        config.limits.turns_at_once = turns_at_once;
        Load::of(&config)
    }

    #[test]
    fn answers_leave_connections_to_everything_else() {
        for (connections, configured, turns) in [
            (10_000, 4_000, 4_000),
            (1_000, 4_000, 875),
            (1_000, 0, 875),
            (8, 100, 7),
            (1, 100, 1),
            (0, 0, 1),
        ] {
            assert_eq!(load(connections, configured).turns, turns, "{connections}");
        }
    }

    #[test]
    fn what_is_taken_in_fits_into_the_limit() {
        for configured in [
            load(10_000, 4_000),
            load(10_000, 0),
            load(100, 10),
            load(5_000, 1),
        ] {
            for limit in 72..20_000 {
                let fitted = configured.within(limit);
                assert!(fitted.files() <= limit, "{limit}: {fitted:?}");
                assert!(fitted.connections >= fitted.turns, "{limit}: {fitted:?}");
            }
            assert_eq!(configured.within(configured.files()), configured);
            assert_eq!(
                configured.within(0),
                Load {
                    connections: 1,
                    turns: 1
                }
            );
        }
    }

    #[test]
    fn one_address_never_has_all_connections() {
        for (configured, connections, share_of_one) in [
            (256, 10_000, 256),
            (256, 96, 48),
            (256, 1, 1),
            (8, 96, 8),
            (0, 96, 0),
        ] {
            assert_eq!(
                share(configured, connections),
                share_of_one,
                "{connections}"
            );
        }
    }

    #[test]
    fn an_old_login_shells_limit_is_enough_for_a_small_server() {
        let fitted = load(10_000, 4_000).within(256);
        assert_eq!(
            fitted,
            Load {
                connections: 96,
                turns: 48
            }
        );
    }
}
