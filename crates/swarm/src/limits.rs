//! What strangers may take of this machine. Knows nothing else of the crate.

/// Limits for all peers together and for each of them. The default suits a machine that does other things as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all. An eighth is kept for those that this node makes itself.
    pub connections: u32,
    /// Connections of one peer.
    pub connections_per_peer: u32,
    /// Wants of one peer that are not answered yet. Kubo has as many (`MaxQueuedWantlistEntriesPerPeer`).
    pub wants_per_peer: usize,
    /// Bytes of blocks that were read for one peer, or are coming in from it.
    pub bytes_per_peer: usize,
    /// Bytes of blocks that were read for all peers and have not left.
    pub bytes: usize,
    /// Bytes of blocks that may leave in a second, over all connections; 0 for no limit.
    pub upload_bytes_per_second: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_peer: 4,
            wants_per_peer: 1024,
            bytes_per_peer: 8 << 20,
            bytes: 48 << 20,
            upload_bytes_per_second: 0,
        }
    }
}

impl Limits {
    /// The same, but never so small that nothing could be served: one message of so many bytes has to fit in.
    pub(crate) fn at_least_usable(mut self, message_bytes: usize) -> Self {
        self.connections = self.connections.max(2);
        self.connections_per_peer = self.connections_per_peer.max(1);
        self.wants_per_peer = self.wants_per_peer.max(1);
        self.bytes_per_peer = self.bytes_per_peer.max(message_bytes);
        self.bytes = self.bytes.max(self.bytes_per_peer);
        self
    }
}
