//! Opening the database, its migrations, and who may read and write.

use std::fs::OpenOptions;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::migrations::MIGRATIONS;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::natural;

/// The name of the collation by [`natural::compare`]. Only queries use it: with an index by it no other program could change the file.
pub(super) const NATURAL_ORDER: &str = "numbers";

/// How long a statement waits for another process's transaction. Transactions are short: plans are kept apart by
/// [`super::PlanLock`].
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// The database file, and the connections to it that are at rest.
#[derive(Debug)]
pub struct Catalog {
    file: PathBuf,
    read_only: bool,
    idle: Mutex<Vec<Connection>>,
    /// Sees what all the others commit, and does nothing else: two of its answers can be compared.
    witness: Mutex<Option<Connection>>,
}

/// One consistent state to read from.
#[derive(Debug)]
pub struct Reader<'catalog> {
    connection: Option<Connection>,
    catalog: &'catalog Catalog,
}

/// A change: everything through it happens, or nothing.
#[derive(Debug)]
pub struct Writer<'connection> {
    pub(super) transaction: Transaction<'connection>,
}

impl Catalog {
    /// Opens the catalog in this file, which is made if it isn't there, and brings its schema up to date. Only its user may
    /// read it: SQLite gives the files beside it the same mode.
    pub fn open(file: &Path) -> Result<Self> {
        if !file.exists() {
            // Another process may be faster; and what fails here fails below, in words.
            drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(file));
        }
        let catalog =
            Self { file: file.to_owned(), read_only: false, idle: Mutex::default(), witness: Mutex::default() };
        let mut connection = catalog.connect()?;
        catalog.migrate(&mut connection)?;
        catalog.idle().push(connection);
        Ok(catalog)
    }

    /// Brings the catalog of an older version to this version's schema. One that is not there stays so.
    pub fn upgrade(file: &Path) -> Result<()> {
        let catalog =
            Self { file: file.to_owned(), read_only: true, idle: Mutex::default(), witness: Mutex::default() };
        if !file.exists() {
            return Ok(());
        }
        let version = schema_version(&catalog.connect()?).map_err(|error| catalog.explain(error))?;
        if (1..MIGRATIONS.len()).contains(&version) { Self::open(file).map(drop) } else { Ok(()) }
    }

    /// Opens the catalog to read, also where nothing can be written.
    pub fn open_read_only(file: &Path) -> Result<Self> {
        let directory = file.parent().unwrap_or(file);
        if directory.exists() && !directory.is_dir() {
            return Err(Error::new(Kind::NotFound, format!("{} is not a directory", directory.display()))
                .hint("Choose another data directory with `--data-dir`."));
        }
        let is_there = match file.try_exists() {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let words = format!("can't read the catalog in {}: {error}", directory.display());
                return Err(Error::new(Kind::Unexpected, words)
                    .hint("Images may be private, so only the owner may read it: run this as that user, or use another data directory with `--data-dir`."));
            }
            tried => tried.context(|| format!("can't look at {}", file.display()))?,
        };
        if !is_there {
            return Err(Error::new(
                Kind::NotFound,
                format!("there is no catalog in the directory {}", directory.display()),
            )
            .hint("`roadstead add REF` mirrors an image and makes one there.")
            .hint("If there is one elsewhere, name its directory with `--data-dir` or ROADSTEAD_DATA_DIR."));
        }
        let catalog =
            Self { file: file.to_owned(), read_only: true, idle: Mutex::default(), witness: Mutex::default() };
        let connection = catalog.connect()?;
        let version = schema_version(&connection).map_err(|error| catalog.explain(error))?;
        if version == 0 {
            // Whoever made it was killed before anything was in it.
            return Err(Error::new(Kind::NotFound, format!("the catalog {} is not set up", file.display()))
                .hint("`roadstead add REF` sets it up."));
        }
        if version < MIGRATIONS.len() {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "the catalog {} has schema {version}, which is older, but is opened read-only",
                    file.display()
                ),
            )
            .hint("`roadstead stats`, run without `--read-only` by a user who can write to the directory, brings it up to date."));
        }
        catalog.check_version(version)?;
        catalog.idle().push(connection);
        Ok(catalog)
    }

    /// A number that is another one as soon as anything in the catalog is, whoever changed it: content, targets, what was
    /// published. It says nothing to another process.
    pub fn version(&self) -> Result<u64> {
        let mut witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match witness.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let version = connection.query_row("PRAGMA data_version", [], |row| row.get(0));
        *witness = Some(connection);
        version.map_err(|error| self.explain(error))
    }

    /// Whether only reading is possible.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Path of `catalog.db` in the data directory.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A state to read from; it stays the same until the reader is dropped.
    pub fn read(&self) -> Result<Reader<'_>> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        connection.execute_batch("BEGIN DEFERRED").map_err(|error| self.explain(error))?;
        Ok(Reader { connection: Some(connection), catalog: self })
    }

    /// Changes the catalog: commits what `change` did if it succeeds, else leaves everything as it was.
    pub fn write<T>(&self, change: impl FnOnce(&Writer<'_>) -> Result<T>) -> Result<T> {
        if self.read_only {
            return Err(Error::new(Kind::Unexpected, format!("the catalog {} is read-only here", self.file.display()))
                .hint("Check its permissions, or use another data directory with `--data-dir`."));
        }
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let value = {
            let explain = |error| self.explain(error);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
            let writer = Writer { transaction };
            let value = change(&writer)?;
            let _timed = tracing::debug_span!("commit").entered();
            writer.transaction.commit().map_err(explain)?;
            value
        };
        self.idle().push(connection);
        Ok(value)
    }

    /// Gives room that rows have left back to the file system, when it is worth the rewrite.
    pub fn compact(&self) -> Result<()> {
        let explain = |error| self.explain(error);
        let connection = self.connect()?;
        let pages: u64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(explain)?;
        let free: u64 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0)).map_err(explain)?;
        if free * 4 > pages {
            connection.execute_batch("VACUUM").map_err(explain)?;
        }
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(explain)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A panic elsewhere can't have left a half-changed list.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connect(&self) -> Result<Connection> {
        let opened = if self.read_only { self.connect_to_read() } else { Connection::open(&self.file) };
        let connection = opened.map_err(|error| self.explain(error))?;
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .and_then(|()| {
                if !self.read_only {
                    connection.pragma_update(None, "journal_mode", "wal")?;
                    // A commit survives a power cut: blobs are synced before their rows are written.
                    connection.pragma_update(None, "synchronous", "full")?;
                }
                connection.pragma_update(None, "foreign_keys", true)?;
                connection.pragma_update(None, "cache_size", -8192)?;
                connection.pragma_update(None, "trusted_schema", false)?;
                connection.create_collation(NATURAL_ORDER, natural::compare)
            })
            .map_err(|error| self.explain(error))?;
        // Else a statement is prepared again for each value it gets, wherever the value might have made another plan.
        connection
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(|error| self.explain(error))?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    }

    fn connect_to_read(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let plain = Connection::open_with_flags(&self.file, flags)
            .and_then(|connection| schema_version(&connection).map(|_| connection));
        match plain {
            // A write-ahead log needs its shared-memory file; where that can't be made nobody can be writing either.
            Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) => {
                let path = self.file.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)
            }
            other => other,
        }
    }

    fn check_version(&self, version: usize) -> Result<()> {
        if version > MIGRATIONS.len() {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "the catalog {} has schema {version}, but this version supports only up to {}",
                    self.file.display(),
                    MIGRATIONS.len()
                ),
            )
            .hint("A newer roadstead has used it: use that one, or another data directory with `--data-dir`."));
        }
        Ok(())
    }

    fn migrate(&self, connection: &mut Connection) -> Result<()> {
        let version = schema_version(connection).map_err(|error| self.explain(error))?;
        self.check_version(version)?;
        if version == MIGRATIONS.len() {
            return Ok(());
        }
        let explain = |error| self.explain(error);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
        // Another process may have been faster.
        let version = schema_version(&transaction).map_err(explain)?;
        self.check_version(version)?;
        for migration in MIGRATIONS.iter().skip(version) {
            transaction.execute_batch(migration).map_err(explain)?;
        }
        transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(explain)?;
        transaction.commit().map_err(explain)
    }

    /// An SQLite error in words that say which file and what to do.
    pub(super) fn explain(&self, error: rusqlite::Error) -> Error {
        let code = error.sqlite_error_code();
        let made = Error::from(error).context(format!("the catalog {}", self.file.display()));
        match code {
            Some(ErrorCode::CannotOpen) => {
                made.hint("Check that the data directory exists and is readable; `--data-dir` names another one.")
            }
            _ => made,
        }
    }
}

