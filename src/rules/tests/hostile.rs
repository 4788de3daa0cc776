//! Files that are made to break something.

use proptest::prelude::*;

use crate::rules::{MAX_RULES, RuleFault, read};

/// Whether each place is in the text, or just behind its last character.
pub(super) fn lie_in(text: &str, faults: &[RuleFault]) -> bool {
    let lines: Vec<&str> = text.split('\n').collect();
    faults.iter().all(|fault| {
        let line = fault.line.checked_sub(1).and_then(|line| lines.get(line));
        let columns = line.map_or(0, |line| line.chars().count() + 1);
        (1..=columns).contains(&fault.column) && !fault.message.is_empty() && !fault.message.contains(char::is_control)
    })
}

/// Pieces of rule files, right ones and wrong ones.
fn piece() -> impl Strategy<Value = String> {
    let whole = [
        "[[rule]]\n",
        "[defaults]\n",
        "[[hook]]\n",
        "[rule]\n",
        "\n",
        " ",
        "\t",
        "\r\n",
        "# é\n",
        ",",
        "[",
        "]",
        "{",
        "}",
        "=",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "\\",
        "\\u0023",
        "\\U0001F600",
        "\u{feff}",
        "\u{1b}",
        "é",
        "🦀",
        "1",
        "-1",
        "1.5",
        "true",
        "1979-05-27",
        "nginx",
        "nginx:1.#.#",
        "a@sha256:",
        "1.#.#{,-x}",
        "3d",
        "never",
        "image",
        "tags",
        "\0",
    ];
    let key = prop::sample::select(
        [
            &["image", "imgae", "version", "gate", "as", "name", "rule.a"][..],
            &super::super::keys::RULE_KEYS[..],
            &super::super::keys::HOOK_KEYS[..],
        ]
        .concat(),
    );
    let value = prop::sample::select(vec![
        "'nginx'",
        "\"nginx:1.\\u0023?\"",
        "['1.#', 'a?']",
        "[\n 'a',\n '#1', # x\n]",
        "[]",
        "[1, []]",
        "3",
        "0",
        "-7",
        "'3d'",
        "''",
        "'never'",
        "\"\"\"\n1.\\\n  #{\"\"\"",
        "{ a = 1 }",
        "1.5",
        "['compose:a', 'x:y']",
        "'all'",
        "['linux/amd64', 'x']",
        "'{tag}-{date}'",
        "'refuse'",
    ]);
    prop_oneof![
        2 => prop::sample::select(whole.to_vec()).prop_map(str::to_owned),
        3 => (key, value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        1 => Just("[[rule]]\nimage = 'nginx:1.#'\n".to_owned()),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_it_panic(pieces in prop::collection::vec(piece(), 0..20)) {
        let text = pieces.concat();
        if let Err(faults) = read(&text) {
            prop_assert!(!faults.is_empty() && lie_in(&text, &faults), "{text:?}\n{faults:#?}");
            let places: Vec<(usize, usize)> = faults.iter().map(|fault| (fault.line, fault.column)).collect();
            prop_assert!(places.is_sorted(), "{places:?}");
        }
    }
}

#[test]
fn only_the_first_faults_are_said() {
    let text = (0..50_000).map(|number| format!("k{number} = 1")).collect::<Vec<_>>().join("\n");
    let faults = read(&text).unwrap_err();
    assert_eq!((faults.len(), faults[99].line), (100, 100));
    let text = "[[rule]]\nimage = 'a'\n".repeat(9000);
    assert_eq!(read(&text).unwrap_err().len(), 100);
}

#[test]
fn rules_and_expressions_are_counted() {
    let rules = (0..=MAX_RULES).map(|number| format!("[[rule]]\nimage = 'a{number}'"));
    let text = rules.collect::<Vec<_>>().join("\n");
    let faults = read(&text).unwrap_err();
    assert_eq!(super::faults::shown(&faults), "line 20001, column 1: a file has 10000 rules at most");
    let text = format!("[[rule]]\nimage = 'a'\n[[rule]]\nimage = 'b'\nexcept = [{}]", "'/a{9}/',".repeat(501));
    let faults = read(&text).unwrap_err();
    assert_eq!(super::faults::shown(&faults), "line 3, column 1: a file has 500 regular expressions at most");
    let pattern = format!("'{}{}',", "{,a}".repeat(6), "#a".repeat(240));
    let text = format!("[[rule]]\nimage = 'a'\ntags = [{}]", pattern.repeat(70));
    let message = "the patterns of the file have too many variants. Take some of the rules to another file.";
    assert_eq!(super::faults::shown(&read(&text).unwrap_err()), format!("line 1, column 1: {message}"));
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let text = format!("gate = {}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(!read(&text).unwrap_err().is_empty());
    }
    assert!(read(&format!("{}a = 1", "a.".repeat(100_000))).is_err());
    assert!(read(&format!("[{}a]", "a.".repeat(100_000))).is_err());
}
