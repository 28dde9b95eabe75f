//! A quick look at what is stored, for whoever looks for words: is it worth reading?
//!
//! There is no index. One over everybody's texts would answer for everybody before it can be asked about one owner, takes
//! as much room again, knows no words of two letters, of which Chinese and Japanese have many, and keeps what was deleted
//! until it is merged. An owner's own rows are looked through instead, newest first, for a bounded time
//! (docs/decisions/0036).
//!
//! That takes long, so a few searches go on at a time, and whoever reads anything else waits for none of them.

use std::sync::Arc;
use std::time::Duration;

use engine::ports::{SEARCH_TIME, THREAD_SEARCH_TIME};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// The places of those who search.
pub(crate) struct Searches {
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Searches {
    /// For so many at a time, who wait so long for a place.
    pub(crate) fn new(most: usize, patience: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most)),
            patience,
        }
    }

    /// Takes a place, those who came earlier first. Fails with [`Error::Busy`] where none gets free in time.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, Error> {
        let place = Arc::clone(&self.places).acquire_owned();
        tokio::time::timeout(self.patience, place)
            .await
            .map_err(Error::busy)?
            .map_err(Error::internal)
    }
}

/// How long a page of a search may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// All of it: a thread that would take longer is left to the next page.
    pub(crate) page: Duration,
    /// Its first thread, for which there is nothing to wait for: what is cut off there is passed over.
    pub(crate) first: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            page: SEARCH_TIME,
            first: THREAD_SEARCH_TIME,
        }
    }
}

impl Times {
    /// When a page that is as old as this has to be done with its next thread, from now on.
    pub(crate) fn left(&self, is_first: bool, age: Duration) -> Duration {
        let all = if is_first { self.first } else { self.page };
        all.saturating_sub(age)
    }
}

/// What came of looking through a thread.
pub(crate) enum Found<T> {
    /// The words are in it.
    Here(T),
    /// They are not.
    Nowhere,
    /// Nobody knows: there was no time to read all of it.
    TimeIsUp,
}

/// A pattern for `LIKE … ESCAPE '^'` that holds of every stored form in which a word may stand, and of few others.
///
/// The word is in lower case, and `LIKE` takes ASCII letters for one another whatever their case. What may be written
/// otherwise in JSON, or in another case, is left open.
pub(crate) fn pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for letter in word.chars() {
        let has_case = |letter: char| !letter.to_uppercase().eq([letter]);
        match letter {
            '%' | '_' | '^' => pattern.extend(['^', letter]),
            // JSON has other ways to write these.
            '"' | '\\' => pattern.push('%'),
            letter if letter.is_control() => pattern.push('%'),
            // Of these there are more than two: the Turkish ones, and the sign for Kelvin.
            'i' | 'k' => pattern.push('_'),
            letter if !letter.is_ascii() && has_case(letter) => pattern.push('_'),
            letter => pattern.push(letter),
        }
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thread_of_a_page_has_a_time_of_its_own() {
        let times = Times::default();
        assert_eq!(
            times.left(true, SEARCH_TIME),
            THREAD_SEARCH_TIME.saturating_sub(SEARCH_TIME)
        );
        assert_eq!(times.left(false, SEARCH_TIME), Duration::ZERO);
        assert_eq!(times.left(false, SEARCH_TIME * 2), Duration::ZERO);
    }

    #[tokio::test]
    async fn whoever_finds_no_place_is_told_so_and_waits_no_longer() {
        let searches = Searches::new(1, Duration::from_millis(10));
        let place = searches.enter().await.unwrap();
        let crowded = searches.enter().await;
        assert!(matches!(crowded, Err(Error::Busy(_))), "{crowded:?}");
        drop(place);
        assert!(searches.enter().await.is_ok());
    }

    #[test]
    fn what_may_be_written_otherwise_is_left_open() {
        assert_eq!(pattern("refund"), "%refund%");
        assert_eq!(pattern("100%_^"), "%100^%^_^^%");
        assert_eq!(pattern("say\"\\"), "%say%%%");
        assert_eq!(pattern("école"), "%_cole%");
        assert_eq!(pattern("東京"), "%東京%");
        assert_eq!(pattern("istanbul"), "%_stanbul%");
    }
}
