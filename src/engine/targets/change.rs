//! What is said of a target when it is added or changed, and whether that makes sense.

use std::path::PathBuf;

use url::Url;

use super::addresses::web_url;
use super::cluster;
use super::kinds::{self, NodeAddress};
use super::secrets::{self, Variables};
use super::setting::{At as _, Setting, Wrong};
use super::static_host::{self, HostChange};
use crate::catalog::targets::{
    DnslinkSettings, NodeSettings, ReplicationSettings, Secret, TargetSettings, ZoneSettings,
};
use crate::error::{Error, Kind, Result};
use crate::node::kubo::is_in_clear;
use crate::text::printable_within;

/// How long a record may be kept if nothing else is said, in seconds.
const DEFAULT_TTL_SECONDS: u32 = 60;
/// How many published roots stay pinned if nothing else is said.
const DEFAULT_KEPT_ROOTS: u32 = 5;
/// More published roots than this are a mistake.
pub const MAX_KEPT_ROOTS: u32 = 10_000;
/// A record that may be kept for longer than a week, in seconds, is a mistake.
pub const MAX_TTL_SECONDS: u32 = 604_800;
/// Algorithms of TSIG keys (RFC 8945, section 6) that a server may be expected to take today.
const ALGORITHMS: [&str; 3] = ["hmac-sha256", "hmac-sha384", "hmac-sha512"];

/// Who changes the DNSLink record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneKind {
    /// A server that takes signed updates.
    Rfc2136,
    /// A hosted provider of this name.
    Provider(String),
    /// A person, who is told what to set.
    Manual,
}

impl std::str::FromStr for ZoneKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "rfc2136" => Ok(Self::Rfc2136),
            "manual" => Ok(Self::Manual),
            "" => Err(Error::new(Kind::Usage, "the DNS provider's name is empty")),
            name if name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
                Ok(Self::Provider(name.to_ascii_lowercase()))
            }
            name => Err(Error::new(Kind::Usage, format!("invalid DNS provider `{}`", printable_within(name, 80)))
                .hint("Write `rfc2136`, `manual`, or a provider: `cloudflare`, `digitalocean`, `desec`, `ovh` ….")),
        }
    }
}

/// Something that a target may have and shall have no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    /// What its node wants to see.
    Authorisation,
    /// The endpoint of a bucket: then it is AWS.
    Endpoint,
    /// The region of a bucket.
    Region,
    /// At how many peers of a cluster roots are kept: then it is as the cluster is configured.
    Replication,
    /// IPNS name.
    Ipns,
    /// DNSLink record, with the zone that it is changed in.
    Dnslink,
    /// The gateways that are checked.
    Gateways,
}

