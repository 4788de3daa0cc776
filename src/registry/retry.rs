//! When something is tried again, after how long, and when it is given up.
//!
//! Exponential backoff with full jitter; `Retry-After` (RFC 9110 section 10.2.3) comes before it. Knows nothing of HTTP
//! beyond that header's text.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::Error;

use super::Observer;

/// The longest pause that is made for a registry where quotas are not waited for: it is asked too fast, and has not given all.
pub(super) const MAX_BURST_PAUSE: Duration = Duration::from_secs(10);

tokio::task_local! {
    static LEAVES_QUOTAS: ();
}

/// Does this work without waiting for a quota that is used up: what is refused for it fails at once, and can be had later.
pub async fn without_waiting_for_quotas<T>(work: impl Future<Output = T>) -> T {
    LEAVES_QUOTAS.scope((), work).await
}

/// Whether the work that runs now waits for a quota that is used up.
pub(super) fn waits_for_quotas() -> bool {
    LEAVES_QUOTAS.try_with(|()| ()).is_err()
}

/// The limits of trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often something is tried in all, at least 1.
    pub tries: u32,
    /// How long is tried in all, whatever the number of tries: a registry that is restarted is back within it.
    pub min_total: Duration,
    /// The longest first pause; each further one may be twice as long.
    pub base: Duration,
    /// The longest pause of our own.
    pub max_pause: Duration,
    /// The longest pause that a registry may ask for; more is an error that says so.
    pub max_retry_after: Duration,
    /// All pauses together, since the last progress.
    pub max_total: Duration,
    /// How many bytes of a blob count as progress, after which the count of tries begins anew.
    pub progress: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            tries: 5,
            min_total: Duration::from_secs(30),
            base: Duration::from_millis(250),
            max_pause: Duration::from_secs(8),
            max_retry_after: Duration::from_mins(10),
            max_total: Duration::from_mins(20),
            progress: 64 << 10,
        }
    }
}

impl RetryPolicy {
    /// The same for a host that has a substitute: this many tries, and no longer.
    #[must_use]
    pub fn impatient(mut self, tries: u32) -> Self {
        self.tries = self.tries.min(tries);
        self.min_total = Duration::ZERO;
        self
    }

    /// A random pause before the try that follows `failures` failures.
    fn pause(&self, failures: u32) -> Duration {
        let longest = self.base.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.max_pause);
        longest.mul_f64(rand::random::<f64>())
    }
}

/// Something went wrong, and whether it may go right next time.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) error: Error,
    pub(super) again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    Backoff,
    After(Duration),
}

impl Setback {
    pub(super) fn never(error: Error) -> Self {
        Self { error, again: Again::Never }
    }

    pub(super) fn backoff(error: Error) -> Self {
        Self { error, again: Again::Backoff }
    }
}

/// What is left of the patience with one request or one transfer.
pub(super) struct Patience {
    policy: RetryPolicy,
    observer: Arc<dyn Observer>,
    registry: String,
    failures: u32,
    waited: Duration,
    received: u64,
}

impl Patience {
    pub(super) fn new(policy: RetryPolicy, observer: Arc<dyn Observer>, registry: &str) -> Self {
        Self { policy, observer, registry: registry.to_owned(), failures: 0, waited: Duration::ZERO, received: 0 }
    }

    /// Bytes came; enough of them since the last failure, and the count begins anew.
    pub(super) fn progress(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
        if self.failures > 0 && self.received >= self.policy.progress {
            self.failures = 0;
            self.waited = Duration::ZERO;
        }
    }

