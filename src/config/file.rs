//! The file: its keys, and errors that name the file, the line and the key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Context, Error, Kind, Result};
use crate::image::Reference;
use crate::registry::RegistrySettings;
use crate::text::{nearest, printable_within};

/// What a new configuration file says: every setting with its default, commented out.
pub const DEFAULT_TEXT: &str = include_str!("../../assets/config.toml");

/// More than this is no configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What a configuration file says. A setting that is absent has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    /// Where the catalog and the images are kept.
    pub data_dir: Option<PathBuf>,
    /// Seconds to wait for another process that is changing the catalog.
    pub wait: Option<u64>,
    /// Blobs that are fetched at once from one registry.
    pub max_parallel: Option<usize>,
    /// Whether others are found on the local network, and told of this one.
    pub local_discovery: Option<bool>,
    /// Sections `[registries."NAME"]`, by the registry's name.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// How the terminal interface looks and listens.
    pub interface: InterfaceSettings,
}

/// What the file says of the terminal interface. What it means, the interface says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InterfaceSettings {
    /// The name of a theme.
    pub theme: Option<String>,
    /// Whether it listens to the mouse.
    pub mouse: Option<bool>,
    /// How the terminal tells that a long job has ended.
    pub notify: Option<String>,
    /// Whether it draws with ASCII alone.
    pub ascii: Option<bool>,
    /// Keys by the name of their command.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// Says where in the configuration file a value stands that makes no sense to whoever uses it.
pub fn misplaced(path: &Path, section: &str, key: &str, error: &Error) -> Error {
    // It was read a moment ago.
    let text = crate::input::read_regular(path, MAX_FILE_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let place = FilePosition::of_key(&text, Some(section), key);
    let made = Error::new(Kind::Usage, format!("{}: {error}", place.named(path)));
    error.hints().iter().fold(made, |made, hint| made.hint(hint.clone()))
}

impl ConfigFile {
    /// Reads this file, if it is there. Relative paths in it begin at its directory.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let what = || format!("can't read the configuration {}", path.display());
        let file = match crate::input::open_named(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::from(error).context(what())),
        };
        let mut text = String::new();
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).context(what)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(Error::new(Kind::Usage, format!("the configuration {} is larger than 1 MiB", path.display())));
        }
        let mut config = Self::parse(&text, path)?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let files = config.registries.values_mut().filter_map(|registry| registry.ca_file.as_mut());
        for relative in config.data_dir.iter_mut().chain(files) {
            *relative = directory.join(&relative);
        }
        Ok(Some(config))
    }

    /// Reads and checks the text; `path` is only for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| explain(&error, text, path))?;
        config.check().map_err(|wrong| {
            let section = wrong.section.map(|name| format!("registries.\"{name}\""));
            let place = FilePosition::of_key(text, section.as_deref(), wrong.key);
            let made = Error::new(Kind::Usage, format!("{}: {}", place.named(path), wrong.problem));
            wrong.hint.into_iter().fold(made, Error::hint)
        })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Wrong> {
        let none =
            || Wrong { section: None, key: "max_parallel", problem: "must be at least 1".to_owned(), hint: None };
        if self.max_parallel == Some(0) {
            return Err(none());
        }
        for (name, settings) in &self.registries {
            let section = Some(name.clone());
            if let Err((problem, hint)) = check_registry(name) {
                return Err(Wrong { section, key: "", problem, hint });
            }
            if settings.max_parallel == Some(0) {
                return Err(Wrong { section, ..none() });
            }
            if let Some(Err(problem)) = settings.mirror.as_deref().map(check_mirror) {
                return Err(Wrong { section, key: "mirror", problem, hint: None });
            }
        }
        Ok(())
    }
}

/// Writes the default file. An existing one is only replaced if `replace` says so.
pub fn write_default(path: &Path, replace: bool) -> Result<()> {
    let what = || format!("can't write the configuration {}", path.display());
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory).context(what)?;
    }
    if replace {
        return fs::write(path, DEFAULT_TEXT).context(what);
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            Error::new(Kind::Usage, format!("the configuration {} already exists", path.display()))
                .hint("Add `--force` to replace it.")
        } else {
            Error::from(error).context(what())
        }
    })?;
    file.write_all(DEFAULT_TEXT.as_bytes()).context(what)
}

/// A value that is well-formed and makes no sense.
struct Wrong {
    /// The registry whose section it is in.
    section: Option<String>,
    key: &'static str,
    problem: String,
    hint: Option<String>,
}

/// Whether this is how references name a registry.
fn check_registry(name: &str) -> Result<(), (String, Option<String>)> {
    let problem = || format!("`{}` is not the name of a registry", printable_within(name, 200));
    let reference: Reference = format!("{name}/x").parse().map_err(|_| (problem(), None))?;
    let understood = reference.upstream.registry;
    if understood == name {
        return Ok(());
    }
    // `example` alone is read as a user of Docker Hub, and `index.docker.io` as `docker.io`.
    let hint = if name.contains('.') {
        format!("Write `{understood}`.")
    } else {
        "Write it as in references, with a dot or a port: `registry.example.com`.".to_owned()
    };
    Err((problem(), Some(hint)))
}

