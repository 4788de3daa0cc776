//! What the sample files of each program become, and that nothing in them is dropped without a word.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::rules::Subject;
use crate::rules::yaml::{Node, Value};

const SAMPLES: [(Format, &str); 9] = [
    (Format::Regsync, include_str!("../../../tests/samples/import/regsync.yml")),
    (Format::Skopeo, include_str!("../../../tests/samples/import/skopeo.yaml")),
    (Format::Zot, include_str!("../../../tests/samples/import/zot.json")),
    (Format::ImageSyncer, include_str!("../../../tests/samples/import/image-syncer.yaml")),
    (Format::ImageSyncer, include_str!("../../../tests/samples/import/image-syncer.json")),
    (Format::Dregsy, include_str!("../../../tests/samples/import/dregsy.yaml")),
    (Format::Imgpkg, include_str!("../../../tests/samples/import/images-lock.yml")),
    (Format::Zarf, include_str!("../../../tests/samples/import/zarf.yaml")),
    (Format::Hauler, include_str!("../../../tests/samples/import/hauler.yaml")),
];

fn sample(number: usize) -> Imported {
    import(SAMPLES[number].1, None).unwrap()
}

/// A rule a line.
fn rules(imported: &Imported) -> Vec<String> {
    let line = |rule: &crate::rules::Rule| {
        let mut line = rule.name.to_string();
        match &rule.subject {
            Subject::Sources(sources) => sources.iter().for_each(|source| {
                let _ = write!(line, " <- {source}");
            }),
            Subject::Repository { upstream, tags } => {
                let _ = write!(line, " <- {upstream}");
                tags.tags.iter().for_each(|tag| {
                    let _ = write!(line, " {tag}");
                });
                tags.except.iter().for_each(|tag| {
                    let _ = write!(line, " !{tag}");
                });
                if let Some(newest) = tags.newest {
                    let _ = write!(line, " newest {newest}");
                }
                if let Some(bound) = &tags.at_least {
                    let _ = write!(line, " >={bound}");
                }
                if let Some(bound) = &tags.below {
                    let _ = write!(line, " <{bound}");
                }
            }
        }
        if let Some(platforms) = &rule.platforms {
            let _ = write!(line, " on {platforms}");
        }
        if let Some(every) = rule.every {
            let _ = write!(line, " every {every}");
        }
        line
    };
    imported.rules.rules.iter().map(line).collect()
}

/// What is said of a setting.
fn said<'s>(imported: &'s Imported, item: &str) -> Vec<(Option<&'s str>, &'s str)> {
    let about = imported.said.iter().filter(|said| said.item == item);
    about.map(|said| (said.became.as_deref(), said.why.as_str())).collect()
}

/// The place of each value that has no others in it.
fn leaves(path: &str, node: &Node, found: &mut Vec<String>) {
    match &node.value {
        Value::List(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(number, item)| leaves(&format!("{path}[{number}]"), item, found));
        }
        Value::Map(entries) if !entries.is_empty() => {
            for (key, node) in entries {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(&path, node, found);
            }
        }
        // Nothing is in it that could be dropped.
        Value::List(_) | Value::Map(_) => {}
        Value::Null | Value::Scalar(_) => found.push(report::shown(path)),
    }
}

/// Values of which nothing is said.
fn unsaid(text: &str, imported: &Imported) -> Vec<String> {
    let documents = documents(text).unwrap();
    let mut found = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        let path = if documents.len() > 1 { format!("[{number}]") } else { String::new() };
        leaves(&path, document, &mut found);
    }
    let named = |leaf: &String, said: &Said| match leaf.strip_prefix(&said.item) {
        Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
        None => false,
    };
    found.retain(|leaf| !imported.said.iter().any(|said| named(leaf, said)));
    found
}

