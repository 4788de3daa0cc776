//! A target as a form: what `target add` and `target set` take, and the same mistakes, told at the field they were made in.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::problem::Problem;
use super::super::text_field::TextField;
use crate::catalog::targets::{ReplicationSettings, Secret, TargetSettings, ZoneSettings};
use crate::engine::targets::{
    Clear, KINDS, MAX_GRACE_DAYS, MAX_KEPT_ROOTS, MAX_TTL_SECONDS, NodeAddress, Setting, TargetChange, TargetView,
    Wrong, ZoneKind, check_name, typed,
};
use crate::error::{Error, Kind};
use crate::naming::provider::Provider;

/// An input field of the form.
#[derive(Debug, Clone)]
pub struct Field {
    /// Setting that the field edits.
    pub setting: Setting,
    /// Text as it is typed; it is checked when the form is saved.
    pub text: TextField,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Setting of the field that gets the cursor.
    pub setting: Setting,
    /// What is wrong, and what to do.
    pub text: String,
}

/// A target that is to be saved.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Name of the target.
    pub name: String,
    /// What is said of it.
    pub change: TargetChange,
    /// Add it instead of changing the one of this name.
    pub new: bool,
}

/// Dialog that adds or changes a target.
#[derive(Debug)]
pub struct Form {
    /// The target that is changed; none: a new one.
    pub target: Option<String>,
    /// All fields; some are only shown if others say so.
    pub fields: Vec<Field>,
    /// Which of `fields` has the cursor.
    pub focus: usize,
    /// Mistake that kept the form from being saved, until something is typed.
    pub mistake: Option<Mistake>,
    /// It is saved to be tested at once.
    pub tests: bool,
    old: Option<TargetSettings>,
    taken: Vec<String>,
}

/// What a key means to it.
#[derive(Debug)]
pub enum Choice {
    /// Save this target.
    Save(Box<Draft>),
    /// Close without saving.
    Closed,
    /// Keep the dialog open.
    Stay,
}

/// What a field is called.
pub fn label(setting: Setting) -> &'static str {
    match setting {
        Setting::Name => "Name",
        Setting::Node => "Node",
        Setting::AuthFile => "Auth file",
        Setting::AuthVariable => "Auth variable",
        Setting::Endpoint => "Endpoint",
        Setting::Region => "Region",
        Setting::Grace => "Grace",
        Setting::Replication => "Copies",
        Setting::Copy => "Copy",
        Setting::Keep => "Keep",
        Setting::Ipns => "IPNS key",
        Setting::Domain => "DNSLink",
        Setting::Dns => "DNS by",
        Setting::Server => "DNS server",
        Setting::Key => "TSIG key",
        Setting::Algorithm => "Algorithm",
        Setting::KeyFile => "TSIG file",
        Setting::TokenFile => "Token file",
        Setting::Ttl => "TTL",
        Setting::Gateways => "Gateways",
    }
}

/// What belongs into a field.
fn hint(setting: Setting) -> &'static str {
    match setting {
        Setting::Name => "name of the target, like `home`",
        Setting::Node => KINDS[0].hint,
        Setting::AuthFile => "file with bearer:TOKEN or basic:USER:PASSWORD; empty: no credentials",
        Setting::AuthVariable => "environment variable with the credentials, instead of a file",
        Setting::Endpoint => "URL that requests go to, like https://s3.example.com; empty: AWS",
        Setting::Region => "region of the bucket; empty: what AWS's variables and profiles say",
        Setting::Grace => "days for which objects stay that nothing needs any more; empty: 7",
        Setting::Replication => "peers that keep each root: 2, 2-3 or all; empty: as the cluster is configured",
        Setting::Copy => "yes: files of their own instead of hard links into the blob store; empty: no",
        Setting::Keep => "number of published roots that stay pinned; empty: 5",
        Setting::Ipns => "the node's key whose IPNS name points to the newest root; `self` is its own; empty: none",
        Setting::Domain => "domain whose record points to the newest root, like registry.example.com; empty: none",
        Setting::Dns => "rfc2136 (signed updates), manual, or the name of a DNS provider",
        Setting::Server => "server that takes updates, like ns1.example.com:53",
        Setting::Key => "name of the TSIG key, as the server has it",
        Setting::Algorithm => "hmac-sha256, hmac-sha384 or hmac-sha512; empty: hmac-sha256",
        Setting::KeyFile => "file with the TSIG key in base64",
        Setting::TokenFile => "file with the provider's token",
        Setting::Ttl => "seconds that resolvers may cache the record; empty: 60",
        Setting::Gateways => "URLs to check for the new root after publishing, separated by spaces",
    }
}

