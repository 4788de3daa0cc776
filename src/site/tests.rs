//! The site as a whole: determinism, hostile text, links that resolve, and how little a change rewrites.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::image::{Digest, RepositoryName, media};

const CID: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn index_row(text: &str, tags: u64, platforms: &[&str]) -> IndexRow {
    IndexRow {
        name: name(text),
        alias: text.strip_prefix("library/").map(name),
        tags,
        platforms: platforms.iter().map(|platform| (*platform).to_owned()).collect(),
        registry: Some(if text.starts_with("library/") { "docker.io" } else { "ghcr.io" }.to_owned()),
        newest: Some("1.27.5".parse().unwrap()),
        size: 187 << 20,
        description: text.ends_with("nginx").then(|| "A web server & proxy".to_owned()),
    }
}

fn repository(text: &str) -> RepositoryRow {
    RepositoryRow {
        name: name(text),
        alias: text.strip_prefix("library/").map(name),
        upstream: Some(format!("docker.io/{text}")),
        private: false,
        tags: 12,
        newest: Some("1.27.5".parse().unwrap()),
        description: text.ends_with("nginx").then(|| "A web server & proxy".to_owned()),
        example: Some("latest".parse().unwrap()),
    }
}

fn platform(text: &str, gateway: Gateway) -> PlatformRow {
    PlatformRow {
        platform: text.to_owned(),
        digest: Digest::of(text.as_bytes()),
        cid: CID.to_owned(),
        size: 43 << 20,
        configuration: Some(LayerRow { digest: Digest::of(b"configuration"), size: 7682 }),
        layers: vec![
            LayerRow { digest: Digest::of(b"layer"), size: 29 << 20 },
            LayerRow { digest: Digest::of(text.as_bytes()), size: 14 << 20 },
        ],
        gateway,
    }
}

fn tag(text: &str) -> TagRow {
    let gateway = |tag: &str| Gateway::Tag(tag.parse().unwrap());
    TagRow {
        tag: Some(text.parse().unwrap()),
        digest: Digest::of(text.as_bytes()),
        media_type: media::OCI_INDEX.to_owned(),
        cid: CID.to_owned(),
        artifact_type: None,
        created: Some("2024-11-26".to_owned()),
        same: vec!["1.27.5".to_owned(), "1.27".to_owned()],
        more_same: 0,
        platforms: vec![
            platform("linux/amd64", gateway(text)),
            platform("linux/arm64", gateway(&format!("{text}-arm64"))),
            platform("linux/riscv64", Gateway::Absent(schema1::Unsayable::Zstd.to_string())),
        ],
        left_out: vec!["linux/arm/v7".to_owned(), "linux/s390x".to_owned()],
        referrers: vec![ReferrerRow {
            kind: "cosign signature".to_owned(),
            digest: Digest::of(b"signature"),
            cid: CID.to_owned(),
            tag: Some("sha256-e3b0.sig".parse().unwrap()),
        }],
    }
}

fn artifact() -> TagRow {
    TagRow {
        tag: None,
        media_type: media::OCI_MANIFEST.to_owned(),
        cid: "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn".to_owned(),
        artifact_type: Some("application/vnd.cncf.helm.config.v1+json".to_owned()),
        created: None,
        same: Vec::new(),
        platforms: Vec::new(),
        left_out: Vec::new(),
        referrers: Vec::new(),
        ..tag("chart")
    }
}

fn links(keys: &[&str]) -> Vec<PageLink> {
    keys.iter()
        .map(|key| PageLink { key: (*key).to_owned(), first: format!("{key}a"), last: format!("{key}z"), count: 64 })
        .collect()
}

fn named() -> Head {
    Head {
        name: Some("registry.example.org".to_owned()),
        description: Some("Images of the lab".to_owned()),
        site_version: SITE_VERSION,
    }
}

fn nameless() -> Head {
    Head { name: None, description: None, site_version: SITE_VERSION }
}

const TOTALS: Totals = Totals { repositories: 2, tags: 13, size: 374 << 20 };

/// One of every kind of page, as they are now.
fn all() -> Vec<File> {
    all_of(SITE_VERSION)
}