#[test]
fn every_value_of_a_file_is_used_or_named() {
    for (format, text) in SAMPLES {
        let imported = import(text, None).unwrap();
        assert_eq!(imported.format, format);
        assert_eq!(import(text, Some(format)).unwrap(), imported);
        assert_eq!(unsaid(text, &imported), [""; 0], "{format}: nothing is said of these");
        for said in &imported.said {
            assert!(!said.why.is_empty() && !said.item.is_empty(), "{format}: {said:?}");
            assert!(!format!("{said:?}").contains("hunter2"), "{format}: a credential in {said:?}");
        }
        for rule in &imported.rules.rules {
            if let Subject::Repository { tags, .. } = &rule.subject {
                assert_eq!(tags.fault(), None, "{format}: {rule:?}");
                assert!(!tags.tags.is_empty(), "{format}: {rule:?}");
            }
        }
    }
}

#[test]
fn what_has_the_wrong_shape_is_named() {
    for (format, text) in [
        (Format::Regsync, "sync: x"),
        (Format::Regsync, "[sync]"),
        (Format::Regsync, "defaults: [x]"),
        (Format::Regsync, "sync: [{source: a, type: repository, tags: x, tagSets: y}]"),
        (Format::Regsync, "sync: [{source: a, type: repository, tags: {allow: {a: b}, deny: [[c]]}}]"),
        (Format::Regsync, "sync: [{target: a}, x, {source: {a: b}, tags: {allow: [a]}}]"),
        (Format::Skopeo, "a.b: x"),
        (Format::Skopeo, "a.b: {images: x, images-by-semver: [a], images-by-tag-regex: {a: [b]}}"),
        (Format::Skopeo, "a.b: {images: {a: {b: c}}}"),
        (Format::Zot, "registries: x"),
        (
            Format::Zot,
            "registries: [{urls: {a: b}, content: x}, {content: [{prefix: a, tags: x}, {tags: {regex: a}}]}]",
        ),
        (Format::Zot, "extensions: {sync: x}"),
        (Format::ImageSyncer, "images: x"),
        (Format::ImageSyncer, "a/b: {c: d}"),
        (Format::Dregsy, "tasks: {a: b}"),
        (Format::Dregsy, "tasks: [{source: x, mappings: [{from: a, tags: {b: c}}, {tags: [a]}]}]"),
        (Format::Imgpkg, "images: x"),
        (Format::Imgpkg, "images: [x, {image: [y]}]"),
        (Format::Zarf, "components: {a: b}"),
        (Format::Zarf, "components: [{images: {a: b}}, x]"),
        (Format::Hauler, "kind: Images\nspec: x"),
        (Format::Hauler, "kind: Images\nspec: {images: {a: b}}"),
        (Format::Hauler, "kind: [Images]\nspec: {images: {a: b}}"),
    ] {
        let imported = import(text, Some(format)).unwrap();
        assert_eq!(unsaid(text, &imported), [""; 0], "{format}: {text}: {:?}", imported.said);
    }
}

#[test]
fn a_file_becomes_so_much_and_no_more() {
    let many = |count: usize| {
        let lines: Vec<String> = (0..count).map(|number| format!("docker.io/a/b:{number}: x/y")).collect();
        lines.join("\n")
    };
    let imported = import(&many(MAX_RULES), None).unwrap();
    assert_eq!(imported.rules.rules.len(), MAX_RULES);
    let names: std::collections::HashSet<_> = imported.rules.rules.iter().map(|rule| &rule.name).collect();
    assert_eq!(names.len(), MAX_RULES);
    assert_eq!(import(&many(MAX_RULES + 1), None).unwrap_err().to_string(), "it would become more than 10000 rules");
    let expressions: Vec<String> = (0..1001).map(|number| format!("    r{number}: x")).collect();
    let expressions = expressions.join("\n");
    let imported = import(&format!("docker.io:\n  images-by-tag-regex:\n{expressions}"), None).unwrap();
    assert_eq!(imported.rules.rules.len(), 1000);
    assert!(imported.said[1000].why.contains("1000 regular expressions at most"));
    let ranges = vec!["'1.x'"; 51].join(", ");
    let text = format!("sync: [{{source: a, type: repository, tags: {{semverRange: [{ranges}]}}}}]");
    assert!(import(&text, None).unwrap().rules.rules.is_empty());
}

