//! Static hosts as targets: what can be set of each kind, and the adapter for it.

use std::path::PathBuf;
use std::sync::Arc;

use super::bucket;
use super::secrets::{self, Variables};
use super::setting::{At as _, Setting, Wrong};
use crate::catalog::targets::{NodeSettings, Secret, SshSettings};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::hosts::Host;
use crate::hosts::directory::Directory;
use crate::hosts::ssh::address::Address;
use crate::hosts::ssh::{Ssh, SshOptions};
use crate::image::Digest;
use crate::text::printable_within;

/// Objects that nothing needs stay this long at most, in days.
pub const MAX_GRACE_DAYS: u32 = 3650;

/// What is said of a static host; what is not said stays.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HostChange<'c> {
    pub(super) endpoint: Option<&'c str>,
    pub(super) region: Option<&'c str>,
    pub(super) grace_days: Option<u32>,
    pub(super) copy: Option<bool>,
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// What a kind is called.
pub(super) fn noun(node: &NodeSettings) -> &'static str {
    match node {
        NodeSettings::S3(_) => "a bucket",
        NodeSettings::Directory(_) => "a directory",
        NodeSettings::Ssh(_) => "a directory over ssh",
        NodeSettings::Kubo(_) | NodeSettings::Own(_) => "a node",
        NodeSettings::Cluster(_) => "a cluster",
        NodeSettings::Pinning(_) => "a pinning service",
    }
}

/// Where a setting means something, for people; none: everywhere.
fn only_with(setting: Setting) -> &'static str {
    match setting {
        Setting::Endpoint | Setting::Region => "a bucket",
        Setting::Copy => "a directory",
        Setting::Grace => "a bucket or a directory",
        _ => "a node",
    }
}

/// Whether a setting means something with these settings.
pub(super) fn takes(node: &NodeSettings, setting: Setting) -> bool {
    match setting {
        Setting::Endpoint | Setting::Region => matches!(node, NodeSettings::S3(_)),
        Setting::Copy => matches!(node, NodeSettings::Directory(_)),
        Setting::Grace => node.is_host(),
        Setting::Ipns | Setting::Domain | Setting::Gateways => !node.is_host(),
        _ => true,
    }
}

/// An error for the first of what is said that means nothing here.
pub(super) fn check_said(node: &NodeSettings, said: &[(Setting, bool)]) -> Result<(), Wrong> {
    let Some((setting, _)) = said.iter().find(|(setting, said)| *said && !takes(node, *setting)) else {
        return Ok(());
    };
    let flag = setting.flag();
    let words = if node.is_host() && only_with(*setting) == "a node" {
        format!("`{flag}` can't be used with {}", noun(node))
    } else {
        format!("`{flag}` can only be used with {}", only_with(*setting))
    };
    Err(wrong(words)).at(*setting)
}

/// What is known of a host stays where another one of its kind is named.
pub(super) fn keep(before: &NodeSettings, node: &mut NodeSettings) {
    match (before, &mut *node) {
        (NodeSettings::S3(before), NodeSettings::S3(node)) => bucket::keep(before, node),
        (NodeSettings::Directory(before), NodeSettings::Directory(node)) => node.copy = before.copy,
        _ => {}
    }
    if before.is_host()
        && let Some(grace_days) = node.grace_days_mut()
    {
        *grace_days = before.grace_days();
    }
}

/// Gives a host other settings.
pub(super) fn apply(node: &mut NodeSettings, change: HostChange<'_>) -> Result<(), Wrong> {
    match node {
        NodeSettings::S3(settings) => bucket::apply(settings, change.endpoint, change.region)?,
        NodeSettings::Directory(settings) => settings.copy = change.copy.unwrap_or(settings.copy),
        NodeSettings::Ssh(settings) => {
            if let Some(Secret::Variable(_)) = &settings.key {
                return Err(wrong("a private key of ssh can't be in a variable")
                    .hint("Name its file with `--auth-file`, or leave it out: ssh finds keys and agents by itself."))
                .at(Setting::AuthVariable);
            }
        }
        NodeSettings::Own(_) | NodeSettings::Kubo(_) | NodeSettings::Cluster(_) | NodeSettings::Pinning(_) => {
            return Ok(());
        }
    }
    if let (Some(days), Some(grace_days)) = (change.grace_days, node.grace_days_mut()) {
        if !(1..=MAX_GRACE_DAYS).contains(&days) {
            return Err(wrong(format!("`--grace` must be from 1 to {MAX_GRACE_DAYS} days, not {days}"))
                .hint("For so long objects stay that no published root needs, so that pulls that have begun go on."))
            .at(Setting::Grace);
        }
        *grace_days = days;
    }
    Ok(())
}

