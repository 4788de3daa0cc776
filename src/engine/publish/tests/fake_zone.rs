//! A zone inside the process that takes changes as RFC 2136 does, and fails where a test wants it to.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use crate::error::{Error, Kind, Result};
use crate::naming::{Atomicity, TxtSet, Zone};

type Hook = Box<dyn FnMut(&str) -> Result<()> + Send>;

pub(super) struct FakeZone {
    set: Mutex<TxtSet>,
    hook: Mutex<Option<Hook>>,
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
        Arc::new(Self { set: Mutex::default(), hook: Mutex::new(None), stuck: Mutex::default() })
    }

    pub(super) fn set(&self) -> MutexGuard<'_, TxtSet> {
        self.set.lock().unwrap()
    }

    pub(super) fn stick(&self, set: Option<TxtSet>) {
        *self.stuck.lock().unwrap() = set;
    }

    pub(super) fn intercept(&self, hook: impl FnMut(&str) -> Result<()> + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    pub(super) fn behave(&self) {
        *self.hook.lock().unwrap() = None;
    }

    fn call(&self, name: &str) -> Result<()> {
        match &mut *self.hook.lock().unwrap() {
            Some(hook) => hook(name),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Zone for FakeZone {
    fn place(&self) -> String {
        "the fake zone".into()
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Atomic
    }

    async fn read(&self, _: &str) -> Result<TxtSet> {
        self.call("read")?;
        Ok(self.stuck.lock().unwrap().clone().unwrap_or_else(|| self.set().clone()))
    }

    async fn replace(&self, _: &str, expected: &TxtSet, wanted: &TxtSet) -> Result<()> {
        self.call("replace")?;
        {
            let mut set = self.set();
            if set.values != expected.values {
                return Err(Error::new(Kind::Locked, "the record is another one by now"));
            }
            *set = wanted.clone();
        }
        self.call("replaced")
    }

    async fn try_change(&self, _: &str) -> Result<()> {
        Ok(())
    }
}
