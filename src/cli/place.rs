//! Which registry is meant by `restore` and `import`: a root and where it is, or a file or directory that says both.

use std::path::Path;

use cid::Cid;

use crate::engine::restore::Place;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// First argument of `restore` and `import`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RestoreOrigin {
    Root(Cid),
    /// A name that DNSLink gives a root.
    Domain(String),
    /// A CAR file or an exported directory.
    Path(Place),
}

impl std::str::FromStr for RestoreOrigin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(root) = root_in(text) {
            return Ok(Self::Root(root));
        }
        let ends_in_car = Path::new(text).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("car"));
        let looks_like_path = ends_in_car || text.contains(std::path::MAIN_SEPARATOR) || matches!(text, "." | "..");
        let name = text.strip_prefix("ipns://").or_else(|| text.strip_prefix("/ipns/"));
        if name.is_none() && (looks_like_path || Path::new(text).exists()) {
            if text.starts_with("http://") || text.starts_with("https://") {
                return Err(Error::new(
                    Kind::Usage,
                    format!("`{}` is a source, not a root", printable_within(text, 200)),
                )
                .hint("Name the root or the domain first, and the source with `--from`."));
            }
            return text.parse().map(Self::Path);
        }
        let name = name.unwrap_or(text).trim_end_matches('/');
        let is_domain = name.contains('.')
            && name.len() <= 253
            && name.split('.').all(|label| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
            });
        if is_domain {
            return Ok(Self::Domain(name.to_ascii_lowercase()));
        }
        Err(Error::new(
            Kind::Usage,
            format!("`{}` is not a root, a domain or an existing path", printable_within(text, 200)),
        )
        .hint("A root looks like `bafybei…` or `Qm…`; a CAR file and an exported directory are named by their paths."))
    }
}

/// A root, alone or in a path that begins with `/ipfs/`.
fn root_in(text: &str) -> Option<Cid> {
    let text = text.strip_prefix("/ipfs/").or_else(|| text.strip_prefix("ipfs://")).unwrap_or(text);
    text.trim_end_matches('/').parse().ok()
}

/// A root on the command line.
pub(super) fn parsed_root(text: &str) -> Result<Cid, String> {
    root_in(text).ok_or_else(|| {
        format!(
            "`{}` is not a root\n\n  tip: `roadstead history` and `roadstead root` print them",
            printable_within(text, 200)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_domains_and_paths_are_told_apart() {
        let root = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
        for text in [root.to_owned(), format!("/ipfs/{root}"), format!("ipfs://{root}/")] {
            assert_eq!(text.parse::<RestoreOrigin>().unwrap(), RestoreOrigin::Root(root.parse().unwrap()), "{text}");
        }
        for text in ["registry.example.com", "/ipns/registry.example.com", "Registry.Example.Com"] {
            assert_eq!(
                text.parse::<RestoreOrigin>().unwrap(),
                RestoreOrigin::Domain("registry.example.com".to_owned()),
                "{text}"
            );
        }
        for text in ["new.car", "./stick", "/media/stick/tree", "."] {
            assert!(matches!(text.parse::<RestoreOrigin>().unwrap(), RestoreOrigin::Path(Place::Path(_))), "{text}");
        }
        for text in ["", "nothing", "https://ipfs.io", "a b.c", "-"] {
            assert!(text.parse::<RestoreOrigin>().is_err(), "{text}");
        }
    }
}
