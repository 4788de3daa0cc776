//! Blocks over HTTP: from a trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway) or the RPC of a Kubo node.
//!
//! Both answer one raw block for one request, and gateways also the blocks of a whole file; what differs is how the request
//! is made. A Kubo node may search the network for what it lacks, and so may a gateway: that is why answers may take long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};

use super::{BlockSource, FileBlocks, inline};
use crate::error::{Context as _, Error, Kind, Result};
use crate::http::body_within;
use crate::node::kubo::{Authorisation, is_loopback};
use crate::text::{printable, printable_within};
use crate::unixfs::{MAX_BLOCK_BYTES, verify_block};

/// How often a block is asked for in all.
const MAX_TRIES: u32 = 4;
/// The first pause before it is asked for again; each further one is twice as long.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(300);
/// The longest pause that is waited when the other side asks for one.
const MAX_RETRY_DELAY: Duration = Duration::from_mins(1);
/// How long nothing may come while a block is waited for: gateways search the network for up to a minute.
const READ_TIMEOUT: Duration = Duration::from_secs(90);
/// Most bytes that are read of an answer that says why there is no block.
const MAX_REASON_BYTES: usize = 4 << 10;
/// A CAR in the order in which a file is read, each block as often as it is (IPIP-412).
const CAR: &str = "application/vnd.ipld.car; version=1; order=dfs; dups=y";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Gateway,
    Kubo,
}

/// A gateway or a node that gives out blocks.
pub struct HttpBlocks {
    client: Client,
    base: Url,
    dialect: Dialect,
    authorization: Option<HeaderValue>,
    /// It does not give the blocks of a whole file in one answer, or is not worth asking for them.
    only_blocks: AtomicBool,
    /// How often it is asked for a block in all.
    tries: u32,
}

impl std::fmt::Debug for HttpBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpBlocks")
            .field("base", &self.place())
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

impl HttpBlocks {
    /// A trustless gateway at this address, such as `https://ipfs.io`; `secret` is what it wants to see, written as for a node.
    pub fn gateway(address: &str, secret: Option<&str>) -> Result<Self> {
        Self::new(address, Dialect::Gateway, secret)
    }

    /// The RPC of a Kubo node at this address, such as `http://127.0.0.1:5001`, with or without `/api/v0` at its end.
    /// `secret` is what it wants to see, as its `API.Authorizations` has it: `bearer:TOKEN`, `basic:USER:PASSWORD`, or a token.
    pub fn kubo(address: &str, secret: Option<&str>) -> Result<Self> {
        Self::new(address.trim_end_matches('/').trim_end_matches("/api/v0"), Dialect::Kubo, secret)
    }

    /// One of several peers, all asked by this client, for a block once. `address` is `http://IP:PORT` or `https://IP:PORT`.
    pub(super) fn peer(client: &Client, address: &str) -> Result<Self> {
        let base: Url = address.parse().map_err(|_| Error::new(Kind::Usage, "invalid address of a peer"))?;
        let only_blocks = AtomicBool::new(is_loopback(&base));
        Ok(Self { client: client.clone(), base, dialect: Dialect::Gateway, authorization: None, only_blocks, tries: 1 })
    }

    fn new(address: &str, dialect: Dialect, secret: Option<&str>) -> Result<Self> {
        let wrong = |why: &str| {
            // What stands before an `@` may be a password.
            let shown = address.rsplit('@').next().unwrap_or_default();
            Error::new(Kind::Usage, format!("invalid gateway or node URL `{}`: {why}", printable_within(shown, 200)))
        };
        let base: Url = address.parse().map_err(|_| wrong("it is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("it must begin with http:// or https://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("it contains credentials")
                .hint("Put `basic:USER:PASSWORD` in a file and name it with `--auth-file`."));
        }
        let client = crate::http::client()
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(READ_TIMEOUT)
            // Gateways send browsers, and some everyone, to a host of the CID's own.
            .redirect(match dialect {
                Dialect::Gateway => crate::http::safe_redirects(3),
                Dialect::Kubo => reqwest::redirect::Policy::none(),
            })
            .build()
            .map_err(|error| Error::new(Kind::Unexpected, "can't create an HTTP client").caused_by(error))?;
        let authorization = secret.map(Authorisation::parse).transpose()?.map(|secret| secret.header);
        // On this machine nothing is gained by fewer questions, and blocks are read by several at a time: 1.3 to 2 times as fast.
        let only_blocks = dialect == Dialect::Kubo || is_loopback(&base);
        Ok(Self { client, base, dialect, authorization, only_blocks: AtomicBool::new(only_blocks), tries: MAX_TRIES })
    }

