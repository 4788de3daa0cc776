//! Faults on purpose, so that tests of the built program can see what becomes of them. Only in builds for development: a
//! release has none of it.

/// Where a fault may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultPoint {
    Worker,
    Interface,
}

/// Panics if `ROADSTEAD_TEST_PANIC` names this place.
#[cfg(debug_assertions)]
pub(super) fn inject(place: FaultPoint) {
    let name = match place {
        FaultPoint::Worker => "worker",
        FaultPoint::Interface => "interface",
    };
    if std::env::var_os("ROADSTEAD_TEST_PANIC").is_some_and(|asked| asked == name) {
        fail(name);
    }
}

#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "it is what it is for")]
fn fail(name: &str) {
    panic!("the {name} panicked, as asked");
}

#[cfg(not(debug_assertions))]
pub(super) fn inject(_place: FaultPoint) {}
