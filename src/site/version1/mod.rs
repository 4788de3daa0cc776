//! The pages as version 1 of the tree has them, to the byte: a catalog keeps its version until it is set to another one.
//!
//! Nothing here changes any more; [`super`] says which version is written.

mod html;
mod index_page;
mod repository_page;

pub(super) use index_page::{index_page, repositories_page};
pub(super) use repository_page::{repository_page, tags_page};

/// The look of the pages.
pub(super) const STYLE: &str = include_str!("../../../assets/style-1.css");

const SITE_VERSION: u32 = 1;
