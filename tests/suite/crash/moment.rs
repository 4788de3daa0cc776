//! A moment at which a run is killed: chosen by a seed, by what the registry is asked for, or by the clock.
//!
//! Knows processes and requests; must not know what has to be true afterwards.

use super::upstream::{Upstream, in_two};
use rand::Rng as _;
use rand::rngs::SmallRng;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

/// When to kill.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// So long after the start.
    Time(Duration),
    /// When this request comes, before it is answered.
    Request(u64),
    /// When this share of a layer was given out in answer to this request or a later one.
    Layer {
        request: u64,
        share: f64,
        /// And written to the partial file.
        written: bool,
    },
    /// So long after this request.
    After(u64, Duration),
}

impl Moment {
    /// One within a run that takes so long.
    pub(super) fn within(duration: Duration, random: &mut SmallRng) -> Self {
        Self::Time(duration.mul_f64(random.random_range(0.0..1.1)))
    }

    /// One of a run that asks a registry so many times.
    pub(super) fn of_requests(requests: u64, duration: Duration, random: &mut SmallRng) -> Self {
        match random.random_range(0..10) {
            0 => Self::within(duration, random),
            1 | 2 => Self::Request(random.random_range(1..=requests)),
            3..=6 => Self::Layer {
                request: random.random_range(1..=requests),
                share: random.random_range(0.0..=1.0),
                written: random.random(),
            },
            _ => Self::After(requests, Duration::from_micros(random.random_range(0..60_000))),
        }
    }
}

/// The process to be killed, once it is there.
#[derive(Clone, Default)]
struct Victim(Arc<AtomicI32>);

impl Victim {
    fn kill(&self) {
        loop {
            if let Some(pid) = Pid::from_raw(self.0.load(Ordering::Acquire)) {
                // It isn't waited for before the hook is gone, so this is nobody else.
                let _ = kill_process(pid, Signal::KILL);
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// Runs the program and kills it at that moment, or lets it end before.
pub(super) fn run_and_kill(command: &mut Command, upstream: &Upstream, moment: Moment, partials: &Path) {
    let victim = Victim::default();
    upstream.registry.forget_requests();
    watch(upstream, moment, partials.to_owned(), victim.clone());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process");
    victim.0.store(child.id() as i32, Ordering::Release);
    if let Moment::Time(after) = moment {
        std::thread::sleep(after);
        victim.kill();
    }
    let ended = ends_within_a_minute(&mut child);
    upstream.registry.clear_intercept();
    if !ended {
        let _ = child.kill();
    }
    child.wait().expect("a child");
    assert!(ended, "neither killed nor done: {moment:?}");
}

/// Whether it ends, without taking its process id away from the hook.
fn ends_within_a_minute(child: &mut Child) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_raw(child.id() as i32).expect("a process id");
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(pid), options).expect("a child").is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

fn watch(upstream: &Upstream, moment: Moment, partials: PathBuf, victim: Victim) {
    let layer_of = upstream.layer_of();
    let seen = AtomicU64::new(0);
    upstream.registry.intercept(move |request| {
        let number = seen.fetch_add(1, Ordering::AcqRel) + 1;
        match moment {
            Moment::Request(nth) if number == nth => victim.kill(),
            Moment::After(nth, after) if number == nth => {
                let victim = victim.clone();
                std::thread::spawn(move || {
                    std::thread::sleep(after);
                    victim.kill();
                });
            }
            Moment::Layer { request: nth, share, written } if number >= nth => {
                let bytes = layer_of(request)?;
                let after = (bytes.len() as f64 * share) as usize;
                let hex = request.path.rsplit_once(':').map_or("", |(_, hex)| hex);
                let (partial, victim) = (partials.join(hex), victim.clone());
                return Some(in_two(&bytes, request, after, async move {
                    // When all is there it may have its name already, so nobody waits for ever.
                    for _ in 0..500 {
                        if !written || partial.metadata().is_ok_and(|partial| partial.len() >= after as u64) {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    victim.kill();
                    false
                }));
            }
            _ => {}
        }
        None
    });
}
