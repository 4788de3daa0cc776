//! The verbs of `--help`, grouped by what they are for: a list of two dozen is read by nobody.
//!
//! Knows names and their purposes; what a verb does is said by its own file.

use std::fmt::Write as _;

use clap::Command;
use clap::builder::StyledStr;

/// Purposes and their verbs, in the order in which they are shown.
pub(super) const GROUPS: [(&str, &[&str]); 6] = [
    ("Mirror", &["add", "update", "rule", "outdated", "remove", "undo", "redo", "gc", "allow"]),
    ("Look", &["list", "show", "stats", "root", "diff", "history"]),
    ("Serve and export", &["serve", "export", "client"]),
    ("Publish and restore", &["target", "publish", "rollback", "restore", "import", "follow"]),
    ("Check", &["verify", "doctor", "demo"]),
    ("Set up", &["config", "schedule", "watch", "metrics", "completions", "man"]),
];

/// What is shown under here has no group yet.
const REST: &str = "More";

/// The command with a help that shows its verbs in groups.
pub(super) fn grouped(command: Command) -> Command {
    let template = template(&command);
    command.help_template(template)
}

fn template(command: &Command) -> StyledStr {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let shown: Vec<&Command> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
    let width = shown.iter().map(|verb| names(verb).len()).max().unwrap_or(0);
    let mut text = StyledStr::new();
    // Writing to a StyledStr can't fail.
    let _ = write!(text, "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n");
    let mut group = |title: &str, verbs: &[&Command]| {
        if verbs.is_empty() {
            return;
        }
        let _ = write!(text, "\n{header}{title}:{header:#}\n");
        for verb in verbs {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let name = names(verb);
            let _ = writeln!(text, "  {literal}{name}{literal:#}{:gap$}  {about}", "", gap = width - name.len());
        }
    };
    let mut rest = shown.clone();
    for (title, names) in GROUPS {
        let verbs: Vec<&Command> =
            names.iter().filter_map(|name| shown.iter().copied().find(|verb| verb.get_name() == *name)).collect();
        rest.retain(|verb| !names.contains(&verb.get_name()));
        group(title, &verbs);
    }
    group(REST, &rest);
    let _ = write!(text, "\n{header}Options:{header:#}\n{{options}}{{after-help}}");
    text
}

/// `list, ls`.
fn names(verb: &Command) -> String {
    let names: Vec<&str> = std::iter::once(verb.get_name()).chain(verb.get_visible_aliases()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::arguments;

    #[test]
    fn every_verb_is_in_one_group() {
        let mut command = arguments::command();
        let help = command.render_help().to_string();
        let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let names: Vec<String> = shown.map(super::names).collect();
        assert!(names.contains(&"list, ls".to_owned()) && names.contains(&"remove, rm".to_owned()), "{names:?}");
        for name in &names {
            let lines = help.lines().filter(|line| line.starts_with(&format!("  {name} "))).count();
            // Examples begin with the program's name.
            assert_eq!(lines, 1, "{name}: {help}");
        }
        assert!(!help.contains(super::REST), "{help}");
        assert!(help.contains("--data-dir") && help.contains("Examples:"), "{help}");
        assert!(!help.contains('\u{1b}') && command.render_help().ansi().to_string().contains('\u{1b}'));
    }
}
