//! A person changes the record: the program says what to set, and waits until the zone's servers say it.
//!
//! Knows when it is done; must not know how the person is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::authority::Authority;
use super::question::shown;
use super::{Atomicity, TxtSet, Zone};
use crate::error::{Error, Kind, Result};

/// Tells a person which set a name has to have.
pub type Prompt = Arc<dyn Fn(&str, &TxtSet) + Send + Sync>;

/// How long between two looks.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A zone that a person changes.
#[derive(Clone)]
pub struct Manual {
    prompt: Prompt,
    authority: Authority,
    between: Duration,
}

impl fmt::Debug for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manual").finish_non_exhaustive()
    }
}

impl Manual {
    /// Tells by `prompt` what to set, once for each change.
    pub fn new(prompt: Prompt) -> Self {
        Self { prompt, authority: Authority::Delegated, between: POLL_INTERVAL }
    }

    /// Asks these servers, this often; for tests.
    #[cfg(test)]
    pub(super) fn asking(mut self, authority: Authority, between: Duration) -> Self {
        (self.authority, self.between) = (authority, between);
        self
    }
}

#[async_trait]
impl Zone for Manual {
    fn place(&self) -> String {
        "a person".to_owned()
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::ByHand
    }

    async fn read(&self, name: &str) -> Result<TxtSet> {
        self.authority.read(name).await
    }

    /// Waits without an end: whoever is tired of it drops the future.
    async fn replace(&self, name: &str, expected: &TxtSet, wanted: &TxtSet) -> Result<()> {
        let now = self.authority.agreed(name).await?;
        if now.records.are(wanted) && now.records.ttl == wanted.ttl {
            return Ok(());
        }
        if !now.records.are(expected) {
            return Err(Error::new(Kind::Locked, format!("someone changed {} in the meantime", shown(&now.at)))
                .hint("Check the record, then try again: its new value is taken into account."));
        }
        (self.prompt)(&shown(&now.at), wanted);
        loop {
            // Servers that fail or differ while the record moves are what is waited for, too.
            if self.authority.agreed(name).await.is_ok_and(|now| now.records.are(wanted)) {
                return Ok(());
            }
            tokio::time::sleep(self.between).await;
        }
    }

    async fn try_change(&self, name: &str) -> Result<()> {
        self.read(name).await.map(drop)
    }
}
