//! `export`: the registry as files, or as a CAR.

use std::path::{Path, PathBuf};

use cid::Cid;
use clap::{Args, ValueHint};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::place::parsed_root;
use crate::engine::job::Job;
use crate::engine::{ExportOptions, Exported};
use crate::error::{Error, Kind, Result};
use crate::text::{bytes, count};

const EXAMPLES: &str = "\
Examples:
  roadstead export /srv/www/registry       files for any web server
  roadstead export --copy /srv/www/new     the same, as copies that you may change
  roadstead export registry.car            a CAR file for `ipfs dag import`
  roadstead export --since bafy… new.car   what changed since, for `roadstead import`";

/// Where to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// A directory for files, or a file whose name ends in `.car`.
    #[arg(value_name = "DIR|FILE.car", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) target: PathBuf,

    /// Also export private repositories that aren't allowed to be published.
    #[arg(long)]
    pub(in crate::cli) include_private: bool,

    /// Write copies instead of hard links into the blob store.
    #[arg(long)]
    pub(in crate::cli) copy: bool,

    /// Export only the blocks that this root lacks, to a CAR file; `import` merges it into a registry that has the root.
    #[arg(long, value_name = "ROOT", value_parser = parsed_root)]
    pub(in crate::cli) since: Option<Cid>,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let target = &arguments.target;
    let is_car = has_extension(target, &["car"]) && !target.is_dir();
    check_kind(target)?;
    if arguments.since.is_some() && !is_car {
        return Err(Error::new(Kind::Usage, "`--since` works only for a CAR file")
            .hint("Export to a file whose name ends in `.car`."));
    }
    if arguments.copy && is_car {
        return Err(Error::new(Kind::Usage, "`--copy` works only for a directory").hint("Leave out `--copy`."));
    }
    let engine = context.open_to_give()?;
    let options = ExportOptions { include_private: arguments.include_private, copy: arguments.copy };
    let is_new = !target.exists();
    let exported = context.run(async |job: &Job| {
        if is_car {
            engine.export_car(target, arguments.include_private, arguments.since, job).await
        } else {
            engine.export_directory(target, options, job).await
        }
    })?;
    let output = &context.output;
    output.json(&exported)?;
    output.data(&format!("{}\n", exported.root))?;
    output.finish()?;
    output.message(&format!("Exported to {}: {}.", target.display(), summary(&exported, is_car)));
    if exported.hard_links > 0 {
        output.message(
            "The hard links are the blob store's own files: don't change them in place. `--copy` writes separate \
             files.",
        );
    }
    if arguments.include_private && (is_car || is_new) {
        output.message(&format!(
            "It contains private repositories, so only you can read it; `chmod {} {}` lets others read it.",
            if is_car { "a+r" } else { "a+rx" },
            target.display()
        ));
    }
    if arguments.since.is_some() {
        output
            .message(&format!("`roadstead import {}` merges it into a registry that has that root.", target.display()));
    } else if is_car {
        output.message(&format!("`ipfs dag import {}` adds it to an IPFS node.", target.display()));
    }
    Ok(Exit::Done)
}

/// Archives that a directory is not, by how their names end.
const ARCHIVES: [&str; 10] = ["tar", "tgz", "gz", "bz2", "xz", "txz", "zst", "zip", "7z", "rar"];

fn has_extension(target: &Path, names: &[&str]) -> bool {
    let extension = target.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| names.iter().any(|name| extension.eq_ignore_ascii_case(name)))
}

/// Refuses a target that is named like an archive which is not written here, and is no directory.
fn check_kind(target: &Path) -> Result<()> {
    if !has_extension(target, &ARCHIVES) || target.is_dir() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Usage,
        format!("{} is named like an archive, but `export` writes a directory or a CAR file", target.display()),
    )
    .hint("`roadstead export DIR` writes files, which `tar` packs; `roadstead export FILE.car` writes one file."))
}

fn summary(exported: &Exported, is_car: bool) -> String {
    if is_car {
        return format!("{}, {}", count(exported.blocks, "block", "blocks"), bytes(exported.bytes));
    }
    let kinds = [
        (exported.hard_links, "hard link", "hard links"),
        (exported.reflinks, "reflink", "reflinks"),
        (exported.copies, "copy", "copies"),
    ];
    let kinds: Vec<String> = kinds
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| count(number, one, many))
        .collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let written = match exported.written {
        0 => "all already there".to_owned(),
        all if all == exported.files => format!("{} written, the rest linked", bytes(exported.written_bytes)),
        some => format!("{} new or changed, {} written", some, bytes(exported.written_bytes)),
    };
    format!("{}{kinds}, {} in total; {written}", count(exported.files, "file", "files"), bytes(exported.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Exported {
        Exported {
            root: "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".parse().unwrap(),
            files: 120,
            bytes: 43 << 20,
            hard_links: 100,
            reflinks: 0,
            copies: 20,
            written: 120,
            written_bytes: 1 << 20,
            blocks: 7,
        }
    }

    #[test]
    fn what_a_person_reads() {
        assert_eq!(
            summary(&sample(), false),
            "120 files (100 hard links, 20 copies), 43 MiB in total; 1.0 MiB written, the rest linked"
        );
        assert!(summary(&Exported { written: 3, ..sample() }, false).ends_with("; 3 new or changed, 1.0 MiB written"));
        assert!(summary(&Exported { written: 0, ..sample() }, false).ends_with("; all already there"));
        assert_eq!(summary(&sample(), true), "7 blocks, 43 MiB");
    }

    #[test]
    fn an_archive_is_refused_before_it_becomes_a_directory() {
        for name in ["foo.tar", "a/foo.TAR.gz", "foo.tgz", "foo.zip"] {
            assert_eq!(check_kind(Path::new(name)).unwrap_err().kind(), Kind::Usage, "{name}");
        }
        for name in ["foo", "foo.car", "registry.example.com", "tar", ".tar"] {
            check_kind(Path::new(name)).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        let named = directory.path().join("www.zip");
        std::fs::create_dir(&named).unwrap();
        check_kind(&named).unwrap();
    }

    #[test]
    fn the_shape_in_json() {
        insta::assert_snapshot!("export", serde_json::to_string_pretty(&sample()).unwrap());
    }
}
