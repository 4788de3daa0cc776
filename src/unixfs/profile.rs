//! The two ways to cut files into blocks (IPIP-499, "UnixFS CID profiles").

/// How files become blocks and CIDs; chosen once per catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `unixfs-v1-2025`: raw leaves of 1 MiB.
    V1_2025,
    /// `unixfs-v0-2015`: leaves of 256 KiB, framed as dag-pb files.
    V0_2015,
}

impl Profile {
    /// Bytes of a file in one leaf.
    pub const fn chunk_size(self) -> usize {
        match self {
            Self::V1_2025 => 1 << 20,
            Self::V0_2015 => 1 << 18,
        }
    }

    /// Links in one node of a file.
    pub const fn file_width(self) -> usize {
        match self {
            Self::V1_2025 => 1024,
            Self::V0_2015 => 174,
        }
    }
}
