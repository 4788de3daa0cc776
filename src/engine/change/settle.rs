//! Changes of what may be published and of what the pages say.

use std::sync::Arc;

use crate::catalog::{repositories, settings};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::find::find_repository;
use crate::engine::job::Job;
use crate::engine::plan::AllowPlan;
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::image::Platform;
use crate::site::SITE_VERSION;
use crate::text::{printable, printable_within};

impl Engine {
    /// Which of these repositories would be allowed to be published, or no longer: those for which that is news.
    pub fn plan_allow(&self, picks: &[Pick], allowed: bool) -> Result<AllowPlan> {
        let mut plan = AllowPlan { repositories: Vec::new(), allowed };
        let reader = self.catalog.read()?;
        for pick in picks {
            if pick.tag.is_some() || pick.digest.is_some() {
                return Err(Error::new(
                    Kind::Usage,
                    format!("`{pick}` is an image, but permissions are for whole repositories"),
                )
                .hint(format!("Write `{}`.", printable(&pick.name))));
            }
            let repository = find_repository(&reader, &pick.name)?;
            if allowed && !repository.private {
                return Err(Error::new(
                    Kind::Usage,
                    format!("{} is not private: it is always published", repository.name),
                ));
            }
            if repository.allowed != allowed && !plan.repositories.contains(&repository.name) {
                plan.repositories.push(repository.name);
            }
        }
        Ok(plan)
    }

    /// Says that the repositories of the plan may be published, or no longer.
    pub async fn apply_allow(self: &Arc<Self>, plan: &AllowPlan, job: &Job) -> Result<()> {
        if plan.repositories.is_empty() {
            return Ok(());
        }
        let names = plan.names().join(" ");
        let verb = if plan.allowed { "allow" } else { "revoke" };
        let _lock = self.lock(&format!("{verb} {names}"), job).await?;
        in_place(|| {
            self.change(verb, &names, |writer, _, touched| {
                for name in &plan.repositories {
                    let repository = find_repository(writer, name.as_str())?;
                    // It may have become public meanwhile; then there is nothing to allow for later.
                    let allowed = plan.allowed && repository.private;
                    repositories::set_visibility(writer, repository.id, repository.private, allowed)?;
                    let of_it = touched.repositories.entry(repository.id).or_default();
                    of_it.was_published = repository.is_published();
                    of_it.whole = true;
                }
                Ok(())
            })
        })?;
        Ok(())
    }

    /// Plans and applies it at once, for whoever has been asked already. Returns the names that changed.
    pub async fn allow(self: &Arc<Self>, picks: &[Pick], allowed: bool, job: &Job) -> Result<Vec<String>> {
        let plan = in_place(|| self.plan_allow(picks, allowed))?;
        self.apply_allow(&plan, job).await?;
        Ok(plan.names())
    }

    /// Sets the host name that the pages show, and the platform whose image has the plain tag in the gateway view.
    pub async fn configure(
        self: &Arc<Self>,
        name: Option<&str>,
        default_platform: Option<&Platform>,
        job: &Job,
    ) -> Result<cid::Cid> {
        if let Some(name) = name {
            check_host(name)?;
        }
        let _lock = self.lock("config set", job).await?;
        in_place(|| {
            self.change("configure", name.unwrap_or_default(), |writer, current, touched| {
                let mut new = current.clone();
                if let Some(name) = name {
                    new.name = (!name.is_empty()).then(|| name.to_owned());
                }
                if let Some(platform) = default_platform {
                    new.default_platform = platform.clone();
                }
                settings::save(writer, &new)?;
                touched.everything = new.name != current.name;
                if new.default_platform != current.default_platform {
                    touched.everything = true;
                    Self::rename_platforms(writer, &new, touched)?;
                }
                Ok(())
            })
        })
    }

    /// Has the tree written in another version of the site: see [`SITE_VERSION`]. Its root is another one afterwards.
    pub async fn set_site_version(self: &Arc<Self>, site_version: u32, job: &Job) -> Result<cid::Cid> {
        if !crate::site::writes(site_version) {
            return Err(Error::new(Kind::Usage, format!("there is no site version {site_version}"))
                .hint(format!("This program writes 1 to {SITE_VERSION}.")));
        }
        let _lock = self.lock("config set", job).await?;
        in_place(|| {
            self.change("configure", &format!("site version {site_version}"), |writer, current, touched| {
                touched.everything = site_version != current.site_version;
                settings::save(writer, &settings::Settings { site_version, ..current.clone() })
            })
        })
    }
}

impl Engine {
    /// Sets what the pages say of the registry; nothing if the text is empty.
    pub async fn describe(self: &Arc<Self>, text: &str, job: &Job) -> Result<cid::Cid> {
        check_description(text)?;
        let _lock = self.lock("config set", job).await?;
        in_place(|| {
            self.change("configure", "description", |writer, current, touched| {
                let mut new = current.clone();
                new.description = (!text.is_empty()).then(|| text.to_owned());
                settings::save(writer, &new)?;
                touched.front = new.description != current.description;
                Ok(())
            })
        })
    }
}

/// Most characters of a registry's description.
const MAX_DESCRIPTION_CHARACTERS: usize = 280;

/// A line of text that pages can show as it is.
pub(in crate::engine) fn check_description(text: &str) -> Result<()> {
    if text.chars().count() > MAX_DESCRIPTION_CHARACTERS {
        let words = format!("the description is longer than {MAX_DESCRIPTION_CHARACTERS} characters");
        return Err(Error::new(Kind::Usage, words).hint("Say in a sentence what the registry is for."));
    }
    if printable(text) != text || text.trim() != text {
        let words = "the description has line breaks, invisible characters or spaces around it";
        return Err(Error::new(Kind::Usage, words).hint("Write one line of plain text."));
    }
    Ok(())
}

/// A host name, perhaps with a port, as it stands in a reference.
pub(in crate::engine) fn check_host(name: &str) -> Result<()> {
    if name.is_empty()
        || format!("{name}/x")
            .parse::<crate::image::Reference>()
            .is_ok_and(|reference| reference.upstream.registry == name)
    {
        return Ok(());
    }
    Err(Error::new(
        Kind::Usage,
        format!("`{}` is not a host name as used in image references", printable_within(name, 200)),
    )
    .hint("For example `registry.example.com` or `localhost:5050`."))
}
