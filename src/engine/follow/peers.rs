//! Whom else to take a root from: followers that hold it, or began to take it before, as the sources say that are asked.
//!
//! What they say is authenticated by nothing. An address is asked only if it can mean the same machine here as there, and if who
//! answers there is the peer that was named.

use std::convert::Infallible;
use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cid::Cid;
use futures::future::join_all;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::sources::url_of;
use crate::ipns::Holding;
use crate::node::source::{HttpProviders, PeersFirst, Providers, Scope};

/// How often the sources are asked while a root is taken.
const ASK_INTERVAL: Duration = Duration::from_secs(5);
/// Most followers that are asked for blocks.
const MAX_PEERS: usize = 20;
/// Most addresses of one that are looked at.
const MAX_ADDRESSES: usize = 4;

/// The sources as routers, and the peers that they named.
#[derive(Debug)]
pub(super) struct Peers {
    routers: Vec<HttpProviders>,
    first: Arc<PeersFirst>,
}

impl Peers {
    pub(super) fn new(routers: Vec<HttpProviders>, first: Arc<PeersFirst>) -> Self {
        Self { routers, first }
    }

    /// Says that the root is taken, and takes it from the peers that are named, again and again. `asked` is told when that was done
    /// for the first time.
    pub(super) async fn keep(&self, root: &Cid, holding: Option<&Holding>, asked: &Notify) -> Infallible {
        // Who was named for another root may have nothing of this one.
        self.first.set_peers(&[]);
        if self.routers.is_empty() {
            asked.notify_one();
            return pending().await;
        }
        loop {
            let named = join_all(self.routers.iter().map(|router| self.ask(router, root, holding))).await;
            let mut urls: Vec<String> = Vec::new();
            for url in named.into_iter().flatten() {
                if !urls.contains(&url) && urls.len() < MAX_PEERS {
                    urls.push(url);
                }
            }
            self.first.set_peers(&urls);
            asked.notify_one();
            sleep(ASK_INTERVAL).await;
        }
    }

    /// Says what is held now.
    pub(super) async fn tell(&self, root: &Cid, holding: &Holding) {
        let telling = self.routers.iter().map(|router| router.providers(root, Some(holding)));
        for failure in join_all(telling).await.into_iter().filter_map(Result::err) {
            tracing::info!("can't say what is held: {failure}");
        }
    }

    /// The peers that one router names, as far as they are who they should be.
    async fn ask(&self, router: &HttpProviders, root: &Cid, holding: Option<&Holding>) -> Vec<String> {
        let mut providers = match router.providers(root, holding).await {
            Ok(providers) => providers,
            Err(error) => {
                tracing::info!("no other followers are known: {error}");
                return Vec::new();
            }
        };
        // A server names itself first. It is a source already, by the way that a person chose, which may lead through a proxy.
        if let Some((first, _)) = providers.peers.first()
            && is_peer_id(first)
            && router.is_peer(first).await.is_ok_and(|is_it| is_it)
        {
            providers.peers.remove(0);
        }
        let checks = named(&providers, holding).into_iter().map(|(id, url)| async move {
            let is_it = router.at(&url).is_peer(&id).await.is_ok_and(|is_it| is_it);
            is_it.then_some(url)
        });
        join_all(checks).await.into_iter().flatten().collect()
    }
}

/// The peers of an answer that may be asked, with their URLs.
fn named(providers: &Providers, holding: Option<&Holding>) -> Vec<(String, String)> {
    let Some(from) = providers.from.map(|from| from.ip()) else { return Vec::new() };
    let own = holding.map(|holding| holding.peer.peer_id());
    let all = providers.peers.iter().filter(|(id, _)| own.as_ref() != Some(id) && is_peer_id(id));
    let others = all.filter_map(|(id, addresses)| {
        let url = addresses.iter().take(MAX_ADDRESSES).find_map(|address| {
            let ip = ip_of(address)?;
            if Scope::is_of_use(ip, from) { url_of(address) } else { None }
        });
        Some((id.clone(), url?))
    });
    others.take(MAX_PEERS).collect()
}

/// The letters of which the text of a peer ID consists: it stands in a URL.
fn is_peer_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The address in a multiaddr that has one.
fn ip_of(address: &str) -> Option<IpAddr> {
    match address.split('/').collect::<Vec<_>>().as_slice() {
        ["", "ip4", ip, ..] => ip.parse().ok().map(IpAddr::V4),
        ["", "ip6", ip, ..] => ip.parse().ok().map(IpAddr::V6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_mean_the_same_here_are_asked() {
        let peer = |id: &str, addresses: &[&str]| (id.to_owned(), addresses.iter().map(ToString::to_string).collect());
        let peers = vec![
            peer("one", &["/dns/example.com/tcp/80/http", "/ip4/192.0.2.1/tcp/80/http"]),
            peer("two", &["/ip4/10.0.0.1/tcp/5050/http"]),
            peer("three", &["/ip6/::1/tcp/5050/tls/http"]),
            peer("four", &["/ip4/192.0.2.4/tcp/4001"]),
            peer("a/../b", &["/ip4/192.0.2.5/tcp/80/http"]),
            peer("six", &["/dns/localhost/tcp/80/http", "/ip4/0.0.0.0/tcp/80/http"]),
        ];
        let mut providers = Providers { from: None, peers };
        assert_eq!(named(&providers, None), []);
        for (from, expected) in [
            ("198.51.100.1:80", &["http://192.0.2.1:80"][..]),
            ("10.0.0.9:80", &["http://192.0.2.1:80", "http://10.0.0.1:5050"]),
            ("127.0.0.1:80", &["http://192.0.2.1:80", "http://10.0.0.1:5050", "https://[::1]:5050"]),
        ] {
            providers.from = from.parse().ok();
            let urls: Vec<String> = named(&providers, None).into_iter().map(|(_, url)| url).collect();
            assert_eq!(urls, expected);
        }
        providers.peers = (0..100).map(|number| peer(&number.to_string(), &["/ip4/127.0.0.1/tcp/80/http"])).collect();
        assert_eq!(named(&providers, None).len(), MAX_PEERS);
    }
}
