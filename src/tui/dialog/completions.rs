//! What would complete the word that is typed where images are added: tags that upstream has, references that the catalog
//! mirrors from, options. Only the part that differs is shown.

/// What may be said of an image, in the order in which it is offered.
pub const OPTIONS: [&str; 5] = ["--platform", "--as", "--all-manifests", "--insecure", "--no-insecure"];
/// What may be said of a rule, in the order in which it is offered.
pub const RULE_OPTIONS: [&str; 18] = [
    "--newest",
    "--per",
    "--lines",
    "--at-least",
    "--below",
    "--except",
    "--age",
    "--moves",
    "--leave",
    "--gone",
    "--max-new",
    "--reserve",
    "--former",
    "--former-tag",
    "--platform",
    "--as",
    "--every",
    "--name",
];
/// The most references of the catalog that are offered.
const MAX_COMPLETIONS: usize = 200;
/// Tags that are offered instead of one that is not there.
const MAX_NEAREST_TAGS: usize = 6;

/// A completion that is offered for what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Part of the word that the list shows.
    pub shown: String,
    /// Word that replaces what was typed.
    pub word: String,
}

/// Completions of the word under the cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completions {
    /// Completions on offer, in the order that they are shown.
    pub found: Vec<Completion>,
    /// The one that stands in the text, while they are gone through.
    pub picked: Option<usize>,
    /// This tag is not there: these are the nearest.
    pub missing: Option<String>,
}

/// A reference without its tag and digest; a colon before the last slash belongs to a port.
pub fn repository_of(word: &str) -> &str {
    let word = word.split('@').next().unwrap_or(word);
    match word.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => word,
    }
}

/// The options and their values in a text are no images: how many are left. While a quotation mark is open, spaces count.
pub fn images_in(text: &str) -> usize {
    let words = shell_words::split(text);
    let words = words.unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect());
    let mut is_value = false;
    let is_image = |word: &&String| {
        let is_image = !word.starts_with("--") && !is_value;
        is_value = matches!(word.as_str(), "--as" | "--platform");
        is_image
    };
    words.iter().filter(is_image).count()
}

impl Completions {
    /// What completes a word: from the tags of its repository, and from these references.
    pub fn of(word: &str, tags: &[String], references: &[String]) -> Self {
        if word.starts_with("--") {
            return Self::of_options(word, &OPTIONS);
        }
        let mut completions = Self::default();
        if !word.is_empty() && !word.contains('@') {
            completions.take_tags(word, tags);
        }
        let whole = |word: &str| Completion { shown: word.to_owned(), word: word.to_owned() };
        let begin_so = references.iter().filter(|reference| reference.starts_with(word) && *reference != word);
        completions.found.extend(begin_so.take(MAX_COMPLETIONS).map(|reference| whole(reference)));
        completions
    }

    /// What completes an option of these.
    pub fn of_options(word: &str, options: &[&str]) -> Self {
        let found =
            options.iter().filter(|option| word.starts_with("--") && option.starts_with(word) && **option != word);
        let found = found.map(|option| Completion { shown: (*option).to_owned(), word: (*option).to_owned() });
        Self { found: found.collect(), ..Self::default() }
    }

    fn take_tags(&mut self, word: &str, tags: &[String]) {
        let repository = repository_of(word);
        let typed = word[repository.len()..].trim_start_matches(':');
        let of = |tag: &&String| Completion { shown: (*tag).clone(), word: format!("{repository}:{tag}") };
        let begin_so = tags.iter().filter(|tag| tag.starts_with(typed) && *tag != typed);
        self.found = begin_so.map(|tag| of(&tag)).collect();
        if !self.found.is_empty() || typed.is_empty() || tags.is_empty() || tags.iter().any(|tag| tag == typed) {
            return;
        }
        let mut nearest: Vec<&String> = tags.iter().collect();
        let distance = |tag: &str| {
            let apart = !tag.contains(typed) && !typed.contains(tag);
            (apart, strsim::damerau_levenshtein(tag, typed))
        };
        nearest.sort_by_cached_key(|tag| distance(tag));
        self.found = nearest.iter().take(MAX_NEAREST_TAGS).map(of).collect();
        self.missing = Some(typed.to_owned());
    }

    /// Goes on to the next one, or back; it comes round. What stands in the text then.
    pub fn step(&mut self, forward: bool) -> Option<&str> {
        let all = self.found.len();
        let next = match (self.picked, forward) {
            (_, _) if all == 0 => return None,
            (None, true) => 0,
            (None, false) => all - 1,
            (Some(at), true) => (at + 1) % all,
            (Some(at), false) => (at + all - 1) % all,
        };
        self.picked = Some(next);
        self.found.get(next).map(|completion| completion.word.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(completions: &Completions) -> Vec<&str> {
        completions.found.iter().map(|completion| completion.shown.as_str()).collect()
    }

    fn all(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn of_tags_only_the_tags_are_shown() {
        let tags = all(&["1.0", "1.1", "2.0"]);
        let mut found = Completions::of("ghcr.io:443/a/b:1.", &tags, &[]);
        assert_eq!(shown(&found), ["1.0", "1.1"]);
        assert_eq!(found.step(true), Some("ghcr.io:443/a/b:1.0"));
        assert_eq!(found.step(false), Some("ghcr.io:443/a/b:1.1"));
        assert_eq!(found.step(true), Some("ghcr.io:443/a/b:1.0"));
        assert_eq!(shown(&Completions::of("ghcr.io:443/a/b", &tags, &[])), ["1.0", "1.1", "2.0"]);
        assert!(Completions::of("a/b@sha256:1", &tags, &[]).found.is_empty());
    }

    #[test]
    fn every_tag_is_offered() {
        let tags: Vec<String> = (0..1000).map(|number| format!("1.{number}")).collect();
        assert_eq!(Completions::of("a/b:1.", &tags, &[]).found.len(), 1000);
    }

    #[test]
    fn of_a_tag_that_is_not_there_the_nearest_are_shown() {
        let tags = all(&["1.0", "1.1", "2.0", "latest"]);
        let found = Completions::of("a/b:1.0-alpine", &tags, &[]);
        assert_eq!((shown(&found)[0], found.missing.as_deref()), ("1.0", Some("1.0-alpine")));
        assert_eq!(shown(&Completions::of("a/b:lates1", &tags, &[]))[0], "latest");
        assert_eq!(Completions::of("a/b:1.0", &tags, &[]).missing, None);
    }

    #[test]
    fn options_and_references_are_completed_too() {
        assert_eq!(shown(&Completions::of("--a", &[], &[])), ["--as", "--all-manifests"]);
        assert_eq!(shown(&Completions::of_options("--l", &RULE_OPTIONS)), ["--lines", "--leave"]);
        assert!(Completions::of_options("l", &RULE_OPTIONS).found.is_empty());
        let references = all(&["127.0.0.1:5000/team/app", "nginx"]);
        assert_eq!(shown(&Completions::of("", &[], &references)), ["127.0.0.1:5000/team/app", "nginx"]);
        assert_eq!(shown(&Completions::of("127.0.0.1:5000/t", &[], &references)), ["127.0.0.1:5000/team/app"]);
    }
}
