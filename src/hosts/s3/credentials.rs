//! Credentials as AWS's tools find them: variables first, then profiles of `~/.aws/credentials` and `~/.aws/config`
//! (AWS SDKs and Tools Reference Guide, "Standardized credential providers", "Shared config and credentials files").
//!
//! Roles of instances and single sign-on are not asked for. Nothing here has a form that could be shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// More than this is no such file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The profile where none is named.
const DEFAULT_PROFILE: &str = "default";

/// A key with which requests are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(super) key: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// This key and its secret, and the token of a session.
    pub fn new(key: impl Into<String>, secret: impl Into<String>, token: Option<String>) -> Self {
        Self { key: key.into(), secret: secret.into(), token }
    }
}

/// What was found of credentials and of where the bucket is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// With what requests are signed.
    pub credentials: Option<Credentials>,
    /// In which region the bucket is, if something says so.
    pub region: Option<String>,
    /// Where the credentials are from, for people: `the variable AWS_ACCESS_KEY_ID`, `the profile ci`.
    pub place: String,
    /// The file that they are in.
    pub file: Option<PathBuf>,
}

/// Where credentials are looked for.
pub struct Lookup<'l> {
    /// Reads an environment variable.
    pub variable: &'l (dyn Fn(&str) -> Option<String> + Send + Sync),
    /// A file that the target names: then no variable counts, and no other file.
    pub file: Option<&'l Path>,
}

impl fmt::Debug for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Lookup<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn path(&self, variable: &str, name: &str) -> Option<PathBuf> {
        let home = || Some(PathBuf::from(self.variable("HOME")?).join(".aws").join(name));
        self.variable(variable).map(PathBuf::from).or_else(home)
    }

    /// Reads what there is. That there is nothing is no error.
    pub fn find(&self) -> Result<Found> {
        let profile = self.variable("AWS_PROFILE").unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
        let region = self.variable("AWS_REGION").or_else(|| self.variable("AWS_DEFAULT_REGION"));
        if let Some(file) = self.file {
            let text = read(file)?.ok_or_else(|| {
                Error::new(Kind::NotFound, format!("can't read the credentials in {}", file.display()))
                    .hint("The user who runs this must be able to read it.")
            })?;
            let sections = sections(&text);
            let section = sections.get(&profile).or_else(|| sections.get(DEFAULT_PROFILE));
            let credentials = section.map(|section| of_section(section, &profile)).transpose()?.flatten();
            let credentials = credentials.ok_or_else(|| {
                Error::new(Kind::Usage, format!("{} has no credentials for the profile `{}`", file.display(), shown(&profile)))
                    .hint("Write it like ~/.aws/credentials: `[default]`, `aws_access_key_id = …`, `aws_secret_access_key = …`.")
            })?;
            let region = region.or_else(|| section.and_then(|section| section.get("region").cloned()));
            let place = format!("the file {}", printable_within(&file.display().to_string(), 200));
            return Ok(Found { credentials: Some(credentials), region, place, file: Some(file.to_owned()) });
        }
        let of_variables = match (self.variable("AWS_ACCESS_KEY_ID"), self.variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(key), Some(secret)) => Some(Credentials::new(key, secret, self.variable("AWS_SESSION_TOKEN"))),
            (Some(_), None) => return Err(half("AWS_ACCESS_KEY_ID is set", "AWS_SECRET_ACCESS_KEY is not")),
            (None, Some(_)) => return Err(half("AWS_SECRET_ACCESS_KEY is set", "AWS_ACCESS_KEY_ID is not")),
            (None, None) => None,
        };
        let named = self.variable("AWS_PROFILE").is_some();
        let (credentials_file, config_file) =
            (self.path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), self.path("AWS_CONFIG_FILE", "config"));
        let section = |file: Option<&PathBuf>, name: &str| -> Result<Option<Section>> {
            let text = file.map(|file| read(file)).transpose()?.flatten();
            Ok(text.and_then(|text| sections(&text).remove(name)))
        };
        let config_name = if profile == DEFAULT_PROFILE { profile.clone() } else { format!("profile {profile}") };
        let of_credentials = section(credentials_file.as_ref(), &profile)?;
        let of_config = section(config_file.as_ref(), &config_name)?;
        let region = region.or_else(|| {
            [&of_config, &of_credentials].into_iter().flatten().find_map(|section| section.get("region").cloned())
        });
        // Even where AWS_PROFILE names a profile, as AWS's SDKs do.
        if let Some(credentials) = of_variables {
            let place = "the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned();
            return Ok(Found { credentials: Some(credentials), region, place, file: None });
        }
        for (section, file) in [(&of_credentials, credentials_file), (&of_config, config_file)] {
            let Some(section) = section else { continue };
            if let Some(credentials) = of_section(section, &profile)? {
                let place = format!("the profile `{}`", shown(&profile));
                return Ok(Found { credentials: Some(credentials), region, place, file });
            }
        }
        if named {
            return Err(Error::new(Kind::Auth, format!("the profile `{}` has no credentials", shown(&profile)))
                .hint("AWS_PROFILE names it; `aws configure list-profiles` shows what there is."));
        }
        Ok(Found { credentials: None, region, place: String::new(), file: None })
    }
}

fn half(is: &str, is_not: &str) -> Error {
    Error::new(Kind::Auth, format!("{is} and {is_not}")).hint("Set both, wherever this runs.")
}

fn shown(profile: &str) -> String {
    printable_within(profile, 80)
}

