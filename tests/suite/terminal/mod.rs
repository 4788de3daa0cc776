//! The terminal interface as a user has it: the built program on a real pseudo-terminal, with an emulator behind it.
//!
//! What goes wrong on terminals goes wrong here: modes that stay on, a screen that is pulled away, queries nobody answers.

mod behaviour;
mod emulator;
mod following;
mod lending;
mod looking;
mod rules;
pub(crate) mod session;
mod story;

use crate::cli::Roadstead;
use crate::peers::Directory;
pub(crate) use emulator::Terminal;
use roadstead::registry::memory::ImageBuilder;
use session::Session;

/// One with an image, which came from a directory.
fn with_image() -> (Roadstead, Directory) {
    let layout = Directory::new();
    let image = ImageBuilder::new("linux/amd64".parse().expect("a platform"))
        .layer(&[("etc/motd", b"hello\n")])
        .entrypoint(&["/bin/sh"])
        .build();
    for (path, bytes) in image.layout(&[("org.opencontainers.image.ref.name", "1")]) {
        let file = layout.join(&path);
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        std::fs::write(file, bytes).expect("a file");
    }
    let roadstead = Roadstead::new();
    let source = format!("oci:{}:1", layout.path().display());
    for name in ["team/app:1", "team/second:1"] {
        roadstead.ok(&["add", &source, "--as", name]);
    }
    (roadstead, layout)
}

/// The interface on it, at this size, with these variables.
fn open(roadstead: &Roadstead, size: (u16, u16), variables: &[(&str, &str)]) -> Session {
    let mut command = roadstead.command(&[]);
    command.env("TERM", "xterm-256color").envs(variables.iter().copied());
    Session::start(&command, size)
}
