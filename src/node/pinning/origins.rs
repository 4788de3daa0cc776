//! Which of our addresses a service is told: it can use those of the public network, and others only on this machine.
//!
//! Knows multiaddrs as text. Must not connect to anything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// More are not allowed (Pinning Service API 1.0, `Origins`).
const MAX_ORIGINS: usize = 20;

/// The addresses that a service can use; `local` is one on this machine.
pub(super) fn usable(addresses: Vec<String>, local: bool) -> Vec<String> {
    let mut usable: Vec<String> = addresses
        .into_iter()
        // A relay alone brings no blocks.
        .filter(|address| address.contains("/p2p/") && !address.contains("/p2p-circuit"))
        .filter(|address| local || is_public(address))
        .collect();
    usable.dedup();
    usable.truncate(MAX_ORIGINS);
    usable
}

fn is_public(address: &str) -> bool {
    let mut parts = address.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("ip4"), Some(ip)) => ip.parse::<Ipv4Addr>().is_ok_and(is_public_v4),
        (Some("ip6"), Some(ip)) => ip.parse::<Ipv6Addr>().is_ok_and(is_public_v6),
        (Some("dns" | "dns4" | "dns6" | "dnsaddr"), Some(name)) => {
            name != "localhost" && name.contains('.') && name.parse::<IpAddr>().is_err()
        }
        _ => false,
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    // 100.64.0.0/10 is shared by the customers of a provider (RFC 6598).
    let shared = first == 100 && (64..128).contains(&second);
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || shared)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    // 2000::/3 is what is given out of the public network (RFC 4291, section 2.4).
    ip.segments()[0] & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_alone_leave_the_machine() {
        let all = [
            "/ip4/203.0.114.7/tcp/4001/p2p/12D3Koo",
            "/ip4/203.0.114.7/udp/4001/quic-v1/p2p/12D3Koo",
            "/ip6/2a01::1/tcp/4001/p2p/12D3Koo",
            "/dns4/node.example.com/tcp/4001/p2p/12D3Koo",
            "/ip4/192.168.1.2/tcp/4001/p2p/12D3Koo",
            "/ip4/127.0.0.1/tcp/4001/p2p/12D3Koo",
            "/ip4/100.100.0.1/tcp/4001/p2p/12D3Koo",
            "/ip6/fe80::1/tcp/4001/p2p/12D3Koo",
            "/ip6/::1/tcp/4001/p2p/12D3Koo",
            "/ip4/203.0.114.7/tcp/443/tls/http",
            "/ip4/203.0.114.9/tcp/4001/p2p/12D3Kar/p2p-circuit/p2p/12D3Koo",
        ];
        let all: Vec<String> = all.map(str::to_owned).to_vec();
        assert_eq!(usable(all.clone(), false), all[..4]);
        assert_eq!(usable(all.clone(), true), all[..9]);
        let many: Vec<String> = (1..40).map(|port| format!("/ip4/203.0.114.7/tcp/{port}/p2p/12D3Koo")).collect();
        assert_eq!(usable(many, false).len(), 20);
    }
}
