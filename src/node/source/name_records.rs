//! The signed record of an IPNS name, asked for over HTTP: at a router (specs.ipfs.tech/routing/http-routing-v1, "IPNS API") or at
//! a trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway, "IPNS Record Responses").
//!
//! Who answers is believed nothing: a record is bytes here, to be verified by whoever wants to know what it says. A question
//! that was answered before is asked with the answer's `ETag`, so that no news is one small answer.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::{Client, Response, StatusCode, Url};

use crate::error::{Error, Kind, Result};
use crate::http::body_within;
use crate::ipns::{Holding, MAX_RECORD_BYTES, Name};
use crate::text::{printable, printable_within};

/// The media type of a record.
const RECORD_TYPE: &str = "application/vnd.ipfs.ipns-record";
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: a gateway may search the network for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 3;
/// The longest `ETag` that is sent back.
const MAX_ETAG_BYTES: usize = 256;

/// What somebody says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameAnswer {
    /// What they say is its record.
    Record(Bytes),
    /// The same as the last time.
    Unchanged,
    /// They know none.
    Unknown,
}

/// Somebody who may have the records of names.
#[async_trait]
pub trait NameRecords: fmt::Debug + Send + Sync {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// The newest record that they have.
    async fn record(&self, name: &Name) -> Result<NameAnswer>;

    /// What they gave last was not taken: the next answer has to be a whole one.
    fn forget(&self) {}

    /// Tells them from now on, where they want to know it, what whoever asks holds.
    fn tell(&self, _: &Holding) {}
}

/// A router or a gateway, whichever the address is.
pub struct HttpRecords {
    client: Client,
    base: String,
    known: Mutex<Known>,
    holding: Mutex<Option<HeaderValue>>,
}

/// How it was asked last, and what it said then.
#[derive(Debug, Clone, Default)]
struct Known {
    /// The path that gave a record.
    path: Option<String>,
    etag: Option<HeaderValue>,
}

impl fmt::Debug for HttpRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRecords").field("base", &self.place()).finish_non_exhaustive()
    }
}

impl HttpRecords {
    /// A router, a gateway or both at this address, such as `https://registry.example.com`.
    pub fn new(address: &str) -> Result<Self> {
        let wrong = || {
            let shown = printable_within(address.rsplit('@').next().unwrap_or_default(), 200);
            Error::new(Kind::Usage, format!("`{shown}` is not the URL of a gateway"))
        };
        let url: Url = address.parse().map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong());
        }
        let client = crate::http::client()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(crate::http::safe_redirects(MAX_REDIRECTS))
            .build()
            .map_err(|error| Error::new(Kind::Unexpected, "can't create an HTTP client").caused_by(error))?;
        let base = url.as_str().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned();
        Ok(Self { client, base, known: Mutex::default(), holding: Mutex::default() })
    }

    /// The address, for people.
    pub fn base(&self) -> String {
        printable(&self.base)
    }

    /// Gives a record to the router. Fails with `Network` where it does not take it.
    pub async fn put(&self, name: &Name, record: Bytes) -> Result<()> {
        let request = self.client.put(format!("{}/routing/v1/ipns/{name}", self.base));
        let answer = request.header(CONTENT_TYPE, RECORD_TYPE).body(record).send().await;
        let answer = answer
            .map_err(|error| Error::new(Kind::Network, "it could not be asked").caused_by(error.without_url()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(Error::new(Kind::Network, format!("it answered {}", status.as_u16()))),
        }
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    async fn ask(&self, path: &str, etag: Option<&HeaderValue>) -> Result<NameAnswer> {
        let mut request = self.client.get(format!("{}{path}", self.base)).header(ACCEPT, RECORD_TYPE);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let holding = self.holding.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(holding) = holding {
            request = request.header(Holding::FIELD, holding);
        }
        let failed = |error: reqwest::Error| {
            Error::new(Kind::Network, format!("{} could not be asked for the name", self.place()))
                .caused_by(error.without_url())
        };
        let mut response = request.send().await.map_err(failed)?;
        match response.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => Ok(NameAnswer::Unchanged),
            StatusCode::OK if is_record(&response) => {
                let etag = response.headers().get(ETAG).filter(|etag| etag.len() <= MAX_ETAG_BYTES).cloned();
                let Some(record) = body_within(&mut response, MAX_RECORD_BYTES).await.map_err(failed)? else {
                    let words = format!("{} sent more than 10 KiB for a record", self.place());
                    return Err(Error::new(Kind::Verification, words));
                };
                self.remember(Known { path: Some(path.to_owned()), etag });
                Ok(NameAnswer::Record(record))
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                let words = format!("{} answered {} for the name", self.place(), status.as_u16());
                Err(Error::new(Kind::Network, words))
            }
            // Routers that know no record say so with another type, and 404 says the same.
            _ => Ok(NameAnswer::Unknown),
        }
    }
}

fn is_record(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.split(';').next().unwrap_or_default().trim() == RECORD_TYPE)
}

#[async_trait]
impl NameRecords for HttpRecords {
    fn place(&self) -> String {
        self.base()
    }

