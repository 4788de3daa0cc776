//! Which handler answers which request, and how the answers look.
//!
//! Knows HTTP and the distribution spec's endpoints. Must not know connections or credentials.

use std::sync::Arc;

use axum::http::header::{CONTENT_LENGTH, HOST, LINK, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use url::form_urlencoded;

use super::body::Body;
use super::endpoint::{self, Asked, ClientRequest, Query, Subject};
use super::entity::Entity;
use super::file_body::Reader;
use super::lists::Next;
use super::lookup::Lookup;
use super::refusal::Refusal;
use crate::image::RepositoryName;
use crate::site::paths;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// The CIDs that an answer is from, as IPFS gateways name them (path gateway specification, `X-Ipfs-Roots`).
const IPFS_ROOTS: HeaderName = HeaderName::from_static("x-ipfs-roots");
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// What the handlers share.
pub(super) struct Handler {
    pub(super) lookup: Lookup,
    pub(super) reader: Arc<Reader>,
    /// Host names, with their ports, that mean this server, in lower case.
    pub(super) own_names: Vec<String>,
}

type Answer = Result<Response<Body>, Refusal>;

/// Adds the header by which old clients know a registry.
pub(super) fn mark(headers: &mut HeaderMap) {
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
}

fn only_reading(method: &Method) -> Result<(), Refusal> {
    if matches!(*method, Method::GET | Method::HEAD) { Ok(()) } else { Err(Refusal::read_only()) }
}

fn redirect(uri: &Uri) -> Answer {
    // Only a path that was found below the root comes here, so it can't be taken for another host.
    let to = HeaderValue::try_from(format!("{}/", uri.path())).map_err(|_| Refusal::page_unknown())?;
    let headers = [(LOCATION, to), (CONTENT_LENGTH, HeaderValue::from_static("0"))];
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().extend(headers);
    Ok(response)
}

impl Handler {
    /// The answer to a request.
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        self.find(request).await.unwrap_or_else(Refusal::into_response)
    }

    /// Names hold slashes, so a repository's endpoints are told apart by [`endpoint::parse`].
    async fn find<B>(&self, request: &Request<B>) -> Answer {
        only_reading(request.method())?;
        match request.uri().path() {
            "/v2" | "/v2/" => self.plain(request, Bytes::from_static(b"{}"), "application/json"),
            "/v2/_catalog" => self.catalog(request).await,
            path => match path.strip_prefix("/v2/") {
                Some(path) => self.distribution(request, path).await,
                None => self.page(request).await,
            },
        }
    }

    async fn catalog<B>(&self, request: &Request<B>) -> Answer {
        let query = Query::parse(request.uri().query())?;
        let listed = self.lookup.repositories(query.last, query.number).await?;
        self.list(request, listed, None)
    }

    async fn distribution<B>(&self, request: &Request<B>, path: &str) -> Answer {
        let (name, client_request) = endpoint::parse(path)?;
        let query = match request.uri().query() {
            None => Query::default(),
            query => Query::parse(query)?,
        };
        let asked = self.asked(name, query.namespace.as_deref(), request.headers())?;
        match client_request {
            ClientRequest::Manifest(target) => {
                let entity = self.lookup.manifest(asked, target).await?;
                Ok(self.give(request, &entity))
            }
            ClientRequest::Blob(digest) => {
                let entity = self.lookup.blob(asked, digest).await?;
                let entity = entity.begun(request.method(), request.headers()).await?;
                Ok(self.give(request, &entity))
            }
            ClientRequest::Tags => {
                let listed = self.lookup.tags(asked, query.last, query.number).await?;
                self.list(request, listed, query.namespace.as_deref())
            }
            ClientRequest::Referrers(subject) => {
                let subject = match subject {
                    Subject::Known(digest) => Some(digest),
                    Subject::Foreign => None,
                };
                let is_filtered = query.artifact_type.is_some();
                let entity = self.lookup.referrers(asked, subject, query.artifact_type).await?;
                let mut response = self.give(request, &entity);
                if is_filtered {
                    response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
                }
                Ok(response)
            }
        }
    }

    async fn page<B>(&self, request: &Request<B>) -> Answer {
        let path = endpoint::page(request.uri().path()).ok_or_else(Refusal::page_unknown)?;
        if let Some(entity) = self.lookup.page(path.clone()).await? {
            let mut response = self.give(request, &entity);
            // As gateways name it: a page can't hold the CID of its own tree, so its script asks for this header.
            if path == paths::INDEX_HTML
                && let Some(root) = self.lookup.root().await?
                && let Ok(root) = HeaderValue::try_from(root.to_string())
            {
                response.headers_mut().insert(IPFS_ROOTS, root);
            }
            return Ok(response);
        }
        // A page links to its neighbours relatively, which needs the slash at the end of its address.
        if !path.ends_with("index.html") && self.lookup.page(format!("{path}/index.html")).await?.is_some() {
            return redirect(request.uri());
        }
        Err(Refusal::page_unknown())
    }

    fn asked(&self, name: RepositoryName, namespace: Option<&str>, headers: &HeaderMap) -> Result<Asked, Refusal> {
        endpoint::asked(name, namespace, |host| {
            headers.get(HOST).is_some_and(|own| own.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
                || self.own_names.iter().any(|own| own == host)
        })
    }

    fn give<B>(&self, request: &Request<B>, entity: &Entity) -> Response<Body> {
        entity.answer(request.method(), request.headers(), &self.reader)
    }

    fn plain<B>(&self, request: &Request<B>, bytes: Bytes, content_type: &'static str) -> Answer {
        Ok(self.give(request, &Entity::plain(bytes, content_type)?))
    }

    fn list<B>(
        &self,
        request: &Request<B>,
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
