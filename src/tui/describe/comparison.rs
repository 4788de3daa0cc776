//! What differs between two images, in words.

use super::{Role, Row, row};
use crate::engine::query::comparison::{self, ImageDifference, Sign};

/// The sentence, and what differs line by line.
pub fn comparison(difference: &ImageDifference, arrow: &str) -> Vec<Row> {
    let mut rows = vec![row(Role::Text, comparison::summary(difference)), row(Role::Text, String::new())];
    rows.extend(comparison::lines(difference, arrow).into_iter().map(|line| {
        let role = match line.sign {
            Sign::Heading => Role::Name,
            Sign::Note => Role::Text,
            Sign::Removed => Role::Danger,
            Sign::Added => Role::Good,
            Sign::Changed => Role::Warning,
        };
        row(role, line.text)
    }));
    rows
}
