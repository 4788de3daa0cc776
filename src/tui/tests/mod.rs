//! The interface without a terminal: pictures of its views, and random messages.

mod commands;
mod pictures;
mod random;
mod story;
mod world;
