//! Rules of every kind, for property tests.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::image::tags::{TagPattern, TagRule};
use crate::image::{Platform, Reference, Selection};
use crate::rules::{EventKind, Hook, HookAction, Kept, Moves, Period, Rule, Rules, Source, Subject};

/// Strings with all that TOML has to escape.
fn text() -> impl Strategy<Value = String> {
    "[a-c \"'\\\\\n\r\t#é\u{1}\u{7f}\u{feff}\u{1f600}{}\\[\\]]{0,10}"
}

fn period() -> impl Strategy<Value = Period> {
    (1_u32..10_000_000).prop_map(|seconds| format!("{seconds}s").parse().unwrap())
}

fn kept() -> impl Strategy<Value = Kept> {
    option::of((0_u32..10_000_000).prop_map(|seconds| format!("{seconds}s").parse().unwrap()))
        .prop_map(|period| period.map_or(Kept::Always, Kept::For))
}

fn pattern() -> impl Strategy<Value = TagPattern> {
    select(vec!["1.#.#{,-alpine}", "latest", "v#[.#]{pre}", "*-ls#", r"/v\.([0-9]+)'\x22#/", "stable", "/a/"])
        .prop_map(|text| text.parse().unwrap())
}

fn tags() -> impl Strategy<Value = TagRule> {
    let bound = || option::of(select(vec!["1.20", "v2", "20000000"]).prop_map(|text| text.parse().unwrap()));
    let count = || option::of((1_u32..).prop_map(|count| NonZeroU32::new(count).unwrap()));
    let numbers = (count(), count(), count(), bound(), bound());
    (vec(pattern(), 1..5), vec(pattern(), 0..3), numbers).prop_map(|(tags, except, numbers)| {
        let (newest, per, lines, at_least, below) = numbers;
        let full = TagRule { tags, except, newest, per, lines, at_least, below };
        if full.fault().is_none() {
            return full;
        }
        TagRule { tags: full.tags, except: full.except, ..TagRule::default() }
    })
}

fn subject() -> impl Strategy<Value = Subject> {
    let images =
        ["nginx", "grafana/grafana", "ghcr.io/o/app", "localhost:5000/a", "[::1]:5000/x", "docker.io/ghcr.io/x"];
    let repository = (select(images.to_vec()), tags()).prop_map(|(image, tags)| {
        let upstream = image.parse::<Reference>().unwrap().upstream;
        Subject::Repository { upstream, tags }
    });
    let kinds = select(vec!["compose:", "kubernetes:", "dockerfile:", "list:", "command:"]);
    let source = (kinds, text()).prop_filter_map("no source", |(kind, text)| format!("{kind}{text}").parse().ok());
    prop_oneof![repository, vec(source, 1..4).prop_map(|sources: Vec<Source>| Subject::Sources(sources))]
}

fn platforms() -> impl Strategy<Value = Option<Selection>> {
    let some = btree_set(select(vec!["linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64"]), 1..4);
    let only = some.prop_map(|texts| {
        let platforms: BTreeSet<Platform> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Some(Selection::Only(platforms))
    });
    prop_oneof![Just(None), Just(Some(Selection::All)), only]
}

/// One rule; which of several it is makes its name its own.
pub(super) fn rule(number: usize) -> impl Strategy<Value = Rule> {
    let former_tag = option::of(select(vec!["{tag}-{date}", "old-{date}", "{tag}.old"]).prop_map(str::to_owned));
    let words = (text(), select(vec![Moves::Follow, Moves::Refuse, Moves::Ignore]), former_tag, platforms());
    let times = (option::of(period()), option::of(period()), kept(), kept(), option::of(period()));
    (subject(), words, times, any::<(u32, u32)>(), any::<bool>()).prop_map(
        move |(subject, (name, moves, former_tag, platforms), times, (max_new, reserve), is_renamed)| {
            let (age, former, leave, gone, every) = times;
            let name: String = name.chars().filter(|character| !character.is_control()).collect();
            let is_repository = matches!(subject, Subject::Repository { .. });
            Rule {
                name: format!("{number}{name}.").parse().unwrap(),
                published_as: (is_repository && is_renamed).then(|| format!("mirror/a{number}").parse().unwrap()),
                subject,
                platforms,
                age,
                moves,
                former,
                former_tag,
                leave,
                gone,
                max_new,
                reserve,
                every,
            }
        },
    )
}

fn hook() -> impl Strategy<Value = Hook> {
    let words = vec(text(), 0..3).prop_map(|words| {
        let words = std::iter::once("sh".to_owned()).chain(words.into_iter().map(|word| word.replace('\0', "")));
        HookAction::Run(words.collect())
    });
    let post = option::of(select(vec!["secret", "/run/it's"])).prop_map(|secret| HookAction::Post {
        url: "https://example.com/a?b='\"".to_owned(),
        secret_file: secret.map(str::to_owned),
    });
    let ping = Just(HookAction::Ping("http://[::1]:8/p".to_owned()));
    let events = vec(select(EventKind::ALL.map(EventKind::name).to_vec()), 0..4);
    (events, prop_oneof![words, post, ping])
        .prop_map(|(on, action)| Hook { on: on.into_iter().map(str::to_owned).collect(), action })
}

/// A file's worth of rules, each with a name of its own.
pub(super) fn rules() -> impl Strategy<Value = Rules> {
    let rules = (0_usize..5).prop_flat_map(|count| (0..count).map(rule).collect::<Vec<_>>());
    (rules, vec(hook(), 0..3), option::of("[a-z'\" ]{1,9}")).prop_map(|(rules, hooks, gate)| Rules {
        rules,
        hooks,
        gate: gate.into_iter().collect(),
        ..Rules::default()
    })
}
