//! Credential files of docker and podman, and their helpers. No secret is read out.

use async_trait::async_trait;

use super::finding::{Check, Finding, State};
use crate::registry::credentials::{Credentials, Environment, Found};
use crate::text::printable_within;

const SUBJECT: &str = "credentials";
/// How many registries are named.
const MAX_NAMED_REGISTRIES: usize = 5;

/// The files that credentials are looked for in.
pub(super) struct CredentialFiles;

fn described(path: &str, found: &Found) -> Vec<Finding> {
    let mut findings = Vec::new();
    let hosts = match found.hosts.len() {
        0 => "no entry".to_owned(),
        all => {
            let mut words: Vec<String> =
                found.hosts.iter().take(MAX_NAMED_REGISTRIES).map(|host| printable_within(host, 100)).collect();
            if all > MAX_NAMED_REGISTRIES {
                words.push(format!("{} more", all - MAX_NAMED_REGISTRIES));
            }
            words.join(", ")
        }
    };
    findings.push(if found.open_to_all {
        Finding::warn(SUBJECT, format!("{path} is world-readable: {hosts}"), format!("`chmod 600 {path}`"))
    } else {
        Finding::ok(SUBJECT, format!("{path}: {hosts}"))
    });
    for (program, place) in &found.helpers {
        let program = printable_within(program, 100);
        findings.push(match place {
            Some(place) => Finding::ok(SUBJECT, format!("{path}: the helper {}", place.display())),
            None => Finding::warn(
                SUBJECT,
                format!("{path}: the helper {program} is not on PATH"),
                "Install it, or log in again without it: `podman login REGISTRY`.",
            ),
        });
    }
    findings
}

#[async_trait]
impl Check for CredentialFiles {
    async fn look(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for surveyed in Credentials::new(&Environment::of_process(), &[]).survey().await {
            match surveyed.found {
                Ok(None) => {}
                Ok(Some(found)) => findings.extend(described(&surveyed.path.display().to_string(), &found)),
                // What needs no credential works all the same.
                Err(error) => findings.push(Finding::of_error(SUBJECT, State::Fail, &error)),
            }
        }
        if findings.is_empty() {
            findings.push(Finding::ok(
                SUBJECT,
                "none; `podman login` and `docker login` store them where roadstead \
                    finds them",
            ));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_that_are_not_there_are_told() {
        let found = Found {
            hosts: (0..7).map(|number| format!("r{number}.example.com")).collect(),
            helpers: vec![("docker-credential-gone".to_owned(), None)],
            open_to_all: true,
        };
        let findings = described("/home/config.json", &found);
        assert_eq!(findings.iter().map(|finding| finding.state).collect::<Vec<_>>(), [State::Warn, State::Warn]);
        assert!(findings[0].message.contains("r4.example.com, 2 more"), "{findings:?}");
    }
}
