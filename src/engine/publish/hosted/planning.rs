//! Plans a publication to a static host.

use std::sync::Arc;

use super::standing::Standing;
use super::store::Originals;
use crate::catalog::targets::Target;
use crate::catalog::{host_objects, publications, unfinished};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::publish::plan::{PlannedHost, PlannedObjects, PlannedTarget};
use crate::error::Result;
use crate::hosts::Host;
use crate::site::objects::RECORD_KEY;
use crate::text::count;
use crate::unixfs::Link;

impl Engine {
    /// What a root takes at a host; `warnings` are about how its secrets are kept.
    pub(in crate::engine::publish) async fn plan_hosted(
        self: &Arc<Self>,
        target: &Target,
        host: &dyn Host,
        root: &Link,
        force: bool,
        warnings: Vec<String>,
        job: &Job,
    ) -> Result<PlannedTarget> {
        let standing = Standing::of(self, host, target, root, force, job).await?;
        let mut notes = warnings;
        let objects = objects(&standing, host, root);
        if standing.lost > 0 && standing.record.ours {
            notes.push(format!(
                "{} there no longer or not whole: stored again.",
                count(standing.lost, "object that was stored is", "objects that were stored are")
            ));
        }
        if let (Some(tag), true, false) = (&standing.record.tag, force, standing.record.ours) {
            tracing::debug!(tag, "the record is taken over");
            notes.push("Another catalog publishes there; this takes it over.".to_owned());
        }
        if standing.record.tag.is_none() {
            notes.extend(self.of_first_time(host, job).await?);
        }
        let (id, cid) = (target.id, root.cid);
        let settled = objects.is_done() && standing.gone.is_empty() && standing.adopted.is_empty();
        let listed_at = (settled && standing.listed()).then(|| standing.listed_at());
        let read = self.blocking(move |engine| {
            // No run follows that writes it down. A catalog that can't be written to is listed for once more, no more than that.
            if let Some(at) = listed_at
                && let Err(error) = engine.catalog.write(|writer| host_objects::renew_listed(writer, id, at))
            {
                tracing::debug!(%error, "that the host was listed is not remembered");
            }
            let reader = engine.catalog.read()?;
            let served = publications::newest_published(&reader, id)?.map(|served| served.root.cid);
            let continues = unfinished::of_root(&reader, id, &cid)?.map(|publication| publication.id);
            Ok((served, continues, Self::diff_roots(&reader, served, cid)?))
        });
        let (served, continues, changes) = read.await?;
        let is_there = objects.is_done() && served == Some(root.cid);
        Ok(PlannedTarget {
            target: target.clone(),
            former: if is_there { Some(root.cid) } else { served.filter(|served| *served != root.cid) },
            continues,
            changes,
            blocks: 0,
            bytes: objects.bytes,
            chain: Vec::new(),
            pinned: true,
            fetches: false,
            unpin: Vec::new(),
            dnslink: None,
            ipns: None,
            ipns_failure: None,
            notes,
            requests: host.requests(),
            found: None,
            host: Some(PlannedHost { objects, links: host.trees().is_some(), standing: Arc::new(standing) }),
        })
    }

    /// What one should know before anything is there.
    async fn of_first_time(&self, host: &dyn Host, job: &Job) -> Result<Vec<String>> {
        let openness = job.or_cancelled(async { Ok(host.openness(RECORD_KEY).await) }).await?;
        Ok(match (openness.list, openness.read) {
            (true, _) => vec!["Everyone can list this bucket, and read what is published.".to_owned()],
            (false, None) => vec!["Everyone can read what is published here.".to_owned()],
            _ => Vec::new(),
        })
    }
}

fn objects(standing: &Standing, host: &dyn Host, root: &Link) -> PlannedObjects {
    let (copied, bytes) = Originals::of(standing, host).count(standing);
    PlannedObjects {
        total: standing.wanted.len() as u64,
        stored: standing.store.len() as u64,
        copied,
        bytes,
        deleted: standing.leaving.len() as u64,
        deleted_bytes: standing.leaving.iter().map(|leaving| leaving.size).sum(),
        unneeded: standing.unneeded,
        recorded: standing.record.root() == Some(root.cid) && standing.record.storing().is_none(),
    }
}