#[test]
fn regsync() {
    let imported = sample(0);
    assert_eq!(
        rules(&imported),
        [
            "busybox <- docker.io/library/busybox latest on linux/amd64,linux/arm64 every 12h",
            "nginx <- docker.io/library/nginx [v]#[.#[.#]]-alpine >=1.29 <1.32 on linux/amd64,linux/arm64 every 1h",
            "postgres <- docker.io/library/postgres /17\\.11|17\\.10/ latest !/.*-rc.*/ on linux/amd64 every 1h",
            "ghcr.io/project-zot/zot <- ghcr.io/project-zot/zot [v]#[.#[.#]] >=2.1 <2.2 on linux/amd64,linux/arm64 every 1h",
            "ghcr.io/project-zot/zot 2 <- ghcr.io/project-zot/zot [v]#[.#[.#]]{pre} >=3 on linux/amd64,linux/arm64 every 1h",
        ]
    );
    let first = &imported.rules.rules[0];
    assert_eq!((first.former_tag.as_deref(), first.reserve), (Some("former-{tag}"), 60));
    for (item, became, why) in [
        ("creds", None, "credentials are never taken over"),
        ("defaults.ratelimit.min", Some("reserve = 60"), "quota"),
        ("defaults.backup", Some("former_tag = \"former-{tag}\""), "tag"),
        ("defaults.hooks", None, "runs none"),
        ("sync[1].schedule", None, "the cron line is `15 3 * * *`"),
        ("sync[1].tags.semverRange[0]", Some("the range of the rule"), "`18-alpine` is below 18"),
        ("sync[2].tags.allow[0]", Some("\"/17\\.11|17\\.10/\""), "`^17\\.11|17\\.10$` there also takes"),
        ("sync[3].tagSets[1].allow[0]", None, "invalid regular expression"),
        ("sync[3].backup", None, "set `former_tag`"),
        ("sync[4].tags.allow[0]", None, "at once can't be said"),
        ("sync[4].source", None, "can't be taken over"),
        ("sync[4].tags.semverRange[0]", None, "nothing is made"),
        ("sync[4].type", None, "nothing is made"),
        ("sync[5].source", None, "name each"),
        ("x-alpine", None, "no such setting"),
    ] {
        let found = said(&imported, item);
        assert!(found.iter().any(|said| said.0 == became && said.1.contains(why)), "{item}: {found:?}");
    }
}

#[test]
fn skopeo() {
    let imported = sample(1);
    assert_eq!(
        rules(&imported),
        [
            "registry.k8s.io/pause <- registry.k8s.io/pause *",
            "registry.k8s.io/kube-apiserver <- registry.k8s.io/kube-apiserver v1.35.2 v1.34.4",
            "alpine <- docker.io/library/alpine 3.20",
            "nginx <- docker.io/library/nginx /1\\.3[01]\\.[0-9]+-alpine/",
            "redis <- docker.io/library/redis /.*(?:8.*).*/",
            "traefik <- docker.io/library/traefik [v]#[.#[.#]] >=3.1",
            "haproxy <- docker.io/library/haproxy [v]#[.#[.#]]{pre} >=3 <4",
            "list:imported-images.txt <- list:imported-images.txt",
        ]
    );
    assert_eq!(imported.lists.len(), 1);
    assert!(imported.lists[0].images[0].to_string().starts_with("docker.io/library/alpine@sha256:e3b0"));
    for (item, why) in [
        ("docker.io.images-by-semver.library/caddy", "the range `newest`"),
        ("docker.io.images-by-tag-regex.library/broken", "invalid regular expression"),
        ("docker.io.images.Library/Bad", "upper case"),
        ("docker.io.credentials", "never taken over"),
        ("docker.io.cert-dir", "configuration"),
    ] {
        let found = said(&imported, item);
        assert!(found.iter().any(|said| said.0.is_none() && said.1.contains(why)), "{item}: {found:?}");
    }
}

