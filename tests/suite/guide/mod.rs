//! README and guide: every command that a reader copies works, every link leads somewhere, and the pages that are made from the
//! program say what it says.
//!
//! Each page is followed from its beginning to its end on a machine of its own. In a page `<!-- file: NAME -->` stands above a block
//! that is saved, and `<!-- not run: REASON -->` above commands that can't be run here. `k51…` is the IPNS name of the registry
//! here, `bafy…` the root that the page published or exported first, and every `example.com` is on this machine.

mod json;
mod links;
mod markdown;
mod reader;

use std::path::{Path, PathBuf};

use markdown::Step;
use reader::Reader;

/// A file of the project.
fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text_of(path: &str) -> String {
    let file = at(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Does everything that a page says, in its order.
fn followed(page: &str) -> Reader {
    let text = text_of(page);
    let mut reader = Reader::of(&text);
    for line in markdown::steps(page, &text) {
        let what = match &line.step {
            Step::Save { name, .. } => name,
            Step::Type(text) => text,
        };
        reader.does(&format!("{page}, line {}: {what}", line.number), &line.step);
    }
    reader
}

macro_rules! pages {
    ($($test:ident $page:literal)*) => {
        /// The pages that are followed.
        const PAGES: &[&str] = &[$($page),*];
        $(#[test]
        fn $test() {
            followed($page);
        })*
    };
}

pages! {
    getting_started_works "docs/src/getting-started.md"
    curating_works "docs/src/curating.md"
    pulling_works "docs/src/pulling.md"
    publishing_works "docs/src/publishing.md"
    following_works "docs/src/following.md"
    air_gap_works "docs/src/air-gap.md"
    kubernetes_works "docs/src/kubernetes.md"
    operations_works "docs/src/operations.md"
}

#[test]
fn every_page_with_commands_is_followed() {
    for page in links::pages() {
        let has_commands = !markdown::steps(&page, &text_of(&page)).is_empty();
        assert_eq!(has_commands, PAGES.contains(&page.as_str()), "{page}: see `pages!` in tests/suite/guide/mod.rs");
    }
}

#[test]
fn every_command_of_the_readme_works() {
    let text = text_of("README.md");
    // An empty README, or one whose blocks are marked otherwise, must not pass.
    let typed: Vec<String> = markdown::steps("README.md", &text)
        .into_iter()
        .filter_map(|line| if let Step::Type(text) = line.step { Some(text) } else { None })
        .collect();
    for needed in ["cargo run --release -- demo", "roadstead add", "roadstead export", "roadstead serve", "podman pull"]
    {
        assert!(typed.iter().any(|line| line.starts_with(needed)), "the README has no `{needed}`");
    }
    assert!(text.lines().count() <= 150, "the README has more than 150 lines");
    let page = followed("README.md").page();
    assert!(page.contains("library/nginx"), "{page}");
}
