//! A registry that allows so many pulls in so many hours, as Docker Hub does: what is reserved stays, the rest waits for the
//! next run, and nobody sleeps.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::{mirrored_of, part};
use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::Finished;
use crate::peers::docker_registry::DockerRegistry;

/// Pulls in a window, as Docker Hub has them for who is not logged in.
const LIMIT: u64 = 100;
/// Pulls that the rules of these tests leave to others.
const RESERVE: u64 = 20;
/// An index, and the manifest of this machine's platform.
const PULLS_OF_AN_IMAGE: u64 = 2;
/// Repositories in the order of the rules, and their tags from the newest version down.
const REPOSITORIES: [(&str, &[&str]); 3] = [
    ("web", &["1.10.0", "1.9.2", "1.9.0", "1.2.0"]),
    ("database", &["17.11", "17.9", "16.15", "9.10", "9.6"]),
    ("tools", &["3.0"]),
];

/// What is left of the window, and who was there.
struct Window {
    left: u64,
    /// Pulls until others at this address take what is left.
    others_come_after: Option<u64>,
    /// Method and path of every request that was not refused.
    answered: Vec<(Method, String)>,
    refused: u64,
}

struct Between {
    registry: String,
    client: reqwest::Client,
    window: Mutex<Window>,
}

impl Between {
    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy that counts pulls before a real registry.
struct Hub {
    _runtime: tokio::runtime::Runtime,
    between: Arc<Between>,
    host: String,
    _registry: DockerRegistry,
}

impl Hub {
    /// One of which so many pulls are left.
    fn with(left: u64) -> Self {
        let registry = DockerRegistry::plain();
        for (repository, tags) in REPOSITORIES {
            registry.push_everything(&Layout::versions(tags, repository), repository);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let between = Arc::new(Between {
            registry: format!("http://{}", registry.host()),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            window: Mutex::new(Window { left, others_come_after: None, answered: Vec::new(), refused: 0 }),
        });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&between));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { _runtime: runtime, between, host, _registry: registry }
    }

    /// A new window, with all that it allows.
    fn begin_window(&self) {
        let mut window = self.between.window();
        (window.left, window.others_come_after) = (LIMIT, None);
    }

    /// After so many more pulls, others at this address take all that is left.
    fn others_come_after(&self, pulls: u64) {
        self.between.window().others_come_after = Some(pulls);
    }

    fn left(&self) -> u64 {
        self.between.window().left
    }

    fn refused(&self) -> u64 {
        self.between.window().refused
    }

    /// What was got since this was asked last: the paths of manifests and blobs.
    fn take_got(&self) -> Vec<String> {
        let answered = std::mem::take(&mut self.between.window().answered);
        let got = answered.into_iter().filter(|(method, _)| *method == Method::GET).map(|(_, path)| path);
        got.filter(|path| path.contains("/manifests/") || path.contains("/blobs/")).collect()
    }
}

async fn pass(State(between): State<Arc<Between>>, request: Request) -> Response {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let is_manifest = target.contains("/manifests/");
    let is_pull = is_manifest && request.method() == Method::GET;
    let (left, is_spent) = {
        let mut window = between.window();
        if is_pull && let Some(more) = &mut window.others_come_after {
            match more.checked_sub(1) {
                Some(fewer) => *more = fewer,
                None => window.left = 0,
            }
        }
        let is_spent = is_pull && window.left == 0;
        if is_pull {
            window.left = window.left.saturating_sub(1);
        }
        if is_spent {
            window.refused += 1;
        } else {
            window.answered.push((request.method().clone(), target.clone()));
        }
        (window.left, is_spent)
    };
    let mut response = if is_spent {
        let words = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
        let body = json!({"errors": [{"code": "TOOMANYREQUESTS", "message": words}]});
        let mut refusal = Response::new(Body::from(body.to_string()));
        *refusal.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        refusal.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        // Short enough to be waited for, where somebody waits.
        refusal.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
        refusal
    } else {
        from_registry(&between, request, &target).await
    };
    if is_manifest {
        let say = |pulls: u64| HeaderValue::from_str(&format!("{pulls};w=21600")).unwrap();
        response.headers_mut().insert("ratelimit-limit", say(LIMIT));
        response.headers_mut().insert("ratelimit-remaining", say(left));
    }
    response
}

