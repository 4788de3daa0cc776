//! The flags that say what a target is.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches, ValueEnum, ValueHint};

use crate::catalog::targets::{ReplicationSettings, Secret};
use crate::cli::parsed::parsed;
use crate::engine::targets::{Clear, KINDS, NodeAddress, TargetChange, ZoneKind};
use crate::error::{Context as _, Result};

/// What the node and the names are, besides the node's URL.
#[derive(Debug, Args)]
pub(super) struct SettingsArguments {
    /// File with the credentials for the node: `bearer:TOKEN`, `basic:USER:PASSWORD`, or a token; for a bucket, a file as
    /// `~/.aws/credentials` [default for a bucket: what AWS's tools use]; for ssh, the private key [default: what ssh finds].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "auth_env")]
    auth_file: Option<PathBuf>,

    /// Environment variable with the credentials, instead of a file.
    #[arg(long, value_name = "VARIABLE")]
    auth_env: Option<String>,

    /// Send the credentials to another machine over plain HTTP, where anyone on the network path can read them.
    #[arg(long)]
    insecure_auth: bool,

    /// Where requests to the bucket go [default: AWS].
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    endpoint: Option<String>,

    /// Region of the bucket [default: what AWS's variables and profiles say, else us-east-1].
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// Days for which objects stay in the bucket or directory that no published root needs any more [default: 7].
    #[arg(long, value_name = "DAYS")]
    grace: Option<u32>,

    /// Number of the cluster's peers that keep each root: `2`, `2-3` (at least 2, at most 3) or `all` [default: as the cluster is
    /// configured].
    #[arg(long, value_name = "NUMBER", value_parser = parsed::<ReplicationSettings>)]
    replication: Option<ReplicationSettings>,
    /// Give a directory files of its own instead of hard links into the blob store [`--copy=false` undoes it].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    copy: Option<bool>,

    /// Number of published roots that stay pinned, the newest included [default: 5].
    #[arg(long, value_name = "NUMBER")]
    keep: Option<u32>,

    /// Key of the node whose IPNS name points to the newest root [without KEY: `self`, the node's own].
    #[arg(long, value_name = "KEY", num_args = 0..=1, default_missing_value = "self")]
    ipns: Option<String>,

    /// Create that key on the node if it does not exist. This connects to the node.
    #[arg(long)]
    pub(super) make_key: bool,

    /// Domain whose DNSLink record points to the newest root.
    #[arg(long, value_name = "DOMAIN", value_hint = ValueHint::Hostname)]
    dnslink: Option<String>,

    /// Who changes that record: `rfc2136` (a server that takes signed updates), a provider (`cloudflare` …), or `manual`.
    #[arg(long, value_name = "HOW", value_parser = parsed::<ZoneKind>)]
    dns: Option<ZoneKind>,

    /// DNS server that takes updates.
    #[arg(long, value_name = "HOST:PORT")]
    dns_server: Option<String>,

    /// Name of the TSIG key, as the server has it.
    #[arg(long, value_name = "KEY")]
    tsig_name: Option<String>,

    /// Algorithm of the TSIG key: hmac-sha256, hmac-sha384, hmac-sha512 [default: hmac-sha256].
    #[arg(long, value_name = "ALGORITHM")]
    tsig_algorithm: Option<String>,

    /// File with the TSIG key in base64.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tsig_secret_file: Option<PathBuf>,

    /// File with the provider's token.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    dns_token_file: Option<PathBuf>,

    /// Seconds that resolvers may cache the record [default: 60].
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,

    /// Gateway to check for the new root after publishing (repeatable).
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    check_gateway: Vec<String>,
}

/// Where the node is: a flag for each kind, one of them at most.
#[derive(Debug)]
pub(super) struct NodeArguments<const REQUIRED: bool> {
    pub(super) address: Option<NodeAddress>,
}