/// What a field takes, where that is one of these.
fn choices(setting: Setting) -> Vec<&'static str> {
    match setting {
        Setting::Dns => ["rfc2136", "manual"].into_iter().chain(Provider::names()).collect(),
        Setting::Algorithm => vec!["hmac-sha256", "hmac-sha384", "hmac-sha512"],
        Setting::Copy => vec!["no", "yes"],
        _ => Vec::new(),
    }
}

/// The choices of a field with this text: from the one that it is on, round the end; else those that begin like it, or all.
pub fn offered(setting: Setting, text: &str) -> Vec<&'static str> {
    let mut all = choices(setting);
    let text = text.trim();
    match all.iter().position(|choice| *choice == text) {
        Some(place) => all.rotate_left(place),
        None if all.iter().any(|choice| choice.starts_with(text)) => all.retain(|choice| choice.starts_with(text)),
        None => {}
    }
    all
}

/// What an empty field means.
pub fn otherwise(setting: Setting) -> &'static str {
    match setting {
        Setting::AuthFile | Setting::AuthVariable | Setting::Ipns | Setting::Domain | Setting::Gateways => "none",
        Setting::Node => KINDS[0].usual,
        Setting::Keep => "5",
        Setting::Grace => "7",
        Setting::Copy => "no",
        Setting::Endpoint => "AWS",
        Setting::Algorithm => "hmac-sha256",
        Setting::Ttl => "60",
        _ => "",
    }
}

fn said(settings: &TargetSettings, setting: Setting) -> String {
    let file = |secret: &Secret| match secret {
        Secret::File(path) => path.display().to_string(),
        Secret::Variable(_) => String::new(),
    };
    let zone = settings.dnslink.as_ref().map(|dnslink| &dnslink.zone);
    match (setting, zone) {
        (Setting::Node, _) => typed(&settings.node),
        (Setting::AuthFile, _) => settings.node.authorisation().map(file).unwrap_or_default(),
        (Setting::AuthVariable, _) => match settings.node.authorisation() {
            Some(Secret::Variable(name)) => name.clone(),
            _ => String::new(),
        },
        (Setting::Endpoint | Setting::Region | Setting::Grace | Setting::Copy, _) => of_host(settings, setting),
        (Setting::Replication, _) => settings.node.replication().map(ReplicationSettings::text).unwrap_or_default(),
        (Setting::Keep, _) => settings.keep.to_string(),
        (Setting::Ipns, _) => settings.ipns.clone().unwrap_or_default(),
        (Setting::Domain, _) => settings.dnslink.as_ref().map(|dnslink| dnslink.domain.clone()).unwrap_or_default(),
        (Setting::Ttl, _) => settings.dnslink.as_ref().map(|dnslink| dnslink.ttl.to_string()).unwrap_or_default(),
        (Setting::Dns, Some(ZoneSettings::Rfc2136 { .. })) => "rfc2136".to_owned(),
        (Setting::Dns, Some(ZoneSettings::Manual)) => "manual".to_owned(),
        (Setting::Dns, Some(ZoneSettings::Provider { provider, .. })) => provider.clone(),
        (Setting::Server, Some(ZoneSettings::Rfc2136 { server, .. })) => server.clone(),
        (Setting::Key, Some(ZoneSettings::Rfc2136 { key, .. })) => key.clone(),
        (Setting::Algorithm, Some(ZoneSettings::Rfc2136 { algorithm, .. })) => algorithm.clone(),
        (Setting::KeyFile, Some(ZoneSettings::Rfc2136 { secret, .. })) => file(secret),
        (Setting::TokenFile, Some(ZoneSettings::Provider { token, .. })) => file(token),
        (Setting::Gateways, _) => settings.gateways.join(" "),
        _ => String::new(),
    }
}

