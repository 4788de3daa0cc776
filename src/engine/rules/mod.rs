//! Rules at work: what they select now, how that differs from what is here, and one plan of it by rule.

mod ages;
mod apply;
mod chosen;
mod doubts;
mod figures;
mod found;
mod here;
mod leaving;
mod locking;
pub mod plan;
mod quotas;
mod requests;
mod rule_set;
mod run;
mod shown;
mod sources;
mod survey;
mod telling;
mod trial;
mod trust;
mod walk;
mod wanted;

pub use here::{Here, NamedImages, named_images};
pub use locking::LOCK_RULE;
pub use rule_set::RulesInForce;
pub use run::{RuleOutcome, RunOptions, Updated};
pub use shown::{ShownRule, ShownRules, TagList};
pub use sources::at_home;
pub use telling::RunView;
pub use trial::{Tried, TriedTag};
pub use trust::Allowance;
