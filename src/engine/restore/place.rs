//! Which place `--from` means, and what is read there.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use cid::Cid;
use tokio::task::spawn_blocking;

use super::directory::Directory;
use super::records::Records;
use super::tree::{BlockTree, Tree};
use crate::engine::job::Job;
use crate::engine::verify::panicked;
use crate::engine::{Engine, exported};
use crate::error::{Error, Kind, Result};
use crate::node::source::{BlockSource, CarFile, HttpBlocks};
use crate::text::printable_within;

/// A place that holds a published registry.
///
/// | written | means |
/// |---|---|
/// | `kubo:URL`, or a URL that ends in `/api/v0` | the RPC of a Kubo node |
/// | another `http://` or `https://` URL | a trustless gateway |
/// | a path to a directory | an exported tree |
/// | another path | a CAR file |
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A gateway.
    Gateway(String),
    /// A Kubo node.
    Kubo(String),
    /// A CAR file, or a directory.
    Path(PathBuf),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What was written may hold a login by mistake.
        f.write_str(match self {
            Self::Gateway(_) => "Gateway",
            Self::Kubo(_) => "Kubo",
            Self::Path(_) => "Path",
        })
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_url = |text: &str| text.starts_with("http://") || text.starts_with("https://");
        if let Some(address) = text.strip_prefix("kubo:") {
            if !is_url(address) {
                let shown = printable_within(text, 200);
                return Err(Error::new(Kind::Usage, format!("`{shown}` names no node"))
                    .hint("Write `kubo:` and the address of its RPC, such as `kubo:http://127.0.0.1:5001`."));
            }
            return Ok(Self::Kubo(address.to_owned()));
        }
        if is_url(text) {
            let is_rpc = text.trim_end_matches('/').ends_with("/api/v0");
            return Ok(if is_rpc { Self::Kubo(text.to_owned()) } else { Self::Gateway(text.to_owned()) });
        }
        if text.is_empty() {
            return Err(Error::new(Kind::Usage, "an empty path names no place"));
        }
        Ok(Self::Path(PathBuf::from(text)))
    }
}

impl Place {
    /// As it can be written again, from whatever directory.
    pub fn written(&self) -> Result<String> {
        Ok(match self {
            Self::Gateway(address) => address.clone(),
            Self::Kubo(address) => format!("kubo:{address}"),
            Self::Path(path) => {
                let path = std::path::absolute(path)?;
                let text = path.to_str().ok_or_else(|| Error::new(Kind::Usage, "the path is no text"))?;
                text.to_owned()
            }
        })
    }

    /// Opens it for its blocks; nothing for a directory, which has none.
    pub(super) async fn blocks(
        &self,
        authorization: Option<String>,
    ) -> Result<Option<(Arc<dyn BlockSource>, Vec<Cid>)>> {
        match self {
            Self::Gateway(address) => Ok(Some((Arc::new(HttpBlocks::gateway(address)?), Vec::new()))),
            Self::Kubo(address) => Ok(Some((Arc::new(HttpBlocks::kubo(address, authorization)?), Vec::new()))),
            Self::Path(path) if path.is_dir() => Ok(None),
            Self::Path(path) => {
                let path = path.clone();
                let car = spawn_blocking(move || CarFile::open(&path)).await.map_err(panicked)??;
                let roots = car.roots().to_vec();
                Ok(Some((Arc::new(car), roots)))
            }
        }
    }

    /// Reads the records of the registry there. Without a root, the one that the place itself names is meant: the first of a
    /// CAR file, and what an exported directory is marked with.
    ///
    /// For an import, `into` is the catalog that it is merged into: a CAR file may hold only what changed since a root that
    /// was merged before, and the rest is taken from there.
    pub async fn records(&self, root: Option<Cid>, into: Option<&Arc<Engine>>, job: &Job) -> Result<Records> {
        let Some((source, roots)) = self.blocks(None).await? else {
            let Self::Path(path) = self else { return Err(Error::new(Kind::Unexpected, "only a path is a directory")) };
            let marked = exported::root_of(path)?;
            if let (Some(asked), Some(marked)) = (root, marked)
                && asked != marked
            {
                let words = format!("{} holds {marked}, not {asked}", path.display());
                return Err(Error::new(Kind::NotFound, words));
            }
            return Records::read(Tree::Directory(Directory::open(path)?), root.or(marked), job).await;
        };
        let root = match (root, roots.as_slice()) {
            (Some(root), _) => root,
            (None, [root]) => *root,
            (None, []) => return Err(Error::new(Kind::Usage, format!("{} names no root", source.place()))),
            (None, _) => {
                return Err(Error::new(Kind::Usage, format!("{} has several roots", source.place()))
                    .hint("Say which one: the root comes first, then `--from`."));
            }
        };
        let behind = into.filter(|_| matches!(self, Self::Path(_)));
        let source = match behind {
            Some(engine) => engine.beside(source),
            None => source,
        };
        let tree = BlockTree::new(source, root);
        let read = Records::read(Tree::Blocks(tree.clone()), Some(root), job).await;
        match (read, behind) {
            (Err(error), Some(engine)) if error.kind() == Kind::NotFound => {
                // If that finds nothing either, what was missing first says more.
                match Records::read_partial(tree, engine, job).await {
                    Ok(records) if !records.repositories.is_empty() => Ok(records),
                    Err(partial) if partial.kind() != Kind::NotFound || !partial.hints().is_empty() => Err(partial),
                    _ => Err(error),
                }
            }
            (read, _) => read,
        }
    }
}
