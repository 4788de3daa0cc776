//! Layers made for the purpose: what they hold, what comes of them, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tar::{EntryType, Header};

use super::*;
use crate::error::Kind;
use crate::image::Digest;

/// What stands in an archive.
#[derive(Debug, Clone)]
enum Put {
    File(String, Vec<u8>),
    Directory(String, u32),
    Symlink(String, String),
    HardLink(String, String),
}

fn header(path: &str, kind: EntryType, size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..path.len().min(100)].copy_from_slice(&path.as_bytes()[..path.len().min(100)]);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(1000);
    header.set_gid(100);
    header
}

fn append(archive: &mut Vec<u8>, mut header: Header, bytes: &[u8]) {
    header.set_cksum();
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(bytes);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

fn linked(path: &str, kind: EntryType, target: &str) -> Header {
    let mut header = header(path, kind, 0, 0o777);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header
}

fn archive(puts: &[Put]) -> Vec<u8> {
    let mut archive = Vec::new();
    for put in puts {
        match put {
            Put::File(path, bytes) => {
                append(&mut archive, header(path, EntryType::Regular, bytes.len() as u64, 0o644), bytes);
            }
            Put::Directory(path, mode) => {
                append(&mut archive, header(&format!("{path}/"), EntryType::Directory, 0, *mode), b"");
            }
            Put::Symlink(path, target) => append(&mut archive, linked(path, EntryType::Symlink, target), b""),
            Put::HardLink(path, target) => append(&mut archive, linked(path, EntryType::Link, target), b""),
        }
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn file(path: &str, size: usize) -> Put {
    Put::File(path.to_owned(), vec![b'x'; size])
}

fn layer(puts: &[Put]) -> Arc<Layer> {
    Arc::new(Layer::read(archive(puts).as_slice()).unwrap())
}

fn tree(layers: &[&[Put]]) -> Tree {
    Tree::merge(layers.iter().map(|puts| layer(puts)).collect()).unwrap()
}

/// Paths that a stage shows, with a sign for what became of each and its size.
fn shown(tree: &Tree, layer: usize) -> Vec<String> {
    let stage = Stage::of(tree, layer);
    let sign = |state| match state {
        State::Absent => '?',
        State::Unchanged => '=',
        State::Added => '+',
        State::Changed => '~',
        State::Deleted => '-',
    };
    let line = |node| {
        let Standing { state, size } = stage.standing(node);
        format!("{} {} {size}", sign(state), tree.path(node))
    };
    tree.walk().filter(|node| stage.shows(*node)).map(line).collect()
}

#[test]
fn what_a_header_says() {
    let long = format!("usr/share/{}/file", "long/".repeat(40));
    let mut bytes = Vec::new();
    append(&mut bytes, header("x", EntryType::XGlobalHeader, 11, 0), b"11 a=bcdef\n");
    append(&mut bytes, header("./bin/", EntryType::Directory, 0, 0o1777), b"");
    append(&mut bytes, header("./bin/su", EntryType::Regular, 5, 0o4755), b"hello");
    append(&mut bytes, linked("bin/link", EntryType::Symlink, "../bin/su"), b"");
    append(&mut bytes, linked("bin/hard", EntryType::Link, "bin/su"), b"");
    append(&mut bytes, header("dev/null", EntryType::Char, 0, 0o666), b"");
    append(&mut bytes, header("", EntryType::GNULongName, long.len() as u64 + 1, 0), format!("{long}\0").as_bytes());
    append(&mut bytes, header("short", EntryType::Regular, 0, 0o600), b"");
    let pax = [&b"21 path=other/pa\xcc\x88th\n"[..], b"21 uid=4294967295000\n", b"9 size=3\n"].concat();
    append(&mut bytes, header("pax", EntryType::XHeader, pax.len() as u64, 0), &pax);
    append(&mut bytes, header("short", EntryType::Regular, 0, 0o600), b"abc");
    append(&mut bytes, header("bin/.wh.gone", EntryType::Regular, 0, 0o600), b"");
    append(&mut bytes, header("opt/.wh..wh..opq", EntryType::Regular, 0, 0o600), b"");
    append(&mut bytes, header(".wh..wh.plnk", EntryType::Regular, 0, 0o600), b"");
    append(&mut bytes, header("../../etc/passwd", EntryType::Regular, 1, 0o644), b"!");
    append(&mut bytes, header("/abs\u{1b}[2J", EntryType::Regular, 0, 0o644), b"");
    // No end: some programs leave it out.
    let layer = Layer::read(bytes.as_slice()).unwrap();
    let lines: Vec<String> = layer
        .entries
        .iter()
        .map(|entry| {
            let link = entry.link.as_ref().map(|link| format!(" -> {link}")).unwrap_or_default();
            let (number, permissions) = (entry.number, entry.permissions());
            format!("{number} {permissions} {}:{} {} {}{link}", entry.uid, entry.gid, entry.size, entry.path)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "0 drwxrwxrwt 1000:100 0 bin",
            "1 -rwsr-xr-x 1000:100 5 bin/su",
            "2 lrwxrwxrwx 1000:100 0 bin/link -> ../bin/su",
            "3 hrwxrwxrwx 1000:100 0 bin/hard -> bin/su",
            "4 crw-rw-rw- 1000:100 0 dev/null",
            &format!("5 -rw------- 1000:100 0 {}", long.replace("//", "/")),
            "6 -rw------- 4294967295000:100 3 other/pa\u{308}th",
            "10 -rw-r--r-- 1000:100 1 ../../etc/passwd",
            "11 -rw-r--r-- 1000:100 0 abs\u{1b}[2J",
        ]
    );
    assert_eq!(layer.entries[1].digest, Some(Digest::of(b"hello")));
    assert_eq!((&*layer.whiteouts[0], &*layer.opaque[0]), ("bin/gone", "opt"));
    let mut copied = Vec::new();
    Layer::copy(bytes.as_slice(), 6, |part| {
        copied.extend_from_slice(part);
        Ok(())
    })
    .unwrap();
    assert_eq!(copied, b"abc");
}

#[test]
fn sparse_files_have_their_true_size_and_no_digest() {
    let mut sparse = header("disk", EntryType::GNUSparse, 512, 0o644);
    let gnu = sparse.as_gnu_mut().unwrap();
    gnu.realsize[..11].copy_from_slice(b"00010000000");
    gnu.isextended = [1];
    let mut bytes = Vec::new();
    sparse.set_cksum();
    bytes.extend_from_slice(sparse.as_bytes());
    // One block more of the map, then 512 bytes of content.
    bytes.resize(bytes.len() + 1024, 0);
    append(&mut bytes, header("after", EntryType::Regular, 1, 0o644), b"1");
    let layer = Layer::read(bytes.as_slice()).unwrap();
    let of =
        |place: usize| (&*layer.entries[place].path, layer.entries[place].size, layer.entries[place].digest.is_some());
    assert_eq!((of(0), of(1)), (("disk", 1 << 21, false), ("after", 1, true)));
}

#[test]
fn every_limit_says_which_it_is() {
    let refused = |bytes: &[u8], files, paths| Layer::read_within(bytes, files, paths).unwrap_err();
    let three = archive(&[file("a", 1), file("b", 1), file("c", 1)]);
    assert_eq!(refused(&three, 2, 100).to_string(), "it has more than 2 files");
    assert_eq!(refused(&three, 9, 2).to_string(), "its paths have more than 2 B");
    let mut long = Vec::new();
    append(&mut long, header("", EntryType::GNULongName, 5000, 0), &[b'a'; 5000]);
    append(&mut long, header("short", EntryType::Regular, 0, 0o600), b"");
    assert!(refused(&long, 9, 10_000).to_string().starts_with("a path in it is longer than 4096 bytes: aaa"));
    let mut longer = Vec::new();
    append(&mut longer, header("", EntryType::XHeader, 2 << 20, 0), b"");
    assert_eq!(refused(&longer, 9, 100).to_string(), "a name in it is far too long");
    let pax = b"38 GNU.sparse.realsize=99999999999999\n".to_vec();
    let mut bytes = Vec::new();
    append(&mut bytes, header("pax", EntryType::XHeader, pax.len() as u64, 0), &pax);
    append(&mut bytes, header("disk", EntryType::Regular, 0, 0o600), b"");
    assert_eq!(refused(&bytes, 9, 100).to_string(), "a file in it has more than 64 GiB");
    assert_eq!(check_footprint(512 << 20).is_ok(), check_footprint((512 << 20) + 1).is_err());
    let deep = layer(&[file("a/b/c/d", 1)]);
    assert_eq!(Tree::merge_within(vec![deep.clone()], 3).unwrap_err().to_string(), "it has more than 3 paths");
    assert!(Tree::merge_within(vec![deep.clone()], 4).is_ok());
    assert_eq!(Tree::merge(vec![deep; 501]).unwrap_err().to_string(), "it has more than 500 layers");
}

#[test]
fn what_is_no_archive_or_is_cut_off_is_refused() {
    let bytes = archive(&[file("a", 2000)]);
    for (bytes, words) in [
        (
            &b"this is no tar archive, whatever its type says".repeat(20)[..512],
            "it is not a tar archive, or it is damaged",
        ),
        (&bytes[..1000], "it ends before one of its files does"),
        (&bytes[..300], "it ends before one of its files does"),
    ] {
        let error = Layer::read(bytes).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Verification, words));
    }
    assert_eq!(Layer::read(&b""[..]).unwrap(), Layer::default());
}

#[test]
fn layers_add_change_and_take_away() {
    let tree = tree(&[
        &[
            Put::Directory("etc".into(), 0o755),
            file("etc/a", 10),
            file("etc/b", 20),
            file("opt/x/y", 5),
            file("old/z", 7),
        ],
        &[
            file("etc/a", 12),
            file("etc/.wh.b", 0),
            file("etc/new", 1),
            file("opt/.wh..wh..opq", 0),
            file("opt/only", 3),
        ],
        &[file("etc/a", 12), file("old", 4), file(".wh.opt", 0), file("opt/again", 2)],
    ]);
    assert_eq!(
        shown(&tree, 0),
        ["+ etc 30", "+ etc/a 10", "+ etc/b 20", "+ old 7", "+ old/z 7", "+ opt 5", "+ opt/x 5", "+ opt/x/y 5"]
    );
    assert_eq!(
        shown(&tree, 1),
        [
            "~ etc 13",
            "~ etc/a 12",
            "- etc/b 20",
            "+ etc/new 1",
            "= old 7",
            "= old/z 7",
            "~ opt 3",
            "+ opt/only 3",
            "- opt/x 5",
            "- opt/x/y 5"
        ]
    );
    // A file that is written once more as it was is no change, but a waste.
    assert_eq!(
        shown(&tree, 2),
        ["= etc 13", "= etc/a 12", "= etc/new 1", "~ old 4", "- old/z 7", "~ opt 2", "+ opt/again 2", "- opt/only 3"]
    );
    let stage = Stage::of(&tree, 1);
    assert_eq!((stage.added, stage.changed, stage.deleted, stage.files), ((2, 4), (1, 12), (2, 25), (4, 23)));
    let (figures, waste) = tree.figures();
    let all = 10 + 20 + 5 + 7 + 12 + 1 + 3 + 12 + 4 + 2;
    assert_eq!((figures.files, figures.bytes, figures.layer_bytes), (4, 12 + 1 + 4 + 2, all));
    assert_eq!(figures.wasted, all - figures.bytes);
    // 10 of `etc/a`, and what is there once.
    assert!((figures.efficiency - f64::from(10 + 1 + 4 + 2) / all as f64).abs() < 1e-9);
    let worst = waste.first().unwrap();
    assert_eq!((tree.path(worst.node).as_str(), worst.bytes, worst.layers, worst.is_deleted), ("etc/a", 22, 3, false));
    assert!(waste.iter().any(|waste| tree.path(waste.node) == "etc/b" && waste.is_deleted));
}

#[test]
fn the_root_stays_a_directory() {
    let tree = tree(&[&[file("etc/a", 1)], &[file(".", 5), Put::Symlink("./".into(), "etc".into()), file("etc/b", 2)]]);
    assert_eq!(shown(&tree, 1), ["~ etc 3", "= etc/a 1", "+ etc/b 2"]);
}

#[test]
fn a_copy_under_another_path_counts_as_a_duplicate() {
    let (figures, _) =
        tree(&[&[file("a", 5), file("b", 5), file("c", 6), file("d", 0), file("e", 0)], &[file("f", 5)]]).figures();
    assert_eq!((figures.duplicates, figures.wasted), (10, 0));
    assert!((figures.efficiency - 1.0).abs() < f64::EPSILON);
}

#[test]
fn links_are_followed_within_the_image() {
    let link = |path: &str, target: &str| Put::Symlink(path.to_owned(), target.to_owned());
    let tree = tree(&[
        &[
            file("usr/lib/os-release", 3),
            link("etc/os-release", "../usr/lib/os-release"),
            link("lib", "usr/lib"),
            link("out", "../../../../usr/lib/os-release"),
            link("loop", "loop"),
            link("dangling", "/nowhere"),
            Put::HardLink("hard".into(), "usr/lib/os-release".into()),
        ],
        &[file("usr/lib/os-release", 4)],
    ]);
    let sizes =
        |path| [0, 1].map(|layer| tree.stored(path, layer).map(|stored| (stored.layer, stored.entry.size)).ok());
    for path in ["usr/lib/os-release", "/etc/os-release", "lib/os-release", "out", "./etc/../lib//os-release"] {
        assert_eq!(sizes(path), [Some((0, 3)), Some((1, 4))], "{path}");
    }
    // A hard link keeps what its layer has.
    assert_eq!(sizes("hard"), [Some((0, 3)); 2]);
    let refused = |path: &str| tree.stored(path, 1).unwrap_err().to_string();
    assert_eq!(refused("loop"), "loop leads through more than 40 links");
    assert_eq!(refused("dangling"), "there is no dangling in it");
    assert_eq!(refused("usr/lib"), "usr/lib is a directory");
    assert_eq!(refused("etc/os-release/more"), "there is no etc/os-release/more in it");
}

#[test]
fn commands_stand_beside_the_layers_they_made() {
    let configuration = br#"{"history":[{"created_by":"ADD rootfs"},{"created_by":"CMD x","empty_layer":true},
        {"comment":"from buildkit"}]}"#;
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(commands(configuration, 2), [said("ADD rootfs"), said("from buildkit")]);
    assert_eq!(commands(configuration, 3), [None, None, None]);
    assert_eq!(commands(b"no JSON", 1), [None]);
}