impl<const REQUIRED: bool> FromArgMatches for NodeArguments<REQUIRED> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let address = KINDS.iter().find_map(|kind| {
            let address = match kind.value {
                Some(_) => matches.get_one::<String>(kind.flag).cloned()?,
                None => matches.get_flag(kind.flag).then(|| kind.usual.to_owned())?,
            };
            Some(NodeAddress { kind, address })
        });
        Ok(Self { address })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<const REQUIRED: bool> Args for NodeArguments<REQUIRED> {
    fn augment_args(command: Command) -> Command {
        let alone = KINDS.len() == 1;
        let command = KINDS.iter().fold(command, |command, kind| {
            let flag = Arg::new(kind.flag).long(kind.flag);
            let flag = match kind.value {
                Some(value) if kind.is_path() => flag.value_name(value).value_hint(ValueHint::DirPath),
                Some(value) => flag.value_name(value).value_hint(ValueHint::Url),
                None => flag.action(ArgAction::SetTrue),
            };
            command.arg(flag.help(kind.help).required(REQUIRED && alone))
        });
        let group = ArgGroup::new("node").args(KINDS.iter().map(|kind| kind.flag));
        command.group(group.required(REQUIRED && !alone).multiple(false))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// A setting that `--clear` removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Cleared {
    /// Credentials for the node.
    Auth,
    /// Endpoint of the bucket: requests go to AWS then.
    Endpoint,
    /// Region of the bucket.
    Region,
    /// Number of the cluster's peers that keep each root: as the cluster is configured then.
    Replication,
    /// IPNS name.
    Ipns,
    /// DNSLink record.
    Dnslink,
    /// Gateways to check.
    Gateways,
}

impl SettingsArguments {
    /// The change that these flags mean. Files keep their meaning in another directory.
    pub(super) fn change(&self, node: Option<&NodeAddress>, clear: &[Cleared]) -> Result<TargetChange> {
        let absolute = |file: &Option<PathBuf>| {
            let file = file.as_ref().map(std::path::absolute).transpose();
            file.context(|| "can't resolve the path of the file")
        };
        let file = absolute(&self.auth_file)?.map(Secret::File);
        let clear = clear.iter().map(|cleared| match cleared {
            Cleared::Auth => Clear::Authorisation,
            Cleared::Endpoint => Clear::Endpoint,
            Cleared::Region => Clear::Region,
            Cleared::Replication => Clear::Replication,
            Cleared::Ipns => Clear::Ipns,
            Cleared::Dnslink => Clear::Dnslink,
            Cleared::Gateways => Clear::Gateways,
        });
        Ok(TargetChange {
            node: node.cloned(),
            insecure_auth: self.insecure_auth,
            authorisation: file.or_else(|| self.auth_env.clone().map(Secret::Variable)),
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            grace_days: self.grace,
            replication: self.replication,
            copy: self.copy,
            keep: self.keep,
            ipns: self.ipns.clone(),
            domain: self.dnslink.clone(),
            zone: self.dns.clone(),
            server: self.dns_server.clone(),
            key: self.tsig_name.clone(),
            algorithm: self.tsig_algorithm.clone(),
            key_secret: absolute(&self.tsig_secret_file)?,
            token: absolute(&self.dns_token_file)?,
            ttl: self.ttl,
            gateways: self.check_gateway.clone(),
            clear: clear.collect(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        let said = [
            self.auth_file.is_some(),
            self.auth_env.is_some(),
            self.endpoint.is_some(),
            self.region.is_some(),
            self.grace.is_some(),
            self.replication.is_some(),
            self.copy.is_some(),
            self.keep.is_some(),
            self.ipns.is_some(),
            self.make_key,
            self.dnslink.is_some(),
            self.dns.is_some(),
            self.dns_server.is_some(),
            self.tsig_name.is_some(),
            self.tsig_algorithm.is_some(),
            self.tsig_secret_file.is_some(),
            self.dns_token_file.is_some(),
            self.ttl.is_some(),
            !self.check_gateway.is_empty(),
        ];
        !said.contains(&true)
    }
}