/// Whether this is `host[:port][/prefix]` with or without a scheme. Says nothing of a credential in it.
fn check_mirror(mirror: &str) -> Result<(), String> {
    let (scheme, rest) = mirror.split_once("://").unwrap_or(("https", mirror));
    if !matches!(scheme, "http" | "https") {
        return Err("only http and https are supported".to_owned());
    }
    if rest.contains('@') {
        return Err(
            "credentials don't belong here; log in to the mirror with `docker login` or `podman login`".to_owned()
        );
    }
    let valid = url::Url::parse(&format!("{scheme}://{rest}"))
        .is_ok_and(|url| url.query().is_none() && url.fragment().is_none());
    if valid && !rest.is_empty() && !rest.starts_with('/') {
        Ok(())
    } else {
        Err("it is not `host[:port][/prefix]`".to_owned())
    }
}

/// Where something stands in the file.
struct FilePosition {
    line: Option<usize>,
    key: String,
}

impl FilePosition {
    /// The line of an offset in the text, and the key with its section.
    fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count();
        let mut section = "";
        for earlier in text.lines().take(line + 1) {
            if let Some(header) = earlier.trim().strip_prefix('[') {
                section = header.split(']').next().unwrap_or_default().trim();
            }
        }
        let current = text.lines().nth(line).unwrap_or_default().trim();
        let key = current.split_once('=').map_or("", |(key, _)| key.trim());
        let key = match (section, key) {
            ("", key) => key.to_owned(),
            (section, "") => section.to_owned(),
            (section, key) => format!("{section}.{key}"),
        };
        Self { line: Some(line + 1), key: printable_within(&key, 200) }
    }

    /// The line where a key of a section is set, as far as it is written the usual way.
    fn of_key(text: &str, section: Option<&str>, key: &str) -> Self {
        let header = section.map(str::to_owned);
        let mut current: Option<String> = None;
        let mut found = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let mut here = false;
            if let Some(name) = line.strip_prefix('[') {
                let name = name.split(']').next().unwrap_or_default().trim().replace('\'', "\"");
                here = key.is_empty() && header.as_ref() == Some(&name);
                current = Some(name);
            } else if current == header {
                here = !key.is_empty() && line.split_once('=').is_some_and(|(left, _)| left.trim() == key);
            }
            if here {
                found = Some(number + 1);
                break;
            }
        }
        let shown = match (header, key) {
            (Some(header), "") => header,
            (Some(header), key) => format!("{header}.{key}"),
            (None, key) => key.to_owned(),
        };
        Self { line: found, key: printable_within(&shown, 200) }
    }

    /// `FILE, line N, KEY`.
    fn named(&self, path: &Path) -> String {
        let mut named = path.display().to_string();
        if let Some(line) = self.line {
            let _ = write!(named, ", line {line}");
        }
        if !self.key.is_empty() {
            let _ = write!(named, ", `{}`", self.key);
        }
        named
    }
}

