//! Which path serves which bytes: the published tree, both views of it, its pages for people and its records for programs.
//!
//! Pure: structs in, names and bytes out. Nothing here depends on the time, on chance or on the order of a map, so the same
//! catalog always gives the same tree. Knows the layout and what each generated file holds; must not know how CIDs are
//! computed, where blobs are, or the catalog.
//!
//! | file | says |
//! |---|---|
//! | [`paths`], [`conflict`] | the names in the tree, and which can't stand beside each other |
//! | [`objects`] | the keys of the tree on a static host, and in which order they go there |
//! | [`schema1`] | the gateway view's manifests |
//! | [`lists`] | tags, repositories and referrers as registries list them |
//! | [`paging`] | how long lists are cut into pages |
//! | [`index_page`](fn@index_page), [`repository_page`](fn@repository_page), … | the pages for people |
//! | `commands`, `scripts` | how to pull, for each client; what pages do in a browser that runs scripts |
//! | `version1` | the pages of catalogs that keep to an older version |
//! | [`records`] | the records for programs |

use std::cmp::Ordering;

use crate::image::natural;

mod commands;
pub mod conflict;
mod html;
mod index_page;
pub mod lists;
pub mod objects;
pub mod paging;
pub mod paths;
pub mod records;
mod repository_page;
mod rows;
pub mod schema1;
mod scripts;
mod tag_rows;
mod version1;

pub use index_page::{index_page, repositories_page};
pub use repository_page::{repository_page, tags_page};
pub use rows::{
    Gateway, IndexRow, LayerRow, Listing, Neighbours, PageLink, PlatformRow, ReferrerRow, RepositoryRow, TagRow,
    Totals, rows,
};

/// The newest version of everything that is generated here, which a new catalog begins with. Whoever changes one published byte
/// raises it, so that a release never changes a root unasked: a catalog keeps its version until it is set to another one.
///
/// | version | differs |
/// |---|---|
/// | 1 | [`paths::PING`] is empty: Kubo sends no empty block over bitswap, so no Kubo could give such a tree on whole. Pages are lists without a script, and tags are in the order of their bytes (`version1`). |
/// | 2 | [`paths::PING`] is what a registry answers: `{}`. Pages are a catalogue, and tags are in the order of [`natural::newest_first`]. |
pub const SITE_VERSION: u32 = 2;

/// Whether this program writes trees of that version, to the byte.
pub fn writes(site_version: u32) -> bool {
    (1..=SITE_VERSION).contains(&site_version)
}

/// Content of [`paths::PING`] in both views.
pub fn ping(site_version: u32) -> &'static [u8] {
    // With a line feed, so that it is not the OCI empty descriptor, which may be an upstream's blob.
    if site_version < 2 { b"" } else { b"{}\n" }
}

/// The look of the pages: the root's `style.css`.
pub fn style(site_version: u32) -> &'static str {
    if site_version < 2 { version1::STYLE } else { include_str!("../../assets/style.css") }
}

/// In which order the tags of a repository are on its pages and in its records.
pub fn order(site_version: u32) -> fn(&str, &str) -> Ordering {
    if site_version < 2 { |one, other| one.cmp(other) } else { natural::newest_first }
}

/// Configuration of nginx over an exported tree; the same whatever the tree holds.
pub const NGINX: &str = include_str!("../../assets/nginx.conf");

/// Configuration of nginx in front of an IPFS gateway; the same whatever the tree holds.
pub const NGINX_GATEWAY: &str = include_str!("../../assets/nginx-gateway.conf");

/// Configuration of Caddy over an exported tree; the same whatever the tree holds.
pub const CADDYFILE: &str = include_str!("../../assets/Caddyfile");

/// A generated file of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path below the root, without a leading slash.
    pub path: String,
    /// Content of the file, whole.
    pub bytes: Vec<u8>,
}

/// What every page needs to know of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The registry's name: the host that clients pull from, if it has been set.
    pub name: Option<String>,
    /// What the registry is for, if that has been set; untrusted text.
    pub description: Option<String>,
    /// Version of the tree that the page is in: at most [`SITE_VERSION`].
    pub site_version: u32,
}

impl Head {
    /// What stands for the host in the commands to pull.
    pub fn host(&self) -> &str {
        self.name.as_deref().unwrap_or("HOST")
    }
}

#[cfg(test)]
mod tests;
