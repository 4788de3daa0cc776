//! What each kind of source names, what it leaves out, and what is an error.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::variables::{Escape, interpolate};
use super::*;
use crate::error::Result;
use crate::image::Reference;

/// The images, as they are written in full, and what was left out.
fn said(found: &Found) -> (Vec<String>, Vec<String>) {
    let images = found.images.iter().map(|named| named.reference.to_string());
    let images = images.map(|name| name.trim_start_matches("docker.io/").trim_start_matches("library/").to_owned());
    let skipped = found.skipped.iter().map(|skipped| format!("{}: {}", skipped.what, skipped.why));
    (images.collect(), skipped.collect())
}

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn lines(found: &Found) -> Vec<Option<usize>> {
    found.images.iter().map(|named| named.line).collect()
}

const COMPOSE: &str = r#"
x-base: &base
  image: "ghcr.io/org/base:${TAG:-1.0}"
include:
  - shared.yaml
  - path: [a.yaml, b.yaml]
models:
  smol: {model: ai/smollm2}
services:
  web:
    image: nginx:${NGINX}
    ports: ["80:80"]
  worker: {<<: *base, command: run}
  same: *base
  app: {build: .}
  tagged: {build: ., image: org/tagged:1}
  ours: {build: ., image: org/ours:1, pull_policy: build}
  heir: {extends: web}
  heir2: {extends: {service: web}}
  far: {extends: {file: other.yaml, service: x}}
  data:
    image: postgres
    volumes:
      - type: image
        source: busybox:${BUSY-musl}
        target: /b
      - ./x:/x
  nothing: {command: x}
"#;

#[test]
fn compose_files_name_what_their_services_run() {
    let found = compose(&[("compose.yaml", COMPOSE)], &env(&[("NGINX", "1.29")])).unwrap();
    let (images, skipped) = said(&found);
    assert_eq!(images, ["nginx:1.29", "ghcr.io/org/base:1.0", "org/tagged:1", "postgres:latest", "busybox:musl"]);
    assert_eq!(lines(&found)[..2], [Some(11), Some(13)]);
    assert_eq!(
        skipped,
        [
            "shared.yaml: it is included by the compose file: name it as a source of its own",
            "a.yaml: it is included by the compose file: name it as a source of its own",
            "b.yaml: it is included by the compose file: name it as a source of its own",
            "smol: it is a model, not an image",
            "app: it is built, and has no image to pull",
            "ours: `org/ours:1` is built, never pulled",
            "far: it extends `other.yaml`, which is not among these files",
            "nothing: it has no image",
        ]
    );
}

#[test]
fn later_compose_files_win_by_service() {
    let files = [
        ("a.yaml", "services: {web: {image: nginx:1}, db: {image: postgres:17}}"),
        ("b.yaml", "services: {web: {image: nginx:2}, app: {build: .}}"),
        ("c.yaml", "services: {app: {image: org/app:3}, web: {environment: {A: b}}}"),
    ];
    let found = compose(&files, &env(&[])).unwrap();
    assert_eq!(said(&found).0, ["nginx:2", "postgres:17", "org/app:3"]);
    assert_eq!(lines(&found), [None, None, None]);
}

#[test]
fn what_is_wrong_in_a_compose_file_is_named() {
    for (text, words) in [
        (
            "services:\n  web:\n    image: nginx:$TAG\n",
            "c.yaml: line 3: service `web`: `TAG` is not set and has no default",
        ),
        ("services: {web: {image: 'nginx:${TAG:?say which}'}}", "`TAG` is not set: say which"),
        ("services: {web: {image: 'nginx:${TAG'}}", "`${TAG` is not a variable that is understood"),
        ("services: {web: {image: 'Nginx:1'}}", "service `web`: `Nginx:1` is not an image reference"),
        ("services: {web: {image: \"n\\e[31m\"}}", "\\u{1b}[31m"),
        ("- a\n", "c.yaml: it is not a compose file"),
        ("services: [\n", "c.yaml: line"),
    ] {
        let said = compose(&[("c.yaml", text)], &env(&[])).unwrap_err().to_string();
        assert!(said.contains(words) && !said.contains('\u{1b}'), "{text}: {said}");
    }
}

