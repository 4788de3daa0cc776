//! What stands between a client and a server and does not behave: it answers some requests itself, and passes the others on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as far as it matters here.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET`, `PUT` …
    pub(crate) method: String,
    /// Path and query, as they were sent.
    pub(crate) target: String,
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
}

impl Between {
    /// One to the server at this address, `http://127.0.0.1:PORT`, that passes everything on.
    pub(crate) fn to(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_: &Asked| Then::Pass)));
        let answered: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (shared, done) = (Arc::clone(&rule), Arc::clone(&answered));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, rule, done) = (server.clone(), Arc::clone(&shared), Arc::clone(&done));
                // A client or a server that goes away ends it.
                std::thread::spawn(move || one(&client, &server, &rule, &done).ok());
            }
        });
        Self { url, rule, answered }
    }

    /// From now on this is what becomes of requests.
    pub(crate) fn rule(&self, rule: impl FnMut(&Asked) -> Then + Send + 'static) {
        *self.rule.lock().expect("a lock") = Box::new(rule);
    }

    /// The requests that the server has answered since the last time.
    pub(crate) fn take_answered(&self) -> Vec<Asked> {
        std::mem::take(&mut self.answered.lock().expect("a lock"))
    }

    /// How many such requests the server has answered.
    pub(crate) fn answered(&self, what: impl Fn(&Asked) -> bool) -> usize {
        self.answered.lock().expect("a lock").iter().filter(|asked| what(asked)).count()
    }
}

/// One request; each has a connection of its own.
fn one(client: &TcpStream, server: &str, rule: &Mutex<Rule>, done: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0_u64);
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
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut words = head.split(' ').map(str::to_owned);
    let asked = Asked { method: words.next().unwrap_or_default(), target: words.next().unwrap_or_default() };
    let then = (rule.lock().expect("a lock"))(&asked);
    if matches!(then, Then::Hold) {
        return std::io::copy(&mut reader, &mut std::io::sink()).map(drop);
    }
    let mut body = reader.take(length);
    let (status, text) = match then {
        Then::Answer(status, text) => {
            std::io::copy(&mut body, &mut std::io::sink())?;
            (status, text)
        }
        Then::Pass | Then::Instead(..) | Then::Hold => {
            let mut server = TcpStream::connect(server)?;
            server.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
            std::io::copy(&mut body, &mut server)?;
            let mut answer = BufReader::new(server);
            let mut first = String::new();
            answer.read_line(&mut first)?;
            match then {
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
        "HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nRetry-After: 0\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    );
    let mut client = client;
    client.write_all(head.as_bytes())?;
    client.shutdown(std::net::Shutdown::Write)
}
