//! `config`: the settings in force and where they come from; files to begin with, for this program and for web servers.
//!
//! What the published tree depends on is kept in the catalog and set here; everything else is set in the configuration file.

use std::str::FromStr;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use crate::catalog::settings::Settings as CatalogSettings;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::parsed::parsed;
use crate::cli::report::RootReport;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::config::{Given, Origin, Settings, write_default};
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::image::Platform;
use crate::site::SITE_VERSION;
use crate::text::printable_within;

/// What to do.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The verb.
    #[command(subcommand)]
    pub(in crate::cli) verb: ConfigVerb,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigVerb {
    /// Show every setting, its value, and where it comes from.
    Show,
    /// Set what the catalog keeps for its tree: name, description, default platform, site version.
    Set(SetArguments),
    /// Write a configuration file with every default in it, commented out.
    Init(InitArguments),
    /// Print a web server's configuration for serving what `export DIR` wrote.
    Web(WebArguments),
}

const SET_EXAMPLES: &str = "\
Settings:
  name HOST[:PORT]            the host name in the pull commands of the published pages; \"\" is none
  description TEXT            a sentence on the front page about what the registry is for; \"\" is none
  default-platform PLATFORM   the platform whose image has the plain tag in the gateway view
  site-version VERSION        the version of the generated files; a newer release keeps it until it is set

Examples:
  roadstead config set name registry.example.com
  roadstead config set description \"Images of the lab, kept for a year\"
  roadstead config set default-platform linux/arm64

Everything else is set in the configuration file, which `roadstead config init` writes.";

/// What to set.
#[derive(Debug, Args)]
#[command(after_help = SET_EXAMPLES)]
pub(in crate::cli) struct SetArguments {
    /// The setting: `name`, `description`, `default-platform` or `site-version`.
    #[arg(value_name = "SETTING", value_parser = parsed::<RegistrySetting>)]
    setting: RegistrySetting,

    /// Its value.
    #[arg(value_name = "VALUE")]
    value: String,
}

/// A setting that belongs to the registry itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RegistrySetting {
    Name,
    Description,
    DefaultPlatform,
    SiteVersion,
}

impl FromStr for RegistrySetting {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "name" => Ok(Self::Name),
            "description" => Ok(Self::Description),
            "default-platform" | "default_platform" => Ok(Self::DefaultPlatform),
            "site-version" | "site_version" => Ok(Self::SiteVersion),
            other => Err(Error::new(
                Kind::Usage,
                format!("`config set` doesn't set `{}`", printable_within(other, 80)),
            )
            .hint(
                "It sets `name`, `description`, `default-platform` and `site-version`, which are kept in the catalog.",
            )
            .hint("Everything else is set in the configuration file: `roadstead config show` says which one that is.")),
        }
    }
}

/// Sets something that the registry's root depends on. JSON: as `root`.
pub(in crate::cli) fn set(arguments: &SetArguments, context: &Context) -> Result<Exit> {
    let value = arguments.value.as_str();
    let (root, engine, said) = match arguments.setting {
        RegistrySetting::Name => {
            let engine = context.open(None)?;
            let root = context.run(async |job: &Job| engine.configure(Some(value), None, job).await)?;
            let said = match value {
                "" => "The registry has no name: its pages say HOST.".to_owned(),
                name => format!("The registry's name is {}.", printable_within(name, 300)),
            };
            (root, engine, said)
        }
        RegistrySetting::Description => {
            let engine = context.open(None)?;
            let root = context.run(async |job: &Job| engine.describe(value, job).await)?;
            let said = match value {
                "" => "The registry has no description.".to_owned(),
                text => format!("The front page says: {}", printable_within(text, 300)),
            };
            (root, engine, said)
        }
        RegistrySetting::DefaultPlatform => {
            let platform: Platform = value.parse()?;
            let engine = context.open(None)?;
            let root = context.run(async |job: &Job| engine.configure(None, Some(&platform), job).await)?;
            (root, engine, format!("The default platform is {platform}."))
        }
        RegistrySetting::SiteVersion => {
            let version: u32 = value.parse().map_err(|_| {
                Error::new(Kind::Usage, format!("`{}` is no site version", printable_within(value, 80)))
                    .hint(format!("It is a number, of which {SITE_VERSION} is the newest."))
            })?;
            let engine = context.open(None)?;
            let root = context.run(async |job: &Job| engine.set_site_version(version, job).await)?;
            (root, engine, format!("The site version is {version}."))
        }
    };
    let output = &context.output;
    output.json(&RootReport::of(root, &engine.settings()?))?;
    output.message(&said);
    output.message(&format!("The root is {root}"));
    Ok(Exit::Done)
}

