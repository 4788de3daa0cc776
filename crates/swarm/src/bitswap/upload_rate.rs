//! How fast blocks leave, over all connections: a bucket that fills at the rate and holds a second of it. Knows no stream.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is asked for at once: small, so that connections take turns.
pub(crate) const MAX_GRANT_BYTES: usize = 32 << 10;
/// How long at least anybody waits who has to: timers are no finer, and a waker costs.
const MIN_WAIT: Duration = Duration::from_millis(5);

/// Bytes a second for everybody together.
#[derive(Debug)]
pub(crate) struct UploadRate {
    /// 0: no limit.
    bytes_per_second: u64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Below zero never; a fraction of a byte counts.
    bytes: f64,
    filled: Instant,
}

impl UploadRate {
    pub(crate) fn new(bytes_per_second: u64, now: Instant) -> Self {
        let bytes = (bytes_per_second as f64).min(MAX_GRANT_BYTES as f64);
        Self { bytes_per_second, bucket: Mutex::new(Bucket { bytes, filled: now }) }
    }

    /// How many of `wanted` bytes may leave now, or how long to wait before asking again.
    pub(crate) fn take(&self, wanted: usize, now: Instant) -> Result<usize, Duration> {
        if self.bytes_per_second == 0 {
            return Ok(wanted);
        }
        let rate = self.bytes_per_second as f64;
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.filled = bucket.filled.max(now);
        // No more than a second of it, so that a pause is followed by no flood; a grant has to fit in at any rate.
        bucket.bytes = (bucket.bytes + passed * rate).min(rate.max(MAX_GRANT_BYTES as f64));
        let wanted = wanted.min(MAX_GRANT_BYTES);
        // As much as a hundredth of a second brings is worth a write.
        let least = (rate / 100.0).clamp(1.0, wanted.max(1) as f64);
        if bucket.bytes < least {
            let wait = Duration::from_secs_f64((least - bucket.bytes) / rate);
            return Err(wait.max(MIN_WAIT));
        }
        let granted = wanted.min(bucket.bytes as usize).max(1);
        bucket.bytes -= granted as f64;
        Ok(granted)
    }

    /// Gives back what was granted and not written.
    pub(crate) fn give_back(&self, bytes: usize) {
        if self.bytes_per_second != 0 {
            self.bucket.lock().unwrap_or_else(PoisonError::into_inner).bytes += bytes as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_limit_grants_everything() {
        let rate = UploadRate::new(0, Instant::now());
        assert_eq!(rate.take(123_456, Instant::now()), Ok(123_456));
    }

    proptest! {
        /// However often and for how much it is asked, the rate holds, and whoever waits as told gets something.
        #[test]
        fn the_rate_holds(rate in 100_u64..10_000_000, asks in prop::collection::vec(1_usize..200_000, 1..200)) {
            let start = Instant::now();
            let bucket = UploadRate::new(rate, start);
            let (mut now, mut sent) = (start, 0_usize);
            let mut refused = 0;
            for ask in asks {
                match bucket.take(ask, now) {
                    Ok(granted) => {
                        prop_assert!(granted <= ask && granted > 0);
                        (sent, refused) = (sent + granted, 0);
                    }
                    Err(wait) => {
                        (now, refused) = (now + wait, refused + 1);
                        prop_assert!(refused <= 2, "told to wait and refused again");
                    }
                }
            }
            let most = MAX_GRANT_BYTES as f64 + now.duration_since(start).as_secs_f64() * rate as f64 + 2.0;
            prop_assert!(sent as f64 <= most, "{sent} of {most}");
        }
    }
}
