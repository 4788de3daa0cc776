//! The HTTP side of a registry in memory (OCI distribution spec v1.1, pull and content discovery).
//!
//! Answers as registries do; knows nothing of faults.

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use bytes::Bytes;

use super::content::referrers_index;
use super::{Access, MAX_LOGGED_REQUESTS, RequestInfo, State, lock};
use crate::image::{Digest, media};

/// Largest form that the token server reads.
const MAX_FORM_BYTES: usize = 64 << 10;

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(move |request: Request| {
        let state = state.clone();
        async move { state.answer(request).await }
    })
}

fn answer(status: StatusCode, headers: &[(&str, String)], body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn json(value: &serde_json::Value) -> Response {
    answer(StatusCode::OK, &[("content-type", "application/json".to_owned())], value.to_string())
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = serde_json::json!({"errors": [{"code": code, "message": message, "detail": null}]});
    answer(status, &[("content-type", "application/json".to_owned())], body.to_string())
}

/// What a path below `/v2/` asks for.
enum Endpoint<'a> {
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Tags(&'a str),
    Referrers(&'a str, &'a str),
}

impl<'a> Endpoint<'a> {
    fn of(path: &'a str) -> Option<Self> {
        if let Some(name) = path.strip_suffix("/tags/list") {
            return Some(Self::Tags(name));
        }
        let (rest, target) = path.rsplit_once('/')?;
        let (name, kind) = rest.rsplit_once('/')?;
        match kind {
            "manifests" => Some(Self::Manifest(name, target)),
            "blobs" => Some(Self::Blob(name, target)),
            "referrers" => Some(Self::Referrers(name, target)),
            _ => None,
        }
    }

    fn repository(&self) -> &'a str {
        match self {
            Self::Manifest(name, _) | Self::Blob(name, _) | Self::Tags(name) | Self::Referrers(name, _) => name,
        }
    }
}

fn query(text: &str, key: &str) -> Option<String> {
    url::form_urlencoded::parse(text.as_bytes()).find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let pair = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(pair).ok()?).ok()?;
    pair.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

