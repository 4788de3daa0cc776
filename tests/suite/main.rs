//! The suite: the built program against the real programs it works with, all on loopback.
//!
//! `tests/run` installs those programs and runs everything. Each test starts what it needs on free ports in temporary
//! directories of its own, so tests run side by side; what a test started ends with it, also when it fails.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]
#![expect(clippy::print_stderr, reason = "the logs of the programs are shown when a test fails")]

mod circles;
mod cli;
mod clients;
mod crash;
mod dependencies;
mod doctor;
mod documents;
mod faults;
mod following;
mod fuzzing;
mod golden;
mod guide;
mod house;
mod images;
mod layers;
mod lazy_pulls;
mod nodes;
mod packaging;
mod pages;
mod peers;
mod places;
mod publishing;
mod restoring;
mod rules;
mod schedules;
mod screenshots;
mod story;
mod terminal;
mod web_servers;
mod zones;
