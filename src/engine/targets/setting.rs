//! What can be said of a target, one by one, so that a mistake can be shown where it was made.

use crate::error::Error;

/// Something that can be said of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// Name of the target.
    Name,
    /// Where its node is.
    Node,
    /// The file with what the node wants to see.
    AuthFile,
    /// The variable with the same.
    AuthVariable,
    /// Where requests to a bucket go.
    Endpoint,
    /// The region of a bucket.
    Region,
    /// Days for which objects stay that nothing needs any more.
    Grace,
    /// At how many peers of a cluster roots are kept.
    Replication,
    /// No hard links into the blob store.
    Copy,
    /// How many published roots stay pinned.
    Keep,
    /// The key of the IPNS name.
    Ipns,
    /// The domain of the DNSLink record.
    Domain,
    /// Who changes the record.
    Dns,
    /// The server that takes updates.
    Server,
    /// Name of the TSIG key.
    Key,
    /// Algorithm of the TSIG key.
    Algorithm,
    /// The file with the TSIG key.
    KeyFile,
    /// The file with a provider's token.
    TokenFile,
    /// Time to live of the record.
    Ttl,
    /// Gateways that are checked.
    Gateways,
}

impl Setting {
    /// All of them, in the order in which they are asked for.
    pub const ALL: [Self; 20] = [
        Self::Name,
        Self::Node,
        Self::AuthFile,
        Self::AuthVariable,
        Self::Endpoint,
        Self::Region,
        Self::Grace,
        Self::Replication,
        Self::Copy,
        Self::Keep,
        Self::Ipns,
        Self::Domain,
        Self::Dns,
        Self::Server,
        Self::Key,
        Self::Algorithm,
        Self::KeyFile,
        Self::TokenFile,
        Self::Ttl,
        Self::Gateways,
    ];

    /// The flag of the command line that says it, in whose words mistakes are told.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Node => "--kubo",
            Self::AuthFile => "--auth-file",
            Self::AuthVariable => "--auth-env",
            Self::Endpoint => "--endpoint",
            Self::Region => "--region",
            Self::Grace => "--grace",
            Self::Replication => "--replication",
            Self::Copy => "--copy",
            Self::Keep => "--keep",
            Self::Ipns => "--ipns",
            Self::Domain => "--dnslink",
            Self::Dns => "--dns",
            Self::Server => "--dns-server",
            Self::Key => "--tsig-name",
            Self::Algorithm => "--tsig-algorithm",
            Self::KeyFile => "--tsig-secret-file",
            Self::TokenFile => "--dns-token-file",
            Self::Ttl => "--ttl",
            Self::Gateways => "--check-gateway",
        }
    }
}

/// A mistake, and where it was made.
#[derive(Debug)]
pub struct Wrong {
    /// Setting that the mistake is in.
    pub setting: Setting,
    /// What is wrong, in the words of the command line.
    pub error: Error,
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        wrong.error
    }
}

/// Says where a mistake was made.
pub(super) trait At<T> {
    fn at(self, setting: Setting) -> Result<T, Wrong>;
}

impl<T> At<T> for crate::error::Result<T> {
    fn at(self, setting: Setting) -> Result<T, Wrong> {
        self.map_err(|error| Wrong { setting, error })
    }
}
