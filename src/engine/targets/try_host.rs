//! Trying a static host: what of it publishing can rely on.

use super::bucket;
use super::checks::{Check, Checks, Outcome, Part};
use super::secrets::Variables;
use crate::catalog::targets::{NodeSettings, Target};
use crate::engine::publish::Places;
use crate::text::printable_within;

/// Tries a host, if the target is one.
pub(super) async fn try_host(target: &Target, places: &dyn Places, variables: &Variables) -> Option<Vec<Check>> {
    let mut checks = Checks::of(Part::Host);
    let NodeSettings::S3(settings) = &target.settings.node else { return None };
    for warning in bucket::warnings(settings) {
        checks.say("transport", Outcome::Doubtful, warning, None);
    }
    match bucket::credentials(settings, variables) {
        Ok(found) => checks.good("credentials", format!("from {}", found.place)),
        Err(error) => {
            checks.fail("credentials", &error, "Set them wherever this runs.");
            checks.skip(&["reachable", "rights"]);
            return Some(checks.made);
        }
    }
    let host = match places.host(target) {
        Ok(Some(host)) => host,
        Ok(None) => return None,
        Err(error) => {
            checks.fail("reachable", &error, "Change it with `roadstead target set`.");
            checks.skip(&["rights"]);
            return Some(checks.made);
        }
    };
    match host.status().await {
        Ok(status) => {
            let agent = printable_within(&status.agent, 80);
            checks.good("reachable", format!("{agent} at {}", printable_within(&status.url, 200)));
        }
        Err(error) => {
            checks.fail("reachable", &error, "Check the bucket, its region and its endpoint.");
            checks.skip(&["rights"]);
            return Some(checks.made);
        }
    }
    for tried in host.try_rights().await {
        match tried.outcome {
            Ok(words) => checks.good(tried.right, words),
            Err(error) if tried.optional => {
                let hint = error.hints().first().cloned();
                checks.say(tried.right, Outcome::Doubtful, error.to_string(), hint);
            }
            Err(error) => checks.fail(tried.right, &error, "Look at the host's log."),
        }
    }
    Some(checks.made)
}