/// Unpacks a layer onto a directory, as a container engine does.
fn unpack(puts: &[Put], root: &Path) {
    let remove = |path: &Path| match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    };
    let split =
        |path: &str| path.rsplit_once('/').map_or((String::new(), path.to_owned()), |(a, b)| (a.into(), b.into()));
    // Whiteouts are about the layers below, so they come first.
    for put in puts {
        let Put::File(path, _) = put else { continue };
        let (directory, name) = split(path);
        if name == ".wh..wh..opq" {
            if let Ok(entries) = fs::read_dir(root.join(directory)) {
                entries.for_each(|entry| remove(&entry.unwrap().path()));
            }
        } else if let Some(gone) = name.strip_prefix(".wh.") {
            remove(&root.join(directory).join(gone));
        }
    }
    let make_directory = |directory: &str| {
        let mut at = root.to_owned();
        for part in directory.split('/').filter(|part| !part.is_empty()) {
            at.push(part);
            if !at.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                remove(&at);
                fs::create_dir(&at).unwrap();
            }
        }
    };
    for put in puts {
        match put {
            Put::File(path, bytes) if !split(path).1.starts_with(".wh.") => {
                make_directory(&split(path).0);
                remove(&root.join(path));
                fs::write(root.join(path), bytes).unwrap();
            }
            Put::File(..) | Put::HardLink(..) => {}
            Put::Directory(path, _) => make_directory(path),
            Put::Symlink(path, target) => {
                make_directory(&split(path).0);
                remove(&root.join(path));
                std::os::unix::fs::symlink(target, root.join(path)).unwrap();
            }
        }
    }
}

