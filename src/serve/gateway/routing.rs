//! Answers about who has what: delegated routing v1 (specs.ipfs.tech/routing/http-routing-v1).
//!
//! Everything that is given out can be had from the same few peers, so each answer is all of them or none; of a root also from
//! followers, which an asker that follows is told of as it goes on (`serve/announced.rs`). None is an answer
//! with an empty list and status 200 (IPIP-513), which clients of every age understand: 404 is for those that came before.

use std::sync::Arc;
use std::time::SystemTime;

use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LAST_MODIFIED, VARY};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::super::body::Body;
use super::accept::accepted;
use super::block_reader::size;
use super::content::Asked;
use super::headers::{allow_origins, put};
use super::names::key_multihash;
use super::published_blocks::Provider;
use super::records;
use super::refusal::Refusal;
use super::request::parse_cid;
use super::turns::Turns;
use super::walk::is_inline;

const JSON_TYPE: &str = "application/json";
const NDJSON_TYPE: &str = "application/x-ndjson";
/// A browser may ask; it has nothing to put.
pub(super) const METHODS: &str = "GET, OPTIONS";
/// The most records in one answer ("Response Body").
const MAX_PROVIDERS: usize = 100;
/// The most words of a filter that are looked at.
const MAX_FILTER_WORDS: usize = 32;

/// The answer to a request below `/routing/v1/`.
pub(super) async fn route<B>(
    turns: &Arc<Turns>,
    asked: &Asked<'_>,
    below: &str,
    body: B,
) -> Result<Response<Body>, Refusal>
where
    B: http_body::Body<Data = Bytes>,
{
    // Names and CIDs have neither slashes nor signs that would have to be escaped.
    let (what, name) = below.split_once('/').unwrap_or((below, ""));
    let is_get = matches!(*asked.method, Method::GET | Method::HEAD);
    match what {
        "providers" if is_get => providers(turns, asked, name).await,
        "peers" if is_get => peers(turns, asked, name),
        "ipns" if is_get => records::routed(turns, asked, name, METHODS).await,
        "ipns" if asked.method == Method::PUT => records::put_record(turns, asked, name, body, METHODS).await,
        "providers" | "peers" | "ipns" => {
            Err(not_done("this router answers questions, and takes records of its own names"))
        }
        "dht" => Err(not_done("this router asks no DHT")),
        _ => Err(Refusal::bad("below `/routing/v1/` there are `providers`, `peers` and `ipns`")),
    }
}

/// "Error Codes".
fn not_done(message: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_IMPLEMENTED, message)
}

/// What breaks the rules of the schema.
fn unprocessable(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message)
}

async fn providers(turns: &Arc<Turns>, asked: &Asked<'_>, cid: &str) -> Result<Response<Body>, Refusal> {
    let cid = parse_cid(cid).ok_or_else(|| unprocessable("what follows `/routing/v1/providers/` is no CID"))?;
    // What is in the CID itself is nowhere else.
    let is_given_out = turns.ask(asked.peer, move |source| Ok(!is_inline(&cid) && size(source, &cid)?.is_some()));
    let is_given_out = is_given_out.await?.map_err(|error: crate::error::Error| Refusal::from(error))?;
    if !is_given_out {
        return answer(asked, "Providers", Vec::new());
    }
    let asker = asked.asker();
    let mut all = turns.source().providers();
    all.extend(turns.source().peers_with(&cid, &asker));
    let mut response = answer(asked, "Providers", all)?;
    if asker.holding.is_some() {
        // Another one is told of others.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

fn peers(turns: &Turns, asked: &Asked<'_>, id: &str) -> Result<Response<Body>, Refusal> {
    let key = key_multihash(id).ok_or_else(|| unprocessable("what follows `/routing/v1/peers/` is no peer ID"))?;
    let mut all = turns.source().providers();
    all.retain(|provider| key_multihash(&provider.id).as_ref() == Some(&key));
    answer(asked, "Peers", all)
}

fn answer(asked: &Asked<'_>, list: &str, mut providers: Vec<Provider>) -> Result<Response<Body>, Refusal> {
    let accepted = accepted(asked.headers);
    // A stream only for who asks for one by its name ("Streaming").
    let is_stream = accepted.iter().any(|accepted| accepted.is(NDJSON_TYPE));
    if !is_stream && !accepted.is_empty() && !accepted.iter().any(|accepted| accepted.covers(JSON_TYPE)) {
        let words = format!("answers here are `{JSON_TYPE}` or `{NDJSON_TYPE}`");
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, words));
    }
    Filters::parse(asked.uri.query()).apply(&mut providers);
    providers.truncate(MAX_PROVIDERS);
    let records: Vec<Value> = providers.iter().map(record).collect();
    let text = if is_stream {
        let lines: Vec<String> = records.iter().map(|record| format!("{record}\n")).collect();
        lines.concat()
    } else {
        json!({ list: records }).to_string()
    };
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    allow_origins(headers, METHODS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(if is_stream { NDJSON_TYPE } else { JSON_TYPE }));
    headers.insert(CONTENT_LENGTH, text.len().into());
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    // What is published next must be found soon. The times are those of boxo's server.
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static(if records.is_empty() {
            "public, max-age=15, stale-while-revalidate=60, stale-if-error=3600"
        } else {
            "public, max-age=300, stale-while-revalidate=600, stale-if-error=172800"
        }),
    );
    put(headers, LAST_MODIFIED, httpdate::fmt_http_date(SystemTime::now()), usize::MAX);
    if asked.method != Method::HEAD {
        *response.body_mut() = Body::Bytes(text.into());
    }
    Ok(response)
}

