//! The terminal: its size, its colours, its letters.

use std::io::IsTerminal as _;

use async_trait::async_trait;

use super::finding::{Check, Finding};

const SUBJECT: &str = "terminal";
/// What every screen is laid out for.
const MIN_SCREEN_CELLS: (u16, u16) = (80, 24);

/// What is known of the terminal.
#[derive(Debug, Clone, Default)]
pub(super) struct Terminal {
    /// Columns and rows; nothing if standard output is none.
    size: Option<(u16, u16)>,
    /// Value of `TERM`, if it is set.
    name: Option<String>,
    /// Value of `COLORTERM`, if it is set.
    colours: Option<String>,
    /// Whether `NO_COLOR` is set.
    no_colour: bool,
    /// The locale for letters: LC_ALL, LC_CTYPE or LANG.
    locale: Option<String>,
}

impl Terminal {
    pub(super) fn of_process() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let terminal = std::io::stdout().is_terminal();
        Self {
            size: terminal.then(|| crossterm::terminal::size().unwrap_or((0, 0))),
            name: variable("TERM"),
            colours: variable("COLORTERM"),
            no_colour: variable("NO_COLOR").is_some(),
            locale: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let Some((columns, rows)) = self.size else {
            return vec![Finding::ok(SUBJECT, "standard output isn't a terminal: plain text, no colour")];
        };
        let mut findings = vec![match (columns, rows) {
            (0, _) | (_, 0) => {
                Finding::warn(SUBJECT, "its size is unknown", "`stty size` shows it; `stty cols 100 rows 40` sets it.")
            }
            _ if columns < MIN_SCREEN_CELLS.0 || rows < MIN_SCREEN_CELLS.1 => Finding::warn(
                SUBJECT,
                format!("{columns} columns and {rows} rows: tables are cut"),
                format!("Make it at least {} by {}.", MIN_SCREEN_CELLS.0, MIN_SCREEN_CELLS.1),
            ),
            _ => Finding::ok(SUBJECT, format!("{columns} columns and {rows} rows")),
        }];
        findings.push(match self.name.as_deref() {
            None => Finding::warn(
                SUBJECT,
                "TERM is not set",
                "Set it to your terminal's type, such as `TERM=xterm-256color`.",
            ),
            Some("dumb") => Finding::warn(
                SUBJECT,
                "TERM is `dumb`: no colour and no progress bars",
                "Set it to your terminal's type, such as `TERM=xterm-256color`.",
            ),
            Some(name) if self.no_colour => {
                Finding::ok(SUBJECT, format!("{name}, without colour, since NO_COLOR is set"))
            }
            Some(name) => {
                let many = self.colours.as_deref().is_some_and(|kind| matches!(kind, "truecolor" | "24bit"));
                let number = if many {
                    "16 million"
                } else if name.contains("256") {
                    "256"
                } else {
                    "16"
                };
                Finding::ok(SUBJECT, format!("{name}, {number} colours"))
            }
        });
        let letters = self.locale.as_deref().map(str::to_ascii_lowercase);
        findings.push(match &self.locale {
            Some(locale) if letters.is_some_and(|letters| letters.contains("utf-8") || letters.contains("utf8")) => {
                Finding::ok(SUBJECT, format!("the locale {locale}"))
            }
            found => {
                let found =
                    found.as_deref().map_or_else(|| "no locale".to_owned(), |locale| format!("the locale {locale}"));
                Finding::warn(
                    SUBJECT,
                    format!("{found}: some letters and lines may look wrong"),
                    "Set one with UTF-8: `export LC_ALL=C.UTF-8`.",
                )
            }
        });
        findings
    }
}

#[async_trait]
impl Check for Terminal {
    async fn look(&self) -> Vec<Finding> {
        self.findings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::doctor::finding::State;

    #[test]
    fn what_a_terminal_lacks() {
        let good = Terminal {
            size: Some((100, 40)),
            name: Some("xterm-256color".into()),
            locale: Some("en_GB.UTF-8".into()),
            ..Terminal::default()
        };
        let states = |terminal: &Terminal| terminal.findings().iter().map(|found| found.state).collect::<Vec<_>>();
        assert_eq!(states(&good), [State::Ok; 3]);
        assert!(good.findings()[1].message.ends_with("256 colours"));
        let poor =
            Terminal { size: Some((40, 10)), name: Some("dumb".into()), locale: Some("C".into()), ..good.clone() };
        assert_eq!(states(&poor), [State::Warn; 3]);
        assert_eq!(states(&Terminal { size: Some((0, 0)), name: None, locale: None, ..good }), [State::Warn; 3]);
        assert_eq!(states(&Terminal::default()), [State::Ok]);
    }
}
