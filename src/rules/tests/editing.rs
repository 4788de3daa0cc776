//! Changes to rule files that a person wrote.

use proptest::prelude::*;

use super::any_rules::{rule, rules};
use crate::error::{Error, Kind};
use crate::rules::{EditError, Rule, Rules, add_rule, read, remove_rule, replace_rule, write};

const FILE: &str = r#"# Our registry.
version = 1   # the only one

[defaults]
leave = '7d'

# The web server.
# Two variants.
[[rule]]
# which one
image  = "nginx"
tags   = [ # all that we use
    "1.#.#",        # plain
    # what the cluster wants
    "1.#.#-alpine",
    "stable"        # for tests
]
newest = 3          # three
# age = "3d"

# By hand.

[[rule]]
image='redis:8.#'
[[rule]]
  name = "cluster"
  sources = ["list:a.txt"]

# Who is told.
[[hook]]
ping = "https://example.com"
# the end
"#;

fn rule_of(lines: &str) -> Rule {
    read(&format!("[defaults]\nleave = '7d'\n[[rule]]\n{lines}")).unwrap().rules.remove(0)
}

fn named(text: &str, name: &str) -> Rule {
    read(text).unwrap().by_name(name).unwrap().clone()
}

/// The lines that only one of two texts has, as `-gone` and `+new`, by their longest common part.
fn difference(before: &str, after: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut common = vec![vec![0; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            let longest = common[i + 1][j].max(common[i][j + 1]);
            common[i][j] = if before[i] == after[j] { common[i + 1][j + 1] + 1 } else { longest };
        }
    }
    let (mut shown, mut i, mut j) = (Vec::new(), 0, 0);
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == after.len() || i < before.len() && common[i + 1][j] >= common[i][j + 1] {
            shown.push(format!("-{}", before[i]));
            i += 1;
        } else {
            shown.push(format!("+{}", after[j]));
            j += 1;
        }
    }
    shown.join("\n")
}

#[test]
fn a_new_rule_stands_behind_the_others() {
    let rule = rule_of("image = 'caddy'\ntags = ['2.#']\nleave = '14d'");
    let text = add_rule(FILE, &rule).unwrap();
    assert_eq!(difference(FILE, &text), "+[[rule]]\n+image = \"caddy\"\n+tags = [\"2.#\"]\n+leave = \"14d\"\n+");
    assert!(text.contains("\"list:a.txt\"]\n\n[[rule]]\n") && text.contains("\n\n# Who is told.\n[[hook]]"));
    assert_eq!(read(&text).unwrap().rules[3], rule);
    let usual = rule_of("image = 'caddy'");
    for (before, after) in [
        ("", "[[rule]]\nimage = \"caddy\"\nleave = \"7d\"\n"),
        ("version = 1", "version = 1\n\n[[rule]]\nimage = \"caddy\"\nleave = \"7d\"\n"),
        ("[[rule]]\nimage='a'\n", "[[rule]]\nimage='a'\n\n[[rule]]\nimage = \"caddy\"\nleave = \"7d\"\n"),
        ("version = 1\r\n\r\n", "version = 1\r\n\r\n[[rule]]\r\nimage = \"caddy\"\r\nleave = \"7d\"\r\n"),
        (
            "[[rule]]\nimage='a'\n# hook\n[[hook]]\nping='http://a'",
            "[[rule]]\nimage='a'\n\n[[rule]]\nimage = \"caddy\"\nleave = \"7d\"\n\n# hook\n[[hook]]\nping='http://a'",
        ),
        (
            "[[rule]]\nimage='a'\nname='''\n# in a string'''\n[[hook]]\nping='http://a'",
            "[[rule]]\nimage='a'\nname='''\n# in a string'''\n\n[[rule]]\nimage = \"caddy\"\nleave = \"7d\"\n\n[[hook]]\nping='http://a'",
        ),
    ] {
        assert_eq!(add_rule(before, &usual).unwrap(), after);
    }
}

