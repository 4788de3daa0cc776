//! HTML for people: the frame of every page, and the one way text gets into it.
//!
//! No script, relative links only (a page works below `/ipfs/CID/` as well as at `/`), and readable without its style sheet.

use std::fmt;

use super::paths;
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

/// A CID, and where a browser can follow it (a version 1 CID in lower case), a link.
pub(super) struct Cid<'a>(pub(super) &'a str);

impl fmt::Display for Cid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Text(self.0);
        // Browsers write hosts in lower case, which destroys a CID of version 0.
        if self.0.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            write!(f, r#"<a class="id" href="ipfs://{shown}">{shown}</a>"#)
        } else {
            write!(f, r#"<code class="id">{shown}</code>"#)
        }
    }
}

/// A whole page, `depth` directories below the root, from its body.
pub(super) fn page(title: &str, depth: usize, body: &str) -> Vec<u8> {
    let up = "../".repeat(depth);
    let title = Text(title);
    let home = if depth > 0 {
        format!("<nav><a href=\"{up}{}\">All repositories</a></nav>\n", paths::INDEX_HTML)
    } else {
        String::new()
    };
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{up}{style}">
</head>
<body>
{home}<main>
{body}</main>
</body>
</html>
"#,
        style = paths::STYLE_CSS,
    )
    .into_bytes()
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
        assert_eq!(Cid("bafy1").to_string(), r#"<a class="id" href="ipfs://bafy1">bafy1</a>"#);
        assert_eq!(Cid("QmA").to_string(), r#"<code class="id">QmA</code>"#);
        assert_eq!(Cid("b\"><script>").to_string(), r#"<code class="id">b&quot;&gt;&lt;script&gt;</code>"#);
        assert_eq!(list(&["a".into(), "<".into(), "c".into()], 2), "a, &lt;, 1 more");
    }

    proptest::proptest! {
        #[test]
        fn nothing_gets_out(text in "\\PC*|[<>&\"'\\x00-\\x20a]{0,40}") {
            let shown = Text(&text).to_string();
            proptest::prop_assert!(!shown.contains(['<', '>', '"', '\'']) && !shown.contains(char::is_control));
        }
    }
}
