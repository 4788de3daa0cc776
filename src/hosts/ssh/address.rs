//! Where a directory of another machine is: `[USER@]HOST:PATH` or `ssh://[USER@]HOST[:PORT]/PATH`.

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// A path may have this many bytes.
const MAX_PATH_BYTES: usize = 1000;

/// A directory of another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    user: Option<String>,
    /// A name, an alias of the user's ssh configuration, or an IP address without brackets.
    host: String,
    port: Option<u16>,
    /// Absolute, or `./…` below the user's own directory.
    path: String,
}

fn is_word(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=255).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(sound)
}

/// `HOST` or `[ADDRESS]`, and what follows.
fn split_host(text: &str) -> Option<(String, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        return Some((address.to_owned(), rest));
    }
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (host, rest) = text.split_at(end);
    is_word(host).then(|| (host.to_owned(), rest))
}

impl Address {
    /// Reads it. What is wrong with it is said in words.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let refused = |why: &str| {
            Error::new(Kind::Usage, format!("invalid address `{}`: {why}", printable_within(text, 200)))
                .hint("Write it like `web@www.example.com:/srv/registry` or `ssh://www.example.com:2222/srv/registry`.")
        };
        let url = text.strip_prefix("ssh://");
        let rest = url.unwrap_or(text);
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) if !user.contains(['/', ':', '[']) => (Some(user.to_owned()), rest),
            _ => (None, rest),
        };
        if user.as_deref().is_some_and(|user| !is_word(user)) {
            return Err(refused("a user has letters, digits, dots, dashes and underscores"));
        }
        let (host, rest) = split_host(rest).ok_or_else(|| refused("it names no host"))?;
        let (port, path) = if url.is_some() {
            let slash = rest.find('/').ok_or_else(|| refused("it names no directory"))?;
            let (port, path) = rest.split_at(slash);
            let port = match port.strip_prefix(':') {
                Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or("its port is no number")),
                None if port.is_empty() => None,
                None => Some(Err("it names no host")),
            };
            let port = port.transpose().map_err(refused)?;
            (port, path.strip_prefix("/~/").map_or_else(|| path.to_owned(), |below| format!("./{below}")))
        } else {
            let path = rest.strip_prefix(':').ok_or_else(|| refused("there is no `:` between host and directory"))?;
            let path = path.strip_prefix("~/").unwrap_or(path);
            (None, if path.starts_with('/') || path.is_empty() { path.to_owned() } else { format!("./{path}") })
        };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let path = format!("{}{}", if path.starts_with('/') { "/" } else { "./" }, parts.join("/"));
        if parts.is_empty() {
            return Err(refused("it names no directory"));
        }
        if path.len() > MAX_PATH_BYTES || path.contains('\\') || path.contains(char::is_control) {
            return Err(refused("the path is too long, or has backslashes or control characters"));
        }
        if parts.contains(&"..") || parts.first().is_some_and(|first| first.starts_with('~')) {
            return Err(refused("the path leads upwards, or to another user's directory"));
        }
        Ok(Self { user, host, port, path })
    }

    /// As it is kept and shown.
    pub fn text(&self) -> String {
        let user = self.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        let path = self.path.strip_prefix("./").map_or_else(|| self.path.clone(), |below| format!("/~/{below}"));
        format!("ssh://{user}{}{port}{path}", self.bracketed())
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// The machine, for people and for ssh: `[USER@]HOST`.
    pub fn machine(&self) -> String {
        self.user.as_ref().map_or_else(|| self.host.clone(), |user| format!("{user}@{}", self.host))
    }

    /// The port, if it is not the one of the user's ssh configuration.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path there: absolute, or `./…` below the user's own directory.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The directory that it is in.
    pub fn parent(&self) -> &str {
        match self.path.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((parent, _)) => parent,
            None => ".",
        }
    }

    /// A path below it as rsync wants it: `[USER@]HOST:PATH/BELOW`.
    pub fn for_rsync(&self, below: &str) -> String {
        let user = self.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        format!("{user}{}:{}/{below}", self.bracketed(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_are_one_address() {
        for (given, text, rsync) in [
            ("www.example.com:/srv/registry", "ssh://www.example.com/srv/registry", "www.example.com:/srv/registry/x"),
            ("web@host:sites/a b/", "ssh://web@host/~/sites/a b", "web@host:./sites/a b/x"),
            ("host:~/sites", "ssh://host/~/sites", "host:./sites/x"),
            ("ssh://web@host:2222//srv/it's/", "ssh://web@host:2222/srv/it's", "web@host:/srv/it's/x"),
            ("ssh://host/~/-rf", "ssh://host/~/-rf", "host:./-rf/x"),
            ("[::1]:/srv", "ssh://[::1]/srv", "[::1]:/srv/x"),
        ] {
            let address = Address::parse(given).unwrap();
            assert_eq!((address.text().as_str(), address.for_rsync("x").as_str()), (text, rsync), "{given}");
            assert_eq!(Address::parse(text).unwrap(), address, "{text}");
        }
        assert_eq!(Address::parse("ssh://host:22/a/b").unwrap().port(), Some(22));
        assert_eq!(Address::parse("host:/a/b").unwrap().parent(), "/a");
        assert_eq!(
            (Address::parse("host:/a").unwrap().parent(), Address::parse("host:a").unwrap().parent()),
            ("/", ".")
        );
    }

    #[test]
    fn what_could_be_an_option_or_a_command_is_refused() {
        for bad in [
            "",
            "host",
            "host:",
            ":/srv",
            "-oProxyCommand=x:/srv",
            "-l@host:/srv",
            "ssh://-x/srv",
            "ssh://host",
            "host:/",
            "ssh://host:0/a",
            "ssh://host:x/a",
            "host:/a/../b",
            "host:~root/a",
            "a b:/srv",
            "host;id:/srv",
            "u$x@host:/srv",
            "host:/a\\b",
            "host:/a\nb",
            "[::g]:/a",
            "ssh://host/",
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{bad}");
        }
    }
}
