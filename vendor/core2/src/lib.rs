//! Every release of `core2` was yanked (RUSTSEC-2026-0105), and `ipfs-api-backend-hyper` still asks for it.
//! With `std`, which is all that this program needs, `core2` was nothing but these two modules.
pub use std::{error, io};