/// Paths below a directory with the sizes of files; links are not followed.
fn on_disk(root: &Path) -> BTreeMap<String, (char, u64)> {
    let (mut found, mut todo) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let kind = if metadata.is_dir() {
                'd'
            } else if metadata.is_symlink() {
                'l'
            } else {
                '-'
            };
            found.insert(name, (kind, if kind == '-' { metadata.len() } else { 0 }));
            if kind == 'd' {
                todo.push(path);
            }
        }
    }
    found
}

fn in_tree(tree: &Tree, layer: usize) -> BTreeMap<String, (char, u64)> {
    let of = |node| {
        let now = tree.at(node, layer)?;
        let kind = match now {
            Present::Entry(_, entry) => (entry.kind.letter(), entry.size),
            Present::Implied => ('d', 0),
        };
        Some((tree.path(node), kind))
    };
    tree.walk().filter_map(of).collect()
}

fn puts() -> impl Strategy<Value = Vec<Put>> {
    let path = || "[ab](/[ab]){0,3}";
    let put = prop_oneof![
        4 => (path(), 0..40_usize).prop_map(|(path, size)| file(&path, size)),
        2 => (path(), prop_oneof![Just(0o755), Just(0o700)]).prop_map(|(path, mode)| Put::Directory(path, mode)),
        1 => path().prop_map(|path| Put::Symlink(path, "nowhere".into())),
        2 => "([ab]/){0,3}\\.wh\\.[ab]".prop_map(|path| file(&path, 0)),
        1 => "([ab]/){0,3}\\.wh\\.\\.wh\\.\\.opq".prop_map(|path| file(&path, 0)),
    ];
    prop::collection::vec(put, 0..8)
}

