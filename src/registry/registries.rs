//! Opens registries by their names in references.
//!
//! Knows the settings and which host stands behind a name; makes the clients.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::sync::Semaphore;
use url::Url;

use super::authorities::Authorities;
use super::authorization::Keyring;
use super::credentials::Credentials;
use super::endpoint::{Endpoint, Shared};
use super::plain_http::PlainHttp;
use super::upstream::Upstream;
use super::{Options, Registry, RegistrySettings};
use crate::error::{Error, Kind, Result};
use crate::image::RepositoryName;
use crate::text::printable_within;

/// How often a mirror is tried before the registry itself is asked.
const MAX_MIRROR_TRIES: u32 = 2;

/// Manifests of which is remembered that anyone is given them: more than are asked for at the same time.
const MAX_REMEMBERED_GIVEN: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

/// Opens registries; cheap to clone. Clones share connections, tokens and limits.
#[derive(Clone)]
pub struct Registries {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    shared: Arc<Shared>,
    open: Mutex<HashMap<(String, bool), Arc<Upstream>>>,
    slots: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Docker Hub has several names; in references and in settings it is `docker.io`.
fn canonical(registry: &str) -> String {
    match registry.to_ascii_lowercase() {
        hub if matches!(hub.as_str(), "index.docker.io" | "registry-1.docker.io") => "docker.io".to_owned(),
        other => other,
    }
}

impl Registries {
    /// Takes the settings; nothing is asked or read yet.
    pub fn new(mut options: Options) -> Self {
        options.registries =
            std::mem::take(&mut options.registries).into_iter().map(|(name, of)| (canonical(&name), of)).collect();
        let shared = Arc::new(Shared {
            credentials: Credentials::new(&options.environment, &options.credential_files),
            retry: options.retry,
            timeouts: options.timeouts,
            observer: options.observer.clone(),
        });
        Self { inner: Arc::new(Inner { options, shared, open: Mutex::default(), slots: Mutex::default() }) }
    }

    /// The registry of this name (`docker.io`, `ghcr.io`, `127.0.0.1:5000`). `insecure` allows plain http beyond what the
    /// settings allow. Nothing is asked yet.
    pub fn open(&self, registry: &str, insecure: bool) -> Result<Arc<dyn Registry>> {
        let registry = canonical(registry);
        let key = (registry.clone(), insecure);
        if let Some(upstream) = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(upstream.clone());
        }
        let upstream = Arc::new(self.upstream(&registry, insecure)?);
        let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(open.entry(key).or_insert(upstream).clone())
    }

    pub(super) fn upstream(&self, registry: &str, insecure: bool) -> Result<Upstream> {
        let options = &self.inner.options;
        let settings = options.registries.get(registry).cloned().unwrap_or_default();
        let is_hub = registry == "docker.io";
        let insecure = insecure || settings.insecure;
        let mut endpoints = Vec::new();
        if let Some(mirror) = &settings.mirror {
            endpoints.push(Arc::new(self.mirror(registry, mirror, insecure, &settings)?));
        }
        let plain = insecure && !is_hub;
        let address = if is_hub { "registry-1.docker.io" } else { registry };
        let plain = PlainHttp::of(address, plain, false);
        let endpoint = self.endpoint(registry, registry, address, plain, settings.ca_file.as_deref())?;
        endpoints.push(Arc::new(endpoint));
        let wanted = settings.max_parallel.unwrap_or(options.max_parallel);
        let slots = self
            .inner
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(registry.to_owned())
            .or_insert_with(|| {
                Arc::new(Semaphore::new(if wanted == 0 { 3 } else { wanted.min(Semaphore::MAX_PERMITS) }))
            })
            .clone();
        Ok(Upstream { endpoints, slots })
    }

    fn mirror(&self, registry: &str, written: &str, insecure: bool, of: &RegistrySettings) -> Result<Endpoint> {
        let (plain, rest) = match (written.strip_prefix("http://"), written.strip_prefix("https://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => (insecure, written),
        };
        let refuse = |why: String| {
            Error::new(Kind::Usage, format!("the mirror `{}` of {registry}: {why}", printable_within(written, 200)))
                .hint("A mirror is written `host[:port][/prefix]`, or with `http://` or `https://` before it.")
        };
        let (host, prefix) = rest.trim_end_matches('/').split_once('/').unwrap_or((rest.trim_end_matches('/'), ""));
        let host = canonical(host);
        let own = self.inner.options.registries.get(&host).cloned().unwrap_or_default();
        let ca_file = own.ca_file.as_deref().or(of.ca_file.as_deref());
        let plain = plain || own.insecure && !written.starts_with("https://");
        let address = if host == "docker.io" { "registry-1.docker.io" } else { &host };
        let plain = PlainHttp::of(address, plain, written.starts_with("https://"));
        let mut endpoint =
            self.endpoint(registry, &host, address, plain, ca_file).map_err(|error| refuse(error.to_string()))?;
        endpoint.tries = Some(MAX_MIRROR_TRIES);
        if !prefix.is_empty() {
            endpoint.prefix = Some(prefix.parse::<RepositoryName>().map_err(|error| refuse(error.to_string()))?);
        }
        Ok(endpoint)
    }

    fn endpoint(
        &self,
        registry: &str,
        host: &str,
        address: &str,
        plain_http: PlainHttp,
        ca_file: Option<&Path>,
    ) -> Result<Endpoint> {
        let scheme = if plain_http == PlainHttp::Allowed { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{address}/")).ok().filter(|url| {
            url.path() == "/"
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let base = base.ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{}` is not the name of a registry", printable_within(host, 200)))
        })?;
        let authorities = ca_file.map(Authorities::read).transpose()?.unwrap_or_default();
        let http = self.client(&authorities, plain_http != PlainHttp::Refused)?;
        Ok(Endpoint {
            host: host.to_owned(),
            registry: registry.to_owned(),
            written: base,
            prefix: None,
            plain_http,
            tries: None,
            http,
            keyring: Keyring::default(),
            rests_until: Mutex::default(),
            given_to_anyone: Mutex::new(LruCache::new(MAX_REMEMBERED_GIVEN)),
            lacks_referrers_api: Mutex::default(),
            shared: self.inner.shared.clone(),
        })
    }

    fn client(&self, authorities: &Authorities, may_be_plain: bool) -> Result<reqwest::Client> {
        let begun =
            || crate::http::client().connect_timeout(self.inner.options.timeouts.connect).http2_adaptive_window(true);
        let made = if authorities.is_empty() {
            begun().build()
        } else {
            begun().tls_backend_preconfigured(authorities.client_config()?).build()
        };
        // A system without any authority can still speak plain http.
        made.or_else(|error| if may_be_plain { begun().tls_certs_only([]).build() } else { Err(error) }).map_err(
            |error| {
                Error::new(Kind::Unexpected, "can't set up TLS").caused_by(error.without_url()).hint(
                    "Install the system's certificate authorities (the package `ca-certificates`), or set `ca_file`.",
                )
            },
        )
    }
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registries").field("options", &self.inner.options).finish_non_exhaustive()
    }
}
