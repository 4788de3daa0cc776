//! Tags as they are out there: what is meant by people, what takes it, and what is suggested for a tag.

use super::*;
use crate::suggest;

/// A pattern, what it takes, and neighbours that it leaves.
const MEANT: &[(&str, &[&str], &[&str])] = &[
    ("1.#.#-alpine", &["1.31.4-alpine"], &["1.31.4-alpine3.24", "1.31.4-alpine-slim", "1.31-alpine", "1.31.4"]),
    ("#.#-alpine", &["17.11-alpine"], &["19beta3-alpine", "17-alpine", "17.11-alpine3.24", "17.11-trixie"]),
    ("{22,24,26}.#.#-slim", &["26.7.0-slim", "22.1.0-slim"], &["25.1.0-slim", "26.7.0-bookworm-slim"]),
    ("3.#.#-slim", &["3.14.1-slim"], &["3.15.0rc1-slim", "3.15-rc-slim", "3.14-slim"]),
    ("#.#.#{pre}-slim", &["3.15.0rc1-slim", "3.14.1-slim"], &["3.15-rc-slim"]),
    ("8.#.#-alpine3.23", &["8.10.1-alpine3.23"], &["8.10.1-alpine3.24", "8.10.1-alpine"]),
    ("8.#.#-fpm-alpine", &["8.5.1-fpm-alpine"], &["8.6.0beta1-fpm-alpine", "8.5.1-fpm-alpine3.23"]),
    ("#.#.#-php8.4-fpm", &["7.1.0-php8.4-fpm"], &["7.1.0-php8.5-fpm", "7.1.0-php8.4-fpm-alpine"]),
    ("#.#.#-fpm-alpine", &["34.0.3-fpm-alpine"], &["34.0-fpm-alpine", "34.0.3-fpm"]),
    ("3.#.#-alpine", &["3.4.0-alpine"], &["3.5-dev5-alpine"]),
    ("#.#.#-ubi10", &["13.0.1-ubi10"], &["13.0.1-ubi10-rc", "13.0.1-ubi"]),
    ("8.0.#-noble", &["8.0.29-noble"], &["8.2.29-noble"]),
    ("9.#.#-oraclelinux9", &["9.7.2-oraclelinux9"], &["9.7-oraclelinux9"]),
    ("21.#.#_#-jre-alpine", &["21.0.12_8-jre-alpine"], &["21.0.12_8-jre-alpine-3.23", "21-jre-alpine"]),
    ("8u#-b#-jdk-noble", &["8u502-b07-jdk-noble"], &["8u502-b07-jre-noble"]),
    ("21.#.#-alpine#.#-jdk", &["21.0.12-alpine3.24-jdk"], &["21.0.12-alpine3.24", "21.0.12-al2023-jdk"]),
    ("3.#.#-eclipse-temurin-21-alpine", &["3.9.16-eclipse-temurin-21-alpine"], &["3.9.16-eclipse-temurin-17-alpine"]),
    ("3.#.#", &["3.24.1"], &["20260805", "3.24", "3.24.1_rc1"]),
    (
        "{noble,resolute}-#[.#]",
        &["noble-20260810", "resolute-20260811.1"],
        &["noble", "jammy-20260810", "noble-20260810.1.1"],
    ),
    ("trixie-#-slim", &["trixie-20260803-slim"], &["trixie-slim", "trixie-20260803"]),
    ("1.#.#-{glibc,musl,uclibc}", &["1.38.0-musl", "1.38.0-glibc"], &["1.38-musl", "1.38.0"]),
    ("[v]3.#.#", &["v3.7.11", "3.7.11"], &["v3.7", "v3.7.11-windowsservercore"]),
    ("v1.#.#", &["v1.35.2"], &["v1.36.0-rc.1", "unstable-v1.89.68"]),
    ("3.#.#-#", &["3.6.5-0"], &["3.6.5", "3.6.5-rc.0-0"]),
    ("3.#[.#]", &["3.10.1", "3.9"], &["3", "3.10.1.1"]),
    ("v1.18.#", &["v1.18.2"], &["v1.18.2-race", "v1.18.0-pre.1"]),
    ("12.#.#", &["12.1.0"], &["12.1.0-ubuntu", "12.1.0-18393608497"]),
    ("RELEASE.#-#-#T#-#-#Z", &["RELEASE.2025-09-07T16-13-09Z"], &["RELEASE.2025-09-07T16-13-09Z.fips"]),
    ("#.#.#.#-ls#", &["4.0.16.2944-ls300"], &["4.0.16.2944", "develop-4.0.16.2944-ls300"]),
    ("#.#.#-r#-ls#", &["1.26.2-r0-ls300"], &["1.26.2-ls300"]),
    ("*-ls#", &["cf1f086c-ls51"], &["latest"]),
    ("#.#.#.#-*", &["1.42.1.10060-4e8b05daf"], &["1.42.1.10060"]),
    ("13.#.#-cudnn-runtime-ubuntu22.04", &["13.0.2-cudnn-runtime-ubuntu22.04"], &["13.0.2-cudnn-runtime-ubuntu24.04"]),
    ("2.#.#-cuda12.#-cudnn9-runtime", &["2.8.0-cuda12.8-cudnn9-runtime"], &["2.8.0-cuda13.0-cudnn9-runtime"]),
    ("2.#.#-lts-jdk21", &["2.541.3-lts-jdk21"], &["2.560-jdk21", "2.541.3-lts-jdk25"]),
    ("2.#-jdk21", &["2.560-jdk21"], &["2.541.3-lts-jdk21", "2.541.3-jdk21"]),
    ("#.#.#-ce.0", &["18.10.0-ce.0"], &["18.10.0-rc1.ce.0", "18.10.0-ce.1"]),
    ("#.#.#", &["2025.04.0", "2025.10.0"], &["2025.10.0b3", "2025.10"]),
    ("2.#.#", &["2.0.2"], &["base-debian-node16", "2", "2.0.2-slim"]),
    ("alpine-7.#.#", &["alpine-7.4.2"], &["alpine-7.4-latest", "ubuntu-7.4.2"]),
    ("#.#.#-dind", &["28.5.0-dind"], &["28.5.0-rc.1-dind", "28.5-dind"]),
    ("main-*-#", &["main-90780e5-1699999999"], &["dev-90780e5-1699999999", "main-90780e5"]),
];

