//! Reading what sources name: files by a path with wildcards, and what programs print. Anew at every run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::walk::matching;
use super::wanted::Named;
use crate::engine::blocking::blocking;
use crate::engine::job::Job;
use crate::error::{Context as _, Error, Kind, Result};
use crate::hooks::program::{self, Limits};
use crate::image::Reference;
use crate::input;
use crate::rules::sources::{self, Found};
use crate::rules::{Rules, Source, Subject, is_outside};
use crate::text::printable_within;

/// Bytes of the largest file that a source names.
const MAX_SOURCE_BYTES: u64 = 8 << 20;
/// How long a program may take to print its images.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);
/// What docker compose reads beside a file without being told.
const COMPOSE_OVERRIDES: [(&str, &str); 4] = [
    ("compose.yaml", "compose.override.yaml"),
    ("compose.yml", "compose.override.yml"),
    ("docker-compose.yaml", "docker-compose.override.yaml"),
    ("docker-compose.yml", "docker-compose.override.yml"),
];

/// What the sources of all rules name.
#[derive(Debug, Default)]
pub(super) struct ReadSources {
    /// By the rule's place.
    pub(super) named: Named,
    /// Rules whose sources could not be read, and why.
    pub(super) failed: Vec<(usize, Error)>,
    /// What names no image that can be taken, by the rule's place.
    pub(super) skipped: Vec<(usize, String)>,
}

/// Reads the sources of these rules. Paths are relative to `base`, and no link below it leads out of it.
pub(super) async fn read(rules: &Rules, places: &BTreeSet<usize>, base: &Path, job: &Job) -> Result<ReadSources> {
    let mut read = ReadSources::default();
    for (number, rule) in rules.rules.iter().enumerate().filter(|(number, _)| places.contains(number)) {
        let Subject::Sources(all) = &rule.subject else { continue };
        let mut images: Vec<Reference> = Vec::new();
        for source in all {
            job.check()?;
            let outcome = match source {
                Source::Command(words) => job.or_cancelled(run(words, base)).await,
                file => {
                    let (file, base, job) = (file.clone(), base.to_owned(), job.clone());
                    blocking(move || read_files(&file, &base, &job)).await
                }
            };
            match outcome {
                Ok(found) if found.images.is_empty() && found.skipped.is_empty() => {
                    // An empty list is more often a mistake than a wish.
                    read.failed.push((number, Error::new(Kind::NotFound, format!("{source} names no image"))));
                }
                Ok(found) => {
                    let skipped = found.skipped.into_iter().chain(found.alike);
                    let skipped = skipped.map(|skipped| format!("{}: {}", skipped.what, skipped.why));
                    read.skipped.extend(skipped.map(|skipped| (number, skipped)));
                    images.extend(found.images.into_iter().map(|named| named.reference));
                }
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => read.failed.push((number, error.context(printable_within(&source.to_string(), 300)))),
            }
        }
        let mut seen = BTreeSet::new();
        images.retain(|image| seen.insert(image.clone()));
        read.named.insert(number, images);
    }
    Ok(read)
}

/// A source as it is typed, with paths that hold wherever the program runs; `~/` is what it is in a shell.
pub fn at_home(source: Source) -> Result<Source> {
    match source {
        Source::Command(words) => Ok(Source::Command(command_at_home(words)?)),
        file => file.with_path(|path| path_at_home(&path)),
    }
}

fn path_at_home(path: &str) -> Result<String> {
    let shown = || printable_within(path, 300);
    let home = path.strip_prefix("~/").and_then(|rest| Some(std::env::home_dir()?.join(rest)));
    let absolute = std::path::absolute(home.unwrap_or_else(|| PathBuf::from(path)));
    let absolute = absolute.context(|| format!("`{}` has no absolute path", shown()))?;
    let text = absolute.into_os_string().into_string();
    text.map_err(|_| Error::new(Kind::Usage, format!("the path of `{}` is not UTF-8", shown())))
}

/// A command whose program, if it is named by a path, and whose files have absolute paths: it runs elsewhere.
fn command_at_home(written: String) -> Result<String> {
    // What is no command of a shell is refused when it is run.
    let Ok(words) = shell_words::split(&written) else { return Ok(written) };
    let is_relative = |(place, word): (usize, &String)| {
        let is_path = word.contains('/') || (place > 0 && Path::new(word).extension().is_some());
        is_path && (word.starts_with("~/") || Path::new(word).is_relative()) && (place == 0 || is_file(word))
    };
    if !words.iter().enumerate().any(is_relative) {
        return Ok(written);
    }
    let words = words
        .iter()
        .enumerate()
        .map(|(place, word)| if is_relative((place, word)) { path_at_home(word) } else { Ok(word.clone()) });
    Ok(shell_words::join(words.collect::<Result<Vec<_>>>()?))
}

