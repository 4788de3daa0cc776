//! Asks a gateway for the new root, and compares what it gives out with what was published.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use url::Url;

use crate::catalog::blobs;
use crate::catalog::nodes::Nodes;
use crate::engine::Engine;
use crate::engine::blocks::{blob_of, is_directory};
use crate::error::{Error, Kind, Result};
use crate::site::paths;
use crate::text::printable_within;
use crate::unixfs::{Link, directory, tree};

/// How long a gateway may take for one answer: it may have to find the node first.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);
/// Directories that are looked into for a manifest.
const MAX_SEARCHED_DIRECTORIES: usize = 1000;

/// Fetches the root's `/v2/` and one manifest through a gateway.
pub(super) async fn check(engine: &Arc<Engine>, gateway: &str, root: &Link) -> Result<()> {
    let base = Url::parse(gateway).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let base = base.ok_or_else(|| {
        Error::new(Kind::Usage, format!("invalid gateway URL `{}`", printable_within(gateway, 200)))
            .hint("Write it like `https://ipfs.example.com`.")
    })?;
    let expected = {
        let root = *root;
        engine.blocking(move |engine| what_to_compare(engine, &root)).await?
    };
    let client = crate::http::client()
        .redirect(crate::http::safe_redirects(3))
        .connect_timeout(Duration::from_secs(20))
        .timeout(ANSWER_TIMEOUT)
        .build()
        .map_err(|error| Error::new(Kind::Unexpected, "can't ask gateways").caused_by(error))?;
    for (path, content) in expected {
        let mut url = base.clone();
        let mut shown = base.clone();
        let _ = (shown.set_username(""), shown.set_password(None));
        shown.set_query(None);
        {
            let wrong = |()| Error::new(Kind::Usage, format!("invalid gateway URL `{shown}`"));
            let mut parts = url.path_segments_mut().map_err(wrong)?;
            parts.pop_if_empty().push("ipfs").push(&root.cid.to_string()).extend(path.split('/'));
        }
        let path = printable_within(&path, 200);
        let failed = |error: reqwest::Error| {
            Error::new(Kind::Network, format!("{shown} did not answer for {path}")).caused_by(error.without_url())
        };
        let response = client.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(Error::new(Kind::Network, format!("{shown} answers {} for {path}", response.status())));
        }
        let (mut body, mut same) = (response.bytes_stream(), 0);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(failed)?;
            if content.get(same..same + piece.len()) != Some(&piece[..]) {
                same = usize::MAX;
                break;
            }
            same += piece.len();
        }
        if same != content.len() {
            return Err(Error::new(Kind::Verification, format!("{shown} serves other bytes for {path}")));
        }
    }
    Ok(())
}

/// Paths and what is there: `/v2/`, and a manifest if there is one.
fn what_to_compare(engine: &Engine, root: &Link) -> Result<Vec<(String, Vec<u8>)>> {
    let reader = engine.catalog.read()?;
    let mut store = Nodes::of(&reader);
    let ping = tree::lookup(&mut store, root, &format!("{}/{}", paths::GATEWAY, paths::PING))?;
    let ping = match ping {
        Some(ping) => blobs::bytes(&reader, blob_of(&reader, &ping)?.id)?.to_vec(),
        None => Vec::new(),
    };
    let mut expected = vec![(format!("{}/", paths::GATEWAY), ping)];
    for view in [paths::GATEWAY, paths::NATIVE] {
        let Some(top) = tree::lookup(&mut store, root, view)? else { continue };
        let mut todo = vec![(view.to_owned(), top)];
        for _ in 0..MAX_SEARCHED_DIRECTORIES {
            let Some((path, link)) = todo.pop() else { break };
            let is_manifests = path.ends_with(&format!("/{}", paths::MANIFESTS));
            let mut found = None;
            let mut below = Vec::new();
            directory::list(&mut store, &link, &mut |name, link| {
                below.push((format!("{path}/{name}"), link));
                Ok(())
            })?;
            for (path, link) in below {
                if is_directory(&reader, &link)? {
                    todo.push((path, link));
                } else if is_manifests && found.is_none() {
                    found = Some((path, link));
                }
            }
            if let Some((path, link)) = found {
                let blob = blob_of(&reader, &link)?;
                if blob.inline {
                    expected.push((path, blobs::bytes(&reader, blob.id)?.to_vec()));
                    return Ok(expected);
                }
            }
        }
    }
    Ok(expected)
}