    async fn record(&self, name: &Name) -> Result<NameAnswer> {
        let paths = [format!("/routing/v1/ipns/{name}"), format!("/ipns/{name}?format=ipns-record")];
        let known = self.known();
        // What gave one before is asked first, and alone while it does.
        let before = known.path.filter(|path| paths.contains(path));
        if let Some(path) = &before {
            match self.ask(path, known.etag.as_ref()).await? {
                NameAnswer::Unknown => self.remember(Known::default()),
                answer => return Ok(answer),
            }
        }
        let mut failure = None;
        for path in paths.iter().filter(|path| Some(*path) != before.as_ref()) {
            match self.ask(path, None).await {
                Ok(NameAnswer::Unknown) => {}
                Ok(answer) => return Ok(answer),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(NameAnswer::Unknown), Err)
    }

    fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).etag = None;
    }

    fn tell(&self, holding: &Holding) {
        let said = HeaderValue::try_from(holding.to_string()).ok();
        *self.holding.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::extract::{Request, State};
    use axum::http::StatusCode as Status;
    use axum::http::header::LOCATION;
    use axum::response::{IntoResponse as _, Response as Answer};

    use super::*;
    use crate::ipns::PrivateKey;

    type Answers = Box<dyn Fn(&str, Option<&str>) -> Answer + Send + Sync>;

    struct Server {
        answers: Answers,
        asked: Mutex<Vec<String>>,
    }

    impl Server {
        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut *self.asked.lock().unwrap())
        }
    }

    async fn answer(State(server): State<Arc<Server>>, request: Request) -> Answer {
        let path = request.uri().to_string();
        server.asked.lock().unwrap().push(path.split('/').nth(1).unwrap().to_owned());
        let kind = if request.method() == "PUT" { CONTENT_TYPE } else { ACCEPT };
        assert_eq!(request.headers()[kind], RECORD_TYPE);
        let etag = request.headers().get(IF_NONE_MATCH).map(|etag| etag.to_str().unwrap());
        (server.answers)(&path, etag)
    }

    async fn serve(answers: Answers) -> (HttpRecords, Arc<Server>) {
        let server = Arc::new(Server { answers, asked: Mutex::default() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&server));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (HttpRecords::new(&format!("http://{address}/")).unwrap(), server)
    }

    fn record(bytes: &'static [u8]) -> Answer {
        ([(CONTENT_TYPE, RECORD_TYPE), (ETAG, "\"one\"")], bytes).into_response()
    }

    #[tokio::test]
    async fn no_news_is_one_request_by_the_path_that_answered_before() {
        let name = PrivateKey::generate().unwrap().name();
        let (records, server) = serve(Box::new(|path, etag| match etag {
            Some("\"one\"") => Status::NOT_MODIFIED.into_response(),
            // IPIP-513: a router that knows none.
            _ if path.starts_with("/routing") => "no record".into_response(),
            _ if path.ends_with("?format=ipns-record") => record(b"a record"),
            _ => Status::NOT_FOUND.into_response(),
        }))
        .await;
        assert_eq!(records.record(&name).await.unwrap(), NameAnswer::Record(Bytes::from_static(b"a record")));
        assert_eq!(server.asked(), ["routing", "ipns"]);
        assert_eq!(records.record(&name).await.unwrap(), NameAnswer::Unchanged);
        assert_eq!(server.asked(), ["ipns"]);
        records.forget();
        assert!(matches!(records.record(&name).await.unwrap(), NameAnswer::Record(_)));
    }

    #[tokio::test]
    async fn a_router_takes_a_record_or_says_that_it_does_not() {
        let name = PrivateKey::generate().unwrap().name();
        let expected = format!("/routing/v1/ipns/{name}");
        let (router, server) = serve(Box::new(move |path, _| {
            assert_eq!(path, expected);
            Status::OK.into_response()
        }))
        .await;
        router.put(&name, Bytes::from_static(b"a record")).await.unwrap();
        assert_eq!(server.asked(), ["routing"]);
        let (router, _) = serve(Box::new(|_, _| Status::FORBIDDEN.into_response())).await;
        let refused = router.put(&name, Bytes::from_static(b"a record")).await.unwrap_err();
        assert_eq!((refused.kind(), refused.to_string().as_str()), (Kind::Network, "it answered 403"));
    }

    #[tokio::test]
    async fn what_is_too_large_unknown_or_elsewhere_is_no_record() {
        static LARGE: [u8; MAX_RECORD_BYTES + 1] = [0; MAX_RECORD_BYTES + 1];
        let name = PrivateKey::generate().unwrap().name();
        let (records, _) = serve(Box::new(|_, _| record(&LARGE))).await;
        assert_eq!(records.record(&name).await.unwrap_err().kind(), Kind::Verification);
        let (records, server) = serve(Box::new(|_, _| Status::NOT_FOUND.into_response())).await;
        assert_eq!(records.record(&name).await.unwrap(), NameAnswer::Unknown);
        assert_eq!(server.asked(), ["routing", "ipns"]);
        let away = |_: &str, _: Option<&str>| (Status::FOUND, [(LOCATION, "file:///etc/passwd")]).into_response();
        let (records, _) = serve(Box::new(away)).await;
        assert!(!matches!(records.record(&name).await, Ok(NameAnswer::Record(_))));
        let (records, _) = serve(Box::new(|_, _| Status::SERVICE_UNAVAILABLE.into_response())).await;
        assert_eq!(records.record(&name).await.unwrap_err().kind(), Kind::Network);
    }
}