    /// Waits until it is time to try again, or gives the error if it is not to be tried again.
    pub(super) async fn after(&mut self, setback: Setback) -> Result<(), Error> {
        let Setback { error, again } = setback;
        self.failures += 1;
        self.received = 0;
        if again == Again::Never {
            return Err(error);
        }
        if self.failures >= self.policy.tries.max(1) && self.waited >= self.policy.min_total {
            return Err(match self.failures {
                1 => error,
                tries if self.waited.as_secs() == 0 => error.adding(format_args!("gave up after {tries} tries")),
                tries => error.adding(format_args!("gave up after {tries} tries in {}", spoken(self.waited))),
            });
        }
        let why = error.to_string();
        let wait = match again {
            Again::After(asked) if asked > self.policy.max_retry_after => {
                let asked = spoken(asked);
                return Err(error
                    .context(format_args!("{} asks us to wait {asked}", self.registry))
                    .hint(format!("Try again in {asked}; what was fetched so far is kept.")));
            }
            Again::After(asked) => asked,
            _ => self.policy.pause(self.failures),
        };
        if self.waited.saturating_add(wait) > self.policy.max_total {
            return Err(error.adding(format_args!("gave up after {} of waiting", spoken(self.waited))));
        }
        self.waited += wait;
        tracing::debug!(registry = %self.registry, ?wait, attempt = self.failures, %why, "trying again");
        if matches!(again, Again::After(_)) {
            self.observer.waiting(&self.registry, wait, &why);
        } else {
            self.observer.retrying(&self.registry, wait, self.failures, &why);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// `Retry-After`: seconds, or a date; what is past is now.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// A duration for people, in its two largest units.
fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => crate::text::count(seconds / 86_400, "day", "days"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::Kind;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn waiting(&self, registry: &str, wait: Duration, why: &str) {
            self.0.lock().unwrap().push(format!("{registry} waits {wait:?}: {why}"));
        }

        fn retrying(&self, registry: &str, wait: Duration, attempt: u32, why: &str) {
            assert!(wait <= Duration::from_secs(30));
            self.0.lock().unwrap().push(format!("{registry} retry {attempt}: {why}"));
        }
    }

    fn patience(policy: RetryPolicy) -> (Patience, Arc<Heard>) {
        let heard = Arc::new(Heard::default());
        (Patience::new(policy, heard.clone(), "docker.io"), heard)
    }

    fn error() -> Error {
        Error::new(Kind::Network, "it broke")
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Tue, 24 Nov 2026 10:00:00 GMT").unwrap();
        assert_eq!(retry_after("34", now), Some(Duration::from_secs(34)));
        assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(retry_after("Tue, 24 Nov 2026 10:01:00 GMT", now), Some(Duration::from_mins(1)));
        assert_eq!(retry_after("Tue, 24 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        for nonsense in ["", "-1", "soon", "1.5"] {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let policy = RetryPolicy::default();
        for failures in 1..100 {
            let longest = (0.25 * 2f64.powi(failures - 1)).min(30.0);
            assert!(policy.pause(failures as u32).as_secs_f64() <= longest);
        }
        assert!((0..50).map(|_| policy.pause(3)).collect::<std::collections::BTreeSet<_>>().len() > 1, "jitter");
    }

    #[test]
    fn durations_for_people() {
        let spoken = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!([spoken(59), spoken(61), spoken(7260)], ["59 s", "1 min 1 s", "2 h 1 min"]);
        assert_eq!([spoken(86_400), spoken(200_000)], ["1 day", "2 days"]);
    }

    #[tokio::test(start_paused = true)]
    async fn tries_are_counted_and_refilled_by_progress() {
        let (mut patience, heard) =
            patience(RetryPolicy { tries: 3, progress: 10, min_total: Duration::ZERO, ..RetryPolicy::default() });
        patience.after(Setback::backoff(error())).await.unwrap();
        patience.after(Setback::backoff(error())).await.unwrap();
        patience.progress(9);
        patience.progress(1);
        patience.after(Setback::backoff(error())).await.unwrap();
        patience.progress(9);
        patience.after(Setback::backoff(error())).await.unwrap();
        let given_up = patience.after(Setback::backoff(error())).await.unwrap_err();
        assert_eq!(given_up.to_string(), "it broke; gave up after 3 tries");
        assert_eq!(*heard.0.lock().unwrap(), ["docker.io retry 1: it broke", "docker.io retry 2: it broke"].repeat(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_to_wait_is_granted_up_to_the_limit() {
        let (mut patience, heard) = patience(RetryPolicy::default());
        let begun = tokio::time::Instant::now();
        let ask = |seconds| Setback { error: error(), again: Again::After(Duration::from_secs(seconds)) };
        patience.after(ask(34)).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(34));
        assert_eq!(*heard.0.lock().unwrap(), ["docker.io waits 34s: it broke"]);
        let refused = patience.after(ask(7260)).await.unwrap_err();
        assert_eq!(refused.to_string(), "docker.io asks us to wait 2 h 1 min: it broke");
        assert_eq!(refused.hints().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_is_outlived() {
        let (mut patience, heard) = patience(RetryPolicy::default());
        let begun = tokio::time::Instant::now();
        while patience.after(Setback::backoff(error())).await.is_ok() {}
        let tried = begun.elapsed();
        assert!(tried >= Duration::from_secs(30) && tried < Duration::from_secs(40), "{tried:?}");
        let pauses = heard.0.lock().unwrap().len();
        assert!((5..40).contains(&pauses), "each pause is heard of: {pauses}");
        // What has a substitute is not worth that.
        let (mut other, _) = self::patience(RetryPolicy::default().impatient(2));
        other.after(Setback::backoff(error())).await.unwrap();
        assert!(other.after(Setback::backoff(error())).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn all_waits_together_are_bounded() {
        let (mut patience, _) =
            patience(RetryPolicy { tries: 100, max_total: Duration::from_secs(100), ..RetryPolicy::default() });
        let ask = || Setback { error: error(), again: Again::After(Duration::from_mins(1)) };
        patience.after(ask()).await.unwrap();
        assert!(patience.after(ask()).await.unwrap_err().to_string().contains("gave up after 1 min 0 s of waiting"));
    }

    #[tokio::test]
    async fn some_things_are_never_tried_again() {
        let (mut patience, heard) = patience(RetryPolicy::default());
        assert_eq!(patience.after(Setback::never(error())).await.unwrap_err().to_string(), "it broke");
        assert!(heard.0.lock().unwrap().is_empty());
    }
}
