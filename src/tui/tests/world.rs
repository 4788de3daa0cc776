//! An interface with something to show, and a catalog that answers its questions from memory.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::app::{App, Beginning, Look};
use super::super::completing::Suggestion;
use super::super::effect::Effect;
use super::super::glyphs::{self, Glyphs};
use super::super::keymap::{Key, Keymap};
use super::super::list::Span;
use super::super::message::Msg;
use super::super::question::{Answer, Check, FirstFiles, Question, Shape};
use super::super::state::listing::Named;
use super::super::theme::Theme;
use super::super::view;
use crate::catalog::statistics::{Counts, Figures};
use crate::engine::query::browse::{Insight, Overview, Room, Rows, Search, SearchState, TreeRow};
use crate::engine::query::diff::{ChangeKind, RepositoryChange, TagChange};
use crate::engine::query::jump::{Hit, HitKind, Place};
use crate::engine::query::standing::TargetStanding;
use crate::engine::query::view::{
    AttachedDetails, ConfigDetails, GatewayDetails, ImageDetails, ImageRow, LayerDetails, ManifestDetails,
    RepositoryRow, SharedRow, Statistics, Step,
};
use crate::image::Digest;

/// What the catalog has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Empty,
    Small,
    /// Text that would do harm if it reached a terminal raw.
    Hostile,
    Huge,
    /// Names and values that are longer than their place.
    Long,
    /// As `Small`, with rules.
    Ruled,
}

pub(super) const CID: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";

/// Control sequences, wide and combining letters, both directions, nothing at all.
pub(super) const HOSTILE: [&str; 6] = [
    "evil\u{1b}[2J\u{1b}]52;c;AAAA\u{7}",
    "日本語のイメージ名前がとても長い",
    "e\u{301}e\u{301}\u{200d}👩\u{200d}👩\u{200d}👧",
    "\u{202e}gnp.exe שלום עולם",
    "\u{200b}\u{feff}",
    "a\r\nb\tc\0d",
];

pub(super) fn app(size: (u16, u16), glyphs: &Glyphs) -> App {
    App::new(Beginning {
        look: Look { theme: Theme::terminal(), glyphs: *glyphs },
        theme: "terminal",
        colour: true,
        keymap: Keymap::default(),
        mouse: true,
        size,
        wall: "2026-11-20T12:00:00Z".parse().unwrap(),
        zone: jiff::tz::TimeZone::UTC,
    })
}

/// An interface that has had its questions answered.
pub(super) fn settled(size: (u16, u16), glyphs: &Glyphs, content: Content) -> App {
    let mut app = app(size, glyphs);
    let effects = app.update(Msg::Tick(Duration::ZERO, app.wall));
    settle(&mut app, content, effects);
    app
}

/// Answers questions until there are none; other effects are given back.
pub(super) fn settle(app: &mut App, content: Content, effects: Vec<Effect>) -> Vec<Effect> {
    let (mut todo, mut others) = (effects, Vec::new());
    while let Some(effect) = todo.pop() {
        match effect {
            Effect::Ask(ticket, question) => {
                todo.extend(app.update(Msg::Answer(ticket, Box::new(answer(content, question)))));
            }
            other => others.push(other),
        }
    }
    others
}

/// Presses keys, each as the configuration writes it, and answers what follows.
pub(super) fn press(app: &mut App, content: Content, keys: &str) -> Vec<Effect> {
    let mut others = Vec::new();
    for key in keys.split_whitespace() {
        let effects = app.update(Msg::Key(event(key)));
        others.extend(settle(app, content, effects));
    }
    others
}

pub(super) fn event(key: &str) -> KeyEvent {
    let code = match key {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "space" => KeyCode::Char(' '),
        "end" => KeyCode::End,
        "page-down" => KeyCode::PageDown,
        "page-up" => KeyCode::PageUp,
        control if control.starts_with("ctrl-") => return control.parse::<Key>().unwrap().event(),
        letter => KeyCode::Char(letter.chars().next().unwrap()),
    };
    let event = KeyEvent::new(code, KeyModifiers::NONE);
    assert!(key.len() == 1 || Key::from(event).to_string() == key);
    event
}

