//! The roots of known content: a release never changes published bytes unasked.
//!
//! Whatever moves inside, these stay: each version of the site has its own.

use roadstead::registry::memory::{Image, ImageBuilder, IndexBuilder};

use crate::cli::Roadstead;
use crate::peers::Directory;

/// What each profile makes of the content under each version of the site, the newest first.
const ROOTS: [(&str, [(&str, &str); 2]); 2] = [
    (
        "unixfs-v1-2025",
        [
            ("2", "bafybeifdyzcumw55oo4rjyphraip3yzzbb5iz6xjuiykldbmogcgmfk5e4"),
            ("1", "bafybeigd5wsn53x2dxfld5grld2ydwx3cqxu3upx2k7hft5zuw7ygkczkq"),
        ],
    ),
    (
        "unixfs-v0-2015",
        [
            ("2", "QmNYBdWsmGoqce65eLXr4maZtMncSazv1ktybZzRExLaQA"),
            ("1", "QmdwN7TtD4ZYxyRvbBUMbsnEGxjLNDSWYDRqBEdieo4afL"),
        ],
    ),
];

fn image(platform: &str, content: &str) -> Image {
    // Nothing is compressed, so that no library's idea of compression is in the bytes.
    ImageBuilder::new(platform.parse().expect("a platform"))
        .raw_layer(&[("etc/motd", content.as_bytes()), ("bin/app", &vec![7; 300_000])])
        .raw_layer(&[("etc/conf", b"same for all\n")])
        .entrypoint(&["/bin/app"])
        .env("A=b")
        .label("org.example.purpose", "golden")
        .build()
}

fn write(image: &Image, tag: &str) -> Directory {
    let layout = Directory::new();
    for (path, bytes) in image.layout(&[("org.opencontainers.image.ref.name", tag)]) {
        let file = layout.join(&path);
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        std::fs::write(file, bytes).expect("a file");
    }
    layout
}

#[test]
fn the_roots_of_known_content_stay() {
    let index = IndexBuilder::new()
        .image(image("linux/amd64", "one\n"))
        .image(image("linux/arm64/v8", "two\n"))
        .attestation()
        .build();
    let layouts = [write(&index, "1"), write(&image("linux/amd64", "three\n"), "2")];
    for (profile, expected) in ROOTS {
        let roadstead = Roadstead::with_profile(profile);
        let source = |place: usize, tag: &str| format!("oci:{}:{tag}", layouts[place].path().display());
        for (place, tag, name) in [
            (0, "1", "registry.example/team/app:1"),
            (1, "2", "registry.example/team/app:2"),
            (1, "2", "docker.io/library/motd:latest"),
        ] {
            roadstead.ok(&["add", "--platform", "all", "--as", name, &source(place, tag)]);
        }
        roadstead.ok(&["config", "set", "default-platform", "linux/amd64"]);
        roadstead.ok(&["config", "set", "name", "mirror.example"]);
        // A new catalog has the newest; one that was made earlier keeps its own until it is set.
        let [(_, newest), _] = expected;
        assert_eq!(roadstead.root(), newest, "{profile}");
        for (version, root) in expected.into_iter().rev() {
            roadstead.ok(&["config", "set", "site-version", version]);
            assert_eq!(roadstead.root(), root, "{profile}, site version {version}");
            roadstead.ok(&["verify"]);
        }
    }
}
