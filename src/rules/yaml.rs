//! YAML and JSON that others wrote, as a tree with lines.
//!
//! Scalars keep the text that was written, as the programs whose files these are read it: `tag: 1.10` is `1.10`, not a number. Knows
//! no format; what the trees mean is for whoever asks.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error as YamlError, Options, Spanned};

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// Bytes of the largest file.
pub(super) const MAX_YAML_BYTES: usize = 8 << 20;
/// How deep lists and maps may be in each other.
const MAX_DEPTH: usize = 64;
/// Lists, maps and scalars of one file.
const MAX_NODES: usize = 250_000;
/// Documents of one file.
const MAX_DOCUMENTS: usize = 4096;
/// Anchors of one file, and aliases to them.
const MAX_ALIASES: usize = 2000;
/// Nodes that all aliases together stand for.
const MAX_REPLAYED: usize = 100_000;
/// Stack of the thread that parses.
const PARSER_STACK_BYTES: usize = 16 << 20;
/// Characters that are shown of what a parser says.
const MAX_WORDS_CHARACTERS: usize = 200;

/// One value, and the line that it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// The line, from 1; of an alias, where the alias is.
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// A string, a number or a boolean, as it is written.
    Scalar(String),
    List(Vec<Node>),
    /// In the order of the file; each key once.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// What a map has under a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, _)| known == key).map(|(_, node)| node)
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The text that a map has under a key.
    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// The items of a list; of anything else none.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a map; of anything else none.
    pub(super) fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }
}

/// The documents of a YAML stream, or the one of a JSON text. Empty ones are left out.
pub(super) fn documents(text: &str) -> Result<Vec<Node>> {
    if text.len() > MAX_YAML_BYTES {
        let (is, most) = (crate::text::bytes(text.len() as u64), crate::text::bytes(MAX_YAML_BYTES as u64));
        return Err(Error::new(Kind::Usage, format!("it is too large: it has {is}, at most {most} are read")));
    }
    // The parser calls itself for each level, and an unoptimised build of it needs more for the deepest file than threads have.
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().name("yaml".to_owned()).stack_size(PARSER_STACK_BYTES);
        let parsed = parser.spawn_scoped(scope, || parse(text))?;
        parsed.join().unwrap_or_else(|_| Err(Error::new(Kind::Unexpected, "the YAML parser failed")))
    })
}

fn parse(text: &str) -> Result<Vec<Node>> {
    let raw: Vec<Spanned<Raw>> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| refused(&error))?;
    Ok(raw.into_iter().map(|raw| node(raw, text)).collect())
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_documents: MAX_DOCUMENTS,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_merge_keys: MAX_ALIASES,
            max_total_scalar_bytes: 2 * MAX_YAML_BYTES,
            max_recorded_anchor_bytes: MAX_YAML_BYTES,
            // A compose file may use one anchor in each of its services; what aliases stand for is counted.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 16,
        },
        strict_booleans: true,
        ignore_binary_tag_for_string: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

fn refused(error: &YamlError) -> Error {
    let error = error.without_snippet();
    let mut cause = error;
    while let YamlError::AliasError { error: inner, .. } = cause {
        cause = inner.without_snippet();
    }
    let why = match cause {
        YamlError::Budget { breach, .. } => breached(breach),
        YamlError::AliasReplayLimitExceeded { .. }
        | YamlError::AliasExpansionLimitExceeded { .. }
        | YamlError::AliasReplayStackDepthExceeded { .. }
        | YamlError::AliasReplayCounterOverflow { .. } => {
            format!("its aliases stand for more than {MAX_REPLAYED} values")
        }
        // The scanner is ahead of what is counted, and has only words for this.
        other => match other.render_with_formatter(&serde_saphyr::UserMessageFormatter) {
            words if words.contains("recursion limit") => too_deep(),
            words => words,
        },
    };
    // The parser names places in its words, too.
    let why = why.lines().next().unwrap_or_default().split(" at line ").next().unwrap_or_default();
    let why = printable_within(why.trim(), MAX_WORDS_CHARACTERS);
    let place = error.location().filter(|location| location.line() > 0);
    let place = place.map(|location| format!("line {}, column {}: ", location.line(), location.column()));
    Error::new(Kind::Usage, format!("{}{why}", place.unwrap_or_default()))
}

fn too_deep() -> String {
    format!("it is nested more than {MAX_DEPTH} deep")
}

fn breached(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Events { .. } | BudgetBreach::Nodes { .. } => format!("it has more than {MAX_NODES} values"),
        BudgetBreach::Documents { .. } => format!("it has more than {MAX_DOCUMENTS} documents"),
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } | BudgetBreach::MergeKeys { .. } => {
            format!("it has more than {MAX_ALIASES} anchors or aliases")
        }
        _ => "its values and aliases take too much memory".to_owned(),
    }
}