async fn from_registry(between: &Between, request: Request, target: &str) -> Response {
    let mut passed = between.client.request(request.method().clone(), format!("{}{target}", between.registry));
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != "host") {
        passed = passed.header(name, value);
    }
    let answer = passed.send().await.expect("an answer of the registry");
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove("transfer-encoding");
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

/// Somebody who keeps what the hub has, and is told of what happens.
struct Keeper {
    roadstead: Roadstead,
    hub: Hub,
}

impl Keeper {
    /// One whose rules take all of [`REPOSITORIES`].
    fn of(hub: Hub) -> Self {
        let roadstead = Roadstead::new();
        let mut file = format!("version = 1\n[defaults]\nreserve = {RESERVE}\n");
        for (repository, _) in REPOSITORIES {
            write!(file, "[[rule]]\nname = '{repository}'\nimage = '{}/{repository}'\n", hub.host).unwrap();
            file.push_str("tags = ['#.#[.#]']\n");
        }
        let told = roadstead.path("told.jsonl");
        let script = "cat >> \"$0\"; echo >> \"$0\"";
        write!(file, "[[hook]]\nrun = ['sh', '-c', '''{script}''', '{}']\n", told.display()).unwrap();
        let rules = roadstead.path("mirror.toml");
        std::fs::write(&rules, file).unwrap();
        roadstead.ok(&["rule", "use", &rules.display().to_string()]);
        roadstead.ok(&["rule", "trust", "--yes"]);
        Self { roadstead, hub }
    }

    /// An unattended run that says what it does for programs, and that must not have waited.
    #[track_caller]
    fn update(&self) -> (Finished, Value) {
        let finished = self.roadstead.run(&["--json", "--progress", "json", "update", "--yes"]);
        assert!(!finished.stderr.contains("registry.waiting"), "{finished}");
        let report = serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"));
        (finished, report)
    }

    /// `repository:tag` of all that is here, in the order of [`REPOSITORIES`].
    fn here(&self) -> Vec<String> {
        let published = self.hub.host.replace(':', "_");
        let here = |repository: &str| mirrored_of(&self.roadstead, &published, repository);
        in_order(|repository, tag| here(repository).iter().any(|known| known == tag))
    }

    /// What the report of a run says is postponed, and why.
    fn postponed(&self, report: &Value) -> Vec<String> {
        let waits = |repository: &str, tag: &str| {
            let image = format!("{}/{repository}:{tag}", self.hub.host.replace(':', "_"));
            let waits = part(report, repository)["postponed"].as_array().unwrap();
            waits.contains(&json!({"image": image, "reason": "quota"}))
        };
        in_order(waits)
    }

    /// Rule and words of each event of this kind.
    fn told(&self, kind: &str) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.roadstead.path("told.jsonl")).unwrap_or_default();
        let events = text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap());
        let said = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let of_kind = events.filter(|event: &Value| event["event"] == kind);
        of_kind.map(|event| (said(&event, "rule"), said(&event, "detail"))).collect()
    }
}

/// Those tags for which it holds, by the rules and from the newest version down.
fn in_order(holds: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let all = REPOSITORIES.iter().flat_map(|(repository, tags)| tags.iter().map(move |tag| (*repository, *tag)));
    all.filter(|(repository, tag)| holds(repository, tag))
        .map(|(repository, tag)| format!("{repository}:{tag}"))
        .collect()
}

fn all() -> Vec<String> {
    in_order(|_, _| true)
}

fn manifests(got: &[String]) -> u64 {
    got.iter().filter(|path| path.contains("/manifests/")).count() as u64
}

/// A later run got these, none of which an earlier one has got already.
#[track_caller]
fn assert_not_again(earlier: &[String], later: &[String]) {
    let again: Vec<_> = later.iter().filter(|path| earlier.contains(path)).collect();
    assert!(again.is_empty(), "fetched again: {again:?}");
}

