//! The rules as text, where they come from, and what was said of their programs.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};

use super::Writer;
use crate::error::Result;

/// The row of the table `rule_set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    /// TOML, as it was read last.
    pub text: String,
    /// The file that is read at every run. None: the text is the truth.
    pub file: Option<PathBuf>,
    /// SHA-256 of the programs that were shown and allowed.
    pub trusted: Option<Vec<u8>>,
}

/// The rules, if there are any.
pub fn load(connection: &Connection) -> Result<Option<RuleSet>> {
    let mut statement = connection.prepare_cached("SELECT text, file, trusted FROM rule_set")?;
    let row = statement.query_row([], |row| {
        Ok(RuleSet {
            text: row.get(0)?,
            file: row.get::<_, Option<String>>(1)?.map(PathBuf::from),
            trusted: row.get(2)?,
        })
    });
    Ok(row.optional()?)
}

/// Records the rules. A path that is not UTF-8 was refused before.
pub fn save(writer: &Writer<'_>, set: &RuleSet) -> Result<()> {
    let file = set.file.as_ref().map(|file| file.to_string_lossy().into_owned());
    writer
        .prepare_cached("INSERT OR REPLACE INTO rule_set (id, text, file, trusted) VALUES (1, ?, ?, ?)")?
        .execute(params![set.text, file, set.trusted])?;
    Ok(())
}

/// What came of a rule's last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRun {
    /// When it ran, in seconds since 1970.
    pub ran_at: i64,
    /// JSON; what is in it is the engine's.
    pub outcome: String,
}

/// The last run of a rule.
pub fn last_run(connection: &Connection, rule: &str) -> Result<Option<RuleRun>> {
    let mut statement = connection.prepare_cached("SELECT ran_at, outcome FROM rule_runs WHERE rule = ?")?;
    let run = statement.query_row([rule], |row| Ok(RuleRun { ran_at: row.get(0)?, outcome: row.get(1)? }));
    Ok(run.optional()?)
}

/// Records what came of a rule's run.
pub fn set_run(writer: &Writer<'_>, rule: &str, run: &RuleRun) -> Result<()> {
    writer
        .prepare_cached("INSERT OR REPLACE INTO rule_runs (rule, ran_at, outcome) VALUES (?, ?, ?)")?
        .execute(params![rule, run.ran_at, run.outcome])?;
    Ok(())
}

/// A figure of the runs.
pub fn figure(connection: &Connection, name: &str) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT value FROM rule_figures WHERE name = ?")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// The figures whose names begin so, without that beginning.
pub fn figures(connection: &Connection, beginning: &str) -> Result<Vec<(String, i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT substr(name, length(?1) + 1), value FROM rule_figures WHERE substr(name, 1, length(?1)) = ?1",
    )?;
    let rows = statement.query_map([beginning], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records a figure.
pub fn set_figure(writer: &Writer<'_>, name: &str, value: i64) -> Result<()> {
    writer
        .prepare_cached("INSERT OR REPLACE INTO rule_figures (name, value) VALUES (?, ?)")?
        .execute(params![name, value])?;
    Ok(())
}

/// Adds to a figure.
pub fn count(writer: &Writer<'_>, name: &str, more: i64) -> Result<()> {
    writer
        .prepare_cached(
            "INSERT INTO rule_figures (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2",
        )?
        .execute(params![name, more])?;
    Ok(())
}
