//! Rules: what a person says once about what belongs in the registry.
//!
//! Pure: text in, typed rules out, and the other way round. Knows what a registry says (`image/`); must not know where a file lies,
//! who runs a command, or what the catalog has.

mod duration;
mod rule;

pub use duration::Period;
pub use rule::{Hook, HookAction, Kept, Moves, Rule, RuleName, Rules, Source, Subject};
