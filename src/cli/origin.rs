//! Which registry `restore` and `import` read: what they are told, and reading it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueHint};

use super::context::Context;
use super::parsed::parsed;
use super::place::RestoreOrigin;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::restore::{Place, Records, root_of};
use crate::error::{Error, Kind, Result};

/// What and from where.
#[derive(Debug, Args)]
pub(super) struct Origin {
    /// A published root, a domain whose DNSLink record names one, a CAR file, or an exported directory.
    #[arg(value_name = "ROOT|DOMAIN|FILE.car|DIR", value_parser = parsed::<RestoreOrigin>)]
    what: RestoreOrigin,

    /// Where the root is: a gateway's URL, `kubo:URL` (or a URL that ends in `/api/v0`) for a node, a CAR file, a directory.
    #[arg(long, value_name = "GATEWAY|KUBO|FILE.car|DIR", value_parser = parsed::<Place>)]
    from: Option<Place>,

    /// A file with the credentials for the node or gateway: `bearer:TOKEN`, `basic:USER:PASSWORD`, or a token.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    auth_file: Option<PathBuf>,
}

impl Origin {
    /// Reads the registry that is meant, and says who said which root a domain means; for an import, `into` is what it is merged
    /// into.
    pub(super) async fn read(
        &self,
        into: Option<&Arc<Engine>>,
        context: &Context,
        job: &Job,
    ) -> Result<(Place, Records, Option<String>)> {
        let mut place = match (&self.what, &self.from) {
            (RestoreOrigin::Path(_), Some(_)) => {
                return Err(Error::new(Kind::Usage, "a path already names the source, so `--from` can't be added")
                    .hint("Leave out one of them, or name the root first."));
            }
            (RestoreOrigin::Path(place), None) | (_, Some(place)) => place.clone(),
            (RestoreOrigin::Root(root), None) => return Err(needed(&root.to_string())),
            (RestoreOrigin::Domain(domain), None) => return Err(needed(domain)),
        };
        if let Some(file) = &self.auth_file {
            place = place.with_auth_file(file)?;
        }
        for warning in place.warnings() {
            context.output.warning(&warning);
        }
        let mut said_by = None;
        let root = match &self.what {
            RestoreOrigin::Path(_) => None,
            RestoreOrigin::Root(root) => Some(*root),
            RestoreOrigin::Domain(domain) => {
                let named = job.or_cancelled(root_of(domain, &place)).await?;
                let who = named.said_by.unwrap_or_else(|| "DNS".to_owned());
                context.output.message(&format!(
                    "{domain} is {} according to {who}. Nothing proves it: to be sure, name the root instead of the \
                     domain.",
                    named.root
                ));
                said_by = Some(who);
                Some(named.root)
            }
        };
        let records = place.records(root, into, job).await?;
        Ok((place, records, said_by))
    }
}

fn needed(what: &str) -> Error {
    Error::new(Kind::Usage, format!("no source given for {what}"))
        .hint("Name one with `--from`: a gateway, a Kubo node, a CAR file or an exported directory.")
}
