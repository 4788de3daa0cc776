//! The scripts of the pages. Each is part of its page and named by its hash in the page's Content-Security-Policy, so nothing else
//! runs there; they ask nobody but the host that the page is from.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::image::Digest;

/// A script as it stands in a page.
pub(super) struct Script {
    /// Its text.
    pub(super) text: String,
    /// The source expression that allows it and nothing else (CSP level 3, section 2.3.1).
    pub(super) source: String,
}

/// Of the pages that list repositories: the host's name in commands, copying, searching.
pub(super) static LIST: LazyLock<Script> =
    LazyLock::new(|| script(&[include_str!("../../assets/page/host.js"), include_str!("../../assets/page/search.js")]));

/// Of the pages of a repository: the host's name in commands, copying, what configurations say.
pub(super) static REPOSITORY: LazyLock<Script> =
    LazyLock::new(|| script(&[include_str!("../../assets/page/host.js"), include_str!("../../assets/page/tags.js")]));

/// The same where signatures and the like are among what is shown, with what those say.
pub(super) static ATTACHED: LazyLock<Script> = LazyLock::new(|| {
    script(&[
        include_str!("../../assets/page/host.js"),
        include_str!("../../assets/page/tags.js"),
        include_str!("../../assets/page/attached.js"),
    ])
});

/// One script of several files, without indentation and lines of comment: it is in every page.
fn script(files: &[&str]) -> Script {
    let mut text = String::from("\n\"use strict\";\n");
    for line in files.iter().flat_map(|file| file.lines()).map(str::trim) {
        if !line.is_empty() && !line.starts_with("//") {
            text.push_str(line);
            text.push('\n');
        }
    }
    let source = format!("'sha256-{}'", STANDARD.encode(Digest::of(text.as_bytes()).as_bytes()));
    Script { text, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_stay_what_their_hashes_say() {
        for (script, most) in [(&*LIST, 8), (&*REPOSITORY, 10), (&*ATTACHED, 16)] {
            // What would end the element, or make a browser read on in it as in a comment.
            assert!(!script.text.contains("</") && !script.text.contains("<!--"));
            assert!(!script.text.contains("innerHTML") && !script.text.contains("eval("));
            assert!(!script.text.contains("http") || !script.text.contains("://"));
            assert!(script.text.len() < most << 10, "{} bytes in every page", script.text.len());
            assert_eq!(script.source.len(), 53, "{}", script.source);
        }
        assert_eq!(script(&["  a;\n// no\n\n", "b;"]).text, "\n\"use strict\";\na;\nb;\n");
    }
}
