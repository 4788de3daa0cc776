//! versitygw: a server that speaks the S3 API over a directory, and nginx before it as a bucket's own host name.

use super::nginx::Nginx;
use super::{Daemon, Directory, Finished, command, finish, free_port, program};
use std::path::PathBuf;

/// The bucket that is there.
pub(crate) const BUCKET: &str = "registry";
/// The key with which requests are signed.
pub(crate) const ACCESS_KEY: &str = "AKc4n4ry5ba1e07d";
/// The secret that belongs to it.
pub(crate) const SECRET_KEY: &str = "c4n4ry/s3cr3t+9f3c==";

/// What everyone may do, as statements of a policy.
const READ: &str = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::registry/*"}"#;
const LIST: &str = r#"{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::registry"}"#;

/// What nginx does before a bucket: touches nothing.
const FRONT: &str = "server { listen 127.0.0.1:8000; location / { proxy_pass http://BEHIND/registry/; } }\n";

/// A running server with one bucket, which everyone can read.
pub(crate) struct Versitygw {
    _daemon: Daemon,
    directory: Directory,
    port: u16,
}

impl Versitygw {
    /// Starts it with an empty bucket.
    pub(crate) fn start() -> Self {
        let directory = Directory::new();
        directory.make("data");
        let port = free_port();
        let mut gateway = command(program("versitygw"), directory.path());
        gateway.env("ROOT_ACCESS_KEY", ACCESS_KEY).env("ROOT_SECRET_KEY", SECRET_KEY);
        gateway.arg("--port").arg(format!("127.0.0.1:{port}")).arg("posix").arg(directory.join("data"));
        let mut daemon = Daemon::start("versitygw", &gateway, directory.path());
        daemon.wait_for("its port", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let made = Self { _daemon: daemon, directory, port };
        made.ask(&["-X", "PUT"], "").success();
        made.allow(&[READ]);
        made
    }

    /// Lets everyone do this, and nothing else.
    fn allow(&self, statements: &[&str]) {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        let policy = self.directory.write("policy.json", policy);
        self.ask(&["-X", "PUT", "--data-binary", &format!("@{}", policy.display())], "?policy=").success();
    }

    /// Lets everyone list the bucket, besides reading it.
    pub(crate) fn let_everyone_list(&self) {
        self.allow(&[READ, LIST]);
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What asks it, as its owner: a request by curl for a path below the bucket.
    pub(crate) fn ask(&self, arguments: &[&str], path: &str) -> Finished {
        let mut curl = command(program("curl"), self.directory.path());
        curl.args([
            "-sS",
            "--fail",
            "--aws-sigv4",
            "aws:amz:us-east-1:s3",
            "-H",
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
        ]);
        curl.arg("--user").arg(format!("{ACCESS_KEY}:{SECRET_KEY}")).args(arguments);
        curl.arg(format!("{}/{BUCKET}{path}", self.url()));
        finish(&curl)
    }

    /// The file behind an object.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        self.directory.join("data").join(BUCKET).join(key)
    }

    /// nginx as the bucket's own host name.
    pub(crate) fn front(&self) -> Nginx {
        let file = self.directory.write("front.conf", FRONT);
        let behind = format!("127.0.0.1:{}", self.port);
        Nginx::start(&file, &[("BEHIND", behind.as_str()), ("127.0.0.1:8000", "127.0.0.1:PORT")])
    }
}
