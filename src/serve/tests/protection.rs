//! TLS, users, and what the log tells.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use reqwest::Certificate;

use super::*;
use crate::error::Kind;

fn write_certificate(directory: &Path, name: &str) -> (std::path::PathBuf, std::path::PathBuf, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key, made.cert.pem())
}

#[tokio::test]
async fn tls() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, pem) = write_certificate(directory.path(), "server");
    let options = Options { tls: Some((certificate, key)), ..Options::default() };
    let limits = Limits { head: Duration::from_millis(500), ..Limits::default() };
    let mut server = Server::with(options, limits).await;
    let root = Certificate::from_pem(pem.as_bytes()).unwrap();
    server.client = Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let path = directory.path().join("large");
    std::fs::write(&path, vec![7; 3_000_000]).unwrap();
    let digest = server.shelf.repository("a", |repository| repository.add_file(&path));
    assert!(server.listening.url.starts_with("https://"));
    assert_eq!(server.get("/v2/").await.text().await.unwrap(), "{}");
    assert_eq!(server.get(&format!("/v2/a/blobs/{digest}")).await.bytes().await.unwrap().len(), 3_000_000);
    // Neither plain HTTP nor silence keeps its place.
    assert!(!server.raw("GET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n").await.contains("200"));
    assert_eq!(server.raw("").await, "");
    server.stop().await;
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
        let error = crate::serve::tls::acceptor(certificate, key).err().unwrap();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains(named), "{error}");
    }
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
    let shelf = Arc::new(MemoryShelf::default());
    let error = crate::serve::run(shelf, options, CancellationToken::new(), |_| ()).await.unwrap_err();
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
