//! What every room says when it fails: what failed, on what, why, and what to do next.
//!
//! Knows nothing of the rooms. A [`Kind`] decides the exit code in one place; hints are sentences for the user.
//! Messages are lowercase fragments without a full stop, so that they can follow "error: " and a colon.

use std::fmt;

/// The result of anything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is; decides the exit code and whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The disk, the database, or a mistake of ours (exit code 1).
    Unexpected,
    /// What was asked for makes no sense or can't be done by this program (2).
    Usage,
    /// Nothing to do, where the caller wanted to be told (3).
    Unchanged,
    /// A repository, tag, platform, blob or root that isn't there (4).
    NotFound,
    /// The other side wants credentials, or other ones (5).
    Auth,
    /// The network or a registry failed (6).
    Network,
    /// An IPFS node failed (7).
    Node,
    /// Bytes are not what their digest or CID says, or a document breaks its rules (8).
    Verification,
    /// Part of it was done, part failed (9).
    Partial,
    /// Another process holds what this one needs, or changed it meanwhile (10).
    Locked,
    /// The user or a signal stopped it (130).
    Interrupted,
}

impl Kind {
    /// The process exit code of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Unchanged => 3,
            Self::NotFound => 4,
            Self::Auth => 5,
            Self::Network => 6,
            Self::Node => 7,
            Self::Verification => 8,
            Self::Partial => 9,
            Self::Locked => 10,
            Self::Interrupted => 130,
        }
    }

    /// The kind's name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Unchanged => "unchanged",
            Self::NotFound => "not_found",
            Self::Auth => "auth",
            Self::Network => "network",
            Self::Node => "node",
            Self::Verification => "verification",
            Self::Partial => "partial",
            Self::Locked => "locked",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A failure: its kind, what failed on what and why, and what to do next.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    // In a box, so that results stay small.
    words: Box<Words>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Debug, Clone, Default)]
struct Words {
    message: String,
    /// What was being done, the innermost first.
    contexts: Vec<String>,
    /// What the message names, so that nobody names it once more.
    subject: Option<String>,
    hints: Vec<String>,
    /// A quota is used up: later it works by itself.
    is_quota: bool,
    /// Nothing failed: the rest waits for the next time.
    is_postponed: bool,
}

impl Error {
    /// Makes an error from a lowercase fragment that names what failed and on what.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, words: Box::new(Words { message: message.into(), ..Words::default() }), source: None }
    }

    /// Puts what was being done before the message: "`what`: message".
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.words.contexts.push(what.to_string());
        self
    }

    /// Puts what else is to know behind the message: "message; `what`".
    #[must_use]
    pub fn adding(mut self, what: impl fmt::Display) -> Self {
        self.words.message = format!("{}; {what}", self.words.message);
        self
    }

    /// Says what the message names.
    #[must_use]
    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        self.words.subject = Some(subject.to_string());
        self
    }

    /// Says that a quota is used up.
    #[must_use]
    pub fn quota(mut self) -> Self {
        self.words.is_quota = true;
        self
    }

    /// Whether a quota is used up, so that the same works later.
    pub fn is_quota(&self) -> bool {
        self.words.is_quota
    }

    /// Says that nothing failed, and that the rest waits for the next time.
    #[must_use]
    pub fn postponed(mut self) -> Self {
        self.words.is_postponed = true;
        self
    }

    /// Whether nothing failed, and the rest waits for the next time.
    pub fn is_postponed(&self) -> bool {
        self.words.is_postponed
    }

    /// Whether the message names this.
    pub fn is_about(&self, subject: impl fmt::Display) -> bool {
        self.words.subject.as_deref() == Some(subject.to_string().as_str())
    }

    /// Why it failed, without what was being done.
    pub fn reason(&self) -> String {
        let mut reason = self.words.message.clone();
        let mut next = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Libraries often repeat their cause in their own text.
            if !reason.contains(&text) && !self.words.contexts.iter().any(|context| context.contains(&text)) {
                reason = format!("{reason}: {text}");
            }
            next = cause.source();
        }
        reason
    }

    /// Adds what to do next: a full sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.words.hints.push(hint.into());
        self
    }

    /// Keeps the cause, whose text is shown after the message.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same once more, for another that fails for this reason; its cause is part of the message.
    #[must_use]
    pub fn again(&self) -> Self {
        let words = Words { message: self.reason(), ..(*self.words).clone() };
        Self { kind: self.kind, words: Box::new(words), source: None }
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do next, a sentence each.
    pub fn hints(&self) -> &[String] {
        &self.words.hints
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.words.contexts.iter().rev() {
            write!(f, "{context}: ")?;
        }
        f.write_str(&self.reason())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let out_of_room = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let read_only =
            matches!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied);
        let made = Self::new(Kind::Unexpected, error.to_string());
        if out_of_room {
            made.hint(
                "Free some space there, or use another data directory with `--data-dir`; what was verified is kept.",
            )
        } else if read_only {
            made.hint("Check its permissions, or use another data directory with `--data-dir`.")
        } else {
            made
        }
    }
}

/// Gives an error the words for what was being done.
pub trait Context<T> {
    /// Puts `what` before the message of the error, if there is one.
    fn context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| error.into().context(what()))
    }
}
