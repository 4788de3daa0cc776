//! Rules as text, and back.

use proptest::prelude::*;

use super::any_rules::rules;
use crate::rules::{read, write, write_rule};

#[test]
fn only_what_differs_is_written() {
    let text = "version = 1\ngate = [\"./scan.sh\"]\n\n[[rule]]\nimage = \"nginx\"\ntags = [\"1.#.#\", \"stable\"]\nnewest = 3\n\
                leave = \"never\"\n\n[[rule]]\nname = \"all\"\nplatforms = [\"linux/amd64\"]\nsources = [\"list:a b.txt\"]\n\n\
                [[rule]]\nimage = \"ghcr.io/o/app\"\n\n[[hook]]\non = [\"new\"]\nping = \"https://a.example\"\n";
    let rules = read(text).unwrap();
    assert_eq!(write(&rules), text);
    assert_eq!(write_rule(&rules.rules[2]), "[[rule]]\nimage = \"ghcr.io/o/app\"\n");
}

#[test]
fn long_lists_have_a_line_each() {
    let sources: Vec<String> = (0..9).map(|number| format!("'list:a/long/path/{number}.txt'")).collect();
    let rules = read(&format!("[[rule]]\nsources = [{}]", sources.join(","))).unwrap();
    let written = write(&rules);
    assert!(written.contains("sources = [\n    \"list:a/long/path/0.txt\",\n") && written.ends_with("8.txt\",\n]\n"));
    assert_eq!(read(&written).unwrap(), rules);
}

#[test]
fn strings_have_few_escapes() {
    let rules = read(r#"gate = ['a "b"', "it's", 'c:\d', "\u0009", "'\"\u007f\\"]"#).unwrap();
    assert_eq!(
        write(&rules),
        "version = 1\ngate = ['a \"b\"', \"it's\", 'c:\\d', \"\\u0009\", \"'\\\"\\u007f\\\\\"]\n"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(rules in rules()) {
        let text = write(&rules);
        let again = read(&text);
        prop_assert!(again.as_ref() == Ok(&rules), "{text}\n{again:#?}\n{rules:#?}");
        prop_assert_eq!(write(&rules), text);
    }
}
