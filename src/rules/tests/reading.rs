//! What a rule file says.

use crate::image::Selection;
use crate::image::tags::TagPattern;
use crate::rules::{HookAction, Kept, Moves, Rule, Rules, Source, Subject, read};

fn reads(text: &str) -> Rules {
    read(text).unwrap_or_else(|faults| panic!("{text}\n{}", super::faults::shown(&faults)))
}

fn one(text: &str) -> Rule {
    let mut rules = reads(text).rules;
    assert_eq!(rules.len(), 1);
    rules.remove(0)
}

fn tags_of(rule: &Rule) -> (String, Vec<String>) {
    match &rule.subject {
        Subject::Repository { upstream, tags } => {
            (upstream.to_string(), tags.tags.iter().map(TagPattern::to_string).collect())
        }
        Subject::Sources(_) => panic!("sources"),
    }
}

/// The example of the documentation.
const EXAMPLE: &str = r#"version = 1
gate = ["./scan.sh", "--strict"]

[defaults]
platforms = ["linux/amd64", "linux/arm64"]
leave = "14d"                       # grace of what is no longer selected
every = "6h"

[[rule]]
image  = "nginx"
tags   = ["1.#.#{,-alpine}", "stable-alpine"]
newest = 3                          # 3 versions of each of the two variants
except = ["1.29.3*"]

[[rule]]
image = "registry.k8s.io/kube-apiserver"
tags  = ["v1.#.#"]
newest = 1                          # one of each line …
per   = 2                           # … a line is the first two numbers …
lines = 3                           # … the three newest lines
age   = "3d"                        # seen here for three days
at_least = "1.20"
below = "2"
moves = "refuse"
former = "30d"
former_tag = "{tag}-{date}"
leave = "never"
gone = "90d"
max_new = 5
reserve = 0
platforms = "all"
as = "k8s/apiserver"
every = "1h30m"

[[rule]]
name = "the cluster"
sources = ["compose:stack/*.yaml", "command:kubeadm config images list"]
platforms = []

[[hook]]
on = ["new", "failed"]
run = ["./tell.sh", "it's"]

[[hook]]
post = "https://example.com/hook"
secret_file = "/run/secret"

[[hook]]
ping = "https://hc.example.com/1"
"#;

#[test]
fn everything_is_read() {
    let rules = reads(EXAMPLE);
    assert_eq!(rules.gate, ["./scan.sh", "--strict"]);
    let [nginx, kube, cluster] = rules.rules.as_slice() else { panic!("{rules:?}") };
    assert_eq!(nginx.name.as_str(), "nginx");
    let patterns = vec!["1.#.#{,-alpine}".to_owned(), "stable-alpine".to_owned()];
    assert_eq!(tags_of(nginx), ("docker.io/library/nginx".to_owned(), patterns));
    let both: Selection = "linux/amd64,linux/arm64".parse().unwrap();
    assert_eq!(
        (nginx.platforms.clone(), nginx.leave, nginx.age),
        (Some(both), Kept::For("14d".parse().unwrap()), None)
    );
    assert_eq!((nginx.max_new, nginx.reserve, nginx.moves), (20, 20, Moves::Follow));
    assert_eq!((nginx.gone, nginx.every), (Kept::Always, Some("6h".parse().unwrap())));

    let Subject::Repository { tags, .. } = &kube.subject else { panic!() };
    assert_eq!([tags.newest, tags.per, tags.lines].map(|count| count.map(u32::from)), [Some(1), Some(2), Some(3)]);
    assert_eq!((&tags.at_least, &tags.below), (&Some("1.20".parse().unwrap()), &Some("2".parse().unwrap())));
    assert_eq!((kube.age, kube.former), (Some("3d".parse().unwrap()), Some("30d".parse().unwrap())));
    assert_eq!((kube.moves, kube.former_tag.as_deref()), (Moves::Refuse, Some("{tag}-{date}")));
    assert_eq!((kube.leave, kube.gone), (Kept::Always, Kept::For("90d".parse().unwrap())));
    assert_eq!((kube.max_new, kube.reserve), (5, 0));
    assert_eq!(kube.platforms, Some(Selection::All));
    assert_eq!(kube.published_as.as_ref().unwrap().as_str(), "k8s/apiserver");
    assert_eq!(kube.every, Some("90m".parse().unwrap()));

    assert_eq!(cluster.name.as_str(), "the cluster");
    assert_eq!(cluster.platforms, None, "what the defaults say is taken back");
    let sources = ["compose:stack/*.yaml", "command:kubeadm config images list"].map(|text| text.parse().unwrap());
    assert_eq!(cluster.subject, Subject::Sources(sources.to_vec()));

    let [run, post, ping] = rules.hooks.as_slice() else { panic!() };
    assert_eq!(run.on, ["new", "failed"]);
    assert_eq!(run.action, HookAction::Run(vec!["./tell.sh".to_owned(), "it's".to_owned()]));
    let (url, secret_file) = ("https://example.com/hook".to_owned(), Some("/run/secret".to_owned()));
    assert_eq!(post.action, HookAction::Post { url, secret_file });
    assert!(post.on.is_empty());
    assert_eq!(ping.action, HookAction::Ping("https://hc.example.com/1".to_owned()));
}

