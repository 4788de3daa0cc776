//! Which place `--from` means, and what is read there.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use cid::Cid;

use super::directory::Directory;
use super::partial;
use super::records::Records;
use super::tree::{BlockTree, Tree};
use crate::catalog::targets::Secret;
use crate::engine::Engine;
use crate::engine::blocking::blocking;
use crate::engine::export::exported;
use crate::engine::job::Job;
use crate::engine::targets::{Found, Variables, read_secret, secret_in_clear};
use crate::error::{Context as _, Error, Kind, Result};
use crate::node::source::{BlockSource, CarFile, HttpBlocks};
use crate::text::printable_within;

/// What stands between a place and the file with its secret where both are written together: no URL has a space.
const WITH_SECRET: &str = " with the secret in ";

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
    /// A trustless gateway, asked by CID over HTTP.
    Gateway(Remote),
    /// The RPC of a Kubo node.
    Kubo(Remote),
    /// A CAR file, or a directory.
    Path(PathBuf),
}

/// Someone who is asked over HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    address: String,
    /// A file that holds the secret that they want to see.
    auth_file: Option<PathBuf>,
}

impl Remote {
    fn new(address: &str) -> Self {
        Self { address: address.to_owned(), auth_file: None }
    }

    fn secret(&self) -> Result<Option<Found>> {
        let read = |file: &PathBuf| read_secret(&Secret::File(file.clone()), &Variables::none());
        self.auth_file.as_ref().map(read).transpose()
    }
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
                return Err(Error::new(Kind::Usage, format!("`{shown}` is not the address of a node"))
                    .hint("Write `kubo:` and the address of its RPC, such as `kubo:http://127.0.0.1:5001`."));
            }
            return Ok(Self::Kubo(Remote::new(address)));
        }
        if is_url(text) {
            let is_rpc = text.trim_end_matches('/').ends_with("/api/v0");
            let remote = Remote::new(text);
            return Ok(if is_rpc { Self::Kubo(remote) } else { Self::Gateway(remote) });
        }
        if text.is_empty() {
            return Err(Error::new(Kind::Usage, "an empty path names no place"));
        }
        Ok(Self::Path(PathBuf::from(text)))
    }
}

impl Place {
    /// The same, where the secret in this file is shown: written as a target's, `bearer:TOKEN` or `basic:USER:PASSWORD`.
    pub fn with_auth_file(mut self, file: &Path) -> Result<Self> {
        match &mut self {
            Self::Gateway(remote) | Self::Kubo(remote) => {
                let file = std::path::absolute(file).context(|| "can't find the current directory")?;
                remote.auth_file = Some(file);
                Ok(self)
            }
            Self::Path(_) => Err(Error::new(Kind::Usage, "a file or directory takes no credentials")
                .hint("`--auth-file` is for a node or a gateway.")),
        }
    }

