//! Which handler answers which request, and how the answers look.
//!
//! Knows HTTP, axum and the distribution spec's endpoints. Must not know connections or credentials.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, HOST, LINK, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::any;
use bytes::Bytes;
use url::form_urlencoded;

use super::desk::Desk;
use super::endpoint::{self, Asked, Query, Subject, Wish};
use super::entity::Entity;
use super::file_body::Reader;
use super::lists::Next;
use super::refusal::Refusal;
use crate::image::RepositoryName;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// What the handlers share.
pub(super) struct Counter {
    /// Finds things.
    pub(super) desk: Desk,
    /// Reads files.
    pub(super) reader: Arc<Reader>,
    /// Host names, with their ports, that mean this server, in lower case.
    pub(super) own_names: Vec<String>,
}

type Answer = Result<Response<Body>, Refusal>;

/// The routes. Names hold slashes, so a repository's endpoints are told apart by [`endpoint::parse`].
pub(super) fn router(counter: Arc<Counter>) -> Router {
    Router::new()
        .route("/v2", any(ping))
        .route("/v2/", any(ping))
        .route("/v2/_catalog", any(catalog))
        .route("/v2/{*rest}", any(distribution))
        .fallback(page)
        .with_state(counter)
}

/// Adds the header by which old clients know a registry.
pub(super) fn mark(headers: &mut HeaderMap) {
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
}

fn only_reading(method: &Method) -> Result<(), Refusal> {
    if matches!(*method, Method::GET | Method::HEAD) { Ok(()) } else { Err(Refusal::read_only()) }
}

async fn ping(State(counter): State<Arc<Counter>>, request: Request<Body>) -> Answer {
    only_reading(request.method())?;
    counter.plain(&request, Bytes::from_static(b"{}"), "application/json")
}

async fn catalog(State(counter): State<Arc<Counter>>, request: Request<Body>) -> Answer {
    only_reading(request.method())?;
    let query = Query::parse(request.uri().query())?;
    let listed = counter.desk.repositories(query.last, query.number).await?;
    counter.list(&request, listed, None)
}

async fn distribution(State(counter): State<Arc<Counter>>, request: Request<Body>) -> Answer {
    only_reading(request.method())?;
    let path = request.uri().path();
    let (name, wish) = endpoint::parse(path.strip_prefix("/v2/").unwrap_or_default())?;
    let query = match request.uri().query() {
        None => Query::default(),
        query => Query::parse(query)?,
    };
    let asked = counter.asked(name, query.namespace.as_deref(), request.headers())?;
    match wish {
        Wish::Manifest(target) => {
            let entity = counter.desk.manifest(asked, target).await?;
            Ok(counter.give(&request, &entity))
        }
        Wish::Blob(digest) => {
            let entity = counter.desk.blob(asked, digest).await?;
            let entity = entity.begun(request.method(), request.headers()).await?;
            Ok(counter.give(&request, &entity))
        }
        Wish::Tags => {
            let listed = counter.desk.tags(asked, query.last, query.number).await?;
            counter.list(&request, listed, query.namespace.as_deref())
        }
        Wish::Referrers(subject) => {
            let subject = match subject {
                Subject::Known(digest) => Some(digest),
                Subject::Foreign => None,
            };
            let is_filtered = query.artifact_type.is_some();
            let entity = counter.desk.referrers(asked, subject, query.artifact_type).await?;
            let mut response = counter.give(&request, &entity);
            if is_filtered {
                response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
            }
            Ok(response)
        }
    }
}

async fn page(State(counter): State<Arc<Counter>>, request: Request<Body>) -> Answer {
    only_reading(request.method())?;
    let path = endpoint::page(request.uri().path()).ok_or_else(Refusal::page_unknown)?;
    if let Some(entity) = counter.desk.page(path.clone()).await? {
        return Ok(counter.give(&request, &entity));
    }
    // A page links to its neighbours relatively, which needs the slash at the end of its address.
    if !path.ends_with("index.html") && counter.desk.page(format!("{path}/index.html")).await?.is_some() {
        return redirect(request.uri());
    }
    Err(Refusal::page_unknown())
}

fn redirect(uri: &Uri) -> Answer {
    // Only a path that was found below the root comes here, so it can't be taken for another host.
    let to = HeaderValue::try_from(format!("{}/", uri.path())).map_err(|_| Refusal::page_unknown())?;
    let headers = [(LOCATION, to), (CONTENT_LENGTH, HeaderValue::from_static("0"))];
    Ok((StatusCode::PERMANENT_REDIRECT, headers).into_response())
}

impl Counter {
    fn asked(&self, name: RepositoryName, namespace: Option<&str>, headers: &HeaderMap) -> Result<Asked, Refusal> {
        endpoint::asked(name, namespace, |host| {
            headers.get(HOST).is_some_and(|own| own.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
                || self.own_names.iter().any(|own| own == host)
        })
    }

    fn give(&self, request: &Request<Body>, entity: &Entity) -> Response<Body> {
        entity.answer(request.method(), request.headers(), &self.reader)
    }

    fn plain(&self, request: &Request<Body>, bytes: Bytes, content_type: &'static str) -> Answer {
        Ok(self.give(request, &Entity::plain(bytes, content_type)?))
    }

    fn list(
        &self,
        request: &Request<Body>,
        (entity, next): (Arc<Entity>, Option<Next>),
        namespace: Option<&str>,
    ) -> Answer {
        let mut response = self.give(request, &entity);
        if let Some(Next { number, last }) = &next {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("n", &number.to_string()).append_pair("last", last);
            if let Some(namespace) = namespace {
                query.append_pair("ns", namespace);
            }
            let link = format!("<{}?{}>; rel=\"next\"", request.uri().path(), query.finish());
            let link = HeaderValue::try_from(link).map_err(|_| Refusal::no_such_endpoint())?;
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }
}
