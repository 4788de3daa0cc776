//! Failures of the transport and answers that refuse, in words: what, why, and what to do next.
//!
//! Knows how the usual registries, token servers and TLS libraries word their trouble. Asks nobody.

use std::error::Error as _;
use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use super::Quota;
use super::authorization::{Grant, Holder};
use super::credentials::Secret;
use super::retry::{Again, MAX_BURST_PAUSE, Setback, retry_after, waits_for_quotas};
use crate::error::{Error, Kind};
use crate::text::printable_within;

/// Registries of which nobody need doubt that they exist, with the hosts below them.
const WELL_KNOWN: [&str; 9] = [
    "docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "registry.k8s.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "registry.gitlab.com",
    "lscr.io",
];

/// Whether trying again can help against this status.
pub(super) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// A request that got no answer, or an answer that broke off.
pub(super) fn of_transport(error: reqwest::Error, host: &str, insecure: bool) -> Setback {
    // The URL may be a signed one; the caller names what was asked for.
    let error = error.without_url();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let why = causes.last().cloned().unwrap_or_else(|| error.to_string());
    // `Connection refused (os error 111)`: the number says nothing more.
    let why = printable_within(why.split(" (os error ").next().unwrap_or(&why), 300);
    let all = causes.join(": ");
    let network = |message: String| Error::new(Kind::Network, message);
    if all.contains("InvalidContentType") || all.contains("corrupt message") {
        return Setback::never(
            network(format!("{host} does not speak TLS; it may be a plain http server")).hint(
                "If it is one and you trust the network, use `--insecure`, or set `insecure = true` for this registry in the configuration.",
            ),
        );
    }
    // The latter is what WebPKI says first of a self-signed certificate that calls itself an authority.
    if all.contains("CaUsedAsEndEntity") || all.contains("UnknownIssuer") {
        return Setback::never(
            network(format!("the certificate of {host} is from an unknown authority")).hint(
                "If the authority is yours, set `ca_file` for this registry in the configuration to its PEM file.",
            ),
        );
    }
    if all.contains("invalid peer certificate") || all.contains("certificate") {
        return Setback::never(
            network(format!("the certificate of {host} is not valid: {why}"))
                .hint("Check the name in the reference, the certificate's dates and this machine's clock."),
        );
    }
    if insecure && all.contains("invalid HTTP version") {
        return Setback::never(tls_to_http(host));
    }
    if all.contains("Name or service not known") || all.contains("No address associated") {
        return Setback::never(unknown_host(host, &why));
    }
    Setback::backoff(if error.is_timeout() {
        network(format!("{host} did not answer in time"))
    } else if error.is_connect() {
        network(format!("can't connect to {host}: {why}"))
            .hint(format!("Check that {host} runs and can be reached from this machine."))
    } else {
        network(format!("the connection to {host} broke: {why}"))
    })
}

fn unknown_host(host: &str, why: &str) -> Error {
    let error = |message: String| Error::new(Kind::Network, message);
    let is_below = |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if WELL_KNOWN.iter().any(|known| is_below(known)) {
        return error(format!("{host} was not found: {why}"))
            .hint("The registry is a well-known one: this machine may be offline, or its DNS may not answer.");
    }
    error(format!("there is no host named {host}: {why}")).hint("Check the spelling of the registry's name.")
}

/// Whether these are the words by which TLS servers answer plain http (Go's net/http, nginx, Apache).
pub(super) fn speaks_tls(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    ["HTTPS server", "HTTPS port", "SSL-enabled server port"].iter().any(|words| body.contains(words))
}

pub(super) fn tls_to_http(host: &str) -> Error {
    Error::new(Kind::Network, format!("{host} speaks TLS, but was asked over plain http"))
        .hint("Leave out `--insecure`, or `insecure = true` for this registry in the configuration.")
}

/// What an answer that refuses was about.
pub(super) struct Refused<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    /// The beginning of its body.
    pub(super) body: &'a [u8],
    pub(super) host: &'a str,
    /// Whether another host answered, to which the registry had pointed.
    pub(super) foreign: bool,
    /// As whom it was asked.
    pub(super) grant: &'a Grant,
    /// What its words may repeat and nobody is to see.
    pub(super) secrets: &'a [Secret],
}

