//! Who has signed out lately, for those who remember what an issuer said about somebody.
//!
//! An answer may be under way while the sign-out comes, so it is not enough to forget the answers that are there: each answer
//! is kept with how many sign-outs had come when it was asked for, and counts only while none of the later ones is its person's.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{identity::Identity, ports::SignOut};

/// How many sign-outs are kept. An answer from before all of them counts no more.
const KEPT: usize = 256;

/// The latest sign-outs, numbered from 1.
#[derive(Debug, Default)]
pub(crate) struct SignOuts {
    count: AtomicU64,
    latest: Mutex<VecDeque<SignOut>>,
}

impl SignOuts {
    /// How many have come.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Adds one.
    pub(crate) fn add(&self, sign_out: SignOut) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.truncate(KEPT - 1);
        latest.push_front(sign_out);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Whether one of those after the first `from` and up to `until` was this person's, as far as it is known.
    pub(crate) fn have(&self, identity: &Identity, from: u64, until: u64) -> bool {
        if from >= until {
            return false;
        }
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.count();
        let later = usize::try_from(newest - from).unwrap_or(usize::MAX);
        let after = usize::try_from(newest - until).unwrap_or(usize::MAX);
        later > latest.len()
            || latest
                .range(after..later)
                .any(|sign_out| sign_out.is_of(identity))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{identity::Environment, time::UnixTime};

    fn of(subject: &str) -> SignOut {
        SignOut {
            issuer: "https://issuer.example".to_owned(),
            subject: Some(subject.to_owned()),
            session: None,
        }
    }

    #[test]
    fn s08_a_sign_out_counts_between_the_question_and_the_request() {
        let end = UnixTime::from_seconds(1);
        let ada = Identity::new(
            "https://issuer.example",
            "ada",
            Arc::default(),
            Environment::Live,
            end,
        )
        .unwrap();
        let sign_outs = SignOuts::default();
        assert!(!sign_outs.have(&ada, 0, sign_outs.count()));
        for subject in ["bob", "ada", "eve"] {
            sign_outs.add(of(subject));
        }
        for (from, until, expected) in [
            (0, 0, false),
            (0, 1, false),
            (0, 2, true),
            (1, 2, true),
            (1, 3, true),
            (2, 3, false),
            (3, 3, false),
        ] {
            assert_eq!(
                sign_outs.have(&ada, from, until),
                expected,
                "{from} {until}"
            );
        }
        for _ in 0..KEPT - 1 {
            sign_outs.add(of("eve"));
        }
        let count = sign_outs.count();
        assert!(!sign_outs.have(&ada, 2, count));
        // What is not known any more may have been hers.
        assert!(sign_outs.have(&ada, 1, count));
        assert!(sign_outs.latest.lock().unwrap().len() <= KEPT);
    }
}
