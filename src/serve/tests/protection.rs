//! TLS, users, and what the log tells.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use reqwest::Certificate;

use super::*;
use crate::error::Kind;

pub(super) fn write_certificate(directory: &Path, name: &str) -> (std::path::PathBuf, std::path::PathBuf, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key, made.cert.pem())
}

/// A client that trusts this certificate alone, and connects anew for each request.
pub(super) fn trusting(pem: &str) -> Client {
    let root = Certificate::from_pem(pem.as_bytes()).unwrap();
    Client::builder().no_proxy().pool_max_idle_per_host(0).tls_certs_only([root]).build().unwrap()
}

#[tokio::test]
async fn tls() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, pem) = write_certificate(directory.path(), "server");
    let options = Options { tls: Some((certificate, key)), ..Options::default() };
    let limits = Limits { head: Duration::from_millis(500), ..Limits::default() };
    let mut server = Server::with(options, limits).await;
    server.client = trusting(&pem);
    let path = directory.path().join("large");
    std::fs::write(&path, vec![7; 3_000_000]).unwrap();
    let digest = server.shelf.repository("a", |repository| repository.add_file(&path));
    assert!(server.listening.url.starts_with("https://"));
    assert_eq!(server.get("/v2/").await.text().await.unwrap(), "{}");
    assert_eq!(server.get(&format!("/v2/a/blobs/{digest}")).await.bytes().await.unwrap().len(), 3_000_000);
    // Neither plain HTTP nor silence keeps its place.
    assert!(!server.raw("GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n").await.contains("200"));
    assert_eq!(server.raw("").await, "");
    server.stop().await;
}

#[test]
fn little_is_encrypted_before_a_slow_client_takes_it() {
    use io::Write as _;
    use tokio_rustls::rustls::{ServerConfig, ServerConnection, crypto::aws_lc_rs};
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
    crate::serve::tls::bound(&mut connection);
    assert_eq!(connection.writer().write(&vec![0; 1_000_000]).unwrap(), 16 * 1024);
}

#[tokio::test]
async fn unusable_certificates_name_their_file() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, _) = write_certificate(directory.path(), "one");
    let (_, other_key, _) = write_certificate(directory.path(), "two");
    let nowhere = directory.path().join("nowhere");
    for (certificate, key, named) in [
        (&certificate, &nowhere, "nowhere"),
        (&nowhere, &key, "nowhere"),
        (&key, &key, "one.key"),
        (&certificate, &certificate, "one.pem"),
        (&certificate, &other_key, "two.key"),
    ] {
        let error = crate::serve::tls::Certificates::load(certificate, key, &[]).err().unwrap();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_a_bad_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, first) = write_certificate(directory.path(), "server");
    let (other, other_key, second) = write_certificate(directory.path(), "other");
    let options = Options { tls: Some((certificate.clone(), key.clone())), ..Options::default() };
    let reload = Arc::clone(&options.reload);
    let server = Server::with(options, Limits::default()).await;
    let answers = async |pem: &str| trusting(pem).get(server.url("/v2/")).send().await.is_ok();
    // Whether it is told or sees it by itself, the new one counts soon.
    let comes_to = async |pem: &str| {
        let came = async { while !answers(pem).await {} };
        tokio::time::timeout(PATIENCE, came).await.expect("the other certificate");
    };
    assert!(answers(&first).await && !answers(&second).await);
    // Half of a renewal: the key does not go with it.
    std::fs::copy(&other, &certificate).unwrap();
    reload.notify_one();
    for _ in 0..3 {
        assert!(answers(&first).await && !answers(&second).await);
    }
    std::fs::copy(&other_key, &key).unwrap();
    comes_to(&second).await;
    assert!(!answers(&first).await);
    std::fs::remove_file(&key).unwrap();
    reload.notify_one();
    assert!(answers(&second).await);
    server.stop().await;
}

