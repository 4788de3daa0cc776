//! The HTTP clients of this program: every one begins here, so that the same rules hold for all.
//!
//! Knows reqwest and nothing of who is asked. `tests/suite/house.rs` refuses a client that is made anywhere else.

use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Response};

/// The most that is reserved because an answer says how long it is.
const MAX_RESERVED_BYTES: usize = 2 << 20;

/// What every request says of who asks.
pub const USER_AGENT: &str = concat!("roadstead/", env!("CARGO_PKG_VERSION"));

/// A client that takes an answer as it is sent and goes nowhere else by itself.
///
/// Nothing is decompressed, since a small answer may be a large one in disguise and every cap counts bytes as they come; a
/// dependency may turn reqwest's decompression on for every client of the program. No redirect is followed, since it may lead
/// from https to http or into a private network: a caller that follows some says which. No `Referer` is sent.
pub fn client() -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .referer(false)
        .redirect(Policy::none())
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
}

/// Follows up to `most` redirects, none of them from https to http.
pub fn safe_redirects(most: usize) -> Policy {
    Policy::custom(move |attempt| {
        let before = attempt.previous();
        if before.len() > most {
            return attempt.error(format!("it redirects more than {most} times"));
        }
        if attempt.url().scheme() == "http" && before.last().is_some_and(|from| from.scheme() == "https") {
            return attempt.error("it redirects from https to plain http, which is refused");
        }
        attempt.follow()
    })
}

/// A small body, whole; nothing if it is longer than `limit` bytes, which are read at most.
pub async fn body_within(response: &mut Response, limit: usize) -> reqwest::Result<Option<Bytes>> {
    // A buffer that grows would end twice as large as the body. What the other side says is no more than is read anyway.
    let said = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    if said > limit {
        return Ok(None);
    }
    let mut bytes = BytesMut::with_capacity(said.min(MAX_RESERVED_BYTES));
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes.freeze()))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::mpsc;

    use super::*;

    /// Answers one request with these bytes, and gives its head.
    fn answering(answer: Vec<u8>) -> (SocketAddr, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (send, head) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let read: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            stream.write_all(&answer).unwrap();
            send.send(read.join("\n")).unwrap();
        });
        (address, head)
    }

    #[tokio::test]
    async fn nothing_is_decompressed_and_nothing_invites_it() {
        use flate2::{Compression, write::GzEncoder};
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![0; 1 << 20]).unwrap();
        let packed = packed.finish().unwrap();
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            packed.len()
        )
        .into_bytes();
        answer.extend_from_slice(&packed);
        let (address, head) = answering(answer);
        let client = client().no_proxy().build().unwrap();
        let got = client.get(format!("http://{address}/")).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(got, packed);
        assert!(!head.recv().unwrap().to_lowercase().contains("accept-encoding"));
    }

    #[tokio::test]
    async fn no_redirect_is_followed_unasked() {
        let (address, _) = answering(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n".to_vec());
        let client = client().no_proxy().build().unwrap();
        assert_eq!(client.get(format!("http://{address}/")).send().await.unwrap().status(), 302);
    }

    #[tokio::test]
    async fn no_more_of_a_body_is_read_than_its_limit() {
        // One that says how long it is, one that says nothing, and one that says less than comes.
        for (head, limit, expected) in [
            ("content-length: 5\r\n", 5, Some("12345")),
            ("content-length: 5\r\n", 4, None),
            ("connection: close\r\n", 5, Some("12345")),
            ("connection: close\r\n", 4, None),
            ("content-length: 2\r\nconnection: close\r\n", 4, Some("12")),
        ] {
            let (address, _) = answering(format!("HTTP/1.1 200 OK\r\n{head}\r\n12345").into_bytes());
            let client = client().no_proxy().build().unwrap();
            let mut response = client.get(format!("http://{address}/")).send().await.unwrap();
            let body = body_within(&mut response, limit).await.unwrap();
            assert_eq!(body.as_deref(), expected.map(str::as_bytes), "{head} {limit}");
        }
    }
}
