//! A DNS server in this process that may do anything: it has one zone and, where it is told to, odd answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::tsig::{TSIG, TsigAlgorithm, TsigError};
use hickory_proto::rr::rdata::{NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::naming::records;

pub(super) const ZONE: &str = "registry.test.";

/// What it does with a question, or with an update.
#[derive(Clone)]
pub(super) enum Does {
    /// What a server should; updates are believed, and answered without a signature.
    Right,
    /// It reads and says nothing.
    Silent,
    /// It reads and closes.
    Closes,
    /// These bytes, behind the length that belongs to them.
    Says(Vec<u8>),
    /// These bytes and no others, and then it waits.
    SaysRaw(Vec<u8>),
    /// The right answer with another number.
    OtherNumber,
    /// This code, with an error of the key and what belongs to it.
    Refuses(ResponseCode, Option<(TsigError, Vec<u8>)>),
    /// It sets the record to this value, and closes.
    TakesAndCloses(&'static str),
}

pub(super) struct State {
    pub(super) values: Vec<String>,
    pub(super) questions: Does,
    pub(super) updates: Does,
    pub(super) servers: Vec<SocketAddr>,
    pub(super) asked: usize,
}

pub(super) struct Fake {
    pub(super) address: SocketAddr,
    pub(super) state: Arc<Mutex<State>>,
    listening: AbortHandle,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Fake {
    /// Listens on 127.0.0.N and a port, or any port.
    pub(super) async fn on(last: u8, port: u16, values: &[&str]) -> Self {
        let listener = TcpListener::bind((std::net::Ipv4Addr::new(127, 0, 0, last), port)).await.unwrap();
        let state = Arc::new(Mutex::new(State {
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            questions: Does::Right,
            updates: Does::Right,
            servers: Vec::new(),
            asked: 0,
        }));
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&state);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, listening: listening.abort_handle() }
    }

    pub(super) async fn with(values: &[&str]) -> Self {
        Self::on(1, 0, values).await
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Ok(length) = stream.read_u16().await else { return };
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await.unwrap();
    let question = Message::from_vec(&bytes).unwrap();
    let (does, right) = {
        let mut state = state.lock().unwrap();
        state.asked += 1;
        let does = if question.metadata.op_code == OpCode::Update { &state.updates } else { &state.questions };
        (does.clone(), answer(&question, &state))
    };
    let framed = |message: &Message| {
        let bytes = message.to_vec().unwrap();
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
    };
    let said = match does {
        Does::Right => framed(&right),
        Does::Closes => return,
        Does::Silent => Vec::new(),
        Does::Says(bytes) => [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat(),
        Does::SaysRaw(bytes) => bytes,
        Does::OtherNumber => {
            let mut other = right;
            other.metadata.id = other.metadata.id.wrapping_add(1);
            framed(&other)
        }
        Does::Refuses(code, error) => {
            let mut refused = right;
            refused.metadata.response_code = code;
            if let Some((error, other)) = error {
                let tsig =
                    TSIG::new(TsigAlgorithm::HmacSha256, 0, 300, vec![], refused.metadata.id, Some(error), other);
                refused.set_signature(Box::new(Record::from_rdata(Name::from_ascii("roadstead.").unwrap(), 0, tsig)));
            }
            framed(&refused)
        }
        Does::TakesAndCloses(value) => {
            state.lock().unwrap().values = vec![value.to_owned()];
            return;
        }
    };
    let _ = stream.write_all(&said).await;
    // Whoever asked goes first.
    let _ = stream.read_u8().await;
}

fn answer(question: &Message, state: &State) -> Message {
    let mut answer = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
    answer.metadata.authoritative = true;
    let Some(query) = question.queries.first() else { return answer };
    answer.add_query(query.clone());
    if question.metadata.op_code == OpCode::Update {
        return answer;
    }
    let zone = Name::from_ascii(ZONE).unwrap();
    match query.query_type() {
        RecordType::TXT => {
            for value in &state.values {
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, RData::TXT(records::record(value))));
            }
        }
        RecordType::NS => {
            for (number, server) in state.servers.iter().enumerate() {
                let name = Name::from_ascii(format!("ns{number}.{ZONE}")).unwrap();
                answer.add_answer(Record::from_rdata(zone.clone(), 60, RData::NS(NS(name.clone()))));
                let address = match server.ip() {
                    std::net::IpAddr::V4(address) => RData::A(address.into()),
                    std::net::IpAddr::V6(address) => RData::AAAA(address.into()),
                };
                answer.add_additional(Record::from_rdata(name, 60, address));
            }
        }
        _ => {
            let soa = SOA::new(zone.clone(), zone.clone(), 1, 60, 60, 60, 60);
            answer.add_authority(Record::from_rdata(zone, 60, RData::SOA(soa)));
        }
    }
    answer
}
