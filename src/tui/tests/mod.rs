//! The interface without a terminal: pictures of its views, and random messages.

mod commands;
mod finding;
mod pictures;
mod pointing;
mod publication;
mod random;
mod story;
mod targets;
mod world;
