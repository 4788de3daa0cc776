//! One DNS message to one server over TCP, and its answer: bounded in time and, by the protocol, to 64 KiB.
//!
//! Knows how bytes travel and that an answer belongs to its question; must not know what is asked for.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// How long finding a server and connecting to it may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// At most this many addresses of one server are tried.
const MAX_ADDRESSES: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Server {
    /// `HOST:PORT`, looked up when it is spoken to.
    Named(String),
    /// An address that is known.
    At(SocketAddr),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(text) => f.write_str(&printable_within(text, 260)),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// An answer, as it came and as it reads.
#[derive(Debug)]
pub(super) struct Answer {
    /// The bytes, which signatures are made over.
    pub(super) bytes: Vec<u8>,
    pub(super) message: Message,
}

/// A connection to a server, for one question.
#[derive(Debug)]
pub(super) struct Line {
    server: Server,
    stream: TcpStream,
}

impl Server {
    /// Connects; nothing has been asked when this fails.
    pub(super) async fn connect(&self) -> Result<Line> {
        match timeout(CONNECT_TIMEOUT, self.reach()).await {
            Ok(stream) => Ok(Line { server: self.clone(), stream: stream? }),
            Err(_) => Err(self.silent(CONNECT_TIMEOUT)),
        }
    }

    async fn reach(&self) -> Result<TcpStream> {
        let addresses = match self {
            Self::At(address) => vec![*address],
            Self::Named(text) => {
                let unknown = || Error::new(Kind::Network, format!("can't find the address of the DNS server {self}"));
                lookup_host(text.as_str())
                    .await
                    .map_err(|error| unknown().caused_by(error))?
                    .take(MAX_ADDRESSES)
                    .collect()
            }
        };
        let mut refused = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = Some(error),
            }
        }
        let failed = Error::new(Kind::Network, format!("can't connect to the DNS server {self} over TCP"))
            .hint("Check that it runs, its address and port, and that no firewall keeps TCP from it.");
        Err(match refused {
            Some(error) => failed.caused_by(error),
            None => failed.context("it has no address"),
        })
    }

    fn silent(&self, patience: Duration) -> Error {
        Error::new(Kind::Network, format!("the DNS server {self} does not answer in {} s", patience.as_secs()))
            .hint("Check that it runs, its address and port, and that no firewall keeps TCP from it.")
    }

    pub(super) async fn ask(&self, question: &Message) -> Result<Answer> {
        let bytes = encode(question)?;
        self.connect().await?.ask(question.metadata.id, &bytes).await
    }
}

impl Line {
    /// Sends a message and waits for what belongs to it. When this fails, the server may have got it all the same.
    pub(super) async fn ask(mut self, id: u16, question: &[u8]) -> Result<Answer> {
        let bytes = match timeout(ANSWER_TIMEOUT, exchange(&mut self.stream, question)).await {
            Err(_) => return Err(self.server.silent(ANSWER_TIMEOUT)),
            Ok(Err(error)) => {
                let what = format!("the DNS server {} closed the connection before a complete answer", self.server);
                return Err(Error::new(Kind::Network, what).caused_by(error));
            }
            Ok(Ok(bytes)) => bytes,
        };
        let senseless = || {
            Error::new(Kind::Network, format!("the DNS server {} sent something other than a DNS message", self.server))
                .hint("Check its port: something else may listen there.")
        };
        let message = Message::from_vec(&bytes).map_err(|error| senseless().caused_by(error))?;
        if message.metadata.id != id || message.metadata.message_type != MessageType::Response {
            return Err(Error::new(Kind::Network, format!("the DNS server {} answered another question", self.server)));
        }
        Ok(Answer { bytes, message })
    }
}

/// The length before a message is RFC 1035, section 4.2.2.
async fn exchange(stream: &mut TcpStream, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(question.len()).map_err(std::io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(question);
    stream.write_all(&framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// The bytes of a message, whole or not at all.
pub(super) fn encode(message: &Message) -> Result<Vec<u8>> {
    let too_large = || Error::new(Kind::Usage, "the records are too large for one DNS message (64 KiB)");
    let bytes = message.to_vec().map_err(|error| too_large().caused_by(error))?;
    // The encoder leaves out what does not fit, and says so by the flag TC.
    let cut = bytes.get(2).is_none_or(|flags| flags & 0b10 != 0);
    if cut || bytes.len() > usize::from(u16::MAX) { Err(too_large()) } else { Ok(bytes) }
}
