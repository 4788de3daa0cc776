//! The key that a target's IPNS name needs: looked for when a target is tried, and made at its node where that is asked for.
//!
//! Knows what a node says of its keys. Must not save anything: a target that is made with its key is saved once the key is there.

use serde::Serialize;

use super::checks::{Check, Checks, Outcome, Part};
use crate::catalog::targets::Target;
use crate::engine::job::Job;
use crate::engine::publish::{Places, find_key, missing_key, names_of};
use crate::error::{Error, Kind, Result};
use crate::node::Node;
use crate::text::printable_within;

/// The key of a target's IPNS name, as its node has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetKey {
    /// What the node calls it.
    pub name: String,
    /// The IPNS name: `k51…`.
    pub id: String,
    /// It was made just now.
    pub made: bool,
}

/// Makes the key of a target's IPNS name at its node, unless that has it already. The target need not be saved.
pub async fn make_key(target: &Target, places: &dyn Places, job: &Job) -> Result<TargetKey> {
    let wanted = target.settings.ipns.as_deref().ok_or_else(|| {
        Error::new(Kind::Usage, format!("the target `{}` has no IPNS name to make a key for", target.name))
            .hint("Name the key with `--ipns KEY`.")
    })?;
    let node = places.node(target)?;
    let names = names_of(&*node)?;
    if let Some(key) = find_key(job.or_cancelled(names.keys()).await?, wanted) {
        return Ok(TargetKey { name: key.name, id: key.id, made: false });
    }
    if wanted.parse::<cid::Cid>().is_ok() {
        let shown = printable_within(wanted, 100);
        return Err(Error::new(Kind::Usage, format!("{} has no key `{shown}`, and can't make one", node.place()))
            .hint("That is an IPNS name, which belongs to an existing key. Give `--ipns` a name for a new key."));
    }
    let key = job.or_cancelled(names.generate_key(wanted)).await?;
    Ok(TargetKey { name: key.name, id: key.id, made: true })
}

/// Whether the node has the key, and where its name leads. `moved` is the name that was moved by what was published last.
pub(super) async fn try_ipns(target: &Target, node: &dyn Node, reached: bool, moved: Option<&str>) -> Vec<Check> {
    let mut checks = Checks::of(Part::Ipns);
    let Some(key) = &target.settings.ipns else { return checks.made };
    if !reached {
        checks.skip(&["key"]);
        return checks.made;
    }
    let names = match names_of(node) {
        Ok(names) => names,
        Err(error) => {
            checks.fail("key", &error, "");
            return checks.made;
        }
    };
    match names.keys().await {
        Ok(keys) => match find_key(keys, key) {
            Some(found) => {
                checks.good("key", format!("{key}: {}", printable_within(&found.id, 100)));
                match names.resolve_name(&found.id).await {
                    Ok(Some(path)) => checks.good("name", printable_within(&path, 200)),
                    Ok(None) if moved == Some(found.id.as_str()) => {
                        let hint = "It was set to the last published root, but this node can't resolve it for anyone.";
                        let words = "the node can't resolve it (no routing?)";
                        checks.say("name", Outcome::Doubtful, words, Some(hint.to_owned()));
                    }
                    Ok(None) => checks.good("name", "not published yet"),
                    Err(error) => {
                        let hint = "Publishing sets it anyway; the node may be offline.".to_owned();
                        checks.say("name", Outcome::Doubtful, error.to_string(), Some(hint));
                    }
                }
            }
            None => checks.fail("key", &missing_key(target, key, "the node"), ""),
        },
        Err(error) => checks.fail("key", &error, "Allow the token to use `/api/v0/key` and `/api/v0/name`."),
    }
    checks.made
}
