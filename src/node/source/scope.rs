//! How far an address reaches, so that nobody is told of an address that means another machine where they are.
//!
//! Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address reaches; the wider is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This machine.
    Loopback,
    /// A network that is nobody else's business: private (RFC 1918, RFC 4193), link-local, or a provider's own (RFC 6598).
    Private,
    /// Everywhere.
    Global,
}

impl Scope {
    /// That of an address; nothing for one that no single machine has.
    pub fn of(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            ip if ip.is_loopback() => Some(Self::Loopback),
            ip if ip.is_unspecified() || ip.is_multicast() => None,
            IpAddr::V4(Ipv4Addr::BROADCAST) => None,
            IpAddr::V4(ip) => {
                let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
                let is_private = is_shared || ip.is_private() || ip.is_link_local();
                Some(if is_private { Self::Private } else { Self::Global })
            }
            IpAddr::V6(ip) => {
                let is_private = ip.is_unique_local() || ip.is_unicast_link_local() || is_site_local(ip);
                Some(if is_private { Self::Private } else { Self::Global })
            }
        }
    }

    /// Whether an address is of use to whoever is at, or was told by, another one.
    pub fn is_of_use(ip: IpAddr, other: IpAddr) -> bool {
        Self::of(ip).zip(Self::of(other)).is_some_and(|(scope, other)| scope >= other)
    }
}

/// RFC 3879: deprecated, and still no address of the Internet.
fn is_site_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfec0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_where_they_mean_the_same() {
        let scope = |text: &str| Scope::of(text.parse().unwrap());
        for (text, expected) in [
            ("127.0.0.1", Some(Scope::Loopback)),
            ("::ffff:127.0.0.1", Some(Scope::Loopback)),
            ("::1", Some(Scope::Loopback)),
            ("10.1.2.3", Some(Scope::Private)),
            ("100.64.0.1", Some(Scope::Private)),
            ("100.128.0.1", Some(Scope::Global)),
            ("169.254.1.1", Some(Scope::Private)),
            ("fd00::1", Some(Scope::Private)),
            ("fe80::1", Some(Scope::Private)),
            ("192.0.2.1", Some(Scope::Global)),
            ("2001:db8::1", Some(Scope::Global)),
            ("0.0.0.0", None),
            ("255.255.255.255", None),
            ("224.0.0.1", None),
            ("ff02::1", None),
        ] {
            assert_eq!(scope(text), expected, "{text}");
        }
        let is_of_use = |ip: &str, other: &str| Scope::is_of_use(ip.parse().unwrap(), other.parse().unwrap());
        assert!(is_of_use("192.0.2.1", "127.0.0.1") && is_of_use("10.0.0.1", "10.0.0.2"));
        assert!(!is_of_use("127.0.0.1", "10.0.0.2") && !is_of_use("10.0.0.1", "192.0.2.1"));
        assert!(!is_of_use("0.0.0.0", "127.0.0.1"));
    }
}
