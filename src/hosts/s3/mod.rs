//! A bucket that speaks the S3 API: AWS, R2, B2, GCS with HMAC keys, MinIO, versitygw and others.
//!
//! Needed of it: PutObject with conditions and checksums, GetObject, ListObjectsV2, DeleteObject, uploads in parts, CopyObject. `rusty-s3`
//! signs, requests are our own. Knows the protocol; must not know what is stored, nor in which order.
//!
//! | file | knows |
//! |---|---|
//! | [`address`], [`credentials`] | where a bucket is, and with what requests are signed |
//! | `request` | one request: signed, sent, tried again |
//! | `documents`, `failure` | the XML of answers, and refusals in words |
//! | `parts` | large objects: sent in parts, anew after a cut |
//! | `trial` | what of all this a host can do |

pub mod address;
pub mod credentials;
mod documents;
mod failure;
mod parts;
mod request;
#[cfg(test)]
mod tests;
mod trial;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Client, Method};
use rusty_s3::{Bucket, UrlStyle};
use url::{Host as UrlHost, Url};

use self::address::Address;
use self::credentials::Credentials;
use self::request::{Payload, Request};
use super::{
    ByteStream, Condition, Content, CopyObjects, Host, HostStatus, Object, Openness, Page, Read, Stored, Tried, Uploads,
};
use crate::error::{Error, Kind, Result};
use crate::text::{bytes, printable_within};

/// From this size on an object is sent in parts.
const MIN_PARTED_BYTES: u64 = 64 << 20;
/// The largest object that one request copies, in bytes (AWS S3 API Reference, "CopyObject").
const MAX_COPIED_BYTES: u64 = 5 << 30;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may come of an answer that has begun.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// What a host answers to a header that it does not know (AWS S3 API Reference, `NotImplemented`).
const STATUS_NOT_IMPLEMENTED: u16 = 501;
/// The pause before a request is sent for the second time; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// Which bucket, and how it is reached.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The bucket, and what keys begin with.
    pub address: Address,
    /// Where requests go; none: AWS.
    pub endpoint: Option<Url>,
    /// The region that signatures name.
    pub region: String,
    /// With what requests are signed.
    pub credentials: Option<Credentials>,
    /// The pause before a request is sent for the second time; none: a third of a second.
    pub first_pause: Option<Duration>,
}

/// A bucket, or what is below a prefix in it.
#[derive(Debug)]
pub struct S3 {
    place: String,
    client: Client,
    bucket: Bucket,
    prefix: String,
    credentials: Option<Credentials>,
    first_pause: Duration,
    /// It does not know conditions, and said so.
    without_conditions: AtomicBool,
    /// Requests that were sent.
    requests: AtomicU64,
}

impl S3 {
    /// Nobody is asked yet.
    pub fn new(options: S3Options) -> Result<Self> {
        let S3Options { address, endpoint, region, credentials, first_pause } = options;
        let endpoint_of_aws = address::endpoint_of(&region)?;
        // A dot in a bucket's name is one label too many for AWS's certificates, and addresses have no names below them.
        let style = match &endpoint {
            None if !address.bucket.contains(['.', '_']) => UrlStyle::VirtualHost,
            _ => UrlStyle::Path,
        };
        let place = address.text();
        let bucket = Bucket::new(endpoint.unwrap_or(endpoint_of_aws), style, address.bucket, region)
            .map_err(|error| Error::new(Kind::Usage, format!("invalid endpoint of {place}")).caused_by(error))?;
        let client = crate::http::client()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(|error| Error::new(Kind::Unexpected, "can't ask buckets").caused_by(error))?;
        let first_pause = first_pause.unwrap_or(FIRST_PAUSE);
        let without_conditions = AtomicBool::new(false);
        Ok(Self {
            place,
            client,
            bucket,
            prefix: address.prefix,
            credentials,
            first_pause,
            without_conditions,
            requests: AtomicU64::new(0),
        })
    }

