//! Trying a static host: what of it publishing can rely on.

use super::bucket;
use super::checks::{Check, Checks, Outcome, Part};
use super::secrets::Variables;
use super::static_host;
use crate::catalog::targets::{NodeSettings, Target};
use crate::engine::publish::Places;
use crate::text::printable_within;

/// Tries a host, if the target is one.
pub(super) async fn try_host(target: &Target, places: &dyn Places, variables: &Variables) -> Option<Vec<Check>> {
    let mut checks = Checks::of(Part::Host);
    let node = &target.settings.node;
    for warning in static_host::warnings(node)? {
        checks.say("transport", Outcome::Doubtful, warning, None);
    }
    if let NodeSettings::S3(settings) = node {
        match bucket::credentials(settings, variables) {
            Ok(found) => checks.good("credentials", format!("from {}", found.place)),
            Err(error) => {
                checks.fail("credentials", &error, "Set them wherever this runs.");
                checks.skip(&["reachable", "rights"]);
                return Some(checks.made);
            }
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
            let hint = match node {
                NodeSettings::S3(_) => "Check the bucket, its region and its endpoint.",
                _ => "Check the path, and who may write there.",
            };
            checks.fail("reachable", &error, hint);
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
            Err(error) if matches!(node, NodeSettings::S3(_)) => {
                checks.fail(tried.right, &error, "Look at the host's log.");
            }
            Err(error) => checks.fail(tried.right, &error, "Check the path, and who may write there."),
        }
    }
    Some(checks.made)
}
