//! What anybody sees of a name: the answer of this machine's resolver.

use std::time::Duration;

use hickory_proto::rr::{RData, RecordType};
use hickory_resolver::TokioResolver;

use super::TxtSet;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// How long the resolver may take for one try.
const RESOLVER_TIMEOUT: Duration = Duration::from_secs(5);
/// More values than this are nobody's.
const MAX_TXT_RECORDS: usize = 100;

/// The TXT set of a name as the resolver has it, which may be older than what the authoritative servers say.
pub async fn txt(name: &str) -> Result<TxtSet> {
    let failed = || Error::new(Kind::Network, format!("can't ask the resolver for {}", printable_within(name, 260)));
    let resolver = resolver()?;
    let found = match resolver.lookup(format!("{}.", name.trim_end_matches('.')), RecordType::TXT).await {
        Ok(found) => found,
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => return Ok(TxtSet::default()),
        Err(error) => return Err(failed().caused_by(error)),
    };
    let mut set = TxtSet::default();
    for record in found.answers().iter().take(MAX_TXT_RECORDS) {
        if let RData::TXT(txt) = &record.data {
            let bytes: Vec<u8> = txt.txt_data.concat();
            set.values.push(String::from_utf8_lossy(&bytes).into_owned());
            set.ttl = Some(set.ttl.map_or(record.ttl, |ttl| ttl.min(record.ttl)));
        }
    }
    set.values.sort();
    Ok(set)
}

/// The resolver of this machine, as its configuration says.
pub(super) fn resolver() -> Result<TokioResolver> {
    let failed = || Error::new(Kind::Network, "can't use this machine's resolver").hint("Check `/etc/resolv.conf`.");
    let mut builder = TokioResolver::builder_tokio().map_err(|error| failed().caused_by(error))?;
    let options = builder.options_mut();
    options.timeout = RESOLVER_TIMEOUT;
    // What is asked for is the name as it is, not one below this machine's own domain.
    options.ndots = 0;
    builder.build().map_err(|error| failed().caused_by(error))
}
