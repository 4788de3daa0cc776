//! TLS: authorities of one's own, plain http where https was expected, and the other way round.

use super::*;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

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

/// A registry behind TLS on a loopback port, and the PEM file of its certificate.
pub(super) async fn secure(home: &std::path::Path, registry: &MemoryRegistry) -> (String, std::path::PathBuf) {
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (authority.cert.pem(), authority.signing_key.serialize_pem());
    let host = listen(&certificate, &key, registry).await;
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
    assert!(error.to_string().contains("from an unknown authority"), "{error}");
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
async fn on_this_machine_plain_http_needs_no_flag() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().basic_auth("u", PASSWORD).start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    bench.log_in(&registry.host(), "u", PASSWORD);
    let upstream = Registries::new(bench.options.clone()).open(&registry.host(), false).unwrap();
    let (a, one) = (name("a"), tag("1"));
    let asked = (0..5).map(|_| upstream.manifest(&a, &one));
    assert!(futures::future::join_all(asked).await.iter().all(Result::is_ok));
    let heard = bench.heard.all();
    assert_eq!(heard.len(), 1, "said once: {heard:?}");
    assert!(heard[0].contains("using plain HTTP"), "{heard:?}");
    // Whoever writes `https://` means it.
    let mut bench = Bench::new();
    let settings = RegistrySettings { mirror: Some(format!("https://{}", registry.host())), ..Default::default() };
    bench.options.registries.insert("ghcr.io".to_owned(), settings);
    let before = registry.total_requests();
    let reached = Registries::new(bench.options.clone()).reach("ghcr.io", false).await.unwrap();
    let error = reached[0].outcome.as_ref().unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    assert!(error.hints()[0].contains("`--insecure`"));
    assert_eq!(registry.total_requests(), before);
}

#[tokio::test]
async fn what_turned_out_to_be_plain_is_shown_no_password_of_another_port() {
    let bench = Bench::new();
    let registry = MemoryRegistry::builder().start().await.unwrap();
    let thief = MemoryRegistry::builder().start().await.unwrap();
    bench.log_in(&registry.host(), "u", PASSWORD);
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"x\"", thief.host());
    registry.intercept(move |_| Some(with(plain(401, ""), &[("www-authenticate", &challenge)])));
    let upstream = Registries::new(bench.options.clone()).open(&registry.host(), false).unwrap();
    let error = upstream.manifest(&name("a"), &tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("in the clear"), "{error}");
    assert_eq!(thief.total_requests(), 0);
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

/// Serves with a self-signed certificate that calls itself an authority, for these names and valid until this year: the
/// host, and the PEM file.
async fn self_signed(
    names: &[&str],
    until: i32,
    home: &std::path::Path,
    registry: &MemoryRegistry,
) -> (String, std::path::PathBuf) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.not_before = rcgen::date_time_ymd(2000, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().pem();
    let host = listen(&certificate, &key.serialize_pem(), registry).await;
    let file = home.join(format!("{host}.pem"));
    std::fs::write(&file, certificate).unwrap();
    (host, file)
}

/// Serves a registry with this certificate and key on a loopback port.
async fn listen(certificate: &str, key: &str, registry: &MemoryRegistry) -> String {
    let certificates: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(certificate.as_bytes()).map(|read| read.unwrap().into_owned()).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let secure = Secure(listener, TlsAcceptor::from(std::sync::Arc::new(config)));
    let router = registry.router();
    tokio::spawn(async move { axum::serve(secure, router).await.unwrap() });
    host
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_for_its_names_and_dates() {
    let mut bench = Bench::new();
    let registry = MemoryRegistry::builder().start().await.unwrap();
    registry.put_image(&name("a"), Some("1"), &image());
    let home = bench.home.path().to_owned();
    let (_, stranger) = self_signed(&["localhost"], 4000, &home, &registry).await;
    for (names, until, refused) in [
        (&["localhost"][..], 4000, None),
        (&["other.example.com"], 4000, Some("not valid for name")),
        (&["localhost"], 2001, Some("expired")),
    ] {
        let (host, own) = self_signed(names, until, &home, &registry).await;
        let mut ask = async |ca_file: &std::path::Path| {
            let settings = RegistrySettings { ca_file: Some(ca_file.to_owned()), ..Default::default() };
            bench.options.registries.insert(host.clone(), settings);
            let upstream = Registries::new(bench.options.clone()).open(&host, false).unwrap();
            upstream.manifest(&name("a"), &tag("1")).await
        };
        let got = ask(&own).await;
        match refused {
            None => assert!(got.is_ok(), "{got:?}"),
            Some(words) => {
                let error = got.unwrap_err().to_string();
                assert!(error.contains("the certificate of localhost") && error.contains(words), "{error}");
            }
        }
        // Trust in another certificate is none in this one.
        let error = ask(&stranger).await.unwrap_err();
        if until == 4000 {
            assert!(
                error.to_string().contains("unknown authority") && error.hints()[0].contains("`ca_file`"),
                "{error}"
            );
        }
    }
}
