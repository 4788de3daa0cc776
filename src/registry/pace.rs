//! Whether a body comes fast enough to be waited for.
//!
//! Knows time and counts; asks nobody. Only the time spent waiting for the sender counts, not what is done with its bytes.

use std::time::Duration;

use super::MIN_BYTES_PER_SECOND;

/// Waiting and bytes since the last judgement.
#[derive(Debug)]
pub struct Pace {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Judges whenever the waiting adds up to `window`.
    pub fn new(window: Duration) -> Self {
        Self { window, waited: Duration::ZERO, bytes: 0 }
    }

    /// Takes note of bytes that were waited for; false if those of the whole window were too few.
    pub fn keeps_up(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.waited < self.window {
            return true;
        }
        let enough = u128::from(self.bytes) * 1000 >= u128::from(MIN_BYTES_PER_SECOND) * self.waited.as_millis();
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_is_judged_by_itself() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(10 * second);
        // Much at first does not excuse a drip later.
        assert!(pace.keeps_up(10 * second, 1 << 20));
        assert!((0..9).all(|_| pace.keeps_up(second, 1)));
        assert!(!pace.keeps_up(second, 1));
        // Just enough, again and again.
        assert!((0..50).all(|_| pace.keeps_up(second, MIN_BYTES_PER_SECOND as usize)));
        assert!((0..1000).all(|_| pace.keeps_up(Duration::ZERO, 1)), "what needs no waiting is fast");
    }
}