#[test]
fn zot() {
    let imported = sample(2);
    assert_eq!(
        rules(&imported),
        [
            "busybox <- docker.io/library/busybox /.*(?:1.3).*/ !/.*(?:.*-glibc$).*/ on linux/amd64 every 6h",
            "golang <- docker.io/library/golang [v]#[.#[.#]][-*] on linux/amd64 every 6h",
            "debian <- docker.io/library/debian * on linux/amd64 every 6h",
        ]
    );
    let place = "extensions.sync.registries[0]";
    for (item, why) in [
        ("content[2].prefix", "name each"),
        ("urls[1]", "the first"),
        ("onDemand", "rules say what is here"),
        ("onlySigned", "`gate`"),
        ("content[0].tags.semver", "the expression alone"),
    ] {
        let found = said(&imported, &format!("{place}.{item}"));
        assert!(found.iter().any(|said| said.0.is_none() && said.1.contains(why)), "{item}: {found:?}");
    }
}

#[test]
fn image_syncer() {
    assert_eq!(
        rules(&sample(3)),
        [
            "quay.io/coreos/etcd <- quay.io/coreos/etcd *",
            "quay.io/prometheus/node-exporter <- quay.io/prometheus/node-exporter v1.9.0 v1.9.1",
            "nginx <- docker.io/library/nginx /1\\.3[01]\\..*-alpine/",
            "busybox <- docker.io/library/busybox /.*(?:musl).*/",
            "list:imported-images.txt <- list:imported-images.txt",
        ]
    );
    let old = sample(4);
    assert_eq!(
        rules(&old),
        ["quay.io/coreos/etcd <- quay.io/coreos/etcd v3.6.5", "hello-world <- docker.io/library/hello-world *"]
    );
    assert!(said(&old, "images.Bad/Name")[0].1.contains("is not an image reference"));
}

#[test]
fn dregsy() {
    let imported = sample(5);
    assert_eq!(
        rules(&imported),
        [
            "busybox <- docker.io/library/busybox [v]#[.#[.#]] >=1.36 <1.39 on linux/arm64 every 1h",
            "busybox 2 <- docker.io/library/busybox 1.29.4 latest /1\\.35\\.[0-9]-(glibc|uclibc|musl)/ on linux/arm64 every 1h",
            "nginx <- docker.io/library/nginx [v]#[.#[.#]]-alpine newest 3 >=1.29 every 1h",
            "redis <- docker.io/library/redis [v]#[.#[.#]] !/.*-rc.*/ newest 2 every 1h",
            "alpine <- docker.io/library/alpine * on all every 1h",
        ]
    );
    for (item, why) in [
        ("tasks[0].mappings[4].tags[0]", "`except`"),
        ("tasks[0].mappings[5].tags[0]", "nothing is made"),
        ("tasks[0].mappings[5].tags[1]", "every tag has to match"),
        ("tasks[0].mappings[6].from", "name each"),
        ("tasks[0].source.auth", "never taken over"),
    ] {
        let found = said(&imported, item);
        assert!(found.iter().any(|said| said.0.is_none() && said.1.contains(why)), "{item}: {found:?}");
    }
}

#[test]
fn lists_of_images() {
    let lock = sample(6);
    assert_eq!(rules(&lock), ["list:imported-images.txt <- list:imported-images.txt"]);
    assert_eq!((lock.lists.len(), lock.lists[0].images.len()), (1, 2));
    let zarf = sample(7);
    assert_eq!(
        rules(&zarf),
        [
            "ghcr.io/stefanprodan/podinfo <- ghcr.io/stefanprodan/podinfo 6.9.0 6.8.0 on linux/amd64",
            "list:imported-images.txt <- list:imported-images.txt on linux/amd64",
        ]
    );
    assert!(zarf.lists[0].images[0].to_string().starts_with("docker.io/library/alpine:3.22@sha256:"));
    let hauler = sample(8);
    assert_eq!(
        rules(&hauler),
        [
            "registry.k8s.io/pause <- registry.k8s.io/pause 3.10 on linux/amd64",
            "ghcr.io/hauler-dev/library/busybox <- ghcr.io/hauler-dev/library/busybox stable on linux/arm64",
        ]
    );
    let twice = import("kind: ImagesLock\nimages: [{image: a/b:1}, {image: a/b:1}, {image: a/b:2}]", None).unwrap();
    assert_eq!(rules(&twice), ["a/b <- docker.io/a/b 1 2"]);
    assert_eq!(said(&twice, "images[1].image")[0].0, Some("what takes it already"));
    assert!(said(&hauler, "[0].spec.images[2].name")[0].1.contains("is not an image reference"));
    assert_eq!(said(&hauler, "[1]").len(), 1);
}

