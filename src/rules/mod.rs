//! Rules: what a person says once about what belongs in the registry.
//!
//! Pure: text in, typed rules out, and the other way round. Knows what a registry says (`image/`); must not know where a file lies,
//! who runs a command, or what the catalog has.

mod defaults;
mod duration;
mod edit;
mod edit_list;
mod event;
mod fault;
pub mod import;
mod keys;
mod lock;
pub mod metrics;
mod permission;
mod read;
mod read_hook;
mod read_rule;
mod rule;
mod section;
pub mod sources;
mod subject;
mod write;
mod yaml;

pub use duration::Period;
pub use edit::{EditError, add_rule, remove_rule, replace_rule};
pub use event::{Event, EventKind};
pub use fault::RuleFault;
pub use lock::{Lock, LockEntry, MAX_LOCK_BYTES, MAX_LOCK_ENTRIES};
pub use permission::{Permission, Purpose, is_outside};
pub use read::{MAX_RULE_FILE_BYTES, MAX_RULES, read};
pub use rule::{Hook, HookAction, Kept, Moves, Rule, RuleName, Rules, Source, Subject};
pub use write::{write, write_rule};

#[cfg(test)]
mod tests;