#[tokio::test]
async fn other_host_names_are_not_answered_on_loopback() {
    let options = Options { own_names: vec!["mirror.example:5050".to_owned()], ..Options::default() };
    let server = Server::with(options, Limits::default()).await;
    server.shelf.repository("a", |repository| repository.add_manifest("1", "{}"));
    server.shelf.change(|content| content.pages.insert("index.html".into(), "page".into()));
    for path in ["/v2/", "/v2/a/manifests/1", "/"] {
        for host in ["evil.example", "evil.example:5050", "localhost.evil.example"] {
            let response = server.get_with(path, &[("host", host)]).await;
            let (status, code, message) = refusal(response).await;
            assert_eq!((status, code.as_str()), (421, "DENIED"), "{path} {host}");
            assert!(message.contains("--allow-host"), "{message}");
        }
        for host in ["localhost:5050", "a.localhost", "[::1]", "127.8.8.8", "Mirror.Example"] {
            assert_eq!(server.get_with(path, &[("host", host)]).await.status(), 200, "{path} {host}");
        }
    }
    let end = "connection: close\r\n\r\n";
    for (request, status) in [
        ("GET /v2/ HTTP/1.1\r\n", 400),
        ("GET /v2/ HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n", 400),
        ("GET /v2/ HTTP/1.1\r\nhost: a b\r\n", 400),
        ("GET /v2/ HTTP/1.1\r\nhost: \r\n", 400),
        ("GET http://evil.example/v2/ HTTP/1.1\r\nhost: localhost\r\n", 421),
        ("GET http://localhost/v2/ HTTP/1.1\r\nhost: localhost\r\n", 200),
        ("GET /v2/ HTTP/1.0\r\n", 200),
    ] {
        let answer = server.raw(&format!("{request}{end}")).await;
        assert!(answer.get(9..12) == Some(&status.to_string()), "{request}: {answer}");
    }
    // With a password nothing is there for a web page: behind a reverse proxy every name is right.
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    std::fs::write(&users, format!("anna:{}\n", bcrypt::hash("secret", 4).unwrap())).unwrap();
    let server = Server::with(Options { htpasswd: Some(users), ..Options::default() }, Limits::default()).await;
    assert_eq!(server.get_with("/v2/", &[("host", "registry.example")]).await.status(), 401);
    assert!(server.raw(&format!("GET /v2/ HTTP/1.1\r\n{end}")).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn without_a_password_nothing_is_given_out() {
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    std::fs::write(&users, format!("anna:{}\n", bcrypt::hash("secret", 4).unwrap())).unwrap();
    let options = Options { htpasswd: Some(users.clone()), ..Options::default() };
    let server = Server::with(options, Limits::default()).await;
    let blob = server.shelf.repository("a", |repository| repository.add_blob(b"blob"));
    server.shelf.change(|content| content.pages.insert("index.html".into(), "page".into()));
    let blob = format!("/v2/a/blobs/{blob}");
    for path in ["/v2/", "/v2/_catalog", &blob, "/v2/nowhere/tags/list", "/", "/nowhere"] {
        for method in [Method::GET, Method::PUT] {
            let response = server.send(method, path, &[("authorization", "Basic YW5uYTp3cm9uZw==")]).await;
            assert_eq!(header(&response, "www-authenticate"), "Basic realm=\"roadstead\"");
            let (status, code, _) = refusal(response).await;
            assert_eq!((status, code.as_str()), (401, "UNAUTHORIZED"), "{path}");
        }
    }
    for (path, expected) in [("/v2/", "{}"), (&blob, "blob"), ("/", "page")] {
        let request = server.client.get(server.url(path)).basic_auth("anna", Some("secret"));
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), expected);
    }

    std::fs::write(&users, "anna:$apr1$x$y").unwrap();
    let options = Options { htpasswd: Some(users), listen: "127.0.0.1:0".parse().unwrap(), ..Options::default() };
    let shelf = Arc::new(MemorySource::default());
    let error = crate::serve::run(shelf, None, options, CancellationToken::new(), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("users: line 1"), "{error}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_what_was_asked_and_no_credential() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // The runtime of this test has one thread, so the server logs here too.
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    let blob = server.shelf.repository("a", |repository| repository.add_blob(b"0123456789"));
    // Another test's thread may be about to note that nobody listens.
    while log.0.lock().unwrap().is_empty() {
        tracing::callsite::rebuild_interest_cache();
        server.get("/").await;
    }
    let path = format!("/v2/a/blobs/{blob}");
    let headers = [("authorization", "Basic c2VjcmV0"), ("range", "bytes=0-2")];
    server.get_with(&format!("{path}?token=secret"), &headers).await.bytes().await.unwrap();
    server.send(Method::HEAD, &path, &[]).await;
    server.send(Method::DELETE, "/v2/a/manifests/%1b", &[]).await;
    server.stop().await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = |start: &str| text.lines().find(|line| line.contains(start)).unwrap_or_else(|| panic!("{text}"));
    let got = line("status=206");
    assert!(got.contains(&path) && got.contains("method=GET") && got.contains("bytes=3"), "{got}");
    assert!(line("method=HEAD").contains("status=200") && line("method=HEAD").contains("bytes=0"));
    assert!(line("method=DELETE").contains("status=405"));
    assert!(!text.contains("secret") && !text.contains("c2VjcmV0"), "{text}");
}
