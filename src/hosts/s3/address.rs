//! Where a bucket is: `s3://BUCKET[/PREFIX]`, an endpoint and a region.

use url::Url;

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// The region where nothing says another one, as AWS's tools have it.
pub const DEFAULT_REGION: &str = "us-east-1";
/// What a key may have at most, in bytes (AWS S3 User Guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1024;

/// A bucket, and what the keys in it begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name of the bucket.
    pub bucket: String,
    /// What keys begin with: empty, or with a slash at its end.
    pub prefix: String,
}

impl Address {
    /// Reads `s3://BUCKET[/PREFIX]`.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |why: &str| {
            Error::new(Kind::Usage, format!("invalid bucket `{}`: {why}", printable_within(text, 100)))
                .hint("Write it like `s3://BUCKET` or `s3://BUCKET/PREFIX`.")
        };
        let Some(rest) = text.trim().strip_prefix("s3://") else {
            return Err(refused("it does not begin with s3://"));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(sound) || bucket.contains("..") {
            return Err(refused("a bucket's name has 3 to 63 letters, digits, dots and dashes"));
        }
        let prefix = prefix.trim_matches('/');
        // A segment of dots would be resolved like in a path, and lead out of the prefix.
        let segment = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.chars().all(|c| sound(c) || "!'()+=@,".contains(c))
        };
        if !prefix.is_empty() && (prefix.len() > MAX_KEY_BYTES / 2 || !prefix.split('/').all(segment)) {
            return Err(refused("a prefix has letters, digits, dots, dashes, underscores and slashes"));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }

    /// As it is written.
    pub fn text(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }
}

/// Where requests go if no endpoint is said, which is AWS.
pub fn endpoint_of(region: &str) -> Result<Url> {
    let sound = !region.is_empty() && region.len() <= 64;
    if !sound || !region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(Error::new(Kind::Usage, format!("invalid region `{}`", printable_within(region, 80)))
            .hint("Write it like `eu-central-1`."));
    }
    Url::parse(&format!("https://s3.{region}.amazonaws.com"))
        .map_err(|_| Error::new(Kind::Usage, format!("invalid region `{}`", printable_within(region, 80))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_its_prefix() {
        let parsed = |text: &str| Address::parse(text).map(|address| (address.text(), address.prefix)).unwrap();
        assert_eq!(parsed("s3://registry"), ("s3://registry".into(), String::new()));
        assert_eq!(parsed(" s3://registry/ "), ("s3://registry".into(), String::new()));
        assert_eq!(parsed("s3://my.registry/a/b/"), ("s3://my.registry/a/b".into(), "a/b/".into()));
        for wrong in [
            "registry",
            "https://registry",
            "s3://",
            "s3://ab",
            "s3://a/b",
            "s3://registry/a//b",
            "s3://registry/../x",
            "s3://registry/a/./b",
            "s3://registry/a?b",
            "s3://registry/a b",
            "s3://user:secret@registry",
            "s3://a..b/x",
        ] {
            let error = Address::parse(wrong).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{wrong}: {error}");
        }
    }

    #[test]
    fn a_region_is_part_of_a_host_and_nothing_else() {
        assert_eq!(endpoint_of("eu-central-1").unwrap().as_str(), "https://s3.eu-central-1.amazonaws.com/");
        for wrong in ["", "eu central", "evil.example.com/", "a@b", "a#b", &"x".repeat(65)] {
            assert!(endpoint_of(wrong).is_err(), "{wrong}");
        }
    }
}
