//! Log lines that would come again and again: one a minute, with the number of those left out.

use std::time::Duration;

use tokio::time::Instant;

const PERIOD: Duration = Duration::from_mins(1);

/// One kind of line.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    written_at: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// How many lines were left out since the last one, when it is time for another.
    pub(crate) fn is_due(&mut self, now: Instant) -> Option<u64> {
        if self
            .written_at
            .is_some_and(|last| now.duration_since(last) < PERIOD)
        {
            self.left_out += 1;
            return None;
        }
        self.written_at = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_once_a_minute_and_says_how_many_were_left_out() {
        let (mut line, start) = (Seldom::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(line.is_due(at(0)), Some(0));
        for second in 1..60 {
            assert_eq!(line.is_due(at(second)), None, "{second}");
        }
        assert_eq!(line.is_due(at(60)), Some(59));
        assert_eq!(line.is_due(at(61)), None);
        assert_eq!(line.is_due(at(600)), Some(1));
    }
}
