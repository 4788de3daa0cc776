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
//! | [`records`] | the records for programs |

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

pub use index_page::{index_page, repositories_page};
pub use repository_page::{repository_page, tags_page};
pub use rows::{Gateway, IndexRow, Listing, PageLink, PlatformRow, ReferrerRow, RepositoryRow, TagRow, rows};

/// The version of everything that is generated here. Whoever changes one published byte changes it, so that a release
/// never changes a root unasked.
pub const SITE_VERSION: u32 = 1;

/// The look of the pages: the root's `style.css`.
pub const STYLE: &str = include_str!("../../assets/style.css");

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The registry's name: the host that clients pull from, if it has been set.
    pub name: Option<String>,
}

impl Head {
    /// What stands for the host in the commands to pull.
    pub fn host(&self) -> &str {
        self.name.as_deref().unwrap_or("HOST")
    }
}

#[cfg(test)]
mod tests;
