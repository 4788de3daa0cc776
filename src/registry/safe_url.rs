//! A URL as it may be shown: redirects of blobs lead to signed URLs, whose query is a credential.
//!
//! Knows nothing but URLs.

use std::fmt;

use url::Url;

use crate::text::printable_within;

/// Shows a URL without user, password, query and fragment.
#[derive(Clone, Copy)]
pub struct SafeUrl<'a>(pub &'a Url);

impl fmt::Display for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().iter().try_for_each(|port| write!(f, ":{port}"))?;
        f.write_str(&printable_within(self.0.path(), 200))
    }
}

impl fmt::Debug for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let url: Url = "https://user:canary@cdn.example.com:8443/a/b?X-Signature=canary#canary".parse().unwrap();
        assert_eq!(SafeUrl(&url).to_string(), "https://cdn.example.com:8443/a/b");
        assert_eq!(format!("{:?}", SafeUrl(&url)), "https://cdn.example.com:8443/a/b");
    }
}
