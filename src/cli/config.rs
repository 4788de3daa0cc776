//! `config`: the settings in force and where they come from; files to begin with, for this program and for web servers.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::Exit;
use super::context::Context;
use super::output::Output;
use super::style::Tone;
use super::table::{Cell, Column, Table};
use crate::config::{Given, Origin, Settings, write_default};
use crate::error::{Error, Kind, Result};

/// What to do.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The verb.
    #[command(subcommand)]
    pub(super) verb: ConfigVerb,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// Show every setting, its value, and where it comes from.
    Show,
    /// Write a configuration file with every default in it, commented out.
    Init(InitArguments),
    /// Print the configuration with which a web server gives out what `export DIR` wrote.
    Web(WebArguments),
}

const WEB_EXAMPLES: &str = "\
Examples:
  roadstead config web nginx > /etc/nginx/conf.d/roadstead.conf
  roadstead config web caddy > /etc/caddy/Caddyfile

None of them names an image: they need not change when images do. What is to be set is said at their beginning.";

/// Which web server.
#[derive(Debug, Args)]
#[command(after_help = WEB_EXAMPLES)]
pub(super) struct WebArguments {
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
pub(super) fn web(arguments: &WebArguments, output: &Output) -> Result<Exit> {
    let text = match arguments.server {
        WebServer::Nginx => include_str!("../../assets/nginx.conf"),
        WebServer::NginxGateway => include_str!("../../assets/nginx-gateway.conf"),
        WebServer::Caddy => include_str!("../../assets/Caddyfile"),
    };
    output.json(&json!({ "text": text }))?;
    output.data(text)?;
    Ok(Exit::Done)
}

/// How to begin.
#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// Replace a file that is there.
    #[arg(long)]
    pub(super) force: bool,
}

/// Writes the file with the defaults. JSON: `{"config":FILE}`.
pub(super) fn init(arguments: &InitArguments, given: &Given, output: &Output) -> Result<Exit> {
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
pub(super) fn show(context: &Context) -> Result<Exit> {
    let shown = Shown::of(&context.settings);
    context.output.json(&shown)?;
    context.output.table(&shown.table())?;
    context.output.finish()?;
    if !shown.config_exists {
        context.output.message("There is no configuration file; `roadstead config init` writes one.");
    }
    Ok(Exit::Done)
}

/// The document of `config show`.
#[derive(Debug, Serialize)]
struct Shown {
    /// Whether the configuration file is there.
    config_exists: bool,
    /// The settings.
    settings: Vec<Line>,
}

/// One setting.
#[derive(Debug, Serialize)]
struct Line {
    /// Its key, as in the file.
    key: String,
    /// Its value as text, number or boolean.
    value: serde_json::Value,
    /// Where it comes from.
    origin: Origin,
}

impl Shown {
    fn of(settings: &Settings) -> Self {
        let mut lines = Vec::new();
        let mut line = |key: &str, value: serde_json::Value, origin| {
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
        if let Some(ascii) = interface.ascii {
            line("interface.ascii", json!(ascii), Origin::File);
        }
        for (command, keys) in &interface.keys {
            line(&format!("interface.keys.{command}"), json!(keys.join(" ")), Origin::File);
        }
        Self { config_exists: settings.config_exists, settings: lines }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[("SETTING", Column::Fixed), ("VALUE", Column::Fixed), ("FROM", Column::Fixed)]);
        for line in &self.settings {
            let value = line.value.as_str().map_or_else(|| line.value.to_string(), str::to_owned);
            let tone = if line.origin == Origin::Default { Tone::Dim } else { Tone::Plain };
            table.row([Cell::toned(Tone::Name, &line.key), value.into(), Cell::toned(tone, line.origin.to_string())]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::super::style::Paint;
    use super::*;
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
        let shown = Shown::of(&Settings::load(&given).unwrap());
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
                vec!["registries.\"docker.io\".mirror", "mirror.example.com", "file"],
                vec!["registries.\"docker.io\".ca_file", "/ca.pem", "file"],
                vec!["interface.theme", "dark", "file"],
                vec!["interface.mouse", "true", "default"],
                vec!["interface.keys.add", "a", "insert", "file"],
            ]
        );
    }
}
