//! What a TXT value says (dnslink.dev): `dnslink=/ipfs/CID/path` and its like.
//!
//! Pure: knows the text of values; must not know where they come from, nor whether anything is behind them.

use std::fmt;

use cid::Cid;

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// What a DNSLink value begins with.
pub const PREFIX: &str = "dnslink=";

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// `/ipfs/CID` and what follows it.
    Ipfs {
        /// CID in the link, whatever codec it has.
        cid: Cid,
        /// The path below it, with its leading slash; empty for the content itself.
        path: String,
    },
    /// `/ipns/NAME` and what follows it.
    Ipns {
        /// A key or a domain.
        name: String,
        /// The path below it, with its leading slash; empty for the name itself.
        path: String,
    },
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipfs { cid, path } => write!(f, "/ipfs/{cid}{path}"),
            Self::Ipns { name, path } => write!(f, "/ipns/{name}{path}"),
        }
    }
}

impl Link {
    /// Reads one TXT value. Nothing for a foreign value, another namespace, or one that breaks the rules: such a value is
    /// skipped, and is no error.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.strip_prefix(PREFIX)?.trim();
        let mut parts = value.strip_prefix('/')?.splitn(3, '/');
        let (namespace, identifier) = (parts.next()?, parts.next()?.trim());
        let path = match parts.next() {
            Some(rest) if !rest.trim_matches('/').is_empty() => format!("/{rest}"),
            _ => String::new(),
        };
        match namespace {
            "ipfs" => Some(Self::Ipfs { cid: identifier.parse().ok()?, path }),
            "ipns" if !identifier.is_empty() => Some(Self::Ipns { name: identifier.to_owned(), path }),
            _ => None,
        }
    }

    /// The one link among the values at a name; nothing if there is none. Several different ones are an error, as they are
    /// for every reader.
    pub fn only<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Option<Self>> {
        let mut found: Option<Self> = None;
        for link in values.into_iter().filter_map(Self::parse) {
            match &found {
                Some(before) if *before != link => {
                    let shown = |link: &Self| printable_within(&link.to_string(), 200);
                    return Err(Error::new(
                        Kind::Verification,
                        format!("there are several DNSLink values: {} and {}", shown(before), shown(&link)),
                    )
                    .hint("Readers refuse such a name: remove all but one of the TXT records."));
                }
                _ => found = Some(link),
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CID: &str = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";

    #[test]
    fn values_that_are_links() {
        for (value, shown) in [
            (format!("dnslink=/ipfs/{CID}"), Some(format!("/ipfs/{CID}"))),
            (format!("dnslink=/ipfs/{CID}/"), Some(format!("/ipfs/{CID}"))),
            (format!("dnslink= /ipfs/{CID} "), Some(format!("/ipfs/{CID}"))),
            (format!("dnslink=/ipfs/{CID}/a/b c"), Some(format!("/ipfs/{CID}/a/b c"))),
            (
                "dnslink=/ipfs/QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn".into(),
                Some("/ipfs/QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn".into()),
            ),
            ("dnslink=/ipns/docs.ipfs.tech".into(), Some("/ipns/docs.ipfs.tech".into())),
            ("dnslink=/ipns/k51q/x".into(), Some("/ipns/k51q/x".into())),
            // Foreign or broken values are skipped.
            (CID.to_owned(), None),
            (format!("/ipfs/{CID}"), None),
            (format!("dnslink=ipfs/{CID}"), None),
            (format!("DNSLINK=/ipfs/{CID}"), None),
            ("dnslink=/ipfs/".into(), None),
            ("dnslink=/ipfs/bafyold".into(), None),
            ("dnslink=/ipns/".into(), None),
            ("dnslink=/hypr/abc".into(), None),
            ("dnslink=".into(), None),
            ("v=spf1 -all".into(), None),
        ] {
            assert_eq!(Link::parse(&value).map(|link| link.to_string()), shown, "{value}");
        }
    }

    #[test]
    fn one_link_among_others() {
        let (one, other) = (format!("dnslink=/ipfs/{CID}"), "dnslink=/ipns/example.com".to_owned());
        assert_eq!(Link::only(["x", "dnslink=/foo/bar"]).unwrap(), None);
        assert_eq!(Link::only(["x", one.as_str(), one.as_str()]).unwrap(), Link::parse(&one));
        assert_eq!(Link::only([one.as_str(), other.as_str()]).unwrap_err().kind(), Kind::Verification);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_reads_again(value in "(dnslink=)?(/ip[fn]s)?[/ -~\u{80}-\u{300}]{0,60}") {
            if let Some(link) = Link::parse(&value) {
                prop_assert_eq!(Link::parse(&format!("dnslink={link}")), Some(link));
            }
        }
    }
}