#[test]
fn variables_have_their_defaults() {
    let set = env(&[("A", "a"), ("E", ""), ("B_1", "b")]);
    let value = |name: &str| set.get(name).cloned();
    for (text, result) in [
        ("x$A-${B_1}", Ok("xa-b")),
        ("${A:-d}${E:-d}${E-d}${U:-d}${U-d}", Ok("addd")),
        ("${U:-${V:-${A}}}", Ok("a")),
        ("${A:+r}${A+r}${E:+r}${E+r}${U+r}", Ok("rrr")),
        ("${A?e}${E?e}", Ok("a")),
        ("$$A$${A}", Ok("$A${A}")),
        ("${U:-a:b}", Ok("a:b")),
        ("$U", Err("`U` is not set and has no default")),
        ("${E:?is empty}", Err("`E` is not set: is empty")),
        ("$1", Err("`$1` is not a variable")),
        ("a$", Err("`$` is not a variable")),
        ("${A", Err("`${A` is not a variable")),
        ("${A/b/c}", Err("`${A/b/c}` is not a variable")),
        ("${}", Err("`${}` is not a variable")),
    ] {
        match (interpolate(text, Escape::Dollar, &value), result) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(found), Err(expected)) => assert!(found.words().contains(expected), "{text}: {}", found.words()),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }
    assert!(interpolate(&"${A:-".repeat(1000), Escape::Dollar, &value).is_err());
    assert_eq!(interpolate(r"\$A", Escape::Before('\\'), &value).unwrap(), "$A");
}

#[test]
fn environment_files_are_read_as_compose_reads_them() {
    let text = "\u{feff}# comment\nA=1\nexport B = two words # c\nC=\"x\\n${A}\\$A\" # c\nD='${A}'\n\nE=\nF=${A:-0}.${U:-9}\nG=\"a\nb\"\nH: yaml\nI=$UNSET\nJ\nK=a#b\r\n";
    let found = environment(text).unwrap();
    let expected = env(&[
        ("A", "1"),
        ("B", "two words"),
        ("C", "x\n1$A"),
        ("D", "${A}"),
        ("E", ""),
        ("F", "1.9"),
        ("G", "a\nb"),
        ("H", "yaml"),
        ("K", "a#b"),
    ]);
    assert_eq!(found, expected);
    for (text, words) in [
        ("A=1\n=x\n", "line 2: `=x` sets no variable"),
        ("A B=1", "line 1"),
        ("A=\"b\"\n\nB='x\n", "line 3: the value of `B` has no closing quote"),
        ("A=\"1\n2\"\n!\n", "line 3"),
    ] {
        let said = environment(text).unwrap_err().to_string();
        assert!(said.contains(words), "{text}: {said}");
    }
}

const MANIFESTS: &str = r"
apiVersion: v1
kind: List
items:
- kind: DeploymentList
  items:
  - kind: Deployment
    spec: {template: {spec: {containers: [{name: a, image: nginx:1.10}], initContainers: [{name: i, image: busybox}]}}}
- {kind: Cache, spec: {image: redis:8}}
---
kind: CronJob
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - name: c
            image: registry.k8s.io/pause:3.10
          ephemeralContainers: [{image: busybox}]
          volumes:
          - {name: v, image: {reference: quay.io/org/model:v1, pullPolicy: Always}}
          - {name: w, configMap: {name: image}}
---
kind: Cache
spec:
  image: valkey:9
  nodes: [{image: memcached:1}, {image: {name: x}}, {other: 1}]
---
kind: Pod
spec: {containers: [{image: '{{ .Values.image }}'}, {image: ''}, {name: none}]}
status: {containerStatuses: [{image: not/this:1}]}
---
kind: CustomResourceDefinition
spec: {properties: {containers: {items: {properties: {image: {type: string}}}}}}
";

#[test]
fn manifests_name_the_images_of_all_pods() {
    let found = kubernetes(MANIFESTS, &[".spec.image", "spec.nodes[].image", ".spec.none"]).unwrap();
    let (images, skipped) = said(&found);
    assert_eq!(
        images,
        [
            "nginx:1.10",
            "busybox:latest",
            "redis:8",
            "registry.k8s.io/pause:3.10",
            "quay.io/org/model:v1",
            "valkey:9",
            "memcached:1"
        ]
    );
    assert_eq!(lines(&found)[3], Some(19));
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    assert!(skipped[0].contains("it is no text"), "{skipped:?}");
    assert!(skipped[1].starts_with("{{ .Values.image }}: "), "{skipped:?}");
    assert!(skipped[2].starts_with(".spec.none: no document"), "{skipped:?}");
    assert_eq!(found.alike, []);
    let found = kubernetes(MANIFESTS, &[]).unwrap();
    assert_eq!(said(&found).0.len(), 4);
    let alike: Vec<String> = found.alike.iter().map(|alike| format!("{}: {}", alike.what, alike.why)).collect();
    let named = |name: &str, line: usize, path: &str| {
        format!("{name}: line {line}: it looks like an image; `kubernetes:FILE#{path}` takes what is there")
    };
    let expected = [
        named("redis:8", 9, ".spec.image"),
        named("valkey:9", 27, ".spec.image"),
        named("memcached:1", 28, ".spec.nodes[].image"),
    ];
    assert_eq!(alike, expected);
    for path in ["", ".", ".a..b", ".a[0]", "[]", ".a[][]"] {
        let refused = kubernetes("a: b", &[path]).map(|found| said(&found));
        assert!(path == ".a[][]" || refused.is_err(), "{path}: {refused:?}");
    }
}

