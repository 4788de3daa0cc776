//! References from the command line and from standard input.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use crate::engine::request::Source;
use crate::error::{Context as _, Error, Kind, Result};
use crate::rules::Source as RuleSource;
use crate::text::{count, printable_within};

/// More than this is no list of references.
const MAX_INPUT_BYTES: u64 = 16 << 20;
/// So many wrong lines are shown.
const MAX_SHOWN_ERRORS: usize = 10;

/// The sources that these words name. `-` stands for the lines of `input`, in its place; blank lines and what follows a `#` at
/// the beginning or after a space are left out. Any mistake refuses all of it, with every wrong line by its number.
pub(super) fn sources(words: &[String], input: &mut dyn Read) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut read = false;
    for word in words {
        if word == "-" {
            if read {
                return Err(Error::new(Kind::Usage, "`-` can be given only once"));
            }
            read = true;
            found.extend(lines(input)?);
        } else {
            found.push(source(word)?);
        }
    }
    if found.is_empty() {
        return Err(Error::new(Kind::Usage, "standard input contains no image reference")
            .hint("Write one reference per line; blank lines and comments after `#` are ignored."));
    }
    Ok(found)
}

/// One word; whoever names a file that is there means the file.
fn source(word: &str) -> Result<Source> {
    check_no_source(word)?;
    let path = Path::new(word);
    let is_path =
        word.starts_with(['/', '.', '~']) || path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tar"));
    if is_path && path.exists() {
        let kind = if path.is_dir() { "oci" } else { "oci-archive" };
        return Err(Error::new(
            Kind::Usage,
            format!("`{}` is a file, not an image reference", printable_within(word, 200)),
        )
        .hint(format!("Write `{kind}:{}` to add what is in it.", printable_within(word, 200))));
    }
    word.parse()
}

/// A file that names images, as a rule's source: what is written as one, and files whose names say what they are. What is also the
/// name of an image is one only where the file is there.
fn rule_source(word: &str) -> Option<String> {
    if let Ok(source) = word.parse::<RuleSource>() {
        let (kind, path) = source.parts();
        let names_file = !matches!(source, RuleSource::Command(_)) && Path::new(path).exists();
        let is_image = word.parse::<Source>().is_ok();
        return (names_file || !is_image).then(|| format!("{kind}:{path}"));
    }
    let path = Path::new(word);
    let name = path.file_name().and_then(|name| name.to_str())?.to_ascii_lowercase();
    let ends_with = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let kind = match name.as_str() {
        name if name.contains("compose") && ends_with(&[".yaml", ".yml"]) => "compose",
        name if name.starts_with("dockerfile") || name.starts_with("containerfile") => "dockerfile",
        _ if ends_with(&[".yaml", ".yml"]) => "kubernetes",
        _ if ends_with(&[".txt", ".list"]) => "list",
        _ => return None,
    };
    path.is_file().then(|| format!("{kind}:{word}"))
}

/// Refuses what names images for a rule where the name of an image is meant.
pub(super) fn check_no_source(word: &str) -> Result<()> {
    let Some(source) = rule_source(word) else { return Ok(()) };
    let shown = |text: &str| printable_within(text, 200);
    let quoted = shell_words::quote(&source);
    Err(Error::new(Kind::Usage, format!("`{}` is not an image reference, but names images for a rule", shown(word)))
        .hint(format!("`roadstead rule add {}` makes a rule of what it names.", shown(&quoted))))
}

