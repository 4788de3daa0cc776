//! The list of keys, for the manual and for the guide: made from the table, so that it can't say anything else.

use std::fmt::Write as _;

use super::command::{Context, Entry, TABLE};

/// The parts of the list: a heading, and where its commands apply.
const PARTS: [(&str, &[Context]); 8] = [
    ("Everywhere", &[Context::Everywhere]),
    ("In lists", &[Context::List]),
    ("Images", &[Context::First, Context::Repositories, Context::Tags, Context::Details]),
    ("Files of an image", &[Context::Files]),
    ("Jobs", &[Context::Jobs]),
    ("Publish", &[Context::Publish]),
    ("Log", &[Context::Log]),
    ("Rules", &[Context::Rules, Context::Rule, Context::Decisions]),
];

/// Every command, under the first heading that it belongs to.
pub fn parts() -> Vec<(&'static str, Vec<&'static Entry>)> {
    let mut left: Vec<&Entry> = TABLE.iter().collect();
    let mut parts = Vec::new();
    for (heading, contexts) in PARTS {
        let (here, others) =
            left.into_iter().partition(|entry| entry.contexts.iter().any(|context| contexts.contains(context)));
        left = others;
        parts.push((heading, here));
    }
    parts
}

/// The list as a table in Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| keys | command | what it does |\n| --- | --- | --- |\n");
    for (heading, entries) in parts() {
        let _ = writeln!(text, "| **{heading}** | | |");
        for entry in entries {
            let keys: Vec<String> = entry.keys.iter().map(|key| format!("`{key}`")).collect();
            let _ = writeln!(text, "| {} | {} | {} |", keys.join(" "), entry.id, entry.explanation);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_is_left_out() {
        assert_eq!(parts().iter().map(|(_, entries)| entries.len()).sum::<usize>(), TABLE.len());
    }
}
