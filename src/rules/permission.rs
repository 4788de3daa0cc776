//! What rules do beside asking registries: programs that they run, addresses that they send events to, and files that they read
//! outside of their own directory. None of it happens before a person has allowed it.

use std::fmt;
use std::path::{Component, Path};

use url::Url;

use super::rule::{Hook, HookAction, Rules, Source, Subject};

/// Something that a person has to allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// A program is run.
    Run {
        /// For what.
        purpose: Purpose,
        /// The program and its arguments.
        words: Vec<String>,
    },
    /// Events are posted to an address.
    Post {
        /// The address, which may have a secret in it.
        url: String,
        /// The file with the secret of the signature.
        secret_file: Option<String>,
    },
    /// An address is asked when a run begins and ends.
    Ping(String),
    /// Files outside of the directory of the rules are read.
    Read(Source),
}

/// What a program is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It prints images.
    Command,
    /// It is told of what happens.
    Hook,
    /// It says whether an image may enter.
    Gate,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Hook => "hook",
            Self::Gate => "gate",
        }
    }
}

impl Permission {
    /// All that tells it from others: what it is, and its words one by one.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Self::Run { purpose, words } => {
                std::iter::once(purpose.name()).chain(words.iter().map(String::as_str)).collect()
            }
            Self::Post { url, secret_file } => {
                ["post", url.as_str()].into_iter().chain(secret_file.as_deref()).collect()
            }
            Self::Ping(url) => vec!["ping", url],
            Self::Read(source) => {
                let (kind, path) = source.parts();
                vec!["read", kind, path]
            }
        }
    }

    /// The program and its arguments, if it is one.
    pub fn program(&self) -> Option<&[String]> {
        match self {
            Self::Run { words, .. } => Some(words),
            _ => None,
        }
    }
}

/// A line for whoever is asked: words as a shell would take them. Of an address the path is left out, since it often is a secret.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { purpose, words } => write!(f, "{}: {}", purpose.name(), shell_words::join(words)),
            Self::Post { url, secret_file } => {
                write!(f, "post: {}", host(url))?;
                secret_file.as_ref().map_or(Ok(()), |file| write!(f, ", signed with the secret in {file}"))
            }
            Self::Ping(url) => write!(f, "ping: {}", host(url)),
            Self::Read(source) => write!(f, "source: {source}, outside of the directory of the rules"),
        }
    }
}

fn host(address: &str) -> String {
    let Some(url) = Url::parse(address).ok().filter(Url::has_host) else {
        return "an address without a host".to_owned();
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let rest = if url.path() == "/" && url.query().is_none() { "" } else { "/…" };
    format!("{}://{}{port}{rest}", url.scheme(), url.host_str().unwrap_or_default())
}

impl Rules {
    /// What they do that a person has to allow, each once, in the order of the file. Relative paths begin at `base`.
    pub fn permissions(&self, base: &Path) -> Vec<Permission> {
        let sources = self.rules.iter().flat_map(|rule| match &rule.subject {
            Subject::Sources(sources) => sources.as_slice(),
            Subject::Repository { .. } => &[],
        });
        let sources = sources.filter_map(|source| match source {
            Source::Command(written) => {
                // What is no command of a shell fails when it is run.
                let words = shell_words::split(written).unwrap_or_else(|_| vec![written.clone()]);
                Some(Permission::Run { purpose: Purpose::Command, words })
            }
            file => is_outside(file.parts().1, base).then(|| Permission::Read(file.clone())),
        });
        let hooks = self.hooks.iter().map(Hook::permission);
        let gate = Permission::Run { purpose: Purpose::Gate, words: self.gate.clone() };
        let gate = Some(gate).filter(|_| !self.gate.is_empty());
        let mut all: Vec<Permission> = Vec::new();
        for permission in sources.chain(hooks).chain(gate) {
            if !all.contains(&permission) {
                all.push(permission);
            }
        }
        all
    }
}

impl Hook {
    /// What it does that a person has to allow.
    pub fn permission(&self) -> Permission {
        match &self.action {
            HookAction::Run(words) => Permission::Run { purpose: Purpose::Hook, words: words.clone() },
            HookAction::Post { url, secret_file } => {
                Permission::Post { url: url.clone(), secret_file: secret_file.clone() }
            }
            HookAction::Ping(url) => Permission::Ping(url.clone()),
        }
    }
}

/// Whether a path leads out of a directory, as far as its words say; where links lead is seen when it is read.
pub fn is_outside(path: &str, base: &Path) -> bool {
    let path = Path::new(path);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    // Everything is below the root.
    base.parent().is_some() && (climbs || (path.is_absolute() && !path.starts_with(base)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let rules = crate::rules::read(text).unwrap();
        rules.permissions(Path::new("/srv/stack")).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_runs_sends_or_reads_elsewhere_is_named_and_nothing_else() {
        let text = "\
gate = ['./gate.sh', 'a b']
[[rule]]
image = 'nginx'
[[rule]]
sources = ['list:images.txt', 'compose:/srv/stack/compose.yaml', 'command:sh -c \"exit 1\"', 'list:/home/me/.netrc']
[[rule]]
name = 'other'
sources = ['kubernetes:../out/*.yaml#.spec.image', 'command:sh -c \"exit 1\"', 'list:/srv/stack/../x']
[[hook]]
run = ['sh', '-c', 'exit 1']
[[hook]]
post = 'https://hooks.example.com:8443/services/T0KEN'
secret_file = '/etc/shadow'
[[hook]]
ping = 'https://hc.example.com'
";
        assert_eq!(
            shown(text),
            [
                "command: sh -c 'exit 1'",
                "source: list:/home/me/.netrc, outside of the directory of the rules",
                "source: kubernetes:../out/*.yaml#.spec.image, outside of the directory of the rules",
                "source: list:/srv/stack/../x, outside of the directory of the rules",
                "hook: sh -c 'exit 1'",
                "post: https://hooks.example.com:8443/…, signed with the secret in /etc/shadow",
                "ping: https://hc.example.com",
                "gate: ./gate.sh 'a b'",
            ]
        );
    }

    #[test]
    fn words_are_told_from_one_text() {
        let of = |words: &str| shown(&format!("gate = [{words}]"));
        assert_ne!(of("'sh', '-c', 'exit 1'"), of("'sh', '-c', 'exit', '1'"));
    }
}
