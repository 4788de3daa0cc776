//! What is typed to find images: words that match in any order, each letter by letter as fzf does it, states as `:outdated`, and
//! platforms as `linux/arm64`. All of them have to match.
//!
//! Knows how the catalog says a state; must not know which list is searched.

use std::fmt;

use nucleo_matcher::pattern::{Atom, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use rusqlite::types::Value;

use super::browse::{RowState, States};
use crate::image::Platform;

/// A state that can be asked for, by its name after a colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SearchState {
    /// Upstream has another digest under the tag.
    Outdated,
    /// Upstream has no such tag any more.
    Gone,
    /// Upstream gives the repository only to those who log in.
    Private,
    /// A private repository that is published all the same.
    Allowed,
    /// A rule takes the image.
    Rule,
    /// A rule brought the image, and none takes it now.
    Leaving,
    /// A blob of the image is elsewhere until it is needed.
    Missing,
    /// A signature is attached to the image.
    Signed,
    /// No signature is attached to the image.
    Unsigned,
    /// The last attempt to bring it here or up to date failed.
    Failed,
    /// A target gives it out otherwise.
    Changed,
    /// No target gives it out yet.
    New,
    /// Every target gives it out as it is here.
    Published,
}

/// The states by name, in alphabetical order, as they are proposed.
pub const SEARCH_STATES: [(&str, SearchState); 13] = [
    ("allowed", SearchState::Allowed),
    ("changed", SearchState::Changed),
    ("failed", SearchState::Failed),
    ("gone", SearchState::Gone),
    ("leaving", SearchState::Leaving),
    ("missing", SearchState::Missing),
    ("new", SearchState::New),
    ("outdated", SearchState::Outdated),
    ("private", SearchState::Private),
    ("published", SearchState::Published),
    ("rule", SearchState::Rule),
    ("signed", SearchState::Signed),
    ("unsigned", SearchState::Unsigned),
];

/// What is typed to find something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    words: Vec<Atom>,
    states: Vec<SearchState>,
    platforms: Vec<String>,
    unknown: Vec<String>,
}

impl Search {
    /// Reads what was typed as words alone: where rows have no states and no platforms.
    pub fn words(text: &str) -> Self {
        Self { words: atoms(text), states: Vec::new(), platforms: Vec::new(), unknown: Vec::new() }
    }

    /// Reads what was typed. A state that there is not is left out and told by [`unknown`](Self::unknown); one that is only
    /// half typed is left out, too.
    pub fn parse(text: &str) -> Self {
        let (mut words, mut states, mut platforms, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            let small = word.to_lowercase();
            if let Some(name) = small.strip_prefix(':') {
                match SEARCH_STATES.iter().find(|(state, _)| *state == name) {
                    Some((_, state)) => states.push(*state),
                    None if SEARCH_STATES.iter().any(|(state, _)| state.starts_with(name)) => {}
                    None => unknown.push(name.to_owned()),
                }
            } else if Platform::begins_so(&small) {
                platforms.push(small);
            } else {
                words.push(word);
            }
        }
        Self { words: atoms(&words.join(" ")), states, platforms, unknown }
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        !self.has_words() && self.states.is_empty() && self.platforms.is_empty()
    }

    /// Whether names have to match: what is found can be ranked by how well they do.
    pub fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// Whether states or platforms are asked for, which only images have.
    pub fn has_conditions(&self) -> bool {
        !self.states.is_empty() || !self.platforms.is_empty()
    }

    /// Names of states that there are not, without their colons.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Whether this state is asked for.
    pub fn asks_for(&self, state: SearchState) -> bool {
        self.states.contains(&state)
    }

    /// Whether a state is asked for that the catalog does not know alone: it comes with the question, as [`States`].
    pub fn needs_states(&self) -> bool {
        self.states.iter().any(|state| named(*state).is_some())
    }

