//! Where a node listens when nobody says where: on the port that IPFS nodes have, or on the next one that is free.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

/// The port of IPFS nodes (Kubo's `Addresses.Swarm`).
pub const DEFAULT_PORT: u16 = 4001;
/// So many ports after it are tried, so that the port is the same at the next start.
const MAX_TRIED_PORTS: u16 = 20;

/// Every address of this machine on one port, TCP and QUIC, and that port: another one than [`DEFAULT_PORT`] where a program has
/// that already, such as a Kubo beside this one.
pub fn default_addresses() -> (Vec<String>, u16) {
    let port = (DEFAULT_PORT..DEFAULT_PORT + MAX_TRIED_PORTS).find(|port| is_free(*port)).unwrap_or(0);
    let addresses = ["/ip4/0.0.0.0", "/ip6/::"].into_iter();
    (addresses.flat_map(|ip| [format!("{ip}/tcp/{port}"), format!("{ip}/udp/{port}/quic-v1")]).collect(), port)
}

/// The first of these multiaddrs whose port another program has. One without an address or a port of this machine is none.
pub fn taken(addresses: &[String]) -> Option<&String> {
    addresses.iter().find(|address| {
        let parts: Vec<&str> = address.split('/').skip(1).collect();
        let ["ip4" | "ip6", ip, kind @ ("tcp" | "udp"), port, ..] = parts.as_slice() else { return false };
        let (Ok(ip), Ok(port)) = (ip.parse::<IpAddr>(), port.parse::<u16>()) else { return false };
        let failed =
            if *kind == "tcp" { TcpListener::bind((ip, port)).err() } else { UdpSocket::bind((ip, port)).err() };
        failed.is_some_and(|error| error.kind() == ErrorKind::AddrInUse)
    })
}

/// Whether nobody listens on it. libp2p could not say: it shares a port with others that do so, too.
fn is_free(port: u16) -> bool {
    let is_taken = |error: &std::io::Error| error.kind() == ErrorKind::AddrInUse;
    [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()].into_iter().all(|ip| {
        let tcp = TcpListener::bind((ip, port)).err();
        let udp = UdpSocket::bind((ip, port)).err();
        !tcp.iter().chain(&udp).any(is_taken)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_has_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (tcp, udp) = (port, socket.local_addr().unwrap().port());
        assert!(!is_free(udp));
        let addresses = [
            "/dns/localhost/tcp/1".to_owned(),
            "/ip4/127.0.0.1/tcp/0".to_owned(),
            format!("/ip4/127.0.0.1/udp/{udp}/quic-v1"),
            format!("/ip4/0.0.0.0/tcp/{tcp}"),
        ];
        assert_eq!(taken(&addresses[..2]), None);
        assert_eq!(taken(&addresses), Some(&addresses[2]));
        assert_eq!(taken(&addresses[3..]), Some(&addresses[3]));
    }

    #[test]
    fn all_addresses_have_one_port() {
        let (addresses, port) = default_addresses();
        assert_eq!(addresses.len(), 4);
        assert!(addresses.iter().all(|address| address.contains(&format!("/{port}"))), "{addresses:?}");
    }
}
