//! A zone inside the process that takes changes as RFC 2136 does, and fails where a test wants it to.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use super::fake_node::Answer;
use crate::error::{Error, Kind, Result};
use crate::naming::{Atomicity, TxtSet, Zone};

type Hook = Box<dyn FnMut(&str, &mut TxtSet) -> Answer + Send>;

pub(super) struct FakeZone {
    set: Mutex<TxtSet>,
    hook: Mutex<Option<Hook>>,
    hung: tokio::sync::Notify,
    by_hand: std::sync::atomic::AtomicBool,
    /// What it says whatever it took.
    stuck: Mutex<Option<TxtSet>>,
}

impl std::fmt::Debug for FakeZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeZone")
    }
}

impl FakeZone {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            set: Mutex::default(),
            hook: Mutex::new(None),
            hung: tokio::sync::Notify::new(),
            stuck: Mutex::default(),
            by_hand: false.into(),
        })
    }

    pub(super) fn set(&self) -> MutexGuard<'_, TxtSet> {
        self.set.lock().unwrap()
    }

    /// From now on a person changes it, whom `intercept` plays.
    pub(super) fn leave_to_a_person(&self) {
        self.by_hand.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    pub(super) fn stick(&self, set: Option<TxtSet>) {
        *self.stuck.lock().unwrap() = set;
    }

    pub(super) fn intercept(&self, hook: impl FnMut(&str, &mut TxtSet) -> Answer + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    pub(super) fn behave(&self) {
        *self.hook.lock().unwrap() = None;
    }

    /// Says when a call hangs.
    pub(super) async fn hung(&self) {
        self.hung.notified().await;
    }

    async fn call(&self, name: &str) -> Result<()> {
        let answer = match &mut *self.hook.lock().unwrap() {
            Some(hook) => hook(name, &mut self.set()),
            None => Answer::Go,
        };
        match answer {
            Answer::Go => Ok(()),
            Answer::Fail(error) => Err(error),
            Answer::Hang => {
                self.hung.notify_one();
                std::future::pending().await
            }
        }
    }
}

#[async_trait]
impl Zone for FakeZone {
    fn place(&self) -> String {
        "the fake zone".into()
    }

    fn atomicity(&self) -> Atomicity {
        if self.by_hand.load(std::sync::atomic::Ordering::SeqCst) { Atomicity::ByHand } else { Atomicity::Atomic }
    }

    async fn read(&self, _: &str) -> Result<TxtSet> {
        self.call("read").await?;
        Ok(self.stuck.lock().unwrap().clone().unwrap_or_else(|| self.set().clone()))
    }

    async fn replace(&self, _: &str, expected: &TxtSet, wanted: &TxtSet) -> Result<()> {
        self.call("replace").await?;
        if self.atomicity() == Atomicity::ByHand {
            return Ok(());
        }
        {
            let mut set = self.set();
            if set.values != expected.values {
                return Err(Error::new(Kind::Locked, "the record is another one by now"));
            }
            *set = wanted.clone();
        }
        self.call("replaced").await
    }

    async fn try_change(&self, _: &str) -> Result<()> {
        Ok(())
    }
}
