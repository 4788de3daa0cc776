//! What is chosen once per catalog and belongs to its content.

use rusqlite::{Connection, OptionalExtension, params};

use super::Writer;
use crate::error::{Error, Kind, Result};
use crate::image::Platform;
use crate::unixfs::Profile;

/// The settings that the root depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How files and directories become blocks.
    pub profile: Profile,
    /// Which bytes the site's pages consist of; a new one is adopted by a plan.
    pub site_version: u32,
    /// The platform whose image has the plain tag in the gateway view.
    pub default_platform: Platform,
    /// The host name that the pull commands on the pages show.
    pub name: Option<String>,
    /// What the registry is for, as its pages say it.
    pub description: Option<String>,
}

fn get(connection: &Connection, key: &str) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT value FROM settings WHERE key = ?")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// The settings of this catalog, if it has been set up.
pub fn load(connection: &Connection) -> Result<Option<Settings>> {
    let Some(profile) = get(connection, "profile")? else { return Ok(None) };
    let damaged = |key: &str| Error::new(Kind::Verification, format!("the catalog's setting `{key}` is damaged"));
    let required = |key: &'static str| get(connection, key)?.ok_or_else(|| damaged(key));
    Ok(Some(Settings {
        profile: profile.parse()?,
        site_version: required("site_version")?.parse().map_err(|_| damaged("site_version"))?,
        default_platform: required("default_platform")?.parse()?,
        name: get(connection, "name")?,
        description: get(connection, "description")?,
    }))
}

/// Records the settings in the table `settings`, replacing those that were there.
pub fn save(writer: &Writer<'_>, settings: &Settings) -> Result<()> {
    let rows = [
        ("profile", Some(settings.profile.to_string())),
        ("site_version", Some(settings.site_version.to_string())),
        ("default_platform", Some(settings.default_platform.to_string())),
        ("name", settings.name.clone()),
        ("description", settings.description.clone()),
    ];
    for (key, value) in rows {
        match value {
            Some(value) => {
                writer.execute("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)", params![key, value])?
            }
            None => writer.execute("DELETE FROM settings WHERE key = ?", [key])?,
        };
    }
    Ok(())
}