    fn request(&self, method: Method, key: &str) -> Request<'_> {
        Request::new(method, format!("{}{key}", self.prefix))
    }

    fn check_key(&self, key: &str) -> Result<()> {
        let whole = self.prefix.len() + key.len();
        if whole > address::MAX_KEY_BYTES {
            return Err(Error::new(
                Kind::Usage,
                format!("the key {} is longer than {} bytes", printable_within(key, 200), address::MAX_KEY_BYTES),
            )
            .hint("Publish below a shorter prefix."));
        }
        if key.is_empty() || key.split('/').any(|part| part == "." || part == "..") {
            return Err(Error::new(Kind::Unexpected, format!("`{}` can't be a key", printable_within(key, 200))));
        }
        Ok(())
    }

    /// The headers that an object is stored with.
    fn headers(object: &Object) -> Vec<(&'static str, String)> {
        let mut headers =
            vec![("content-type", object.content_type.clone()), ("cache-control", object.caching.header().to_owned())];
        if let Some(digest) = &object.manifest_digest {
            headers.push(("x-amz-meta-docker-content-digest", digest.clone()));
        }
        headers
    }

    async fn list_page(&self, after: Option<&str>, anonymous: bool) -> Result<Page> {
        let mut request = Request::new(Method::GET, String::new());
        request.query = vec![("list-type", "2".to_owned()), ("prefix", self.prefix.clone())];
        request.anonymous = anonymous;
        if let Some(after) = after {
            request.query.push(("continuation-token", after.to_owned()));
        }
        let doing = format!("can't list {}", self.place);
        let answer = self.document(&request, &doing).await?;
        documents::page(&answer, &self.prefix).map_err(|error| error.context(doing))
    }

    fn tag_header(answer: &request::Answer) -> String {
        documents::tag_of(answer.header("etag").unwrap_or_default())
    }

    async fn get(&self, key: &str, anonymous: bool) -> Result<Option<request::Answer>> {
        self.check_key(key)?;
        let mut request = self.request(Method::GET, key);
        request.anonymous = anonymous;
        let doing = format!("can't read {key}");
        let answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        match answer.status {
            status if failure::is_missing(status) => {
                // That the bucket is not there is no answer about a key.
                let error = self.refused(answer, &doing).await;
                if error.kind() == Kind::NotFound { Err(error) } else { Ok(None) }
            }
            _ if answer.is_success() => Ok(Some(answer)),
            _ => Err(self.refused(answer, &doing).await),
        }
    }

    async fn put_whole(&self, object: &Object, payload: Payload<'_>, condition: &Condition) -> Result<Stored> {
        let mut request = self.request(Method::PUT, &object.key);
        request.headers = Self::headers(object);
        request.headers.push(("x-amz-checksum-sha256", BASE64_STANDARD.encode(object.sha256)));
        let unconditional = request.headers.len();
        request
            .headers
            .extend(condition_header(condition).filter(|_| !self.without_conditions.load(Ordering::Relaxed)));
        request.payload = payload;
        let doing = format!("can't store {}", object.key);
        let mut answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        if answer.status == STATUS_NOT_IMPLEMENTED && request.headers.len() > unconditional {
            self.without_conditions.store(true, Ordering::Relaxed);
            request.headers.truncate(unconditional);
            answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        }
        if answer.is_success() {
            return Ok(Stored::Now(Self::tag_header(&answer)));
        }
        if failure::is_unmet(answer.status, matches!(condition, Condition::Tag(_))) {
            // It may be what an earlier try has stored, though its answer was lost.
            if answer.repeated
                && let Some(there) = self.head(&object.key).await?
                && there.checksum.is_some_and(|checksum| checksum == BASE64_STANDARD.encode(object.sha256))
            {
                return Ok(Stored::Now(there.tag));
            }
            let error = self.refused(answer, &doing).await;
            return if error.kind() == Kind::NotFound { Err(error) } else { Ok(Stored::Refused) };
        }
        Err(self.refused(answer, &doing).await)
    }

    async fn head(&self, key: &str) -> Result<Option<Head>> {
        let mut request = self.request(Method::HEAD, key);
        request.headers = vec![("x-amz-checksum-mode", "ENABLED".to_owned())];
        let doing = format!("can't look at {key}");
        let answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        match answer.status {
            status if failure::is_missing(status) => Ok(None),
            _ if answer.is_success() => Ok(Some(Head {
                tag: Self::tag_header(&answer),
                size: answer.header("content-length").and_then(|length| length.parse().ok()),
                checksum: answer.header("x-amz-checksum-sha256").map(str::to_owned),
            })),
            _ => Err(self.refused(answer, &doing).await),
        }
    }
}

/// What is said of an object without its bytes.
struct Head {
    tag: String,
    size: Option<u64>,
    checksum: Option<String>,
}

fn condition_header(condition: &Condition) -> Option<(&'static str, String)> {
    match condition {
        Condition::Always => None,
        Condition::Absent => Some(("if-none-match", "*".to_owned())),
        Condition::Tag(tag) => Some(("if-match", format!("\"{tag}\""))),
    }
}