/// An absolute path in UTF-8, without a dot as a part of it.
pub(super) fn directory_path(text: &str) -> Result<String> {
    let refused = |why: &str| {
        wrong(format!("invalid directory `{}`: {why}", printable_within(text, 200)))
            .hint("Write it like `/srv/registry`: publishing makes `/srv/registry/current` in it.")
    };
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(refused("it is empty or has control characters"));
    }
    let path = std::path::absolute(text).map_err(|error| refused(&error.to_string()))?;
    if path.components().any(|part| part == std::path::Component::ParentDir) || path.parent().is_none() {
        return Err(refused("it is the root of the file system, or leads upwards"));
    }
    path.to_str().map(str::to_owned).ok_or_else(|| refused("it is not UTF-8"))
}

/// The adapter for a static host with these settings; none where they are a node's.
pub(super) fn connect(
    settings: &NodeSettings,
    variables: &Variables,
    engine: &Engine,
) -> Option<Result<Arc<dyn Host>>> {
    match settings {
        NodeSettings::S3(settings) => Some(bucket::connect(settings, variables)),
        NodeSettings::Directory(settings) => {
            Some(Ok(Arc::new(Directory::new(PathBuf::from(&settings.path), !settings.copy))))
        }
        NodeSettings::Ssh(settings) => Some(over_ssh(settings, engine)),
        NodeSettings::Own(_) | NodeSettings::Kubo(_) | NodeSettings::Cluster(_) | NodeSettings::Pinning(_) => None,
    }
}

fn over_ssh(settings: &SshSettings, engine: &Engine) -> Result<Arc<dyn Host>> {
    let key = match &settings.key {
        Some(Secret::File(file)) => Some(file.clone()),
        _ => None,
    };
    // Beside the locks of targets, whose names are numbers; on the file system of the blob store, so that links can be made.
    let place: String = Digest::of(settings.address.as_bytes()).hex().chars().take(16).collect();
    let layout = engine.data_dir.join("publishing").join(format!("files-{place}"));
    let address = Address::parse(&settings.address)?;
    Ok(Arc::new(Ssh::new(SshOptions { address, key, layout })))
}

/// What is doubtful about how a host is reached, in sentences; none where the settings are a node's.
pub(super) fn warnings(settings: &NodeSettings) -> Option<Vec<String>> {
    match settings {
        NodeSettings::S3(settings) => Some(bucket::warnings(settings)),
        NodeSettings::Directory(_) => Some(Vec::new()),
        NodeSettings::Ssh(settings) => Some(match &settings.key {
            Some(Secret::File(file)) => secrets::exposure(file).into_iter().collect(),
            _ => Vec::new(),
        }),
        NodeSettings::Own(_) | NodeSettings::Kubo(_) | NodeSettings::Cluster(_) | NodeSettings::Pinning(_) => None,
    }
}

/// An error if what a host needs of this machine is not there.
pub(super) fn check_files(settings: &NodeSettings) -> Result<(), Wrong> {
    match settings {
        NodeSettings::S3(settings) if settings.credentials.is_some() => {
            bucket::credentials(settings, &Variables::none()).map(drop).at(Setting::AuthFile)
        }
        NodeSettings::Ssh(settings) => match &settings.key {
            Some(Secret::File(file)) if !file.is_file() => {
                Err(Error::new(Kind::NotFound, format!("there is no file {} with a private key", file.display()))
                    .hint("Name the private key, like ~/.ssh/id_ed25519; it stays where it is."))
                .at(Setting::AuthFile)
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
