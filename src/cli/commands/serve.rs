//! `serve`: the registry over HTTP.

use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueHint};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::cli::commands::follow::{self, HowArguments, keep_following};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::engine::Engine;
use crate::engine::follow::Followed;
use crate::engine::job::Job;
use crate::engine::query::view::RepositoryRow;
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::serve::{self, CatalogSource, GivingOut, Options, PublishedBlocks, SwarmOptions};
use crate::swarm;
use crate::text::{count, printable};

const EXAMPLES: &str = "\
Examples:
  roadstead serve
  podman pull --tls-verify=false 127.0.0.1:5050/nginx:alpine
  roadstead serve --listen 0.0.0.0:5050 --htpasswd users
  roadstead serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem
  roadstead serve --ipfs --listen 0.0.0.0:5050 --announce https://registry.example.com
  roadstead serve --ipfs --follow k51… --from https://registry.example.com";

/// Where and how to serve.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Address and port; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5050", value_parser = address)]
    pub(in crate::cli) listen: SocketAddr,

    /// PEM file with the certificate and its intermediates.
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) tls_cert: Option<PathBuf>,

    /// PEM file with the certificate's key.
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) tls_key: Option<PathBuf>,

    /// File of users and bcrypt passwords, as `htpasswd -B` writes it; only they may pull.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) htpasswd: Option<PathBuf>,

    /// Name by which clients reach a server on loopback, besides `localhost` and the registry's own: a reverse proxy's, or
    /// `host.docker.internal`.
    #[arg(long, value_name = "HOST", value_parser = host, value_hint = ValueHint::Hostname)]
    pub(in crate::cli) allow_host: Vec<String>,

    /// Serve private repositories to everyone, even beyond this machine.
    #[arg(long)]
    pub(in crate::cli) include_private: bool,

    /// Also give out to IPFS what is published to this program (`target add NAME --self`), and nothing else: to those who reach
    /// `--listen`, and to every peer of the IPFS swarm, even if the registry itself is served on loopback.
    #[arg(long)]
    pub(in crate::cli) ipfs: bool,

    /// Address under which IPFS nodes reach this server, if it is not the one that it listens on: a reverse proxy's URL, or a
    /// multiaddr (repeatable).
    #[arg(long, value_name = "URL", requires = "ipfs", value_hint = ValueHint::Url)]
    pub(in crate::cli) announce: Vec<String>,

    /// Multiaddr on which peers of the IPFS swarm reach this program (repeatable) [default: every address on port 4001, or on the
    /// next one that is free].
    #[arg(long, value_name = "MULTIADDR", requires = "ipfs")]
    pub(in crate::cli) swarm: Vec<String>,

    /// MiB that all peers of the swarm together may take in a second [default: no limit].
    #[arg(long, value_name = "MIB", requires = "ipfs", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) swarm_upload: Option<u64>,

    /// Router that takes the signed records of names as well, by `PUT /routing/v1/ipns/NAME` (repeatable).
    #[arg(long, value_name = "URL", requires = "ipfs", value_hint = ValueHint::Url)]
    pub(in crate::cli) router: Vec<String>,

    /// Give out by HTTP alone, and be no peer of the swarm.
    #[arg(long, requires = "ipfs", conflicts_with_all = ["swarm", "swarm_upload"])]
    pub(in crate::cli) no_swarm: bool,

    /// Follow this IPNS name or domain at the same time, as `follow` does.
    #[arg(long, value_name = "NAME", value_parser = parsed::<Followed>)]
    pub(in crate::cli) follow: Option<Followed>,

    #[command(flatten)]
    pub(in crate::cli) how: HowArguments,
}

impl Arguments {
    /// Private repositories are given out on loopback, to those who log in, or if that is asked for.
    pub(in crate::cli) fn serves_private(&self) -> bool {
        self.listen.ip().is_loopback() || self.htpasswd.is_some() || self.include_private
    }

    /// How this program is a peer of the swarm; not at all if it was built without it.
    pub(in crate::cli) fn swarm(&self) -> Result<Option<SwarmOptions>> {
        if self.no_swarm {
            return Ok(None);
        }
        if !swarm::is_built_in() {
            if self.swarm.is_empty() && self.how.swarm_peer.is_empty() {
                return Ok(None);
            }
            return Err(Error::new(Kind::Usage, "this program was built without the swarm")
                .hint("Leave out `--swarm` and `--swarm-peer`: blocks go by HTTP."));
        }
        let (listen, peers) = (self.swarm.clone(), self.how.swarm_peer.clone());
        let upload_bytes_per_second = self.swarm_upload.unwrap_or_default().saturating_mul(1 << 20);
        Ok(Some(SwarmOptions { listen, peers, upload_bytes_per_second, ..SwarmOptions::default() }))
    }

