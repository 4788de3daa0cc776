//! Giving out what is being taken: blocks of a root that a follower has not wholly yet go to other followers as soon as they are
//! verified, so that many that begin at once take from one another.
//!
//! | file | knows |
//! |---|---|
//! | `under_way` | which blocks a root that is being taken is known to consist of, which of them are here, and where |
//! | `shared_blocks` | that a block which comes from elsewhere is here from then on |

mod shared_blocks;
#[cfg(test)]
mod tests;
mod under_way;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use cid::Cid;

use crate::ipns::GatewayPort;

pub(in crate::engine) use shared_blocks::SharedBlocks;
pub use under_way::Coming;
pub(in crate::engine) use under_way::{FileUnderWay, Here, UnderWay};

/// What this process gives out of what it takes, and where.
#[derive(Debug, Default)]
pub struct Spreading {
    served: RwLock<Option<Served>>,
    under_way: RwLock<Option<Arc<UnderWay>>>,
}

/// Where this process gives out blocks over HTTP.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Served {
    pub(in crate::engine) gateway: GatewayPort,
    /// Only programs of this machine reach it.
    pub(in crate::engine) only_here: bool,
}

impl Spreading {
    /// Says where this process gives out blocks over HTTP, from now on.
    pub fn serves(&self, gateway: GatewayPort, ip: IpAddr) {
        *self.served.write().unwrap_or_else(PoisonError::into_inner) =
            Some(Served { gateway, only_here: ip.to_canonical().is_loopback() });
    }

    pub(in crate::engine) fn served(&self) -> Option<Served> {
        *self.served.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out of this root what is here of it, from now on. It has to be one that was signed by the name that is followed.
    pub(in crate::engine) fn begin(&self, under_way: Arc<UnderWay>) {
        self.put(Some(under_way));
    }

    /// Gives out nothing of the root that was taken any more, unless another one is taken by now.
    pub(in crate::engine) fn end(&self, root: &Cid) {
        if self.under_way().is_some_and(|under_way| under_way.root() == root) {
            self.put(None);
        }
    }

    fn put(&self, under_way: Option<Arc<UnderWay>>) {
        let mut current = self.under_way.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, under_way);
        if let Some(before) = before {
            before.end();
        }
    }

    /// The root that is being taken, with what is here of it.
    pub(in crate::engine) fn under_way(&self) -> Option<Arc<UnderWay>> {
        self.under_way.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
