//! URLs that are said of a target.

use url::Url;

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// The URL of a target as the catalog has it.
pub(super) fn parsed(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|_| {
        wrong(format!("invalid node URL `{}`", printable_within(url, 200)))
            .hint("Write it like `http://127.0.0.1:5001`.")
    })
}

/// A URL without credentials, query and fragment. What is wrong with it is said without it: it may hold a password.
pub(super) fn web_url(text: &str, of: &str, example: &str) -> Result<String> {
    let refused = |why: &str| Err(wrong(format!("the URL of {of} {why}")).hint(format!("Write it like `{example}`.")));
    let Ok(url) = Url::parse(text.trim()) else { return refused("is invalid") };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return refused("does not begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(format!("the URL of {of} contains credentials"))
            .hint("The catalog would keep them. Put `basic:USER:PASSWORD` in a file and name it with `--auth-file`."));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refused("has a query or a fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
