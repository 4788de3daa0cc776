//! The list of keys, for the manual and for the README: made from the table, so that it can't say anything else.

use std::fmt::Write as _;

use super::command::{Context, Entry, TABLE};

/// The parts of the list: a heading, and where its commands apply.
const PARTS: [(&str, &[Context]); 7] = [
    ("Everywhere", &[Context::Everywhere]),
    ("In lists", &[Context::List]),
    ("Images", &[Context::First, Context::Repositories, Context::Tags, Context::Details]),
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

    /// `INSTA_UPDATE=always` writes the list anew, as it does with snapshots.
    #[test]
    fn the_readme_has_the_list() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let readme = std::fs::read_to_string(path).unwrap();
        let (before, rest) = readme.split_once("<!-- keys: made from src/tui/command.rs -->\n").unwrap();
        let (list, after) = rest.split_once("<!-- end of keys -->").unwrap();
        let wanted = markdown();
        if list.trim() != wanted.trim() && std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            let begin = "<!-- keys: made from src/tui/command.rs -->\n";
            std::fs::write(path, format!("{before}{begin}\n{wanted}\n<!-- end of keys -->{after}")).unwrap();
            return;
        }
        assert!(list.trim() == wanted.trim(), "the list of keys in README.md is another one than:\n{wanted}");
    }
}
