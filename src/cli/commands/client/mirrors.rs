//! Which upstream registries a registry of ours stands in for, and under which names it has their images.
//!
//! Pure: knows how published names are made, and no client.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Kind, Result};
use crate::image::{Reference, RepositoryName, Upstream};
use crate::text::printable_within;

/// What is mirrored where nobody says it.
const USUAL_REGISTRIES: [&str; 4] = ["docker.io", "ghcr.io", "quay.io", "registry.k8s.io"];

/// The upstreams that are mirrored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mirrors {
    /// Registries, each with what its repositories' names begin with here: nothing for Docker Hub, else `ghcr.io`.
    pub(super) registries: BTreeMap<String, String>,
    /// Repositories that have another name here than their registry's others: upstream's, and ours.
    pub(super) renamed: BTreeSet<(String, String)>,
}

/// What names of this registry's repositories begin with here; nothing if it has no images.
fn prefix(registry: &str) -> Option<String> {
    let repository: RepositoryName = "x".parse().ok()?;
    let published = Upstream { registry: registry.to_owned(), repository }.published_name().ok()?;
    let published = published.as_str();
    if published == "x" { Some(String::new()) } else { published.strip_suffix("/x").map(str::to_owned) }
}

impl Mirrors {
    /// What the catalog mirrors: published names and where each is from.
    pub(super) fn of_catalog<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut mirrors = Self::default();
        for (name, upstream) in rows {
            let Some((registry, repository)) = upstream.split_once('/') else { continue };
            let Some(prefix) = prefix(registry) else { continue };
            let usual = if prefix.is_empty() { repository.to_owned() } else { format!("{prefix}/{repository}") };
            if usual == name {
                mirrors.registries.insert(registry.to_owned(), prefix);
            } else {
                mirrors.renamed.insert((upstream.to_owned(), name.to_owned()));
            }
        }
        mirrors
    }

    /// The registries that most images are from.
    pub(super) fn usual() -> Self {
        Self {
            registries: USUAL_REGISTRIES.iter().filter_map(|&name| Some((name.to_owned(), prefix(name)?))).collect(),
            ..Self::default()
        }
    }

    pub(super) fn of_names(names: &[String]) -> Result<Self> {
        let mut mirrors = Self::default();
        for name in names {
            let refuse = || {
                Error::new(Kind::Usage, format!("`{}` is not the name of a registry", printable_within(name, 200)))
                    .hint("Write it as in references, with a dot or a port: `registry.example.com`.")
            };
            let reference: Reference = format!("{name}/x").parse().map_err(|_| refuse())?;
            let registry = reference.upstream.registry;
            // `example` alone is read as a user of Docker Hub.
            let is_hub = matches!(name.as_str(), "docker.io" | "index.docker.io" | "registry-1.docker.io");
            if registry == "docker.io" && !is_hub {
                return Err(refuse());
            }
            let prefix = prefix(&registry).ok_or_else(refuse)?;
            mirrors.registries.insert(registry, prefix);
        }
        Ok(mirrors)
    }

    /// All but this host, which can't stand in for itself.
    #[must_use]
    pub(super) fn without(mut self, host: &str) -> Self {
        self.registries.remove(host);
        self
    }

    /// Whether nothing is mirrored.
    pub(super) fn is_empty(&self) -> bool {
        self.registries.is_empty() && self.renamed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_registries() {
        let mirrors = Mirrors::of_catalog([
            ("library/nginx", "docker.io/library/nginx"),
            ("ghcr.io/org/app", "ghcr.io/org/app"),
            ("127.0.0.1_5000/debian", "127.0.0.1:5000/debian"),
            ("web", "docker.io/library/nginx"),
            ("docker.io/a.b/c", "docker.io/a.b/c"),
        ]);
        let expected = [("127.0.0.1:5000", "127.0.0.1_5000"), ("docker.io", ""), ("ghcr.io", "ghcr.io")];
        assert_eq!(mirrors.registries, expected.map(|(name, prefix)| (name.to_owned(), prefix.to_owned())).into());
        let renamed = [("docker.io/a.b/c", "docker.io/a.b/c"), ("docker.io/library/nginx", "web")];
        assert_eq!(mirrors.renamed, renamed.map(|(from, name)| (from.to_owned(), name.to_owned())).into());
        assert!(!mirrors.clone().without("ghcr.io").registries.contains_key("ghcr.io"));
        assert_eq!(Mirrors::usual().registries.len(), USUAL_REGISTRIES.len());
    }

    #[test]
    fn only_registries_are_registries() {
        let names = |names: &[&str]| Mirrors::of_names(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["quay.io", "index.docker.io"]).unwrap().registries.len(), 2);
        for bad in ["example", "a b", "", "https://quay.io"] {
            assert!(names(&[bad]).is_err(), "{bad}");
        }
    }
}