    /// What compares names with the words.
    pub fn finder(&self) -> Finder<'_> {
        Finder { words: &self.words, matcher: Matcher::new(Config::DEFAULT), letters: Vec::new() }
    }

    /// Conditions on the image `i` of the repository `r`; what they need is bound.
    pub(super) fn of_images(&self, states: &States, bound: &mut Bound) -> Vec<String> {
        let name = format!("coalesce(i.tag, {DIGEST_NAME})");
        self.of_image(bound)
            .into_iter()
            .chain(self.of_repository())
            .chain(self.of_states(&name, states, bound))
            .collect()
    }

    /// Conditions on the repository `r`: an image of it has every state and platform that is asked for.
    pub(super) fn of_repositories(&self, states: &States, bound: &mut Bound) -> Vec<String> {
        let mut conditions = self.of_repository();
        conditions.extend(self.of_states("r.name", states, bound));
        let image = self.of_image(bound);
        if !image.is_empty() {
            conditions.push(format!(
                "EXISTS (SELECT 1 FROM images i WHERE i.repository = r.id AND i.attached_to IS NULL AND {})",
                image.join(" AND ")
            ));
        }
        conditions
    }

    fn of_repository(&self) -> Vec<String> {
        let condition = |state: &SearchState| match state {
            SearchState::Private => Some("r.private".to_owned()),
            SearchState::Allowed => Some("r.private AND r.allowed".to_owned()),
            _ => None,
        };
        self.states.iter().filter_map(condition).collect()
    }

    fn of_image(&self, bound: &mut Bound) -> Vec<String> {
        let mut conditions: Vec<String> = self.states.iter().filter_map(|state| image_condition(*state)).collect();
        for platform in &self.platforms {
            let part = bound.bind(Value::Text(format!("%,{}%", escaped(platform))));
            conditions.push(format!("',' || i.platforms LIKE {part} ESCAPE '\\'"));
        }
        conditions
    }

    /// Conditions by states that came with the question, on what has this name.
    fn of_states(&self, name: &str, states: &States, bound: &mut Bound) -> Vec<String> {
        let wanted: Vec<RowState> = self.states.iter().filter_map(|state| named(*state)).collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let set = bound.bind(Value::Text(states.json()));
        // What stays out of the tree stands in no relation to what is given out.
        let given = "NOT (r.private AND NOT r.allowed)";
        let condition = |state: RowState| {
            let number = state as u8;
            let is_named = format!("'{number}' || {name} IN (SELECT value FROM json_each({set}))");
            if state == RowState::Failed {
                return is_named;
            }
            if state != states.others {
                return format!("({given} AND {is_named})");
            }
            // What failed is published or not all the same.
            let others = format!(
                "{name} NOT IN (SELECT substr(value, 2) FROM json_each({set}) WHERE substr(value, 1, 1) <> '{}')",
                RowState::Failed as u8
            );
            format!("({given} AND ({is_named} OR {others}))")
        };
        wanted.into_iter().map(condition).collect()
    }
}

fn atoms(words: &str) -> Vec<Atom> {
    Pattern::parse(words, CaseMatching::Ignore, Normalization::Smart).atoms
}

/// What an image without tag is called: the text of its digest.
pub(super) const DIGEST_NAME: &str = "'sha256:' || lower(hex((SELECT d.digest FROM blobs d WHERE d.id = i.manifest)))";

/// The state of a row that comes with the question.
fn named(state: SearchState) -> Option<RowState> {
    match state {
        SearchState::Failed => Some(RowState::Failed),
        SearchState::Changed => Some(RowState::Changed),
        SearchState::New => Some(RowState::New),
        SearchState::Published => Some(RowState::Settled),
        _ => None,
    }
}

/// How the catalog says a state of the image `i`, if it does.
fn image_condition(state: SearchState) -> Option<String> {
    // By tag as cosign attaches them, or by their type.
    const SIGNATURE: &str = "EXISTS (SELECT 1 FROM image_contents c JOIN blobs d ON d.id = c.blob
         JOIN images s ON s.repository = i.repository AND s.attached_to = d.digest
         LEFT JOIN manifests m ON m.blob = s.manifest
         WHERE c.image = i.id AND c.role = 0 AND (s.tag LIKE 'sha256-%.sig'
           OR m.artifact_type LIKE '%cosign%sig%' OR m.artifact_type LIKE '%notary%signature%'
           OR m.artifact_type LIKE '%sigstore.bundle%'))";
    const BY_RULE: &str = "EXISTS (SELECT 1 FROM rule_images x JOIN repositories o ON o.name = x.repository
         WHERE o.id = i.repository AND x.tag = i.tag AND x.leaving_at";
    Some(match state {
        SearchState::Outdated => {
            "i.upstream_digest <> (SELECT d.digest FROM blobs d WHERE d.id = i.manifest)".to_owned()
        }
        SearchState::Gone => "i.gone_at IS NOT NULL".to_owned(),
        SearchState::Rule => format!("{BY_RULE} IS NULL)"),
        SearchState::Leaving => format!("{BY_RULE} IS NOT NULL)"),
        SearchState::Missing => "EXISTS (SELECT 1 FROM left_blobs l JOIN image_contents c ON c.blob = l.blob
             WHERE c.image = i.id)"
            .to_owned(),
        SearchState::Signed => SIGNATURE.to_owned(),
        SearchState::Unsigned => format!("NOT {SIGNATURE}"),
        _ => return None,
    })
}

