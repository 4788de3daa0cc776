//! Colour by meaning. Every meaning is also in the words: colour is never the only carrier.

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Heading,
    /// The thing that the line is about.
    Name,
    /// As it should be, or new.
    Good,
    Warning,
    Bad,
    Dim,
}

/// Puts tones into escape sequences, or leaves them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint {
    colour: bool,
}

impl Paint {
    /// With colour, or without.
    pub(super) fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// The text in this tone. The terminal's own sixteen colours, so that it is readable on light and dark.
    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Heading => "1",
            Tone::Name => "36",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "1;31",
            Tone::Dim => "2",
        };
        if !self.colour || code.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Whether there is colour.
    pub(super) fn is_colour(self) -> bool {
        self.colour
    }
}
