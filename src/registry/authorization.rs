//! Convincing a registry: from a challenge and a credential to the header of a request.
//!
//! Basic authentication, tokens for nobody or for user and password (distribution, "Token Authentication"), and identity
//! tokens ("OAuth2 Token Authentication"). What a token server is shown and what it says goes by the same requests as
//! everything else, with their caps and rules; `oci-client` has the shape of its answer.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use oci_client::token_cache::RegistryToken;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use super::challenge::Challenge;
use super::credentials::{Credential, Secret};
use super::document::Document;
use super::endpoint::{Ask, Endpoint, Redirects};
use super::failure::{speaks_tls, tls_to_http};
use super::retry::Patience;
use super::safe_url::SafeUrl;
use crate::error::{Error, Kind, Result};

/// Largest answer of a token server that is read.
const MAX_TOKEN_ANSWER_BYTES: usize = 1 << 20;

/// As whom a registry is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// As the user, with the credentials there are.
    User,
    /// As nobody, whatever credentials there are.
    Anonymous,
}

/// Whose a grant is; decides the words of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    /// User and password, sent themselves.
    Password,
    /// A token that was given for credentials.
    Token,
}

/// What is sent along with requests; shows no secret.
pub(super) struct Grant {
    pub(super) header: Option<HeaderValue>,
    pub(super) holder: Holder,
    /// What must not be shown, should a server echo it.
    pub(super) secrets: Vec<Secret>,
}

impl Grant {
    pub(super) fn nobody() -> Self {
        Self { header: None, holder: Holder::Nobody, secrets: Vec::new() }
    }

    /// Whether it is what anyone gets, who shows no credential.
    pub(super) fn is_anyones(&self) -> bool {
        self.holder == Holder::Nobody
    }

    pub(super) fn password(user: &str, password: &Secret) -> Self {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", password.reveal()));
        let header = sensitive(&format!("Basic {pair}"));
        Self { header, holder: Holder::Password, secrets: vec![password.clone(), Secret::new(pair)] }
    }

    fn bearer(token: &str, holder: Holder) -> Result<Self> {
        let header = sensitive(&format!("Bearer {token}"))
            .ok_or_else(|| Error::new(Kind::Auth, "the token server gave a token that can't be sent"))?;
        Ok(Self { header: Some(header), holder, secrets: vec![Secret::new(token)] })
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("holder", &self.holder).finish_non_exhaustive()
    }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

type Slot = Arc<tokio::sync::Mutex<Option<Arc<Grant>>>>;

/// What was granted, by repository and identity. Each is asked for once, however many requests want it.
#[derive(Default)]
pub(super) struct Keyring {
    challenge: tokio::sync::Mutex<Option<Challenge>>,
    /// Every secret that was ever shown to this host or to its token server: either may repeat it, in any answer.
    shown: Mutex<Vec<Secret>>,
    slots: Mutex<HashMap<(String, Identity), Slot>>,
}

impl Keyring {
    fn slot(&self, repository: &str, identity: Identity) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry((repository.to_owned(), identity)).or_default().clone()
    }

    /// Takes note of what is shown to the host.
    fn show(&self, credential: &Credential) {
        let secrets = match credential {
            Credential::Password { user, password } => Grant::password(user, password).secrets,
            Credential::IdentityToken(token) => vec![token.clone()],
        };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            if !shown.contains(&secret) {
                shown.push(secret);
            }
        }
    }

    /// What must not be seen in an answer to a request with this grant.
    pub(super) fn secrets(&self, grant: &Grant) -> Vec<Secret> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        grant.secrets.iter().chain(shown.iter()).cloned().collect()
    }
}

impl Endpoint {
    /// What to send along with a request, and whether it was asked for just now.
    pub(super) async fn grant(
        &self,
        repository: &str,
        identity: Identity,
        patience: &mut Patience,
    ) -> Result<(Arc<Grant>, bool)> {
        let slot = self.keyring.slot(repository, identity);
        let mut held = slot.lock().await;
        if let Some(grant) = &*held {
            return Ok((grant.clone(), false));
        }
        let grant = Arc::new(self.authorize(repository, identity, patience).await?);
        *held = Some(grant.clone());
        Ok((grant, true))
    }

    /// Forgets a grant that was refused, unless another request has already renewed it.
    pub(super) async fn forget(&self, repository: &str, identity: Identity, refused: &Arc<Grant>) {
        let slot = self.keyring.slot(repository, identity);
        let mut held = slot.lock().await;
        if held.as_ref().is_some_and(|grant| Arc::ptr_eq(grant, refused)) {
            *held = None;
        }
    }

    /// Takes note of the challenge in an answer; says whether it is news.
    pub(super) async fn learn(&self, headers: &HeaderMap) -> bool {
        let challenge = Challenge::from_headers(headers);
        let mut known = self.keyring.challenge.lock().await;
        let news = challenge != Challenge::None && known.as_ref() != Some(&challenge);
        if news {
            *known = Some(challenge);
        }
        news
    }

    /// Whether there are credentials for this repository.
    pub(super) async fn has_credential(&self, repository: &str) -> Result<bool> {
        Ok(self.shared.credentials.find(&self.host, repository).await?.is_some())
    }

