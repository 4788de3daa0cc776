//! Which leaf blocks a file has whose bytes are left where they are: what its inner nodes say, and no more than that.

use cid::Cid;

use super::body::required;
use crate::error::{Error, Kind, Result};
use crate::node::source::BlockSource;
use crate::unixfs::file::FileNode;
use crate::unixfs::{DAG_PB, Profile};

/// Most leaf blocks of a file whose bytes are left where they are: 32 MiB of digests, for at least 256 GiB. How many there are is
/// what a manifest claims, and a few nodes that link each other give any number of them.
const MAX_LEAVES: u64 = 1 << 20;

/// The size of a file, and the digests of its leaf blocks, by its inner nodes alone. Fails for a file that is not exactly
/// what this profile makes of it.
pub(super) async fn leaves(source: &dyn BlockSource, profile: Profile, cid: &Cid, size: u64) -> Result<Vec<[u8; 32]>> {
    let count = profile.leaf_count(size);
    if count > MAX_LEAVES {
        let words = format!("a file of {} is too large to be left where it is", crate::text::bytes(size));
        return Err(Error::new(Kind::Usage, words).hint("Leave out `--lazy`: then it is read whatever its size."));
    }
    let mut level = vec![*cid];
    let mut depth = 0;
    let mut covers = 1_u64;
    while covers < count {
        covers = covers.saturating_mul(profile.file_width() as u64);
        depth += 1;
    }
    for _ in 0..depth {
        let mut below = Vec::new();
        for cid in &level {
            if cid.codec() != DAG_PB {
                return Err(unlike(profile, cid));
            }
            let node = FileNode::parse(&required(source, cid).await?).map_err(|error| error.context(cid))?;
            below.extend(node.children.iter().map(|(link, _)| link.cid));
            if below.len() as u64 > count {
                return Err(unlike(profile, cid));
            }
        }
        level = below;
    }
    let digest = |cid: &Cid| <[u8; 32]>::try_from(cid.hash().digest()).map_err(|_| unlike(profile, cid));
    let leaves: Vec<[u8; 32]> = level.iter().map(digest).collect::<Result<_>>()?;
    match crate::unixfs::file::root(profile, size, &leaves) {
        Ok(link) if link.cid == *cid => Ok(leaves),
        _ => Err(unlike(profile, cid)),
    }
}

fn unlike(profile: Profile, cid: &Cid) -> Error {
    Error::new(Kind::Verification, format!("the file {cid} was not made with profile {profile}"))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;

    /// Nobody may be asked.
    #[derive(Debug)]
    struct Nobody;

    #[async_trait]
    impl BlockSource for Nobody {
        fn place(&self) -> String {
            "nowhere".to_owned()
        }

        async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
            panic!("{cid} was asked for")
        }
    }

    #[tokio::test]
    async fn no_number_of_leaves_is_believed_that_a_manifest_claims() {
        let cid = crate::unixfs::file::of_bytes(Profile::V1_2025, b"x").0.cid;
        for profile in Profile::ALL {
            let error = leaves(&Nobody, profile, &cid, u64::MAX / 2).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains("too large"), "{error}");
        }
    }
}
