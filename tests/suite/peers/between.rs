//! What stands between a client and a server and does not behave: it answers some requests itself, and passes the others on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A request as far as it matters here.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET`, `PUT` …
    pub(crate) method: String,
    /// Path and query, as they were sent.
    pub(crate) target: String,
    /// The header `If-None-Match`; empty where there is none.
    pub(crate) if_none_match: String,
}

impl Asked {
    /// The path alone.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Whether nobody has signed it.
    pub(crate) fn is_anonymous(&self) -> bool {
        !self.target.contains("X-Amz-Signature")
    }
}

/// What becomes of a request.
pub(crate) enum Then {
    /// The server answers it.
    Pass,
    /// This is the answer: a status, and a body.
    Answer(u16, String),
    /// The server answers it; if it has this status, then with this one and this body.
    Instead(u16, u16, String),
    /// Nobody answers it, until the client goes away.
    Hold,
    /// The server answers it, and the client never hears of that.
    Lose,
    /// The server gets it with another last byte.
    Damage,
}

/// The body of a bucket's refusal.
pub(crate) fn refusal(code: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>")
}

type Rule = Box<dyn FnMut(&Asked) -> Then + Send>;

/// A port whose requests lead to a server.
pub(crate) struct Between {
    /// Its address: `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    rule: Arc<Mutex<Rule>>,
    answered: Arc<Mutex<Vec<Asked>>>,
    held: Arc<AtomicUsize>,
}

impl Between {
    /// One to the server at this address, `http://127.0.0.1:PORT`, that passes everything on.
    pub(crate) fn to(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_: &Asked| Then::Pass)));
        let answered: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let held: Arc<AtomicUsize> = Arc::default();
        let (shared, done, holding) = (Arc::clone(&rule), Arc::clone(&answered), Arc::clone(&held));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, rule, done) = (server.clone(), Arc::clone(&shared), Arc::clone(&done));
                let holding = Arc::clone(&holding);
                // A client or a server that goes away ends it.
                std::thread::spawn(move || one(&client, &server, &rule, &done, &holding).ok());
            }
        });
        Self { url, rule, answered, held }
    }

    /// From now on this is what becomes of requests.
    pub(crate) fn rule(&self, rule: impl FnMut(&Asked) -> Then + Send + 'static) {
        *self.rule.lock().expect("a lock") = Box::new(rule);
    }

    /// The requests that the server has answered since the last time.
    pub(crate) fn take_answered(&self) -> Vec<Asked> {
        std::mem::take(&mut self.answered.lock().expect("a lock"))
    }

    /// How many clients wait, or have waited, for an answer that never comes.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// How many such requests the server has answered.
    pub(crate) fn answered(&self, what: impl Fn(&Asked) -> bool) -> usize {
        self.answered.lock().expect("a lock").iter().filter(|asked| what(asked)).count()
    }
}

/// One request; each has a connection of its own.
fn one(
    client: &TcpStream,
    server: &str,
    rule: &Mutex<Rule>,
    done: &Mutex<Vec<Asked>>,
    held: &AtomicUsize,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length, mut if_none_match) = (String::new(), 0_u64, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if let Some(value) = lower.strip_prefix("if-none-match:") {
            value.trim().clone_into(&mut if_none_match);
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut words = head.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let asked = Asked { method, target, if_none_match };
    let then = (rule.lock().expect("a lock"))(&asked);
    // Until the client goes away.
    let hold = |reader: &mut dyn std::io::Read| {
        held.fetch_add(1, Ordering::SeqCst);
        std::io::copy(reader, &mut std::io::sink()).map(drop)
    };
    if matches!(then, Then::Hold) {
        return hold(&mut reader);
    }
    let mut body = reader.take(length);
    let (status, text) = match then {
        Then::Answer(status, text) => {
            std::io::copy(&mut body, &mut std::io::sink())?;
            (status, text)
        }
        Then::Pass | Then::Instead(..) | Then::Hold | Then::Lose | Then::Damage => {
            let mut server = TcpStream::connect(server)?;
            server.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
            if matches!(then, Then::Damage) && length > 0 {
                std::io::copy(&mut (&mut body).take(length - 1), &mut server)?;
                let mut last = [0];
                body.read_exact(&mut last)?;
                server.write_all(&[!last[0]])?;
            }
            std::io::copy(&mut body, &mut server)?;
            let mut answer = BufReader::new(server);
            let mut first = String::new();
            answer.read_line(&mut first)?;
            match then {
                Then::Lose => {
                    std::io::copy(&mut answer, &mut std::io::sink())?;
                    done.lock().expect("a lock").push(asked);
                    return hold(&mut body.into_inner());
                }
                Then::Instead(of, status, text) if first.split(' ').nth(1) == Some(&of.to_string()) => (status, text),
                _ => {
                    let mut client = client;
                    client.write_all(first.as_bytes())?;
                    std::io::copy(&mut answer, &mut client)?;
                    done.lock().expect("a lock").push(asked);
                    return client.shutdown(std::net::Shutdown::Write);
                }
            }
        }
    };
    let text = if asked.method == "HEAD" { String::new() } else { text };
    let head = format!(
        "HTTP/1.1 {status} No\r\nDate: {}\r\nContent-Type: application/xml\r\nRetry-After: 0\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        httpdate::fmt_http_date(std::time::SystemTime::now()),
        text.len()
    );
    let mut client = client;
    client.write_all(head.as_bytes())?;
    client.shutdown(std::net::Shutdown::Write)
}