#[test]
fn the_quota_is_met_and_the_next_run_goes_on() {
    // Five images, and one pull that is too few for another.
    let keeper = Keeper::of(Hub::with(RESERVE + 5 * PULLS_OF_AN_IMAGE + 1));
    let hub = &keeper.hub;
    let (taken, rest) = (all()[..5].to_vec(), all()[5..].to_vec());
    let (first, report) = keeper.update();
    assert_eq!(keeper.here(), taken, "the newest come first: {first}");
    assert_eq!(keeper.postponed(&report), rest, "{report:#}");
    assert_eq!((hub.left(), hub.refused()), (RESERVE + 1, 0), "what is reserved stays");
    first.failure(9);
    let got = hub.take_got();
    assert_eq!(manifests(&got), 5 * PULLS_OF_AN_IMAGE);
    let waits = |rule: &str, words: &str| (rule.to_owned(), words.to_owned());
    let waiting = [("database", "4 images wait for the next run"), ("tools", "1 image waits for the next run")];
    assert_eq!(keeper.told("quota"), waiting.map(|(rule, words)| waits(rule, words)));
    assert!(keeper.told("failed").is_empty(), "what waits has not failed");

    // Within the same window nothing more comes, and it says so to people, too.
    let said = keeper.roadstead.run(&["update", "--yes"]);
    for (rule, words) in waiting {
        let words = format!("rule {rule}: {words}, since the registry's quota allows no more now");
        assert!(said.stderr.contains(&words), "{said}");
    }
    assert!(said.stdout.contains("4 postponed") && said.stdout.contains("1 postponed"), "{said}");
    assert!(said.stderr.contains("error: 5 images wait for the next run\n"), "{said}");
    said.failure(9);
    assert!(hub.take_got().is_empty());

    // The rest and nothing else.
    hub.begin_window();
    let (next, report) = keeper.update();
    assert_eq!((keeper.here(), keeper.postponed(&report)), (all(), Vec::new()), "{next}");
    next.success();
    let later = hub.take_got();
    assert_not_again(&got, &later);
    let pulls = rest.len() as u64 * PULLS_OF_AN_IMAGE;
    assert_eq!((manifests(&later), hub.left(), hub.refused()), (pulls, LIMIT - pulls, 0));
    assert_eq!(keeper.told("new").len(), all().len(), "each is told once");
    keeper.update().0.success();
    assert!(hub.take_got().is_empty());
    keeper.roadstead.ok(&["verify"]);
}

#[test]
fn a_registry_that_allows_nothing_more_in_the_middle_is_left_alone_until_the_next_run() {
    // There seems to be enough for all, so that several are asked for at once: the first eight, and then the rest.
    let keeper = Keeper::of(Hub::with(LIMIT));
    let hub = &keeper.hub;
    hub.others_come_after(8 * PULLS_OF_AN_IMAGE + 1);
    let (taken, rest) = (all()[..8].to_vec(), all()[8..].to_vec());
    let (first, report) = keeper.update();
    assert_eq!((keeper.here(), keeper.postponed(&report)), (taken, rest.clone()), "{first}");
    first.failure(9);
    let refused = hub.refused();
    assert!((1..=rest.len() as u64).contains(&refused), "each is refused at most once, not {refused} in all");
    let got = hub.take_got();
    assert_eq!(keeper.told("quota").len(), 2);
    assert!(keeper.told("failed").is_empty());

    // What was begun is asked for from its beginning; what is here is not.
    hub.begin_window();
    let (next, _) = keeper.update();
    assert_eq!(keeper.here(), all(), "{next}");
    next.success();
    let later = hub.take_got();
    let begun = |path: &String| rest.iter().any(|image| path.ends_with(&image.replace(':', "/manifests/")));
    assert_not_again(&got.into_iter().filter(|path| !begun(path)).collect::<Vec<_>>(), &later);
    assert_eq!((manifests(&later), hub.refused()), (rest.len() as u64 * PULLS_OF_AN_IMAGE, refused));
    assert_eq!(keeper.told("new").len(), all().len());
    keeper.roadstead.ok(&["verify"]);
}
