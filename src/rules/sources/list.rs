//! A reference a line.

use super::found::{Finder, Found};
use crate::error::{Context as _, Result};
use crate::image::Reference;

/// The references of a text with one a line. `#` begins a comment at the start of a line or behind a space.
///
/// A line that is no reference is an error that names the line.
pub fn list(text: &str) -> Result<Found> {
    let mut finder = Finder::default();
    // Files of Windows and of some editors begin with a byte order mark.
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let name = uncommented(line).trim();
        if name.is_empty() {
            continue;
        }
        let reference = name.parse::<Reference>().context(|| format!("line {}", number + 1))?;
        finder.take(reference, Some(number + 1))?;
    }
    Ok(finder.found())
}

fn uncommented(line: &str) -> &str {
    let comment = line
        .char_indices()
        .find(|(place, character)| *character == '#' && (*place == 0 || line[..*place].ends_with(char::is_whitespace)));
    comment.map_or(line, |(place, _)| &line[..place])
}