/// Whether what is signed for this URL can be read on the way: plain HTTP to another machine.
pub fn is_in_clear(url: &Url) -> bool {
    let local = match url.host() {
        Some(UrlHost::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(UrlHost::Ipv4(address)) => address.is_loopback(),
        Some(UrlHost::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !local
}

#[async_trait]
impl Host for S3 {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn status(&self) -> Result<HostStatus> {
        let mut request = Request::new(Method::GET, String::new());
        request.query =
            vec![("list-type", "2".to_owned()), ("max-keys", "1".to_owned()), ("prefix", self.prefix.clone())];
        let doing = format!("can't list {}", self.place);
        let answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        if !answer.is_success() {
            return Err(self.refused(answer, &doing).await);
        }
        let agent = answer.header("server").map_or_else(String::new, |server| printable_within(server, 60));
        let url = format!("{}{}", self.bucket.base_url(), self.prefix);
        let body = answer.body(request::MAX_DOCUMENT_BYTES).await?;
        documents::page(&body, &self.prefix).map_err(|error| error.context(doing))?;
        Ok(HostStatus { agent: if agent.is_empty() { "S3".to_owned() } else { format!("S3 ({agent})") }, url })
    }

    async fn try_rights(&self) -> Vec<Tried> {
        trial::run(self).await
    }

    fn requests(&self) -> Option<u64> {
        Some(self.requests.load(Ordering::Relaxed))
    }

    async fn list(&self, next: Option<&str>) -> Result<Page> {
        self.list_page(next, false).await
    }

    async fn read(&self, key: &str, most: u64) -> Result<Option<Read>> {
        let Some(answer) = self.get(key, false).await? else { return Ok(None) };
        let (tag, content_type) =
            (Self::tag_header(&answer), answer.header("content-type").unwrap_or_default().to_owned());
        let bytes = answer.body(most).await.map_err(|error| error.context(format!("can't read {key}")))?;
        Ok(Some(Read { bytes, tag, content_type }))
    }

    async fn open(&self, key: &str) -> Result<Option<ByteStream>> {
        Ok(self.get(key, false).await?.map(request::Answer::pieces))
    }

    async fn put(
        &self,
        object: &Object,
        content: &dyn Content,
        condition: &Condition,
        uploads: &dyn Uploads,
    ) -> Result<Stored> {
        self.check_key(&object.key)?;
        if object.size >= MIN_PARTED_BYTES {
            return parts::send(self, object, content, condition, uploads).await;
        }
        let stored = if object.size == 0 {
            self.put_whole(object, Payload::Nothing, condition).await?
        } else {
            self.put_whole(object, Payload::Part { content, offset: 0, length: object.size }, condition).await?
        };
        uploads.sent(object.size);
        Ok(stored)
    }

    async fn delete(&self, key: &str, tag: Option<&str>) -> Result<Stored> {
        self.check_key(key)?;
        let mut request = self.request(Method::DELETE, key);
        let condition = tag.map_or(Condition::Always, |tag| Condition::Tag(tag.to_owned()));
        request.headers.extend(condition_header(&condition));
        let doing = format!("can't delete {key}");
        let answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        match answer.status {
            _ if answer.is_success() => Ok(Stored::Now(String::new())),
            status if failure::is_missing(status) => Ok(Stored::Now(String::new())),
            412 => Ok(Stored::Refused),
            _ => Err(self.refused(answer, &doing).await),
        }
    }

    async fn give_up(&self, key: &str, upload: &str) {
        self.abort(key, upload).await;
    }

    fn doubts(&self) -> Vec<String> {
        let without = self.without_conditions.load(Ordering::Relaxed);
        without.then(|| super::NO_CONDITIONS.to_owned()).into_iter().collect()
    }

    fn copies(&self) -> Option<&dyn CopyObjects> {
        Some(self)
    }

    async fn openness(&self, key: &str) -> Openness {
        let read = match self.get(key, true).await {
            Ok(Some(_)) => Some(true),
            Ok(None) => None,
            Err(_) => Some(false),
        };
        Openness { read, list: self.list_page(None, true).await.is_ok() }
    }
}

#[async_trait]
impl CopyObjects for S3 {
    fn max_bytes(&self) -> u64 {
        MAX_COPIED_BYTES
    }

    async fn copy(&self, from: &str, object: &Object) -> Result<Stored> {
        self.check_key(&object.key)?;
        let mut request = self.request(Method::PUT, &object.key);
        request.headers = Self::headers(object);
        // A key has no character in it that a path would write otherwise, but the colon of a digest, which may stay.
        let source = Url::parse("http://source/").ok().map(|mut url| {
            url.set_path(&format!("{}/{}{from}", self.bucket.name(), self.prefix));
            url.path().to_owned()
        });
        request.headers.push(("x-amz-copy-source", source.unwrap_or_default()));
        request.headers.push(("x-amz-metadata-directive", "REPLACE".to_owned()));
        let doing = format!("can't copy {} within {}", bytes(object.size), self.place);
        let answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        if failure::is_missing(answer.status) {
            let error = self.refused(answer, &doing).await;
            return if error.kind() == Kind::NotFound { Err(error) } else { Ok(Stored::Refused) };
        }
        if !answer.is_success() {
            return Err(self.refused(answer, &doing).await);
        }
        // It may fail after the status was sent.
        let body = answer.body(request::MAX_DOCUMENT_BYTES).await?;
        match documents::value(&body, "ETag") {
            Some(tag) => Ok(Stored::Now(documents::tag_of(&tag))),
            None => Err(failure::error(&self.place, &doing, 200, &documents::refusal(&body), None)),
        }
    }
}
