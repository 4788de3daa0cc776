//! What registries say while they are asked, passed on to the jobs that run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::job::{Event, Job};
use crate::registry::{Observer, Quota};

/// The jobs that hear what registries say.
#[derive(Debug, Default)]
pub(super) struct Notices {
    jobs: Mutex<Vec<(u64, Job)>>,
    /// What registries said last of their quotas.
    quotas: Mutex<HashMap<String, Quota>>,
}

/// A job hears as long as this lives.
pub(super) struct Listening<'a> {
    notices: &'a Notices,
    number: u64,
}

impl Notices {
    /// Lets a job hear.
    pub(super) fn listen(self: &Arc<Self>, job: &Job) -> Listening<'_> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let number = jobs.last().map_or(0, |(number, _)| number + 1);
        jobs.push((number, job.clone()));
        Listening { notices: self, number }
    }

    /// Pulls that a registry said last it would still allow.
    pub(super) fn pulls_left(&self, registry: &str) -> Option<u64> {
        let quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        quotas.get(registry).map(|quota| quota.remaining)
    }

    /// The same of all registries that said so.
    pub(super) fn all_pulls_left(&self) -> Vec<(String, u64)> {
        let quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        quotas.iter().map(|(registry, quota)| (registry.clone(), quota.remaining)).collect()
    }

    fn tell(&self, event: &Event) {
        for (_, job) in self.jobs.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            job.tell(event.clone());
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.notices.jobs.lock().unwrap_or_else(PoisonError::into_inner).retain(|(number, _)| *number != self.number);
    }
}

impl Observer for Notices {
    fn waiting(&self, registry: &str, pause: Duration, reason: &str) {
        self.tell(&Event::Waiting { registry: registry.to_owned(), pause, reason: reason.to_owned(), asked: true });
    }

    fn retrying(&self, registry: &str, pause: Duration, _: u32, reason: &str) {
        self.tell(&Event::Waiting { registry: registry.to_owned(), pause, reason: reason.to_owned(), asked: false });
    }

    fn note(&self, sentence: &str) {
        self.tell(&Event::Note(sentence.to_owned()));
    }

    fn quota(&self, registry: &str, quota: Quota) {
        self.quotas.lock().unwrap_or_else(PoisonError::into_inner).insert(registry.to_owned(), quota);
        self.tell(&Event::Quota { registry: registry.to_owned(), limit: quota.limit, remaining: quota.remaining });
    }
}
