//! The configuration file: read, and what it leads to is there.

use async_trait::async_trait;

use super::finding::{Check, Finding, State};
use crate::config::{Given, Settings};

const SUBJECT: &str = "configuration";

pub(super) struct Configuration {
    given: Given,
}

impl Configuration {
    pub(super) fn new(given: &Given) -> Self {
        Self { given: given.clone() }
    }
}

#[async_trait]
impl Check for Configuration {
    async fn look(&self) -> Vec<Finding> {
        let settings = match Settings::load(&self.given) {
            Ok(settings) => settings,
            Err(error) => return vec![Finding::of_error(SUBJECT, State::Fail, &error)],
        };
        let file = settings.config.as_ref().map(|config| config.value.display().to_string()).unwrap_or_default();
        let mut findings = vec![if settings.config_exists {
            Finding::ok(SUBJECT, file)
        } else {
            Finding::ok(SUBJECT, "none; every setting has its default (`roadstead config init` writes one)")
        }];
        for (name, registry) in &settings.registries {
            if let Some(ca_file) = &registry.ca_file
                && let Err(error) = crate::input::open_regular(ca_file)
            {
                findings.push(Finding::fail(
                    SUBJECT,
                    format!("the `ca_file` of {name}, {}: {error}", ca_file.display()),
                    "Put the PEM file there, or change the setting.",
                ));
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Setting};

    async fn look(text: &str) -> Vec<Finding> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let given = Given { config: Some(Setting::new(path, Origin::Flag)), ..Given::default() };
        Configuration::new(&given).look().await
    }

    #[tokio::test]
    async fn a_broken_file_and_a_missing_one_are_told() {
        assert_eq!(look("wait = 5\n").await[0].state, State::Ok);
        assert_eq!(look("wiat = 5\n").await[0].state, State::Fail);
        let findings = look("[registries.'a.example.com']\nca_file = '/nowhere/ca.pem'\n").await;
        assert!(findings[1].state == State::Fail && findings[1].message.contains("/nowhere/ca.pem"), "{findings:?}");
    }
}
