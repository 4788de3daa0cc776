//! Targets as tables: all of them, and everything about one.

use crate::catalog::targets::{DnslinkSettings, Secret, ZoneSettings};
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::own_node::{SERVE_HINT, report};
use crate::engine::targets::TargetView;
use crate::text::{bytes, count, printable};

pub(super) fn targets_table(targets: &[TargetView]) -> Table {
    let mut table = Table::new(&[
        ("TARGET", Column::Fixed),
        ("NODE", Column::Text),
        ("NAMES", Column::Spare),
        ("ROOT", Column::Digest),
        ("PUBLISHED", Column::Spare),
        ("SENT", Column::Number),
        ("REQUESTS", Column::Number),
        ("STATE", Column::Fixed),
    ]);
    for target in targets {
        let state = match (&target.running, &target.root, target.behind) {
            (Some(_), ..) => Cell::toned(Tone::Warning, "not finished"),
            (None, None, _) => Cell::toned(Tone::Dim, "never published"),
            (None, Some(_), true) => Cell::toned(Tone::Warning, "behind"),
            (None, Some(_), false) if target.unverified => Cell::toned(Tone::Warning, "unverified"),
            (None, Some(_), false) => Cell::toned(Tone::Good, "current"),
        };
        let domain = target.settings.dnslink.as_ref().map(|dnslink| dnslink.domain.clone());
        let ipns = target.settings.ipns.as_ref().map(|key| format!("ipns:{key}"));
        let names: Vec<String> = domain.into_iter().chain(ipns).collect();
        table.row([
            Cell::toned(Tone::Name, &target.name),
            target.settings.node.url().into(),
            names.join(", ").into(),
            target.root.as_deref().unwrap_or_default().into(),
            target.published.as_deref().unwrap_or_default().into(),
            target.sent.map(bytes).unwrap_or_default().into(),
            target.requests.map(|requests| requests.to_string()).unwrap_or_default().into(),
            state,
        ]);
    }
    table
}

/// Where a secret is; what it is, nobody is told.
fn place(secret: &Secret) -> String {
    match secret {
        Secret::File(file) => format!("in {}", file.display()),
        Secret::Variable(name) => format!("in the variable {name}"),
    }
}

fn zone(dnslink: &DnslinkSettings) -> Vec<(&'static str, String)> {
    let mut facts = vec![("DNSLink", dnslink.domain.clone())];
    match &dnslink.zone {
        ZoneSettings::Rfc2136 { server, key, algorithm, secret } => {
            facts.push(("DNS", format!("signed updates to {server}")));
            facts.push(("TSIG key", format!("{key} ({algorithm}), {}", place(secret))));
        }
        ZoneSettings::Provider { provider, token } => {
            facts.push(("DNS", format!("{provider}, in several requests: a change is not atomic")));
            facts.push(("token", place(token)));
        }
        ZoneSettings::Manual => {
            facts.push(("DNS", "by hand: `publish` shows the record to set and waits for it".to_owned()));
        }
    }
    facts.push(("TTL", format!("{} s: how long caches may lag after publishing", dnslink.ttl)));
    facts
}

pub(super) fn facts(target: &TargetView) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Fact)]);
    let mut fact = |name: &str, value: &str| table.row([Cell::toned(Tone::Dim, name), printable(value).into()]);
    fact("target", &target.name);
    let is_host = target.settings.node.is_host();
    fact(if is_host { "host" } else { "node" }, target.settings.node.url());
    for (name, value) in target.settings.node.reached() {
        fact(name, &value);
    }
    if let Some(secret) = target.settings.node.authorisation() {
        fact("auth", &place(secret));
    }
    let newest = target.root.as_deref();
    let now = jiff::Timestamp::now();
    for said in target.serving.iter().flat_map(|all| report::served(all, SERVE_HINT)) {
        fact(said.label, &said.text);
    }
    for said in target.ipns_name.iter().flat_map(|name| report::name(name, newest, now)) {
        fact(said.label, &said.text);
    }
    if let Some(all) = &target.serving {
        for said in report::followers_in_full(all, newest, now.as_second()).into_iter().chain(report::taken(all)) {
            fact(said.label, &said.text);
        }
    }
    let keeps = target.settings.keep.into();
    fact(
        "keeps",
        &if is_host {
            count(keeps, "published root here, to go back to", "published roots here, to go back to")
        } else {
            count(keeps, "published root pinned", "published roots pinned")
        },
    );
    if let Some(key) = &target.settings.ipns {
        fact("IPNS key", key);
    }
    for (name, value) in target.settings.dnslink.iter().flat_map(zone) {
        fact(name, &value);
    }
    for gateway in &target.settings.gateways {
        fact("gateway", gateway);
    }
    fact("added", &target.added);
    match (&target.root, &target.published) {
        (Some(root), Some(published)) => {
            fact("root", root);
            fact("published", published);
            fact("state", if target.behind { "behind: the catalog has another root now" } else { "current" });
        }
        _ => fact("root", "nothing published yet"),
    }
    if let Some(sent) = target.sent {
        let requests = target.requests.map(|requests| format!(" in {}", count(requests, "request", "requests")));
        fact("sent", &format!("{}{} by the last publication", bytes(sent), requests.unwrap_or_default()));
    }
    if !target.holders.is_empty() {
        let kept = target.holders.iter().filter(|holder| holder.holds).count();
        let peers = count(target.holders.len() as u64, "peer", "peers");
        let names: Vec<&str> =
            target.holders.iter().filter(|holder| holder.holds).map(|held| held.name.as_str()).collect();
        fact("copies", &format!("{kept} of {peers} kept it when it was published: {}", names.join(", ")));
    }
    if target.unverified {
        fact("unverified", &format!("no gateway was asked: `roadstead target verify {} --gateway URL`", target.name));
    }
    if let Some(root) = &target.running {
        fact("not finished", root);
    }
    if !is_host {
        fact("pins", &count(target.pinned, "root", "roots"));
    }
    table
}