#[test]
fn images_by_digest_keep_their_settings() {
    let digest = |number: u32| format!("sha256:{number:064x}");
    let text = format!(
        "kind: Images\nspec:\n  images:\n  - {{name: 'a/b@{}', platform: linux/arm64}}\n  - {{name: 'a/b@{}'}}\n  \
         - {{name: 'a/c@{}', platform: linux/arm64}}\n",
        digest(1),
        digest(2),
        digest(3)
    );
    let imported = import(&text, Some(Format::Hauler)).unwrap();
    assert_eq!(
        rules(&imported),
        [
            "list:imported-images.txt <- list:imported-images.txt on linux/arm64",
            "list:imported-images-2.txt <- list:imported-images-2.txt",
        ]
    );
    assert_eq!(imported.lists.iter().map(|list| list.images.len()).collect::<Vec<_>>(), [2, 1]);
    let text = format!(
        "defaults: {{interval: 1h, ratelimit: {{min: 7}}, backup: 'old-{{{{.Ref.Tag}}}}'}}\nsync: [{{source: 'a/b@{}', type: image}}]",
        digest(1)
    );
    let rule = &import(&text, Some(Format::Regsync)).unwrap().rules.rules[0];
    assert_eq!((rule.reserve, rule.former_tag.as_deref(), rule.every), (7, Some("old-{tag}"), "1h".parse().ok()));
    // Where others are already, it is another one.
    let beside = import_beside(&text, Some(Format::Regsync), 3).unwrap();
    assert_eq!(rules(&beside), ["list:imported-images-3.txt <- list:imported-images-3.txt every 1h"]);
    assert_eq!(said(&beside, "sync[0].source")[0].0, Some("a line of `imported-images-3.txt`"));
}

#[test]
fn images_with_other_settings_become_another_rule() {
    let text = "sync:\n- {source: 'a/b:1', type: image, interval: 1h}\n- {source: 'a/b:2', type: image, interval: 2h}\n\
                - {source: 'a/b:3', type: image, interval: 1h}\n";
    let imported = import(text, None).unwrap();
    assert_eq!(rules(&imported), ["a/b <- docker.io/a/b 1 3 every 1h", "a/b 2 <- docker.io/a/b 2 every 2h"]);
}

