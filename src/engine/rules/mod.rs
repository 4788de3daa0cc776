//! Rules at work: what they select now, how that differs from what is here, and one plan of it by rule.

mod ages;
mod leaving;
pub mod plan;
mod requests;
mod run;
mod survey;
mod wanted;

pub use run::{RuleOutcome, RunOptions, Updated};