fn lines(input: &mut dyn Read) -> Result<Vec<Source>> {
    let mut bytes = Vec::new();
    input.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes).context(|| "can't read standard input")?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(Error::new(Kind::Usage, "standard input is longer than 16 MiB, too long for a list of references"));
    }
    // Some editors put a byte order mark before the first line.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let comment = line
            .char_indices()
            .find(|(at, c)| *c == '#' && line[..*at].chars().next_back().is_none_or(char::is_whitespace));
        let reference = line[..comment.map_or(line.len(), |(at, _)| at)].trim();
        if reference.is_empty() {
            continue;
        }
        if reference == "-" {
            wrong.push(format!("line {}: `-` is only allowed on the command line", number + 1));
            continue;
        }
        match reference.parse::<Source>() {
            Ok(source) => found.push(source),
            Err(error) => wrong.push(format!("line {}: {}", number + 1, printable_within(&error.to_string(), 300))),
        }
    }
    if wrong.is_empty() {
        return Ok(found);
    }
    let mut message = match wrong.as_slice() {
        [only] => format!("standard input, {only}"),
        many => {
            let lines = count(many.len() as u64, "line", "lines");
            let shown = many.iter().take(MAX_SHOWN_ERRORS).map(|line| format!("\n  {line}"));
            format!("{lines} of standard input can't be used:{}", shown.collect::<String>())
        }
    };
    if wrong.len() > MAX_SHOWN_ERRORS {
        let _ = write!(message, "\n  and {} more", wrong.len() - MAX_SHOWN_ERRORS);
    }
    Err(Error::new(Kind::Usage, message).hint("Nothing was done; correct the list and try again."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str], input: &str) -> Result<Vec<String>> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Ok(sources(&words, &mut input.as_bytes())?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_names_images_for_a_rule_is_told_from_an_image() {
        let directory = tempfile::tempdir().unwrap();
        let at = |file: &str| {
            let path = directory.path().join(file);
            std::fs::write(&path, "").unwrap();
            path.display().to_string()
        };
        let hint = |word: &str| read(&[word], "").unwrap_err().hints().first().map(ToString::to_string);
        for (word, source) in [
            (at("compose.yaml"), format!("compose:{}", at("compose.yaml"))),
            (at("pod.yml"), format!("kubernetes:{}", at("pod.yml"))),
            (at("Dockerfile"), format!("dockerfile:{}", at("Dockerfile"))),
            (at("images.txt"), format!("list:{}", at("images.txt"))),
            ("compose:stack/compose.yaml".to_owned(), "compose:stack/compose.yaml".to_owned()),
            ("command:kubeadm config images list".to_owned(), "'command:kubeadm config images list'".to_owned()),
        ] {
            let expected = format!("`roadstead rule add {source}` makes a rule of what it names.");
            assert_eq!(hint(&word), Some(expected), "{word}");
        }
        assert_eq!(read(&["list:latest", "compose.yaml"], "").unwrap().len(), 2, "names of images");
    }

    #[test]
    fn a_dash_stands_for_the_lines_of_standard_input() {
        let input = "\u{feff}# images of a cluster\r\nregistry.k8s.io/pause:3.10\r\n\n  nginx:alpine  # the web server\n#last\noci:dir#1";
        let found = read(&["busybox", "-", "alpine"], input).unwrap();
        assert_eq!(
            found,
            [
                "docker.io/library/busybox:latest",
                "registry.k8s.io/pause:3.10",
                "docker.io/library/nginx:alpine",
                "oci:dir#1",
                "docker.io/library/alpine:latest",
            ]
        );
        assert_eq!(
            read(&["-"], "\n# nothing\n").unwrap_err().to_string(),
            "standard input contains no image \
            reference"
        );
        assert!(read(&["-", "-"], "a").is_err());
    }

    #[test]
    fn a_file_is_not_taken_for_an_image() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.tar");
        std::fs::write(&file, "").unwrap();
        for (path, kind) in [(file.as_path(), "oci-archive:"), (directory.path(), "oci:")] {
            let error = read(&[path.to_str().unwrap()], "").unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.hints()[0].contains(&format!("`{kind}/")), "{error}: {:?}", error.hints());
        }
        assert_eq!(read(&["app.tar"], "").unwrap(), ["docker.io/library/app.tar:latest"], "there is no such file");
    }

    #[test]
    fn every_wrong_line_is_named_and_all_is_refused() {
        let error = read(&["-"], "nginx\nNginx\n").unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().starts_with("standard input, line 2: `Nginx` is not an image reference"), "{error}");
        let error = read(&["-"], "https://a/b\nnginx\n\n\u{1b}[31m\n-\n").unwrap_err().to_string();
        assert!(error.starts_with("3 lines of standard input can't be used:\n  line 1: "), "{error}");
        assert!(
            error.contains("\n  line 4: ") && error.contains("\n  line 5: ") && !error.contains('\u{1b}'),
            "{error}"
        );
        let many = read(&["-"], &"A\n".repeat(12)).unwrap_err().to_string();
        assert!(many.ends_with("\n  and 2 more"), "{many}");
    }
}