/// One of every kind of page, in this version.
fn all_of(site_version: u32) -> Vec<File> {
    let (named, nameless) = (Head { site_version, ..named() }, Head { site_version, ..nameless() });
    let mut tags = [tag("1.0"), tag("1.1")];
    tags.sort_by(|one, other| order(site_version)(&one.name(), &other.name()));
    let rows = [index_row("ghcr.io/org/app", 1, &[]), index_row("library/nginx", 12, &["linux/amd64", "linux/arm64"])];
    let (short, long) =
        (repository("library/nginx"), RepositoryRow { upstream: None, private: true, ..repository("a") });
    let none = RepositoryRow { example: None, newest: None, tags: 0, ..repository("b") };
    let between = Neighbours { newer: Some("0".to_owned()), older: Some("0aff".to_owned()) };
    vec![
        index_page(&named, &TOTALS, &Listing::Rows(&rows)),
        repositories_page(&named, "00ff", &rows),
        repository_page(&named, &short, &[tag("latest"), artifact()], &[]),
        repository_page(&nameless, &long, &[tag("2.0")], &links(&["0", "00ff"])),
        repository_page(&named, &none, &[], &[]),
        tags_page(&named, &long, "00ff", &between, &tags),
    ]
}

#[test]
fn the_pages() {
    show_pages(SITE_VERSION, "");
}

/// Published bytes: these snapshots never change.
#[test]
fn the_pages_of_version_1() {
    show_pages(1, "version1__");
    assert_eq!(
        Digest::of(style(1).as_bytes()).to_string(),
        "sha256:82f8b0adaf8164567f0dc437e1407dcac2a448d5f83fa5c05d9fdebcbafde758"
    );
}

fn show_pages(site_version: u32, prefix: &str) {
    let (named, nameless) = (Head { site_version, ..named() }, Head { site_version, ..nameless() });
    let mut files = all_of(site_version);
    files.push(File {
        path: "index-of-pages".to_owned(),
        ..index_page(&nameless, &TOTALS, &Listing::Pages(&links(&["0", "00ff"])))
    });
    files.push(File {
        path: "index-of-nothing".to_owned(),
        ..index_page(&named, &Totals::default(), &Listing::Rows(&[]))
    });
    for file in files {
        insta::assert_snapshot!(
            format!("{prefix}{}", file.path.replace('/', "__")),
            String::from_utf8(file.bytes).unwrap()
        );
    }
}

