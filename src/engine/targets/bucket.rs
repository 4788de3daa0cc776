//! Buckets as targets: what can be said of them, and the adapter with its credentials.

use std::sync::Arc;

use url::Url;

use super::addresses::web_url;
use super::secrets::Variables;
use super::setting::{At as _, Setting, Wrong};
use crate::catalog::targets::{S3Settings, Secret};
use crate::error::{Error, Kind, Result};
use crate::hosts::Host;
use crate::hosts::s3::address::{self, Address};
use crate::hosts::s3::credentials::{Found, Lookup};
use crate::hosts::s3::{S3, S3Options, is_in_clear};
use crate::text::printable_within;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// What is known of a bucket stays where another one is named.
pub(super) fn keep(before: &S3Settings, node: &mut S3Settings) {
    node.endpoint.clone_from(&before.endpoint);
    node.region.clone_from(&before.region);
}

/// Gives a bucket other settings.
pub(super) fn apply(bucket: &mut S3Settings, endpoint: Option<&str>, region: Option<&str>) -> Result<(), Wrong> {
    if let Some(Secret::Variable(_)) = &bucket.credentials {
        return Err(wrong("the credentials of a bucket can't be in one variable").hint(
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY wherever this runs, or name a file with `--auth-file`.",
        ))
        .at(Setting::AuthVariable);
    }
    if let Some(endpoint) = endpoint {
        let url = web_url(endpoint, "the endpoint", "https://s3.example.com").at(Setting::Endpoint)?;
        bucket.endpoint = Some(url);
    }
    if let Some(region) = region {
        address::endpoint_of(region).at(Setting::Region)?;
        bucket.region = Some(region.to_owned());
    }
    Ok(())
}

/// The credentials of a bucket, as AWS's tools find them.
pub(super) fn credentials(settings: &S3Settings, variables: &Variables) -> Result<Found> {
    let file = match &settings.credentials {
        Some(Secret::File(file)) => Some(file.as_path()),
        _ => None,
    };
    let found = Lookup { variable: &|name| variables.get(name), file }.find()?;
    if found.credentials.is_none() {
        return Err(Error::new(Kind::Auth, format!("there are no credentials for {}", settings.bucket))
            .hint("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, wherever this runs.")
            .hint("Or name a file like ~/.aws/credentials: `roadstead target set NAME --auth-file FILE`."));
    }
    Ok(found)
}

/// The adapter for a bucket; its credentials go nowhere else.
pub(super) fn connect(settings: &S3Settings, variables: &Variables) -> Result<Arc<dyn Host>> {
    let found = credentials(settings, variables)?;
    let endpoint = settings.endpoint.as_deref().map(Url::parse).transpose().map_err(|_| {
        let shown = printable_within(settings.endpoint.as_deref().unwrap_or_default(), 200);
        wrong(format!("invalid endpoint `{shown}`"))
    })?;
    let region = settings.region.clone().or(found.region).unwrap_or_else(|| address::DEFAULT_REGION.to_owned());
    let options = S3Options {
        address: Address::parse(&settings.bucket)?,
        endpoint,
        region,
        credentials: found.credentials,
        first_pause: None,
    };
    Ok(Arc::new(S3::new(options)?))
}

/// What is doubtful about how a bucket is reached, in sentences.
pub(super) fn warnings(settings: &S3Settings) -> Vec<String> {
    let in_clear = settings.endpoint.as_deref().and_then(|url| Url::parse(url).ok()).filter(is_in_clear);
    let in_clear = in_clear.map(|url| {
        let host = printable_within(url.host_str().unwrap_or_default(), 200);
        format!(
            "Requests to {host} go over plain HTTP: anyone on the network path can read and change what is published."
        )
    });
    let exposed = match &settings.credentials {
        Some(Secret::File(file)) => super::secrets::exposure(file),
        _ => None,
    };
    in_clear.into_iter().chain(exposed).collect()
}
