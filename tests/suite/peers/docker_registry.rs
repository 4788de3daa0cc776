//! Debian's docker-registry (distribution 2.8): the upstream of the stories.

use super::{Daemon, Directory, command, finish, free_port, program, skopeo::Skopeo, web};
use crate::images::Layout;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Who may read and write, and the encryption.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    Nobody,
    Basic,
    Tls,
}

/// A registry that holds nothing yet.
pub(crate) struct DockerRegistry {
    // Before the directory: it has to end first.
    _daemon: Daemon,
    directory: Directory,
    port: u16,
    guard: Guard,
}

impl DockerRegistry {
    /// The user of a registry with basic authentication.
    pub(crate) const USER: &'static str = "curator";
    /// The password of that user.
    pub(crate) const PASSWORD: &'static str = "correct horse";

    /// Plain HTTP, open to everyone.
    pub(crate) fn plain() -> Self {
        Self::start(Guard::Nobody)
    }

    /// Plain HTTP; nothing without [`Self::USER`] and [`Self::PASSWORD`].
    pub(crate) fn with_basic_auth() -> Self {
        Self::start(Guard::Basic)
    }

    /// HTTPS with a certificate of an authority that nobody knows; see [`Self::authority`].
    pub(crate) fn with_tls() -> Self {
        Self::start(Guard::Tls)
    }

    fn start(guard: Guard) -> Self {
        let directory = Directory::new();
        let storage = directory.make("storage");
        let port = free_port();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n",
            storage.display()
        );
        match guard {
            Guard::Nobody => writeln!(config, "http: {{addr: 127.0.0.1:{port}}}"),
            Guard::Basic => {
                let line =
                    finish(command(program("htpasswd"), directory.path()).args(["-Bbn", Self::USER, Self::PASSWORD]));
                let file = directory.write("htpasswd", line.success());
                writeln!(
                    config,
                    "http: {{addr: 127.0.0.1:{port}}}\nauth: {{htpasswd: {{realm: suite, path: {}}}}}",
                    file.display()
                )
            }
            Guard::Tls => {
                let (certificate, key) = write_certificates(&directory);
                writeln!(
                    config,
                    "http: {{addr: 127.0.0.1:{port}, tls: {{certificate: {}, key: {}}}}}",
                    certificate.display(),
                    key.display()
                )
            }
        }
        .expect("a string grows");
        let file = directory.write("config.yml", config);
        let mut program = command(program("docker-registry"), directory.path());
        program.arg("serve").arg(file);
        let mut daemon = Daemon::start("docker-registry", &program, directory.path());
        if guard == Guard::Tls {
            daemon.wait_for("a listener", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        } else {
            daemon.wait_for_url(&format!("http://127.0.0.1:{port}/v2/"));
        }
        Self { _daemon: daemon, directory, port, guard }
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The name under which Roadstead publishes its repositories: `127.0.0.1_PORT`.
    pub(crate) fn published(&self) -> String {
        format!("127.0.0.1_{}", self.port)
    }

    /// The certificate of the authority, as a file.
    pub(crate) fn authority(&self) -> PathBuf {
        assert!(self.guard == Guard::Tls, "only a registry with TLS has an authority");
        self.directory.join("authority/ca.crt")
    }

    /// What skopeo has to be told to reach it, with `src` or `dest` before each option.
    pub(crate) fn skopeo_options(&self, side: &str) -> Vec<String> {
        match self.guard {
            Guard::Nobody => vec![format!("--{side}-tls-verify=false")],
            Guard::Basic => {
                vec![format!("--{side}-tls-verify=false"), format!("--{side}-creds={}:{}", Self::USER, Self::PASSWORD)]
            }
            Guard::Tls => vec![format!("--{side}-cert-dir={}", self.directory.join("authority").display())],
        }
    }

    /// Copies what a layout has under a tag, all platforms of it, to `NAME:TAG`, with more options of `skopeo copy`.
    pub(crate) fn push_with(&self, layout: &Layout, tag: &str, name: &str, options: &[&str]) {
        let from = format!("oci:{}:{tag}", layout.path().display());
        let to = format!("docker://{}/{name}:{tag}", self.host());
        let reach = self.skopeo_options("dest");
        let mut words: Vec<&str> = vec!["--all"];
        words.extend(reach.iter().map(String::as_str));
        words.extend(options);
        words.extend([from.as_str(), to.as_str()]);
        Skopeo::new().copy(&words);
    }

    /// Copies what a layout has under a tag, all platforms of it, to `NAME:TAG`.
    pub(crate) fn push(&self, layout: &Layout, tag: &str, name: &str) {
        self.push_with(layout, tag, name, &[]);
    }

    /// Uploads every blob and then every manifest of a layout as they are, with its tags, whatever they say:
    /// also artifacts, signatures and referrers, which skopeo doesn't copy.
    pub(crate) fn push_everything(&self, layout: &Layout, name: &str) {
        let base = format!("http://{}/v2/{name}", self.host());
        for blob in layout.blobs() {
            let begun = web::send("POST", &format!("{base}/blobs/uploads/"), &[], Vec::new()).unwrap().expect(202);
            let place = begun.header("location");
            let sign = if place.contains('?') { '&' } else { '?' };
            let content = layout.read(&blob);
            let headers = [("Content-Type", "application/octet-stream")];
            web::send("PUT", &format!("{place}{sign}digest={blob}"), &headers, content).unwrap().expect(201);
        }
        for (reference, media_type, digest) in layout.manifests() {
            let content = layout.read(&digest);
            let headers = [("Content-Type", media_type.as_str())];
            web::send("PUT", &format!("{base}/manifests/{reference}"), &headers, content).unwrap().expect(201);
        }
    }
}

impl DockerRegistry {
    /// Puts the image that a layout has under the tag `1` under many tags: its blobs once, its manifest for each.
    pub(crate) fn push_tags(&self, layout: &Layout, name: &str, tags: &[String]) {
        self.push(layout, "1", name);
        let base = format!("http://{}/v2/{name}/manifests", self.host());
        let (_, media_type, digest) = layout.manifests().into_iter().next_back().expect("an image");
        let headers = [("Content-Type", media_type.as_str())];
        for tag in tags {
            web::send("PUT", &format!("{base}/{tag}"), &headers, layout.read(&digest)).unwrap().expect(201);
        }
    }
}

/// Makes an authority and a certificate for the loopback names, as files.
pub(crate) fn write_certificates(directory: &Directory) -> (PathBuf, PathBuf) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    authority.distinguished_name.push(rcgen::DnType::CommonName, "the suite's authority");
    let authority_certificate = authority.self_signed(&authority_key).expect("a certificate");
    directory.write("authority/ca.crt", authority_certificate.pem());
    let key = KeyPair::generate().expect("a key");
    let names = [String::from("127.0.0.1"), String::from("localhost")];
    let mut leaf = CertificateParams::new(names).expect("parameters");
    leaf.distinguished_name.push(rcgen::DnType::CommonName, "registry");
    let certificate = leaf.signed_by(&key, &Issuer::new(authority, authority_key)).expect("a certificate");
    (directory.write("server.crt", certificate.pem()), directory.write("server.key", key.serialize_pem()))
}