fn is_file(word: &str) -> bool {
    path_at_home(word).is_ok_and(|path| Path::new(&path).is_file())
}

async fn run(words: &str, base: &Path) -> Result<Found> {
    let words = shell_words::split(words)
        .map_err(|error| Error::new(Kind::Usage, format!("the command can't be read: {error}")))?;
    let ended = program::run(&words, &[], Some(base), Limits::source(COMMAND_TIMEOUT)).await?;
    let output = String::from_utf8(ended.into_output()?)
        .map_err(|_| Error::new(Kind::Verification, "the command printed what is not UTF-8"))?;
    sources::list(&output)
}

fn read_files(source: &Source, base: &Path, job: &Job) -> Result<Found> {
    let (_, written) = source.parts();
    let (path, paths) = match (source, written.split_once('#')) {
        (Source::Kubernetes(_), Some((path, paths))) => (path, paths.split(',').map(str::trim).collect()),
        _ => (written, Vec::new()),
    };
    let within = Within::of(source, base);
    let mut all = Found::default();
    for file in matching(path, base, job)? {
        job.check()?;
        let found = match source {
            Source::Compose(_) => compose(&file, &within)?,
            Source::Kubernetes(_) => in_file(&file, &within, |text| sources::kubernetes(text, &paths))?,
            Source::Dockerfile(_) => in_file(&file, &within, sources::dockerfile)?,
            Source::List(_) => in_file(&file, &within, sources::list)?,
            Source::Command(_) => Found::default(),
        };
        all.images.extend(found.images);
        all.skipped.extend(found.skipped);
        all.alike.extend(found.alike);
    }
    Ok(all)
}

/// The directory that files have to be in. A source that says by its words that it reads elsewhere was allowed to; one that only a
/// link leads elsewhere was seen by nobody, and what is wrong with a file tells others what is in it.
struct Within(Option<PathBuf>);

impl Within {
    fn of(source: &Source, base: &Path) -> Self {
        Self(if is_outside(source.parts().1, base) { None } else { std::fs::canonicalize(base).ok() })
    }

    fn check(&self, file: &Path) -> Result<()> {
        let Some(directory) = &self.0 else { return Ok(()) };
        // What is not there is told by whoever opens it.
        match std::fs::canonicalize(file) {
            Ok(real) if !real.starts_with(directory) => {
                let message = format!("{} leads out of the directory of the rules", shown(file));
                Err(Error::new(Kind::Usage, message)
                    .hint("Name the file that it leads to; `roadstead rule trust` allows that."))
            }
            _ => Ok(()),
        }
    }
}

fn in_file(file: &Path, within: &Within, read: impl FnOnce(&str) -> Result<Found>) -> Result<Found> {
    let text = text_of(file, within)?;
    read(&text).context(|| shown(file))
}

fn text_of(file: &Path, within: &Within) -> Result<String> {
    within.check(file)?;
    input::read_text(file, MAX_SOURCE_BYTES, || format!("{} can't be read", shown(file)))
}

fn shown(file: &Path) -> String {
    printable_within(&file.display().to_string(), 300)
}

