//! URLs that are said of a target.

use url::Url;

use crate::error::{Error, Kind, Result};

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
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