/// Values of an attribute in a page of ours.
fn attributes<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    page.split(start.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// Where a relative link on the page at `from` leads, below the root.
fn resolved(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        if part == ".." {
            assert!(parts.pop().is_some(), "`{link}` on {from} leads out of the tree");
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[test]
fn links_are_relative_and_lead_to_what_is_published() {
    let files = all();
    let long = repository("a");
    let mut published: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    published.extend([paths::STYLE_CSS, paths::CATALOG_JSON].map(str::to_owned));
    published.extend([
        paths::tags_page(&long.name, "0"),
        paths::tags_page(&long.name, "0aff"),
        paths::repository_page(&name("ghcr.io/org/app")),
    ]);
    for file in &files {
        let page = std::str::from_utf8(&file.bytes).unwrap();
        assert!(attributes(page, "src").is_empty());
        for link in attributes(page, "href") {
            if link == "data:," {
                continue;
            }
            assert!(!link.starts_with('/') && !link.contains("://"), "{link}");
            let target = resolved(&file.path, link);
            // A blob in both views, a manifest in the native one.
            if target.starts_with("v2/") && target.contains("/blobs/sha256:")
                || target.starts_with("oci/v2/") && target.contains("/manifests/sha256:")
            {
                continue;
            }
            assert!(published.contains(&target), "`{link}` on {} leads to {target}", file.path);
        }
    }
}

#[test]
fn every_page_is_deterministic_and_well_formed() {
    assert_eq!(all(), all());
    for file in all() {
        let page = String::from_utf8(file.bytes).unwrap();
        well_formed(&page);
    }
}

/// Every element that is opened is closed, in order.
fn well_formed(page: &str) {
    let mut open = Vec::new();
    let (before, rest) = page.split_once("<script>").unwrap();
    let (script, after) = rest.split_once("</script>").unwrap();
    assert!(
        [&scripts::LIST, &scripts::REPOSITORY, &scripts::ATTACHED]
            .iter()
            .any(|own| own.text == script && before.contains(&own.source))
    );
    let markup = [before, after].concat();
    for piece in markup.split('<').skip(1) {
        let (element, _) = piece.split_once('>').unwrap_or_else(|| panic!("`<{piece}` is not closed"));
        let element_name = element.split(' ').next().unwrap();
        if let Some(closed) = element_name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !matches!(element_name, "!doctype" | "meta" | "link" | "br" | "input") {
            open.push(element_name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_moved_tag_changes_one_page_of_a_long_list() {
    let tags: Vec<TagRow> = (0..10_000).map(|number| tag(&format!("v{number:05}"))).collect();
    let row = repository("library/nginx");
    let build = |tags: &[TagRow]| -> BTreeMap<String, Vec<u8>> {
        let names: Vec<String> = tags.iter().map(TagRow::name).collect();
        let list: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(tags.iter().map(TagRow::rows)).collect();
        let spans = paging::pages(&list);
        let pages: Vec<PageLink> = spans
            .iter()
            .map(|span| PageLink {
                key: span.key.clone(),
                first: names[span.names.start].clone(),
                last: names[span.names.end - 1].clone(),
                count: span.names.len() as u64,
            })
            .collect();
        let key = |at: usize| spans.get(at).map(|span| span.key.clone());
        let mut files = vec![repository_page(&named(), &row, &tags[spans[0].names.clone()], &pages)];
        files.extend(spans.iter().enumerate().map(|(at, span)| {
            let neighbours = Neighbours { newer: at.checked_sub(1).and_then(key), older: key(at + 1) };
            tags_page(&named(), &row, &span.key, &neighbours, &tags[span.names.clone()])
        }));
        files.into_iter().map(|file| (file.path, file.bytes)).collect()
    };
    let before = build(&tags);
    assert!(before.len() > 100 && before.values().all(|bytes| bytes.len() < 400_000));
    let mut moved = tags.clone();
    moved[4_321].digest = Digest::of(b"moved");
    let after = build(&moved);
    let changed: Vec<&String> =
        after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).map(|(path, _)| path).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(changed[0].starts_with("repositories/library/nginx/_tags-"));
    assert_eq!(before.len(), after.len());
}

proptest! {
    /// Whatever a registry says, a page has the same elements as one about plain words, and nothing invisible in it.
    #[test]
    fn hostile_text_stays_text(text in "\\PC{0,40}|[<>\"'&/a=\\x00-\\x20\u{202e}\u{200b}]{0,40}") {
        let page = |text: &str| {
            let mut row = tag("latest");
            row.platforms.push(platform(text, Gateway::Absent(text.to_owned())));
            row.left_out.push(text.to_owned());
            row.referrers.push(ReferrerRow { kind: text.to_owned(), ..row.referrers[0].clone() });
            row.artifact_type = Some(text.to_owned());
            row.cid = format!("{text}X");
            row.same.push(text.to_owned());
            row.created = Some(text.to_owned());
            let said = Some(text.to_owned());
            let about = RepositoryRow { upstream: said.clone(), description: said.clone(), ..repository("a/b") };
            let head = Head { name: Some(text.to_owned()), description: Some(text.to_owned()), ..named() };
            let platforms = vec![text.to_owned()];
            let index = IndexRow { platforms, registry: said.clone(), description: said, ..index_row("a/b", 1, &[]) };
            let pages = [
                repository_page(&head, &about, &[row], &[]),
                index_page(&head, &TOTALS, &Listing::Rows(&[index])),
            ];
            pages.map(|file| String::from_utf8(file.bytes).unwrap())
        };
        let shape = |page: &str| page.split('<').skip(1).map(|piece| piece.split(['>', ' ']).next().unwrap().to_owned()).collect::<Vec<_>>();
        for (hostile, plain) in page(&text).iter().zip(page("plain")) {
            well_formed(hostile);
            prop_assert_eq!(shape(hostile), shape(&plain));
            let hostile = hostile.split("<script>").next().unwrap();
            let hidden = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
            prop_assert!(!hostile.contains(hidden));
        }
    }
}

#[test]
fn the_web_server_configurations_know_every_type() {
    for configuration in [NGINX, NGINX_GATEWAY, CADDYFILE] {
        for (media_type, slug) in media::MANIFEST_TYPES {
            assert!(configuration.contains(media_type) && configuration.contains(slug), "{slug}");
        }
    }
}
