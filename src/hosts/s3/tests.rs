//! A bucket that answers as it is told: what is asked of it, and what its refusals come to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes as Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method as Verb, StatusCode, Uri};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::hosts::Caching;

const SECRET: &str = "c4n4ry-s3cret";
const MISSING: &str = "<Error><Code>NoSuchKey</Code></Error>";

/// A request as it came.
#[derive(Debug, Clone)]
struct Asked {
    verb: Verb,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

type Reply = (u16, Vec<(&'static str, String)>, String);

#[derive(Clone, Default)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State(script): State<Script>,
    verb: Verb,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> axum::response::Response {
    script.asked.lock().unwrap().push(Asked { verb, uri, headers, body });
    let (status, headers, body) =
        script.replies.lock().unwrap().pop_front().unwrap_or((500, Vec::new(), "no reply is left".to_owned()));
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// A bucket with these replies, and what it was asked.
async fn bucket(replies: Vec<Reply>) -> (S3, Script) {
    let script = Script { replies: Arc::new(Mutex::new(replies.into())), asked: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(script.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let options = S3Options {
        address: Address::parse("s3://registry/below").unwrap(),
        endpoint: Some(endpoint.parse().unwrap()),
        region: "eu-west-1".into(),
        credentials: Some(Credentials::new("AKTEST", SECRET, Some("t0ken".into()))),
        first_pause: Some(Duration::from_millis(1)),
    };
    (S3::new(options).unwrap(), script)
}

fn reply(status: u16, body: &str) -> Reply {
    (status, Vec::new(), body.to_owned())
}

fn tagged(status: u16, tag: &str) -> Reply {
    (status, vec![("etag", format!("\"{tag}\""))], String::new())
}

struct Noted(Mutex<Option<String>>);

#[async_trait]
impl Uploads for Noted {
    async fn begun(&self, _: &str) -> Result<Option<String>> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn note(&self, _: &str, upload: Option<&str>) -> Result<()> {
        *self.0.lock().unwrap() = upload.map(str::to_owned);
        Ok(())
    }

    fn sent(&self, _: u64) {}
}

fn noted() -> Noted {
    Noted(Mutex::new(None))
}

fn object(key: &str, bytes: &[u8]) -> Object {
    Object {
        key: key.into(),
        size: bytes.len() as u64,
        sha256: Sha256::digest(bytes).into(),
        content_type: "application/json".into(),
        caching: Caching::Brief,
        manifest_digest: Some("sha256:00".into()),
    }
}

async fn put(host: &S3, condition: &Condition) -> Result<Stored> {
    let bytes = Bytes::from_static(b"hello");
    host.put(&object("v2/a", &bytes), &bytes, condition, &noted()).await
}

#[tokio::test]
async fn an_object_is_stored_with_its_headers_its_checksum_and_its_condition() {
    let (host, script) = bucket(vec![tagged(200, "e1"), tagged(200, "e2")]).await;
    assert_eq!(put(&host, &Condition::Absent).await.unwrap(), Stored::Now("e1".into()));
    put(&host, &Condition::Tag("e1".into())).await.unwrap();
    let asked = script.asked();
    let first = &asked[0];
    assert_eq!((first.verb.as_str(), first.uri.path()), ("PUT", "/registry/below/v2/a"));
    assert_eq!((first.header("if-none-match"), first.header("content-length")), ("*", "5"));
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("cache-control"), "public, max-age=60, must-revalidate");
    assert_eq!(first.header("x-amz-meta-docker-content-digest"), "sha256:00");
    assert_eq!(first.header("x-amz-checksum-sha256"), "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    assert_eq!(first.body.as_ref(), b"hello");
    let query = first.uri.query().unwrap();
    for part in
        ["X-Amz-Credential=AKTEST%2F", "%2Feu-west-1%2Fs3%2Faws4_request", "if-none-match", "x-amz-checksum-sha256"]
    {
        assert!(query.contains(part), "{part}: {query}");
    }
    assert_eq!(asked[1].header("if-match"), "\"e1\"");
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_no_error() {
    let (host, _) = bucket(vec![reply(412, ""), reply(404, MISSING), reply(409, ""), tagged(200, "e")]).await;
    assert_eq!(put(&host, &Condition::Absent).await.unwrap(), Stored::Refused);
    assert_eq!(put(&host, &Condition::Tag("old".into())).await.unwrap(), Stored::Refused);
    // Two at the same time: the host wants to be asked once more.
    assert_eq!(put(&host, &Condition::Absent).await.unwrap(), Stored::Now("e".into()));
}

#[tokio::test]
async fn what_an_earlier_try_has_stored_is_stored() {
    let checksum = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=".to_owned();
    let there = (200, vec![("etag", "\"e\"".to_owned()), ("x-amz-checksum-sha256", checksum)], String::new());
    let (host, script) = bucket(vec![reply(503, ""), reply(412, ""), there]).await;
    assert_eq!(put(&host, &Condition::Absent).await.unwrap(), Stored::Now("e".into()));
    assert_eq!(script.asked()[2].verb, Verb::HEAD);
}

#[tokio::test]
async fn a_busy_host_is_asked_again_and_not_forever() {
    let slow = "<Error><Code>SlowDown</Code></Error>";
    let (host, script) = bucket(vec![reply(503, slow), reply(500, ""), tagged(200, "e")]).await;
    assert!(matches!(put(&host, &Condition::Always).await.unwrap(), Stored::Now(_)));
    assert_eq!(script.asked().len(), 3);
    let (host, script) = bucket(vec![reply(503, slow); 20]).await;
    let error = put(&host, &Condition::Always).await.unwrap_err();
    assert!(error.kind() == Kind::Node && error.to_string().contains("too much to do"), "{error}");
    assert_eq!(script.asked().len(), 6);
}

#[tokio::test]
async fn no_refusal_and_no_failure_tells_the_secret_or_the_signature() {
    let parrot = "<Error><Code>AccessDenied</Code><Message>nothing</Message></Error>";
    let (host, _) = bucket(vec![reply(403, parrot)]).await;
    let refused = put(&host, &Condition::Always).await.unwrap_err();
    let options = S3Options {
        address: Address::parse("s3://registry").unwrap(),
        endpoint: Some("http://127.0.0.1:1".parse().unwrap()),
        region: "eu-west-1".into(),
        credentials: Some(Credentials::new("AKTEST", SECRET, Some("t0ken".into()))),
        first_pause: Some(Duration::ZERO),
    };
    let nowhere = S3::new(options).unwrap();
    let lost = put(&nowhere, &Condition::Always).await.unwrap_err();
    assert_eq!((refused.kind(), lost.kind()), (Kind::Auth, Kind::Network), "{lost}");
    for told in [format!("{refused} {refused:?}"), format!("{lost} {lost:?}"), format!("{host:?} {nowhere:?}")] {
        for word in [SECRET, "t0ken", "AKTEST", "Signature="] {
            assert!(!told.contains(word), "{word}: {told}");
        }
    }
}

#[tokio::test]
async fn a_list_goes_on_page_by_page() {
    let page = |key: &str, next: &str| {
        let more = if next.is_empty() {
            String::new()
        } else {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>")
        };
        reply(
            200,
            &format!(
                "<ListBucketResult>{more}<Contents><Key>below/{key}</Key><ETag>\"e\"</ETag><Size>1</Size></Contents></ListBucketResult>"
            ),
        )
    };
    let (host, script) = bucket(vec![page("a", "t/1+"), page("b", "")]).await;
    let first = host.list(None).await.unwrap();
    assert_eq!((first.objects[0].key.as_str(), first.next.as_deref()), ("a", Some("t/1+")));
    let second = host.list(first.next.as_deref()).await.unwrap();
    assert_eq!((second.objects[0].key.as_str(), second.next), ("b", None));
    let query = script.asked()[1].uri.query().unwrap().to_owned();
    assert!(query.contains("continuation-token=t%2F1%2B") && query.contains("prefix=below%2F"), "{query}");
}

#[tokio::test]
async fn a_missing_object_is_none_and_a_missing_bucket_an_error() {
    let no_bucket = "<Error><Code>NoSuchBucket</Code></Error>";
    let (host, _) = bucket(vec![reply(404, MISSING), reply(404, no_bucket), reply(403, ""), tagged(200, "e")]).await;
    assert_eq!(host.read("a", 10).await.unwrap(), None);
    assert_eq!(host.read("a", 10).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(host.read("a", 10).await.unwrap_err().kind(), Kind::Auth);
    assert_eq!(host.read("a", 10).await.unwrap().unwrap().tag, "e");
    let (host, _) = bucket(vec![reply(200, &"x".repeat(11))]).await;
    assert!(host.read("a", 10).await.unwrap_err().to_string().contains("larger"));
    for key in ["", "../a", "a/./b", &"a".repeat(1024)] {
        assert!(host.read(key, 10).await.is_err(), "{key}");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_said_in_words() {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_hours(2));
    let denied = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    let (host, _) = bucket(vec![(403, vec![("date", date)], denied.to_owned())]).await;
    let error = put(&host, &Condition::Always).await.unwrap_err();
    assert!(error.to_string().contains("clock is 1") && error.to_string().contains("behind"), "{error}");
}

#[tokio::test]
async fn a_large_object_goes_in_parts_and_goes_on_after_a_cut() {
    let size = 70_u64 << 20;
    let bytes = Bytes::from(vec![7; size as usize]);
    let begun = "<R><UploadId>u-1</UploadId></R>";
    let mut replies = vec![reply(200, begun)];
    replies.extend((0..5).map(|_| tagged(200, "p")));
    replies.push(reply(200, "<R><ETag>\"whole-5\"</ETag></R>"));
    let (host, script) = bucket(replies).await;
    let uploads = noted();
    let large = Object { size, ..object("v2/blob", b"") };
    let stored = host.put(&large, &bytes, &Condition::Absent, &uploads).await.unwrap();
    assert_eq!(stored, Stored::Now("whole-5".into()));
    assert_eq!(*uploads.0.lock().unwrap(), None);
    let asked = script.asked();
    let lengths: Vec<usize> = asked[1..6].iter().map(|asked| asked.body.len()).collect();
    assert_eq!(lengths.iter().sum::<usize>() as u64, size);
    assert_eq!(asked[6].header("if-none-match"), "*");
    assert_eq!(asked[6].body.as_ref().windows(6).filter(|part| part == b"<Part>").count(), 5);
    assert_eq!(asked[0].header("x-amz-checksum-algorithm"), "SHA256");
    let checksum = asked[1].header("x-amz-checksum-sha256").to_owned();
    assert_eq!(checksum, BASE64_STANDARD.encode(Sha256::digest(&bytes[..16 << 20])));

    // After a cut, it goes on: with parts of the right size and checksum. One has none, one another, one is too short.
    let part = |number: u32, size: u64, checksum: &str| {
        format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>\"t{number}\"</ETag><Size>{size}</Size>\
             <ChecksumSHA256>{checksum}</ChecksumSHA256></Part>"
        )
    };
    let whole = 16 << 20;
    let listed =
        [part(1, whole, &checksum), part(2, whole, ""), part(3, whole, "other"), part(4, 5, &checksum)].concat();
    let mut replies = vec![reply(200, &format!("<ListPartsResult>{listed}</ListPartsResult>"))];
    replies.extend((0..4).map(|_| tagged(200, "p")));
    replies.push(reply(200, "<R><ETag>\"whole-5\"</ETag></R>"));
    let (host, script) = bucket(replies).await;
    *uploads.0.lock().unwrap() = Some("u-0".into());
    host.put(&large, &bytes, &Condition::Absent, &uploads).await.unwrap();
    let asked = script.asked();
    assert_eq!(asked.len(), 6, "{asked:?}");
    let sent: std::collections::BTreeSet<&str> = asked[1..5]
        .iter()
        .flat_map(|asked| asked.uri.query().unwrap().split('&').filter_map(|word| word.strip_prefix("partNumber=")))
        .collect();
    assert_eq!(sent.into_iter().collect::<Vec<_>>(), ["2", "3", "4", "5"]);
    assert!(String::from_utf8_lossy(&asked[5].body).contains("&quot;t1&quot;"));

    // One of which no part is known is given up. This host knows no checksums of parts.
    let mut replies = vec![reply(404, "<Error><Code>NoSuchUpload</Code></Error>"), reply(204, "")];
    replies.extend([reply(501, "<Error><Code>NotImplemented</Code></Error>"), reply(200, begun)]);
    replies.extend((0..5).map(|_| tagged(200, "p")));
    // The answer to the last request is an error after its status was sent.
    replies.push(reply(200, "<Error><Code>InternalError</Code></Error>"));
    let (host, script) = bucket(replies).await;
    *uploads.0.lock().unwrap() = Some("u-0".into());
    let error = host.put(&large, &bytes, &Condition::Absent, &uploads).await.unwrap_err();
    assert!(error.to_string().contains("InternalError"), "{error}");
    assert_eq!(uploads.0.lock().unwrap().as_deref(), Some("u-1"), "it is given up next time");
    let asked = script.asked();
    assert!(asked[1].verb == Verb::DELETE && asked[1].uri.query().unwrap().contains("uploadId=u-0"));
    assert!(asked[4..9].iter().all(|asked| asked.header("x-amz-checksum-sha256").is_empty()));
}

/// So many bytes as are asked for, all of them zero.
struct Zeros;

#[async_trait]
impl Content for Zeros {
    async fn read(&self, _: u64, length: u64) -> Result<ByteStream> {
        const PIECE: &[u8] = &[0; 1 << 20];
        let mut left = length;
        let pieces = std::iter::from_fn(move || {
            let bytes = left.min(PIECE.len() as u64);
            left -= bytes;
            (bytes > 0).then(|| Ok(Bytes::from_static(&PIECE[..bytes as usize])))
        });
        Ok(Box::pin(futures::stream::iter(pieces)))
    }
}

#[tokio::test]
async fn an_upload_that_was_cut_at_4_gib_goes_on_from_there() {
    let (whole, count) = (16_u64 << 20, 256_u32);
    let size = u64::from(count) * whole + 5;
    let checksum = BASE64_STANDARD.encode(Sha256::digest(vec![0_u8; whole as usize]));
    let page = |numbers: std::ops::RangeInclusive<u32>, more: &str| {
        let part = |number| {
            format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>\"t{number}\"</ETag><Size>{whole}</Size>\
                 <ChecksumSHA256>{checksum}</ChecksumSHA256></Part>"
            )
        };
        let parts = numbers.map(part).collect::<Vec<_>>().concat();
        reply(200, &format!("<ListPartsResult>{more}{parts}</ListPartsResult>"))
    };
    let more = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>200</NextPartNumberMarker>";
    let whole_tag = reply(200, "<R><ETag>\"whole-257\"</ETag></R>");
    let (host, script) = bucket(vec![page(1..=200, more), page(201..=count, ""), tagged(200, "p"), whole_tag]).await;
    let uploads = noted();
    *uploads.0.lock().unwrap() = Some("u-0".into());
    let large = Object { size, ..object("v2/blob", b"") };
    let stored = host.put(&large, &Zeros, &Condition::Absent, &uploads).await.unwrap();
    assert_eq!(stored, Stored::Now("whole-257".into()));
    let asked = script.asked();
    assert_eq!(asked.len(), 4, "what is there is not sent again");
    assert!(asked[1].uri.query().unwrap().contains("part-number-marker=200"));
    assert!(asked[2].uri.query().unwrap().contains("partNumber=257"));
    assert_eq!(asked[2].body.as_ref(), [0; 5]);
    let completed = String::from_utf8_lossy(&asked[3].body).into_owned();
    assert_eq!(completed.matches("<Part>").count(), 257);
    assert!(completed.contains("<PartNumber>256</PartNumber><ETag>&quot;t256&quot;</ETag>"), "{completed}");
}

#[tokio::test]
async fn a_copy_keeps_headers_and_may_fail_late() {
    let copied = reply(200, "<CopyObjectResult><ETag>\"c\"</ETag></CopyObjectResult>");
    let late = reply(200, "<Error><Code>SlowDown</Code></Error>");
    let (host, script) = bucket(vec![copied, late, reply(404, MISSING)]).await;
    let target = object("v2/b", b"hello");
    assert_eq!(host.copy("v2/a/blobs/sha256:00", &target).await.unwrap(), Stored::Now("c".into()));
    let asked = &script.asked()[0];
    assert_eq!(asked.header("x-amz-copy-source"), "/registry/below/v2/a/blobs/sha256:00");
    assert_eq!(
        (asked.header("content-type"), asked.header("x-amz-metadata-directive")),
        ("application/json", "REPLACE")
    );
    assert!(host.copy("v2/a", &target).await.is_err());
    assert_eq!(host.copy("v2/a", &target).await.unwrap(), Stored::Refused);
}

#[test]
fn a_bucket_of_aws_has_a_host_name_of_its_own() {
    let url = |place: &str| {
        let options = S3Options {
            address: Address::parse(place).unwrap(),
            endpoint: None,
            region: "eu-west-1".into(),
            credentials: None,
            first_pause: None,
        };
        S3::new(options).unwrap().bucket.base_url().to_string()
    };
    assert_eq!(url("s3://registry"), "https://registry.s3.eu-west-1.amazonaws.com/");
    assert_eq!(url("s3://my.registry"), "https://s3.eu-west-1.amazonaws.com/my.registry/");
}
