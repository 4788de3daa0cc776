//! Notices of the terminal: a job that ran long has ended, or its plan is there, and perhaps nobody looks.
//!
//! Knows the control sequences by which terminals notify. A terminal that doesn't know one may print it, so the bell is used
//! wherever it is not known that it does.

use std::time::Duration;

use super::app::App;
use super::state::job::JobState;
use super::work::JobId;
use crate::text::printable_within;

/// A job that ran so long is told when it ends.
const LONG: Duration = Duration::from_secs(10);
/// More is cut off by most desktops.
const MAX_NOTICE_CHARS: usize = 160;

/// How the terminal tells of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notices {
    /// The bell: a sound, a flash or a mark at the window, as the terminal is set.
    Bell,
    /// OSC 9 with a text, as iTerm2 began it.
    Osc9,
    /// OSC 777 with a title and a text, as rxvt-unicode began it.
    Osc777,
    /// Not at all.
    None,
}

impl Notices {
    /// What the configuration calls them.
    pub const NAMES: [&'static str; 4] = ["bell", "osc9", "osc777", "none"];

    /// The one that the configuration calls so.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bell" => Self::Bell,
            "osc9" => Self::Osc9,
            "osc777" => Self::Osc777,
            "none" => Self::None,
            _ => return None,
        })
    }

    /// What this terminal is known to show, by `TERM` and `TERM_PROGRAM`. Behind tmux or screen that is the bell alone, whatever is
    /// around them.
    pub fn for_terminal(term: Option<&str>, program: Option<&str>) -> Self {
        let term = term.unwrap_or_default();
        if term.starts_with("tmux") || term.starts_with("screen") {
            return Self::Bell;
        }
        if ["foot", "rxvt-unicode"].iter().any(|known| term.starts_with(known)) {
            return Self::Osc777;
        }
        let is_known = ["xterm-kitty", "xterm-ghostty", "wezterm"].contains(&term)
            || matches!(program, Some("iTerm.app" | "WezTerm" | "ghostty"));
        if is_known { Self::Osc9 } else { Self::Bell }
    }

    /// What is written to the terminal for this text.
    pub fn sequence(self, text: &str) -> String {
        // A semicolon parts the fields.
        let text = printable_within(text, MAX_NOTICE_CHARS).replace(';', ",");
        match self {
            Self::Bell => "\u{7}".to_owned(),
            Self::Osc9 => format!("\u{1b}]9;roadstead: {text}\u{7}"),
            Self::Osc777 => format!("\u{1b}]777;notify;roadstead;{text}\u{7}"),
            Self::None => String::new(),
        }
    }
}

/// What is told of a job that has ended, or whose plan is there: only of one that ran long and was not cancelled.
pub(super) fn of_job(app: &App, id: JobId) -> Option<String> {
    let job = app.jobs.jobs.iter().find(|job| job.id == id && job.running >= LONG)?;
    match &job.state {
        JobState::Done(words) => Some(format!("{}: {words}", job.title)),
        JobState::Failed(problem) => Some(format!("{} failed: {}", job.title, problem.message)),
        JobState::Ready => Some(format!("{}: the plan is ready", job.title)),
        JobState::Planning | JobState::Running | JobState::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one() {
        assert!(Notices::NAMES.iter().all(|name| Notices::named(name).is_some()));
        assert_eq!(Notices::named("popup"), None);
    }

    #[test]
    fn a_terminal_gets_what_it_knows() {
        let of = |term, program| Notices::for_terminal(Some(term), program);
        assert_eq!(of("xterm-256color", Some("iTerm.app")), Notices::Osc9);
        assert_eq!(of("xterm-kitty", None), Notices::Osc9);
        assert_eq!(of("foot-extra", None), Notices::Osc777);
        assert_eq!(of("tmux-256color", Some("WezTerm")), Notices::Bell);
        assert_eq!(of("linux", None), Notices::Bell);
        assert_eq!(Notices::for_terminal(None, None), Notices::Bell);
    }

    #[test]
    fn a_text_neither_steers_the_terminal_nor_adds_fields() {
        assert_eq!(Notices::Bell.sequence("x"), "\u{7}");
        assert_eq!(Notices::None.sequence("x"), "");
        let hostile = "a\u{7}\u{1b}]52;c;AAAA".to_owned() + &"x".repeat(1000);
        for notices in [Notices::Osc9, Notices::Osc777] {
            let text = notices.sequence(&hostile);
            let inner = text.strip_prefix('\u{1b}').and_then(|text| text.strip_suffix('\u{7}')).unwrap();
            assert!(!inner.contains(char::is_control) && inner.chars().count() < 200, "{inner:?}");
            let fields = inner.split(';').count();
            assert_eq!(fields, if notices == Notices::Osc9 { 2 } else { 4 }, "{inner:?}");
        }
    }
}
