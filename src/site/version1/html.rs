//! The frame of every page, and how CIDs stand in it: without a script.

use std::fmt;

use crate::site::html::Text;
use crate::site::paths;

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