#[test]
fn what_has_the_wrong_shape_does_not_become_all_tags() {
    for (format, text) in [
        (Format::Skopeo, "docker.io: {images: {nginx: {latest: 1}}}"),
        (Format::Skopeo, "docker.io: {images: {nginx: {}}}"),
        (Format::Regsync, "sync: [{source: nginx, type: repository, tags: x}]"),
        (Format::Regsync, "sync: [{source: nginx, type: repository, tags: [x]}]"),
        (Format::Regsync, "sync: [{source: nginx, type: repository, tags: {allow: {a: b}}}]"),
        (Format::Regsync, "sync: [{source: nginx, type: repository, tags: {allow: [a], deny: [{b: c}]}}]"),
        (Format::Regsync, "sync: [{source: nginx, type: repository, tags: {semverRange: {a: b}}}]"),
        (Format::Regsync, "sync: [{source: nginx, type: repository, tagSets: x}]"),
        (Format::Regsync, "sync: [{source: nginx, type: repository, tagSets: {allow: [a]}}]"),
        (Format::Zot, "registries: [{urls: ['https://docker.io'], content: [{prefix: library/nginx, tags: x}]}]"),
        (
            Format::Zot,
            "registries: [{urls: ['https://docker.io'], content: [{prefix: library/nginx, tags: {regex: [x]}}]}]",
        ),
        (
            Format::Zot,
            "registries: [{urls: ['https://docker.io'], content: [{prefix: library/nginx, tags: {excludeRegex: [x]}}]}]",
        ),
        (Format::Dregsy, "tasks: [{source: {registry: docker.io}, mappings: [{from: library/nginx, tags: {a: b}}]}]"),
        (
            Format::Dregsy,
            "tasks: [{source: {registry: docker.io}, mappings: [{from: library/nginx, tags: ['not a tag']}]}]",
        ),
    ] {
        let imported = import(text, Some(format)).unwrap();
        assert_eq!(rules(&imported), [""; 0], "{format}: {text}");
        assert_eq!(unsaid(text, &imported), [""; 0], "{format}: {text}: {:?}", imported.said);
    }
    for (format, text) in [
        (Format::Skopeo, "docker.io: {images: {nginx: []}}"),
        (Format::Skopeo, "docker.io: {images: {nginx: }}"),
        (Format::Regsync, "sync: [{source: nginx, type: repository}]"),
        (Format::Dregsy, "tasks: [{source: {registry: docker.io}, mappings: [{from: library/nginx}]}]"),
    ] {
        assert_eq!(rules(&import(text, Some(format)).unwrap()).len(), 1, "{format}: {text}");
    }
}

#[test]
fn what_is_no_such_file_is_refused_with_the_formats() {
    for text in
        ["", "a: b\n", "- nginx\n", "kind: Deployment\nspec: {}\n", "services: {web: {image: nginx}}\n", "nginx\n"]
    {
        let error = import(text, None).unwrap_err();
        assert_eq!(error.to_string(), "it is no file that can be imported", "{text}");
        assert!(error.hints()[0].contains("`regsync`, `skopeo`, `zot`, `image-syncer`"), "{text}");
    }
    assert!(import("sync: [", None).unwrap_err().to_string().contains("line 1"));
    assert_eq!("dregsy".parse(), Ok(Format::Dregsy));
    assert!("docker".parse::<Format>().unwrap_err().contains("`hauler`"));
}

#[test]
fn nothing_that_steers_a_terminal_is_said() {
    let text = "sync:\n- source: \"a\\e[31m\"\n  type: \"\\e[0m\"\n  interval: \"\\e\"\n  \"\\e\": 1\n";
    let imported = import(text, None).unwrap();
    assert!(imported.said.len() > 3);
    for said in imported.said {
        assert!(!format!("{}{:?}{}", said.item, said.became, said.why).contains('\u{1b}'), "{said:?}");
    }
}

proptest! {
    /// Whatever a value of a sample is replaced by, what is in its place is used or named, and no rule is wrong.
    #[test]
    fn nothing_panics_and_no_rule_is_wrong(
        number in 0..SAMPLES.len(),
        line in 0_usize..80,
        value in prop::sample::select(vec!["", "~", "[]", "{}", "[a, {b: c}]", "x", "'*'", "-1", "1.0", "'semver: x'", "'keep: latest 0'", "'sha256-1'", "'('"]),
    ) {
        let (format, text) = SAMPLES[number];
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let place = line % lines.len();
        if let Some((key, _)) = lines[place].split_once(": ") {
            lines[place] = format!("{key}: {value}");
        }
        let text = lines.join("\n");
        if let Ok(imported) = import(&text, Some(format)) {
            prop_assert_eq!(unsaid(&text, &imported), Vec::<String>::new(), "{}", text);
            for rule in &imported.rules.rules {
                if let Subject::Repository { tags, .. } = &rule.subject {
                    prop_assert_eq!(tags.fault(), None);
                }
            }
        }
    }

    #[test]
    fn any_text_is_survived(text in "(?s).{0,100}", number in 0..Format::ALL.len()) {
        let _ = import(&text, Some(Format::ALL[number]));
    }
}