fn schema_version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let (kind, hint) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                (Kind::Locked, Some("Another process is writing; try again when it is done."))
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
                Kind::Verification,
                Some(
                    "The file is damaged. Move it away and add the images again: blobs that are in the data directory are verified and used, not downloaded.",
                ),
            ),
            Some(ErrorCode::DiskFull) => (Kind::Unexpected, Some("Free some space there; nothing was changed.")),
            Some(ErrorCode::ReadOnly) => {
                (Kind::Unexpected, Some("Check its permissions, or use another data directory with `--data-dir`."))
            }
            _ => (Kind::Unexpected, None),
        };
        let made = Self::new(kind, "the database failed").caused_by(error);
        match hint {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}

impl Deref for Reader<'_> {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "the connection leaves only when the reader is dropped")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a reader has its connection")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.execute_batch("ROLLBACK").is_ok()
        {
            self.catalog.idle().push(connection);
        }
    }
}

impl Deref for Writer<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(connection: &Connection) -> Vec<(String, Option<String>)> {
        let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Every schema there ever was, brought up to date, equals a fresh one.
    #[test]
    fn a_migrated_schema_equals_a_fresh_one() {
        let directory = tempfile::tempdir().unwrap();
        let fresh = Catalog::open(&directory.path().join("fresh.db")).unwrap();
        let expected = schema(&fresh.read().unwrap());
        for version in 0..MIGRATIONS.len() {
            let file = directory.path().join(format!("{version}.db"));
            let old = Connection::open(&file).unwrap();
            for migration in &MIGRATIONS[..version] {
                old.execute_batch(migration).unwrap();
            }
            old.pragma_update(None, "user_version", version).unwrap();
            drop(old);
            assert_eq!(schema(&Catalog::open(&file).unwrap().read().unwrap()), expected);
        }
    }

