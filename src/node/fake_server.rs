//! A server that answers with the bytes that a test wants, also such as no honest server sends.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What came.
#[derive(Debug, Clone, Default)]
pub(in crate::node) struct Received {
    /// `GET`, `POST` …
    pub(in crate::node) method: String,
    /// Path and query.
    pub(in crate::node) target: String,
    /// `HTTP/1.1`.
    pub(in crate::node) version: String,
    /// Lines of the head in lowercase names: `authorization: Bearer x`.
    pub(in crate::node) headers: Vec<(String, String)>,
    /// The body as it was sent, chunks and all.
    pub(in crate::node) body: Vec<u8>,
}

impl Received {
    pub(in crate::node) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn is_complete(&self) -> bool {
        match self.header("content-length") {
            Some(length) => self.body.len() >= length.parse().unwrap(),
            None => self.header("transfer-encoding").is_none() || self.body.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(in crate::node) enum Answer {
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, then these again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// These bytes, then these ten times a second.
    Slow(Vec<u8>, Vec<u8>),
    /// These bytes, then nothing more on an open connection.
    Hang(Vec<u8>),
    /// Nothing, and no byte of the body is read.
    Deaf,
    /// The end of the connection, before the body has come.
    Cut,
}

/// A head with this status for a body in chunks.
pub(in crate::node) fn head(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Stream-Error\r\n\r\n").into_bytes()
}

/// A piece of that body; none for no data, as an empty one would end it.
pub(in crate::node) fn chunk(data: &str) -> Vec<u8> {
    if data.is_empty() {
        return Vec::new();
    }
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

/// A whole answer.
pub(in crate::node) fn answer(status: &str, body: &str) -> Answer {
    Answer::Raw([head(status), chunk(body), b"0\r\n\r\n".to_vec()].concat())
}

pub(in crate::node) fn ok(body: &str) -> Answer {
    answer("200 OK", body)
}

/// An answer that fails after it began.
pub(in crate::node) fn late(body: &str, error: &str) -> Answer {
    let end = format!("0\r\nX-Stream-Error: {error}\r\n\r\n").into_bytes();
    Answer::Raw([head("200 OK"), chunk(body), end].concat())
}

pub(in crate::node) struct Server {
    pub(in crate::node) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(in crate::node) async fn start(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (answer, note) = (Arc::new(answer), Arc::clone(&received));
        let task = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(connection, Arc::clone(&answer), Arc::clone(&note)));
            }
        });
        Self { url, received, task }
    }

    /// What came so far.
    pub(in crate::node) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut connection: TcpStream,
    answer: Arc<impl Fn(&Received) -> Answer>,
    note: Arc<Mutex<Vec<Received>>>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if connection.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let text = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = text.lines();
    let mut words = lines.next().unwrap().split(' ').map(str::to_owned);
    let mut request = Received {
        method: words.next().unwrap(),
        target: words.next().unwrap(),
        version: words.next().unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(n, v)| (n.to_lowercase(), v.to_owned()))
            .collect(),
        body: bytes[end + 4..].to_vec(),
    };
    // What says how long it is comes before it is answered; a stream may be answered while it comes.
    while request.header("content-length").is_some() && !request.is_complete() {
        if connection.read_buf(&mut request.body).await? == 0 {
            break;
        }
    }
    let wanted = answer(&request);
    if matches!(wanted, Answer::Cut) {
        note.lock().unwrap().push(request);
        return Ok(());
    }
    if matches!(wanted, Answer::Deaf) {
        note.lock().unwrap().push(request);
        return std::future::pending().await;
    }
    while !request.is_complete() {
        if connection.read_buf(&mut request.body).await? == 0 {
            break;
        }
    }
    note.lock().unwrap().push(request);
    match wanted {
        Answer::Raw(bytes) => connection.write_all(&bytes).await,
        Answer::Endless(bytes, again) => {
            connection.write_all(&bytes).await?;
            loop {
                connection.write_all(&again).await?;
            }
        }
        Answer::Slow(bytes, again) => {
            connection.write_all(&bytes).await?;
            loop {
                connection.write_all(&again).await?;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        Answer::Hang(bytes) => {
            connection.write_all(&bytes).await?;
            std::future::pending().await
        }
        Answer::Deaf | Answer::Cut => Ok(()),
    }
}
