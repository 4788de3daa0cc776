//! Gives the catalog out over HTTP: pull, discovery and referrers of the OCI distribution spec 1.1, and the page.
//!
//! Read-only. Everything it says comes through [`ContentSource`]; what a puller may not have is not on it. HTTP/1.1, with TLS and
//! basic authentication on request. On the same port, `gateway/` gives published blocks out to IPFS programs;
//! beside it HTTP/2 is spoken too.
//!
//! Memory is bounded whatever the number and speed of clients: a document (manifest, list, page, small blob) is in memory once
//! for all its readers, 20 MiB of them at most, 8 of which are the cache; large blobs pass through buffers of 6 MiB in all and
//! a little for each client beyond 40. Who takes too long gives place and memory to those who wait.

mod access_log;
mod announced;
mod body;
mod buffers;
mod byteranges;
mod cache;
mod catalog_source;
mod connections;
mod content_source;
mod credentials;
mod documents;
mod endpoint;
mod entity;
mod fair_queue;
mod file_body;
mod followers;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod gateway_takers;
mod giving_out;
mod hosts;
mod http2;
mod lists;
mod lookup;
mod peer;
mod published_source;
mod range;
mod reach;
mod record_puts;
mod refusal;
mod router;
mod slots;
mod streams;
mod swarming;
#[cfg(test)]
mod tests;
mod tls;
mod watched;
mod write_timeout;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use catalog_source::CatalogSource;
pub use content_source::{BlobAnswer, BlobContent, ContentSource, ManifestAnswer, RepositoryPage, TagPage};
pub use gateway::{Asker, Coming, NamedRecord, PieceRead, Provider, PublishedBlocks};
pub use giving_out::GivingOut;
pub use hosts::is_host;
pub use published_source::PublishedSource;
pub use swarming::SwarmOptions;

use crate::error::{Error, Kind, Result};
use connections::{Limits, Server};
use credentials::Credentials;
use file_body::Reader;
use gateway::Gateway;
use hosts::Hosts;
use lookup::Lookup;
use router::Handler;
use streams::Streams;
use tls::Certificates;

/// Connections that the kernel may hold until they are accepted.
const LISTEN_BACKLOG: u32 = 1024;

/// What TLS calls HTTP/1.1 (RFC 7301).
const HTTP_1: &[u8] = b"http/1.1";

/// Settings of a server of the registry.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// PEM files of the certificate chain and its key; without them, plain HTTP. Read again when they change; a pair that can't
    /// be used leaves the former in force.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// An htpasswd file with bcrypt entries: without one of its users' passwords, nothing is given out.
    /// Read again when it changes.
    pub htpasswd: Option<PathBuf>,
    /// Host names, with their ports, under which clients know this server, beside the one they call: containerd's `?ns=` with
    /// one of them means the repository's plain name. On loopback without `htpasswd`, only these and names of loopback are answered.
    pub own_names: Vec<String>,
    /// Connections at once; beyond that those without a request are closed, and new ones wait.
    pub connections: usize,
    /// Told to read the files of certificate and users again, changed or not.
    pub reload: Arc<Notify>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5050)),
            tls: None,
            htpasswd: None,
            own_names: Vec::new(),
            connections: Limits::default().connections,
            reload: Arc::default(),
        }
    }
}

/// Where a server is to be found.
#[derive(Debug, Clone)]
pub struct Listening {
    /// Address that is listened on, with the port that the system chose.
    pub address: SocketAddr,
    /// The address as a URL.
    pub url: String,
}

/// Serves until `shutdown` is cancelled, then lets running answers end for up to ten seconds.
///
/// With `blocks`, these are given out to IPFS programs too, to all that ask: see `gateway/`.
/// Calls `started` once connections are accepted. Fails before that if the address is taken or a file can't be used.
/// Raises the process's soft limit of open files as far as connections may need it.
pub async fn run(
    source: Arc<dyn ContentSource>,
    blocks: Option<Arc<dyn PublishedBlocks>>,
    options: Options,
    shutdown: CancellationToken,
    started: impl FnOnce(&Listening),
) -> Result<()> {
    let limits = Limits { connections: options.connections.max(1), ..Limits::default() };
    run_within(source, blocks, options, limits, shutdown, started).await
}

async fn run_within(
    source: Arc<dyn ContentSource>,
    blocks: Option<Arc<dyn PublishedBlocks>>,
    options: Options,
    limits: Limits,
    shutdown: CancellationToken,
    started: impl FnOnce(&Listening),
) -> Result<()> {
    // Clients of the registry gain nothing by HTTP/2, and need no limits of its own then.
    let protocols: &[&[u8]] = if blocks.is_some() { &[http2::PROTOCOL, HTTP_1] } else { &[HTTP_1] };
    let tls =
        options.tls.as_ref().map(|(certificate, key)| Certificates::load(certificate, key, protocols)).transpose()?;
    let credentials = options.htpasswd.as_deref().map(Credentials::load).transpose()?;
    let listener = bind(options.listen).map_err(|error| explain(options.listen, error))?;
    let address = listener.local_addr().map_err(|error| explain(options.listen, error))?;
    allow_files(limits.connections);
    // On loopback private repositories are given out, and any web page can send the browser there. A password keeps it out.
    let hosts = if address.ip().to_canonical().is_loopback() && credentials.is_none() {
        Hosts::loopback(options.own_names.iter().map(String::as_str))
    } else {
        Hosts::Any
    };
    let crowded = Arc::<Notify>::default();
    let reader = Arc::<Reader>::default();
    let gateway = blocks.map(|blocks| Gateway::new(blocks, reader.buffers()));
    let handler = Handler {
        lookup: Lookup::new(source, limits.room, Arc::clone(&crowded)),
        reader,
        own_names: options.own_names.iter().map(|name| name.to_ascii_lowercase()).collect(),
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let reload = options.reload;
    let streams = Streams::new(limits.connections);
    let server = Server { handler, gateway, streams, hosts, credentials, tls, crowded, reload, limits };
    started(&Listening { address, url: format!("{scheme}://{address}") });
    connections::serve(Arc::new(server), listener, shutdown).await;
    Ok(())
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that is started again must not wait for the connections of the last one to fade away.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

fn explain(address: SocketAddr, error: io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            (Kind::Usage, "Another program listens there; choose another port, as in `--listen 127.0.0.1:5051`.")
        }
        io::ErrorKind::PermissionDenied => {
            (Kind::Usage, "Ports below 1024 need privileges; choose a higher one with `--listen`.")
        }
        io::ErrorKind::AddrNotAvailable => {
            (Kind::Usage, "This machine has no such address; `--listen 0.0.0.0:PORT` listens on all of its addresses.")
        }
        _ => return Error::new(Kind::Network, format!("can't listen on {address}")).caused_by(error),
    };
    Error::new(kind, format!("can't listen on {address}")).caused_by(error).hint(hint)
}

/// Every connection takes a file, and a second one while it is given a blob.
fn allow_files(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = 2 * connections as u64 + 128;
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.map_or(needed, |maximum| maximum.min(needed));
    if now.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum })
    {
        tracing::warn!(%error, "can't raise the limit of open files");
    }
}
