//! What a run tells others: the events, their JSON, and which hook wants which.
//!
//! Knows no catalog and no way to tell anybody. The JSON is one object of always the same keys:
//!
//! ```json
//! {"version": 1, "id": 7, "at": 1764450000, "run": 3, "event": "moved", "rule": "nginx",
//!  "image": "docker.io/library/nginx:1.29", "from": "sha256:…", "to": "sha256:…", "detail": null}
//! ```
//!
//! What an event does not have is `null`. Keys may be added; none is taken away or gets another meaning without another `version`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use url::Url;

use super::rule::{Hook, HookAction};
use crate::image::Digest;
use crate::text::printable_within;

/// Version of the JSON of an event.
const VERSION: u32 = 1;
/// Characters of the longest label of a hook.
const MAX_LABEL_CHARACTERS: usize = 100;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Number in this catalog; no two events have the same, and later ones have larger ones. Who is told twice sees it by this.
    pub id: u64,
    /// When it happened, in seconds since 1970.
    pub at: i64,
    /// Number of the run.
    pub run: i64,
    /// What happened.
    pub kind: EventKind,
    /// Name of the rule that it is about.
    pub rule: Option<String>,
    /// Reference of the image that it is about.
    pub image: Option<String>,
    /// Digest before.
    pub from: Option<Digest>,
    /// Digest after.
    pub to: Option<Digest>,
    /// What else is to know, as a sentence.
    pub detail: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// An image was taken that was not here.
    New,
    /// A tag got another digest, and was followed.
    Moved,
    /// An image was not taken: the gate or `moves = "refuse"` says no.
    Refused,
    /// No rule selects an image any more, and its grace has begun.
    Leaving,
    /// Upstream has removed a tag that is selected.
    Gone,
    /// An image is too young, and waits.
    Held,
    /// An image or a rule failed; without both, it is the end of a run of which something failed.
    Failed,
    /// A registry's quota is met, and the rest is postponed.
    Quota,
    /// A target got a root.
    Published,
    /// A run came to its end, and nothing of it failed.
    Finished,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::New,
        Self::Moved,
        Self::Refused,
        Self::Leaving,
        Self::Gone,
        Self::Held,
        Self::Failed,
        Self::Quota,
        Self::Published,
        Self::Finished,
    ];

    /// The name in rule files and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Moved => "moved",
            Self::Refused => "refused",
            Self::Leaving => "leaving",
            Self::Gone => "gone",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Quota => "quota",
            Self::Published => "published",
            Self::Finished => "finished",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EventKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(
            "an event is `new`, `moved`, `refused`, `leaving`, `gone`, `held`, `failed`, `quota`, `published` or `finished`",
        )
    }
}

impl Event {
    /// Whether it says that a run is over: with success, or as a failure of the run itself.
    pub fn ends_run(&self) -> bool {
        match self.kind {
            EventKind::Finished => true,
            EventKind::Failed => self.image.is_none() && self.rule.is_none(),
            _ => false,
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Event", 10)?;
        object.serialize_field("version", &VERSION)?;
        object.serialize_field("id", &self.id)?;
        object.serialize_field("at", &self.at)?;
        object.serialize_field("run", &self.run)?;
        object.serialize_field("event", self.kind.name())?;
        object.serialize_field("rule", &self.rule)?;
        object.serialize_field("image", &self.image)?;
        object.serialize_field("from", &self.from)?;
        object.serialize_field("to", &self.to)?;
        object.serialize_field("detail", &self.detail)?;
        object.end()
    }
}

impl Hook {
    /// Whether it is to be told of this event. A ping hears of a run's end alone.
    pub fn wants(&self, event: &Event) -> bool {
        let is_named = self.on.is_empty() || self.on.iter().any(|name| name == event.kind.name());
        is_named && (event.ends_run() || !matches!(self.action, HookAction::Ping(_)))
    }

    /// What tells it from other hooks, by what it does: the same for the same action in every run, and without the secrets that an
    /// address may have. Which events it wants is no part of it.
    pub fn identity(&self) -> String {
        let (kind, parts) = match &self.action {
            HookAction::Run(words) => ("run", words.iter().map(String::as_str).collect()),
            HookAction::Post { url, secret_file } => {
                ("post", std::iter::once(url.as_str()).chain(secret_file.as_deref()).collect())
            }
            HookAction::Ping(url) => ("ping", vec![url.as_str()]),
        };
        // With their lengths, so that no two lists are the same text.
        let said: Vec<String> = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        format!("{kind}:{}", Digest::of(said.concat().as_bytes()).hex())
    }

    /// What the hook of an identity does: `run`, `post` or `ping`.
    pub fn kind_of(identity: &str) -> &str {
        identity.split(':').next().unwrap_or_default()
    }

