//! `serve`: the registry over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueHint};
use serde_json::json;

use super::Exit;
use super::context::Context;
use crate::engine::job::Job;
use crate::error::Result;
use crate::serve::{self, CatalogShelf, Options};

const EXAMPLES: &str = "\
Examples:
  roadstead serve
  podman pull --tls-verify=false 127.0.0.1:5050/nginx:alpine
  roadstead serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem --htpasswd users";

/// Where and how to serve.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Address and port; port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5050")]
    pub(super) listen: SocketAddr,

    /// PEM file of the certificate, and those between it and its root.
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub(super) tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's key.
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub(super) tls_key: Option<PathBuf>,

    /// File of users and bcrypt passwords, as `htpasswd -B` writes it; only they may pull.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) htpasswd: Option<PathBuf>,

    /// Give private repositories to everyone, also beyond this machine.
    #[arg(long)]
    pub(super) include_private: bool,
}

impl Arguments {
    /// Private repositories are given out on loopback, to those who log in, or if that is asked for.
    fn serves_private(&self) -> bool {
        self.listen.ip().is_loopback() || self.htpasswd.is_some() || self.include_private
    }

    fn options(&self, name: Option<String>) -> Options {
        Options {
            listen: self.listen,
            tls: self.tls_cert.clone().zip(self.tls_key.clone()),
            htpasswd: self.htpasswd.clone(),
            own_names: name.into_iter().collect(),
            ..Options::default()
        }
    }
}

/// Serves until it is stopped by ^C or SIGTERM.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    let options = arguments.options(engine.settings()?.name);
    let private = arguments.serves_private();
    let hidden = if private { 0 } else { hidden(&engine.repositories()?) };
    let output = &context.output;
    let shelf = Arc::new(CatalogShelf::new(engine, private));
    let served = context.run_quietly(
        "Stopping; answers under way are finished. Press ^C again to stop at once.",
        async |job: &Job| {
            let stop = job.cancellation().clone();
            let mut told = Ok(());
            let ended = serve::run(shelf, options, stop, |listening| {
                told = output.json(&json!({ "serving": listening.url })).and_then(|()| output.finish());
                output.announce(&format!("serving on {}", listening.url));
                if hidden > 0 {
                    output.message(&format!(
                        "{hidden} private repositories are not given out; `--htpasswd` gives them to those who log in."
                    ));
                }
            })
            .await;
            told.and(ended)
        },
    );
    served.map(|()| Exit::Done)
}

fn hidden(rows: &[crate::engine::view::RepositoryRow]) -> usize {
    rows.iter().filter(|row| !row.published).count()
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::super::arguments;
    use super::*;

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
    fn a_certificate_has_a_key() {
        assert!(arguments(&["--tls-cert", "c"]).is_err());
        let options = arguments(&["--tls-cert", "c", "--tls-key", "k"]).unwrap().options(Some("h:5000".into()));
        assert_eq!(options.tls, Some(("c".into(), "k".into())));
        assert_eq!(options.own_names, ["h:5000"]);
    }
}
