//! The configurations for web servers under requests that no client sends: what they hand on, and what they give out.
//!
//! Knows HTTP on the wire and real web servers; must not know what is published.

use crate::peers::caddy::Caddy;
use crate::peers::nginx::Nginx;
use crate::peers::{Directory, web};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A digest, and what is said to have it.
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// What a request that was smuggled asks for.
const SMUGGLED: &str = "/ipfs/bafyevil/manifest";

/// A gateway that writes down what it is asked for, and answers with it: `asked for PATH`.
struct Gateway {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let shared = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let asked = Arc::clone(&shared);
                std::thread::spawn(move || answer(&connection, &asked));
            }
        });
        Self { host, asked }
    }

    /// What it was asked for since the last time, without what waits for the server to start.
    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().expect("a lock"));
        asked.retain(|line| line != "GET /root/ HTTP/1.1");
        asked
    }
}

/// The first line of the next request on a connection; nothing at its end.
fn request(reader: &mut impl BufRead) -> Option<String> {
    let mut first = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => return first,
            line => {
                first.get_or_insert_with(|| line.to_owned());
            }
        }
    }
}

/// Answers the requests of one connection in order. One that was smuggled is slow: its answer comes when the next one is
/// asked, and so goes to whoever asks that.
fn answer(connection: &TcpStream, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(connection);
    let mut waiting = Vec::new();
    while let Some(line) = request(&mut reader) {
        asked.lock().expect("a lock").push(line.clone());
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let is_slow = path == SMUGGLED;
        waiting.push(path);
        if is_slow {
            continue;
        }
        for path in waiting.drain(..) {
            let body = format!("asked for {path}");
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            if (&*connection).write_all(format!("{head}{body}").as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// Sends a request as it is written, and gives the whole answer.
fn raw(host: &str, target: &str) -> String {
    let mut connection = TcpStream::connect(host).expect("a server");
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    // One that closes at once has answered, too.
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

fn before_a_gateway(gateway: &Gateway) -> Nginx {
    let replacements = [
        ("127.0.0.1:5050", "127.0.0.1:PORT"),
        ("127.0.0.1:8080", gateway.host.as_str()),
        ("/ipns/registry.example.org", "/root"),
    ];
    Nginx::start(&asset("nginx-gateway.conf"), &replacements)
}

#[test]
fn no_client_gives_another_one_an_answer_by_splitting_a_request() {
    let gateway = Gateway::start();
    let nginx = before_a_gateway(&gateway);
    for before in ["/v2/a/manifests/x", "/v2/a/blobs/x", "/v2/a/tags/list", "/v2/_catalog", "/x"] {
        let split = format!("{before}%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20{SMUGGLED}");
        let answer = raw(&nginx.host(), &split);
        assert!(answer.starts_with("HTTP/1.1 404"), "{split}: {answer}");
        assert_eq!(gateway.asked(), [""; 0], "{split}");
        let next = web::get(&format!("http://{}/v2/victim/manifests/latest", nginx.host())).text();
        assert_eq!(next, "asked for /root/oci/types/oci-index/v2/victim/manifests/latest", "after {split}");
        gateway.asked();
    }
}

#[test]
fn a_gateway_is_asked_for_the_paths_of_a_registry_alone() {
    let gateway = Gateway::start();
    let nginx = before_a_gateway(&gateway);
    let by_digest = |kind: &str| format!("/v2/127.0.0.1_5000/a/b__c.d--e/{kind}/{DIGEST}");
    let good = [
        ("/index.html".to_owned(), "/root/index.html".to_owned()),
        ("/style.css?v=1".to_owned(), "/root/style.css".to_owned()),
        ("/repositories/_page-00ff.html".to_owned(), "/root/repositories/_page-00ff.html".to_owned()),
        (
            "/repositories/library/nginx/_repository.html".to_owned(),
            "/root/repositories/library/nginx/_repository.html".to_owned(),
        ),
        ("/catalog/a/_tags-0.json".to_owned(), "/root/catalog/a/_tags-0.json".to_owned()),
        ("/v2/_catalog?n=100".to_owned(), "/root/oci/v2/_catalog".to_owned()),
        ("/v2/a/tags/list".to_owned(), "/root/oci/v2/a/tags/list".to_owned()),
        (
            "/v2/a/manifests/v1.0_x-Y?ns=docker.io".to_owned(),
            "/root/oci/types/oci-index/v2/a/manifests/v1.0_x-Y".to_owned(),
        ),
        (by_digest("manifests"), format!("/root/oci/types/oci-index{}", by_digest("manifests"))),
        (by_digest("blobs"), format!("/root/oci{}", by_digest("blobs"))),
        (
            by_digest("blobs").replace("sha256:", "sha256%3A"),
            format!("/root/oci{}", by_digest("blobs").replace("sha256:", "sha256%3A")),
        ),
    ];
    for (path, at_the_gateway) in good {
        let answer = raw(&nginx.host(), &path);
        assert!(answer.ends_with(&format!("asked for {at_the_gateway}")), "{path}: {answer}");
        assert_eq!(gateway.asked(), [format!("GET {at_the_gateway} HTTP/1.1")]);
    }
    for path in strange_paths() {
        let answer = raw(&nginx.host(), &path);
        assert!(answer.starts_with("HTTP/1.1 4"), "{path:?}: {answer}");
        assert_eq!(gateway.asked(), [""; 0], "{path:?}");
    }
    let posted = web::send("POST", &format!("http://{}/v2/a/blobs/uploads/", nginx.host()), &[], Vec::new());
    posted.expect("an answer").expect(405);
    assert_eq!(gateway.asked(), [""; 0]);
}

/// Paths that no tree has, as they are written in a request.
fn strange_paths() -> Vec<String> {
    let mut all: Vec<String> = [
        "/v2/a/manifests/x%20y",
        "/v2/a/manifests/x%0a",
        "/v2/a/manifests/x%00",
        "/v2/a/manifests/x%0d%0aX-Evil:%201",
        "/v2/a/manifests/%2e%2e",
        "/v2/a/manifests/..",
        "/v2/a/../secret",
        "/v2/a/..%2f..%2fsecret",
        "/v2/..%5csecret",
        "/v2//a/manifests/x",
        "/v2/A/manifests/x",
        "/v2/*/manifests/latest",
        "/v2/a/manifests/[l]atest",
        "/v2/a/manifests/lates%3f",
        "/v2/a/manifests/x#y",
        "/v2/a b/manifests/x",
        "/v2/a/manifests/\u{1}",
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/repositories/../../secret",
        "/ipfs/bafyevil",
        "/ipns/evil.example.org/",
        "/api/v0/id",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push(format!("/v2/a/manifests/x%0d%0aX-Evil:%201/{DIGEST}"));
    all.push(format!("/v2/a/blobs/{DIGEST}%0d%0aX-Evil:%201"));
    all.push(format!("/v2/a/blobs/{DIGEST}%0a"));
    all.push(format!("/v2/a%0d%0aX-Evil:%201/blobs/{DIGEST}"));
    all
}

/// What an exported tree is made of, as far as it matters here, beside a file that is none of the world's business.
fn tree(files: &Directory) -> String {
    files.write("secret", "a secret");
    files.write("tree/oci/types/oci-index/v2/a/manifests/latest", "a manifest");
    files.write(&format!("tree/oci/v2/a/blobs/{DIGEST}"), "a blob");
    files.join("tree").display().to_string()
}

fn gives_out_its_files_alone(host: &str) {
    let url = format!("http://{host}/v2/a/manifests/latest");
    assert_eq!(web::get(&url).expect(200).text(), "a manifest");
    let blob = web::get(&format!("http://{host}/v2/a/blobs/{DIGEST}")).expect(200);
    assert_eq!((blob.header("docker-content-digest"), blob.text().as_str()), (DIGEST, "a blob"));
    for path in strange_paths() {
        let answer = raw(host, &path);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(!answer.starts_with("HTTP/1.1 2"), "{path:?}: {answer}");
        assert!(!body.contains("secret") && !body.contains("a manifest"), "{path:?}: {answer}");
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("x-evil")), "{path:?}: {answer}");
    }
}

#[test]
fn nginx_gives_out_the_files_of_a_tree_alone() {
    let files = Directory::new();
    let tree = tree(&files);
    let nginx =
        Nginx::start(&asset("nginx.conf"), &[("127.0.0.1:5050", "127.0.0.1:PORT"), ("/srv/roadstead", tree.as_str())]);
    gives_out_its_files_alone(&nginx.host());
}

#[test]
fn caddy_gives_out_the_files_of_a_tree_alone() {
    let files = Directory::new();
    let tree = tree(&files);
    let caddy =
        Caddy::start(&asset("Caddyfile"), &[("127.0.0.1:5050", "127.0.0.1:PORT"), ("/srv/roadstead", tree.as_str())]);
    gives_out_its_files_alone(&caddy.host());
}