proptest! {
    /// What the tree has as of each layer is what unpacking the layers up to it leaves on a disk; and the sums agree.
    #[test]
    fn merging_is_what_unpacking_leaves(layers in prop::collection::vec(puts(), 1..5)) {
        let tree = Tree::merge(layers.iter().map(|puts| layer(puts)).collect()).unwrap();
        let disk = tempfile::tempdir().unwrap();
        let mut former: BTreeMap<String, (char, u64)> = BTreeMap::new();
        for (number, puts) in layers.iter().enumerate() {
            unpack(puts, disk.path());
            let now = on_disk(disk.path());
            prop_assert_eq!(&in_tree(&tree, number), &now);
            let stage = Stage::of(&tree, number);
            for node in tree.walk() {
                let path = tree.path(node);
                let state = stage.standing(node).state;
                let (was, is) = (former.contains_key(&path), now.contains_key(&path));
                prop_assert_eq!(state == State::Added, !was && is, "{}", path);
                prop_assert_eq!(state == State::Deleted, was && !is, "{}", path);
                prop_assert_eq!(state == State::Absent, !was && !is, "{}", path);
                let below = |of: &BTreeMap<String, (char, u64)>| -> u64 {
                    let inside = format!("{path}/");
                    of.iter().filter(|(name, _)| **name == path || name.starts_with(&inside)).map(|(_, (_, size))| size).sum()
                };
                prop_assert_eq!(stage.standing(node).size, below(if is { &now } else { &former }), "{}", path);
            }
            let bytes: u64 = now.values().map(|(_, size)| size).sum();
            prop_assert_eq!(stage.standing(Tree::ROOT).size, bytes);
            prop_assert_eq!(stage.files.1, bytes);
            former = now;
        }
        let (figures, waste) = tree.figures();
        prop_assert_eq!(figures.bytes, former.values().map(|(_, size)| size).sum::<u64>());
        prop_assert_eq!(figures.wasted, waste.iter().map(|waste| waste.bytes).sum::<u64>());
        prop_assert_eq!(figures.layer_bytes, figures.bytes + figures.wasted);
        prop_assert!((0.0..=1.0).contains(&figures.efficiency));
    }

    /// Whatever bytes come, nothing panics, and what is read can be merged.
    #[test]
    fn nothing_in_an_archive_panics(puts in puts(), at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = archive(&puts);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(layer) = Layer::read(bytes.as_slice()) {
            let tree = Tree::merge(vec![Arc::new(layer)]).unwrap();
            let _ = (Stage::of(&tree, 0), tree.figures());
        }
    }
}
