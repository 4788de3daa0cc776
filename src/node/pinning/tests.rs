//! The adapter against a service inside the process, which keeps to the specification, or does not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cid::Cid;
use serde_json::{Value, json};

use super::{Giver, PinningOptions, PinningService};
use crate::error::{Error, Kind};
use crate::node::fake_server::{Answer, Received, Server, answer, chunk, head, ok};
use crate::node::{Limits, Node as _, Pin, PinProgress, Pins as _};

const ROOT: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const NAME: &str = "roadstead home";
/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// As short as something that never comes may be waited for.
const SHORT: Duration = Duration::from_millis(400);
const ORIGIN: &str = "/ip4/127.0.0.1/tcp/4001/p2p/12D3Koo";

fn root() -> Cid {
    ROOT.parse().unwrap()
}

/// Gives every root out, or none; notes whom it is to connect to.
#[derive(Debug, Default)]
struct Given {
    nothing: bool,
    called: Mutex<Vec<String>>,
}

#[async_trait]
impl Giver for Given {
    async fn addresses(&self) -> Vec<String> {
        vec![ORIGIN.to_owned()]
    }

    async fn gives(&self, _: &Cid) -> bool {
        !self.nothing
    }

    async fn connect_to(&self, delegates: &[String]) {
        self.called.lock().unwrap().extend_from_slice(delegates);
    }

