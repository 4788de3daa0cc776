//! HTML for people: the frame of every page, and the one way text gets into it.
//!
//! Relative links only (a page works below `/ipfs/CID/` as well as at `/`), readable without its style sheet, and usable without its
//! script.

use std::fmt;

use super::paths;
use super::scripts::Script;
use crate::text::printable_within;

/// Most characters of one piece of text: enough for every digest, CID, tag and name.
const MAX_TEXT_CHARACTERS: usize = 300;

/// Text that may come from anywhere, made harmless for a reader (`text::printable`) and for HTML, in elements and in quoted attributes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = printable_within(self.0, MAX_TEXT_CHARACTERS);
        let mut rest = shown.as_str();
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// A whole page.
pub(super) struct Page<'a> {
    /// What its window is called.
    pub(super) title: &'a str,
    /// How many directories below the root it is.
    pub(super) depth: usize,
    /// The registry's name.
    pub(super) name: Option<&'a str>,
    /// The one script that may run in it.
    pub(super) script: &'a Script,
    /// What is between its frame, as HTML.
    pub(super) body: &'a str,
}

impl Page<'_> {
    /// The page's file. Its policy lets it run its own script, and ask and show nothing that is not from its own host (`file:` is for
    /// a tree that is read from a disk).
    pub(super) fn bytes(&self) -> Vec<u8> {
        let up = "../".repeat(self.depth);
        let home = if self.depth > 0 {
            format!("<nav aria-label=\"Registry\"><a href=\"{up}{}\">All repositories</a></nav>\n", paths::INDEX_HTML)
        } else {
            String::new()
        };
        let name = self.name.map_or_else(String::new, |name| format!(" data-name=\"{}\"", Text(name)));
        format!(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'self' file:; script-src {source}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{up}{style}">
</head>
<body data-up="{up}"{name}>
{home}<main>
{body}</main>
<script>{script}</script>
</body>
</html>
"#,
            title = Text(self.title),
            source = self.script.source,
            script = self.script.text,
            body = self.body,
            style = paths::STYLE_CSS,
        )
        .into_bytes()
    }
}

/// Platforms in short, without `linux/`, at most so many of them, and how many more there are.
pub(super) fn platforms<'a>(platforms: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let more = platforms.len().saturating_sub(most);
    let mut shown: Vec<String> =
        platforms.take(most).map(|platform| Text(short_platform(platform)).to_string()).collect();
    if more > 0 {
        shown.push(format!("+{more}"));
    }
    shown.join(", ")
}

/// A platform as pages name it where there is little room: most are of Linux.
pub(super) fn short_platform(platform: &str) -> &str {
    platform.strip_prefix("linux/").unwrap_or(platform)
}

/// Words with commas between them, at most so many, and how many more there are.
pub(super) fn list(words: &[String], most: usize) -> String {
    let mut shown: Vec<String> = words.iter().take(most).map(|word| Text(word).to_string()).collect();
    if words.len() > most {
        shown.push(format!("{} more", words.len() - most));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            Text("<b a=\"1\" b='2'>&\u{202e}\u{1b}é").to_string(),
            "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;\\u{202e}\\u{1b}é"
        );
        assert_eq!(Text(&"<".repeat(1000)).to_string().matches("&lt;").count(), MAX_TEXT_CHARACTERS - 1);
        assert_eq!(list(&["a".into(), "<".into(), "c".into()], 2), "a, &lt;, 1 more");
        assert_eq!(platforms(["linux/amd64", "<", "linux/arm/v7"].into_iter(), 2), "amd64, &lt;, +1");
    }

    proptest::proptest! {
        #[test]
        fn nothing_gets_out(text in "\\PC*|[<>&\"'\\x00-\\x20a]{0,40}") {
            let shown = Text(&text).to_string();
            proptest::prop_assert!(!shown.contains(['<', '>', '"', '\'']) && !shown.contains(char::is_control));
        }
    }
}
