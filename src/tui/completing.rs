//! What a line of the command line can go on with: verbs, flags, and names that the catalog has. Who knows them is given from
//! outside.

use std::fmt;

/// A word that a line can go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The whole word, as it is without quotes.
    pub word: String,
    /// What it is, in a line; nothing for a name.
    pub help: String,
}

/// The command line of this program, which it hands over.
pub trait CommandLine: fmt::Debug + Send + Sync {
    /// What the last of these words can become. May read files and the catalog.
    fn complete(&self, words: &[String]) -> Vec<Suggestion>;
}

/// The words of a line, the last of which is being written and may be empty; and where that begins. None inside of quotes.
pub(super) fn unfinished(line: &str) -> Option<(Vec<String>, usize)> {
    let start = line.rfind(' ').map_or(0, |space| space + 1);
    let last = &line[start..];
    if last.contains(['\'', '"', '\\']) {
        return None;
    }
    let mut words = shell_words::split(&line[..start]).ok()?;
    words.push(last.to_owned());
    Some((words, start))
}

/// What all of them begin with.
pub(super) fn common<'s>(mut words: impl Iterator<Item = &'s str>) -> &'s str {
    let first = words.next().unwrap_or_default();
    words.fold(first, |common, word| {
        let same = common.char_indices().zip(word.chars()).find(|((_, one), other)| one != other);
        let end = same.map_or(common.len().min(word.len()), |((place, _), _)| place);
        &common[..end]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_being_written() {
        let words = |line| unfinished(line).map(|(words, start)| (words.join("|"), start));
        assert_eq!(words("di"), Some(("di".to_owned(), 0)));
        assert_eq!(words("add 'a b' --pl"), Some(("add|a b|--pl".to_owned(), 10)));
        assert_eq!(words("add "), Some(("add|".to_owned(), 4)));
        assert_eq!(words(""), Some((String::new(), 0)));
        assert_eq!(words("add 'a b"), None);
        assert_eq!(words("add \"a"), None);
    }

    #[test]
    fn what_words_have_in_common() {
        let of = |words: &[&'static str]| common(words.iter().copied());
        assert_eq!(of(&["library/nginx", "library/nats"]), "library/n");
        assert_eq!(of(&["nginx", "nginx-extra"]), "nginx");
        assert_eq!(of(&["é", "è"]), "");
        assert_eq!(of(&[]), "");
    }

    proptest::proptest! {
        #[test]
        fn what_is_common_begins_all_of_them(words in proptest::collection::vec("[aébß]{0,4}", 0..5)) {
            let common = common(words.iter().map(String::as_str));
            proptest::prop_assert!(words.iter().all(|word| word.starts_with(common)));
        }
    }
}