    async fn advice(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A service: its requests, and what becomes of the next ones each time that they are asked for.
#[derive(Default)]
struct Service {
    requests: Vec<Value>,
    stages: Vec<&'static str>,
    made: Vec<Value>,
    deleted: Vec<String>,
}

type Shared = Arc<Mutex<Service>>;

impl Service {
    fn with(stages: &[&'static str]) -> Shared {
        Arc::new(Mutex::new(Self { stages: stages.to_vec(), ..Self::default() }))
    }

    fn add(&mut self, id: &str, status: &str, name: &str) {
        let pin = json!({ "cid": ROOT, "name": name });
        let delegates = json!(["/ip4/127.0.0.1/tcp/4002/p2p/12D3Kar", "/ip4/127.0.0.1/tcp/1/http"]);
        self.requests.push(json!({
            "requestid": id, "status": status, "created": "2026-11-30T12:00:00Z", "pin": pin, "delegates": delegates,
            "info": { "status_details": "no provider was found" },
        }));
    }

    fn answer(&mut self, request: &Received) -> Answer {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target.as_str(), ""));
        match (request.method.as_str(), path.strip_prefix("/psa/pins").unwrap_or("?")) {
            ("GET", "") => {
                let named = |one: &&Value| !query.contains("name=") || one["pin"]["name"] == NAME;
                let found: Vec<&Value> = self.requests.iter().filter(named).collect();
                ok(&json!({ "count": found.len(), "results": found }).to_string())
            }
            ("POST", "") => {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let id = format!("new{}", self.made.len());
                self.made.push(body);
                self.add(&id, "queued", NAME);
                answer("202 Accepted", &self.requests.last().unwrap().to_string())
            }
            ("GET", id) => {
                let stage =
                    if self.stages.len() > 1 { Some(self.stages.remove(0)) } else { self.stages.first().copied() };
                let id = id.trim_start_matches('/');
                let Some(found) = self.requests.iter_mut().find(|one| one["requestid"] == id) else {
                    return answer("404 Not Found", r#"{"error":{"reason":"NOT_FOUND"}}"#);
                };
                if let Some(stage) = stage {
                    found["status"] = stage.into();
                }
                ok(&found.to_string())
            }
            ("DELETE", id) => {
                let id = id.trim_start_matches('/').to_owned();
                self.requests.retain(|one| one["requestid"] != id.as_str());
                self.deleted.push(id);
                answer("202 Accepted", "")
            }
            _ => answer("400 Bad Request", "{}"),
        }
    }
}

async fn serve(service: &Shared) -> Server {
    let service = Arc::clone(service);
    Server::start(move |request| service.lock().unwrap().answer(request)).await
}

fn reach(server: &Server, giver: &Arc<Given>, limit: Duration) -> PinningService {
    // An answer may take long on a busy machine; what never comes is waited for by those who test that.
    let limits = Limits { connect: PATIENCE, answer: limit.max(SHORT * 5), stall: PATIENCE, pin: limit };
    let url = format!("{}/psa", server.url).parse().unwrap();
    let options =
        PinningOptions { authorisation: Some("t0ken-0f-the-service".into()), limits, ..PinningOptions::new(url) };
    PinningService::new(&options, Arc::clone(giver) as Arc<dyn Giver>).unwrap()
}

fn patient(server: &Server) -> PinningService {
    reach(server, &Arc::default(), PATIENCE)
}

fn is_node_error<T: std::fmt::Debug>(result: Result<T, Error>, words: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Node, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    error
}

#[tokio::test]
async fn a_request_is_made_with_our_addresses_and_followed() {
    let service = Service::with(&["queued", "pinning", "pinning", "pinned"]);
    let server = serve(&service).await;
    let giver = Arc::new(Given::default());
    let adapter = reach(&server, &giver, PATIENCE);
    assert_eq!(adapter.pin(&root()).await.unwrap(), None);
    let said = Mutex::new(Vec::new());
    let progress = |at| match at {
        PinProgress::Words(words) => said.lock().unwrap().push(words),
        PinProgress::Blocks(_) => {}
    };
    adapter.pin_add(&root(), NAME, &progress).await.unwrap();
    let expected = json!({ "cid": ROOT, "name": NAME, "origins": [ORIGIN], "meta": { "made-by": "roadstead" } });
    assert_eq!(service.lock().unwrap().made, [expected]);
    // What is no peer's address is not dialled.
    assert_eq!(*giver.called.lock().unwrap(), ["/ip4/127.0.0.1/tcp/4002/p2p/12D3Kar"]);
    let said = said.into_inner().unwrap();
    assert!(said.len() == 2 && said[0].contains("has queued") && said[1].contains("is fetching"), "{said:?}");
    let pin = Pin { cid: root(), name: Some(NAME.into()) };
    assert_eq!(adapter.pin(&root()).await.unwrap(), Some(pin.clone()));
    assert_eq!(adapter.pins_named(NAME).await.unwrap(), [pin]);
    assert!(
        server
            .received()
            .iter()
            .all(|request| { request.header("authorization") == Some("Bearer t0ken-0f-the-service") })
    );
    // Once more asks for nothing new.
    adapter.pin_add(&root(), NAME, &|_| ()).await.unwrap();
    assert_eq!(service.lock().unwrap().made.len(), 1);
}

#[tokio::test]
async fn a_cut_run_goes_on_with_its_request() {
    let service = Service::with(&["pinning", "pinned"]);
    service.lock().unwrap().add("before", "pinning", NAME);
    let server = serve(&service).await;
    patient(&server).pin_add(&root(), NAME, &|_| ()).await.unwrap();
    assert!(service.lock().unwrap().made.is_empty());
    // One of somebody else's is not ours to follow, nor to remove.
    let service = Service::with(&["pinned"]);
    service.lock().unwrap().add("theirs", "pinning", "backup");
    service.lock().unwrap().add("failed", "failed", NAME);
    let server = serve(&service).await;
    let adapter = patient(&server);
    adapter.pin_add(&root(), NAME, &|_| ()).await.unwrap();
    assert_eq!(service.lock().unwrap().made.len(), 1);
    assert_eq!(service.lock().unwrap().deleted, ["failed"]);
    adapter.unpin(&root()).await.unwrap();
    assert_eq!(service.lock().unwrap().deleted, ["failed", "new0"]);
    adapter.unpin(&root()).await.unwrap();
}

#[tokio::test]
async fn what_comes_to_nothing_is_said_with_what_to_do() {
    let fails = Service::with(&["pinning", "failed"]);
    let server = serve(&fails).await;
    let error = is_node_error(patient(&server).pin_add(&root(), NAME, &|_| ()).await, "failed to pin it: no provider");
    assert!(error.hints()[0].contains("reach this program"), "{error:?}");
    let nobody = Arc::new(Given { nothing: true, ..Given::default() });
    let adapter = reach(&server, &nobody, PATIENCE);
    let error = is_node_error(adapter.pin_add(&root(), NAME, &|_| ()).await, "failed to pin it");
    assert!(error.hints()[0].contains("serve --ipfs"), "{error:?}");
    assert!(fails.lock().unwrap().made[1].get("origins").is_none(), "nobody gives it out");

    let never = Service::with(&["pinning"]);
    let server = serve(&never).await;
    let hasty = reach(&server, &Arc::default(), SHORT);
    let error = is_node_error(hasty.pin_add(&root(), NAME, &|_| ()).await, "still says `pinning`");
    assert!(error.hints().iter().any(|hint| hint.contains("same request")), "{error:?}");

    let strange = Service::with(&["pondering"]);
    let server = serve(&strange).await;
    is_node_error(patient(&server).pin_add(&root(), NAME, &|_| ()).await, "`pondering`");

    let forgets = Service::with(&["queued"]);
    let forgetful = Arc::clone(&forgets);
    let server = Server::start(move |request: &Received| {
        let mut service = forgetful.lock().unwrap();
        let answer = service.answer(request);
        service.requests.clear();
        answer
    })
    .await;
    is_node_error(patient(&server).pin_add(&root(), NAME, &|_| ()).await, "forgot the request");
}

#[tokio::test]
async fn addresses_that_a_service_does_not_take_are_left_out() {
    let service = Service::with(&["pinned"]);
    let particular = Arc::clone(&service);
    let server = Server::start(move |request: &Received| {
        if request.method == "POST" && String::from_utf8_lossy(&request.body).contains("origins") {
            return answer("400 Bad Request", r#"{"error":{"reason":"INVALID_ORIGINS","details":"private"}}"#);
        }
        particular.lock().unwrap().answer(request)
    })
    .await;
    patient(&server).pin_add(&root(), NAME, &|_| ()).await.unwrap();
    assert!(service.lock().unwrap().made[0].get("origins").is_none());
}

#[tokio::test]
async fn credentials_are_refused_and_said_nowhere() {
    let server = Server::start(|request: &Received| {
        let sent = request.header("authorization").unwrap_or_default().to_owned();
        let reason = json!({ "error": { "reason": "UNAUTHORIZED", "details": format!("you sent {sent}") } });
        answer("401 Unauthorized", &reason.to_string())
    })
    .await;
    let adapter = patient(&server);
    let tried = adapter.try_rights(false).await;
    assert_eq!(tried.len(), 1);
    for error in [
        adapter.status().await.unwrap_err(),
        adapter.pin(&root()).await.unwrap_err(),
        tried.into_iter().next().unwrap().outcome.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Auth);
        assert!(error.to_string().contains("UNAUTHORIZED") && !error.to_string().contains("t0ken"), "{error}");
    }
    assert!(!format!("{adapter:?}").contains("t0ken"));
}

#[tokio::test]
async fn an_enemy_takes_no_memory_and_no_time() {
    let page = json!({ "count": 3_000_000, "results": [{ "requestid": "1", "status": "pinned", "created": "2026-11-30T12:00:00Z",
        "pin": { "cid": ROOT, "name": NAME }, "delegates": [] }] });
    let server = Server::start(move |_| ok(&page.to_string())).await;
    // The same page again and again is the end.
    assert_eq!(patient(&server).pins_named(NAME).await.unwrap().len(), 1);
    for (wanted, words) in [
        (Answer::Endless(head("200 OK"), chunk(&"a".repeat(60_000))), "too long"),
        (Answer::Hang(Vec::new()), "made no progress"),
        (ok("{}"), "unexpected answer"),
        (answer("500 Oops", "\u{1b}[31mred"), "says: "),
    ] {
        let server = Server::start(move |_| wanted.clone()).await;
        let limit = if words == "made no progress" { SHORT } else { PATIENCE };
        let error = reach(&server, &Arc::default(), limit).pin(&root()).await.unwrap_err();
        assert!(error.to_string().contains(words) && !error.to_string().contains('\u{1b}'), "{words}: {error}");
    }
    // Another root than the one that was asked for is none.
    let other = json!({ "count": 1, "results": [{ "requestid": "1", "status": "pinned",
        "pin": { "cid": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku" }, "delegates": null }] });
    let server = Server::start(move |_| ok(&other.to_string())).await;
    assert_eq!(patient(&server).pin(&root()).await.unwrap(), None);
}

#[tokio::test]
async fn a_service_is_tried_without_lasting_change() {
    let service = Service::with(&[]);
    let tried = Arc::clone(&service);
    let server = Server::start(move |request: &Received| match request.method.as_str() {
        "POST" => answer("400 Bad Request", r#"{"error":{"reason":"BAD_REQUEST","details":"cid"}}"#),
        "DELETE" => answer("404 Not Found", r#"{"error":{"reason":"NOT_FOUND"}}"#),
        _ => tried.lock().unwrap().answer(request),
    })
    .await;
    let rights = patient(&server).try_rights(false).await;
    assert!(rights.len() == 3 && rights.iter().all(|tried| tried.outcome.is_ok()), "{rights:?}");
    let status = patient(&server).status().await.unwrap();
    assert_eq!(status.agent, "Pinning Service API, 0 pins");
}
