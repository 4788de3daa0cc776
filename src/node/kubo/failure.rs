//! What a Kubo's refusals mean, in words, and what to do about them.
//!
//! Knows how Kubo, and a proxy before it, say no. Must not connect to anything.

use cid::Cid;
use serde::Deserialize;

use super::secrets::Secrets;
use crate::error::{Error, Kind};
use crate::text::printable_within;

/// The paths that a token needs in `API.Authorizations`.
const PUBLISH_PATHS: &str = r#"["/api/v0/id", "/api/v0/block", "/api/v0/dag/import", "/api/v0/pin", "/api/v0/repo/stat", "/api/v0/swarm/peers", "/api/v0/dag/stat"]"#;
/// Those that it needs where an IPNS name is published.
const NAME_PATHS: &str = r#"["/api/v0/key", "/api/v0/name"]"#;
/// Characters of a node's message that a person sees.
const MAX_MESSAGE_CHARS: usize = 500;

/// How a Kubo says no.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It refused the credentials, or has none for this.
    Denied,
    /// It has no such command there.
    NoCommand,
    /// It, or a proxy before it, refused in another way; the status, where it is known.
    Status(Option<u16>),
}

/// What a Kubo answered instead of what was asked for.
#[derive(Debug)]
pub(super) struct Answer {
    refusal: Refusal,
    message: String,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Message")]
    message: String,
}

impl Answer {
    /// Reads an answer that is no success.
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        let message = match serde_json::from_slice::<Document>(body) {
            Ok(document) => document.message,
            Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
        };
        let refusal = match status {
            401 | 403 | 407 => Refusal::Denied,
            404 | 405 => Refusal::NoCommand,
            status => Refusal::Status(Some(status)),
        };
        Self { refusal, message }
    }

    /// An error that came after the answer had begun, in the trailer `X-Stream-Error`.
    pub(super) fn late(message: &[u8]) -> Self {
        Self { refusal: Refusal::Status(None), message: String::from_utf8_lossy(message).trim().to_owned() }
    }

    /// The same without what must not be said.
    pub(super) fn clean(mut self, secrets: &Secrets) -> Self {
        self.message = secrets.clean(&self.message);
        self
    }

    /// Whether it has no such block.
    pub(super) fn is_missing_block(&self) -> bool {
        self.says(&["block was not found locally", "ipld: could not find", "merkledag: not found"])
    }

    /// The block that it misses, as it says.
    pub(super) fn missing_block(&self) -> Option<Cid> {
        if !self.is_missing_block() {
            return None;
        }
        let (_, after) = self.message.split_once("could not find ")?;
        after.split_whitespace().next()?.parse().ok()
    }

    /// Whether the node itself failed at what was asked: it is there, and we may ask.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self.refusal, Refusal::Status(None | Some(500)))
    }

    /// Whether it has no such pin.
    pub(super) fn is_missing_pin(&self) -> bool {
        self.says(&["is not pinned", "not pinned or pinned indirectly"])
    }

    /// Whether it has the pin already.
    pub(super) fn is_pinned_already(&self) -> bool {
        self.says(&["'to' cid was already recursively pinned"])
    }

    /// Whether it lacks the pin that another is to be made by its difference to.
    pub(super) fn lacks_former_pin(&self) -> bool {
        self.says(&["'from' cid was not recursively pinned"])
    }

    /// Whether it wants an argument that was left out: the command is there, and we may use it.
    pub(super) fn wants_argument(&self) -> bool {
        self.says(&["is required"])
    }

    /// Whether a name leads nowhere.
    pub(super) fn is_missing_name(&self) -> bool {
        self.says(&["could not resolve name", "routing: not found", "no record"])
    }

    fn says(&self, words: &[&str]) -> bool {
        matches!(self.refusal, Refusal::Status(_)) && words.iter().any(|words| self.message.contains(words))
    }

    /// The error for people; `doing` is a fragment: `can't pin X`.
    pub(super) fn into_error(self, place: &str, doing: &str) -> Error {
        let message = printable_within(&self.message, MAX_MESSAGE_CHARS);
        match self.refusal {
            Refusal::Denied => denied(place, doing, &message),
            Refusal::NoCommand => Error::new(
                Kind::Node,
                format!("{doing}: {place} has no such command: it is not the RPC API of Kubo, or an old one"),
            )
            .hint("Use the URL of the RPC API, by default on port 5001, not of the gateway.")
            .hint("Behind a proxy, include the path before `/api/v0`: https://example.com/ipfs-rpc."),
            Refusal::Status(Some(status @ 300..=399)) => {
                Error::new(Kind::Node, format!("{doing}: {place} redirects elsewhere (status {status})"))
                    .hint("Use the URL that it redirects to; credentials are not sent along a redirect.")
            }
            Refusal::Status(Some(status @ (429 | 502 | 503 | 504))) => Error::new(
                Kind::Node,
                format!("{doing}: the proxy in front of {place} can't reach it (status {status})"),
            )
            .hint("Check that the node runs: `ipfs daemon` starts it."),
            Refusal::Status(Some(413)) => {
                Error::new(Kind::Node, format!("{doing}: {place} refuses a body of this size"))
                    .hint("A proxy limits the size of bodies: allow any size (`client_max_body_size 0` in nginx).")
            }
            Refusal::Status(status) => said(place, doing, status, &message),
        }
    }
}

