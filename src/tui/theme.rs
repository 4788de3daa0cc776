//! What a part of the screen means, and how that looks. Meaning never rests on colour alone.
//!
//! No theme sets a background: the terminal's own stays, light or dark.

use ratatui::style::{Color, Modifier, Style};

/// How each role looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Text without any other role.
    pub text: Style,
    /// Text of less weight.
    pub dim: Style,
    /// Names of images, repositories and targets.
    pub name: Style,
    /// Titles and heads of columns.
    pub title: Style,
    /// Keys that can be pressed.
    pub key: Style,
    /// The row under the cursor.
    pub selected: Style,
    /// As it should be.
    pub good: Style,
    /// Something that needs attention but did not fail.
    pub warning: Style,
    /// Failed, or destroys something.
    pub danger: Style,
    /// Frames and rules between the panes.
    pub line: Style,
    /// The tab that is open, and progress.
    pub accent: Style,
}

/// The themes there are.
pub const NAMES: [&str; 4] = ["terminal", "light", "dark", "mono"];

impl Theme {
    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "terminal" => Some(Self::terminal()),
            "light" => Some(Self::light()),
            "dark" => Some(Self::dark()),
            "mono" => Some(Self::mono()),
            _ => None,
        }
    }

    /// The terminal's own sixteen colours.
    pub fn terminal() -> Self {
        let plain = Style::new();
        Self {
            text: plain,
            dim: plain.add_modifier(Modifier::DIM),
            name: plain.fg(Color::Cyan),
            title: plain.add_modifier(Modifier::BOLD),
            key: plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            selected: plain.add_modifier(Modifier::REVERSED),
            good: plain.fg(Color::Green),
            warning: plain.fg(Color::Yellow),
            danger: plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            line: plain.add_modifier(Modifier::DIM),
            accent: plain.fg(Color::Blue).add_modifier(Modifier::BOLD),
        }
    }

    /// True colours for a light background.
    pub fn light() -> Self {
        let of = |r, g, b| Style::new().fg(Color::Rgb(r, g, b));
        Self {
            dim: of(0x6b, 0x72, 0x80),
            name: of(0x0b, 0x5f, 0x8a),
            key: of(0x0b, 0x5f, 0x8a).add_modifier(Modifier::BOLD),
            good: of(0x1a, 0x7f, 0x37),
            warning: of(0x8a, 0x5a, 0x00),
            danger: of(0xb4, 0x23, 0x18).add_modifier(Modifier::BOLD),
            line: of(0x9c, 0xa3, 0xaf),
            accent: of(0x2f, 0x4f, 0xb5).add_modifier(Modifier::BOLD),
            ..Self::terminal()
        }
    }

    /// True colours for a dark background.
    pub fn dark() -> Self {
        let of = |r, g, b| Style::new().fg(Color::Rgb(r, g, b));
        Self {
            dim: of(0x8b, 0x94, 0xa5),
            name: of(0x7c, 0xc7, 0xe8),
            key: of(0x7c, 0xc7, 0xe8).add_modifier(Modifier::BOLD),
            good: of(0x7e, 0xc6, 0x8a),
            warning: of(0xe3, 0xb3, 0x5b),
            danger: of(0xf0, 0x7b, 0x72).add_modifier(Modifier::BOLD),
            line: of(0x5b, 0x64, 0x75),
            accent: of(0x8f, 0xa8, 0xff).add_modifier(Modifier::BOLD),
            ..Self::terminal()
        }
    }

    /// No colour at all: `NO_COLOR`, `--color never`, a terminal without colours.
    pub fn mono() -> Self {
        let plain = Style::new();
        Self {
            text: plain,
            dim: plain.add_modifier(Modifier::DIM),
            name: plain,
            title: plain.add_modifier(Modifier::BOLD),
            key: plain.add_modifier(Modifier::BOLD),
            selected: plain.add_modifier(Modifier::REVERSED),
            good: plain,
            warning: plain.add_modifier(Modifier::BOLD),
            danger: plain.add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
            line: plain.add_modifier(Modifier::DIM),
            accent: plain.add_modifier(Modifier::BOLD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_theme_sets_a_background_and_the_selection_is_always_visible() {
        for name in NAMES {
            let theme = Theme::named(name).unwrap();
            for style in [theme.text, theme.dim, theme.name, theme.selected, theme.danger, theme.line, theme.accent] {
                assert_eq!(style.bg, None, "{name}");
            }
            assert!(theme.selected.add_modifier.contains(Modifier::REVERSED), "{name}");
        }
        assert_eq!(Theme::named("pink"), None);
    }

    /// How bright a colour is, from 0 to 1 (WCAG 2.2, relative luminance).
    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = colour.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// WCAG 2.2 wants 4.5 for text (1.4.3) and 3 for what only shows a state; a line between things may be fainter.
    #[test]
    fn true_colours_can_be_read_on_their_paper() {
        for (theme, paper) in [(Theme::light(), [0xff; 3]), (Theme::dark(), [0x1e; 3])] {
            for style in [theme.dim, theme.name, theme.key, theme.good, theme.warning, theme.danger, theme.accent] {
                let Some(Color::Rgb(red, green, blue)) = style.fg else { panic!("no true colour: {style:?}") };
                let (one, other) = (luminance([red, green, blue]), luminance(paper));
                let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(contrast >= 4.5, "{style:?} has {contrast:.1}");
            }
        }
    }
}