fn read(file: &Path) -> Result<Option<String>> {
    let words = || format!("can't read the credentials in {}", file.display());
    match crate::input::read_regular(file, MAX_FILE_BYTES) {
        // Its bytes may be a secret's, so they are not repeated.
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Error::new(Kind::Usage, format!("{}: it is not text", words()))),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Error::new(Kind::Unexpected, words()).caused_by(error)),
    }
}

type Section = BTreeMap<String, String>;

/// The sections of such a file. Lines that say nothing in it are passed over, as AWS's tools do.
fn sections(text: &str) -> BTreeMap<String, Section> {
    let (mut all, mut name) = (BTreeMap::<String, Section>::new(), None);
    for line in text.lines() {
        // A value's own settings are indented below it, and none of them counts here.
        if line.starts_with([' ', '\t', '#', ';']) || line.trim().is_empty() {
            continue;
        }
        let line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            let inside = rest.split_once(']').map_or(rest, |(inside, _)| inside);
            let words: Vec<&str> = inside.split_whitespace().collect();
            name = Some(words.join(" ").trim_matches(['"', '\'']).to_owned());
        } else if let (Some(name), Some((key, value))) = (&name, line.split_once('=')) {
            let value = value.split(" #").next().unwrap_or_default().trim();
            all.entry(name.clone()).or_default().insert(key.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    all
}

fn of_section(section: &Section, profile: &str) -> Result<Option<Credentials>> {
    let value = |key: &str| section.get(key).filter(|value| !value.is_empty()).cloned();
    let token = value("aws_session_token");
    match (value("aws_access_key_id"), value("aws_secret_access_key")) {
        (Some(key), Some(secret)) => Ok(Some(Credentials::new(key, secret, token))),
        (None, None) => Ok(None),
        _ => Err(Error::new(
            Kind::Auth,
            format!("the profile `{}` has one of aws_access_key_id and aws_secret_access_key", shown(profile)),
        )
        .hint("It needs both.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)], file: Option<&Path>) -> Result<Found> {
        let variables: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Lookup { variable: &move |name| variables.get(name).cloned(), file }.find()
    }

    fn key(found: &Found) -> Option<&str> {
        found.credentials.as_ref().map(|credentials| credentials.key.as_str())
    }

    #[test]
    fn variables_come_first_and_profiles_next() {
        let home = tempfile::tempdir().unwrap();
        let aws = home.path().join(".aws");
        std::fs::create_dir(&aws).unwrap();
        std::fs::write(
            aws.join("credentials"),
            "# mine\n[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key=s/1+=\n\n[ci]\n\
             AWS_ACCESS_KEY_ID=AKCI\naws_secret_access_key = two # old\naws_session_token = t\n[half]\naws_access_key_id = x\n",
        )
        .unwrap();
        std::fs::write(
            aws.join("config"),
            "[default]\nregion = eu-west-1\ns3 =\n  region = nowhere\n[profile  ci]\nregion=eu-central-1\n\
             [profile inline]\naws_access_key_id = AKINLINE\naws_secret_access_key = three\n",
        )
        .unwrap();
        let home = home.path().to_str().unwrap();
        let found = find(&[("HOME", home)], None).unwrap();
        assert_eq!((key(&found), found.region.as_deref()), (Some("AKDEFAULT"), Some("eu-west-1")));
        assert_eq!(found.credentials.unwrap().secret, "s/1+=");
        let found = find(&[("HOME", home), ("AWS_PROFILE", "ci")], None).unwrap();
        assert_eq!((key(&found), found.region.as_deref()), (Some("AKCI"), Some("eu-central-1")));
        let credentials = found.credentials.unwrap();
        assert_eq!((credentials.secret.as_str(), credentials.token.as_deref()), ("two", Some("t")));
        let found = find(&[("HOME", home), ("AWS_PROFILE", "inline")], None).unwrap();
        assert_eq!(key(&found), Some("AKINLINE"));
        let variables =
            [("HOME", home), ("AWS_ACCESS_KEY_ID", "AKENV"), ("AWS_SECRET_ACCESS_KEY", "e"), ("AWS_REGION", "x-1")];
        let found = find(&variables, None).unwrap();
        assert_eq!((key(&found), found.region.as_deref()), (Some("AKENV"), Some("x-1")));
        for wrong in [[("HOME", home), ("AWS_PROFILE", "half")], [("HOME", home), ("AWS_PROFILE", "none")]] {
            assert_eq!(find(&wrong, None).unwrap_err().kind(), Kind::Auth);
        }
        assert_eq!(find(&[("AWS_ACCESS_KEY_ID", "AKENV")], None).unwrap_err().kind(), Kind::Auth);
        assert_eq!(find(&[], None).unwrap(), Found::default());
    }

    #[test]
    fn a_file_that_the_target_names_is_the_only_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("bucket");
        std::fs::write(&file, "[default]\naws_access_key_id = AKFILE\naws_secret_access_key = s\nregion = r-1\n")
            .unwrap();
        let variables = [("AWS_ACCESS_KEY_ID", "AKENV"), ("AWS_SECRET_ACCESS_KEY", "e")];
        let found = find(&variables, Some(&file)).unwrap();
        assert_eq!((key(&found), found.region.as_deref()), (Some("AKFILE"), Some("r-1")));
        std::fs::write(&file, "AKFILE:secret-in-a-file").unwrap();
        let error = find(&[], Some(&file)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret-in-a-file"));
        assert_eq!(find(&[], Some(&directory.path().join("none"))).unwrap_err().kind(), Kind::NotFound);
        assert!(!format!("{found:?}").contains("AKFILE"));
    }
}
