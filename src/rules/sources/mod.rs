//! Living sources: the images that files name.
//!
//! Pure: text in, references out. What names no image, or one that only another program knows, is left out with the reason; what
//! is wrong is an error. Knows no file, no program and no rule.

mod compose;
mod dockerfile;
mod environment;
mod found;
mod instructions;
mod kubernetes;
mod list;
mod variables;

pub use compose::compose;
pub use dockerfile::dockerfile;
pub use environment::environment;
pub use found::{Found, MAX_IMAGES, Named, Skipped};
pub use kubernetes::kubernetes;
pub use list::list;

#[cfg(test)]
mod tests;
