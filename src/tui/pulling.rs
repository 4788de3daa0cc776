//! Where an image can be pulled from, as far as is known here, and the commands that do it.

use super::app::App;
use super::dialog::menu::Item;
use super::serving::Serving;

/// What stands for a host that is not known.
const UNKNOWN_HOST: &str = "HOST";

/// A host that gives out the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    /// Letter in the menu.
    key: char,
    /// How it comes to have it.
    title: &'static str,
    /// `host[:port]` as references name it.
    name: String,
    /// It is asked without TLS.
    plain: bool,
}

/// `host[:port]` of a URL, and whether that is without TLS.
fn host_of(url: &str) -> Option<(&str, bool)> {
    let (rest, plain) = match url.strip_prefix("http://") {
        Some(rest) => (rest, true),
        None => (url.strip_prefix("https://").unwrap_or(url), false),
    };
    let host = rest.split('/').next().unwrap_or_default();
    (!host.is_empty() && !host.contains('@')).then_some((host, plain))
}

/// A gateway that serves this root under a name of its own. By an address it knows only paths, and no client asks for those; this
/// machine's has the name `localhost`.
fn by_name(gateway: &str, root: &str) -> Option<(String, bool)> {
    let (host, plain) = host_of(gateway)?;
    let (name, port) = host.rsplit_once(':').map_or((host, String::new()), |(name, port)| (name, format!(":{port}")));
    let name = match name {
        "127.0.0.1" | "[::1]" => "localhost",
        name if name.starts_with('[') || name.split('.').all(|part| part.parse::<u8>().is_ok()) => return None,
        name => name,
    };
    Some((format!("{root}.ipfs.{name}{port}"), plain))
}

/// The hosts that are known, the nearest first: what serves here, the registry's own name, a domain with DNSLink, a gateway.
fn hosts(app: &App) -> Vec<Host> {
    let mut hosts: Vec<Host> = Vec::new();
    let mut note = |key, title, name: &str, plain| {
        if !hosts.iter().any(|host| host.name == name || host.key == key) {
            hosts.push(Host { key, title, name: name.to_owned(), plain });
        }
    };
    if let Serving::At(url) = &app.serving
        && let Some((host, plain)) = host_of(url)
    {
        note('p', "pull command", host, plain);
    }
    if let Some(name) = app.overview.as_ref().and_then(|overview| overview.name.as_deref()) {
        note('n', "pull command, by its name", name, false);
    }
    for target in &app.publish.targets {
        if let Some(dnslink) = &target.settings.dnslink {
            note('w', "pull command, by DNSLink", &dnslink.domain, false);
        }
        for gateway in &target.settings.gateways {
            let host = target.root.as_deref().and_then(|root| by_name(gateway, root));
            if let Some((host, plain)) = host {
                note('g', "pull command, from a gateway", &host, plain);
            }
        }
    }
    hosts
}

/// A name as it is pulled from the nearest host that is known; without one, as it is called here.
pub(super) fn reference(app: &App, name: &str) -> String {
    match hosts(app).first() {
        Some(host) => format!("{}/{name}", host.name),
        None => name.to_owned(),
    }
}

/// The commands that pull an image, one a host. Where no host is known, one with a host to fill in.
pub(super) fn commands(app: &App, name: &str) -> Vec<Item> {
    let command = |host: &str, plain: bool| {
        let flags = if plain { "--tls-verify=false " } else { "" };
        format!("podman pull {flags}{host}/{name}")
    };
    let mut hosts = hosts(app);
    if let Some(first) = hosts.first_mut() {
        (first.key, first.title) = ('p', "pull command");
    }
    let items = hosts.iter().map(|host| Item {
        key: host.key,
        title: host.title.to_owned(),
        value: command(&host.name, host.plain),
    });
    let mut items: Vec<Item> = items.collect();
    if items.is_empty() {
        let title = format!("pull command, {UNKNOWN_HOST} to be filled in");
        items.push(Item { key: 'p', title, value: command(UNKNOWN_HOST, false) });
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_asked_by_a_name_of_the_root() {
        let name = |gateway| by_name(gateway, "bafy");
        assert_eq!(name("https://dweb.link"), Some(("bafy.ipfs.dweb.link".to_owned(), false)));
        assert_eq!(name("http://127.0.0.1:8080/"), Some(("bafy.ipfs.localhost:8080".to_owned(), true)));
        assert_eq!(name("http://[::1]:8080"), Some(("bafy.ipfs.localhost:8080".to_owned(), true)));
        for unnamed in ["http://192.0.2.7:8080", "http://[2001:db8::1]:8080", "https://", "https://user@host"] {
            assert_eq!(name(unnamed), None, "{unnamed}");
        }
    }
}