/// A TOML error in our words. Never shows a value, which may hold a credential.
fn explain(error: &toml::de::Error, text: &str, path: &Path) -> Error {
    let place = FilePosition::of_offset(text, error.span().map_or(0, |span| span.start));
    let message = printable_within(error.message(), 300).replace("\\u{a}", "; ");
    let mut words = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let wrong = words.next().unwrap_or_default();
        let known: Vec<&str> = words.collect();
        let made = Error::new(Kind::Usage, format!("{}: there is no such setting", place.named(path)));
        let list = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        return match nearest(wrong, known) {
            Some(meant) => made.hint(format!("Did you mean `{meant}`?")),
            None => made.hint(format!("The settings here are {list}.")),
        };
    }
    let message = match message.split_once(": ") {
        // serde shows the value: `invalid type: string "x", expected u64`.
        Some((problem @ ("invalid type" | "invalid value"), rest)) => {
            let expected = rest.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
            let expected = match expected {
                "u64" | "usize" => "a whole number",
                "path string" => "a path in quotes",
                "a string" => "text in quotes",
                "a boolean" => "`true` or `false`",
                other => other,
            };
            format!("{problem}, expected {expected}")
        }
        _ => message,
    };
    Error::new(Kind::Usage, format!("{}: {message}", place.named(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile> {
        ConfigFile::parse(text, Path::new("/etc/config.toml"))
    }

    fn refused(text: &str) -> String {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let hints = error.hints().iter().map(|hint| format!(" [{hint}]"));
        error.to_string() + &hints.collect::<String>()
    }

    #[test]
    fn the_default_file_says_nothing_new() {
        assert_eq!(parse(DEFAULT_TEXT).unwrap(), ConfigFile::default());
    }

    #[test]
    fn the_default_file_is_valid_when_uncommented() {
        let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
        let lines: Vec<&str> = DEFAULT_TEXT.lines().filter(is_setting).map(|line| &line[1..]).collect();
        let config = parse(&lines.join("\n")).unwrap();
        assert_eq!((config.wait, config.max_parallel), (Some(60), Some(3)));
        assert_eq!((config.interface.mouse, config.interface.keys.len()), (Some(true), 1));
        let registry = &config.registries["registry.example.com:5000"];
        assert!(registry.mirror.is_some() && registry.ca_file.is_some() && registry.max_parallel.is_some());
    }

    #[test]
    fn everything_is_read() {
        let text = "data_dir = \"/srv\"\nwait = 5\nmax_parallel = 7\n[registries.\"docker.io\"]\nmirror = \"http://m:5000/hub\"\ninsecure = true\n";
        let config = parse(text).unwrap();
        assert_eq!(config.data_dir.as_deref(), Some(Path::new("/srv")));
        assert_eq!((config.wait, config.max_parallel), (Some(5), Some(7)));
        let hub = &config.registries["docker.io"];
        assert_eq!((hub.mirror.as_deref(), hub.insecure), (Some("http://m:5000/hub"), true));
    }

    #[test]
    fn relative_paths_begin_at_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        assert_eq!(ConfigFile::read(&path).unwrap(), None);
        fs::write(&path, "data_dir = 'data'\n[registries.'a.b']\nca_file = 'ca.pem'\n").unwrap();
        let config = ConfigFile::read(&path).unwrap().unwrap();
        assert_eq!(config.data_dir.unwrap(), directory.path().join("data"));
        assert_eq!(config.registries["a.b"].ca_file.clone().unwrap(), directory.path().join("ca.pem"));
    }

    #[test]
    fn errors_name_file_line_and_key() {
        let cases = [
            (
                "wait = 5\nmax_paralel = 2",
                "/etc/config.toml, line 2, `max_paralel`: there is no such setting [Did you mean `max_parallel`?]",
            ),
            (
                "[registries.\"docker.io\"]\nmirrro = \"x\"",
                "/etc/config.toml, line 2, `registries.\"docker.io\".mirrro`: there is no such setting [Did you mean `mirror`?]",
            ),
            (
                "password = 'hunter2'",
                "/etc/config.toml, line 1, `password`: there is no such setting [The settings here are `data_dir`, `wait`, `max_parallel`, `local_discovery`, `registries`, `interface`.]",
            ),
            ("wait = \"hunter2\"", "/etc/config.toml, line 1, `wait`: invalid type, expected a whole number"),
            ("wait = -1", "/etc/config.toml, line 1, `wait`: invalid value, expected a whole number"),
            ("max_parallel = 0", "/etc/config.toml, line 1, `max_parallel`: must be at least 1"),
            (
                "[registries.'index.docker.io']\n",
                "/etc/config.toml, line 1, `registries.\"index.docker.io\"`: `index.docker.io` is not the name of a registry [Write `docker.io`.]",
            ),
            (
                "[registries.hub]\n",
                "/etc/config.toml, `registries.\"hub\"`: `hub` is not the name of a registry [Write it as in references, with a dot or a port: `registry.example.com`.]",
            ),
            (
                "\n[registries.\"a.b\"]\nmirror = \"https://u:hunter2@m\"\n",
                "/etc/config.toml, line 3, `registries.\"a.b\".mirror`: credentials don't belong here; log in to the mirror with `docker login` or `podman login`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(text), expected);
        }
        for broken in ["wait = ", "[", "wait = 1\nwait = 2", "= 5", "\u{1b}[31m = 1", "mirror = 'hunter2", "a.b.c"] {
            let shown = refused(broken);
            assert!(shown.starts_with("/etc/config.toml, line "), "{shown}");
            assert!(!shown.contains('\u{1b}') && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn what_the_interface_does_not_understand_is_shown_where_it_stands() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, "[interface]\ntheme = 'pink'\n[interface.keys]\nadd = ['d']\n").unwrap();
        let shown = |section, key| {
            let error = misplaced(&path, section, key, &Error::new(Kind::Usage, "no").hint("Do."));
            assert_eq!(error.hints(), ["Do."]);
            error.to_string().replace(&path.display().to_string(), "FILE")
        };
        assert_eq!(shown("interface", "theme"), "FILE, line 2, `interface.theme`: no");
        assert_eq!(shown("interface.keys", "add"), "FILE, line 4, `interface.keys.add`: no");
        assert!(
            refused("[interface]\nmouse = 'on'").contains("line 2, `interface.mouse`: invalid type, expected `true`")
        );
        assert!(refused("[interface]\ncolour = 1").contains("there is no such setting"));
    }

    #[test]
    fn an_existing_file_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/config.toml");
        write_default(&path, false).unwrap();
        fs::write(&path, "wait = 1").unwrap();
        let error = write_default(&path, false).unwrap_err();
        assert_eq!(error.hints(), ["Add `--force` to replace it."]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "wait = 1");
        write_default(&path, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), DEFAULT_TEXT);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z_.=\\[\\]\"'0-9 \n\u{e9}\u{1b}]{0,80}") {
            let _ = parse(&text);
        }
    }
}
