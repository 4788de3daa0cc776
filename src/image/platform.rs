//! Platforms and the choice among them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};
use crate::text::printable;

/// Architectures in Go's words that mean Linux when they stand alone or before a variant, as docker and podman read them.
const ARCHITECTURES: [&str; 12] =
    ["386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64le", "riscv64", "s390x"];

/// Operating systems in Go's words for which there are images.
const OPERATING_SYSTEMS: [&str; 5] = ["darwin", "freebsd", "linux", "wasip1", "windows"];

/// `os/architecture[/variant]`, in the words of Go's GOOS and GOARCH (OCI image spec, image-index.md).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system: `linux`, `windows` …
    pub os: String,
    /// Processor architecture: `amd64`, `arm64` …
    pub architecture: String,
    /// Variant of the architecture: `v7` …; arm64's `v8` is left out, since it is the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Version of the operating system (Windows).
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

impl Platform {
    /// Whether a text is the beginning of a platform in full, at least up to its architecture: `linux/`, `linux/arm`.
    pub fn begins_so(text: &str) -> bool {
        let Some((os, rest)) = text.split_once('/') else { return false };
        OPERATING_SYSTEMS.contains(&os)
            && match rest.split_once('/') {
                Some((architecture, variant)) => ARCHITECTURES.contains(&architecture) && !variant.contains('/'),
                None => ARCHITECTURES.iter().any(|architecture| architecture.starts_with(rest)),
            }
    }

    /// A platform without `os.version`; arm64/v8 becomes arm64.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
            os_version: None,
        }
        .normalized()
    }

    /// Linux on the architecture this program runs on: what a container engine here would choose.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            "loongarch64" => "loong64",
            other => other,
        };
        Self::new("linux", architecture, (architecture == "arm").then_some("v7"))
    }

    /// The form that is compared and shown: arm64/v8 is arm64, and empty parts are absent.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        if self.variant.as_deref().is_some_and(|v| v.is_empty() || (self.architecture == "arm64" && v == "v8")) {
            self.variant = None;
        }
        if self.os_version.as_deref() == Some("") {
            self.os_version = None;
        }
        self
    }

    /// Whether this is how builders mark entries that run nowhere (attestations).
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }

    /// Whether `self`, as asked for by a user, means `other`, as an index has it. Without variant every variant is meant.
    pub fn means(&self, other: &Self) -> bool {
        let other = other.clone().normalized();
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant.is_none() || self.variant == other.variant)
    }

    /// The suffix that a platform's tag has in the gateway view: `[<os>-]<arch>[-<variant>]`, no `os` for linux.
    pub fn tag_suffix(&self) -> String {
        let mut suffix = String::new();
        if self.os != "linux" {
            suffix.push_str(&self.os);
            suffix.push('-');
        }
        suffix.push_str(&self.architecture);
        if let Some(variant) = &self.variant {
            suffix.push('-');
            suffix.push_str(variant);
        }
        suffix
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.len() <= 32
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'_')
        };
        let known = |part: &str| ARCHITECTURES.contains(&part);
        match parts.as_slice() {
            [architecture] if known(architecture) => Ok(Self::new("linux", architecture, None)),
            [architecture, variant] if known(architecture) && word(variant) => {
                Ok(Self::new("linux", architecture, Some(variant)))
            }
            [os, architecture] if parts.iter().all(word) => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] if parts.iter().all(word) => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(Error::new(Kind::Usage, format!("`{}` is not a platform", printable(text)))
                .hint("A platform is `architecture` or `os/architecture[/variant]`, for example `amd64`, `linux/amd64` or `linux/arm/v7`; or `all`.")),
        }
    }
}

/// Which platforms of an index are mirrored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Every platform that the index has.
    All,
    /// These platforms; the set is never empty.
    Only(BTreeSet<Platform>),
}

impl Selection {
    /// Only this machine's platform: what `add` means without `--platform`.
    pub fn host() -> Self {
        Self::Only(BTreeSet::from([Platform::host()]))
    }

    /// Whether this platform of an index is chosen.
    pub fn includes(&self, platform: &Platform) -> bool {
        match self {
            Self::All => true,
            Self::Only(wanted) => wanted.iter().any(|wish| wish.means(platform)),
        }
    }

    /// Platforms that either of the two choices has.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(mut mine), Self::Only(theirs)) => {
                mine.extend(theirs);
                Self::Only(mine)
            }
            _ => Self::All,
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Only(wanted) => {
                let words: Vec<String> = wanted.iter().map(Platform::to_string).collect();
                f.write_str(&words.join(","))
            }
        }
    }
}

impl FromStr for Selection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self::Only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm64_v8_is_arm64() {
        let asked: Platform = "linux/arm64".parse().unwrap();
        assert_eq!("linux/arm64/v8".parse::<Platform>().unwrap(), asked);
        assert!(asked.means(&Platform { variant: Some("v8".into()), ..asked.clone() }));
        assert_eq!(asked.tag_suffix(), "arm64");
        assert_eq!("linux/arm/v7".parse::<Platform>().unwrap().tag_suffix(), "arm-v7");
        assert_eq!("windows/amd64".parse::<Platform>().unwrap().tag_suffix(), "windows-amd64");
    }

    #[test]
    fn no_variant_means_every_variant() {
        let arm: Platform = "linux/arm".parse().unwrap();
        assert!(arm.means(&"linux/arm/v6".parse().unwrap()));
        assert!(!"linux/arm/v6".parse::<Platform>().unwrap().means(&"linux/arm/v7".parse().unwrap()));
    }

    #[test]
    fn an_architecture_alone_is_of_linux() {
        for (written, meant) in [
            ("amd64", "linux/amd64"),
            ("arm/v7", "linux/arm/v7"),
            ("arm64/v8", "linux/arm64"),
            ("windows/amd64", "windows/amd64"),
        ] {
            assert_eq!(written.parse::<Platform>().unwrap().to_string(), meant);
        }
        assert_eq!("amd64,arm64".parse::<Selection>().unwrap().to_string(), "linux/amd64,linux/arm64");
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "linux",
            "x86_64",
            "amd46",
            "linux/",
            "/amd64",
            "linux/amd64/v1/x",
            "Linux/amd64",
            "linux/am d64",
            "linux/../x",
        ] {
            assert!(bad.parse::<Platform>().is_err(), "{bad:?}");
        }
        assert_eq!("all".parse::<Selection>().unwrap(), Selection::All);
        assert_eq!("linux/arm64,linux/amd64".parse::<Selection>().unwrap().to_string(), "linux/amd64,linux/arm64");
    }
}
