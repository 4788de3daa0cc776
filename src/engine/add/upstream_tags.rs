//! The tags that upstream has to choose from.

use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::error::Result;
use crate::image::Reference;
use crate::registry::Wanted;

impl Engine {
    /// Tags that upstream has of a reference's repository, sorted, to choose from: the name may be anybody's, so only the beginning
    /// of a list is asked for. Costs nothing of a registry's quota. It is asked by plain HTTP or by TLS; none: as
    /// [`AddRequest`](crate::engine::request::AddRequest) means it.
    pub async fn upstream_tags(&self, reference: &Reference, insecure: Option<bool>) -> Result<Vec<String>> {
        let upstream = &reference.upstream;
        let insecure = insecure.map_or_else(|| in_place(|| self.is_insecure(upstream)), Ok)?;
        let registry = self.registries.open(&upstream.registry, insecure)?;
        let tags = registry.tags(&upstream.repository, Wanted::Beginning).await?;
        Ok(tags.into_iter().map(|tag| tag.to_string()).collect())
    }
}
