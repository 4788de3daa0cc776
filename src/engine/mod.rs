//! What the program does: plans changes, applies them, answers questions about the catalog.
//!
//! Both faces use it, and it knows neither: no terminal, no command line, no environment. Every change is a plan that is
//! shown and then exactly run; every long one is a [`job::Job`] that can be watched and cancelled.

pub mod add;
mod blocking;
mod blocks;
pub mod change;
mod data_directory;
mod export;
mod find;
pub mod follow;
mod gating;
pub mod job;
mod keep;
mod notices;
pub mod own_node;
pub mod plan;
pub mod publish;
pub mod query;
pub mod request;
pub mod restore;
pub mod rules;
mod spreading;
mod swarm_member;
pub mod targets;
#[cfg(test)]
mod tests;
mod turn;

pub use export::{ExportOptions, Exported};
pub use query::pending::{Arrival, PendingBlob};
pub use spreading::{Coming, Spreading};
pub use swarm_member::SwarmMember;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use cid::Cid;

use crate::catalog::settings::{self, Settings};
use crate::catalog::{Catalog, state};
use crate::error::{Error, Kind, Result};
use crate::image::Platform;
use crate::registry::{self, Registries};
use crate::site::SITE_VERSION;
use crate::store::Store;
use crate::unixfs::Profile;

/// Settings with which an engine is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Data directory, with catalog and blobs.
    pub data_dir: PathBuf,
    /// Settings for all requests to registries.
    pub registries: registry::Options,
    /// How long a plan waits for another process's plan.
    pub wait: Duration,
    /// Whether other nodes are found on the local network, and told of this one.
    pub local_discovery: bool,
    /// The profile of a new catalog; an existing one must have it.
    pub profile: Option<Profile>,
}

/// A catalog, its blob store, and the way to registries.
#[derive(Debug)]
pub struct Engine {
    data_dir: PathBuf,
    catalog: Arc<Catalog>,
    store: Store,
    registries: Registries,
    notices: Arc<notices::Notices>,
    kept_manifests: add::kept_manifests::KeptManifests,
    counted: query::growth::Counted,
    known_layers: query::files::KnownLayers,
    wait: Duration,
    profile: Profile,
    /// The plan that is being applied, by which its changes are found together again.
    plan: AtomicI64,
    /// Blobs that are being brought or verified to be given out.
    arrivals: Arc<query::pending::Arrivals>,
    swarm: Arc<SwarmMember>,
    spreading: Spreading,
}

impl Engine {
    /// Opens the data directory; makes it (not the directory above it) and a catalog if need be. Closes it to other users.
    pub fn open(options: Options) -> Result<Arc<Self>> {
        let store = Store::open(&options.data_dir)?;
        data_directory::close(&options.data_dir);
        let catalog = Catalog::open(&options.data_dir.join("catalog.db"))?;
        let engine = Self::assemble(options, store, catalog)?;
        Ok(Arc::new(engine))
    }

    /// Opens a data directory that has a catalog, to read it only.
    pub fn open_read_only(options: Options) -> Result<Arc<Self>> {
        let catalog = Catalog::open_read_only(&options.data_dir.join("catalog.db"))?;
        let store = Store::open_read_only(&options.data_dir)?;
        Ok(Arc::new(Self::assemble(options, store, catalog)?))
    }

    fn assemble(mut options: Options, store: Store, catalog: Catalog) -> Result<Self> {
        let profile = Self::set_up(&options, &catalog)?;
        let catalog = Arc::new(catalog);
        let swarm = Arc::new(SwarmMember::new(options.local_discovery));
        let arrivals = Arc::new(query::pending::Arrivals::new(Arc::clone(&catalog), store.clone(), profile, &swarm));
        let notices = Arc::new(notices::Notices::default());
        options.registries.observer = Arc::clone(&notices) as Arc<dyn registry::Observer>;
        Ok(Self {
            data_dir: options.data_dir,
            catalog,
            store,
            registries: Registries::new(options.registries),
            notices,
            kept_manifests: add::kept_manifests::KeptManifests::default(),
            counted: query::growth::Counted::default(),
            known_layers: query::files::KnownLayers::default(),
            wait: options.wait,
            profile,
            plan: AtomicI64::new(0),
            arrivals,
            swarm,
            spreading: Spreading::default(),
        })
    }

    /// What this program takes from the swarm with.
    pub fn swarm(&self) -> &Arc<SwarmMember> {
        &self.swarm
    }

    /// What is given out of a root that is being taken, and where.
    pub fn spreading(&self) -> &Spreading {
        &self.spreading
    }

    /// Sets a new catalog up, and checks that an old one is what is asked for.
    fn set_up(options: &Options, catalog: &Catalog) -> Result<Profile> {
        let mut found = settings::load(&*catalog.read()?)?;
        if found.is_none() && !catalog.is_read_only() {
            catalog.write(|writer| {
                // Another process may have been faster.
                if settings::load(writer)?.is_none() {
                    let fresh = Settings {
                        profile: options.profile.unwrap_or_default(),
                        site_version: SITE_VERSION,
                        default_platform: Platform::host(),
                        name: None,
                        description: None,
                    };
                    settings::save(writer, &fresh)?;
                    let root = change::tree::update(writer, &fresh, &change::touched::Touched::default())?;
                    state::advance(writer, &root, "create", &fresh.profile.to_string(), now())?;
                }
                Ok(())
            })?;
            found = settings::load(&*catalog.read()?)?;
        }
        let found = found.ok_or_else(|| {
            Error::new(Kind::NotFound, format!("the catalog {} is not set up", catalog.file().display()))
                .hint("`roadstead add REF` sets it up.")
        })?;
        if found.site_version > SITE_VERSION {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "the catalog's pages have version {}, but this program writes up to {SITE_VERSION}",
                    found.site_version
                ),
            )
            .hint("A newer roadstead has used it: use that one."));
        }
        match options.profile {
            Some(asked) if asked != found.profile => {
                Err(Error::new(Kind::Usage, format!("the catalog has the profile {}, not {asked}", found.profile))
                    .hint("A profile is chosen once: use another data directory with `--data-dir`."))
            }
            _ => Ok(found.profile),
        }
    }

    /// Whether the catalog was opened only to read.
    pub fn is_read_only(&self) -> bool {
        self.catalog.is_read_only()
    }

    /// Data directory, with catalog and blobs.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A number that moves with every change of the catalog: content, targets, what was published; whichever process made it.
    pub fn version(&self) -> Result<u64> {
        self.catalog.version()
    }

    /// The root that the catalog stands for.
    pub fn root(&self) -> Result<Option<Cid>> {
        Ok(state::root(&*self.catalog.read()?)?.map(|link| link.cid))
    }

    /// The settings that the root depends on.
    pub fn settings(&self) -> Result<Settings> {
        settings::load(&*self.catalog.read()?)?.ok_or_else(|| Error::new(Kind::Unexpected, "the catalog is not set up"))
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
