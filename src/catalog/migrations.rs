//! The steps from an empty file to today's schema. One that was released is never changed: what follows it is a new one.

/// Each migration brings the schema from its index to the next number (`PRAGMA user_version`).
pub(super) const MIGRATIONS: [&str; 21] = [
    include_str!("migrations/0001_catalog.sql"),
    include_str!("migrations/0002_follows_and_indexes.sql"),
    include_str!("migrations/0003_images_on_pages.sql"),
    include_str!("migrations/0004_targets.sql"),
    include_str!("migrations/0005_undo.sql"),
    include_str!("migrations/0006_sources.sql"),
    include_str!("migrations/0007_blob_stamps.sql"),
    include_str!("migrations/0008_gone.sql"),
    include_str!("migrations/0009_plain_http.sql"),
    include_str!("migrations/0010_rules.sql"),
    include_str!("migrations/0011_events.sql"),
    include_str!("migrations/0012_rule_images.sql"),
    include_str!("migrations/0013_own_node.sql"),
    include_str!("migrations/0014_follow.sql"),
    include_str!("migrations/0015_provided.sql"),
    include_str!("migrations/0016_host_objects.sql"),
    include_str!("migrations/0019_page_front.sql"),
    include_str!("migrations/0020_requests.sql"),
    include_str!("migrations/0021_upstreams.sql"),
    include_str!("migrations/0022_host_lists.sql"),
    include_str!("migrations/0023_blob_leaves.sql"),
];