/// "Peer Schema".
fn record(provider: &Provider) -> Value {
    json!({
        "Schema": "peer",
        "ID": provider.id,
        "Addrs": provider.addresses,
        "Protocols": provider.protocols,
    })
}

/// Which peers and addresses are wanted (IPIP-484).
#[derive(Debug, Default)]
struct Filters {
    addresses: Vec<String>,
    protocols: Vec<String>,
}

impl Filters {
    fn parse(query: Option<&str>) -> Self {
        let mut read = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let field = match &*key {
                "filter-addrs" => &mut read.addresses,
                "filter-protocols" => &mut read.protocols,
                _ => continue,
            };
            let words = value.split(',').filter(|word| !word.is_empty()).map(str::to_lowercase);
            *field = words.take(MAX_FILTER_WORDS).collect();
        }
        read
    }

    fn apply(&self, providers: &mut Vec<Provider>) {
        if !self.protocols.is_empty() {
            providers.retain(|provider| self.wants_protocols(&provider.protocols));
        }
        if self.addresses.is_empty() {
            return;
        }
        let wants_unknown = self.addresses.iter().any(|word| word == "unknown");
        providers.retain_mut(|provider| {
            if provider.addresses.is_empty() {
                return wants_unknown;
            }
            provider.addresses.retain(|address| self.wants_address(address));
            !provider.addresses.is_empty()
        });
    }

    fn wants_protocols(&self, protocols: &[String]) -> bool {
        self.protocols.iter().any(|word| {
            word == "unknown" && protocols.is_empty() || protocols.iter().any(|own| own.eq_ignore_ascii_case(word))
        })
    }

    /// By the names of its protocols: none of those with `!`, and one of the others, if there are any.
    fn wants_address(&self, address: &str) -> bool {
        let has = |word: &str| address.split('/').any(|part| part.eq_ignore_ascii_case(word));
        let mut positive = self.addresses.iter().filter(|word| !word.starts_with('!')).peekable();
        let is_refused = self.addresses.iter().filter_map(|word| word.strip_prefix('!')).any(has);
        !is_refused && (positive.peek().is_none() || positive.any(|word| has(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(query: &str) -> Vec<(String, usize)> {
        let provider = |id: &str, addresses: &[&str], protocols: &[&str]| Provider {
            id: id.to_owned(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            protocols: protocols.iter().map(ToString::to_string).collect(),
        };
        let mut providers = vec![
            provider(
                "http",
                &["/ip4/192.0.2.1/tcp/443/tls/http", "/ip6/2001:db8::1/tcp/443/tls/http"],
                &["transport-ipfs-gateway-http"],
            ),
            provider("swarm", &["/ip4/192.0.2.1/udp/4001/quic-v1"], &["transport-bitswap"]),
            provider("silent", &[], &[]),
        ];
        Filters::parse(Some(query)).apply(&mut providers);
        providers.into_iter().map(|provider| (provider.id, provider.addresses.len())).collect()
    }

    #[test]
    fn filters() {
        let cases: [(&str, &[(&str, usize)]); 11] = [
            ("", &[("http", 2), ("swarm", 1), ("silent", 0)]),
            ("filter-addrs=&filter-protocols=", &[("http", 2), ("swarm", 1), ("silent", 0)]),
            ("filter-protocols=transport-bitswap", &[("swarm", 1)]),
            ("filter-protocols=unknown,Transport-Bitswap", &[("swarm", 1), ("silent", 0)]),
            ("filter-protocols=transport-ipfs-gateway-http%2Cunknown", &[("http", 2), ("silent", 0)]),
            ("filter-addrs=tls", &[("http", 2)]),
            ("filter-addrs=ip6,unknown", &[("http", 1), ("silent", 0)]),
            ("filter-addrs=!ip6", &[("http", 1), ("swarm", 1)]),
            ("filter-addrs=!ip6,!QUIC-v1", &[("http", 1)]),
            ("filter-addrs=tcp,!ip4", &[("http", 1)]),
            ("filter-addrs=webtransport", &[]),
        ];
        for (query, expected) in cases {
            let found = filtered(query);
            let found: Vec<_> = found.iter().map(|(id, count)| (id.as_str(), *count)).collect();
            assert_eq!(found, expected, "{query}");
        }
    }
}
