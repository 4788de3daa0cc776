//! Chromium, driven by its chromedriver over W3C's `WebDriver`: what a page does in a real browser.

use super::{Daemon, Directory, command, free_port, program, wait_for, web};
use serde_json::{Value, json};

/// A browser with one window, and a profile of its own.
pub(crate) struct Chromium {
    _daemon: Daemon,
    _directory: Directory,
    session: String,
}

impl Chromium {
    /// Starts it, without a window, this wide.
    pub(crate) fn start(width: u32) -> Self {
        let directory = Directory::new();
        let port = free_port();
        let mut driver = command(program("chromedriver"), directory.path());
        driver.arg(format!("--port={port}"));
        let mut daemon = Daemon::start("chromedriver", &driver, directory.path());
        daemon.wait_for_url(&format!("http://127.0.0.1:{port}/status"));
        let profile = format!("--user-data-dir={}", directory.make("profile").display());
        let size = format!("--window-size={width},900");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            &profile,
            &size,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments, "binary": program("chromium")},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let base = format!("http://127.0.0.1:{port}/session");
        let made = call("POST", &base, &wanted);
        let id = made["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {made}\n{}", daemon.log()));
        Self { session: format!("{base}/{id}"), _daemon: daemon, _directory: directory }
    }

    /// Goes to an address and waits until the page is there.
    pub(crate) fn open(&self, url: &str) {
        call("POST", &format!("{}/url", self.session), &json!({"url": url}));
    }

    /// What the body of a function returns, run in the page; a promise is waited for.
    pub(crate) fn run(&self, script: &str) -> Value {
        call("POST", &format!("{}/execute/sync", self.session), &json!({"script": script, "args": []}))
    }

    /// Waits until an expression in the page is true.
    #[track_caller]
    pub(crate) fn wait(&self, expression: &str) {
        let page = || self.run("return document.body.innerText.slice(0, 2000)").to_string();
        wait_for(expression, page, || {
            (self.run(&format!("return Boolean({expression})")) == json!(true)).then_some(())
        });
    }

    /// The text of what a selector finds first, as a reader sees it.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let found = self.run(&format!("return document.querySelector({selector:?}).innerText"));
        String::from(found.as_str().unwrap_or_else(|| panic!("{selector}: {found}")).trim())
    }

    /// Clicks what a selector finds first, as a reader would.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let id = self.element(selector);
        call("POST", &format!("{}/element/{id}/click", self.session), &json!({}));
    }

    /// Types into what a selector finds first, after emptying it.
    #[track_caller]
    pub(crate) fn enter(&self, selector: &str, text: &str) {
        let id = self.element(selector);
        call("POST", &format!("{}/element/{id}/clear", self.session), &json!({}));
        call("POST", &format!("{}/element/{id}/value", self.session), &json!({"text": text}));
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = call("POST", &format!("{}/element", self.session), &wanted);
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        String::from(id.unwrap_or_else(|| panic!("{selector}: {found}")))
    }

    /// Lets pages read the clipboard, as somebody would who pastes.
    pub(crate) fn allow_pasting(&self) {
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        let asked = json!({"cmd": "Browser.grantPermissions", "params": permissions});
        call("POST", &format!("{}/goog/cdp/execute", self.session), &asked);
    }

    /// What the console says, and refusals of the page's policy among it, since the last time.
    pub(crate) fn console(&self) -> Vec<String> {
        self.log("browser").iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The addresses of all requests since the last time.
    pub(crate) fn requests(&self) -> Vec<String> {
        let sent = |entry: &Value| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            is_request.then(|| message["params"]["request"]["url"].as_str().map(String::from)).flatten()
        };
        self.log("performance").iter().filter_map(sent).collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let found = call("POST", &format!("{}/se/log", self.session), &json!({"type": kind}));
        found.as_array().cloned().unwrap_or_else(|| panic!("no log: {found}"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Its processes end by this, and all that is left of them with the driver.
        let _ = web::send("DELETE", &self.session, &[], Vec::new());
    }
}

/// The `value` of an answer, an error's too.
fn call(method: &str, url: &str, body: &Value) -> Value {
    let headers = [("Content-Type", "application/json")];
    let answer = web::send(method, url, &headers, body.to_string().into_bytes())
        .unwrap_or_else(|error| panic!("{method} {url}: {error:?}"));
    let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{url}: {error}"));
    answer["value"].clone()
}
