//! The network: each registry that is configured or mirrored, and each mirror, answers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream;

use super::finding::{Check, Finding, State};
use crate::catalog::{Catalog, repositories};
use crate::config::Settings;
use crate::registry::{self, Reached, Registries};

const SUBJECT: &str = "network";
/// Registries that are asked at once.
const MAX_CONCURRENT_CHECKS: usize = 8;

/// The registries that are used here.
pub(super) struct Network {
    registries: Registries,
    configured: BTreeSet<String>,
    catalog: Option<PathBuf>,
}

impl Network {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut options = registry::Options::new(registry::credentials::Environment::of_process());
        options.registries.clone_from(&settings.registries);
        Self {
            registries: Registries::new(options),
            configured: settings.registries.keys().cloned().collect(),
            catalog: settings.data_dir().ok().map(|directory| directory.join("catalog.db")),
        }
    }

    /// Those that images are mirrored from, and whether that is by plain HTTP, as `--insecure` said once. What is wrong with the
    /// catalog is told by its own check.
    fn mirrored(&self) -> BTreeSet<(String, bool)> {
        let Some(file) = self.catalog.as_ref().filter(|file| file.exists()) else { return BTreeSet::new() };
        let rows = Catalog::open_read_only(file)
            .and_then(|catalog| catalog.read().and_then(|reader| repositories::list(&reader, None, None)));
        let rows = rows.unwrap_or_default();
        rows.into_iter()
            .filter_map(|row| Some((row.upstream?.registry, row.transport.choice() == Some(true))))
            .collect()
    }
}

fn described(registry: &str, reached: Reached, substituted: bool) -> Finding {
    let Reached { address, mirror, outcome } = reached;
    let what = if mirror { format!("{address}, a mirror of {registry},") } else { registry.to_owned() };
    match outcome {
        Ok(()) => Finding::ok(SUBJECT, format!("{what} answers")),
        Err(error) => {
            // Where another address answers, images still come.
            let state = if substituted { State::Warn } else { State::Fail };
            let found = Finding::of_error(SUBJECT, state, &error);
            Finding { message: format!("{what}: {}", found.message), ..found }
        }
    }
}

#[async_trait]
impl Check for Network {
    async fn look(&self) -> Vec<Finding> {
        let mut names = self.mirrored();
        for name in &self.configured {
            if !names.iter().any(|(known, _)| known == name) {
                names.insert((name.clone(), false));
            }
        }
        // A machine that has nothing yet most likely begins there; it may also never want to.
        let beginning = names.is_empty();
        if beginning {
            names.insert(("docker.io".to_owned(), false));
        }
        let asked =
            stream::iter(names).map(async |(name, insecure)| (self.registries.reach(&name, insecure).await, name));
        let answers: Vec<_> = asked.buffered(MAX_CONCURRENT_CHECKS).collect().await;
        let mut findings = Vec::new();
        for (reached, name) in answers {
            match reached {
                Ok(reached) => {
                    let substituted = beginning || reached.iter().any(|reached| reached.outcome.is_ok());
                    findings.extend(reached.into_iter().map(|reached| described(&name, reached, substituted)));
                }
                Err(error) => findings.push(Finding::of_error(SUBJECT, State::Fail, &error)),
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::RegistrySettings;
    use crate::registry::memory::MemoryRegistry;

    #[tokio::test]
    async fn a_mirror_that_is_away_is_a_warning() {
        let here = MemoryRegistry::builder().start().await.unwrap();
        let away = "127.0.0.1:1";
        let look = async |registries: &[(&str, Option<&str>)]| {
            let mut settings = Settings::without_file(&crate::config::Given::default());
            settings.data_dir = None;
            for (name, mirror) in registries {
                let mirror = mirror.map(str::to_owned);
                let of = RegistrySettings { insecure: true, mirror, ..RegistrySettings::default() };
                settings.registries.insert((*name).to_owned(), of);
            }
            Network::new(&settings).look().await
        };
        let host = here.host();
        let states = |findings: &[Finding]| findings.iter().map(|finding| finding.state).collect::<Vec<_>>();
        assert_eq!(states(&look(&[(&host, None)]).await), [State::Ok]);
        assert_eq!(states(&look(&[(&host, Some(away))]).await), [State::Warn, State::Ok]);
        let findings = look(&[(away, None)]).await;
        assert_eq!(states(&findings), [State::Fail]);
        assert_eq!(findings[0].kind, crate::error::Kind::Network);
    }
}
