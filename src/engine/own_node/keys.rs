//! The keys of this data directory, with which IPNS names are moved: a file each, which nobody else may read.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::engine::Engine;
use crate::error::{Context as _, Error, Kind, Result};
use crate::input;
use crate::ipns::{MAX_KEY_FILE_BYTES, Name, PrivateKey};
use crate::store::private;
use crate::text::printable_within;

/// The key that is there without being asked for. Kubo calls its own the same.
pub const OWN_KEY: &str = "self";
/// Folder of the keys, below the data directory.
const FOLDER: &str = "keys";
/// How the name of a key's file ends.
const EXTENSION: &str = "key";
/// How the name of a file ends that says up to which sequence number an IPNS name was signed elsewhere.
const SEQUENCE_EXTENSION: &str = "sequence";
/// Keys that are listed.
const MAX_KEYS: usize = 1000;

/// A key and what it is called here.
#[derive(Debug)]
pub struct OwnKey {
    /// Name of its file, without the ending.
    pub name: String,
    /// The key itself.
    pub key: PrivateKey,
}

impl Engine {
    fn key_file(&self, name: &str) -> Result<PathBuf> {
        let sound = (1..=64).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !sound {
            return Err(Error::new(Kind::Usage, format!("invalid key name `{}`", printable_within(name, 80))).hint(
                "Names have letters, digits, dots, dashes and underscores, and begin with a letter or a digit.",
            ));
        }
        Ok(self.data_dir.join(FOLDER).join(format!("{name}.{EXTENSION}")))
    }

    /// The key of this name, if it is here.
    pub fn own_key(&self, name: &str) -> Result<Option<PrivateKey>> {
        let file = self.key_file(name)?;
        match input::read_regular(&file, MAX_KEY_FILE_BYTES as u64) {
            Ok(bytes) => PrivateKey::from_file(&bytes).map(Some).context(|| format!("can't read {}", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::from(error).context(format!("can't read {}", file.display()))),
        }
    }

    /// All keys that are here, by name.
    pub fn own_keys(&self) -> Result<Vec<OwnKey>> {
        let Ok(entries) = fs::read_dir(self.data_dir.join(FOLDER)) else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for entry in entries.flatten().take(MAX_KEYS) {
            let path = entry.path();
            let name = path.file_stem().and_then(|name| name.to_str()).filter(|name| self.key_file(name).is_ok());
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Some(name) = name
                && let Some(key) = self.own_key(name)?
            {
                keys.push(OwnKey { name: name.to_owned(), key });
            }
        }
        keys.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(keys)
    }

    /// The key that this catalog's own node has, made if it is not here yet.
    pub fn make_own_key(&self, name: &str) -> Result<PrivateKey> {
        if let Some(key) = self.own_key(name)? {
            return Ok(key);
        }
        let key = PrivateKey::generate()?;
        match keep(&self.key_file(name)?, &key) {
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            kept => kept.context(|| format!("can't keep the key `{name}`"))?,
        }
        self.own_key(name)?.ok_or_else(|| Error::new(Kind::Unexpected, format!("the key `{name}` is gone again")))
    }

    /// The sequence number that records of a name have reached elsewhere; 0 where that is not known.
    pub(super) fn sequence_elsewhere(&self, name: &Name) -> Result<u64> {
        const MAX_SEQUENCE_FILE_BYTES: u64 = 32;
        let file = self.sequence_file(name);
        let words = || format!("can't read {}", file.display());
        match input::read_regular(&file, MAX_SEQUENCE_FILE_BYTES) {
            Ok(bytes) => {
                let sequence = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
                sequence.ok_or_else(|| Error::new(Kind::Usage, "it is no sequence number").context(words()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Error::from(error).context(words())),
        }
    }

    /// Records of this name have reached this sequence number elsewhere: the next one that is signed here has a higher one.
    pub fn go_on_from_sequence(&self, name: &Name, sequence: u64) -> Result<()> {
        if sequence <= self.sequence_elsewhere(name)? {
            return Ok(());
        }
        let file = self.sequence_file(name);
        let words = || format!("can't write {}", file.display());
        private::make_directories(&self.data_dir.join(FOLDER)).context(words)?;
        input::replace(&file, &sequence.to_string()).context(words)
    }

    fn sequence_file(&self, name: &Name) -> PathBuf {
        self.data_dir.join(FOLDER).join(format!("{name}.{SEQUENCE_EXTENSION}"))
    }

    /// Keeps a key that was made elsewhere; one that is here already stays. Another one of this name is not replaced, since its IPNS name could never be moved again.
    pub fn import_own_key(&self, name: &str, key: &PrivateKey) -> Result<()> {
        let file = self.key_file(name)?;
        match keep(&file, key) {
            Err(error)
                if error.kind() == std::io::ErrorKind::AlreadyExists
                    && self.own_key(name)?.is_some_and(|here| here.name() == key.name()) =>
            {
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Error::new(Kind::Usage, format!("a key `{name}` already exists"))
                    .hint("Without it, its IPNS name could never be moved again.")
                    .hint(format!("Keep a copy with `roadstead target key export`, then remove {}.", file.display())))
            }
            kept => kept.context(|| format!("can't keep the key `{name}`")),
        }
    }
}

/// Writes a new file that only its owner may read: whole, or not at all.
fn keep(file: &Path, key: &PrivateKey) -> std::io::Result<()> {
    let bytes = key.to_protobuf().map_err(std::io::Error::other)?;
    let directory = file.parent().unwrap_or(Path::new("."));
    private::make_directories(directory)?;
    let mut written = tempfile::Builder::new().prefix(".key-").tempfile_in(directory)?;
    written.write_all(&bytes)?;
    written.as_file().sync_all()?;
    written.persist_noclobber(file).map_err(|error| error.error)?;
    input::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use crate::engine::tests::TestEngine;

    #[tokio::test]
    async fn a_key_is_made_once_and_nobody_else_reads_it() {
        let test = TestEngine::new().await;
        let engine = &test.engine;
        assert!(engine.own_key("self").unwrap().is_none());
        let made = engine.make_own_key("self").unwrap();
        assert_eq!(engine.make_own_key("self").unwrap().name(), made.name());
        let file = engine.data_dir().join("keys/self.key");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<String> = engine.own_keys().unwrap().into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["self"]);

        let other = crate::ipns::PrivateKey::generate().unwrap();
        let refused = engine.import_own_key("self", &other).unwrap_err();
        assert!(refused.to_string().contains("already exists"), "{refused}");
        assert_eq!(engine.own_key("self").unwrap().unwrap().name(), made.name());
        engine.import_own_key("other", &other).unwrap();
        engine.import_own_key("other", &other).unwrap();
        assert_eq!(engine.own_key("other").unwrap().unwrap().name(), other.name());
        let name = other.name();
        assert_eq!(engine.sequence_elsewhere(&name).unwrap(), 0);
        engine.go_on_from_sequence(&name, 41).unwrap();
        engine.go_on_from_sequence(&name, 40).unwrap();
        assert_eq!(engine.sequence_elsewhere(&name).unwrap(), 41);
        assert_eq!(engine.own_keys().unwrap().len(), 2, "it is no key");
        for bad in ["", "../x", ".hidden", "a/b"] {
            assert!(engine.own_key(bad).is_err(), "{bad}");
        }
    }
}
