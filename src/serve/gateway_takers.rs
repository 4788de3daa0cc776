//! Who took how many bytes of blocks over HTTP, by address. Pure.

use std::collections::HashMap;

use super::peer::Peer;

/// Addresses that are counted one by one: some 50 bytes each. Of more, the one that took least makes room.
const MAX_ADDRESSES: usize = 1_000;

/// Bytes by address since the server began.
#[derive(Debug, Default)]
pub(super) struct GatewayTakers {
    bytes: HashMap<Peer, u64>,
    changed: bool,
}

impl GatewayTakers {
    /// So many bytes were sent to it.
    pub(super) fn count(&mut self, peer: Peer, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.changed = true;
        if let Some(known) = self.bytes.get_mut(&peer) {
            *known = known.saturating_add(bytes);
            return;
        }
        if self.bytes.len() >= MAX_ADDRESSES {
            let least = self.bytes.iter().min_by_key(|(_, bytes)| **bytes).map(|(peer, _)| *peer);
            least.and_then(|least| self.bytes.remove(&least));
        }
        self.bytes.insert(peer, bytes);
    }

    /// All of them, those that took most first, if something is new since this was asked last.
    pub(super) fn take_changed(&mut self) -> Option<Vec<(String, u64)>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let mut all: Vec<(Peer, u64)> = self.bytes.iter().map(|(peer, bytes)| (*peer, *bytes)).collect();
        all.sort_by(|one, other| (other.1, one.0).cmp(&(one.1, other.0)));
        Some(all.into_iter().map(|(peer, bytes)| (peer.to_string(), bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> Peer {
        Peer::of((std::net::Ipv4Addr::from_bits(0x0a00_0000 + number), 4001).into())
    }

    #[test]
    fn bytes_add_up_by_address() {
        let mut takers = GatewayTakers::default();
        assert_eq!(takers.take_changed(), None);
        for (number, bytes) in [(1, 5), (2, 7), (1, 3), (3, 0)] {
            takers.count(peer(number), bytes);
        }
        assert_eq!(takers.take_changed().unwrap(), [("10.0.0.1".to_owned(), 8), ("10.0.0.2".to_owned(), 7)]);
        assert_eq!(takers.take_changed(), None);
    }

    #[test]
    fn a_crowd_takes_no_more_memory_and_hides_nobody_who_took_much() {
        let mut takers = GatewayTakers::default();
        takers.count(peer(0), 1 << 40);
        for number in 1..2 * MAX_ADDRESSES as u32 {
            takers.count(peer(number), 1);
        }
        let all = takers.take_changed().unwrap();
        assert_eq!((all.len(), all[0].0.as_str()), (MAX_ADDRESSES, "10.0.0.0"));
    }
}
