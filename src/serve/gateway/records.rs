//! Answers with IPNS records, at the gateway and at the router (trustless gateway spec, "IPNS Record Responses"; delegated
//! routing v1, "IPNS API"), and taking in newer ones.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES, LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use bytes::{Bytes, BytesMut};
use futures::future::poll_fn;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::super::body::Body;
use super::accept::accepted;
use super::content::Asked;
use super::headers::{allow_origins, hexadecimal, put, put_disposition, put_etag};
use super::names::key_multihash;
use super::published_blocks::NamedRecord;
use super::refusal::Refusal;
use super::request::{Format, Parameters, RECORD_TYPE};
use super::turns::Turns;

/// Bytes of the largest record (IPNS record spec, "Record Size Limit").
const MAX_RECORD_BYTES: usize = 10 * 1024;
/// For a record to arrive.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to a GET or HEAD of a name below `/ipns/`.
pub(super) async fn named(turns: &Arc<Turns>, asked: &Asked<'_>, name: &str) -> Result<Response<Body>, Refusal> {
    let parameters = Parameters::parse(asked.uri.query());
    if parameters.format(asked.headers)? != Format::Record {
        return Err(Refusal::new(
            StatusCode::NOT_ACCEPTABLE,
            "ask for the record of a name with `?format=ipns-record`, and for content below `/ipfs/`",
        ));
    }
    let name = name.strip_suffix('/').unwrap_or(name);
    let record = find(turns, asked, name).await?;
    let record = record.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "this server has no record of this name"))?;
    Ok(answer(asked, name, &parameters, record, super::content::METHODS))
}

/// The answer to a GET below `/routing/v1/ipns/`.
pub(super) async fn routed(
    turns: &Arc<Turns>,
    asked: &Asked<'_>,
    name: &str,
    methods: &'static str,
) -> Result<Response<Body>, Refusal> {
    let accepted = accepted(asked.headers);
    if !accepted.is_empty() && !accepted.iter().any(|accepted| accepted.covers(RECORD_TYPE)) {
        let words = format!("a record has one form: retry with `Accept: {RECORD_TYPE}`");
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, words));
    }
    Ok(match find(turns, asked, name).await? {
        Some(record) => answer(asked, name, &Parameters::default(), record, methods),
        None => unknown(methods),
    })
}

/// IPIP-513: no record is an answer of another type, not an error.
fn unknown(methods: &'static str) -> Response<Body> {
    let text = "this server has no record of this name\n";
    let mut response = Response::new(Body::Bytes(Bytes::from_static(text.as_bytes())));
    let headers = response.headers_mut();
    allow_origins(headers, methods);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=15"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(CONTENT_LENGTH, text.len().into());
    response
}

fn parse_name(name: &str) -> Result<Vec<u8>, Refusal> {
    key_multihash(name).ok_or_else(|| Refusal::bad("this is no IPNS name; one begins with `k51`, `k2`, `12D3` or `Qm`"))
}

async fn find(turns: &Turns, asked: &Asked<'_>, name: &str) -> Result<Option<NamedRecord>, Refusal> {
    let key = parse_name(name)?;
    let asker = asked.asker();
    let asking = turns.ask(asked.peer, move |source| {
        let record = source.ipns_record(&key)?;
        if record.is_some() {
            source.note_follower(&asker);
        }
        Ok(record)
    });
    asking.await?.map_err(|error: crate::error::Error| Refusal::from(error))
}

fn answer(
    asked: &Asked<'_>,
    name: &str,
    parameters: &Parameters,
    record: NamedRecord,
    methods: &'static str,
) -> Response<Body> {
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    allow_origins(headers, methods);
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    put_times(headers, &record);
    let hash = hexadecimal(&Sha256::digest(&record.bytes)[..16]);
    if put_etag(headers, &format!("\"{hash}\""), asked.headers) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    // A name that was understood has letters and digits alone.
    put_disposition(headers, parameters.filename.as_deref(), &format!("{name}.ipns-record"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(RECORD_TYPE));
    headers.insert(CONTENT_LENGTH, record.bytes.len().into());
    if asked.method != Method::HEAD {
        *response.body_mut() = Body::Bytes(record.bytes);
    }
    response
}

/// How long a record may be kept: never longer than its signature is valid, also where nobody can be asked.
fn put_times(headers: &mut HeaderMap, record: &NamedRecord) {
    let valid = record.valid_for.as_secs();
    if valid == 0 {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return;
    }
    let age = record.ttl.as_secs().min(valid);
    let stale = valid - age;
    let keep = format!("public, max-age={age}, stale-while-revalidate={stale}, stale-if-error={stale}");
    put(headers, CACHE_CONTROL, keep, usize::MAX);
    let now = SystemTime::now();
    put(headers, LAST_MODIFIED, httpdate::fmt_http_date(now), usize::MAX);
    // Years that the format can't say have no field.
    if let Some(end) = now.checked_add(record.valid_for).filter(|_| record.valid_for < MAX_EXPIRES) {
        put(headers, EXPIRES, httpdate::fmt_http_date(end), usize::MAX);
    }
}

/// A hundred years.
const MAX_EXPIRES: Duration = Duration::from_hours(100 * 366 * 24);

/// The answer to a PUT below `/routing/v1/ipns/`.
pub(super) async fn put_record<B>(
    turns: &Turns,
    asked: &Asked<'_>,
    name: &str,
    body: B,
    methods: &'static str,
) -> Result<Response<Body>, Refusal>
where
    B: http_body::Body<Data = Bytes>,
{
    let content_type = asked.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(RECORD_TYPE) {
        let words = format!("a record has one form: retry with `Content-Type: {RECORD_TYPE}`");
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, words));
    }
    let key = parse_name(name)?;
    let record = timeout(RECORD_TIMEOUT, read(body)).await;
    let record =
        record.map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the record took too long to arrive"))??;
    let taken = turns.ask(asked.peer, move |source| source.put_ipns_record(&key, &record)).await?;
    taken.map_err(Refusal::of_sent)?;
    let mut response = Response::new(Body::default());
    allow_origins(response.headers_mut(), methods);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(response)
}

/// A body, if it is not larger than a record can be.
async fn read<B: http_body::Body<Data = Bytes>>(body: B) -> Result<Bytes, Refusal> {
    let mut body = std::pin::pin!(body);
    let mut record = BytesMut::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|_| Refusal::bad("the record did not arrive"))?;
        let Ok(data) = frame.into_data() else { continue };
        if record.len() + data.len() > MAX_RECORD_BYTES {
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "a record has 10 KiB at most"));
        }
        record.extend_from_slice(&data);
    }
    Ok(record.freeze())
}
