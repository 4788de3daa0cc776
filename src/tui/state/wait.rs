//! Why a job does nothing just now: of whom, for how long.

use std::time::Duration;

use crate::engine::job::Event;

/// Somebody or something that a job waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// A registry asked for a pause, or a try failed and the next one is due.
    Registry {
        /// Registry that is waited for, as references name it.
        registry: String,
        /// Time until the next request.
        pause: Duration,
        /// Answer or error that led to it, in words.
        reason: String,
        /// The registry asked for it.
        asked: bool,
    },
    /// Another plan that is being applied, by whom.
    Plan(String),
}

impl Wait {
    /// What an event says is waited for.
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Waiting { registry, pause, reason, asked } => Some(Self::Registry {
                registry: registry.clone(),
                pause: *pause,
                reason: reason.clone(),
                asked: *asked,
            }),
            Event::Queued { behind } => Some(Self::Plan(match &behind.0 {
                Some(holder) if holder.is_this_process() => format!("another job here {}", holder.details()),
                _ => behind.to_string(),
            })),
            _ => None,
        }
    }

    /// Whether it is only the pause before another try.
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Registry { asked: false, .. })
    }

    /// What is waited for, without its reason.
    pub fn brief(&self) -> String {
        match self {
            Self::Registry { registry, pause, asked, .. } => {
                let seconds = pause.as_secs_f64().ceil();
                if *asked {
                    format!("{} asks us to wait {seconds} s", called(registry))
                } else {
                    format!("trying again in {seconds} s")
                }
            }
            Self::Plan(_) => "waiting for its turn".to_owned(),
        }
    }

    /// Why, or for whom.
    pub fn reason(&self) -> &str {
        match self {
            Self::Registry { reason, .. } => reason,
            Self::Plan(behind) => behind,
        }
    }

    /// The wait in words, as jobs show it.
    pub fn words(&self) -> String {
        match self {
            Self::Registry { .. } => format!("{}: {}", self.brief(), self.reason()),
            Self::Plan(behind) => format!("waiting for {behind}"),
        }
    }
}

/// A registry as people call it.
fn called(registry: &str) -> &str {
    if registry == "docker.io" { "Docker Hub" } else { registry }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holder::{HeldBy, Holder};

    fn waiting(asked: bool) -> Wait {
        Wait::of(&Event::Waiting {
            registry: "docker.io".to_owned(),
            pause: Duration::from_millis(33_200),
            reason: "429 Too Many Requests".to_owned(),
            asked,
        })
        .unwrap()
    }

    #[test]
    fn only_who_asked_for_it_is_said_to() {
        assert_eq!(waiting(true).words(), "Docker Hub asks us to wait 34 s: 429 Too Many Requests");
        assert_eq!(waiting(false).words(), "trying again in 34 s: 429 Too Many Requests");
        assert!(waiting(false).is_retry() && !waiting(true).is_retry());
    }

    #[test]
    fn who_has_the_turn_is_named_and_this_process_is_here() {
        let behind = |process: u32| {
            let holder = Holder { process, doing: "add x".to_owned(), since: None };
            Wait::of(&Event::Queued { behind: HeldBy(Some(holder)) }).unwrap()
        };
        assert_eq!(behind(0).words(), "waiting for process 0 (`add x`)");
        assert_eq!(behind(std::process::id()).words(), "waiting for another job here (`add x`)");
        assert_eq!(Wait::of(&Event::Note(String::new())), None);
    }
}
