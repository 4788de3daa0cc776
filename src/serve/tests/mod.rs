//! The server from outside, over real connections.

mod coming;
mod conformance;
mod connections;
mod content;
mod delegated_routing;
mod distribution;
mod documents;
mod floods;
mod gateway;
mod http2;
pub(super) mod memory;
mod pending;
mod piecemeal;
mod protection;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::PublishedBlocks;
use super::connections::Limits;
use super::gateway::tests::memory_blocks::MemoryBlocks;
use super::{Listening, Options, run_within};
use crate::error::Result;
use memory::MemorySource;

/// Long enough for any machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

struct Server {
    shelf: Arc<MemorySource>,
    listening: Listening,
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
    client: Client,
}

fn plain_client() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

impl Server {
    async fn start() -> Self {
        Self::with(Options::default(), Limits::default()).await
    }

    async fn with(options: Options, limits: Limits) -> Self {
        Self::giving(None, options, limits).await
    }

    /// One that gives blocks out too.
    async fn with_blocks(blocks: &Arc<MemoryBlocks>) -> Self {
        Self::giving(Some(Arc::clone(blocks) as _), Options::default(), Limits::default()).await
    }

    async fn giving(blocks: Option<Arc<dyn PublishedBlocks>>, options: Options, limits: Limits) -> Self {
        let shelf = Arc::new(MemorySource::default());
        let options = Options { listen: "127.0.0.1:0".parse().unwrap(), ..options };
        let stop = CancellationToken::new();
        let (tell, told) = oneshot::channel();
        let started = |listening: &Listening| tell.send(listening.clone()).unwrap();
        let serving = run_within(Arc::clone(&shelf) as _, blocks, options, limits, stop.clone(), started);
        let task = tokio::spawn(serving);
        let listening = told.await.unwrap();
        Self { shelf, listening, stop, task, client: plain_client() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.listening.url)
    }

    async fn get(&self, path: &str) -> Response {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send(Method::GET, path, headers).await
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.client.request(method, self.url(path));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.listening.address).await.unwrap()
    }

    /// Sends text as it is and returns what comes until the other side closes.
    async fn raw(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        read_to_close(&mut stream).await
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// What comes until the other side closes, orderly or not.
async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server should close");
    String::from_utf8_lossy(&answer).into_owned()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The code and message of an error answer, whose shape is checked.
async fn refusal(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    assert_eq!(header(&response, "content-type"), "application/json");
    let body: Value = response.json().await.unwrap();
    let error = &body["errors"][0];
    assert!(error["detail"].is_object());
    (status, error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
}