    /// How the registry wants to be convinced; asked once (distribution spec, "Determining Support").
    async fn challenge(&self, patience: &mut Patience) -> Result<Challenge> {
        let mut known = self.keyring.challenge.lock().await;
        if let Some(challenge) = &*known {
            return Ok(challenge.clone());
        }
        let ask = Ask::get(self.url("v2/")?);
        let answer = self.plain_document(&ask, &Grant::nobody(), 64 << 10, patience).await?;
        if answer.status == StatusCode::BAD_REQUEST && speaks_tls(&answer.bytes) {
            return Err(tls_to_http(&self.host));
        }
        let challenge = Challenge::from_headers(&answer.headers);
        *known = Some(challenge.clone());
        Ok(challenge)
    }

    async fn authorize(&self, repository: &str, identity: Identity, patience: &mut Patience) -> Result<Grant> {
        let challenge = self.challenge(patience).await?;
        let credential = match (&challenge, identity) {
            (Challenge::None, _) | (_, Identity::Anonymous) => None,
            (_, Identity::User) => self.shared.credentials.find(&self.host, repository).await?,
        };
        if let Some(credential) = &credential {
            self.keyring.show(credential);
        }
        match (challenge, credential) {
            (Challenge::None, _) | (Challenge::Basic, None) => Ok(Grant::nobody()),
            (Challenge::Basic, Some(Credential::Password { user, password })) => Ok(Grant::password(&user, &password)),
            (Challenge::Basic, Some(Credential::IdentityToken(_))) => Err(Error::new(
                Kind::Auth,
                format!(
                    "{} requires a user name and a password, but there is only an identity token for it",
                    self.host
                ),
            )
            .hint(format!("Log in: `podman login {0}` or `docker login {0}`.", self.host))),
            (Challenge::Bearer { realm, service }, credential) => {
                if realm.scheme() == "http" && !self.may_be_plain(&realm, credential.is_some()) {
                    return Err(Error::new(
                        Kind::Auth,
                        format!("{} asks to send credentials to {} in the clear", self.host, SafeUrl(&realm)),
                    )
                    .hint("This is refused; tell the registry's operator."));
                }
                let service = service.as_deref();
                match &credential {
                    Some(Credential::IdentityToken(token)) => {
                        self.exchange_identity(&realm, service, repository, token, patience).await
                    }
                    _ => self.token(&realm, service, repository, credential.as_ref(), patience).await,
                }
            }
        }
    }

    fn scope(&self, repository: &str) -> String {
        format!("repository:{}:pull", self.remote_name(repository))
    }

    /// Asks the token server for a token to pull with, for nobody or for a user with a password.
    async fn token(
        &self,
        realm: &Url,
        service: Option<&str>,
        repository: &str,
        credential: Option<&Credential>,
        patience: &mut Patience,
    ) -> Result<Grant> {
        let mut url = realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", &self.scope(repository));
        }
        let (grant, holder) = match credential {
            Some(Credential::Password { user, password }) => (Grant::password(user, password), Holder::Token),
            _ => (Grant::nobody(), Holder::Nobody),
        };
        let mut ask = Ask::get(url);
        ask.redirects = Redirects::SameOrigin;
        if let Some(header) = &grant.header {
            ask.headers.insert(AUTHORIZATION, header.clone());
        }
        let answer = self.plain_document(&ask, &grant, MAX_TOKEN_ANSWER_BYTES, patience).await?;
        self.granted(answer, &grant, holder)
    }

    /// Buys an access token with an identity token.
    async fn exchange_identity(
        &self,
        realm: &Url,
        service: Option<&str>,
        repository: &str,
        token: &Secret,
        patience: &mut Patience,
    ) -> Result<Grant> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("service", service.unwrap_or_default())
            .append_pair("client_id", "roadstead")
            .append_pair("scope", &self.scope(repository))
            .append_pair("refresh_token", token.reveal())
            .finish();
        let mut ask = Ask::get(realm.clone());
        ask.method = Method::POST;
        ask.redirects = Redirects::Never;
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        ask.form = Some(form);
        let asked = Grant { header: None, holder: Holder::Token, secrets: vec![token.clone()] };
        let answer = self.plain_document(&ask, &asked, MAX_TOKEN_ANSWER_BYTES, patience).await?;
        if answer.status.is_client_error() {
            return Err(Error::new(Kind::Auth, format!("the login at {} is no longer valid", self.host))
                .hint(format!("Log in again: `podman login {0}` or `docker login {0}`.", self.host)));
        }
        self.granted(answer, &asked, Holder::Token)
    }

    fn granted(&self, answer: Document, asked: &Grant, holder: Holder) -> Result<Grant> {
        let answer = answer.success(self, asked)?;
        let wrong = || Error::new(Kind::Auth, format!("the token server of {} gave no token", self.host));
        let token: RegistryToken = serde_json::from_slice(&answer.bytes).map_err(|_| wrong())?;
        let token = Some(token.token()).filter(|token| !token.is_empty()).ok_or_else(wrong)?;
        Grant::bearer(token, holder)
    }
}