fn said(place: &str, doing: &str, status: Option<u16>, message: &str) -> Error {
    let why = match (message.is_empty(), status) {
        (false, _) => format!("{place} says: {message}"),
        (true, Some(status)) => format!("{place} answers with status {status}"),
        (true, None) => format!("{place} gives no reason"),
    };
    let error = Error::new(Kind::Node, format!("{doing}: {why}"));
    let message = message.to_ascii_lowercase();
    if ["no space left", "disk quota exceeded", "not enough space", "maximum storage"]
        .iter()
        .any(|full| message.contains(full))
    {
        return error
            .hint("The node's disk is full: free some space there, for instance with `ipfs repo gc`, then try again.");
    }
    if message.contains("was not found locally") || message.contains("ipld: could not find") {
        return error.hint("The node lacks a block that it should hold: publish again to send it.");
    }
    error
}

fn denied(place: &str, doing: &str, message: &str) -> Error {
    let why = if message.is_empty() { String::new() } else { format!(": {message}") };
    Error::new(Kind::Auth, format!("{doing}: {place} refuses the credentials, or does not allow them for this{why}"))
        .hint(
            "Check `API.Authorizations` in the node's configuration: its `AuthSecret` must match the target's secret.",
        )
        .hint(format!("Its `AllowedPaths` must include {PUBLISH_PATHS}, and for IPNS names {NAME_PATHS}."))
}

/// Nothing can be heard from the node.
pub(super) fn unreachable(place: &str, doing: &str, why: &str, local: bool) -> Error {
    let error =
        Error::new(Kind::Node, format!("{doing}: can't reach {place}: {}", printable_within(why, MAX_MESSAGE_CHARS)));
    if local {
        error.hint("`ipfs daemon` starts it; `ipfs config Addresses.API` shows where it listens.")
    } else {
        error.hint("Check that it runs (`ipfs daemon` starts it) and that its RPC API can be reached from here.")
    }
}

/// The node began, and did not get on.
pub(super) fn stalled(place: &str, doing: &str, seconds: u64) -> Error {
    Error::new(Kind::Node, format!("{doing}: {place} made no progress for {seconds} s"))
        .hint("Check the node's log and disk load, then try again.")
}

/// The node is to pin what it has not.
pub(super) fn hole(place: &str, doing: &str, block: &Cid) -> Error {
    Error::new(Kind::Node, format!("{doing}: {place} lacks block {block} and searches the network for it"))
        .hint("Publish again: that sends what the node lacks.")
}

/// The answer broke off, or the connection did.
pub(super) fn cut(place: &str, doing: &str, why: &str) -> Error {
    Error::new(
        Kind::Node,
        format!("{doing}: {place} ended its answer early: {}", printable_within(why, MAX_MESSAGE_CHARS)),
    )
    .hint("Check the node's log and its free disk space, then try again.")
}

/// The answer is not what a Kubo says.
pub(super) fn nonsense(place: &str, doing: &str, why: &str) -> Error {
    Error::new(
        Kind::Node,
        format!("{doing}: unexpected answer from {place}: {}", printable_within(why, MAX_MESSAGE_CHARS)),
    )
    .hint("Check that the URL is that of a Kubo RPC API.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> Error {
        Answer::read(status, body.as_bytes()).into_error("the node", "can't pin")
    }

    #[test]
    fn refusals_have_words_and_hints() {
        let denied = error(403, "Kubo RPC Access Denied: Please provide a valid authorization token");
        assert_eq!(denied.kind(), Kind::Auth);
        assert!(denied.hints().iter().any(|hint| hint.contains("API.Authorizations")));
        assert!(denied.hints().iter().any(|hint| hint.contains("/api/v0/dag/import")));
        assert!(error(404, "404 page not found").to_string().contains("not the RPC API of Kubo"));
        let full = error(500, r#"{"Message":"write x: no space left on device","Code":0,"Type":"error"}"#);
        assert!(full.hints()[0].contains("disk is full"), "{full:?}");
        assert!(error(502, "<html>").hints()[0].contains("ipfs daemon"));
        assert_eq!(error(500, "").to_string(), "can't pin: the node answers with status 500");
    }

    #[test]
    fn a_node_does_not_steer_the_terminal() {
        let error = error(500, &format!("{{\"Message\":\"\\u001b[31m{}\"}}", "x".repeat(9000)));
        assert!(!error.to_string().contains('\u{1b}') && error.to_string().chars().count() < 600);
    }

    #[test]
    fn what_a_refusal_means() {
        let said = |message: &str| Answer::read(500, format!("{{\"Message\":\"{message}\"}}").as_bytes());
        assert!(said("block was not found locally (offline): ipld: could not find bafy").is_missing_block());
        let raw = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        let hole = format!("error traversing DAG: block was not found locally (offline): ipld: could not find {raw}");
        assert_eq!(said(&hole).missing_block(), raw.parse().ok());
        assert_eq!(said(&format!("could not find {raw}")).missing_block(), None);
        assert!(said(&hole).is_failure() && !Answer::read(403, hole.as_bytes()).is_failure());
        assert!(said("path 'bafy' is not pinned").is_missing_pin());
        assert!(said("not pinned or pinned indirectly").is_missing_pin());
        assert!(!said("'from' cid was not recursively pinned already").is_missing_pin());
        assert!(said("'to' cid was already recursively pinned").is_pinned_already());
        assert!(!Answer::read(403, b"path 'bafy' is not pinned").is_missing_pin());
    }
}
