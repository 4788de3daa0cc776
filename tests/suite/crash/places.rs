//! Data directories that are not there, are something else, or have odd names.

use super::local::Local;
use super::says;
use super::upstream::Upstream;
use crate::peers::finish;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

const ADD: [&str; 2] = ["add", "upstream/app:1"];
const EVERYTHING: [&[&str]; 7] = [
    &["list"],
    &["show", "x"],
    &["root"],
    &["stats"],
    &["verify"],
    &["gc", "--yes"],
    &["serve", "--listen", "127.0.0.1:0"],
];

#[test]
fn a_disk_that_is_not_mounted_is_no_empty_registry() {
    let (upstream, _) = Upstream::with_app();
    let roadstead = Local::new(&upstream);
    let data = roadstead.path("mnt/registry");
    let said = finish(&roadstead.command_on(&data, &ADD)).failure(1);
    says(&said, &["there is no directory", "/mnt`", "hint: Mount its disk", "`--data-dir`"]);
    for words in EVERYTHING {
        let said = finish(&roadstead.command_on(&data, words)).failure(4);
        says(&said, &["error: ", "mnt/registry", "hint: ", "--data-dir"]);
    }
    assert!(!roadstead.path("mnt").exists(), "nothing was made");
    // Nor where only the last part is missing, by those that do not add.
    let data = roadstead.path("new");
    for words in EVERYTHING {
        finish(&roadstead.command_on(&data, words)).failure(4);
    }
    assert!(!data.exists(), "nothing was made");
    finish(&roadstead.command_on(&data, &ADD)).success();
}

#[test]
fn a_file_is_no_data_directory() {
    let (upstream, _) = Upstream::with_app();
    let roadstead = Local::new(&upstream);
    let file = roadstead.path("config.toml");
    let before = std::fs::read(&file).expect("a file");
    for words in EVERYTHING.into_iter().chain([&ADD[..]]) {
        let ended = finish(&roadstead.command_on(&file, words));
        assert!([1, 4].contains(&ended.code), "{ended}");
        says(&ended.stderr, &["error: ", "config.toml", "is not a directory", "hint: ", "--data-dir"]);
    }
    assert_eq!(std::fs::read(&file).expect("a file"), before);
}

#[test]
fn no_name_is_no_data_directory() {
    let roadstead = crate::cli::Roadstead::new();
    let list = |name: &str| finish(&roadstead.command_on(Path::new(name), &["add", "upstream/app:1"]));
    let said = list("").failure(2);
    says(&said, &["error: the data directory's path is empty", "hint: ", "`--data-dir`"]);
    // An empty variable is none.
    let mut command = roadstead.command(&["root"]);
    command.env("ROADSTEAD_DATA_DIR", "").env("ROADSTEAD_CONFIG", "");
    says(&finish(&command).failure(4), &["/registry", "hint: `roadstead add REF`"]);
}

#[test]
fn a_data_directory_may_have_any_name() {
    let (upstream, _) = Upstream::with_app();
    let roadstead = Local::new(&upstream);
    roadstead.ok(&ADD);
    let root = roadstead.root();
    let home = roadstead.path("");
    std::fs::create_dir(home.join("target")).expect("a directory");
    std::os::unix::fs::symlink("target", home.join("link")).expect("a link");
    let odd = home.join(OsStr::from_bytes(b"odd \xff?#%41\n"));
    let relative = Path::new("relative");
    for data in [home.join("link").as_path(), relative, Path::new("./dotted/"), odd.as_path()] {
        let run = |words: &[&str]| finish(&roadstead.command_on(data, words));
        run(&ADD).success();
        assert_eq!(run(&["root"]).success().trim(), root, "{}", data.display());
        run(&["verify"]).success();
        run(&["export", "exported"]).success();
        run(&["remove", "upstream/app:1", "--yes"]).success();
        run(&["gc", "--yes"]).success();
        // What is said of it can steer no terminal.
        let said = run(&["show", "upstream/app:1"]).failure(4);
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
    }
    assert!(home.join("target/catalog.db").is_file() && home.join("relative/catalog.db").is_file());
    assert!(home.join("link").is_symlink());
    assert!(odd.join("catalog.db").is_file(), "under its own name");
}