const WEB_EXAMPLES: &str = "\
Examples:
  roadstead config web nginx > /etc/nginx/conf.d/roadstead.conf
  roadstead config web caddy > /etc/caddy/Caddyfile

None of them names an image, so they don't change when images do. Their first lines say what to set.";

/// Which web server.
#[derive(Debug, Args)]
#[command(after_help = WEB_EXAMPLES)]
pub(in crate::cli) struct WebArguments {
    /// The server.
    #[arg(value_enum, value_name = "SERVER")]
    server: WebServer,
}

/// Web servers that are known to serve the tree as a registry.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum WebServer {
    /// nginx over the exported files.
    Nginx,
    /// nginx in front of an IPFS gateway.
    NginxGateway,
    /// Caddy over the exported files.
    Caddy,
}

/// Prints a web server's configuration. JSON: `{"text":…}`.
pub(in crate::cli) fn web(arguments: &WebArguments, output: &Output) -> Result<Exit> {
    let text = match arguments.server {
        WebServer::Nginx => include_str!("../../../assets/nginx.conf"),
        WebServer::NginxGateway => include_str!("../../../assets/nginx-gateway.conf"),
        WebServer::Caddy => include_str!("../../../assets/Caddyfile"),
    };
    output.json(&json!({ "text": text }))?;
    output.data(text)?;
    Ok(Exit::Done)
}

/// How to begin.
#[derive(Debug, Args)]
pub(in crate::cli) struct InitArguments {
    /// Replace an existing file.
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

/// Writes the file with the defaults. JSON: `{"config":FILE}`.
pub(in crate::cli) fn init(arguments: &InitArguments, given: &Given, output: &Output) -> Result<Exit> {
    let file = Settings::locate(given).ok_or_else(|| {
        Error::new(Kind::Usage, "there is no home directory to keep the configuration in")
            .hint("Name a file with `--config` or ROADSTEAD_CONFIG.")
    })?;
    write_default(&file.value, arguments.force)?;
    output.json(&json!({ "config": file.value }))?;
    output.data(&format!("{}\n", file.value.display()))?;
    Ok(Exit::Done)
}

/// Shows the settings in force.
pub(in crate::cli) fn show(context: &Context) -> Result<Exit> {
    let mut shown = Shown::of(&context.settings);
    // Where there is no catalog, or none that can be read, there is nothing to show of it.
    if let Some(registry) = context.open_to_read().ok().and_then(|engine| engine.settings().ok()) {
        shown.add_registry(&registry);
    }
    context.output.json(&shown)?;
    context.output.table(&shown.table())?;
    context.output.finish()?;
    if !shown.config_exists {
        context.output.message("No configuration file yet. `roadstead config init` writes one.");
    }
    Ok(Exit::Done)
}

/// The document of `config show`.
#[derive(Debug, Serialize)]
struct Shown {
    /// Whether the configuration file is there.
    config_exists: bool,
    settings: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    /// Key as the configuration file has it.
    key: String,
    /// Text, number or boolean, as in the file.
    value: Value,
    origin: Origin,
}

impl Shown {
    fn of(settings: &Settings) -> Self {
        let mut lines = Vec::new();
        let mut line = |key: &str, value: Value, origin| {
            lines.push(Line { key: key.to_owned(), value, origin });
        };
        if let Some(config) = &settings.config {
            line("config", json!(config.value.display().to_string()), config.origin);
        }
        if let Some(data_dir) = &settings.data_dir {
            line("data_dir", json!(data_dir.value.display().to_string()), data_dir.origin);
        }
        line("wait", json!(settings.wait.value), settings.wait.origin);
        line("max_parallel", json!(settings.max_parallel.value), settings.max_parallel.origin);
        line("local_discovery", json!(settings.local_discovery.value), settings.local_discovery.origin);
        for (name, registry) in &settings.registries {
            let mut line = |key: &str, value| line(&format!("registries.\"{name}\".{key}"), value, Origin::File);
            if let Some(mirror) = &registry.mirror {
                line("mirror", json!(mirror));
            }
            if registry.insecure {
                line("insecure", json!(true));
            }
            if let Some(file) = &registry.ca_file {
                line("ca_file", json!(file.display().to_string()));
            }
            if let Some(number) = registry.max_parallel {
                line("max_parallel", json!(number));
            }
        }
        let interface = &settings.interface;
        let origin = |said: bool| if said { Origin::File } else { Origin::Default };
        let theme = interface.theme.as_deref().unwrap_or("terminal");
        line("interface.theme", json!(theme), origin(interface.theme.is_some()));
        line("interface.mouse", json!(interface.mouse.unwrap_or(true)), origin(interface.mouse.is_some()));
        if let Some(notify) = &interface.notify {
            line("interface.notify", json!(notify), Origin::File);
        }
        if let Some(ascii) = interface.ascii {
            line("interface.ascii", json!(ascii), Origin::File);
        }
        for (command, keys) in &interface.keys {
            line(&format!("interface.keys.{command}"), json!(keys.join(" ")), Origin::File);
        }
        Self { config_exists: settings.config_exists, settings: lines }
    }