#[test]
fn patterns_take_what_is_meant_and_not_its_neighbours() {
    for (text, meant, neighbours) in MEANT {
        let pattern = pattern(text);
        for tag in *meant {
            assert!(pattern.matches(tag), "{text} takes {tag}");
        }
        for tag in *neighbours {
            assert!(!pattern.matches(tag), "{text} leaves {tag}");
        }
    }
}

/// Where a run of digits should be kept, a person writes it: `-temurin-21-` can't be told from a version.
#[test]
fn a_pattern_is_suggested_for_a_tag() {
    for (tag, suggested) in [
        ("1.31.4-alpine", "#.#.#-alpine"),
        ("1.31.4-alpine3.24", "#.#.#-alpine3.24"),
        ("17.11-alpine", "#.#-alpine"),
        ("19beta3", "#{pre}"),
        ("26.7.0-bookworm-slim", "#.#.#-bookworm-slim"),
        ("3.15.0rc1", "#.#.#{pre}"),
        ("3.15-rc-slim", "#.#{pre}-slim"),
        ("8.6.0beta1-fpm-alpine", "#.#.#{pre}-fpm-alpine"),
        ("7.1.0-php8.4-fpm", "#.#.#-php8.4-fpm"),
        ("3.5-dev5-alpine", "#.#{pre}-alpine"),
        ("13.0.1-ubi10-rc", "#.#.#-ubi10-rc"),
        ("8.0.29-noble", "#.#.#-noble"),
        ("9.7.2-oraclelinux9", "#.#.#-oraclelinux9"),
        ("21.0.12_8-jre-alpine", "#.#.#_#-jre-alpine"),
        ("8u502-b07-jdk-noble", "#u#-b#-jdk-noble"),
        ("21.0.12-alpine3.24-jdk", "#.#.#-alpine3.24-jdk"),
        ("3.9.16-eclipse-temurin-21-alpine", "#.#.#-eclipse-temurin-#-alpine"),
        ("3.24.1", "#.#.#"),
        ("20260805", "#"),
        ("noble-20260810", "noble-#"),
        ("resolute-20260811.1", "resolute-#.#"),
        ("trixie-20260803-slim", "trixie-#-slim"),
        ("1.38.0-musl", "#.#.#-musl"),
        ("v3.7.11", "v#.#.#"),
        ("v1.36.0-rc.1", "v#.#.#{pre}"),
        ("3.6.5-0", "#.#.#-#"),
        ("v1.18.2-race", "v#.#.#-race"),
        ("12.1.0-18393608497", "#.#.#-#"),
        ("RELEASE.2025-09-07T16-13-09Z", "RELEASE.#-#-#T#-#-#Z"),
        ("4.0.16.2944-ls300", "#.#.#.#-ls#"),
        ("1.26.2-r0-ls300", "#.#.#-r#-ls#"),
        ("cf1f086c-ls51", "*-ls#"),
        ("1.42.1.10060-4e8b05daf", "#.#.#.#-*"),
        ("13.0.2-cudnn-runtime-ubuntu22.04", "#.#.#-cudnn-runtime-ubuntu22.04"),
        ("2.8.0-cuda12.8-cudnn9-runtime", "#.#.#-cuda12.8-cudnn9-runtime"),
        ("2.541.3-lts-jdk21", "#.#.#-lts-jdk21"),
        ("2.560-jdk21", "#.#-jdk21"),
        ("18.10.0-ce.0", "#.#.#-ce.#"),
        ("2025.10.0b3", "#.#.#{pre}"),
        ("alpine-7.4.2", "alpine-#.#.#"),
        ("unstable-v1.89.68", "unstable-v#.#.#"),
        ("28.5.0-rc.1-dind", "#.#.#{pre}-dind"),
        ("main-90780e5-1699999999", "main-*-#"),
        ("latest", "latest"),
        ("stable-alpine", "stable-alpine"),
    ] {
        assert_eq!(suggest(tag), suggested, "{tag}");
    }
}
