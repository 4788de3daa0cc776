//! What is heard of a registry while something is going on: waits, retries, quotas.
//!
//! Knows nothing of who listens.

use std::time::Duration;

use reqwest::header::HeaderMap;

/// Hears what happens between asking and getting. Registries go by their name in references (`docker.io`); texts hold no
/// credential and nothing that could steer a terminal.
pub trait Observer: Send + Sync {
    /// The registry asked to wait this long; called before the wait.
    fn waiting(&self, registry: &str, wait: Duration, why: &str) {
        let _ = (registry, wait, why);
    }

    /// Something failed and is tried again after `wait`; `attempt` counts the failures since the last progress.
    fn retrying(&self, registry: &str, wait: Duration, attempt: u32, why: &str) {
        let _ = (registry, wait, attempt, why);
    }

    /// Something about the registry that is worth knowing, in a sentence; said once for each registry.
    fn note(&self, sentence: &str) {
        let _ = sentence;
    }

    /// The registry said how much may still be asked of it.
    fn quota(&self, registry: &str, quota: Quota) {
        let _ = (registry, quota);
    }
}

/// An observer that hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// What is left of a registry's quota (Docker Hub: manifests by GET).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many are allowed within the window.
    pub limit: u64,
    /// How many are left in the window.
    pub remaining: u64,
    /// Length of the window, if the registry said it.
    pub window: Option<Duration>,
}

impl Quota {
    /// Reads `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 37;w=21600`.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let read = |name| -> Option<(u64, Option<Duration>)> {
            let mut parts = headers.get(name)?.to_str().ok()?.split(';').map(str::trim);
            let number = parts.next()?.parse().ok()?;
            let window = parts.find_map(|part| part.strip_prefix("w=")?.parse().ok().map(Duration::from_secs));
            Some((number, window))
        };
        let (limit, window) = read("ratelimit-limit")?;
        let (remaining, other) = read("ratelimit-remaining")?;
        Some(Self { limit, remaining, window: window.or(other) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_headers() {
        let read = |limit: &str, remaining: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("ratelimit-limit", limit.parse().unwrap());
            headers.insert("ratelimit-remaining", remaining.parse().unwrap());
            Quota::from_headers(&headers)
        };
        let window = Some(Duration::from_hours(6));
        assert_eq!(read("100;w=21600", "37;w=21600"), Some(Quota { limit: 100, remaining: 37, window }));
        assert_eq!(read("100", " 37 "), Some(Quota { limit: 100, remaining: 37, window: None }));
        assert_eq!(read("many", "37"), None);
        assert_eq!(read("100;w=x", "-1"), None);
        assert_eq!(Quota::from_headers(&HeaderMap::new()), None);
    }
}
