//! Publishing on real parts: a registry, Kubo, an authoritative server that takes signed updates, DNS over HTTPS, podman.
//!
//! Knows the command line and what the world sees. Must not know the program's inside.

mod broken;
mod story;
mod world;
