//! What a node's words must not say: it may echo what it was sent.
//!
//! Knows the secret of one node in the forms in which it is sent. Must not show it.

use std::fmt;
use std::sync::Arc;

use super::options::Authorisation;

/// Shorter ones are parts of ordinary words, and no secrets.
const MIN_SECRET_BYTES: usize = 4;

/// A secret in all its forms, the longest first.
#[derive(Clone, Default)]
pub(in crate::node) struct Secrets(Arc<[String]>);

impl Secrets {
    /// Those that go with the requests to a node.
    pub(in crate::node) fn of(authorisation: Option<&Authorisation>) -> Self {
        let Some(authorisation) = authorisation else { return Self::default() };
        let header = authorisation.header.to_str().unwrap_or_default();
        let mut all = vec![header.to_owned(), header.split_once(' ').map_or(header, |(_, secret)| secret).to_owned()];
        if let Some((user, password)) = &authorisation.basic {
            all.extend([format!("{user}:{password}"), password.clone()]);
        }
        all.retain(|secret| secret.len() >= MIN_SECRET_BYTES);
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(all.into())
    }

    /// The text without them.
    pub(in crate::node) fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_secret_stays() {
        for secret in ["bearer:hidden", "hidden", "basic:user:hidden"] {
            let authorisation = Authorisation::parse(secret).unwrap();
            let header = authorisation.header.to_str().unwrap().to_owned();
            let secrets = Secrets::of(Some(&authorisation));
            let cleaned = secrets.clean(&format!("you sent {header}, that is user:hidden or hidden, {}", &header[6..]));
            assert!(!cleaned.contains("hidden") && !cleaned.contains("dXNlc"), "{cleaned}");
            assert!(cleaned.starts_with("you sent …, that is"), "{cleaned}");
            assert!(!format!("{secrets:?}").contains("hidden"));
        }
        assert_eq!(Secrets::of(Authorisation::parse("bearer:a").ok().as_ref()).clean("a name"), "a name");
        assert_eq!(Secrets::of(None).clean("a name"), "a name");
    }
}