    /// What it is called for people: its program, or the host of its address. The path of an address is often a secret.
    pub fn label(&self) -> String {
        let said = match &self.action {
            HookAction::Run(words) => words.first().cloned().unwrap_or_default(),
            HookAction::Post { url, .. } | HookAction::Ping(url) => host_of(url),
        };
        printable_within(&said, MAX_LABEL_CHARACTERS)
    }
}

/// `https://host`, with a port that is not the usual one.
fn host_of(address: &str) -> String {
    let url = Url::parse(address).ok().filter(Url::has_host);
    url.map_or_else(
        || "an address without a host".to_owned(),
        |url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(kind: EventKind) -> Event {
        Event { id: 7, at: 10, run: 3, kind, rule: None, image: None, from: None, to: None, detail: None }
    }

    fn hook(on: &[&str], action: HookAction) -> Hook {
        Hook { on: on.iter().map(ToString::to_string).collect(), action }
    }

    fn post(url: &str, secret_file: Option<&str>) -> Hook {
        hook(&[], HookAction::Post { url: url.to_owned(), secret_file: secret_file.map(str::to_owned) })
    }

    fn run(words: &[&str]) -> Hook {
        hook(&[], HookAction::Run(words.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn the_json_always_has_the_same_keys() {
        let full = Event {
            rule: Some("web".to_owned()),
            image: Some("docker.io/library/nginx:1.29".to_owned()),
            from: Some(Digest::of(b"a")),
            to: Some(Digest::of(b"b")),
            detail: Some("a \"b\"\n".to_owned()),
            ..event(EventKind::Moved)
        };
        assert_eq!(
            serde_json::to_string(&full).unwrap(),
            format!(
                r#"{{"version":1,"id":7,"at":10,"run":3,"event":"moved","rule":"web","image":"docker.io/library/nginx:1.29","from":"{}","to":"{}","detail":"a \"b\"\n"}}"#,
                Digest::of(b"a"),
                Digest::of(b"b")
            )
        );
        assert_eq!(
            serde_json::to_string(&event(EventKind::Finished)).unwrap(),
            r#"{"version":1,"id":7,"at":10,"run":3,"event":"finished","rule":null,"image":null,"from":null,"to":null,"detail":null}"#
        );
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = EventKind::ALL.map(EventKind::name).into();
        assert_eq!(names.len(), EventKind::ALL.len());
        for kind in EventKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            let listed = "nothing".parse::<EventKind>().unwrap_err();
            assert!(listed.contains(&format!("`{kind}`")), "{kind}");
        }
        assert!("New".parse::<EventKind>().is_err());
    }

    #[test]
    fn a_hook_hears_what_it_wants() {
        let all = run(&["a"]);
        let some = Hook { on: vec!["new".to_owned(), "failed".to_owned()], ..all.clone() };
        for kind in EventKind::ALL {
            assert!(all.wants(&event(kind)), "{kind}");
            assert_eq!(some.wants(&event(kind)), matches!(kind, EventKind::New | EventKind::Failed), "{kind}");
        }
    }

    #[test]
    fn a_ping_hears_of_the_end_of_a_run() {
        let ping = hook(&[], HookAction::Ping("https://hc.example/u".to_owned()));
        for kind in EventKind::ALL {
            let ends = matches!(kind, EventKind::Finished | EventKind::Failed);
            assert_eq!(ping.wants(&event(kind)), ends, "{kind}");
        }
        let of_an_image = Event { image: Some("a".to_owned()), ..event(EventKind::Failed) };
        let of_a_rule = Event { rule: Some("a".to_owned()), ..event(EventKind::Failed) };
        assert!(!ping.wants(&of_an_image) && !ping.wants(&of_a_rule));
        let failures = Hook { on: vec!["failed".to_owned()], ..ping };
        assert!(failures.wants(&event(EventKind::Failed)) && !failures.wants(&event(EventKind::Finished)));
    }

    #[test]
    fn a_hook_is_known_by_what_it_does() {
        let hooks = [
            run(&["a", "b"]),
            run(&["ab"]),
            run(&["a"]),
            run(&["a", "1:b"]),
            post("https://h/secret", None),
            post("https://h/secret", Some("key")),
            hook(&[], HookAction::Ping("https://h/secret".to_owned())),
        ];
        let identities: std::collections::BTreeSet<String> = hooks.iter().map(Hook::identity).collect();
        assert_eq!(identities.len(), hooks.len());
        assert!(!identities.iter().any(|identity| identity.contains("secret")), "{identities:?}");
        let other = Hook { on: vec!["new".to_owned()], ..hooks[0].clone() };
        assert_eq!(other.identity(), hooks[0].identity());
    }

    #[test]
    fn a_label_shows_no_secret() {
        for (hook, label) in [
            (run(&["/bin/tell\u{1b}", "--token=x"]), "/bin/tell\\u{1b}"),
            (post("https://user:word@hooks.example:8443/T0/secret?x", None), "https://hooks.example:8443"),
            (post("nothing", None), "an address without a host"),
            (post("data:secret", None), "an address without a host"),
        ] {
            assert_eq!(hook.label(), label);
        }
    }

    proptest! {
        #[test]
        fn lists_of_words_are_told_apart(one in prop::collection::vec("[0-9:a]{0,3}", 0..4), other in prop::collection::vec("[0-9:a]{0,3}", 0..4)) {
            let of = |words: &Vec<String>| hook(&[], HookAction::Run(words.clone())).identity();
            prop_assert_eq!(one == other, of(&one) == of(&other));
        }
    }
}