impl State {
    async fn answer(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        if let Some(value) = parts.headers.get_mut(header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        let info = self.note(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default(), &parts.headers);
        let hook = self.intercept.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(response) = hook.and_then(|hook| hook(&info)) {
            return response;
        }
        if info.path == "/token" {
            let form = axum::body::to_bytes(body, MAX_FORM_BYTES).await.unwrap_or_default();
            return self.token(&info, &String::from_utf8_lossy(&form), &parts.headers);
        }
        if info.method != Method::GET && info.method != Method::HEAD {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry is read-only");
        }
        let Some(path) = info.path.strip_prefix("/v2/") else {
            return refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "no such page");
        };
        let endpoint = Endpoint::of(path);
        if let Err(response) = self.admit(endpoint.as_ref().map(Endpoint::repository), &info.headers) {
            return *response;
        }
        let mut response = match endpoint {
            None if path.is_empty() => json(&serde_json::json!({})),
            None if path == "_catalog" => json(
                &serde_json::json!({"repositories": self.content.read().unwrap_or_else(PoisonError::into_inner).names()}),
            ),
            None => refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "no such page"),
            Some(Endpoint::Manifest(name, target)) => self.manifest(name, target, &info.method),
            Some(Endpoint::Blob(name, digest)) => self.blob(name, digest, &info.headers),
            Some(Endpoint::Tags(name)) => self.tags(name, &info.query),
            Some(Endpoint::Referrers(name, digest)) => self.referrers(name, digest, &info.query),
        };
        response.headers_mut().insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
        response
    }

    fn note(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap) -> RequestInfo {
        let mut seen = lock(&self.seen);
        let count = seen.counts.entry((method.clone(), path.to_owned())).or_default();
        *count += 1;
        let info = RequestInfo {
            method: method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.clone(),
            count: *count,
        };
        if seen.log.len() == MAX_LOGGED_REQUESTS {
            seen.log.remove(0);
        }
        seen.log.push(info.clone());
        info
    }

    /// Refuses who may not read this.
    fn admit(&self, repository: Option<&str>, headers: &HeaderMap) -> Result<(), Box<Response>> {
        let refuse = |challenge: String| {
            let mut response = refusal(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            Err(Box::new(response))
        };
        match &self.options.access {
            Access::Everyone => Ok(()),
            Access::Basic { user, password } => match basic(headers) {
                Some((given, secret)) if given == *user && secret == *password => Ok(()),
                _ => refuse("Basic realm=\"memory\"".to_owned()),
            },
            Access::Token { .. } => {
                let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                let token = given.and_then(|value| value.strip_prefix("Bearer "));
                let tokens = lock(&self.tokens);
                let granted = token.and_then(|token| tokens.get(token));
                let good = granted.is_some_and(|(of, users)| match repository {
                    None => true,
                    Some(name) => name == of && (*users || !self.is_private(name)),
                });
                let scope = repository.map(|name| format!(",scope=\"repository:{name}:pull\"")).unwrap_or_default();
                // As it was addressed: behind TLS it has another scheme and port.
                let challenge = format!("Bearer realm=\"http://{}/token\",service=\"memory\"{scope}", self.address);
                if good { Ok(()) } else { refuse(challenge) }
            }
        }
    }

    fn is_private(&self, repository: &str) -> bool {
        self.options.private.iter().any(|private| private.as_str() == repository)
    }

    /// Gives tokens (distribution, "Token Authentication" and "OAuth2 Token Authentication").
    fn token(&self, info: &RequestInfo, form: &str, headers: &HeaderMap) -> Response {
        let wrong = || {
            let body = serde_json::json!({"details": "incorrect username or password"});
            answer(StatusCode::UNAUTHORIZED, &[("content-type", "application/json".to_owned())], body.to_string())
        };
        let Access::Token { user, password } = &self.options.access else {
            return refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "no such page");
        };
        let posted = info.method == Method::POST;
        let scope = query(if posted { form } else { &info.query }, "scope").unwrap_or_default();
        let users = if posted {
            let given = query(form, "refresh_token");
            if given.is_none() || given != self.options.identity_token {
                return wrong();
            }
            true
        } else {
            match basic(headers) {
                None => false,
                Some((given, secret)) if given == *user && secret == *password => true,
                Some(_) => return wrong(),
            }
        };
        let repository = scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'));
        let repository = repository.map(|(name, _)| name.to_owned()).unwrap_or_default();
        let token = format!("memory-token-{:032x}", rand::random::<u128>());
        lock(&self.tokens).insert(token.clone(), (repository, users));
        json(&serde_json::json!({"token": token, "access_token": token, "expires_in": 300}))
    }

    fn manifest(&self, name: &str, target: &str, method: &Method) -> Response {
        let content = self.content.read().unwrap_or_else(PoisonError::into_inner);
        let Some((digest, media_type, bytes)) = content.manifest(name, target) else {
            return if content.has(name) {
                refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown")
            } else {
                refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry")
            };
        };
        let mut headers = vec![("content-type", media_type)];
        if self.options.digest_header {
            headers.push(("docker-content-digest", digest.to_string()));
        }
        let mut spent = false;
        if let Some((limit, window)) = self.options.quota {
            let mut remaining = lock(&self.remaining);
            spent = method == Method::GET && *remaining == 0;
            if method == Method::GET {
                *remaining = remaining.saturating_sub(1);
            }
            headers.push(("ratelimit-limit", format!("{limit};w={window}")));
            headers.push(("ratelimit-remaining", format!("{remaining};w={window}")));
        }
        if spent {
            let body = serde_json::json!({"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}]});
            headers.retain(|(name, _)| name.starts_with("ratelimit"));
            headers.push(("content-type", "application/json".to_owned()));
            return answer(StatusCode::TOO_MANY_REQUESTS, &headers, body.to_string());
        }
        answer(StatusCode::OK, &headers, bytes)
    }

    fn blob(&self, name: &str, digest: &str, headers: &HeaderMap) -> Response {
        let Ok(digest) = digest.parse::<Digest>() else {
            return refusal(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "not a digest");
        };
        let found = self.content.read().unwrap_or_else(PoisonError::into_inner).blob(name, &digest);
        let Some(bytes) = found else {
            return refusal(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry");
        };
        let mut answered = vec![
            ("content-type", "application/octet-stream".to_owned()),
            ("docker-content-digest", digest.to_string()),
        ];
        if !self.options.ranges {
            return answer(StatusCode::OK, &answered, bytes);
        }
        answered.push(("accept-ranges", "bytes".to_owned()));
        match range(headers, &bytes) {
            None => answer(StatusCode::OK, &answered, bytes),
            Some(Err(())) => {
                answered.push(("content-range", format!("bytes */{}", bytes.len())));
                answer(StatusCode::RANGE_NOT_SATISFIABLE, &answered, Body::empty())
            }
            Some(Ok((first, last))) => {
                answered.push(("content-range", format!("bytes {first}-{last}/{}", bytes.len())));
                answer(StatusCode::PARTIAL_CONTENT, &answered, bytes.slice(first..=last))
            }
        }
    }

    fn tags(&self, name: &str, asked: &str) -> Response {
        let tags = self.content.read().unwrap_or_else(PoisonError::into_inner).tags(name);
        let Some(tags) = tags else {
            return refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry");
        };
        let wanted = query(asked, "n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let last = query(asked, "last");
        let after: Vec<String> = tags.into_iter().filter(|tag| last.as_ref().is_none_or(|last| tag > last)).collect();
        let size = wanted.min(self.options.page);
        let page = &after[..size.min(after.len())];
        let mut response = json(&serde_json::json!({"name": name, "tags": page}));
        if let Some(last) = page.last().filter(|_| after.len() > page.len()) {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("n", &size.to_string())
                .append_pair("last", last)
                .finish();
            link(&mut response, &format!("/v2/{name}/tags/list?{query}"));
        }
        response
    }

    fn referrers(&self, name: &str, digest: &str, asked: &str) -> Response {
        if !self.options.referrers {
            return answer(StatusCode::NOT_FOUND, &[("content-type", "text/plain".to_owned())], "404 page not found\n");
        }
        let Ok(digest) = digest.parse::<Digest>() else {
            return refusal(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "not a digest");
        };
        let mut found = self.content.read().unwrap_or_else(PoisonError::into_inner).find_referrers(name, &digest);
        let filter = query(asked, "artifactType");
        if let Some(wanted) = &filter {
            found.retain(|descriptor| descriptor.artifact_type.as_ref() == Some(wanted));
        }
        let begin: usize = query(asked, "from").and_then(|from| from.parse().ok()).unwrap_or(0).min(found.len());
        let end = begin.saturating_add(self.options.page).min(found.len());
        let mut headers = vec![("content-type", media::OCI_INDEX.to_owned())];
        if filter.is_some() {
            headers.push(("oci-filters-applied", "artifactType".to_owned()));
        }
        let mut response = answer(StatusCode::OK, &headers, referrers_index(&found[begin..end]));
        if end < found.len() {
            link(&mut response, &format!("/v2/{name}/referrers/{digest}?from={end}"));
        }
        response
    }
}

fn link(response: &mut Response, target: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")) {
        response.headers_mut().insert(header::LINK, value);
    }
}

/// The one range that is asked for, if there is one; an error if the blob does not have it.
fn range(headers: &HeaderMap, bytes: &Bytes) -> Option<Result<(usize, usize), ()>> {
    let asked = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = asked.split_once('-')?;
    let whole = bytes.len();
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(whole.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, whole.saturating_sub(1)),
        (Err(_), Ok(suffix)) if first.is_empty() && suffix > 0 => {
            (whole.saturating_sub(suffix), whole.saturating_sub(1))
        }
        _ => return None,
    };
    Some(if first < whole { Ok((first, last)) } else { Err(()) })
}
