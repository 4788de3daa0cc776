//! Bitswap 1.2.0 (specs.ipfs.tech/bitswap-protocol): blocks by CID, given out and asked for.
//!
//! [`Behaviour`] knows who is connected; everything of one connection is in its [`handler`].

mod answer;
mod behaviour;
mod decode;
mod handler;
mod inbound;
mod message;
mod outbound;
mod peer;
mod serving;
mod upload_rate;
mod wantlist;

pub(crate) use answer::MAX_ANSWER_BYTES;
pub(crate) use behaviour::{Behaviour, Event};
pub(crate) use message::{Ask, Want, WantType};
