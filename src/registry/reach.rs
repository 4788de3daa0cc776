//! Whether a registry and its mirror answer at all. Sends no credential.

use futures::future::join_all;

use super::Registries;
use super::authorization::Grant;
use super::endpoint::{Ask, Endpoint, Redirects};
use crate::error::{Error, Kind, Result};

/// How one address of a registry answers.
#[derive(Debug)]
pub struct Reached {
    /// `host:port` as it is asked.
    pub address: String,
    /// Whether it is a mirror, in whose place the registry is asked.
    pub mirror: bool,
    /// Whether it answers as a registry does.
    pub outcome: Result<()>,
}

impl Registries {
    /// Asks the registry of this name, and its mirror if it has one, for `/v2/` (distribution spec, "Determining Support").
    /// `insecure` allows plain http beyond what the settings allow, as it does where it is mirrored from.
    pub async fn reach(&self, registry: &str, insecure: bool) -> Result<Vec<Reached>> {
        let upstream = self.upstream(registry, insecure)?;
        let last = upstream.endpoints.len() - 1;
        let asked = upstream.endpoints.iter().enumerate().map(async |(index, endpoint)| Reached {
            address: endpoint.authority(),
            mirror: index < last,
            outcome: ping(endpoint).await,
        });
        Ok(join_all(asked).await)
    }
}

async fn ping(endpoint: &Endpoint) -> Result<()> {
    let address = endpoint.authority();
    let mut ask = Ask::get(endpoint.url("v2/")?);
    ask.redirects = Redirects::Never;
    let patience = endpoint.shared.timeouts.connect + endpoint.shared.timeouts.connect;
    let answer = tokio::time::timeout(patience, endpoint.once(&ask, None, &Grant::nobody())).await.map_err(|_| {
        Error::new(Kind::Network, format!("{address} did not answer within {} s", patience.as_secs()))
            .hint("Check the network, and whether a proxy is needed (HTTPS_PROXY).")
    })?;
    let answer = answer.map_err(|setback| setback.error)?;
    match answer.response.status().as_u16() {
        // Who has to log in learns how; that is an answer as good as any.
        200 | 401 => Ok(()),
        status => {
            Err(Error::new(Kind::Network, format!("{address} answers {status} to `/v2/`, which no registry does"))
                .hint("Check its name and port in the configuration."))
        }
    }
}