#[test]
fn a_rule_goes_with_the_comment_above_it() {
    let text = remove_rule(FILE, "nginx").unwrap();
    let (before, rest) = FILE.split_once("# The web server.").unwrap();
    let (_, after) = rest.split_once("newest = 3          # three\n").unwrap();
    assert_eq!(text, format!("{before}{after}"));
    let text = remove_rule(FILE, "redis").unwrap();
    assert_eq!(text, FILE.replace("[[rule]]\nimage='redis:8.#'\n", ""));
    let text = remove_rule(FILE, "cluster").unwrap();
    assert_eq!(text, FILE.replace("[[rule]]\n  name = \"cluster\"\n  sources = [\"list:a.txt\"]\n\n", ""));
    assert_eq!(
        remove_rule("a = 1".replace('a', "version").as_str(), "x").unwrap_err().to_string(),
        "no rule is called `x`"
    );
    assert_eq!(remove_rule("version = 1\r\n\r\n# x\r\n[[rule]]\r\nimage = 'a'\r\n", "a").unwrap(), "version = 1\r\n");
}

#[test]
fn only_what_changes_is_written() {
    let nginx = named(FILE, "nginx");
    let changed = |lines: &str| {
        let text = replace_rule(FILE, "nginx", &rule_of(lines)).unwrap();
        assert_eq!(read(&text).unwrap().rules[0], rule_of(lines));
        difference(FILE, &text)
    };
    assert_eq!(replace_rule(FILE, "nginx", &nginx).unwrap(), FILE);
    let tags = "tags = ['1.#.#', '1.#.#-alpine', 'stable']\n";
    assert_eq!(
        changed(&format!("image = 'nginx'\n{tags}newest = 5\nage = '3d'")),
        "-newest = 3          # three\n+newest = 5          # three\n+age = \"3d\""
    );
    assert_eq!(changed(&format!("image = 'nginx'\n{tags}")), "-newest = 3          # three");
    assert_eq!(
        changed(&format!("image = 'caddy'\n{tags}newest = 3\nleave = '14d'")),
        "-image  = \"nginx\"\n+image  = \"caddy\"\n+leave = \"14d\""
    );
    assert_eq!(
        changed(&format!("name = 'web'\nimage = 'nginx'\n{tags}newest = 3\nplatforms = 'all'")),
        "+name = \"web\"\n+platforms = \"all\""
    );
}

#[test]
fn lines_of_a_list_keep_their_comments() {
    let changed = |tags: &str| {
        let rule = rule_of(&format!("image = 'nginx'\ntags = {tags}\nnewest = 3"));
        let text = replace_rule(FILE, "nginx", &rule).unwrap();
        assert_eq!(read(&text).unwrap().rules[0], rule);
        difference(FILE, &text)
    };
    assert_eq!(changed("['1.#.#', 'mainline', '1.#.#-alpine', 'stable']"), "+    \"mainline\",");
    assert_eq!(changed("['1.#.#', 'stable']"), "-    # what the cluster wants\n-    \"1.#.#-alpine\",");
    assert_eq!(changed("['1.#.#-alpine', 'stable']"), "-    \"1.#.#\",        # plain");
    let rule = rule_of("image = 'nginx'\ntags = ['1.#.#', 'stable']\nnewest = 3");
    let windows = replace_rule(&FILE.replace('\n', "\r\n"), "nginx", &rule).unwrap();
    assert_eq!(windows, replace_rule(FILE, "nginx", &rule).unwrap().replace('\n', "\r\n"));
}

#[test]
fn an_image_keeps_its_pattern_with_it() {
    let changed = |lines: &str| difference(FILE, &replace_rule(FILE, "redis", &rule_of(lines)).unwrap());
    assert_eq!(changed("image = 'redis:8.#.#'"), "-image='redis:8.#'\n+image=\"redis:8.#.#\"");
    assert_eq!(changed("image = 'valkey/valkey:8.#'"), "-image='redis:8.#'\n+image=\"valkey/valkey:8.#\"");
    assert_eq!(
        changed("image = 'redis'\ntags = ['8.#', '7.#']\nnewest = 1"),
        "-image='redis:8.#'\n+image=\"redis\"\n+tags = [\"8.#\", \"7.#\"]\n+newest = 1"
    );
    assert_eq!(changed("image = 'redis:8.#'\nage = '1d'"), "+age = \"1d\"");
    assert_eq!(changed("sources = ['list:b']"), "-image='redis:8.#'\n+sources = [\"list:b\"]");
}