    /// Older versions asked over plain HTTP because a tree said so: where one was read, it has to be chosen again.
    #[test]
    fn plain_http_that_may_have_come_from_a_tree_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        for (verb, choice) in [("add", Some(true)), ("import", None), ("restore", None)] {
            let file = directory.path().join(verb);
            let old = Connection::open(&file).unwrap();
            for migration in &MIGRATIONS[..6] {
                old.execute_batch(migration).unwrap();
            }
            old.execute_batch(&format!(
                "INSERT INTO repositories (name, registry, upstream, insecure) VALUES ('a', 'a.io', 'a', 1), ('b', 'b.io', 'b', 0);
                 INSERT INTO operations (at, verb, summary) VALUES (0, '{verb}', '');"
            ))
            .unwrap();
            old.pragma_update(None, "user_version", 6).unwrap();
            drop(old);
            let catalog = Catalog::open(&file).unwrap();
            let known = super::super::repositories::list(&catalog.read().unwrap(), None, None).unwrap();
            let found: Vec<_> = known.iter().map(|of| (of.transport.choice(), of.transport.recorded())).collect();
            assert_eq!(found, [(choice, true), (Some(false), false)], "{verb}");
        }
    }

    /// Else each row that goes would have the referring table read as a whole.
    #[test]
    fn every_reference_has_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        let reader = catalog.read().unwrap();
        let mut statement = reader
            .prepare("SELECT t.name, f.\"from\" FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'")
            .unwrap();
        let references: Vec<(String, String)> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
        assert!(references.len() > 10);
        for (table, column) in references {
            let mut statement =
                reader.prepare(&format!("EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {column} = 1")).unwrap();
            let step: String = statement.query_row([], |row| row.get(3)).unwrap();
            assert!(step.starts_with("SEARCH"), "{table}.{column}: {step}");
        }
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("catalog.db");
        Connection::open(&file).unwrap().pragma_update(None, "user_version", MIGRATIONS.len() + 1).unwrap();
        for opened in [Catalog::open(&file), Catalog::open_read_only(&file)] {
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.hints()[0].contains("newer roadstead"), "{error}");
        }
    }

    #[test]
    fn an_older_schema_is_brought_up_to_date_by_whoever_may_write() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("catalog.db");
        Catalog::upgrade(&file).unwrap();
        assert!(!file.exists());
        let connection = Connection::open(&file).unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        drop(connection);
        let error = Catalog::open_read_only(&file).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        Catalog::upgrade(&file).unwrap();
        Catalog::open_read_only(&file).unwrap();
    }

    #[test]
    fn a_damaged_file_is_said_to_be_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("catalog.db");
        std::fs::write(&file, [b'x'; 8192]).unwrap();
        let error = Catalog::open(&file).unwrap_err();
        assert_eq!(error.kind(), Kind::Verification);
        assert!(error.to_string().contains("catalog.db"), "{error}");
    }

    #[test]
    fn a_change_that_fails_leaves_everything_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        let failed: Result<()> = catalog.write(|writer| {
            writer.execute("INSERT INTO settings VALUES ('a', 'b')", [])?;
            Err(Error::new(Kind::Unexpected, "no"))
        });
        assert!(failed.is_err());
        let rows: u64 =
            catalog.read().unwrap().query_row("SELECT count(*) FROM settings", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0);
        catalog.write(|_| Ok(())).unwrap();
    }

    #[test]
    fn the_version_moves_with_every_change_whoever_makes_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("catalog.db");
        let (ours, theirs) = (Catalog::open(&file).unwrap(), Catalog::open(&file).unwrap());
        let first = ours.version().unwrap();
        assert_eq!(ours.version().unwrap(), first, "looking changes nothing");
        let add = |key: &'static str| {
            move |writer: &Writer<'_>| Ok(writer.execute("INSERT INTO settings VALUES (?, 'x')", [key]).map(drop)?)
        };
        theirs.write(add("a")).unwrap();
        let second = ours.version().unwrap();
        assert_ne!(second, first, "another's change");
        ours.write(add("b")).unwrap();
        assert_ne!(ours.version().unwrap(), second, "one's own change, through another connection");
    }
}