/// One compose file with what docker compose reads beside it: its override, and `.env`.
fn compose(file: &Path, within: &Within) -> Result<Found> {
    let directory = file.parent().unwrap_or_else(|| Path::new("."));
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let environment = match text_of(&directory.join(".env"), within) {
        Ok(text) => sources::environment(&text).context(|| ".env")?,
        Err(error) if error.kind() == Kind::NotFound => BTreeMap::new(),
        Err(error) => return Err(error),
    };
    let mut texts = vec![(name.to_owned(), text_of(file, within)?)];
    let beside = COMPOSE_OVERRIDES.iter().find(|(base, _)| *base == name).map(|(_, beside)| *beside);
    if let Some(beside) = beside {
        match text_of(&directory.join(beside), within) {
            Ok(text) => texts.push((beside.to_owned(), text)),
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    sources::compose(&files, &environment).context(|| shown(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rule;

    fn written(directory: &Path, file: &str, text: &str) {
        let path = directory.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    async fn images(directory: &Path, sources: &[&str]) -> ReadSources {
        let subject = Subject::Sources(sources.iter().map(|source| source.parse().unwrap()).collect());
        let rules = Rules { rules: vec![Rule::new("sources".parse().unwrap(), subject)], ..Rules::default() };
        Job::new().0.run(async |job: &Job| read(&rules, &BTreeSet::from([0]), directory, job).await).await.unwrap()
    }

    fn names(read: &ReadSources) -> Vec<String> {
        read.named[&0].iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn files_are_found_by_their_names_and_read_with_what_is_beside_them() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        written(at, "stack/compose.yaml", "services: {web: {image: 'nginx:${V}'}, db: {image: 'postgres:17'}}");
        written(at, "stack/compose.override.yaml", "services: {db: {image: 'postgres:18'}}");
        written(at, "stack/.env", "V=1.29\n");
        written(at, "out/a/pod.yaml", "kind: Pod\nspec: {containers: [{image: 'busybox:1'}]}\n");
        written(at, "out/custom.yaml", "kind: Thing\nspec: {image: 'redis:8'}\n");
        written(at, "images.txt", "alpine:3 # the small one\nalpine:3\n");
        let read =
            images(at, &["compose:stack/compose.yaml", "kubernetes:out/**.yaml#.spec.image", "list:*.txt"]).await;
        assert!(read.failed.is_empty(), "{:?}", read.failed);
        let mut found = names(&read);
        found.sort();
        assert_eq!(
            found,
            [
                "docker.io/library/alpine:3",
                "docker.io/library/busybox:1",
                "docker.io/library/nginx:1.29",
                "docker.io/library/postgres:18",
                "docker.io/library/redis:8",
            ]
        );
    }

    #[tokio::test]
    async fn no_link_leads_out_of_the_directory() {
        let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = directory.path();
        written(elsewhere.path(), "netrc", "machine example.com password hunter2\n");
        std::os::unix::fs::symlink(elsewhere.path().join("netrc"), at.join("images.txt")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), at.join("more")).unwrap();
        written(at, "compose.yaml", "services: {web: {image: nginx}}");
        std::os::unix::fs::symlink(elsewhere.path().join("netrc"), at.join(".env")).unwrap();
        for source in ["list:images.txt", "list:more/netrc", "list:*", "compose:compose.yaml"] {
            let read = images(at, &[source]).await;
            let failed = read.failed[0].1.to_string();
            assert!(failed.contains("leads out of the directory") && !failed.contains("hunter2"), "{source}: {failed}");
        }
        // Where it was named, it was allowed.
        let named = format!("list:{}/netrc", elsewhere.path().display());
        assert!(images(at, &[&named]).await.failed[0].1.to_string().contains("line 1"));
    }

    #[test]
    fn a_command_is_typed_with_paths_that_hold_elsewhere() {
        let here = std::env::current_dir().unwrap();
        let of = |text: &str| at_home(text.parse().unwrap()).unwrap().to_string();
        assert_eq!(of("command:./l.sh 'a b'"), format!("command:{} 'a b'", here.join("l.sh").display()));
        assert_eq!(of("command:sh Cargo.toml"), format!("command:sh {}", here.join("Cargo.toml").display()));
        for same in
            ["command:kubeadm config images list", "command:sh  -c 'a  b'", "command:sh missing.sh", "command:'"]
        {
            assert_eq!(of(same), same);
        }
    }

    #[tokio::test]
    async fn a_program_prints_a_reference_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let read = images(directory.path(), &["command:printf 'busybox:1\\nregistry.k8s.io/pause:3.10\\n'"]).await;
        assert_eq!(names(&read), ["docker.io/library/busybox:1", "registry.k8s.io/pause:3.10"]);
    }

    #[tokio::test]
    async fn what_vanishes_fails_or_is_empty_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        written(at, "empty.txt", "# nothing\n");
        written(at, "garbage.txt", "not a reference at all\n");
        for (source, why) in [
            ("list:missing.txt", "there is no file"),
            ("list:missing/**.txt", "there is no file"),
            ("list:empty.txt", "names no image"),
            ("list:garbage.txt", "line 1"),
            ("command:false", "ended with exit code 1"),
            ("command:does-not-exist-at-all", "does-not-exist-at-all"),
            ("command:printf 'no reference'", "line 1"),
            ("command:'", "can't be read"),
        ] {
            let read = images(at, &[source]).await;
            let failed = read.failed.first().map(|(_, error)| error.to_string()).unwrap_or_default();
            assert!(failed.contains(why), "{source}: {failed}");
        }
    }
}
