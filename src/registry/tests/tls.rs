//! TLS: authorities of one's own, plain http where https was expected, and the other way round.

use super::*;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Connections whose handshake succeeded.
struct Secure(tokio::net::TcpListener, TlsAcceptor);

impl axum::serve::Listener for Secure {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.0.accept().await else { continue };
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A registry behind TLS on a loopback port, and the PEM file of its authority.
async fn secure(home: &std::path::Path, registry: &MemoryRegistry) -> (String, std::path::PathBuf) {
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = authority.cert.pem();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(authority.signing_key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![authority.cert.der().clone()], key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let router = registry.router();
    let secure = Secure(listener, TlsAcceptor::from(std::sync::Arc::new(config)));
    tokio::spawn(async move { axum::serve(secure, router).await.unwrap() });
    let file = home.join("ca.pem");
    std::fs::write(&file, format!("a comment\n{certificate}\nanother\n{certificate}")).unwrap();
    (host, file)
}

#[tokio::test]
async fn an_authority_of_ones_own() {
    let mut bench = Bench::new();
    let registry = MemoryRegistry::builder().start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    let (host, ca_file) = secure(bench.home.path(), &registry).await;
    let open = |bench: &Bench, insecure| Registries::new(bench.options.clone()).open(&host, insecure).unwrap();
    let error = open(&bench, false).manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("an authority that is not known here"), "{error}");
    assert!(error.hints()[0].contains("`ca_file`"));
    assert!(bench.heard.all().is_empty(), "trying again does not help");
    let error = open(&bench, true).manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.hints().iter().any(|hint| hint.contains("Leave out `--insecure`")), "{error:?}");
    let settings = RegistrySettings { ca_file: Some(ca_file), ..Default::default() };
    bench.options.registries.insert(host.clone(), settings);
    assert!(open(&bench, false).manifest(&name("a"), &tag("1")).await.is_ok());
    // From https nothing leads to plain http.
    let plain_host = registry.host();
    registry.intercept(move |info| {
        let target = format!("http://{plain_host}/elsewhere?signature=canary");
        info.path.contains("manifests").then(|| with(plain(307, ""), &[("location", &target)]))
    });
    let error = open(&bench, false).manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("redirects from https to plain http"), "{error}");
    assert!(!format!("{error:?}").contains("canary"));
    // Nor are credentials sent there.
    registry.intercept(|info| {
        let challenge = "Bearer realm=\"http://127.0.0.1:1/token?x=canary\",service=\"x\"";
        (info.path == "/v2/").then(|| with(plain(401, ""), &[("www-authenticate", challenge)]))
    });
    let error = open(&bench, false).manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("in the clear") && !format!("{error:?}").contains("canary"), "{error}");
}

#[tokio::test]
async fn tokens_over_tls() {
    let mut bench = Bench::new();
    let registry = MemoryRegistry::builder().token_auth("u", PASSWORD).private(name("a")).start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    let (host, ca_file) = secure(bench.home.path(), &registry).await;
    let realm = format!("Bearer realm=\"https://{host}/token\",service=\"memory\"");
    registry.intercept(move |info| {
        let known = info.path == "/token" || info.headers.contains_key("authorization");
        (!known).then(|| with(plain(401, ""), &[("www-authenticate", &realm)]))
    });
    let settings = RegistrySettings { ca_file: Some(ca_file), ..Default::default() };
    bench.options.registries.insert(host.clone(), settings);
    bench.log_in(&host, "u", PASSWORD);
    let upstream = Registries::new(bench.options.clone()).open(&host, false).unwrap();
    assert!(upstream.manifest(&name("a"), &tag("1")).await.is_ok());
    assert!(upstream.is_private(&name("a"), &tag("1")).await.unwrap());
}

#[tokio::test]
async fn plain_http_needs_to_be_allowed() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().start().await.unwrap();
    let upstream = Registries::new(bench.options.clone()).open(&registry.host(), false).unwrap();
    let error = upstream.manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    assert!(error.hints()[0].contains("`--insecure`"));
    assert_eq!(registry.total_requests(), 0);
}

#[tokio::test]
async fn certificate_files_that_hold_none() {
    let mut bench = Bench::new();
    let file = bench.home.path().join("ca.pem");
    for content in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let settings = RegistrySettings { ca_file: Some(file.clone()), ..Default::default() };
        bench.options.registries.insert("ghcr.io".to_owned(), settings);
        let error = Registries::new(bench.options.clone()).open("ghcr.io", false).map(drop).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage, "{content:?}: {error}");
    }
}
