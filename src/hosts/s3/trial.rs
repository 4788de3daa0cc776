//! What a bucket can do of what publishing needs, tried below a key of its own, of which nothing is left.

use bytes::Bytes;
use rand::Rng as _;
use reqwest::Method;
use sha2::{Digest as _, Sha256};

use super::S3;
use super::documents;
use super::request::Payload;
use crate::error::{Error, Kind, Result};
use crate::hosts::{Caching, Condition, CopyObjects as _, Host as _, Object, Stored, Tried, Uploads};

/// A type that no host guesses from a name.
const TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Nobody continues an upload of a trial.
struct Nobody;

#[async_trait::async_trait]
impl Uploads for Nobody {
    async fn begun(&self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    async fn note(&self, _: &str, _: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn sent(&self, _: u64) {}
}

fn object(key: &str, bytes: &Bytes) -> Object {
    Object {
        key: key.to_owned(),
        size: bytes.len() as u64,
        sha256: Sha256::digest(bytes).into(),
        content_type: TYPE.to_owned(),
        caching: Caching::Brief,
        manifest_digest: None,
    }
}

fn wrong(message: &str, hint: &str) -> Error {
    Error::new(Kind::Node, message).hint(hint)
}

struct Trial<'h> {
    host: &'h S3,
    below: String,
    tried: Vec<Tried>,
}

impl Trial<'_> {
    fn say(&mut self, right: &'static str, optional: bool, outcome: Result<String>) -> bool {
        let good = outcome.is_ok();
        self.tried.push(Tried { right, outcome, optional });
        good
    }

    async fn put(&self, key: &str, bytes: &Bytes, condition: &Condition) -> Result<Stored> {
        self.host.put(&object(&format!("{}{key}", self.below), bytes), bytes, condition, &Nobody).await
    }

    async fn conditions(&self, tag: &str) -> Result<String> {
        let other = Bytes::from_static(b"other");
        let hint = "Publish from one machine only: two at the same time would not notice each other.";
        if self.put("a", &other, &Condition::Absent).await? != Stored::Refused {
            return Err(wrong(
                "the host ignores `If-None-Match`: it replaced an object that it should have kept",
                hint,
            ));
        }
        if self.put("a", &other, &Condition::Tag("0".repeat(32))).await? != Stored::Refused {
            return Err(wrong("the host ignores `If-Match`: it replaced an object that was another one", hint));
        }
        match self.put("a", &other, &Condition::Tag(tag.to_owned())).await? {
            Stored::Now(_) => Ok("`If-None-Match` and `If-Match` are kept to".to_owned()),
            Stored::Refused => Err(wrong("the host refuses `If-Match` with the tag that it gave", hint)),
        }
    }

    async fn checksum(&self) -> Result<String> {
        let bytes = Bytes::from_static(b"checked");
        let lie = Object { sha256: [7; 32], ..object(&format!("{}c", self.below), &bytes) };
        match self.host.put(&lie, &bytes, &Condition::Always, &Nobody).await {
            Err(error) if matches!(error.kind(), Kind::Verification | Kind::Node) => {
                Ok("an object with another checksum is refused".to_owned())
            }
            Err(error) => Err(error),
            Ok(_) => Err(wrong(
                "the host stores an object whose checksum is wrong",
                "`roadstead target verify` reads everything back.",
            )),
        }
    }

    async fn headers(&self, bytes: &Bytes) -> Result<String> {
        let read = self.host.read(&format!("{}a", self.below), 100).await?;
        let read = read.ok_or_else(|| wrong("the host has lost an object that it took", "Look at the host's log."))?;
        if read.bytes != *bytes {
            return Err(wrong(
                "the host gives back other bytes than it took",
                "Look at what is between here and the host.",
            ));
        }
        if read.content_type != TYPE {
            return Err(wrong(
                "the host does not give back the type that an object was stored with",
                "Clients need the type of a manifest: look for a setting of the host that keeps `Content-Type`.",
            ));
        }
        Ok("bytes and type come back".to_owned())
    }

    async fn copy(&self) -> Result<String> {
        let bytes = Bytes::from_static(b"other");
        let target = object(&format!("{}copy", self.below), &bytes);
        self.host.copy(&format!("{}a", self.below), &target).await?;
        let read = self.host.read(&target.key, 100).await?;
        if read.is_some_and(|read| read.bytes == bytes && read.content_type == TYPE) {
            return Ok("objects are copied within the bucket".to_owned());
        }
        Err(wrong("a copy within the bucket is not what was copied", "Look at the host's log."))
    }

