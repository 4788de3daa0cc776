//! Answers with blocks: one as it is, or several as a CAR (trustless gateway spec, "HTTP Response").

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use sha2::{Digest as _, Sha256};

use super::super::body::Body;
use super::super::peer::Peer;
use super::block_reader::{BlockReader, size};
use super::block_writer::BlockWriter;
use super::car_writer::{CarWriter, Repeats};
use super::headers::{allow_origins, hexadecimal, put_disposition, put_etag, put_location, put_path};
use super::published_blocks::{Asker, Coming, PublishedBlocks};
use super::refusal::Refusal;
use super::request::{CarOptions, ContentPath, Duplicates, Format, Parameters, RAW_TYPE};
use super::resolve::resolve;
use super::turns::{Turns, Written, fill};
use super::writing::Writing;
use super::written_body::WrittenBody;
use crate::ipns::Holding;

pub(super) const METHODS: &str = "GET, HEAD, OPTIONS";

/// Blocks never change: 48 weeks, as long as Kubo says.
const KEEP_FOR_EVER: &str = "public, max-age=29030400, immutable";

/// What is asked for, beside the path.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) peer: Peer,
    /// Where it comes from.
    pub(super) ip: IpAddr,
}

/// The answer to a GET or HEAD of a path below `/ipfs/`.
pub(super) async fn content(turns: &Arc<Turns>, asked: &Asked<'_>, below: &str) -> Result<Response<Body>, Refusal> {
    let path = ContentPath::parse(below)?;
    let parameters = Parameters::parse(asked.uri.query());
    let answered = match parameters.format(asked.headers)? {
        Format::Raw => raw(turns, asked, &path, &parameters).await,
        Format::Car(options) => car(turns, asked, path, options, &parameters).await,
        Format::Record => Err(Refusal::bad("a record is asked for by its name: `/ipns/NAME?format=ipns-record`")),
    };
    answered.map_err(|refusal| if asked.only_if_cached() { refusal.unless_cached() } else { refusal })
}