#[test]
fn nothing_says_nothing() {
    for text in ["", "\n", "# only a comment", "version = 1", "\u{feff}version = 1\r\n", "[defaults]"] {
        assert_eq!(reads(text), Rules::default(), "{text:?}");
    }
}

#[test]
fn an_image_may_have_its_pattern_with_it() {
    for (image, repository, pattern) in [
        ("nginx", "docker.io/library/nginx", "latest"),
        ("nginx:1.27", "docker.io/library/nginx", "1.27"),
        ("nginx:1.#.#{,-alpine}", "docker.io/library/nginx", "1.#.#{,-alpine}"),
        ("ghcr.io/o/app:/v(1|2)/", "ghcr.io/o/app", "/v(1|2)/"),
        ("localhost:5000/app:v#", "localhost:5000/app", "v#"),
    ] {
        let rule = one(&format!("[[rule]]\nimage = '{image}'"));
        assert_eq!(tags_of(&rule), (repository.to_owned(), vec![pattern.to_owned()]), "{image}");
    }
}

#[test]
fn rules_are_called_by_what_they_take() {
    let long = format!("list:{}", "é".repeat(300));
    for (lines, name) in [
        ("image = 'docker.io/library/nginx:1'", "nginx"),
        ("image = 'nginx'\nname = 'web'", "web"),
        ("image = 'ghcr.io/o/app'", "ghcr.io/o/app"),
        ("sources = ['list:a.txt', 'list:b.txt']", "list:a.txt"),
        (&format!("sources = ['{long}']"), &long.chars().take(200).collect::<String>()),
    ] {
        assert_eq!(one(&format!("[[rule]]\n{lines}")).name.as_str(), name);
    }
}

#[test]
fn a_rule_takes_back_what_the_defaults_say() {
    let defaults = "[defaults]\nage = '3d'\nformer = '1d'\nformer_tag = '{tag}-old'\nevery = '1h'\nplatforms = 'all'\n";
    let rule = one(&format!("{defaults}[[rule]]\nimage = 'a'"));
    assert!(rule.age.is_some() && rule.former.is_some() && rule.former_tag.is_some() && rule.every.is_some());
    assert_eq!(rule.platforms, Some(Selection::All));
    let back = "age = '0s'\nformer = '0s'\nformer_tag = ''\nevery = '0s'\nplatforms = []\n";
    let rule = one(&format!("{defaults}[[rule]]\nimage = 'a'\n{back}"));
    assert_eq!((rule.age, rule.former, rule.former_tag, rule.every, rule.platforms), (None, None, None, None, None));
}

#[test]
fn every_way_to_write_it_in_toml_is_read() {
    let rules =
        reads("defaults.leave = 'never'\n[[rule]]\n\"image\" = \"\"\"nginx\"\"\"\ntags = [\n 'a', # b\n 'c',\n]\n");
    assert_eq!(rules.rules[0].leave, Kept::Always);
    assert_eq!(tags_of(&rules.rules[0]).1, ["a", "c"]);
    let rules =
        reads("defaults = { leave = 'never' }\n[[hook]]\nping = 'http://a'\n[[rule]]\nsources = ['list: a b ']\n");
    assert_eq!(rules.rules[0].subject, Subject::Sources(vec![Source::List("a b".to_owned())]));
    assert_eq!(rules.rules[0].leave, Kept::Always);
}