    /// What is wrong with how its secret is kept, and with how it is sent, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let (Self::Gateway(remote) | Self::Kubo(remote)) = self else { return Vec::new() };
        let Ok(Some(secret)) = remote.secret() else { return Vec::new() };
        secret.warning.into_iter().chain(secret_in_clear(&remote.address)).collect()
    }

    /// As it can be read again by `of_written`, from whatever directory. Holds no secret.
    pub fn written(&self) -> Result<String> {
        let text = |path: &Path| {
            let path = std::path::absolute(path)?;
            let text = path.to_str().ok_or_else(|| Error::new(Kind::Usage, "the path is not text"))?;
            Ok::<_, Error>(text.to_owned())
        };
        let remote = |scheme: &str, remote: &Remote| {
            Ok(match &remote.auth_file {
                Some(file) => format!("{scheme}{}{WITH_SECRET}{}", remote.address, text(file)?),
                None => format!("{scheme}{}", remote.address),
            })
        };
        match self {
            Self::Gateway(gateway) => remote("", gateway),
            Self::Kubo(node) => remote("kubo:", node),
            Self::Path(path) => text(path),
        }
    }

    /// What [`Self::written`] wrote.
    pub(super) fn of_written(text: &str) -> Result<Self> {
        // Only what is asked over HTTP has a scheme; a path is absolute.
        match text.split_once(WITH_SECRET).filter(|_| !text.starts_with('/')) {
            Some((place, file)) => place.parse::<Self>()?.with_auth_file(Path::new(file)),
            None => text.parse(),
        }
    }

    /// Whoever is asked over HTTP; nothing for a path.
    pub(super) fn over_http(&self) -> Result<Option<HttpBlocks>> {
        let opened = match self {
            Self::Gateway(remote) => HttpBlocks::gateway(&remote.address, remote.secret()?.as_ref().map(Found::expose)),
            Self::Kubo(remote) => HttpBlocks::kubo(&remote.address, remote.secret()?.as_ref().map(Found::expose)),
            Self::Path(_) => return Ok(None),
        };
        opened.map(Some)
    }

    /// Opens it for its blocks; nothing for a directory, which has none.
    pub(super) async fn blocks(&self) -> Result<Option<(Arc<dyn BlockSource>, Vec<Cid>)>> {
        if let Some(http) = self.over_http()? {
            return Ok(Some((Arc::new(http), Vec::new())));
        }
        match self {
            Self::Path(path) if !path.is_dir() => {
                let path = path.clone();
                let car = blocking(move || CarFile::open(&path)).await?;
                let roots = car.roots().to_vec();
                Ok(Some((Arc::new(car), roots)))
            }
            _ => Ok(None),
        }
    }

    /// Reads the records of the registry there. Without a root, the one that the place itself names is meant: the first of a
    /// CAR file, and what an exported directory is marked with.
    ///
    /// For an import, `into` is the catalog that it is merged into: a CAR file may hold only what changed since a root that
    /// was merged before, and the rest is taken from there.
    pub async fn records(&self, root: Option<Cid>, into: Option<&Arc<Engine>>, job: &Job) -> Result<Records> {
        let Some((source, roots)) = self.blocks().await? else {
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
                    .hint("Name one: the root comes first, then `--from`."));
            }
        };
        let Some(engine) = into.filter(|_| matches!(self, Self::Path(_))) else {
            return Records::read(Tree::Blocks(BlockTree::new(source, root)), Some(root), job).await;
        };
        let records = Self::records_beside(&source, root, engine, job).await?;
        // What the catalog has is in blocks of its own profile: those that a file leaves out are not among them.
        if records.profile != engine.profile && !partial::is_whole(source.as_ref(), root, job).await? {
            let words = format!(
                "{} holds only what changed since another root, in blocks of {}, but this catalog has blocks of {}",
                source.place(),
                records.profile,
                engine.profile
            );
            return Err(Error::new(Kind::Usage, words).hint(
                "Export the whole registry there, without `--since`: that can be imported whatever its profile.",
            ));
        }
        Ok(records)
    }

    /// The records of a CAR file, where what it lacks may be in this catalog.
    async fn records_beside(
        source: &Arc<dyn BlockSource>,
        root: Cid,
        engine: &Arc<Engine>,
        job: &Job,
    ) -> Result<Records> {
        let tree = BlockTree::new(engine.beside(Arc::clone(source)), root);
        let read = Records::read(Tree::Blocks(tree.clone()), Some(root), job).await;
        match read {
            Err(error) if error.kind() == Kind::NotFound => {
                // If that finds nothing either, what was missing first says more.
                match Records::read_partial(tree, engine, job).await {
                    Ok(records) if !records.repositories.is_empty() => Ok(records),
                    Err(partial) if partial.kind() != Kind::NotFound || !partial.hints().is_empty() => Err(partial),
                    _ => Err(error),
                }
            }
            read => read,
        }
    }
}
