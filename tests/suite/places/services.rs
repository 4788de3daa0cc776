//! A pinning service that does not do what it says: it says pinned and holds nothing, or forgets what it has pinned.

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::between::{Asked, Between, Then};
use crate::peers::docker_registry::DockerRegistry;
use serde_json::json;
use std::sync::{Arc, Mutex};

/// The access token that it wants.
const TOKEN: &str = "c4n4ry-pinning-t0ken";

/// What a service says that has pinned whatever it was asked for; nothing of it is true.
#[derive(Default)]
struct Said {
    root: String,
    forgotten: bool,
    asked_to_pin: u64,
}

impl Said {
    fn request(&self) -> serde_json::Value {
        json!({ "requestid": "1", "status": "pinned", "created": "2026-11-30T12:00:00.000001Z", "delegates": [],
            "pin": { "cid": self.root, "meta": { "made-by": "roadstead" } } })
    }

    fn answer(&mut self, asked: &Asked) -> Then {
        let answer = match (asked.method.as_str(), asked.path()) {
            ("POST", "/pins") => {
                (self.asked_to_pin, self.forgotten) = (self.asked_to_pin + 1, false);
                self.request()
            }
            ("GET", "/pins") if self.asked_to_pin == 0 || self.forgotten => json!({ "count": 0, "results": [] }),
            ("GET", "/pins") => json!({ "count": 1, "results": [self.request()] }),
            _ => self.request(),
        };
        Then::Answer(200, answer.to_string())
    }
}

/// A catalog with an image and such a service as its target.
fn world() -> (Roadstead, Between, Arc<Mutex<Said>>) {
    let (registry, roadstead, service) = (DockerRegistry::plain(), Roadstead::new(), Between::to("http://127.0.0.1:9"));
    registry.push(&Layout::saying("hello\n"), "1", "greeting");
    roadstead.add(&format!("{}/greeting:1", registry.host()));
    let said = Arc::new(Mutex::new(Said { root: roadstead.root(), ..Said::default() }));
    let shared = Arc::clone(&said);
    service.rule(move |asked| shared.lock().unwrap().answer(asked));
    let secret = roadstead.path("service.secret");
    std::fs::write(&secret, format!("{TOKEN}\n")).unwrap();
    let words = ["target", "add", "service", "--pinning", &service.url, "--auth-file", secret.to_str().unwrap()];
    roadstead.ok(&words);
    (roadstead, service, said)
}

#[test]
fn a_service_that_says_pinned_and_holds_nothing_is_found_out_by_a_gateway() {
    let (roadstead, _service, _) = world();
    let mut told = Vec::new();
    let report = roadstead.json(&["publish", "--yes"]);
    assert!(report["targets"][0]["outcome"]["notes"].to_string().contains("unverified"), "{report}");
    assert_eq!(roadstead.json(&["target", "list"])[0]["unverified"], true);
    // A gateway that finds nothing.
    let gateway = Between::to("http://127.0.0.1:9");
    gateway.rule(|_| Then::Answer(404, "not found".to_owned()));
    let verified = roadstead.run(&["-vvv", "target", "verify", "service", "--gateway", &gateway.url]);
    assert_eq!(verified.code, 8, "{verified}");
    told.push(verified.to_string());
    // Where the target names one, nothing is published that it does not find.
    roadstead.ok(&["target", "set", "service", "--check-gateway", &gateway.url]);
    let other = DockerRegistry::plain();
    other.push(&Layout::saying("more\n"), "1", "more");
    roadstead.add(&format!("{}/more:1", other.host()));
    let published = roadstead.run(&["-vvv", "publish", "--yes"]);
    assert_eq!(published.code, 7, "{published}");
    told.push(published.to_string());
    told.push(roadstead.ok(&["--json", "target", "show", "service"]));
    told.push(roadstead.ok(&["--json", "history"]));
    std::fs::remove_file(roadstead.path("service.secret")).unwrap();
    for entry in std::fs::read_dir(roadstead.path("registry")).unwrap().map_while(Result::ok) {
        if entry.path().is_file() {
            told.push(String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned());
        }
    }
    assert!(told.iter().all(|text| !text.contains(TOKEN)), "the token is somewhere");
}

#[test]
fn a_service_that_forgets_a_pin_is_asked_again() {
    let (roadstead, _service, said) = world();
    roadstead.json(&["publish", "--yes"]);
    let again = roadstead.json(&["publish", "--yes"]);
    assert_eq!(again["targets"][0]["done"], true, "{again}");
    said.lock().unwrap().forgotten = true;
    let planned = roadstead.run(&["publish", "--dry-run"]).to_string();
    assert!(planned.contains(&format!("asks it to pin {}", roadstead.root())), "{planned}");
    roadstead.json(&["publish", "--yes"]);
    assert_eq!(said.lock().unwrap().asked_to_pin, 2);
    let again = roadstead.json(&["publish", "--yes"]);
    assert_eq!(again["targets"][0]["done"], true, "{again}");
}
