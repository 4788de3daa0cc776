//! Choosing tags: twenty rules over a hundred thousand tags of one repository, and the preview's work for one key.
#![expect(clippy::unwrap_used, clippy::missing_docs_in_private_items, reason = "a benchmark")]

use std::hint::black_box;
use std::num::NonZeroU32;

use criterion::{Criterion, criterion_group, criterion_main};
use roadstead::image::tags::{TagPattern, TagRule};

/// Tags as a repository has them after years: versions with variants, builds, commits, dates.
fn tags(number: usize) -> Vec<String> {
    let variants = ["", "-alpine", "-slim", "-alpine3.24", "-bookworm", "-fpm", "-rc.1", "-debug"];
    let mut tags: Vec<String> = (0..number)
        .map(|at| {
            let (major, minor, patch) = (at / 20_000, at / 400 % 50, at / 8 % 50);
            match at % 40 {
                38 => format!("main-{:07x}-{}", at * 7919 % 0x0fff_ffff, 1_700_000_000 + at),
                39 => format!("2026{:04}.{at}", at % 1231),
                _ => format!("{major}.{minor}.{patch}{}", variants[at % 8]),
            }
        })
        .collect();
    tags.sort();
    tags.dedup();
    tags
}

fn rule(patterns: &[&str], newest: u32) -> TagRule {
    TagRule {
        tags: patterns.iter().map(|pattern| pattern.parse::<TagPattern>().unwrap()).collect(),
        newest: NonZeroU32::new(newest),
        ..TagRule::default()
    }
}

fn rules() -> Vec<TagRule> {
    let mut all: Vec<TagRule> = Vec::new();
    for major in 0..5 {
        all.push(rule(&[&format!("{major}.#.#")], 3));
        all.push(rule(&[&format!("{major}.#.#-alpine"), "latest"], 3));
        all.push(rule(&[&format!("{major}.#.#-{{slim,bookworm,fpm}}")], 2));
    }
    all.push(rule(&["#.#.#{pre}"], 5));
    all.push(rule(&["[v]#.#.#"], 5));
    all.push(rule(&["main-*-#"], 3));
    all.push(rule(&["#.#.#-alpine#.#"], 3));
    all.push(rule(&["/([0-9]+)\\.([0-9]+)\\.([0-9]+)-debug/"], 3));
    all
}

fn choosing(criterion: &mut Criterion) {
    let tags = tags(110_000);
    let listed: Vec<&str> = tags.iter().map(String::as_str).collect();
    assert!(listed.len() >= 100_000, "{}", listed.len());
    let rules = rules();
    assert_eq!(rules.len(), 20);
    criterion.bench_function("20 rules, 100 000 tags", |bencher| {
        bencher.iter(|| {
            rules.iter().map(|rule| rule.choose(black_box(&listed), |_| false).selected().count()).sum::<usize>()
        });
    });
    // What the interface does for a key: the pattern is read anew, and one list is chosen from.
    criterion.bench_function("the preview of a key, 100 000 tags", |bencher| {
        bencher.iter(|| rule(black_box(&["1.#.#{,-alpine}"]), 3).choose(&listed, |_| false).judged.len());
    });
}

criterion_group!(benches, choosing);
criterion_main!(benches);