impl Refused<'_> {
    /// The refusal as an error, and whether to ask again.
    pub(super) fn setback(&self) -> Setback {
        let Self { status, host, .. } = *self;
        let said = self.said();
        let told = |words: String| if said.is_empty() { words } else { format!("{words}: {said}") };
        let code = status.as_u16();
        let answered = || {
            let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
            told(format!("{host} answered {code}{reason}"))
        };
        let log_in = || format!("Log in: `podman login {host}` or `docker login {host}`.");
        if self.foreign && !is_passing(status) {
            return Setback::never(Error::new(
                Kind::Network,
                told(format!("the storage that {host} points to answered {code}")),
            ));
        }
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Setback::never(match self.grant.holder {
                Holder::Nobody => Error::new(
                    Kind::Auth,
                    told(format!("{host} requires credentials: it is private, or it does not exist")),
                )
                .hint(log_in()),
                Holder::Password if status == StatusCode::UNAUTHORIZED => {
                    Error::new(Kind::Auth, told(format!("wrong user name or password for {host}"))).hint(log_in())
                }
                Holder::Password | Holder::Token => Error::new(
                    Kind::Auth,
                    told(format!("{host} denies access: the account may not read it, or it does not exist")),
                )
                .hint("Check the name, and ask the repository's owner for permission to pull."),
            }),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Setback::never(Error::new(Kind::NotFound, told(format!("{host} does not have it"))))
            }
            StatusCode::BAD_REQUEST if speaks_tls(self.body) => Setback::never(tls_to_http(host)),
            StatusCode::TOO_MANY_REQUESTS => {
                let hint = match self.grant.holder {
                    Holder::Nobody => {
                        format!("Logging in may raise the limit: `podman login {host}` or `docker login {host}`.")
                    }
                    _ => "Try again later, or set a `mirror` for this registry in the configuration.".to_owned(),
                };
                let setback = self.passing(Error::new(Kind::Network, answered()).hint(hint).quota());
                if waits_for_quotas() || self.is_burst(setback.again) { setback } else { Setback::never(setback.error) }
            }
            status if is_passing(status) => self.passing(Error::new(Kind::Network, answered())),
            _ => Setback::never(Error::new(Kind::Network, answered())),
        }
    }

    /// Whether it was only asked too fast: a moment later it gives more.
    fn is_burst(&self, again: Again) -> bool {
        let is_used_up = Quota::from_headers(self.headers).is_some_and(|quota| quota.remaining == 0);
        !is_used_up && matches!(again, Again::After(pause) if pause <= MAX_BURST_PAUSE)
    }

    fn passing(&self, error: Error) -> Setback {
        let asked =
            self.headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now()));
        Setback { error, again: asked.map_or(Again::Backoff, Again::After) }
    }

    /// The server's own words, made harmless: from a registry's or a token server's JSON, or plain text.
    fn said(&self) -> String {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let json = serde_json::from_slice::<serde_json::Value>(self.body).ok();
        let words = json.and_then(|json| {
            let errors = json.get("errors").and_then(|errors| errors.as_array()).cloned().unwrap_or_default();
            let listed: Vec<String> = errors
                .iter()
                .take(3)
                .filter_map(|error| {
                    let message = error.get("message").and_then(text).filter(|message| !message.is_empty());
                    message.or_else(|| error.get("code").and_then(text))
                })
                .collect();
            if listed.is_empty() {
                ["details", "message", "error_description", "error"].iter().find_map(|key| json.get(key).and_then(text))
            } else {
                Some(listed.join(", "))
            }
        });
        let plain = || {
            let is_plain = self
                .headers
                .get(CONTENT_TYPE)
                .is_some_and(|value| value.to_str().is_ok_and(|value| value.starts_with("text/plain")));
            is_plain.then(|| String::from_utf8_lossy(self.body).trim().to_owned())
        };
        let words = words.or_else(plain).unwrap_or_default();
        printable_within(&scrub(words, self.secrets), 200)
    }
}

/// Takes secrets out of a server's words, which may echo what was sent.
pub(super) fn scrub(mut text: String, secrets: &[Secret]) -> String {
    for secret in secrets.iter().map(Secret::reveal).filter(|secret| secret.len() >= 4) {
        if text.contains(secret) {
            text = text.replace(secret, "<secret>");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str, content_type: &str, grant: &Grant) -> Setback {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        let (host, secrets) = ("ghcr.io", grant.secrets.as_slice());
        Refused { status, headers: &headers, body: body.as_bytes(), host, foreign: false, grant, secrets }.setback()
    }

    #[test]
    fn words_of_servers_are_used_and_made_harmless() {
        let nobody = Grant::nobody();
        let json = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no \u001b[31msuch"},{"code":"X","message":""}]}"#;
        let setback = refusal(404, json, "application/json", &nobody);
        assert_eq!(setback.error.to_string(), "ghcr.io does not have it: no \\u{1b}[31msuch, X");
        assert_eq!(setback.error.kind(), Kind::NotFound);
        let setback = refusal(500, "<html>oh</html>", "text/html", &nobody);
        assert_eq!(setback.error.to_string(), "ghcr.io answered 500 Internal Server Error");
        assert_eq!(setback.again, Again::Backoff);
        let setback = refusal(403, r#"{"details":"incorrect username or password"}"#, "application/json", &nobody);
        assert!(setback.error.to_string().ends_with("incorrect username or password"));
        assert_eq!(setback.error.hints(), ["Log in: `podman login ghcr.io` or `docker login ghcr.io`."]);
        let setback = refusal(400, "Client sent an HTTP request to an HTTPS server.\n", "text/plain", &nobody);
        assert!(setback.error.hints()[0].contains("--insecure"));
    }

    #[test]
    fn of_a_well_known_registry_the_spelling_is_not_doubted() {
        for known in ["docker.io", "europe.gcr.io"] {
            assert!(unknown_host(known, "no answer").hints()[0].contains("offline"), "{known}");
        }
        for other in ["dokcer.io", "notdocker.io"] {
            assert!(unknown_host(other, "no answer").hints()[0].contains("spelling"), "{other}");
        }
    }

    #[test]
    fn echoed_secrets_are_taken_out() {
        let grant = Grant::password("user", &Secret::new("canary-password"));
        let setback = refusal(401, "canary-password and dXNlcjpjYW5hcnktcGFzc3dvcmQ= are wrong", "text/plain", &grant);
        assert_eq!(
            setback.error.to_string(),
            "wrong user name or password for ghcr.io: <secret> and <secret> are wrong"
        );
        assert!(!format!("{setback:?} {grant:?}").contains("canary"));
    }
}