    pub(in crate::cli) fn options(&self, name: Option<String>) -> Options {
        Options {
            listen: self.listen,
            tls: self.tls_cert.clone().zip(self.tls_key.clone()),
            htpasswd: self.htpasswd.clone(),
            own_names: name.into_iter().chain(self.allow_host.iter().cloned()).collect(),
            ..Options::default()
        }
    }
}

/// An address that leaves no doubt about who can reach it.
pub(in crate::cli) fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok()).unwrap_or("5050");
        format!(
            "`{text}` is not an address with a port\n\n  tip: Write `127.0.0.1:{port}` for this machine only, or \
             `0.0.0.0:{port}` for everyone who can reach it."
        )
    })
}

/// A name that can stand in `Host`.
fn host(text: &str) -> Result<String, String> {
    if serve::is_host(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is not a host name\n\n  tip: Give one name at a time, as in `--allow-host registry.example.com`."
    ))
}

/// Serves until it is stopped by ^C or SIGTERM. SIGHUP has the certificate and the users read again.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = open(arguments, context)?;
    let giving_out = if arguments.ipfs {
        Some(GivingOut::open(Arc::clone(&engine), &arguments.announce, &arguments.router, arguments.swarm()?)?)
    } else {
        None
    };
    let name = engine.settings()?.name;
    let unnamed = name.is_none();
    let options = arguments.options(name);
    let private = arguments.serves_private();
    let repositories = engine.repositories()?;
    let hidden = if private { 0 } else { hidden(&repositories) };
    let everywhere = arguments.listen.ip().is_unspecified();
    let example = example(&engine, &repositories, private)?;
    let output = &context.output;
    let source = Arc::new(CatalogSource::new(Arc::clone(&engine), private));
    let served = context.run_quietly(
        "Stopping after the responses under way. Press ^C again to stop at once.",
        async |job: &Job| {
            if let Some(giving_out) = &giving_out {
                giving_out.begin()?;
            }
            let stop = job.cancellation().clone();
            let (mut hangups, reload) = (signal(SignalKind::hangup())?, Arc::clone(&options.reload));
            let hearing = tokio::spawn(async move {
                while hangups.recv().await.is_some() {
                    reload.notify_one();
                }
            });
            let (mut told, listens) = (Ok(()), Notify::new());
            let blocks = giving_out.as_ref().map(|giving_out| giving_out.source() as Arc<dyn PublishedBlocks>);
            let served = serve::run(source, blocks, options, stop, |listening| {
                told = output.json(&json!({ "serving": listening.url })).and_then(|()| output.finish());
                output.announce(&format!("serving on {}", listening.url));
                if let Some(example) = &example {
                    let flag = if listening.url.starts_with("http:") { "--tls-verify=false " } else { "" };
                    let host = listening.url.split_once("://").map_or("", |(_, host)| host).trim_end_matches('/');
                    // Every address of this machine is no address to pull from.
                    let host = if everywhere {
                        format!("HOST:{}", host.rsplit(':').next().unwrap_or(host))
                    } else {
                        host.to_owned()
                    };
                    output.message(&format!("Pull with `podman pull {flag}{host}/{example}`; ^C stops."));
                }
                if unnamed && example.is_some() {
                    // The pages are content: the same for everyone who has the root, wherever they are served.
                    output.message("The pages say HOST in their commands: `roadstead config set name HOST[:PORT]` gives the registry a name.");
                }
                if hidden > 0 {
                    output.message(&format!(
                        "{} not served; `--htpasswd` serves them to logged-in users.",
                        count(hidden as u64, "private repository is", "private repositories are")
                    ));
                }
                if let Some(giving_out) = &giving_out {
                    match giving_out.listens(listening) {
                        Ok(addresses) => {
                            output.message(&given_out(giving_out, &addresses));
                            if let Some(remark) = giving_out.remark() {
                                output.message(&format!("The node in the swarm {remark}."));
                            }
                        }
                        Err(error) => told = Err(error),
                    }
                }
                listens.notify_one();
            });
            // Both go on for as long as the server does, which ends by itself when it is told to.
            let keeping = async {
                match &giving_out {
                    Some(giving_out) => giving_out.keep().await,
                    None => pending().await,
                }
            };
            let following = async {
                if arguments.follow.is_none() {
                    return pending().await;
                }
                // Whom it follows is told where it gives out what it takes.
                listens.notified().await;
                match keep_following(engine, output, job).await {
                    Ok(()) => pending().await,
                    Err(error) => error,
                }
            };
            let ended = tokio::select! {
                ended = served => ended,
                error = following => Err(error),
                () = keeping => Ok(()),
            };
            hearing.abort();
            if let Some(giving_out) = &giving_out {
                giving_out.end().await;
            }
            told.and(ended)
        },
    );
    served.map(|()| Exit::Done)
}