    async fn parts(&self) -> Result<String> {
        let key = format!("{}parts", self.below);
        let mut request = self.host.request(Method::POST, &key);
        request.query = vec![("uploads", String::new())];
        let answer = self.host.document(&request, "can't begin an upload in parts").await?;
        let upload = documents::value(&answer, "UploadId").unwrap_or_default();
        let body = Bytes::from_static(b"part");
        let mut request = self.host.request(Method::PUT, &key);
        request.query = vec![("partNumber", "1".to_owned()), ("uploadId", upload.clone())];
        request.payload = Payload::Bytes(&body);
        let sent = self.host.document(&request, "can't store a part").await;
        self.host.abort(&key, &upload).await;
        sent.map(|_| "large blobs go in parts".to_owned())
    }

    /// An empty object under a name with a slash at its end, which clients ask for first.
    async fn ping(&self) -> Result<String> {
        let hint = "Let a front answer `/v2/` with 200: crane, skopeo, podman and buildah ask for it first.";
        self.put("v2/", &Bytes::new(), &Condition::Always).await.map_err(|error| error.hint(hint))?;
        match self.host.read(&format!("{}v2/", self.below), 100).await? {
            Some(_) => Ok("stored and read".to_owned()),
            None => Err(wrong("the host does not give back the key `v2/`", hint)),
        }
    }

    async fn missing(&self) -> Result<String> {
        let mut request = self.host.request(Method::GET, &format!("{}none", self.below));
        request.anonymous = true;
        let answer = self.host.send(&request).await?;
        match answer.status {
            404 => Ok("404 for what is not there".to_owned()),
            _ => Err(wrong(
                "what is not there is answered with 403",
                "Pulls work. `s3:ListBucket` for everybody makes it 404, and lets everybody list.",
            )),
        }
    }

    async fn anonymous(&self) -> Result<String> {
        let openness = self.host.openness(&format!("{}a", self.below)).await;
        if openness.list {
            return Ok("everyone can read this bucket, and list it".to_owned());
        }
        match openness.read {
            Some(true) => Ok("everyone can read this bucket".to_owned()),
            _ => Err(wrong(
                "nobody can read this bucket without credentials",
                "Clients pull without them: allow `s3:GetObject` for everybody, or put a front before it.",
            )),
        }
    }

    /// Only with these may the query strings of registry clients be passed on to a bucket.
    async fn query(&self) -> Result<String> {
        let mut request = self.host.request(Method::GET, &format!("{}a", self.below));
        request.query = vec![("n", "100".to_owned())];
        request.anonymous = true;
        let answer = self.host.send(&request).await?;
        match answer.status {
            200 => Ok("an unknown query is ignored".to_owned()),
            status => Err(wrong(
                &format!("a query that the host does not know is answered with {status}"),
                "Some clients add `?n=100` to lists.",
            )),
        }
    }
}

pub(super) async fn run(host: &S3) -> Vec<Tried> {
    let below = format!("roadstead-test-{:016x}/", rand::rng().random::<u64>());
    let mut trial = Trial { host, below, tried: Vec::new() };
    let bytes = Bytes::from_static(b"roadstead");
    let listed = host.list_page(None, false).await.map(|_| "allowed".to_owned());
    trial.say("list", false, listed);
    let stored = trial.put("a", &bytes, &Condition::Absent).await;
    let (stored, tag) = match stored {
        Ok(Stored::Now(tag)) => (Ok("allowed".to_owned()), tag),
        Ok(Stored::Refused) => (Err(Error::new(Kind::Node, "the host says that a new key is taken")), String::new()),
        Err(error) => (Err(error), String::new()),
    };
    if trial.say("store", false, stored) {
        let read = trial.headers(&bytes).await;
        trial.say("read", false, read);
        let conditions = trial.conditions(&tag).await;
        trial.say("conditions", true, conditions);
        let checksum = trial.checksum().await;
        trial.say("checksums", true, checksum);
        let copy = trial.copy().await;
        trial.say("copy", true, copy);
        let parts = trial.parts().await;
        trial.say("parts", false, parts);
        let ping = trial.ping().await;
        trial.say("key v2/", true, ping);
        let anonymous = trial.anonymous().await;
        if trial.say("readers", true, anonymous) {
            let missing = trial.missing().await;
            trial.say("missing", true, missing);
            let query = trial.query().await;
            trial.say("queries", true, query);
        }
        let mut deleted = Ok("allowed".to_owned());
        for key in ["a", "c", "copy", "parts", "v2/"] {
            if let Err(error) = host.delete(&format!("{}{key}", trial.below), None).await {
                deleted = Err(error);
            }
        }
        trial.say("delete", false, deleted);
    }
    trial.tried
}