async fn raw(
    turns: &Arc<Turns>,
    asked: &Asked<'_>,
    path: &ContentPath,
    parameters: &Parameters,
) -> Result<Response<Body>, Refusal> {
    if !path.names.is_empty() {
        return Err(Refusal::bad("a block is asked for by its CID alone; ask for a path with `?format=car`"));
    }
    let cid = path.root;
    let mut headers = asked.common(&[cid], parameters, "raw");
    put_disposition(&mut headers, parameters.filename.as_deref(), &format!("{cid}.bin"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(RAW_TYPE));
    let is_known = put_etag(&mut headers, &format!("\"{cid}.raw\""), asked.headers);
    let wants_bytes = asked.method != Method::HEAD && !is_known;
    // What is on its way is answered at once, and sent as it comes: whoever asks need not ask others.
    match turns.source().coming(&cid) {
        Some(Coming { size: Some(size), .. }) if wants_bytes => {
            headers.insert(CONTENT_LENGTH, size.into());
            let writer = BlockWriter::when_it_comes(BlockReader::new(cid, size));
            return Ok(answer(headers, Body::pieces(WrittenBody::later(Arc::clone(turns), asked.peer, writer))));
        }
        Some(coming) => coming.arrival.await,
        None => {}
    }
    let buffers = turns.buffers();
    let question = move |source: &dyn PublishedBlocks| -> Result<_, Refusal> {
        let size = size(source, &cid)?.ok_or_else(Refusal::not_given_out)?;
        if !wants_bytes || size == 0 {
            return Ok((size, None));
        }
        // Most blocks are read here to their end, so that a damaged one has a status of its own.
        let (writer, first) = fill(source, &buffers, BlockWriter::new(BlockReader::new(cid, size)));
        Ok((size, Some((writer, first?))))
    };
    let (size, written) = turns.ask(asked.peer, question).await??;
    if is_known {
        return Ok(not_modified(headers));
    }
    headers.insert(CONTENT_LENGTH, size.into());
    let body = written.map(|(writer, first)| asked.body(turns, (writer, Ok(first))));
    Ok(answer(headers, body.unwrap_or_default()))
}

async fn car(
    turns: &Arc<Turns>,
    asked: &Asked<'_>,
    path: ContentPath,
    options: CarOptions,
    parameters: &Parameters,
) -> Result<Response<Body>, Refusal> {
    let root = path.root;
    let name = car_name(&path);
    let etag = car_etag(&path, &options);
    // Before the blocks are looked for: a tag that is known stands for a CAR only if its root is still given out.
    let is_known = put_etag(&mut HeaderMap::new(), &etag, asked.headers);
    let wants_bytes = asked.method != Method::HEAD && !is_known;
    let repeats = match options.duplicates {
        Duplicates::Wanted => Repeats::Sent,
        Duplicates::Excluded => Repeats::Excluded(turns.seen()),
        Duplicates::Unsaid => Repeats::Spared(turns.seen()),
    };
    if let Some(coming) = turns.source().coming(&root) {
        coming.arrival.await;
    }
    let buffers = turns.buffers();
    let question = move |source: &dyn PublishedBlocks| -> Result<_, Refusal> {
        let resolved = resolve(source, &path, &options)?;
        if !wants_bytes {
            return Ok((resolved.ends, None));
        }
        let writer = CarWriter::new(root, resolved.path, resolved.walk, repeats);
        Ok((resolved.ends, Some(fill(source, &buffers, writer))))
    };
    let (ends, written) = turns.ask(asked.peer, question).await??;
    let mut headers = asked.common(&ends, parameters, "car");
    put_etag(&mut headers, &etag, asked.headers);
    if is_known {
        return Ok(not_modified(headers));
    }
    put_disposition(&mut headers, parameters.filename.as_deref(), &name);
    headers.insert(CONTENT_TYPE, car_type(options.duplicates));
    let body = written.map(|written| asked.body(turns, written));
    Ok(answer(headers, body.unwrap_or_default()))
}

/// Without `dups` where nothing was said: a CAR that grows beyond what can be remembered has duplicates then, which is not known
/// yet ("CAR `dups`").
fn car_type(duplicates: Duplicates) -> HeaderValue {
    HeaderValue::from_static(match duplicates {
        Duplicates::Wanted => "application/vnd.ipld.car; version=1; order=dfs; dups=y",
        Duplicates::Excluded => "application/vnd.ipld.car; version=1; order=dfs; dups=n",
        Duplicates::Unsaid => "application/vnd.ipld.car; version=1; order=dfs",
    })
}

/// The file's name: the root, and the last name on the path where that can stand in a file's name.
fn car_name(path: &ContentPath) -> String {
    let harmless = |name: &&String| {
        name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match path.names.last().filter(harmless) {
        Some(last) => format!("{}_{last}.car", path.root),
        None => format!("{}.car", path.root),
    }
}

/// Weak, and another one for all that another path or other options could change.
fn car_etag(path: &ContentPath, options: &CarOptions) -> String {
    let hash = Sha256::digest(format!("{:?} {options:?}", path.names));
    format!("W/\"{}.car.{}\"", path.root, hexadecimal(&hash[..8]))
}

fn answer(headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

fn not_modified(headers: HeaderMap) -> Response<Body> {
    let mut response = answer(headers, Body::default());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

impl Asked<'_> {
    /// Who asks, as they say themselves.
    pub(super) fn asker(&self) -> Asker {
        let holding = self.headers.get(Holding::FIELD).and_then(|value| Holding::parse(value.to_str().ok()?));
        Asker { ip: self.ip, holding }
    }

    /// The fields that both forms have.
    fn common(&self, ends: &[cid::Cid], parameters: &Parameters, format: &str) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        allow_origins(&mut headers, METHODS);
        put_path(&mut headers, self.uri.path(), ends);
        if parameters.format.is_none() {
            let query = self.uri.query().filter(|query| !query.is_empty());
            let query = query.map(|query| format!("{query}&")).unwrap_or_default();
            put_location(&mut headers, format!("{}?{query}format={format}", self.uri.path()));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(KEEP_FOR_EVER));
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // A part of a block can't be verified, and a CAR has no fixed bytes.
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
        headers
    }

    fn body<W: Writing + Unpin>(&self, turns: &Arc<Turns>, written: Written<W>) -> Body {
        Body::pieces(WrittenBody::new(Arc::clone(turns), self.peer, written))
    }

    fn only_if_cached(&self) -> bool {
        let mut said = self.headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        said.any(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case("only-if-cached")))
    }
}