/// Opens the catalog, and makes it follow what is said.
fn open(arguments: &Arguments, context: &Context) -> Result<Arc<Engine>> {
    let HowArguments { from, mode, every, swarm_peer } = &arguments.how;
    match &arguments.follow {
        Some(name) => follow::prepare(Some(name), &arguments.how, context),
        None if !swarm_peer.is_empty() && !arguments.ipfs => Err(Error::new(
            Kind::Usage,
            "`--swarm-peer` says how to begin in the swarm, but nothing is given out there or followed",
        )
        .hint("Add `--ipfs` or `--follow NAME`, or leave it out.")),
        None if from.is_empty() && mode.is_none() && every.is_none() => context.open_to_give(),
        None => {
            Err(Error::new(Kind::Usage, "`--from`, `--mode` and `--every` say how to follow, but nothing is followed")
                .hint("Add `--follow NAME`, or leave them out."))
        }
    }
}

/// What is given out to IPFS, and as whom.
fn given_out(giving_out: &GivingOut, addresses: &[String]) -> String {
    let who = format!("as peer {} at {}", giving_out.peer_id(), addresses.join(", "));
    match giving_out.roots() {
        0 => format!("Nothing to give out to IPFS yet; what is published or followed here will be, {who}."),
        roots => format!("Giving out {} to IPFS {who}.", count(roots as u64, "published root", "published roots")),
    }
}

/// An image that can be pulled, by its shortest name.
pub(in crate::cli) fn example(engine: &Engine, rows: &[RepositoryRow], private: bool) -> Result<Option<String>> {
    // Those with a short name first: they are what people know.
    let (short, long): (Vec<&RepositoryRow>, Vec<_>) =
        rows.iter().filter(|row| row.published || private).partition(|row| row.alias.is_some());
    for row in short.into_iter().chain(long) {
        let pick = Pick { name: row.name.clone(), tag: None, digest: None };
        // What runs nowhere can't be pulled by podman.
        let mut images = engine.images(&pick)?.into_iter().filter(|image| !image.platforms.is_empty());
        if let Some(tag) = images.find_map(|image| image.tag) {
            return Ok(Some(printable(&format!("{}:{tag}", row.alias.as_ref().unwrap_or(&row.name)))));
        }
    }
    Ok(None)
}

fn hidden(rows: &[RepositoryRow]) -> usize {
    rows.iter().filter(|row| !row.published).count()
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;
    use crate::cli::arguments;

    fn arguments(words: &[&str]) -> Result<Arguments, clap::Error> {
        let words = ["roadstead", "serve"].iter().chain(words);
        let matches = arguments::command().try_get_matches_from(words)?;
        match arguments::Arguments::from_arg_matches(&matches)?.verb {
            Some(arguments::Verb::Serve(arguments)) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn private_repositories_stay_here_unless_asked() {
        let private = |words: &[&str]| arguments(words).unwrap().serves_private();
        assert!(private(&[]));
        assert!(private(&["--listen", "[::1]:0"]));
        assert!(!private(&["--listen", "0.0.0.0:5050"]));
        assert!(!private(&["--listen", "[::]:5050"]));
        assert!(private(&["--listen", "0.0.0.0:5050", "--htpasswd", "f"]));
        assert!(private(&["--listen", "0.0.0.0:5050", "--include-private"]));
    }

    #[test]
    fn addresses_leave_no_doubt() {
        assert_eq!(arguments(&["--listen", "localhost:80"]).unwrap().listen.to_string(), "127.0.0.1:80");
        for text in ["5050", ":5050", "0.0.0.0", "example.com:80"] {
            let error = arguments(&["--listen", text]).unwrap_err().to_string();
            assert!(error.contains("`127.0.0.1:"), "{error}");
        }
    }

    #[test]
    fn names_beside_the_own_one_can_be_allowed() {
        let words = ["--allow-host", "mirror.example:443", "--allow-host", "host.docker.internal"];
        let options = arguments(&words).unwrap().options(Some("h:5000".into()));
        assert_eq!(options.own_names, ["h:5000", "mirror.example:443", "host.docker.internal"]);
        for bad in ["*", "https://mirror.example", "a,b"] {
            let error = arguments(&["--allow-host", bad]).unwrap_err().to_string();
            assert!(error.contains("tip: Give one name at a time"), "{error}");
        }
    }

    #[test]
    fn a_certificate_has_a_key() {
        assert!(arguments(&["--tls-cert", "c"]).is_err());
        let options = arguments(&["--tls-cert", "c", "--tls-key", "k"]).unwrap().options(Some("h:5000".into()));
        assert_eq!(options.tls, Some(("c".into(), "k".into())));
        assert_eq!(options.own_names, ["h:5000"]);
    }
}
