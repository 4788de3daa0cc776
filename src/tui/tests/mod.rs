//! The interface without a terminal: pictures of its views, and random messages.

mod adding;
mod commands;
mod comparing;
mod elsewhere;
mod files;
mod finding;
mod following;
mod looking;
mod menus;
mod own_node;
mod panes;
mod pictures;
mod pointing;
mod publication;
mod pulling;
mod random;
mod rules;
mod rules_typed;
mod rules_waiting;
mod story;
mod targets;
mod tree;
mod typing;
mod watching;
mod world;
