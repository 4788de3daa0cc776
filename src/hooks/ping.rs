//! Tells a service that watches scheduled jobs how a run goes (healthchecks.io, "Pinging API"): `/start`, nothing, `/fail`.

use reqwest::Client;
use url::Url;

use super::post;
use crate::error::Result;

/// What a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A run begins.
    Start,
    /// It has ended well.
    Success,
    /// It has failed.
    Failure,
}

/// Asks for the address.
pub(super) async fn ping(client: &Client, address: &str, signal: Signal) -> Result<()> {
    let url = with_signal(post::parse(address)?, signal);
    let answer = client.get(url.clone()).send().await;
    post::answered(&url, answer).await
}

/// The address with the signal behind its path; a query stays.
fn with_signal(mut url: Url, signal: Signal) -> Url {
    let suffix = match signal {
        Signal::Start => "/start",
        Signal::Success => return url,
        Signal::Failure => "/fail",
    };
    let path = format!("{}{suffix}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_is_the_end_of_the_path() {
        for (address, signal, asked) in [
            ("https://hc-ping.com/5bf66975", Signal::Start, "https://hc-ping.com/5bf66975/start"),
            ("https://hc-ping.com/5bf66975", Signal::Success, "https://hc-ping.com/5bf66975"),
            ("https://hc-ping.com/5bf66975/", Signal::Failure, "https://hc-ping.com/5bf66975/fail"),
            ("https://hc.example/key/a%2Fb?create=1", Signal::Start, "https://hc.example/key/a%2Fb/start?create=1"),
            ("https://hc.example", Signal::Failure, "https://hc.example/fail"),
        ] {
            assert_eq!(with_signal(address.parse().unwrap(), signal).as_str(), asked);
        }
    }
}