/// A tree as the parser gives it, before the text of its numbers is looked up.
enum Raw {
    Null,
    /// A number or a boolean: it is not quoted, so that the text in the file is the text that was written. Else as here.
    Plain(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Raw::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut all = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<Raw>, Spanned<Raw>>()? {
            if matches!(key.value, Raw::List(_) | Raw::Map(_)) {
                return Err(A::Error::custom("a key is a list or a map, as in a template that was not rendered"));
            }
            all.push((key, value));
        }
        Ok(Raw::Map(all))
    }
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let line = usize::try_from(raw.referenced.line()).unwrap_or_default();
    let span = raw.defined.span();
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Scalar(text),
        Raw::Plain(value) => {
            let written = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
                text.get(usize::try_from(start).ok()?..usize::try_from(start + length).ok()?)
            });
            Value::Scalar(written.map(str::trim).filter(|written| !written.is_empty()).map_or(value, str::to_owned))
        }
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(entries) => {
            let key = |raw| match node(raw, text).value {
                Value::Scalar(key) => key,
                _ => String::new(),
            };
            Value::Map(entries.into_iter().map(|(name, value)| (key(name), node(value, text))).collect())
        }
    };
    Node { line, value }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Node {
        documents(text).unwrap().remove(0)
    }

    fn said(text: &str) -> String {
        documents(text).unwrap_err().to_string()
    }

    #[test]
    fn scalars_are_as_they_are_written() {
        let node = one(
            "a: 1.10\nb: 1_0\nc: 007\nd: yes\ne: TRUE\nf: '2.0'\ng: ~\nh: 1e3\ni: 0x1F\nj: .inf\n3.20: x\nk: 1.10 # x\nl: \"\\u0041\"\nm: &n 1.20\no: *n\np: !!str 1.0\n",
        );
        for (key, text) in [
            ("a", "1.10"),
            ("b", "1_0"),
            ("c", "007"),
            ("d", "yes"),
            ("e", "TRUE"),
            ("f", "2.0"),
            ("h", "1e3"),
            ("i", "0x1F"),
            ("3.20", "x"),
            ("k", "1.10"),
            ("l", "A"),
            ("m", "1.20"),
            ("o", "1.20"),
            ("p", "1.0"),
        ] {
            assert_eq!(node.text_of(key), Some(text), "{key}");
        }
        assert_eq!(node.get("g").unwrap().value, Value::Null);
        assert_eq!(node.get("c").unwrap().line, 3);
    }

    #[test]
    fn documents_merges_and_json_are_read() {
        let all = documents("---\na: &x {image: n, k: 1}\nb: {<<: *x, k: 2}\n---\n---\n- 1\n- two\n...\n").unwrap();
        assert_eq!(all.len(), 2);
        let merged = all[0].get("b").unwrap();
        assert_eq!((merged.text_of("image"), merged.text_of("k")), (Some("n"), Some("2")));
        assert_eq!(all[1].items().len(), 2);
        let json = one("{\n\t\"a\": {\n\t\t\"b\": [1.10, true, null, \"x\\/y\"]\n\t}\n}\n");
        let items = json.get("a").unwrap().get("b").unwrap().items();
        assert_eq!(items.iter().map(Node::text).collect::<Vec<_>>(), [Some("1.10"), Some("true"), None, Some("x/y")]);
        assert_eq!(items[0].line, 3);
        assert!(documents("").unwrap().is_empty());
        assert!(documents("# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn a_hostile_file_is_refused_with_words() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, before) in "bcdefghi".chars().zip("abcdefgh".chars()) {
            let aliases = vec![format!("*{before}"); 10].join(", ");
            let _ = writeln!(bomb, "{name}: &{name} [{aliases}]");
        }
        assert!(said(&bomb).contains("aliases"), "{}", said(&bomb));
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(said(&deep).contains("deep"), "{}", said(&deep));
        let deep: Vec<String> = (0..3000).map(|depth| format!("{}a:", " ".repeat(depth))).collect();
        let deep = deep.join("\n");
        assert!(said(&deep).contains("deep"), "{}", said(&deep));
        assert!(said(&"x: y\n".repeat(20_000_000)).contains("it has 95 MiB, at most 8.0 MiB are read"));
        assert!(said(&format!("[{}]", "1,".repeat(300_000))).contains("250000 values"));
        assert!(said(&"---\na\n".repeat(5000)).contains("4096 documents"));
        for (text, words) in [
            ("a: [1", "line 1"),
            ("a: 1\na: 2\n", "line 2"),
            ("a: *b\n", "line 1"),
            ("a: \"\u{1b}[31m\n", "line"),
            ("a: b: c\n", "line 1"),
            ("? [a]\n: b\n", "key"),
            ("{{ .Values.image }}", "template"),
        ] {
            let said = said(text);
            assert!(said.contains(words) && !said.contains(char::is_control), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-a:&*<>|{}\\[\\]!'\"#,? \\n\\t1.é]{0,80}") {
            let _ = documents(&text);
        }
    }
}