/// What is on the screen.
pub(super) fn picture(app: &App) -> String {
    let mut terminal = Terminal::new(TestBackend::new(app.size.0, app.size.1)).unwrap();
    terminal.draw(|frame| view::draw(app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut lines = Vec::new();
    for y in 0..buffer.area.height {
        let (mut line, mut skip) = (String::new(), 0);
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            assert!(!symbol.chars().any(char::is_control), "a raw control character at {x},{y}: {symbol:?}");
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

pub(super) fn every_size() -> [((u16, u16), &'static Glyphs, &'static str); 6] {
    let (unicode, ascii) = (&glyphs::UNICODE, &glyphs::ASCII);
    [
        ((80, 24), unicode, "80x24"),
        ((120, 40), unicode, "120x40"),
        ((200, 60), unicode, "200x60"),
        ((80, 24), ascii, "80x24-ascii"),
        ((120, 40), ascii, "120x40-ascii"),
        ((200, 60), ascii, "200x60-ascii"),
    ]
}

fn lost() -> super::super::problem::Problem {
    super::super::problem::Problem {
        message: "the node is lost".to_owned(),
        hints: Vec::new(),
        kind: crate::error::Kind::Node,
    }
}

pub(super) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn names(content: Content) -> Vec<String> {
    match content {
        Content::Empty => Vec::new(),
        Content::Small | Content::Ruled => {
            ["library/alpine", "library/nginx", "ghcr.io/org/app", "registry.example/team/private"]
                .map(str::to_owned)
                .to_vec()
        }
        Content::Hostile => HOSTILE.map(str::to_owned).to_vec(),
        Content::Long => ["cart", "checkout", "search"]
            .map(|team| format!("127.0.0.1_34777/shop/{team}/one-of-many-teams/service-checkout"))
            .to_vec(),
        Content::Huge => (0..5000).map(|number| format!("group-{:03}/project-{number:05}", number % 97)).collect(),
    }
}

fn tags(content: Content, repository: &str) -> Vec<String> {
    match content {
        Content::Empty => Vec::new(),
        Content::Small | Content::Ruled if repository == "library/nginx" => {
            ["1.27", "1.27-alpine", "latest"].map(str::to_owned).to_vec()
        }
        Content::Small | Content::Ruled => vec!["latest".to_owned()],
        Content::Hostile => HOSTILE.map(str::to_owned).to_vec(),
        Content::Long => {
            (1..7).map(|day| format!("nightly-2026-11-{day:02}-{}-until-128", "long-".repeat(20))).collect()
        }
        Content::Huge => (0..200).map(|number| format!("1.{number}.0")).collect(),
    }
}

fn repository_row(place: usize, name: &str) -> RepositoryRow {
    let size = (place as u64 + 1) * (41 << 20);
    RepositoryRow {
        name: name.to_owned(),
        alias: name.strip_prefix("library/").map(str::to_owned),
        upstream: Some(super::tree::upstream_of(name)),
        private: place == 3,
        published: place != 3,
        images: if name == "library/nginx" { 3 } else { 1 },
        outdated: u64::from(place == 2),
        gone: 0,
        added: "2026-11-20T09:00:00Z".parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second),
        figures: Figures { logical: size, stored: size / 2, unique: size / 4 },
    }
}

fn image_row(place: usize, name: &str, tag: &str) -> ImageRow {
    ImageRow {
        name: name.to_owned(),
        tag: Some(tag.to_owned()),
        digest: digest(&format!("{name}:{tag}")),
        cid: CID.to_owned(),
        platforms: vec!["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()],
        logical: (place as u64 + 1) * (71 << 20),
        added: "2026-11-20T09:00:00Z".to_owned(),
        outdated: (place == 1).then(|| digest("upstream")),
        attached_to: None,
        gone: None,
    }
}

fn details(content: Content, pick: &str) -> ImageDetails {
    let (name, tag) = pick.rsplit_once(':').unwrap_or((pick, "latest"));
    let text = |usual: &str| match content {
        Content::Hostile => HOSTILE.join(" "),
        Content::Long => "0123456789".repeat(410),
        _ => usual.to_owned(),
    };
    let sharers = |usual: &str| match content {
        Content::Long => names(content).iter().map(|name| format!("{name}:1.1")).collect(),
        _ => vec![usual.to_owned()],
    };
    let layers = |platform: &str| {
        [("base", 29 << 20), ("app", 41 << 20)]
            .into_iter()
            .map(|(what, size)| LayerDetails {
                digest: digest(&format!("{platform}{what}")),
                cid: Some(CID.to_owned()),
                media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
                size,
                created_by: None,
                shared_with: if what == "base" { sharers("library/alpine:latest") } else { Vec::new() },
                shared_by: match (what, content) {
                    ("base", Content::Long) => 44,
                    ("base", _) => 4,
                    _ => 0,
                },
            })
            .collect()
    };
    let manifests = ["linux/amd64", "linux/arm64/v8"]
        .into_iter()
        .map(|platform| ManifestDetails {
            digest: digest(platform),
            cid: CID.to_owned(),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            size: 1200,
            platform: Some(platform.to_owned()),
            attests: None,
            config: Some(ConfigDetails {
                digest: digest("config").to_string(),
                cid: CID.to_owned(),
                created: Some("2026-11-01T00:00:00Z".to_owned()),
                entrypoint: vec![text("/docker-entrypoint.sh")],
                command: vec!["nginx".to_owned(), "-g".to_owned(), "daemon off;".to_owned()],
                environment: vec![text("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")],
                working_directory: Some("/srv".to_owned()),
                user: Some("101".to_owned()),
                ports: vec!["80/tcp".to_owned()],
                labels: [("org.opencontainers.image.version".to_owned(), text("1.27"))].into(),
                history: [
                    (text("/bin/sh -c #(nop) ADD file:1 in /"), false),
                    ("ENV NGINX_VERSION=1.27".to_owned(), true),
                    ("RUN /bin/sh -c set -x     && apk add --no-cache nginx=1.27 # buildkit".to_owned(), false),
                    ("EXPOSE map[80/tcp:{}]".to_owned(), true),
                    ("CMD [\"nginx\" \"-g\" \"daemon off;\"]".to_owned(), true),
                ]
                .map(|(command, empty)| Step { command, empty })
                .to_vec(),
            }),
            layers: layers(platform),
        })
        .collect();
    ImageDetails {
        row: image_row(usize::from(tag == "1.27-alpine"), name, tag),
        upstream: Some(format!("docker.io/{name}:{tag}")),
        private: false,
        published: true,
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        selection: "linux/amd64,linux/arm64/v8".to_owned(),
        figures: Figures { logical: 140 << 20, stored: 140 << 20, unique: 82 << 20 },
        manifests,
        attached: vec![AttachedDetails {
            subject: digest("linux/amd64"),
            tag: Some(format!("sha256-{}.sig", digest("linux/amd64").hex())),
            digest: digest("signature"),
            cid: CID.to_owned(),
            artifact_type: Some("application/vnd.dev.cosign.artifact.sig.v1+json".to_owned()),
            logical: 2100,
        }],
        left_out: Vec::new(),
        gateway: vec![GatewayDetails {
            platform: "linux/amd64".to_owned(),
            tag: Some(tag.to_owned()),
            digest: None,
            left_out: None,
        }],
    }
}

/// Rows that have every word, the best match first.
fn best<T>(search: &Search, rows: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
    let mut finder = search.finder();
    let mut found: Vec<(u32, T)> =
        rows.into_iter().filter_map(|row| finder.score(&name(&row)).map(|score| (score, row))).collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, row)| row).collect()
}

/// Repositories and tags that match, and a layer.
fn hits(content: Content, text: &str) -> Vec<Hit> {
    let search = Search::words(text);
    let hit = |kind, name: String, about: &str, place| Hit { kind, name, about: about.to_owned(), place };
    let mut all = Vec::new();
    for name in names(content) {
        all.push(hit(HitKind::Repository, name.clone(), "3 images", Place::Repository(name.clone())));
        let of = tags(content, &name).into_iter().map(|tag| {
            let place = Place::Image(name.clone(), tag.clone());
            hit(HitKind::Tag, format!("{name}:{tag}"), "linux/amd64 +1, 71 MiB", place)
        });
        all.extend(of);
    }
    let mut found = best(&search, all, |hit| hit.name.clone());
    if text.starts_with("sha256:") {
        let place = Place::Image("library/nginx".to_owned(), "1.27".to_owned());
        found.insert(0, hit(HitKind::Layer, digest("base").to_string(), "library/nginx:1.27 +4", place));
    }
    found.truncate(100);
    found
}

/// A part of them, the other way round if that is asked for, and where the row is that is looked for.
fn rows<T: Named>(mut all: Vec<T>, span: Span, turned: bool, around: Option<&str>) -> Rows<T> {
    if turned {
        all.reverse();
    }
    let place = all.iter().position(|row| around == Some(row.key().as_str())).map(|place| place as u64);
    let (skip, take) = (usize::try_from(span.offset).unwrap_or(usize::MAX), usize::try_from(span.limit).unwrap_or(0));
    let total = all.len() as u64;
    Rows { total, entries: total, offset: span.offset, place, rows: all.into_iter().skip(skip).take(take).collect() }
}

pub(super) fn answer(content: Content, question: Question) -> Answer {
    let all = names(content);
    match question {
        Question::Overview => Answer::Overview(Overview {
            counts: Counts { repositories: all.len() as u64, images: 2 * all.len() as u64, blobs: 12 },
            figures: Figures { logical: 18 << 30, stored: 9 << 30, unique: 0 },
            root: Some(CID.to_owned()),
            name: Some("r.example.org".to_owned()),
        }),
        Question::Registries => Answer::Registries(super::tree::totals(&all)),
        Question::Repositories { shape, filter, span, descending, around, .. } => {
            let search = Search::parse(&filter);
            let found = all.iter().enumerate().map(|(n, name)| repository_row(n, name));
            let found = found.filter(|row| {
                let outdated = row.outdated > 0 || !search.asks_for(SearchState::Outdated);
                let private = row.private || !search.asks_for(SearchState::Private);
                outdated && private
            });
            let found = best(&search, found.collect(), |row| row.name.clone());
            if let Shape::Registry(registry) = shape {
                return Answer::Rows(None, span, super::tree::members(found, &registry));
            }
            let (entries, around) = (found.len() as u64, around.as_deref());
            let found = super::tree::shaped(found, &shape, !search.is_empty(), around);
            Answer::Repositories(span, Rows { entries, ..rows(found, span, descending, around) })
        }
        Question::Images { repository, filter, span, descending, around, .. } => {
            let tags = tags(content, &repository);
            let found = tags.iter().enumerate().map(|(n, tag)| image_row(n, &repository, tag)).collect();
            let found = best(&Search::parse(&filter), found, |row: &ImageRow| row.tag.clone().unwrap_or_default());
            Answer::Images(span, rows(found, span, descending, around.as_deref()))
        }
        Question::Details(pick) => Answer::Details(Box::new(details(content, &pick))),
        Question::Statistics => Answer::Statistics(Box::new(Insight {
            statistics: Statistics {
                counts: Counts { repositories: all.len() as u64, images: 2 * all.len() as u64, blobs: 12 },
                logical: 18 << 30,
                stored: 9 << 30,
                saved: 9 << 30,
                repositories: all.iter().take(10).enumerate().map(|(n, name)| repository_row(n, name)).collect(),
                most_shared: all
                    .iter()
                    .take(3)
                    .map(|name| SharedRow { digest: digest(name), size: 29 << 20, images: 4, of: vec![name.clone()] })
                    .collect(),
            },
            largest: all.iter().take(10).enumerate().map(|(n, name)| repository_row(n, name)).collect(),
            growth: (0..20).map(|day| (1_790_000_000 + day * 86_400, (day as u64 + 1) << 28)).collect(),
            room: Some(Room { free: 41 << 30, total: 100 << 30 }),
        })),
        Question::Following => Answer::Following(None, Vec::new()),
        // Targets are the targets' own pictures.
        Question::Targets => Answer::Targets(Vec::new(), Vec::new()),
        Question::Sight(target) => Answer::Sight(target, Err(lost())),
        Question::Difference(sides) => Answer::Difference(sides, Err(lost())),
        Question::Words(words) => {
            let last = words.last().cloned().unwrap_or_default();
            let verbs = [("diff", "Show what differs between two images"), ("publish", "Publish the registry")];
            let flags = [("--gateway", "Ask this gateway"), ("--force", "Publish what a target has, too")];
            let known = if words.len() == 1 { verbs } else { flags };
            let found = known.iter().filter(|(word, _)| word.starts_with(&last));
            let suggestion = |(word, help): &(&str, &str)| Suggestion { word: (*word).into(), help: (*help).into() };
            Answer::Words(words, found.map(suggestion).collect())
        }
        Question::Comparison(sides) => {
            let mut difference = crate::engine::query::comparison::sample();
            let name = |named: &str| match content {
                Content::Hostile => HOSTILE.join(" "),
                _ => named.to_owned(),
            };
            (difference.before.image, difference.after.image) = (name(&sides.0), name(&sides.1));
            Answer::Comparison(sides, Ok(Box::new(difference)))
        }
        Question::Find(text) => {
            let found = hits(content, &text);
            Answer::Found(text, found)
        }
        Question::Complete(prefix) => {
            Answer::Complete(all.into_iter().filter(|name| name.starts_with(&prefix)).collect())
        }
        Question::Tags(of, _) => Answer::Tags(of, Ok(vec!["1.27".to_owned(), "1.28".to_owned(), "latest".to_owned()])),
        Question::Standings if content == Content::Empty => Answer::Standings(Vec::new()),
        Question::Standings => {
            let tag = |tag: &str, kind| TagChange { tag: tag.to_owned(), kind, before: None, after: None };
            let changes = vec![
                RepositoryChange {
                    repository: "library/nginx".to_owned(),
                    kind: ChangeKind::Changed,
                    tags: vec![tag("1.27", ChangeKind::Changed), tag("latest", ChangeKind::Added)],
                },
                RepositoryChange {
                    repository: "ghcr.io/org/app".to_owned(),
                    kind: ChangeKind::Added,
                    tags: Vec::new(),
                },
            ];
            Answer::Standings(vec![TargetStanding {
                target: "home".to_owned(),
                root: Some(CID.to_owned()),
                pinned: true,
                changes: Some(std::sync::Arc::new(changes)),
            }])
        }
        Question::Rows(list) => {
            let of = match list.as_ref() {
                Question::Images { repository, .. } => Some(repository.clone()),
                _ => None,
            };
            match answer(content, *list) {
                Answer::Repositories(span, Rows { rows, .. }) => {
                    let rows = rows.iter().filter_map(TreeRow::repository);
                    Answer::Rows(None, span, rows.map(|row| (row.name.clone(), 1 << 20)).collect())
                }
                Answer::Images(span, Rows { rows, .. }) => {
                    let name = |row: &ImageRow| format!("{}:{}", row.name, row.tag.clone().unwrap_or_default());
                    Answer::Rows(of, span, rows.iter().map(|row| (name(row), 1 << 20)).collect())
                }
                other => other,
            }
        }
        Question::Rules => Answer::Rules(Ok(Box::new(super::rules::known(super::rules::shown(content))))),
        Question::Files { image, which } => {
            let files = super::files::image_files(content, &image, &which);
            Answer::Files(image, which, Ok(std::sync::Arc::new(files)))
        }
        Question::Source(source) => Answer::Source(source.clone(), super::rules::named(&source)),
        Question::TagList(upstream, _) => Answer::TagList(upstream, super::rules::list(content)),
        Question::Environment => Answer::Environment(
            vec![
                Check {
                    good: Some(true),
                    text: "images go to /home/me/.local/share/roadstead, 41 GiB free".to_owned(),
                },
                Check { good: None, text: "no IPFS node at 127.0.0.1:5001; only publishing needs one".to_owned() },
                Check { good: None, text: "no target to publish to yet".to_owned() },
            ],
            FirstFiles { compose: Some("compose.yaml"), regsync: None },
        ),
    }
}
