//! Values of arguments that are types of ours.

use crate::error::Error;

/// Parses a value whose error may hold hints, which clap shows as tips.
pub(super) fn parsed<T: std::str::FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| {
        error.hints().iter().fold(error.to_string(), |shown, hint| format!("{shown}\n\n  tip: {hint}"))
    })
}
