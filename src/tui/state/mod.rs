//! What each view remembers, and how it answers commands. No view draws here, and none asks anything by itself: what it
//! wants to know it says by `wants`.

mod asking;
pub mod decisions;
pub mod files;
pub mod following;
pub mod grouping;
pub mod image_page;
pub mod images;
pub mod job;
pub mod jobs;
pub mod listing;
pub mod log;
pub mod marks;
pub mod publish;
pub mod rule_tags;
pub mod rules;
pub mod standings;
pub mod stats;
pub mod tag_lists;
pub mod wait;
