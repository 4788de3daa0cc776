//! Repository names and tags by the OCI grammar (distribution spec, "Pulling manifests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Digest;
use crate::error::{Error, Kind};
use crate::text::printable;

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`, at most 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(String);

impl RepositoryName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components between the slashes, first to last.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

fn check_component(part: &str) -> Result<(), &'static str> {
    let bytes = part.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return Err("a part between slashes is empty");
    };
    if bytes.iter().any(u8::is_ascii_uppercase) {
        return Err("upper case letters are not allowed");
    }
    if let Some(byte) = bytes.iter().find(|byte| !alphanumeric(byte) && !matches!(byte, b'.' | b'_' | b'-')) {
        return Err(if *byte == b' ' {
            "spaces are not allowed"
        } else {
            "only a-z, 0-9 and the separators `.`, `_`, `__`, `-` and `/` are allowed"
        });
    }
    if !alphanumeric(first) || !alphanumeric(last) {
        return Err("each part must begin and end with a-z or 0-9");
    }
    for run in part.split(|c: char| c.is_ascii_alphanumeric()).filter(|run| !run.is_empty()) {
        if !(run == "." || run == "_" || run == "__" || run.bytes().all(|byte| byte == b'-')) {
            return Err("separators inside a part must be one of `.`, `_`, `__` or dashes");
        }
    }
    Ok(())
}

impl FromStr for RepositoryName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse =
            |why: &str| Err(Error::new(Kind::Usage, format!("`{}` is not a repository name: {why}", printable(text))));
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.len() > 255 {
            return refuse("it is longer than 255 characters");
        }
        for part in text.split('/') {
            if let Err(why) = check_component(part) {
                return refuse(why);
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution specification, "Pulling manifests").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

impl Tag {
    /// The tag that a reference without tag and digest means.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The tag under which clients look for the referrers of a manifest where there is no referrers API
    /// (distribution spec, "Referrers Tag Schema").
    pub fn of_referrers(subject: &Digest) -> Self {
        Self(format!("sha256-{}", subject.hex()))
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let why = if text.is_empty() {
            "it is empty"
        } else if text.len() > 128 {
            "it is longer than 128 characters"
        } else if !word(text.as_bytes()[0]) {
            "it must begin with a letter, a digit or `_`"
        } else if !text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-') {
            "only letters, digits, `_`, `.` and `-` are allowed"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Error::new(Kind::Usage, format!("`{}` is not a tag: {why}", printable(text))))
    }
}

impl TryFrom<String> for Tag {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "library/nginx", "a.b/c_d/e__f/g---h", "127.0.0.1_5000/debian", "0/1"] {
            assert_eq!(good.parse::<RepositoryName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a b",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a.-b",
            "a/../b",
            "a/./b",
            "é",
            "a\0b",
            "a:b",
            "_catalog",
            &"a".repeat(256),
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tags_follow_the_grammar() {
        for good in ["latest", "1.25.3", "_x", "v1-alpine", "A", &"t".repeat(128)] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
        let referrers = Tag::of_referrers(&Digest::of(b""));
        assert_eq!(referrers.as_str(), "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(referrers.as_str().parse::<Tag>().unwrap(), referrers);
        for bad in ["", ".x", "-x", "a/b", "a:b", "a b", "..", "é", "a\u{1b}[0m", &"t".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?}");
        }
    }
}