    /// The same, which is asked once for each block: for whoever can ask somebody else.
    #[must_use]
    pub fn asked_once(mut self) -> Self {
        self.tries = 1;
        self
    }

    /// What it says that a path such as `/ipns/k51…` means, by its own resolvers.
    pub async fn resolve(&self, path: &str) -> Result<String> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Resolved {
            path: String,
        }
        let shown = printable_within(path, 200);
        let kind = if self.dialect == Dialect::Kubo { Kind::Node } else { Kind::Network };
        let failed = |why: String| Error::new(kind, format!("{} can't resolve {shown}: {why}", self.place()));
        let request = match self.dialect {
            Dialect::Kubo => {
                let mut url = self.url("api/v0/resolve")?;
                url.query_pairs_mut().append_pair("arg", path).append_pair("recursive", "true");
                self.client.post(url)
            }
            Dialect::Gateway => {
                let url = self.url(&format!("{}?format=raw", path.trim_start_matches('/')))?;
                self.client.get(url).header(ACCEPT, "application/vnd.ipld.raw")
            }
        };
        let sent = self.authorized(request).send().await;
        let mut response = sent.map_err(|error| failed("it does not answer".into()).caused_by(error.without_url()))?;
        let status = response.status();
        if status == StatusCode::OK && self.dialect == Dialect::Gateway {
            // One root for a name without a path below it (path gateway specification, X-Ipfs-Roots).
            let roots = response.headers().get("x-ipfs-roots").and_then(|roots| roots.to_str().ok());
            let root = roots.filter(|roots| !roots.contains(','));
            return root.map(|root| format!("/ipfs/{}", root.trim())).ok_or_else(|| failed("it names no root".into()));
        }
        let body = body_within(&mut response, MAX_REASON_BYTES).await.ok().flatten().unwrap_or_default();
        if status != StatusCode::OK {
            let error = failed(format!("{}{}", status.as_u16(), after_colon(&self.said(&body))));
            return Err(if is_refusal(status) { self.refused(error.to_string()) } else { error });
        }
        let resolved: Resolved =
            serde_json::from_slice(&body).map_err(|error| failed("can't read its answer".into()).caused_by(error))?;
        Ok(resolved.path)
    }

    fn url(&self, path: &str) -> Result<Url> {
        let base = self.base.as_str().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        format!("{base}/{path}").parse().map_err(|_| Error::new(Kind::Usage, format!("invalid URL {}", self.place())))
    }

    fn request(&self, cid: &Cid) -> Result<RequestBuilder> {
        let request = match self.dialect {
            Dialect::Gateway => {
                self.client.get(self.url(&format!("ipfs/{cid}?format=raw"))?).header(ACCEPT, "application/vnd.ipld.raw")
            }
            Dialect::Kubo => self.client.request(Method::POST, self.url(&format!("api/v0/block/get?arg={cid}"))?),
        };
        Ok(self.authorized(request))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }

    /// The error of one who wants credentials, or other ones.
    fn refused(&self, words: impl Into<String>) -> Error {
        Error::new(Kind::Auth, words).hint(if self.authorization.is_some() {
            "It refuses the secret in that file, or does not allow it to read blocks."
        } else {
            "If it needs credentials, name the file that has them: `--auth-file FILE`."
        })
    }

    /// Asks for the blocks of a file; nothing where that is not answered by them.
    async fn ask_for_file(&self, cid: &Cid, from: u64) -> Result<Option<Response>> {
        let query = format!("format=car&dag-scope=entity&entity-bytes={from}:*&car-order=dfs&car-dups=y");
        let request = self.client.get(self.url(&format!("ipfs/{cid}?{query}"))?).header(ACCEPT, CAR);
        // Whatever goes wrong, a single block is asked for next, and says what it is.
        let Ok(response) = self.authorized(request).send().await else { return Ok(None) };
        let status = response.status();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_car = content_type.is_some_and(|value| value.starts_with("application/vnd.ipld.car"));
        if status == StatusCode::OK && is_car {
            return Ok(Some(response));
        }
        let is_other_answer = status == StatusCode::OK
            || (status.is_client_error()
                && !matches!(
                    status,
                    StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                ))
            || status == StatusCode::NOT_IMPLEMENTED;
        if is_other_answer {
            tracing::info!("{} answers {status} for a whole file; it is asked for single blocks", self.place());
            self.only_blocks.store(true, Ordering::Relaxed);
        }
        Ok(None)
    }

    /// Asks once. An error comes with how long to wait before asking again, if that can help.
    async fn ask(&self, cid: &Cid, failures: u32) -> Result<Option<Bytes>, (Error, Option<Duration>)> {
        let backoff = Some(FIRST_RETRY_DELAY * 2_u32.saturating_pow(failures));
        let never = |error: Error| (error, None);
        let failed = |error: reqwest::Error| {
            let error = error.without_url();
            (
                Error::new(Kind::Network, format!("{} could not be asked for block {cid}", self.place()))
                    .caused_by(error),
                backoff,
            )
        };
        let mut response = self.request(cid).map_err(never)?.send().await.map_err(failed)?;
        let status = response.status();
        if status == StatusCode::OK {
            let bytes = body_within(&mut response, MAX_BLOCK_BYTES).await.map_err(failed)?;
            let Some(bytes) = bytes else {
                let words = format!("{} sent more than 2 MiB for block {cid}", self.place());
                return Err(never(Error::new(Kind::Verification, words)));
            };
            return match verify_block(cid, &bytes) {
                Ok(()) => Ok(Some(bytes)),
                Err(error) => Err(never(error.context(self.place()))),
            };
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let said = body_within(&mut response, MAX_REASON_BYTES).await.ok().flatten().unwrap_or_default();
        let said = self.said(&said);
        if status == StatusCode::NOT_FOUND || said.contains("could not find") || said.contains("not found") {
            return Ok(None);
        }
        let words = format!("{} answered {} for block {cid}{}", self.place(), status.as_u16(), after_colon(&said));
        Err(match status {
            status if is_refusal(status) => never(self.refused(words)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let pause = asked.map_or(backoff, |seconds| Some(Duration::from_secs(seconds)));
                (Error::new(Kind::Network, words), pause.filter(|pause| *pause <= MAX_RETRY_DELAY))
            }
            status if status.is_server_error() => (Error::new(Kind::Network, words), backoff),
            _ => never(Error::new(Kind::Network, words)),
        })
    }

    /// The words of an answer that is no block.
    fn said(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let message = match self.dialect {
            Dialect::Kubo => serde_json::from_str::<serde_json::Value>(&text)
                .ok()
                .and_then(|value| value.get("Message")?.as_str().map(str::to_owned)),
            Dialect::Gateway => None,
        };
        printable_within(message.as_deref().unwrap_or(&text).trim(), 200)
    }
}

fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

#[async_trait]
impl BlockSource for HttpBlocks {
    fn place(&self) -> String {
        let text = self.base.as_str().split(['?', '#']).next().unwrap_or_default();
        printable(text.trim_end_matches('/'))
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        if let Some(bytes) = inline(cid) {
            return Ok(Some(bytes));
        }
        let mut failures = 0;
        loop {
            match self.ask(cid, failures).await {
                Ok(block) => return Ok(block),
                Err((error, Some(pause))) if failures + 1 < self.tries => {
                    tracing::info!("{error}; trying again in {pause:?}");
                    failures += 1;
                    tokio::time::sleep(pause).await;
                }
                Err((error, _)) => return Err(error).context(|| "blocks can't be fetched"),
            }
        }
    }

    async fn file(&self, cid: &Cid, from: u64) -> Option<FileBlocks> {
        if self.only_blocks.load(Ordering::Relaxed) {
            return None;
        }
        let answer = self.ask_for_file(cid, from).await.ok().flatten()?;
        Some(FileBlocks::of(answer))
    }

    fn at_once(&self) -> usize {
        4
    }
}
