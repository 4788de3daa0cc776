//! Asks a credential helper (`docker-credential-NAME get`).
//!
//! Done here and not by `docker_credential`, which knows no timeout and puts a helper's output into its errors.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Credential, Secret};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// Most bytes of a helper's answer that are read.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The helper's credential for a server; nothing if it has none.
pub(super) async fn get(
    name: &str,
    server: &str,
    search_path: Option<&OsStr>,
    timeout: Duration,
) -> Result<Option<Credential>> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return Err(Error::new(
            Kind::Auth,
            format!("`{}` is not the name of a credential helper", printable_within(name, 100)),
        ));
    }
    let program = format!("docker-credential-{name}");
    let refuse = |why: &str| {
        Error::new(Kind::Auth, format!("{program} for {}: {why}", printable_within(server, 200)))
            .hint(format!("Try it by hand: `echo {} | {program} get`.", printable_within(server, 200)))
    };
    // Looked up here: a child's own PATH would not be searched by every platform.
    let found = search_path
        .and_then(|path| std::env::split_paths(path).map(|dir| dir.join(&program)).find(|file| file.is_file()))
        .ok_or_else(|| refuse("there is no such program"))?;
    let run = async {
        let mut command = tokio::process::Command::new(found);
        command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        if let Some(path) = search_path {
            command.env("PATH", path);
        }
        let mut child = command.spawn().map_err(|error| refuse(&format!("it can't be started: {error}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read is one that answers something else; its answer decides.
            let _ = stdin.write_all(format!("{server}\n").as_bytes()).await;
        }
        let mut answer = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let broken = |error| refuse(&format!("its answer can't be read: {error}"));
            stdout.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut answer).await.map_err(broken)?;
        }
        if answer.len() as u64 > MAX_ANSWER_BYTES {
            return Err(refuse("its answer is far too long"));
        }
        let status = child.wait().await.map_err(|error| refuse(&error.to_string()))?;
        Ok((status, answer))
    };
    let (status, answer) = tokio::time::timeout(timeout, run)
        .await
        .map_err(|_| refuse(&format!("it did not answer within {} s", timeout.as_secs_f32())))??;
    if !status.success() {
        // The protocol's only way to say "none" (docker-credential-helpers, credentials/error.go).
        let none = String::from_utf8_lossy(&answer).trim_start().starts_with("credentials not found");
        return if none { Ok(None) } else { Err(refuse("it failed")) };
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| refuse("its answer is not what a helper says"))?;
    if answer.secret.is_empty() {
        return Ok(None);
    }
    Ok(Some(if answer.username == "<token>" {
        Credential::IdentityToken(Secret::new(answer.secret))
    } else {
        Credential::Password { user: answer.username, password: Secret::new(answer.secret) }
    }))
}
