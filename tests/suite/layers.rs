//! Looking into an image, beside GNU tar: what its layers hold is what tar lists, and a file that is saved is what tar unpacks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;

use crate::cli::Roadstead;
use crate::images::{Layout, digest, gzipped};
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::{Directory, command, finish, program};

/// Everything that a file system has, and names that are long or odd.
fn fill(tree: &Path) {
    let deep = "a-directory-with-a-long-name/".repeat(5);
    fs::create_dir_all(tree.join(&deep)).unwrap();
    fs::create_dir_all(tree.join("etc/empty")).unwrap();
    fs::write(tree.join(&deep).join("file"), "deep").unwrap();
    fs::write(tree.join("etc/motd"), "hello\n").unwrap();
    fs::write(tree.join("etc/ünïcode and spaces"), vec![b'x'; 100_000]).unwrap();
    fs::write(tree.join("etc/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(tree.join("etc/run"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(tree.join("etc/empty"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::hard_link(tree.join("etc/motd"), tree.join("etc/same")).unwrap();
    symlink("../etc/run", tree.join("etc/link")).unwrap();
    symlink(format!("/{deep}file"), tree.join("far")).unwrap();
}

/// `rwsr-xr-t` as a number.
fn mode_of(letters: &str) -> u32 {
    letters.chars().enumerate().fold(0, |mode, (place, letter)| {
        let bit = 1 << (8 - place as u32);
        let special = [0o4000, 0o2000, 0o1000][place / 3];
        mode | match letter {
            '-' => 0,
            's' | 't' => bit | special,
            'S' | 'T' => special,
            _ => bit,
        }
    })
}

/// What `tar -tv` says of each path: kind, permissions, owner, group, size, target.
type Listed = BTreeMap<String, (char, u32, u64, u64, u64, Option<String>)>;

fn listed_by_tar(home: &Directory, archive: &Path) -> Listed {
    let mut tar = command(program("tar"), home.path());
    tar.args(["--numeric-owner", "--quoting-style=literal", "-tvf"]).arg(archive);
    let mut found = Listed::new();
    for line in finish(&tar).success().lines() {
        let mut rest = line;
        let mut word = || {
            let (word, after) = rest.trim_start().split_once(' ').unwrap();
            rest = after;
            word
        };
        let (mode, owner, size) = (word(), word(), word());
        let _ = (word(), word());
        let (path, target) = match rest.split_once(" -> ").or_else(|| rest.split_once(" link to ")) {
            Some((path, target)) => (path, Some(target.trim_start_matches("./").to_owned())),
            None => (rest, None),
        };
        let path = path.trim_start_matches("./").trim_matches('/');
        if path.is_empty() {
            continue;
        }
        let (uid, gid) = owner.split_once('/').unwrap();
        let kind = mode.chars().next().unwrap();
        let number = |text: &str| text.parse::<u64>().unwrap();
        let about = (kind, mode_of(&mode[1..]), number(uid), number(gid), number(size), target);
        found.insert(path.to_owned(), about);
    }
    found
}

fn listed_here(document: &Value) -> Listed {
    let of = |entry: &Value| {
        let kind = match entry["type"].as_str().unwrap() {
            "file" => '-',
            "directory" => 'd',
            "symlink" => 'l',
            "hardlink" => 'h',
            other => panic!("{other}"),
        };
        let mode = u32::from_str_radix(entry["mode"].as_str().unwrap(), 8).unwrap();
        let number = |key: &str| entry[key].as_u64().unwrap();
        // The size of a directory here is that of what is in it.
        let size = if kind == 'd' { 0 } else { number("size") };
        let target = entry["link"].as_str().map(|target| target.trim_start_matches("./").to_owned());
        (entry["path"].as_str().unwrap().to_owned(), (kind, mode, number("uid"), number("gid"), size, target))
    };
    document["entries"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn files_are_what_tar_lists_and_unpacks() {
    for format in ["gnu", "posix"] {
        let home = Directory::new();
        let tree = home.make("tree");
        fill(&tree);
        let archive = home.join("layer.tar");
        let mut tar = command(program("tar"), home.path());
        tar.args(["--owner=1000", "--group=3000000", "--sort=name"]).arg(format!("--format={format}"));
        finish(tar.arg("-C").arg(&tree).arg("-cf").arg(&archive).arg(".")).success();
        let bytes = fs::read(&archive).unwrap();
        let registry = DockerRegistry::plain();
        registry.push(&Layout::of_layer(&gzipped(&bytes), &digest(&bytes), &serde_json::json!({})), "1", "app");
        let roadstead = Roadstead::new();
        roadstead.add(&format!("{}/app:1", registry.host()));
        let image = format!("{}/app:1", registry.published());
        let shown = roadstead.json(&["show", &image, "--files"]);
        assert_eq!(listed_here(&shown), listed_by_tar(&home, &archive), "{format}");
        assert_eq!(shown["wasted"], 0);
        // As text, too, and below a directory.
        let text = roadstead.ok(&["show", &image, "--files", "--path", "/etc"]);
        assert!(text.contains("etc/ünïcode and spaces") && !text.contains("a-directory"), "{text}");
        // Links lead within the image.
        for (path, original) in
            [("etc/motd", "etc/motd"), ("etc/same", "etc/motd"), ("etc/link", "etc/run"), ("far", "far")]
        {
            let original = if original == "far" { "deep".into() } else { fs::read(tree.join(original)).unwrap() };
            let out = finish(&roadstead.command(&["show", &image, "--save", path, "--to", "-"]));
            assert_eq!((out.code, out.stdout.as_bytes()), (0, original.as_slice()), "{out}");
        }
        let to = home.join("saved").display().to_string();
        roadstead.ok(&["show", &image, "--save", "/etc/run", "--to", &to]);
        assert_eq!(fs::read(&to).unwrap(), b"#!/bin/sh\n");
        let again = roadstead.run(&["show", &image, "--save", "/etc/run", "--to", &to]);
        assert!(again.code == 2 && again.stderr.contains("is there already"), "{again}");
    }
}
