//! Requests for pins: made, followed until they are fulfilled, found again, and removed.
//!
//! A service has a request with an ID of its own for each pin; what belongs to a root is found by its CID, so that nothing has to be
//! remembered here, and a cut run goes on with the request that it has made. Knows what a service says of a request.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cid::Cid;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Giver, origins};
use crate::error::{Error, Kind, Result};
use crate::node::web::{Failed, WebApi};
use crate::node::{Pin, PinProgress};
use crate::text::printable_within;

/// The most bytes of one request's status.
const MAX_STATUS_BYTES: usize = 1 << 20;
/// The most bytes of a page of a list.
const MAX_PAGE_BYTES: usize = 16 << 20;
/// Requests on a page, as many as the specification allows.
const PAGE: &str = "1000";
/// Pages of a list that are read.
const MAX_PAGES: usize = 100;
/// Every status: a list without it has fulfilled requests alone.
const ALL: &str = "queued,pinning,pinned,failed";
/// The first pause until a service is asked again; it grows up to `MAX_POLL_DELAY`.
const FIRST_POLL_DELAY: Duration = Duration::from_millis(50);
/// The longest pause.
const MAX_POLL_DELAY: Duration = Duration::from_secs(10);
/// The most bytes of a name (Pinning Service API 1.0, `Pin`).
const MAX_NAME_BYTES: usize = 255;
/// Where a service fetches from, at most.
const MAX_DELEGATES: usize = 20;
/// Under this key of its metadata a request says who made it.
const MADE_BY: &str = "made-by";
const MAKER: &str = "roadstead";

/// A request as the service has it.
#[derive(Debug, Clone, Deserialize)]
struct Request {
    requestid: String,
    status: String,
    #[serde(default)]
    created: String,
    pin: Wanted,
    #[serde(default)]
    delegates: Option<Vec<String>>,
    #[serde(default)]
    info: Option<BTreeMap<String, serde_json::Value>>,
}

/// What a request wants.
#[derive(Debug, Clone, Deserialize)]
struct Wanted {
    cid: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    meta: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    count: u64,
    results: Vec<Request>,
}

impl Request {
    fn is_of(&self, cid: &Cid) -> bool {
        self.pin.cid.parse::<Cid>().is_ok_and(|of| of.hash() == cid.hash() && of.codec() == cid.codec())
    }

    /// Whether it was made by this program. A service may drop what else is said of a request.
    fn is_ours(&self) -> bool {
        let by = self.pin.meta.as_ref().and_then(|meta| meta.get(MADE_BY)?.as_str());
        by == Some(MAKER) || self.pin.name.as_deref().is_some_and(|name| name.starts_with("roadstead "))
    }

    fn pin(self) -> Option<Pin> {
        Some(Pin { cid: self.pin.cid.parse().ok()?, name: self.pin.name.filter(|name| !name.is_empty()) })
    }

    /// What the service says of it besides, as far as it is text.
    fn details(&self) -> Option<String> {
        let details = self.info.as_ref()?.get("status_details")?.as_str()?;
        Some(printable_within(details, 200))
    }
}

async fn page(api: &WebApi, query: &[(&str, &str)], doing: &str) -> Result<Page> {
    let answer =
        async { api.ask(api.request(Method::GET, &["pins"], query), doing).await?.only::<Page>(MAX_PAGE_BYTES).await };
    answer.await.map_err(|failed| api.error(failed, doing))
}

/// How many roots the service has pinned.
pub(super) async fn count(api: &WebApi) -> Result<u64> {
    Ok(page(api, &[("status", "pinned"), ("limit", "1")], "can't list the pins").await?.count)
}

/// The requests for a root, fulfilled ones first, ours before others.
async fn of_root(api: &WebApi, cid: &Cid) -> Result<Vec<Request>> {
    let (text, doing) = (cid.to_string(), format!("can't check whether {cid} is pinned"));
    let query = [("cid", text.as_str()), ("status", ALL), ("limit", PAGE)];
    let mut found = page(api, &query, &doing).await?.results;
    found.retain(|request| request.is_of(cid));
    found.sort_by_key(|request| (request.status != "pinned", !request.is_ours()));
    Ok(found)
}

/// The pin of a root, if there is one.
pub(super) async fn pinned(api: &WebApi, cid: &Cid) -> Result<Option<Pin>> {
    let first = of_root(api, cid).await?.into_iter().next();
    Ok(first.filter(|request| request.status == "pinned").and_then(Request::pin))
}

/// When the pin of a root was made, if there is one.
pub(super) async fn made(api: &WebApi, cid: &Cid) -> Result<Option<jiff::Timestamp>> {
    let first = of_root(api, cid).await?.into_iter().next();
    Ok(first.filter(|request| request.status == "pinned").and_then(|request| request.created.parse().ok()))
}

/// All roots that are pinned, or are to be, under exactly this name.
pub(super) async fn named(api: &WebApi, name: &str) -> Result<Vec<Pin>> {
    let doing = format!("can't list the pins of {}", printable_within(name, 100));
    let (mut found, mut seen, mut before) = (Vec::new(), BTreeSet::new(), None::<String>);
    for _ in 0..MAX_PAGES {
        let mut query = vec![("name", name), ("match", "exact"), ("status", "queued,pinning,pinned"), ("limit", PAGE)];
        if let Some(before) = &before {
            query.push(("before", before));
        }
        let page = page(api, &query, &doing).await?;
        let (all, known) = (page.results.len() as u64, seen.len());
        // The newest come first; the last one's time is where the next page begins.
        before = page.results.last().map(|request| request.created.clone());
        for request in page.results {
            if seen.insert(request.requestid.clone()) && request.pin.name.as_deref() == Some(name) {
                found.extend(request.pin());
            }
        }
        if page.count <= all || seen.len() == known {
            return Ok(found);
        }
    }
    Err(api.nonsense(&doing, "its list has no end"))
}

