//! Which way of giving out a large file is the faster one here: through memory, or past it.
//!
//! Copying costs two passes over the bytes and keeps few pages in flight; `sendfile` costs no pass and a little for each page.
//! Which one wins differs by a third and more between machines, kernels and clients, so each is tried on the way. Knows bytes
//! and time; must not know how either is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Bytes after which a way is judged: what is in flight between two sockets hardly counts.
const WINDOW: u64 = 32 << 20;
/// Bytes for which what was found is taken as true.
const LASTS: u64 = 512 << 20;
/// How many times as fast the other way has to be: a busy machine makes small differences by itself.
const WORTH: f64 = 1.2;

/// How bytes of a file get to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Read into a buffer, and written from it.
    Copy,
    /// Handed from the page cache to the socket by the kernel.
    Send,
}

/// What was found so far, for all answers.
#[derive(Debug, Default)]
pub(super) struct Ways {
    prefers_sending: AtomicBool,
}

impl Ways {
    fn preferred(&self) -> Way {
        if self.prefers_sending.load(Ordering::Relaxed) { Way::Send } else { Way::Copy }
    }

    fn prefer(&self, way: Way) {
        self.prefers_sending.store(way == Way::Send, Ordering::Relaxed);
    }
}

/// What a number of bytes is for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Judging the preferred way.
    First,
    /// Judging the other one, after this many bytes a second.
    Second(f64),
    /// Enough was found out for now.
    Settled,
}

/// One answer's part in finding out.
#[derive(Debug)]
pub(super) struct Trial {
    way: Way,
    stage: Stage,
    /// Bytes until the next stage.
    left: u64,
    begun: Instant,
}

impl Trial {
    /// Begins with the way that is preferred now.
    pub(super) fn new(ways: &Ways) -> Self {
        Self { way: ways.preferred(), stage: Stage::First, left: WINDOW, begun: Instant::now() }
    }

    /// The way of the next bytes.
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// Takes note that so many bytes went this way, and decides on the next ones.
    pub(super) fn went(&mut self, bytes: u64, ways: &Ways) {
        self.left = self.left.saturating_sub(bytes);
        if self.left == 0 {
            self.decide(WINDOW as f64 / self.begun.elapsed().as_secs_f64().max(1e-9), ways);
            self.begun = Instant::now();
        }
    }

    /// The next stage; `rate` is how many bytes a second a judged way got on.
    fn decide(&mut self, rate: f64, ways: &Ways) {
        let other = if self.way == Way::Copy { Way::Send } else { Way::Copy };
        (self.stage, self.left) = match self.stage {
            Stage::First => {
                self.way = other;
                (Stage::Second(rate), WINDOW)
            }
            Stage::Second(preferred) => {
                if rate < preferred * WORTH {
                    self.way = other;
                }
                ways.prefer(self.way);
                (Stage::Settled, LASTS)
            }
            Stage::Settled => (Stage::First, WINDOW),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faster_way_is_found_and_kept() {
        let ways = Ways::default();
        let mut trial = Trial::new(&ways);
        assert_eq!(trial.way(), Way::Copy);
        trial.decide(100.0, &ways);
        assert_eq!(trial.way(), Way::Send);
        trial.decide(115.0, &ways);
        assert_eq!((trial.way(), ways.preferred()), (Way::Copy, Way::Copy), "hardly faster");
        assert_eq!(trial.left, LASTS);
        trial.decide(1.0, &ways);
        assert_eq!((trial.way(), trial.left), (Way::Copy, WINDOW), "it is looked at again");
        trial.decide(100.0, &ways);
        trial.decide(160.0, &ways);
        assert_eq!((trial.way(), ways.preferred()), (Way::Send, Way::Send));
        // Others begin with it, and may find that it is not so any more.
        let mut trial = Trial::new(&ways);
        trial.decide(100.0, &ways);
        assert_eq!(trial.way(), Way::Copy);
        trial.decide(130.0, &ways);
        assert_eq!((trial.way(), Trial::new(&ways).way()), (Way::Copy, Way::Copy));
    }

    #[test]
    fn it_is_decided_by_bytes() {
        let ways = Ways::default();
        let mut trial = Trial::new(&ways);
        trial.went(WINDOW - 1, &ways);
        assert_eq!(trial.way(), Way::Copy);
        trial.went(1, &ways);
        assert_eq!((trial.way(), trial.left), (Way::Send, WINDOW));
    }
}