/// What is said of a static host.
fn of_host(settings: &TargetSettings, setting: Setting) -> String {
    let bucket = settings.node.bucket();
    let text = match setting {
        Setting::Endpoint => bucket.and_then(|bucket| bucket.endpoint.clone()),
        Setting::Region => bucket.and_then(|bucket| bucket.region.clone()),
        Setting::Copy => settings.node.copies().then(|| "yes".to_owned()),
        _ => settings.node.is_host().then(|| settings.node.grace_days().to_string()),
    };
    text.unwrap_or_default()
}

impl Form {
    /// A form for a new target, or for this one; `taken` are the names of all.
    pub fn new(target: Option<&TargetView>, taken: Vec<String>) -> Self {
        let field = |setting| {
            let text = match (setting, target) {
                (Setting::Name, Some(target)) => target.name.clone(),
                (_, Some(target)) => said(&target.settings, setting),
                (_, None) => String::new(),
            };
            Field { setting, text: TextField::new(&text) }
        };
        Self {
            target: target.map(|target| target.name.clone()),
            fields: Setting::ALL.into_iter().map(field).collect(),
            focus: usize::from(target.is_some()),
            mistake: None,
            tests: false,
            old: target.map(|target| target.settings.clone()),
            taken,
        }
    }

    /// Name of the target.
    pub fn name(&self) -> &str {
        self.target.as_deref().unwrap_or_else(|| self.text(Setting::Name))
    }

    fn text(&self, setting: Setting) -> &str {
        self.fields.iter().find(|field| field.setting == setting).map_or("", |field| field.text.value().trim())
    }

    /// Whether a field means something with what the others say; the name of a target that is there stays.
    pub fn shows(&self, setting: Setting) -> bool {
        let by = self.text(Setting::Dns);
        let kind = NodeAddress::typed(self.text(Setting::Node)).kind;
        let is_host = kind.is_host;
        let has_domain = !is_host && !self.text(Setting::Domain).is_empty();
        match setting {
            Setting::Name => self.target.is_none(),
            // A node without an address takes no credentials.
            Setting::AuthFile if !is_host => self.has_address(),
            Setting::AuthVariable => self.has_address() && !is_host,
            Setting::AuthFile | Setting::Endpoint | Setting::Region | Setting::Grace | Setting::Copy => {
                kind.settings_of_hosts.contains(&setting)
            }
            Setting::Replication => kind.has_peers,
            Setting::Ipns => kind.has_names,
            Setting::Domain | Setting::Gateways => !is_host,
            Setting::Dns | Setting::Ttl => has_domain,
            Setting::Server | Setting::Key | Setting::Algorithm | Setting::KeyFile => has_domain && by == "rfc2136",
            Setting::TokenFile => has_domain && !matches!(by, "" | "rfc2136" | "manual"),
            _ => true,
        }
    }

    /// Whether the node is one at an address, and not this program itself.
    fn has_address(&self) -> bool {
        let typed = self.text(Setting::Node);
        let typed = if typed.is_empty() { KINDS[0].usual } else { typed };
        NodeAddress::typed(typed).kind.value.is_some()
    }

    fn is_host(&self) -> bool {
        NodeAddress::typed(self.text(Setting::Node)).kind.is_host
    }