/// Has a root pinned, and waits until it is.
pub(super) async fn add(
    api: &WebApi,
    giver: &dyn Giver,
    cid: &Cid,
    name: &str,
    progress: &(dyn Fn(PinProgress) + Send + Sync),
) -> Result<()> {
    if name.len() > MAX_NAME_BYTES {
        return Err(Error::new(
            Kind::Usage,
            format!("a pin's name has at most {MAX_NAME_BYTES} bytes, not {}", name.len()),
        ));
    }
    let doing = format!("can't pin {cid}");
    let there = of_root(api, cid).await?;
    let going_on = there.iter().find(|request| request.status != "failed" && request.is_ours()).cloned();
    let given = giver.gives(cid).await;
    let request = match going_on {
        Some(request) => request,
        None => {
            let addresses = if given { giver.addresses().await } else { Vec::new() };
            make(api, cid, name, &origins::usable(addresses, api.is_local), &doing).await?
        }
    };
    // A service elsewhere does not have us connect to what is only reached from here.
    let delegates = request.delegates.clone().unwrap_or_default();
    let delegates = origins::usable(delegates.into_iter().take(MAX_DELEGATES).collect(), api.is_local);
    if given && !delegates.is_empty() {
        giver.connect_to(&delegates).await;
    }
    follow(api, request.clone(), given, progress, &doing).await?;
    // What failed before is of no use now.
    for failed in there.iter().filter(|old| old.status == "failed" && old.is_ours()) {
        if failed.requestid != request.requestid {
            delete(api, &failed.requestid, &doing).await?;
        }
    }
    Ok(())
}

async fn make(api: &WebApi, cid: &Cid, name: &str, origins: &[String], doing: &str) -> Result<Request> {
    let mut body = json!({ "cid": cid.to_string(), "name": name, "meta": { MADE_BY: MAKER } });
    if !origins.is_empty() {
        body["origins"] = json!(origins);
    }
    let request = api.request(Method::POST, &["pins"], &[]).json(&body);
    let made = async { api.ask(request, doing).await?.only::<Request>(MAX_STATUS_BYTES).await };
    match made.await {
        // Some take only addresses that they can check.
        Err(Failed::Refused(refusal))
            if refusal.status == Some(400)
                && !origins.is_empty()
                && refusal.message.to_ascii_lowercase().contains("origin") =>
        {
            Box::pin(make(api, cid, name, &[], doing)).await
        }
        made => made.map_err(|failed| api.error(failed, doing)),
    }
}

/// Waits until a request is fulfilled.
async fn follow(
    api: &WebApi,
    mut request: Request,
    given: bool,
    progress: &(dyn Fn(PinProgress) + Send + Sync),
    doing: &str,
) -> Result<()> {
    let (id, begun) = (request.requestid.clone(), Instant::now());
    let (mut pause, mut said) = (FIRST_POLL_DELAY, String::new());
    loop {
        let status = printable_within(&request.status, 40);
        match status.as_str() {
            "pinned" => return Ok(()),
            "failed" => {
                let why = request.details().map(|details| format!(": {details}")).unwrap_or_default();
                return Err(Error::new(Kind::Node, format!("{doing}: {} failed to pin it{why}", api.place))
                    .hint(where_from(given))
                    .hint("Publish again to have it try once more."));
            }
            "queued" | "pinning" => {}
            other => return Err(api.nonsense(doing, &format!("the status `{other}`"))),
        }
        if said != status {
            let words = if status == "queued" { "has queued the root" } else { "is fetching the root" };
            progress(PinProgress::Words(format!("{} {words}.", api.place)));
            (said, pause) = (status.clone(), FIRST_POLL_DELAY);
        }
        if begun.elapsed() >= api.limits.pin {
            let minutes = begun.elapsed().as_secs() / 60;
            return Err(Error::new(
                Kind::Node,
                format!("{doing}: {} still says `{status}` after {minutes} min", api.place),
            )
            .hint(where_from(given))
            .hint("It goes on with it. Publish again later: that follows the same request."));
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(MAX_POLL_DELAY);
        let asked = async {
            let question = api.request(Method::GET, &["pins", &id], &[]);
            api.ask(question, doing).await?.only::<Request>(MAX_STATUS_BYTES).await
        };
        request = match asked.await {
            Err(Failed::Refused(refusal)) if refusal.status == Some(404) => {
                return Err(Error::new(Kind::Node, format!("{doing}: {} forgot the request", api.place))
                    .hint("Publish again to ask for it once more."));
            }
            asked => asked.map_err(|failed| api.error(failed, doing))?,
        };
    }
}

fn where_from(given: bool) -> &'static str {
    if given {
        "It has to reach this program: `roadstead target show` of the target that gives the root out says where that can be found."
    } else {
        "Nobody here gives the root out: `roadstead target add here --self`, `roadstead publish here`, then `roadstead serve --ipfs`."
    }
}

async fn delete(api: &WebApi, id: &str, doing: &str) -> Result<()> {
    match async { api.ask(api.request(Method::DELETE, &["pins", id], &[]), doing).await?.done().await }.await {
        Err(Failed::Refused(refusal)) if refusal.status == Some(404) => Ok(()),
        answer => answer.map_err(|failed| api.error(failed, doing)),
    }
}

/// Removes the requests for a root that were made by this program. There being none is fine.
pub(super) async fn remove(api: &WebApi, cid: &Cid) -> Result<()> {
    let doing = format!("can't unpin {cid}");
    for request in of_root(api, cid).await? {
        if request.is_ours() {
            delete(api, &request.requestid, &doing).await?;
        }
    }
    Ok(())
}