#[test]
fn what_can_not_be_done_is_refused() {
    let rule = named(FILE, "redis");
    assert_eq!(add_rule(FILE, &rule), Err(EditError::NameTaken("redis".to_owned())));
    assert_eq!(replace_rule(FILE, "nginx", &rule), Err(EditError::NameTaken("redis".to_owned())));
    let error = Error::from(remove_rule(FILE, "ngnix").unwrap_err());
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::NotFound, "no rule is called `ngnix`"));
    assert_eq!(error.hints(), ["Did you mean `nginx`?"]);
    let error = add_rule("versoin = 1\nx = 2", &rule).unwrap_err().to_string();
    assert!(
        error.starts_with("the rule file is broken: line 1, column 1: ") && error.ends_with(" (and 1 more)"),
        "{error}"
    );
    let large = format!("#{}\n", "x".repeat(crate::rules::MAX_RULE_FILE_BYTES - 2));
    assert!(read(&large).is_ok());
    assert!(matches!(add_rule(&large, &rule), Err(EditError::Refused(_))));
}

/// The text with a pattern that is alone behind its image.
fn joined(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let pattern = line.strip_prefix("tags = [\"").and_then(|rest| rest.strip_suffix("\"]"));
        match (pattern.filter(|pattern| !pattern.contains('"')), lines.last_mut()) {
            (Some(pattern), Some(image)) if image.starts_with("image = \"") => {
                image.pop();
                image.extend([":", pattern, "\""]);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

/// The text with a comment above, behind and below each line, as a person could have written it.
fn commented(text: &str, ends: &str) -> String {
    let lines = text.lines().enumerate().map(|(number, line)| match (number % 3, line) {
        (_, "") => ends.to_owned(),
        (0, line) => format!("# above {number}{ends}{line}{ends}"),
        (1, line) if line.ends_with(['"', ']']) => format!("{line} # behind {number}{ends}"),
        (_, line) => format!("{line}{ends}"),
    });
    lines.collect()
}

/// One file and one rule that none of it has.
fn edited() -> impl Strategy<Value = (Rules, Rule, usize, &'static str)> {
    (rules(), rule(9), any::<prop::sample::Index>(), prop::sample::select(vec!["\n", "\r\n"])).prop_map(
        |(rules, rule, index, ends)| {
            let which = if rules.rules.is_empty() { 0 } else { index.index(rules.rules.len()) };
            (rules, rule, which, ends)
        },
    )
}

proptest! {
    #[test]
    fn edits_say_what_was_meant((mut rules, rule, which, ends) in edited()) {
        let text = commented(&joined(&write(&rules)), ends);
        prop_assert_eq!(read(&text), Ok(rules.clone()), "{}", text);
        let added = add_rule(&text, &rule).unwrap();
        rules.rules.push(rule.clone());
        prop_assert_eq!(&read(&added).unwrap(), &rules, "{}", added);
        // Nothing of the text went.
        let mut lines = added.split_inclusive('\n');
        prop_assert!(text.split_inclusive('\n').all(|line| lines.any(|other| other == line)), "{text}\n{added}");
        let back = remove_rule(&added, rule.name.as_str()).unwrap();
        rules.rules.pop();
        prop_assert_eq!(&read(&back).unwrap(), &rules);
        prop_assert_eq!(&back, &text);
        if let Some(old) = rules.rules.get(which).cloned() {
            let replaced = replace_rule(&text, old.name.as_str(), &rule).unwrap();
            rules.rules[which] = rule.clone();
            prop_assert_eq!(&read(&replaced).unwrap(), &rules, "{}\n{}", text, replaced);
            prop_assert_eq!(replaced.matches("# above").count(), text.matches("# above").count());
            let again = replace_rule(&replaced, rule.name.as_str(), &rule).unwrap();
            prop_assert_eq!(again, replaced, "the same is no change");
            let removed = remove_rule(&text, old.name.as_str()).unwrap();
            rules.rules.remove(which);
            prop_assert_eq!(&read(&removed).unwrap(), &rules);
            let mut lines = text.split_inclusive('\n');
            prop_assert!(removed.split_inclusive('\n').all(|line| lines.any(|other| other == line)), "{text}\n{removed}");
        }
    }
}