    /// What belongs into a field, with what the others say.
    pub fn hint(&self, setting: Setting) -> &'static str {
        match setting {
            Setting::Keep if self.is_host() => "number of published roots that stay here to go back to; empty: 5",
            Setting::AuthFile if self.is_host() => {
                "file with the credentials or the private key; empty: found as usual"
            }
            Setting::Keep if !self.has_address() => "number of published roots that stay given out; empty: 5",
            Setting::Ipns if !self.has_address() => {
                "key whose IPNS name points to the newest root; `self` is this program's own, made when it is first used; empty: none"
            }
            _ => hint(setting),
        }
    }

    /// The fields that are shown.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields.iter().enumerate().filter(|(_, field)| self.shows(field.setting))
    }

    /// What a key means.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        match key.code {
            KeyCode::Esc => return Choice::Closed,
            KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => self.step(false),
            KeyCode::Tab | KeyCode::Down => self.step(true),
            KeyCode::BackTab | KeyCode::Up => self.step(false),
            KeyCode::Enter => return self.save(false),
            KeyCode::Char('t') if key.modifiers.contains(KeyModifiers::CONTROL) => return self.save(true),
            KeyCode::Right | KeyCode::Left if self.choose(key.code == KeyCode::Right) => {}
            _ => {
                if let Some(field) = self.fields.get_mut(self.focus)
                    && field.text.key(key)
                {
                    self.mistake = None;
                }
            }
        }
        Choice::Stay
    }

    fn save(&mut self, tests: bool) -> Choice {
        self.tests = tests;
        match self.draft() {
            Ok(draft) => return Choice::Save(Box::new(draft)),
            Err(mistake) => {
                if let Some(place) = self.fields.iter().position(|field| field.setting == mistake.setting) {
                    self.focus = place;
                }
                self.mistake = Some(mistake);
            }
        }
        Choice::Stay
    }

    /// Whether the field with the cursor takes one of a few things.
    pub fn has_choices(&self) -> bool {
        self.fields.get(self.focus).is_some_and(|field| !choices(field.setting).is_empty())
    }

    /// The next choice of the field with the cursor, or the one before; whether it has any.
    fn choose(&mut self, forward: bool) -> bool {
        let Some(field) = self.fields.get_mut(self.focus) else { return false };
        let offered = offered(field.setting, field.text.value());
        let is_on_one = offered.first().is_some_and(|first| *first == field.text.value().trim());
        let next = match (forward, is_on_one) {
            (true, true) => offered.get(1).or(offered.first()),
            (true, false) => offered.first(),
            (false, _) => offered.last(),
        };
        let Some(next) = next else { return false };
        field.text = TextField::new(next);
        self.mistake = None;
        true
    }

    /// What it says could not be saved: the field that the reason is about gets the cursor.
    pub fn refuse(&mut self, problem: &Problem) {
        let named = |field: &Field| {
            let text = field.text.value().trim().trim_start_matches('~');
            !text.is_empty() && problem.message.contains(text)
        };
        let files = [Setting::AuthFile, Setting::KeyFile, Setting::TokenFile];
        let place = self.fields.iter().position(|field| files.contains(&field.setting) && named(field));
        let place = place.or_else(|| self.fields.iter().position(named));
        self.focus = place.unwrap_or(self.focus);
        if let Some(field) = self.fields.get(self.focus) {
            self.mistake = Some(Mistake { setting: field.setting, text: problem.sentences() });
        }
    }

    /// Text was pasted into the field with the cursor.
    pub fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.focus) {
            field.text.insert(text.trim());
            self.mistake = None;
        }
    }

    fn step(&mut self, forward: bool) {
        let shown: Vec<usize> = self.shown().map(|(place, _)| place).collect();
        let here = shown.iter().position(|place| *place == self.focus).unwrap_or(0);
        let next = if forward { here + 1 } else { here + shown.len().saturating_sub(1) };
        if let Some(place) = shown.get(next % shown.len().max(1)) {
            self.focus = *place;
        }
    }

    /// What it says, or the first mistake in it.
    fn draft(&self) -> Result<Draft, Mistake> {
        let change = self.change()?;
        let name = self.name().to_owned();
        let at_name = |error: Error| self.mistake(&Wrong { setting: Setting::Name, error });
        if self.target.is_none() {
            if name.is_empty() {
                return Err(at_name(Error::new(Kind::Usage, "a target needs a name")));
            }
            check_name(&name).map_err(at_name)?;
            if self.taken.contains(&name) {
                return Err(at_name(Error::new(Kind::Usage, format!("a target `{name}` already exists"))));
            }
        }
        match &self.old {
            Some(old) => change.changed(old.clone()),
            None => change.added(),
        }
        .map_err(|wrong| self.mistake(&wrong))?;
        Ok(Draft { name, change, new: self.target.is_none() })
    }

    fn change(&self) -> Result<TargetChange, Mistake> {
        let text = |setting| Some(self.text(setting)).filter(|text| !text.is_empty() && self.shows(setting));
        let owned = |setting| text(setting).map(str::to_owned);
        let number = |setting, most: u32, of: &str| {
            let read = text(setting).map(str::parse::<u32>).transpose();
            let words = || format!("Use a whole number from 1 to {most} ({of}).");
            match read {
                Ok(Some(0)) | Err(_) => Err(Mistake { setting, text: words() }),
                Ok(Some(number)) if number > most => Err(Mistake { setting, text: words() }),
                Ok(read) => Ok(read),
            }
        };
        if text(Setting::AuthFile).is_some() && text(Setting::AuthVariable).is_some() {
            let text = "Name the file or the variable, not both.".to_owned();
            return Err(Mistake { setting: Setting::AuthVariable, text });
        }
        let copy = match text(Setting::Copy).map(str::to_ascii_lowercase).as_deref() {
            None if !self.shows(Setting::Copy) => None,
            None | Some("no" | "n") => Some(false),
            Some("yes" | "y") => Some(true),
            Some(_) => return Err(Mistake { setting: Setting::Copy, text: "Write `yes` or `no`.".to_owned() }),
        };
        let zone = text(Setting::Dns).map(str::parse::<ZoneKind>).transpose();
        let zone = zone.map_err(|error| self.mistake(&Wrong { setting: Setting::Dns, error }))?;
        let replication = text(Setting::Replication).map(str::parse::<ReplicationSettings>).transpose();
        let replication = replication.map_err(|error| self.mistake(&Wrong { setting: Setting::Replication, error }))?;
        let file = text(Setting::AuthFile).map(|path| Secret::File(path.into()));
        let authorisation = file.or_else(|| owned(Setting::AuthVariable).map(Secret::Variable));
        let gateways: Vec<String> =
            text(Setting::Gateways).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        // What an emptied field said goes.
        let clear = [
            (authorisation.is_none(), Clear::Authorisation),
            (text(Setting::Endpoint).is_none(), Clear::Endpoint),
            (text(Setting::Region).is_none(), Clear::Region),
            (text(Setting::Replication).is_none(), Clear::Replication),
            (text(Setting::Ipns).is_none(), Clear::Ipns),
            (text(Setting::Domain).is_none(), Clear::Dnslink),
            (gateways.is_empty(), Clear::Gateways),
        ];
        Ok(TargetChange {
            node: Some(NodeAddress::typed(text(Setting::Node).unwrap_or(KINDS[0].usual))),
            authorisation,
            insecure_auth: false,
            endpoint: owned(Setting::Endpoint),
            region: owned(Setting::Region),
            grace_days: number(Setting::Grace, MAX_GRACE_DAYS, "days")?,
            replication,
            copy,
            keep: number(Setting::Keep, MAX_KEPT_ROOTS, "published roots")?,
            ipns: owned(Setting::Ipns),
            domain: owned(Setting::Domain),
            zone,
            server: owned(Setting::Server),
            key: owned(Setting::Key),
            algorithm: owned(Setting::Algorithm),
            key_secret: text(Setting::KeyFile).map(Into::into),
            token: text(Setting::TokenFile).map(Into::into),
            ttl: number(Setting::Ttl, MAX_TTL_SECONDS, "seconds")?,
            gateways,
            clear: clear.into_iter().filter_map(|(empty, clear)| empty.then_some(clear)).collect(),
        })
    }

    /// A mistake in the words of the form instead of the command line's.
    fn mistake(&self, wrong: &Wrong) -> Mistake {
        let setting = wrong.setting;
        if setting != Setting::Name && self.text(setting).is_empty() {
            let because = match setting {
                Setting::Dns => label(Setting::Domain).to_owned(),
                _ => self.text(Setting::Dns).to_owned(),
            };
            return Mistake { setting, text: format!("Required for {because}: {}", self.hint(setting)) };
        }
        let mut text = Problem::from(&wrong.error).sentences();
        let mut flags = Setting::ALL;
        // `--dns-server` before `--dns`, which it begins with.
        flags.sort_by_key(|setting| std::cmp::Reverse(setting.flag().len()));
        for setting in flags.into_iter().filter(|setting| *setting != Setting::Name) {
            text = text.replace(setting.flag(), label(setting));
        }
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        Mistake { setting: wrong.setting, text: format!("{first}{}", letters.as_str()) }
    }
}

#[cfg(test)]
mod tests;