#[test]
fn what_looks_like_an_image_elsewhere_is_named() {
    let text = "\
kind: Deployment
metadata: {annotations: {example.com/image: 'quay.io/org/old:1', url: 'https://quay.io/org/x:1', note: 'a/b:1'}}
spec:
  containers:
  - image: quay.io/org/operator:1
    args: ['--reloader=quay.io/org/reloader:v0.70', '--listen=0.0.0.0:9090', '--default=quay.io/org/operator:1']
    env: [{name: RELATED, value: 'registry.example.com:5000/org/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}]
";
    let found = kubernetes(text, &[]).unwrap();
    assert_eq!(said(&found), (vec!["quay.io/org/operator:1".to_owned()], Vec::new()));
    let alike: Vec<(&str, bool)> =
        found.alike.iter().map(|alike| (alike.what.as_str(), alike.why.contains("`kubernetes:FILE#"))).collect();
    assert_eq!(alike[0], ("quay.io/org/old:1", false));
    assert_eq!(alike[1], ("quay.io/org/reloader:v0.70", false));
    assert!(alike[2].0.starts_with("registry.example.com:5000/org/app@sha256:") && alike[2].1);
    assert_eq!(alike.len(), 3);
}

#[test]
fn only_a_whole_word_begins_a_heredoc() {
    for text in [
        "RUN echo $((1<<N))\n",
        "RUN echo $((1 << N)) $((1 <<N))\n",
        "RUN echo \"<<E\" 'a <<E'\n",
        "RUN cat <<< E\n",
        "RUN a<<E\n",
        "RUN echo \\<<E\n",
    ] {
        let found = dockerfile(&format!("FROM nginx\n{text}FROM alpine\n"));
        // `<<N))` is a word of its own, and BuildKit takes it for one, too.
        if text.contains(" <<N))") {
            assert!(found.is_err(), "{text}");
        } else {
            assert_eq!(said(&found.unwrap()).0.len(), 2, "{text}");
        }
    }
    for begin in ["<<E", "3<<E", "<<-E", "<<'E'", "<<\"E\"", "x <<E && y"] {
        let found = dockerfile(&format!("FROM nginx\nRUN {begin}\nFROM alpine\nE\n")).unwrap();
        assert_eq!(said(&found).0, ["nginx:latest"], "{begin}");
    }
}

const DOCKERFILE: &str = r#"# syntax=docker/dockerfile:1
# check=skip=all
# a comment
ARG GO=1.27
ARG VARIANT="alpine" BASE=golang:${GO}-${VARIANT}
ARG UNSET
FROM --platform=$BUILDPLATFORM ${BASE} AS Build
ARG LATE=nginx
RUN --mount=type=cache,target=/x \
    # a comment inside
    --mount=type=bind,from=busybox:musl,source=/bin,target=/b \

    echo a && \
    echo FROM not:this
RUN <<EOF cat <<-"TWO"
FROM not:that
EOF
COPY --from=not:those / /
	TWO
COPY <<'X' /y
FROM no:way
X
FROM scratch
COPY --from=build --chown=1 /a /b
COPY --link --from=0 /a /b
COPY --from=alpine:3.24 /a /b
COPY --from=$LATE /a /b
from "debian:${SUITE:-trixie}" as final
FROM build
FROM nginx AS nginx
FROM nginx
FROM org/app:$UNSET
FROM org/app:${TARGETARCH}
FROM org/app:${GO%.*}
ONBUILD COPY --from=quay.io/org/on:1 a b
RUN echo $((1 << 3)) <<< "x"
FROM Bad
"#;

#[test]
fn dockerfiles_name_what_they_build_on() {
    let found = dockerfile(DOCKERFILE).unwrap();
    let (images, skipped) = said(&found);
    assert_eq!(
        images,
        ["golang:1.27-alpine", "busybox:musl", "alpine:3.24", "debian:trixie", "nginx:latest", "quay.io/org/on:1"]
    );
    assert_eq!(lines(&found)[..2], [Some(7), Some(9)]);
    assert_eq!(
        skipped,
        [
            "docker/dockerfile:1: BuildKit fetches it to read the Dockerfile (`# syntax=`)",
            "$LATE: `LATE` is not set and has no default",
            "org/app:$UNSET: `ARG UNSET` has no default",
            "org/app:${TARGETARCH}: the builder sets `TARGETARCH` by the platform",
            "org/app:${GO%.*}: `${GO%.*}` is not a variable that is understood",
            "Bad: `Bad` is not an image reference: `Bad` is not a repository name: upper case letters are not allowed",
        ]
    );
}

#[test]
fn the_escape_directive_joins_lines() {
    let text = "#escape=`\nFROM `\n  mcr.microsoft.com/windows/servercore:ltsc2025\nRUN dir C:\\\nFROM nginx\n";
    let found = dockerfile(text).unwrap();
    assert_eq!(said(&found).0, ["mcr.microsoft.com/windows/servercore:ltsc2025", "nginx:latest"]);
    // Behind a comment it is one itself.
    assert_eq!(said(&dockerfile("# x\n#escape=`\nFROM a`\n").unwrap()).1.len(), 1);
    for (text, words) in [("FROM", "line 1: FROM names no image"), ("RUN <<E\nx\n", "line 1: its heredoc has no end")] {
        assert_eq!(dockerfile(text).unwrap_err().to_string(), words);
    }
}

#[test]
fn lists_have_a_reference_a_line() {
    let found = list("\u{feff}# all\nnginx\r\n\n  ghcr.io/org/app:1 # why\nnginx:latest\n").unwrap();
    assert_eq!(said(&found).0, ["nginx:latest", "ghcr.io/org/app:1"]);
    assert_eq!(lines(&found), [Some(2), Some(4)]);
    let said = list("nginx\nTwo words\n").unwrap_err().to_string();
    assert!(said.starts_with("line 2: `Two words` is not an image reference"), "{said}");
}

#[test]
fn a_source_has_so_many_images_and_no_more() {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().join("\n");
    let name = |number: usize| format!("org/app:{number}");
    assert_eq!(list(&lines(MAX_IMAGES, &name)).unwrap().images.len(), MAX_IMAGES);
    let more = |line: &dyn Fn(usize) -> String| lines(MAX_IMAGES + 1, line);
    let froms = more(&|number| format!("FROM org/app:{number}"));
    let containers = more(&|number| format!("- image: org/app:{number}"));
    let services = more(&|number| format!("  s{number}: {{image: org/app:{number}}}"));
    let services = format!("services:\n{services}");
    let all: [Result<Found>; 4] = [
        list(&more(&name)),
        dockerfile(&froms),
        kubernetes(&format!("containers:\n{containers}"), &[]),
        compose(&[("c", &services)], &env(&[])),
    ];
    for found in all {
        assert_eq!(found.unwrap_err().to_string(), "it names more than 20000 images");
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in "(?s).{0,200}") {
        let _ = dockerfile(&text);
        let _ = list(&text);
        let _ = environment(&text);
        let _ = kubernetes(&text, &[&text]);
        let _ = compose(&[("x", &text)], &BTreeMap::new());
    }

    #[test]
    fn nothing_like_a_dockerfile_panics(text in "(FROM |COPY |RUN |ARG |--from=|<<-?\"?E\"?|\\\\|\n|#|\\$\\{?|[a=:'\"} ]){0,60}") {
        let _ = dockerfile(&text);
        let _ = environment(&text);
    }

    #[test]
    fn a_written_environment_is_read_again(value in "[ -~\n]{0,40}") {
        let written = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
        let found = environment(&format!("A=\"{written}\"\nB=2\n")).unwrap();
        prop_assert_eq!(found.get("A"), Some(&value));
        prop_assert_eq!(found.get("B").map(String::as_str), Some("2"));
    }

    #[test]
    fn lists_are_read_as_references_are(name in "[a-z]{1,8}(/[a-z]{1,8})?(:[a-z0-9.]{1,5})?") {
        let expected = name.parse::<Reference>();
        match list(&format!("# x\n{name}\n")) {
            Ok(found) => prop_assert_eq!(&found.images[0].reference, &expected.unwrap()),
            Err(error) => prop_assert!(expected.is_err(), "{}", error),
        }
    }
}
