//! How registries are asked: over TLS, or over plain HTTP where whoever curates this catalog said so.
//!
//! Knows choices and where they are kept; must not know how a registry is asked.

use crate::catalog::repositories::{self, Repository, Transport};
use crate::engine::Engine;
use crate::engine::request::AddRequest;
use crate::error::Result;
use crate::image::{RepositoryName, Upstream};

impl Engine {
    /// Whether a request for this repository is asked over plain HTTP, and what is recorded of that.
    pub(in crate::engine) fn transport(
        &self,
        request: &AddRequest,
        upstream: &Upstream,
        name: &RepositoryName,
    ) -> Result<(bool, Transport)> {
        if let Some(chosen) = request.insecure {
            return Ok((chosen, Transport::chosen(chosen)));
        }
        let reader = self.catalog.read()?;
        let insecure = repositories::is_insecure(&reader, upstream)?;
        let here = repositories::by_name(&reader, name.as_str())?.map(|here| here.transport);
        // What a tree says stays as it is until somebody chooses.
        let kept = here.filter(|transport| transport.choice().is_none());
        Ok((insecure, kept.unwrap_or(Transport::chosen(insecure))))
    }

    /// Whether the upstream of a repository that is here is asked over plain HTTP.
    pub(in crate::engine) fn asks_plain_http(&self, repository: &Repository, upstream: &Upstream) -> Result<bool> {
        repository.transport.choice().map_or_else(|| self.is_insecure(upstream), Ok)
    }

    /// Whether what is mirrored from there is asked over plain HTTP; of what is not mirrored yet, whether its registry is.
    pub(in crate::engine) fn is_insecure(&self, upstream: &Upstream) -> Result<bool> {
        repositories::is_insecure(&*self.catalog.read()?, upstream)
    }
}
