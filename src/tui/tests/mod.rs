//! The interface without a terminal: pictures of its views, and random messages.

mod pictures;
mod publication;
mod random;
mod story;
mod world;
