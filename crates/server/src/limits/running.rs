//! Turns that run at this moment, counted by whom they run for. Each node counts its own: what they hold is its memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::client_ip::ClientIp;

/// By whom running turns are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Person(Arc<str>),
    Address(ClientIp),
    Server,
    /// A person who looks for something.
    Search(Arc<str>),
}

/// How many turns run now, by holder. A holder without one has no entry, so there are never more
/// entries than connections.
#[derive(Debug, Clone, Default)]
pub(super) struct RunningTurns(Arc<Mutex<HashMap<Holder, usize>>>);

impl RunningTurns {
    /// Counts one more for each holder, unless one of them has as many as it may; then nothing is
    /// counted, and that one is the answer. 0 is no limit.
    pub(super) fn begin(&self, holders: Vec<(Holder, usize)>) -> Result<RunningTurn, Holder> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = holders.iter().find(|(holder, most)| {
            *most > 0 && running.get(holder).is_some_and(|count| count >= most)
        });
        if let Some((holder, _)) = full {
            return Err(holder.clone());
        }
        let holders: Vec<Holder> = holders.into_iter().map(|(holder, _)| holder).collect();
        for holder in &holders {
            *running.entry(holder.clone()).or_default() += 1;
        }
        Ok(RunningTurn {
            holders,
            all: self.clone(),
        })
    }

    fn end(&self, holders: &[Holder]) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for holder in holders {
            if let Some(count) = running.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    running.remove(holder);
                }
            }
        }
    }
}

/// A turn that runs; it counts until this is dropped, so the answer's body holds it.
#[derive(Debug)]
pub(crate) struct RunningTurn {
    holders: Vec<Holder>,
    all: RunningTurns,
}

impl Drop for RunningTurn {
    fn drop(&mut self) {
        self.all.end(&self.holders);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r01_turns_at_once_are_counted_by_person_address_and_server_until_they_end() {
        let address = |text: &str| {
            let headers = http::HeaderMap::new();
            Holder::Address(ClientIp::find(text.parse().unwrap(), &headers, &[]))
        };
        let person = |name: &str| Holder::Person(name.into());
        // (what runs, its limit), then how many of them can run at once, and what stops the next.
        for (name, holders, expected, full) in [
            (
                "person",
                vec![(person("ada"), 2), (Holder::Server, 9)],
                2,
                person("ada"),
            ),
            (
                "address",
                vec![
                    (person("ada"), 0),
                    (address("2001:db8::1"), 3),
                    (Holder::Server, 9),
                ],
                3,
                address("2001:db8::ffff"),
            ),
            (
                "server",
                vec![(person("ada"), 9), (Holder::Server, 4)],
                4,
                Holder::Server,
            ),
        ] {
            let turns = RunningTurns::default();
            let mut running = Vec::new();
            let stopped = loop {
                match turns.begin(holders.clone()) {
                    Ok(turn) => running.push(turn),
                    Err(full) => break full,
                }
            };
            assert_eq!((running.len(), &stopped), (expected, &full), "{name}");
            // Nothing was counted for the one that was refused: each end makes room for one.
            running.pop();
            running.push(turns.begin(holders.clone()).unwrap());
            assert!(turns.begin(holders).is_err(), "{name}");
            let other = vec![(person("grace"), 1), (address("192.0.2.1"), 1)];
            assert!(turns.begin(other).is_ok(), "{name}: others are not touched");
            drop(running);
            assert!(turns.0.lock().unwrap().is_empty(), "{name}");
        }
        let free = RunningTurns::default();
        let many: Vec<_> = (0..1_000)
            .map(|_| free.begin(vec![(Holder::Server, 0)]))
            .collect();
        assert!(many.iter().all(Result::is_ok), "0 is no limit");
    }
}