/// What is said of a target; what is not said stays, or has its default.
#[derive(Debug, Clone, Default)]
pub struct TargetChange {
    /// Where its node is.
    pub node: Option<NodeAddress>,
    /// What the node wants to see.
    pub authorisation: Option<Secret>,
    /// It may be shown to a node that is reached by plain HTTP on another machine.
    pub insecure_auth: bool,
    /// Where requests to a bucket go.
    pub endpoint: Option<String>,
    /// The region of a bucket.
    pub region: Option<String>,
    /// Days for which objects stay that nothing needs any more.
    pub grace_days: Option<u32>,
    /// At how many peers of a cluster roots are kept.
    pub replication: Option<ReplicationSettings>,
    /// A directory gets no hard links into the blob store; with false, it may again.
    pub copy: Option<bool>,
    /// How many published roots stay pinned.
    pub keep: Option<u32>,
    /// The key of the IPNS name.
    pub ipns: Option<String>,
    /// The domain of the DNSLink record.
    pub domain: Option<String>,
    /// Who changes the record.
    pub zone: Option<ZoneKind>,
    /// `HOST:PORT` of a server that takes updates.
    pub server: Option<String>,
    /// Name of the TSIG key.
    pub key: Option<String>,
    /// Algorithm of the TSIG key (RFC 8945, section 6).
    pub algorithm: Option<String>,
    /// Where the TSIG key is.
    pub key_secret: Option<PathBuf>,
    /// Where a provider's token is.
    pub token: Option<PathBuf>,
    /// Time to live of the record in seconds.
    pub ttl: Option<u32>,
    /// Gateways to check; an empty list says nothing.
    pub gateways: Vec<String>,
    /// What is cleared before anything else is set.
    pub clear: Vec<Clear>,
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// A name that can stand on a command line, and is neither a root nor a word with a meaning of its own.
pub fn check_name(name: &str) -> Result<()> {
    let sound = (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !sound {
        return Err(wrong(format!("invalid target name `{}`", printable_within(name, 100)))
            .hint("Names have letters, digits, dots, dashes and underscores, and begin with a letter or a digit."));
    }
    if name == "now" || name == ".." || name.parse::<cid::Cid>().is_ok() {
        return Err(wrong(format!("invalid target name `{name}`: it means a root")));
    }
    Ok(())
}

impl TargetChange {
    /// The settings of a target that is new, or the first mistake in what is said. Nobody is asked.
    pub fn added(&self) -> Result<TargetSettings, Wrong> {
        let node = self.node.as_ref().ok_or_else(|| wrong(format!("a target needs {}", kinds::flags())));
        let node = node.at(Setting::Node)?.settings().at(Setting::Node)?;
        self.changed(TargetSettings { node, keep: DEFAULT_KEPT_ROOTS, ipns: None, dnslink: None, gateways: Vec::new() })
    }

    /// The settings of a target that had these, or the first mistake in what is said. Nobody is asked.
    pub fn changed(&self, mut settings: TargetSettings) -> Result<TargetSettings, Wrong> {
        let before = settings.node.clone();
        for clear in &self.clear {
            match clear {
                Clear::Authorisation => settings.node.set_authorisation(None),
                Clear::Endpoint => {
                    if let Some(bucket) = settings.node.bucket_mut() {
                        bucket.endpoint = None;
                    }
                }
                Clear::Region => {
                    if let Some(bucket) = settings.node.bucket_mut() {
                        bucket.region = None;
                    }
                }
                Clear::Replication => {
                    if let NodeSettings::Cluster(cluster) = &mut settings.node {
                        cluster.replication = None;
                    }
                }
                Clear::Ipns => settings.ipns = None,
                Clear::Dnslink => settings.dnslink = None,
                Clear::Gateways => settings.gateways.clear(),
            }
        }
        if let Some(address) = &self.node {
            let mut node = address.settings().at(Setting::Node)?;
            node.set_authorisation(settings.node.authorisation().cloned());
            static_host::keep(&settings.node, &mut node);
            cluster::keep(&settings.node, &mut node);
            settings.node = node;
        }
        if let Some(secret) = &self.authorisation {
            let place = if matches!(secret, Secret::File(_)) { Setting::AuthFile } else { Setting::AuthVariable };
            settings.node.set_authorisation(Some(check_secret(secret.clone()).at(place)?));
            if settings.node.authorisation().is_none() {
                let who = if settings.node.is_host() { "a directory" } else { "this program's own node" };
                return Err(wrong(format!("{who} takes no credentials"))).at(place);
            }
        }
        self.host(&mut settings.node)?;
        cluster::apply(&mut settings.node, self.replication)?;
        self.check_transport(&before, &settings.node)?;
        settings.keep = self.keep.unwrap_or(settings.keep);
        if !(1..=MAX_KEPT_ROOTS).contains(&settings.keep) {
            return Err(wrong(format!("`--keep` must be from 1 to {MAX_KEPT_ROOTS}, not {}", settings.keep))
                .hint("It counts the published roots that stay pinned, the newest included."))
            .at(Setting::Keep);
        }
        if let Some(key) = &self.ipns {
            if !settings.node.has_names() {
                return Err(wrong("`--ipns` needs a node that publishes names, and this kind publishes none")
                    .hint("Add this program's own node, which does: `roadstead target add here --self --ipns`."))
                .at(Setting::Ipns);
            }
            if key.is_empty() || key.len() > 128 || key.contains('/') || key.chars().any(char::is_control) {
                return Err(wrong(format!("invalid key name `{}`", printable_within(key, 80)))
                    .hint("`ipfs key ls` on the node shows its keys; `self` is its own."))
                .at(Setting::Ipns);
            }
            settings.ipns = Some(key.clone());
        }
        settings.dnslink = self.dnslink(settings.dnslink)?;
        if !self.gateways.is_empty() {
            let gateways = self
                .gateways
                .iter()
                .map(|url| web_url(url, "a gateway", "https://ipfs.example.com"))
                .collect::<Result<_>>();
            settings.gateways = gateways.at(Setting::Gateways)?;
        }
        Ok(settings)
    }

    /// What is said of hosts alone, and of nodes alone: an error where it is said of the other.
    fn host(&self, node: &mut NodeSettings) -> Result<(), Wrong> {
        let said = [
            (Setting::Endpoint, self.endpoint.is_some()),
            (Setting::Region, self.region.is_some()),
            (Setting::Grace, self.grace_days.is_some()),
            (Setting::Copy, self.copy.is_some()),
            (Setting::Ipns, self.ipns.is_some()),
            (Setting::Domain, self.domain.is_some()),
            (Setting::Gateways, !self.gateways.is_empty()),
        ];
        static_host::check_said(node, &said)?;
        let change = HostChange {
            endpoint: self.endpoint.as_deref(),
            region: self.region.as_deref(),
            grace_days: self.grace_days,
            copy: self.copy,
        };
        static_host::apply(node, change)
    }

    /// An error if a secret would begin to go over plain HTTP to another machine, and nobody said that it may.
    fn check_transport(&self, before: &NodeSettings, node: &NodeSettings) -> Result<(), Wrong> {
        let Some(secret) = node.authorisation().filter(|_| !self.insecure_auth && before != node) else {
            return Ok(());
        };
        if !Url::parse(node.url()).is_ok_and(|url| is_in_clear(&url)) {
            return Ok(());
        }
        let place = match secret {
            _ if self.authorisation.is_none() => Setting::Node,
            Secret::File(_) => Setting::AuthFile,
            Secret::Variable(_) => Setting::AuthVariable,
        };
        Err(wrong(format!("the secret would go to {} over plain HTTP, where others can read it", node.url()))
            .hint(secrets::USE_TLS)
            .hint("`--insecure-auth` sends it anyway, for instance on a private network."))
        .at(place)
    }

    /// What is said of how a record is changed by a server that takes updates.
    fn of_tsig(&self) -> [(Setting, bool); 4] {
        [
            (Setting::Server, self.server.is_some()),
            (Setting::Key, self.key.is_some()),
            (Setting::Algorithm, self.algorithm.is_some()),
            (Setting::KeyFile, self.key_secret.is_some()),
        ]
    }

    fn dnslink(&self, old: Option<DnslinkSettings>) -> Result<Option<DnslinkSettings>, Wrong> {
        let Some(domain) = self.domain.clone().or_else(|| Some(old.as_ref()?.domain.clone())) else {
            let mut said = vec![(Setting::Dns, self.zone.is_some())];
            said.extend(self.of_tsig());
            said.extend([(Setting::TokenFile, self.token.is_some()), (Setting::Ttl, self.ttl.is_some())]);
            return match said.iter().find(|(_, said)| *said) {
                Some((setting, _)) => Err(wrong(format!("`{}` needs `--dnslink DOMAIN`", setting.flag()))).at(*setting),
                None => Ok(None),
            };
        };
        let ttl = self.ttl.or(old.as_ref().map(|old| old.ttl)).unwrap_or(DEFAULT_TTL_SECONDS);
        if !(1..=MAX_TTL_SECONDS).contains(&ttl) {
            return Err(wrong(format!("`--ttl` must be from 1 to {MAX_TTL_SECONDS} seconds, not {ttl}")))
                .at(Setting::Ttl);
        }
        let zone = self.zone_settings(old.map(|old| old.zone))?;
        Ok(Some(DnslinkSettings { domain: check_domain(&domain).at(Setting::Domain)?, zone, ttl }))
    }

    fn zone_settings(&self, old: Option<ZoneSettings>) -> Result<ZoneSettings, Wrong> {
        let kind = match (&self.zone, &old) {
            (Some(kind), _) => kind.clone(),
            (None, Some(ZoneSettings::Rfc2136 { .. })) => ZoneKind::Rfc2136,
            (None, Some(ZoneSettings::Provider { provider, .. })) => ZoneKind::Provider(provider.clone()),
            (None, Some(ZoneSettings::Manual)) => ZoneKind::Manual,
            (None, None) => {
                return Err(wrong("`--dnslink` needs `--dns`, which says who changes the record").hint(
                    "Write `--dns rfc2136` for a server that takes signed updates, the name of a provider, or `--dns manual`.",
                ))
                .at(Setting::Dns);
            }
        };
        let of_provider = [(Setting::TokenFile, self.token.is_some())];
        let only = |said: &[(Setting, bool)], what: &str| match said.iter().find(|(_, said)| *said) {
            Some((setting, _)) => Err(wrong(format!("`{}` can only be used with {what}", setting.flag()))).at(*setting),
            None => Ok(()),
        };
        match kind {
            ZoneKind::Manual => {
                only(&self.of_tsig(), "`--dns rfc2136`")?;
                only(&of_provider, "a provider, as in `--dns cloudflare`")?;
                Ok(ZoneSettings::Manual)
            }
            ZoneKind::Provider(provider) => {
                only(&self.of_tsig(), "`--dns rfc2136`")?;
                let before = match old {
                    Some(ZoneSettings::Provider { provider: before, token }) if before == provider => Some(token),
                    _ => None,
                };
                let token = self.token.clone().map(Secret::File).or(before);
                let token = token.ok_or_else(|| wrong(format!("`--dns {provider}` needs `--dns-token-file FILE`")));
                let token = token.and_then(check_secret).at(Setting::TokenFile)?;
                Ok(ZoneSettings::Provider { provider, token })
            }
            ZoneKind::Rfc2136 => {
                only(&of_provider, "a provider, as in `--dns cloudflare`")?;
                let (server, key, algorithm, secret) = match old {
                    Some(ZoneSettings::Rfc2136 { server, key, algorithm, secret }) => {
                        (Some(server), Some(key), Some(algorithm), Some(secret))
                    }
                    _ => (None, None, None, None),
                };
                let needs = |what: &str| wrong(format!("`--dns rfc2136` needs `{what}`"));
                let server = self.server.clone().or(server).ok_or_else(|| needs("--dns-server HOST:PORT"));
                let key = self.key.clone().or(key).ok_or_else(|| needs("--tsig-name KEY"));
                let secret = self.key_secret.clone().map(Secret::File).or(secret);
                let secret = secret.ok_or_else(|| needs("--tsig-secret-file FILE"));
                let (server, key) = (server.at(Setting::Server)?, key.at(Setting::Key)?);
                let secret = secret.at(Setting::KeyFile)?;
                let algorithm = self.algorithm.clone().or(algorithm);
                Ok(ZoneSettings::Rfc2136 {
                    server: check_server(&server).at(Setting::Server)?,
                    key: check_key(&key).at(Setting::Key)?,
                    algorithm: check_algorithm(algorithm.as_deref()).at(Setting::Algorithm)?,
                    secret: check_secret(secret).at(Setting::KeyFile)?,
                })
            }
        }
    }
}

fn check_secret(secret: Secret) -> Result<Secret> {
    match &secret {
        Secret::File(path) if path.as_os_str().is_empty() => Err(wrong("the path of a secret file is empty")),
        Secret::File(path) if path.to_str().is_none() => {
            Err(wrong(format!("the path {} is not UTF-8", path.display())))
        }
        Secret::Variable(name) if !is_variable(name) => {
            Err(wrong(format!("invalid variable name `{}`", printable_within(name, 80)))
                .hint("A variable name has letters, digits and underscores, like `NODE_TOKEN`."))
        }
        _ => Ok(secret),
    }
}

/// Whether a shell can set a variable of this name (POSIX, 3.216).
fn is_variable(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(sound) && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// An error if a secret that is new in these settings is in a file that can't be read, or that holds none. One that is in a
/// variable may be set elsewhere.
pub(super) fn check_files(settings: &TargetSettings, old: Option<&TargetSettings>) -> Result<(), Wrong> {
    let zone = |settings: &TargetSettings| settings.dnslink.as_ref().map(|dnslink| dnslink.zone.clone());
    let of_zone = match zone(settings) {
        Some(ZoneSettings::Provider { .. }) => Setting::TokenFile,
        _ => Setting::KeyFile,
    };
    let secrets = |settings: &TargetSettings| {
        let of_zone = zone(settings).and_then(|zone| zone.secret().cloned());
        [settings.node.authorisation().cloned(), of_zone]
    };
    let before = old.map(secrets).unwrap_or_default();
    for ((secret, old), setting) in secrets(settings).into_iter().zip(before).zip([Setting::AuthFile, of_zone]) {
        if let Some(secret @ Secret::File(_)) = &secret
            && Some(secret) != old.as_ref()
            && (setting != Setting::AuthFile || !settings.node.is_host())
        {
            secrets::read(secret, &Variables::none()).map(drop).at(setting)?;
        }
    }
    static_host::check_files(&settings.node)
}

/// A domain in lower case, without what publishing adds to it.
fn check_domain(text: &str) -> Result<String> {
    let lower = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let domain = lower.strip_prefix("_dnslink.").unwrap_or(&lower);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // The record's own name is longer by nine.
    if domain.len() > 244 || !domain.split('.').all(label) {
        return Err(wrong(format!("invalid domain `{}`", printable_within(text, 100)))
            .hint("Write it like `registry.example.com`; international names in their ASCII form (`xn--…`)."));
    }
    Ok(domain.to_owned())
}

/// `HOST:PORT`, with 53 if no port is said.
fn check_server(text: &str) -> Result<String> {
    let refused = || {
        wrong(format!("invalid DNS server `{}`", printable_within(text, 100)))
            .hint("Write it like `ns1.example.com:53` or `[::1]:53`.")
    };
    let text = text.trim();
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok(std::net::SocketAddr::new(address, 53).to_string());
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(refused)?),
        None => (text, 53),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let sound = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => check_domain(host).is_ok(),
    };
    if sound { Ok(format!("{host}:{port}")) } else { Err(refused()) }
}

fn check_key(text: &str) -> Result<String> {
    check_domain(text).map_err(|_| {
        wrong(format!("invalid TSIG key name `{}`", printable_within(text, 100)))
            .hint("Use the name from the server's configuration.")
    })
}

fn check_algorithm(text: Option<&str>) -> Result<String> {
    let algorithm = text.unwrap_or(ALGORITHMS[0]).trim().trim_end_matches('.').to_ascii_lowercase();
    if ALGORITHMS.contains(&algorithm.as_str()) {
        return Ok(algorithm);
    }
    Err(wrong(format!("unsupported TSIG algorithm `{}`", printable_within(&algorithm, 80)))
        .hint(format!("Supported are {}. Use the one that the key was made for.", ALGORITHMS.join(", "))))
}
