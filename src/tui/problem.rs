//! A failure as it is shown: what failed, and what to do next.

use crate::error::{Error, Kind};

/// An error as the interface shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What failed, on what, and why.
    pub message: String,
    /// What to do next, in sentences.
    pub hints: Vec<String>,
    /// Kind of the error, as its exit code says it.
    pub kind: Kind,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            message: error.to_string(),
            hints: error.hints().iter().map(ToString::to_string).collect(),
            kind: error.kind(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl Problem {
    /// Stands where an answer is awaited.
    pub fn waiting() -> Self {
        Self { message: "not known yet".to_owned(), hints: Vec::new(), kind: Kind::Unchanged }
    }

    /// Whether it only stands for an answer that is awaited.
    pub fn is_waiting(&self) -> bool {
        self.kind == Kind::Unchanged
    }

    /// The same, said of a job with this name.
    #[must_use]
    pub fn of(&self, title: &str) -> Self {
        Self { message: format!("{title}: {}", self.message), ..self.clone() }
    }

    /// Everything in sentences, one after the other.
    pub fn sentences(&self) -> String {
        let mut text = self.message.replace('\n', " ");
        for hint in &self.hints {
            if !text.ends_with(['.', '?', '!']) {
                text.push('.');
            }
            text = format!("{text} {hint}");
        }
        text
    }

    /// Everything in one text.
    pub fn text(&self) -> String {
        self.hints.iter().fold(self.message.clone(), |text, hint| format!("{text}\n{hint}"))
    }
}