    /// What is kept in the catalog.
    fn add_registry(&mut self, registry: &CatalogSettings) {
        let named = if registry.name.is_some() { Origin::Catalog } else { Origin::Default };
        let described = if registry.description.is_some() { Origin::Catalog } else { Origin::Default };
        for (key, value, origin) in [
            ("name", json!(registry.name), named),
            ("description", json!(registry.description), described),
            ("default_platform", json!(registry.default_platform.to_string()), Origin::Catalog),
            ("profile", json!(registry.profile.to_string()), Origin::Catalog),
            ("site_version", json!(registry.site_version), Origin::Catalog),
        ] {
            self.settings.push(Line { key: key.to_owned(), value, origin });
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[("SETTING", Column::Fixed), ("VALUE", Column::Fixed), ("FROM", Column::Fixed)]);
        for line in &self.settings {
            let value = match &line.value {
                Value::Null => "not set".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let tone = if line.origin == Origin::Default { Tone::Dim } else { Tone::Plain };
            table.row([Cell::toned(Tone::Name, &line.key), value.into(), Cell::toned(tone, line.origin.to_string())]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Paint;
    use crate::config::Setting;

    #[test]
    fn every_setting_says_where_it_comes_from() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let text = "max_parallel = 5\n[registries.'docker.io']\nmirror = 'mirror.example.com'\nca_file = '/ca.pem'\n\
                    [interface]\ntheme = 'dark'\n[interface.keys]\nadd = ['a', 'insert']\n";
        std::fs::write(&path, text).unwrap();
        let given = Given {
            config: Some(Setting::new(path, Origin::Environment)),
            data_dir: Some(Setting::new("/srv/data".into(), Origin::Flag)),
            wait: None,
        };
        let mut shown = Shown::of(&Settings::load(&given).unwrap());
        shown.add_registry(&CatalogSettings {
            profile: crate::unixfs::Profile::V1_2025,
            site_version: 1,
            default_platform: "linux/amd64".parse().unwrap(),
            name: None,
            description: None,
        });
        let hide = |text: String| text.replace(&directory.path().display().to_string(), "/home");
        let json = hide(serde_json::to_string_pretty(&shown).unwrap());
        insta::assert_snapshot!("config_show", json);
        let text: Vec<String> =
            shown.table().render(None, Paint::new(false)).lines().skip(2).map(String::from).collect();
        let words: Vec<Vec<&str>> = text.iter().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            words,
            [
                vec!["data_dir", "/srv/data", "flag"],
                vec!["wait", "60", "default"],
                vec!["max_parallel", "5", "file"],
                vec!["local_discovery", "true", "default"],
                vec!["registries.\"docker.io\".mirror", "mirror.example.com", "file"],
                vec!["registries.\"docker.io\".ca_file", "/ca.pem", "file"],
                vec!["interface.theme", "dark", "file"],
                vec!["interface.mouse", "true", "default"],
                vec!["interface.keys.add", "a", "insert", "file"],
                vec!["name", "not", "set", "default"],
                vec!["description", "not", "set", "default"],
                vec!["default_platform", "linux/amd64", "catalog"],
                vec!["profile", "unixfs-v1-2025", "catalog"],
                vec!["site_version", "1", "catalog"],
            ]
        );
    }
}
