//! Tries what publishing needs of a cluster, and changes nothing that lasts.
//!
//! A cluster lets somebody do everything or nothing. What would change its state is asked of something that is no CID, which is
//! refused after the credentials were looked at; the import gets an empty block and pins nothing.

use futures::stream;
use reqwest::Method;

use super::import;
use crate::error::{Error, Kind, Result};
use crate::node::Tried;
use crate::node::web::{Failed, WebApi};
use crate::unixfs::car;

/// A raw block without bytes.
const EMPTY_BLOCK: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
/// What no cluster takes for a CID.
const NO_CID: &str = "roadstead-target-test";

/// Tries each, in the order in which publishing needs them.
pub(super) async fn all(api: &WebApi) -> Vec<Tried> {
    let mut tried = vec![Tried { right: "reach its peers", outcome: peers(api).await }];
    if tried[0].outcome.as_ref().is_err_and(|error| error.kind() == Kind::Auth) {
        return tried;
    }
    tried.push(Tried { right: "import", outcome: empty(api).await });
    tried.push(Tried { right: "see pins", outcome: see(api).await });
    for (right, method) in [("pin", Method::POST), ("unpin", Method::DELETE)] {
        tried.push(Tried { right, outcome: refused(api, method).await });
    }
    tried
}

async fn peers(api: &WebApi) -> Result<()> {
    match super::status::troubles(api).await?.as_slice() {
        [] => Ok(()),
        troubles => Err(Error::new(Kind::Node, troubles.join(" ").trim_end_matches('.').to_owned())
            .hint("`ipfs-cluster-ctl peers ls` on a peer says more.")),
    }
}

async fn empty(api: &WebApi) -> Result<()> {
    let Ok(cid) = EMPTY_BLOCK.parse() else { return Ok(()) };
    let mut bytes = car::header(&[cid]);
    bytes.extend_from_slice(&car::block_prefix(&cid, 0));
    import::import(api, &[], Box::pin(stream::iter([Ok(bytes.into())]))).await.map(drop)
}

async fn see(api: &WebApi) -> Result<()> {
    let Ok(cid) = EMPTY_BLOCK.parse() else { return Ok(()) };
    super::pins::standing(api, &cid).await.map(drop)
}

async fn refused(api: &WebApi, method: Method) -> Result<()> {
    let doing = format!("can't use {method} /pins");
    let request = api.request(method, &["pins", NO_CID], &[]);
    match api.ask(request, &doing).await {
        Err(Failed::Refused(refusal)) if refusal.status == Some(400) => Ok(()),
        Err(failed) => Err(api.error(failed, &doing)),
        Ok(_) => Err(api.nonsense(&doing, "it takes anything for a CID")),
    }
}
