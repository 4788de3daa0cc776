//! Whether what answers at an address is a Kubo node. Many programs listen on its usual port, so its version is asked for, and an
//! answer of another shape is none of its.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::text::printable_within;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// How long all of it may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of the answer that are read; a version is a few hundred.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// What listens at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// A Kubo node of this version.
    Kubo(String),
    /// Something, and it does not say that it is one.
    Other,
    /// Nothing listens there, or nothing takes connections.
    Nothing,
}

/// What `/api/v0/version` says (docs.ipfs.tech/reference/kubo/rpc).
#[derive(Deserialize)]
struct Version {
    #[serde(rename = "Version")]
    number: String,
    #[serde(rename = "Repo")]
    _repository: String,
    #[serde(rename = "System")]
    _system: String,
    #[serde(rename = "Golang")]
    _go: String,
}

/// Asks what is there. Takes a second at most, and no more memory than an answer may have.
pub async fn probe(address: SocketAddr) -> Probed {
    match tokio::time::timeout(PROBE_TIMEOUT, ask(address)).await {
        Ok(Some(answer)) => answer,
        Ok(None) | Err(_) => Probed::Other,
    }
}

/// Nothing if there is an answer that is no node's.
async fn ask(address: SocketAddr) -> Option<Probed> {
    // No authority is asked for over plain HTTP, and a bare system has none.
    let client = crate::http::client().no_proxy().tls_certs_only([]).connect_timeout(CONNECT_TIMEOUT).build().ok()?;
    let mut answer = match client.post(format!("http://{address}/api/v0/version")).send().await {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => return Some(Probed::Nothing),
        Err(_) => return None,
    };
    if !answer.status().is_success() {
        return None;
    }
    let bytes = crate::http::body_within(&mut answer, MAX_ANSWER_BYTES).await.ok()??;
    let said: Version = serde_json::from_slice(&bytes).ok()?;
    Some(Probed::Kubo(printable_within(&said.number, 40)))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with these bytes, as often as is said, and gives the first line of what was asked.
    fn answering(head: &'static str, body: Vec<u8>, times: usize) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let asked = lines.next().unwrap();
            lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            stream.write_all(head.as_bytes()).unwrap();
            for _ in 0..times {
                if stream.write_all(&body).is_err() {
                    break;
                }
            }
            asked
        });
        (address, asked)
    }

    /// What was asked for, once the server has ended: the connection must be able to end meanwhile.
    async fn joined(server: std::thread::JoinHandle<String>) -> String {
        tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap()
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n";
    const KUBO: &str = r#"{"Version":"0.43.1","Commit":"","Repo":"18","System":"amd64/linux","Golang":"go1.26.1"}"#;

    #[tokio::test]
    async fn a_node_is_known_by_what_it_says() {
        let (address, asked) = answering(OK, KUBO.into(), 1);
        assert_eq!(probe(address).await, Probed::Kubo("0.43.1".into()));
        assert_eq!(joined(asked).await, "POST /api/v0/version HTTP/1.1");
    }

    #[tokio::test]
    async fn any_other_server_is_none() {
        for (head, body) in [
            (OK, "{}"),
            (OK, "<html>a registry</html>"),
            (OK, r#"{"Version":"2.8"}"#),
            ("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n", KUBO),
            ("SSH-2.0-OpenSSH_10.0\r\n", ""),
        ] {
            let (address, _) = answering(head, body.into(), 1);
            assert_eq!(probe(address).await, Probed::Other, "{head}{body}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_not_read_to_it() {
        let (address, asked) = answering(OK, vec![b' '; 1 << 20], usize::MAX);
        assert_eq!(probe(address).await, Probed::Other);
        joined(asked).await;
    }

    #[tokio::test]
    async fn where_nothing_listens_there_is_nothing() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(probe(address).await, Probed::Nothing);
    }
}
