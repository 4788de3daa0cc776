//! What is said of a rule file that is wrong, and where.

use crate::rules::{MAX_RULE_FILE_BYTES, RuleFault, read};

pub(super) fn shown(faults: &[RuleFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn faults(text: &str) -> String {
    shown(&read(text).expect_err(text))
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(faults(text), *expected, "{text}");
    }
}

#[test]
fn of_the_file_as_a_whole() {
    check(&[
        ("version = 2", "line 1, column 11: this program reads version 1 of rule files, and this is version 2"),
        ("version = '1'", "line 1, column 11: `version` is a whole number without quotes, not a string"),
        ("versoin = 1", "line 1, column 1: there is no key `versoin`. Did you mean `version`?"),
        (
            "# é\n\n  xyz = 1",
            "line 3, column 3: there is no key `xyz`. The keys above the first `[…]` are `version`, `gate`, `defaults`, `rule`, `hook`.",
        ),
        ("image = 'a'", "line 1, column 1: `image` belongs in a `[[rule]]`, and this is above the first `[…]`"),
        ("gate = './a.sh'", "line 1, column 8: `gate` is a list of strings, not a string. Write `[\"./a.sh\"]`."),
        (
            "[rule]\nimage = 'a'",
            "line 1, column 2: each rule is a section of its own. Write `[[rule]]` with two pairs of brackets.",
        ),
        (
            "rule = [{image = 'a'}]",
            "line 1, column 1: each rule is a section of its own. Write `[[rule]]` with two pairs of brackets.",
        ),
        (
            "[[defaults]]\nage = '1d'",
            "line 1, column 1: there is one section of defaults. Write `[defaults]` with one pair of brackets.",
        ),
        ("defaults = 1", "line 1, column 12: `defaults` is a section. Write `[defaults]`, and below it what it says."),
    ]);
    let large = "#".repeat(MAX_RULE_FILE_BYTES + 1);
    assert_eq!(faults(&large), "line 1, column 1: the file is larger than 1 MiB");
}

#[test]
fn of_what_is_not_toml() {
    check(&[
        ("a = [", "line 1, column 6: this is not TOML: unclosed array, expected `]`"),
        ("version = 1\nversion = 1", "line 2, column 1: this is not TOML: duplicate key"),
        ("\u{1b}[31m=1", "line 1, column 2: this is not TOML: key with no value, expected `=`"),
    ]);
}

#[test]
fn of_what_a_rule_takes() {
    check(&[
        ("[[rule]]", "line 1, column 1: the rule takes nothing: it has neither `image` nor `sources`"),
        (
            "[[rule]]\ntags = ['a']",
            "line 1, column 1: the rule takes nothing: it has neither `image` nor `sources`, and `tags` are those of an `image`",
        ),
        (
            "[[rule]]\nimage = 'a'\nsources = ['list:a']",
            "line 3, column 1: a rule has `image` or `sources`, not both. Make two rules of it.",
        ),
        (
            "[[rule]]\nimage = 'A'",
            "line 2, column 9: `A` is not an image reference: `A` is not a repository name: upper case letters are not allowed",
        ),
        (
            "[[rule]]\nimage = 'https://ghcr.io/a'",
            "line 2, column 9: `https://ghcr.io/a` is not an image reference: it has a scheme. Write it as podman does, without the scheme: `registry.example.com/name:tag`",
        ),
        (
            "[[rule]]\nimage = 'a:1@sha256:00'",
            "line 2, column 13: a rule follows tags, so its `image` has no digest. Add an image by its digest with `add`.",
        ),
        (
            "[[rule]]\nimage = 'a:1'\ntags = ['1']",
            "line 2, column 12: the tags are said twice. Write `image = \"a\"`, and all patterns in `tags`.",
        ),
        (
            "[[rule]]\nsources = ['compse:a', 'a']\nnewest = 1",
            "line 2, column 12: there is no kind of source `compse`. Did you mean `compose`?\n\
             line 2, column 24: `a` is no source: write `compose:`, `kubernetes:`, `dockerfile:` or `list:` and a path, or `command:` and a command\n\
             line 3, column 1: `newest` is for a rule with `image`, and this one has `sources`",
        ),
        (
            "[[rule]]\nimage = 'a'\n[[rule]]\nimage = 'a:1'",
            "line 3, column 1: the rule in line 1 is called `a`, too. Give one of them a `name`.",
        ),
        (
            "[[rule]]\nimage = 'a'\n[[rule]]\nimage = 'b'\nname = 'a'",
            "line 5, column 8: the rule in line 1 is called `a`, too. Give one of them a `name`.",
        ),
    ]);
}

#[test]
fn of_patterns_and_versions() {
    check(&[
        (
            "[[rule]]\nimage = 'a'\ntags = ['1.#.#', 'v1.#?']",
            "line 3, column 23: in the pattern `v1.#?`: `?` can't be in a tag; a regular expression is written `/…/`",
        ),
        (
            "[[rule]]\nimage = \"a:1.\\u0023x]\"",
            "line 2, column 21: in the pattern `1.#x]`: `]` closes nothing: there is no `[` before it",
        ),
        ("[[rule]]\nimage = 'a:'", "line 2, column 12: a pattern can't be empty"),
        (
            "[[rule]]\nimage = 'a'\ntags = []",
            "line 3, column 8: `tags` is empty. Leave it out, or write `[\"1.#.#\"]`.",
        ),
        (
            "[[rule]]\nimage = 'a'\ntags = '1.#'",
            "line 3, column 8: `tags` is a list of strings, not a string. Write `[\"1.#\"]`.",
        ),
        (
            "[[rule]]\nimage = 'a'\nexcept = [1, 'b/c']",
            "line 3, column 11: `except` is a list of strings, and this is a number. Put it in quotes.",
        ),
        (
            "[[rule]]\nimage = 'a'\ntags = ['/(/']",
            "line 3, column 11: in the pattern `/(/`: invalid regular expression: unclosed group",
        ),
        (
            "[[rule]]\nimage = 'a'\nnewest = 3",
            "line 3, column 1: `newest` makes no sense here: it counts versions, and no pattern of the rule has `#`",
        ),
        (
            "[[rule]]\nimage = 'a:#'\nlines = 1",
            "line 3, column 1: `lines` makes no sense here: `per` has to say how many numbers make a line",
        ),
        (
            "[[rule]]\nimage = 'a:#'\nat_least = 1.20\nnewest = 0\nper = 'x'\nlines = 1.5\nbelow = 'x'",
            "line 3, column 12: `at_least` is a string, not a fraction. Put it in quotes: `\"1.20\"`.\n\
             line 4, column 10: `newest` is a whole number from 1 to 4294967295\n\
             line 5, column 7: `per` is a whole number without quotes, not a string\n\
             line 6, column 9: `lines` is a whole number without quotes, not a fraction\n\
             line 7, column 9: `below` can't be `x`: it has no number",
        ),
    ]);
}

#[test]
fn of_the_rest_of_a_rule() {
    check(&[
        (
            "[[rule]]\nimage = 'a'\nnewset = 1\nage = 3\nleave = 'x'\nmoves = 'folow'\nformer = '2x'",
            "line 3, column 1: there is no key `newset`. Did you mean `newest`?\n\
             line 4, column 7: `age` is a string, not a number. Put it in quotes: `\"3\"`.\n\
             line 5, column 9: `leave` can't be `x`: write a number and a unit: `3d`, `6h`, `1h30m` (w, d, h, m, s); or write `never`\n\
             line 6, column 9: there is no choice `folow`. Did you mean `follow`?\n\
             line 7, column 10: `former` can't be `2x`: write a number and a unit: `3d`, `6h`, `1h30m` (w, d, h, m, s)",
        ),
        (
            "[[rule]]\nimage = 'a'\nplatforms = ['x86_64', 'all']\nas = 'A'\nname = ' '\nmoves = 'no'",
            "line 3, column 14: `x86_64` is not a platform. Write one as in `linux/amd64` or `linux/arm/v7`.\n\
             line 3, column 24: `all` stands alone: `platforms = \"all\"`\n\
             line 4, column 6: `A` is not a repository name: upper case letters are not allowed\n\
             line 5, column 8: `name` can't be ` `: a name has no space at its ends, and is not empty\n\
             line 6, column 9: there is no choice `no`. Write `follow`, `refuse` or `ignore`.",
        ),
        (
            "[defaults]\nimage = 'a'\nmax_nwe = 1\nmax_new = -1\nreserve = '1'",
            "line 2, column 1: `image` belongs in a `[[rule]]`, and this is in `[defaults]`\n\
             line 3, column 1: there is no key `max_nwe`. Did you mean `max_new`?\n\
             line 4, column 11: `max_new` is a whole number from 0 to 4294967295\n\
             line 5, column 11: `reserve` is a whole number without quotes, not a string",
        ),
        (
            "[defaults]\nformer_tag = 'x'",
            "line 2, column 14: `former_tag` can't be `x`: it would be the same tag each time. Write `{tag}-{date}`.",
        ),
        (
            "[defaults]\nformer_tag = '{x}'",
            "line 2, column 14: `former_tag` can't be `{x}`: between braces stands `{tag}` or `{date}`",
        ),
        (
            "[defaults]\nformer_tag = '-{date}'",
            "line 2, column 14: `former_tag` can't be `-{date}`: it makes no tag: a tag has letters, digits, `_`, `.` and `-`, and begins with none of the last two",
        ),
    ]);
}

#[test]
fn of_hooks() {
    check(&[
        (
            "[[hook]]\non = ['nwe', 'xyz']\nrun = ['a']\nping = 'http://a'",
            "line 2, column 7: there is no event `nwe`. Did you mean `new`?\n\
             line 2, column 14: there is no event `xyz`. Write `new`, `moved`, `refused`, `leaving`, `gone`, `held`, `failed`, `quota`, `published` or `finished`.\n\
             line 4, column 1: a hook has one of `run`, `post` and `ping`. Make a hook of each.",
        ),
        (
            "[[hook]]\npost = 'ftp://user:token@a'\n[[hook]]\nsecret_file = 'a'\n[[hook]]\nrun = []\n[[hook]]\nrun = ['']",
            "line 2, column 8: `post` is an address that begins with `https://` or `http://`\n\
             line 3, column 1: the hook tells nobody: it has none of `run`, `post` and `ping`\n\
             line 4, column 1: `secret_file` signs what is posted, and this hook has no `post`\n\
             line 6, column 7: `run` is empty. Leave it out, or write `[\"./tell.sh\"]`.\n\
             line 8, column 8: the first word of `run` is a program, and this is empty",
        ),
        (
            "[[hook]]\nping = 'http://a'\ngate = ['a']",
            "line 3, column 1: `gate` belongs above the first `[…]`, and this is in a `[[hook]]`",
        ),
        (
            "[[hook]]\nrun = [\"a\", \"b\\u0000\"]",
            "line 2, column 13: no argument of a program can have a NUL character",
        ),
    ]);
}

#[test]
fn what_is_quoted_is_short_and_harmless() {
    let long = format!("[[rule]]\nimage = \"\\u001b[31m{}\"", "x".repeat(5000));
    let shown = faults(&long);
    assert!(shown.contains("\\u{1b}[31m") && !shown.contains('\u{1b}') && shown.chars().count() < 600, "{shown}");
    let key = format!("\"\\u202e{}\" = 1", "x".repeat(5000));
    let shown = faults(&key);
    assert!(shown.contains("`\\u{202e}xxx") && shown.chars().count() < 400, "{shown}");
}
