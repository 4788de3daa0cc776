//! What a run leaves behind as figures, in the text format of Prometheus (prometheus.io, "Exposition formats", version 0.0.4).
//!
//! Knows no catalog and no clock: somebody else collects the numbers and puts the text where it is read.

use std::fmt::Write as _;

/// The figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// When the last run ended after which no rule was failing, in seconds since 1970. None: none did.
    pub last_success: Option<i64>,
    /// Rules, by their names.
    pub rules: Vec<RuleFigures>,
    /// Moves of tags that were followed since the catalog was made.
    pub moved_total: u64,
    /// What is left of the quotas of registries that say so.
    pub registries: Vec<RegistryFigures>,
    /// Bytes of blobs and manifests that were fetched since the catalog was made.
    pub bytes_fetched_total: u64,
    /// Targets, by their names.
    pub targets: Vec<TargetFigures>,
}

/// Figures of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFigures {
    /// Name of the rule.
    pub rule: String,
    /// Tags that it selected in the last run.
    pub selected: u64,
    /// Images that the last run took for it.
    pub new: u64,
    /// Images that are in their grace.
    pub leaving: u64,
    /// Tags that are too young.
    pub held: u64,
}

/// Figures of one registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryFigures {
    /// Host of the registry.
    pub registry: String,
    /// Pulls that are left, by its last answer.
    pub pulls_remaining: u64,
}

/// Figures of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetFigures {
    /// Name of the target.
    pub target: String,
    /// Whether it has an older root than the catalog, or none.
    pub is_behind: bool,
}

/// What a figure is, in the format's words.
#[derive(Debug, Clone, Copy)]
enum Type {
    Gauge,
    Counter,
}

/// One of the figures of a rule.
type OfRule = fn(&RuleFigures) -> u64;

impl Figures {
    /// The text. A figure that nothing is known of is left out with its head.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut plain = |name: &str, kind: Type, help: &str, value: Option<String>| {
            family(&mut text, name, kind, help, value.into_iter().map(|value| (None, value)));
        };
        plain(
            "last_success_timestamp_seconds",
            Type::Gauge,
            "When the last run ended with no rule failing.",
            self.last_success.map(|at| at.to_string()),
        );
        plain(
            "tags_moved_total",
            Type::Counter,
            "Moves of tags that were followed.",
            Some(self.moved_total.to_string()),
        );
        plain(
            "bytes_fetched_total",
            Type::Counter,
            "Bytes fetched from registries.",
            Some(self.bytes_fetched_total.to_string()),
        );
        let by_rule: [(&str, &str, OfRule); 4] = [
            ("rule_selected", "Tags that a rule selected in the last run.", |rule| rule.selected),
            ("rule_new", "Images that the last run took for a rule.", |rule| rule.new),
            ("rule_leaving", "Images that no rule selects any more and that are in their grace.", |rule| rule.leaving),
            ("rule_held", "Tags that are too young for a rule.", |rule| rule.held),
        ];
        for (name, help, figure) in by_rule {
            let rows = self.rules.iter().map(|of| (Some(("rule", of.rule.as_str())), figure(of).to_string()));
            family(&mut text, name, Type::Gauge, help, rows);
        }
        let rows = self.registries.iter();
        let rows = rows.map(|of| (Some(("registry", of.registry.as_str())), of.pulls_remaining.to_string()));
        family(&mut text, "pulls_remaining", Type::Gauge, "Pulls that a registry's quota has left.", rows);
        let rows = self.targets.iter();
        let rows = rows.map(|of| (Some(("target", of.target.as_str())), u8::from(of.is_behind).to_string()));
        family(&mut text, "target_behind", Type::Gauge, "1 if a target has an older root than the catalog.", rows);
        text
    }
}

/// One family with its rows: a label, if it has one, and a value. Names and helps are ours and need no escape.
fn family<'a>(
    text: &mut String,
    name: &str,
    kind: Type,
    help: &str,
    rows: impl Iterator<Item = (Option<(&'a str, &'a str)>, String)>,
) {
    let kind = match kind {
        Type::Gauge => "gauge",
        Type::Counter => "counter",
    };
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    // Writing to a String can't fail.
    let _ = writeln!(text, "# HELP roadstead_{name} {help}\n# TYPE roadstead_{name} {kind}");
    for (label, value) in rows {
        let label = label.map(|(key, value)| format!("{{{key}=\"{}\"}}", escaped(value))).unwrap_or_default();
        let _ = writeln!(text, "roadstead_{name}{label} {value}");
    }
}

/// The value of a label: backslash, quotation mark and line feed are escaped, everything else is itself.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(name: &str) -> RuleFigures {
        RuleFigures { rule: name.to_owned(), selected: 3, new: 1, leaving: 2, held: 4 }
    }

    #[test]
    fn the_text_is_that_of_prometheus() {
        let figures = Figures {
            last_success: Some(1_764_450_000),
            rules: vec![rule("nginx"), rule("a \"b\"")],
            moved_total: 5,
            registries: vec![RegistryFigures { registry: "docker.io".to_owned(), pulls_remaining: 87 }],
            bytes_fetched_total: u64::MAX,
            targets: vec![
                TargetFigures { target: "home".to_owned(), is_behind: true },
                TargetFigures { target: "away".to_owned(), is_behind: false },
            ],
        };
        insta::assert_snapshot!("figures", figures.text());
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let text = Figures::default().text();
        assert!(!text.contains("last_success") && !text.contains("rule") && !text.contains("pulls"), "{text}");
        assert!(text.contains("\nroadstead_tags_moved_total 0\n"), "{text}");
    }

    /// Reads the value of the label of a row by the rules of the format, and what follows it.
    fn read(row: &str) -> Option<(String, &str)> {
        let mut rest = row.split_once("=\"")?.1.chars();
        let mut value = String::new();
        loop {
            match rest.next()? {
                '"' => return Some((value, rest.as_str())),
                '\\' => value.push(match rest.next()? {
                    'n' => '\n',
                    other => other,
                }),
                other => value.push(other),
            }
        }
    }

    proptest! {
        #[test]
        fn every_label_is_one_line_and_read_as_it_was(name in "[\\PC\n\r\t\\\\\"{}]{0,20}") {
            let figures = Figures { rules: vec![rule(&name)], ..Figures::default() };
            let text = figures.text();
            let rows: Vec<&str> = text.split('\n').filter(|line| line.starts_with("roadstead_rule_selected")).collect();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(read(rows[0]), Some((name, "} 3")));
            for line in text.split('\n').filter(|line| !line.is_empty()) {
                prop_assert!(line.starts_with("# ") || line.starts_with("roadstead_"), "{}", line);
            }
        }
    }
}