/// A text in which `LIKE` finds no sign of its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Values of a statement that is being made.
#[derive(Debug, Default)]
pub(super) struct Bound(pub(super) Vec<Value>);

impl Bound {
    /// Binds a value, and gives back how the statement names it.
    pub(super) fn bind(&mut self, value: Value) -> String {
        self.0.push(value);
        format!("?{}", self.0.len())
    }
}

/// Compares names with the words that were typed.
pub struct Finder<'s> {
    words: &'s [Atom],
    matcher: Matcher,
    letters: Vec<char>,
}

impl fmt::Debug for Finder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finder").finish_non_exhaustive()
    }
}

impl Finder<'_> {
    /// How well a text matches every word; nothing if one is not in it.
    pub fn score(&mut self, text: &str) -> Option<u32> {
        let text = Utf32Str::new(text, &mut self.letters);
        let mut score = 0;
        for word in self.words {
            score += u32::from(word.score(text, &mut self.matcher)?);
        }
        Some(score)
    }

    /// Which letters of a text match, in order, by their numbers.
    pub fn matched(&mut self, text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let letters: Vec<char> = text.chars().collect();
        let text = if text.is_ascii() { Utf32Str::Ascii(text.as_bytes()) } else { Utf32Str::Unicode(&letters) };
        for word in self.words {
            if word.indices(text, &mut self.matcher, &mut found).is_none() {
                return Vec::new();
            }
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|place| place as usize).collect()
    }
}

/// The names of states that the last word of a text may become, if it is a colon and the beginning of one.
pub fn state_names(text: &str) -> Vec<&'static str> {
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
    let Some(begun) = last.strip_prefix(':') else { return Vec::new() };
    SEARCH_STATES.iter().map(|(name, _)| *name).filter(|name| name.starts_with(begun)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_states_and_platforms_are_told_apart() {
        let search = Search::parse("kube :Outdated linux/arm64 api :nosuch :sig linux/x");
        assert_eq!(search.states, [SearchState::Outdated]);
        assert_eq!(search.platforms, ["linux/arm64"]);
        assert_eq!(search.unknown(), ["nosuch"]);
        let mut finder = search.finder();
        assert!(finder.score("linux/x/kube-apiserver").is_some());
        assert!(finder.score("kube-apiserver").is_none(), "linux/x is no platform");
        assert!(Search::parse(" :  :outd ").is_empty());
        assert!(Search::parse("").is_empty() && !Search::parse("a").is_empty() && !Search::parse(":gone").is_empty());
    }

    #[test]
    fn names_match_letter_by_letter_in_any_order_of_words() {
        for (text, name, found) in [
            ("kapi", "registry.k8s.io/kube-apiserver", true),
            ("kube api", "registry.k8s.io/kube-apiserver", true),
            ("api kube", "registry.k8s.io/kube-apiserver", true),
            ("API", "registry.k8s.io/kube-apiserver", true),
            ("kube xyz", "registry.k8s.io/kube-apiserver", false),
            ("'apis", "kube-apiserver", true),
            ("!proxy kube", "kube-apiserver", true),
            ("!proxy kube", "kube-proxy", false),
        ] {
            assert_eq!(Search::parse(text).finder().score(name).is_some(), found, "{text} in {name}");
        }
        let search = Search::parse("nginx");
        let mut finder = search.finder();
        assert!(finder.score("library/nginx") > finder.score("library/n-g-i-n-x"));
        assert_eq!(finder.matched("library/nginx"), [8, 9, 10, 11, 12]);
        assert_eq!(finder.matched("日…/nginx"), [3, 4, 5, 6, 7]);
        assert_eq!(finder.matched("日本"), [0; 0]);
    }

    #[test]
    fn states_are_completed_while_they_are_typed() {
        assert_eq!(state_names("kube :pu"), ["published"]);
        assert_eq!(state_names(":"), SEARCH_STATES.map(|(name, _)| name));
        assert_eq!(state_names("kube :pu x"), [""; 0]);
        assert_eq!(state_names(":nosuch"), [""; 0]);
        let mut sorted = SEARCH_STATES;
        sorted.sort_unstable();
        assert_eq!(sorted, SEARCH_STATES);
    }
}
