//! A copy of the catalog in a temporary database, to see what a change would make of it.
//!
//! It is one connection and knows no file, so nothing done with it can reach the catalog itself.

use std::ops::Deref;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, TransactionBehavior};

use super::{Catalog, Writer};
use crate::error::{Error, Kind, Result};

/// All pages in one step: one state, whatever others commit meanwhile.
const ALL_PAGES: i32 = -1;

/// The copy; gone when it is dropped.
#[derive(Debug)]
pub struct TemporaryCopy {
    connection: Connection,
}

impl Catalog {
    /// A copy of one state in an unnamed temporary database.
    pub fn temporary_copy(&self) -> Result<TemporaryCopy> {
        let explain = |error| self.explain(error);
        let from = self.connect()?;
        let mut to = Connection::open("").map_err(explain)?;
        let step = Backup::new(&from, &mut to).and_then(|backup| backup.step(ALL_PAGES)).map_err(explain)?;
        if step != StepResult::Done {
            return Err(Error::new(Kind::Locked, format!("can't copy the catalog {}", self.file().display()))
                .hint("Another process is writing; try again when it is done."));
        }
        to.create_collation(super::database::NATURAL_ORDER, crate::image::natural::compare).map_err(explain)?;
        Ok(TemporaryCopy { connection: to })
    }
}

impl TemporaryCopy {
    /// Changes the copy: what `change` did stays if it succeeds.
    pub fn change<T>(&mut self, change: impl FnOnce(&Writer<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let writer = Writer { transaction };
        let value = change(&writer)?;
        writer.transaction.commit()?;
        Ok(value)
    }
}

impl Deref for TemporaryCopy {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_copy_is_none_of_the_catalog() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        let insert =
            |writer: &Writer<'_>| Ok(writer.execute("INSERT INTO settings VALUES ('a', 'b')", []).map(drop)?);
        let count = |connection: &Connection| -> u64 {
            connection.query_row("SELECT count(*) FROM settings", [], |row| row.get(0)).unwrap()
        };
        let mut copy = catalog.temporary_copy().unwrap();
        copy.change(insert).unwrap();
        let failed: Result<()> = copy.change(|writer| {
            writer.execute("DELETE FROM settings", [])?;
            Err(Error::new(Kind::Unexpected, "no"))
        });
        assert!(failed.is_err());
        assert_eq!((count(&copy), count(&catalog.read().unwrap())), (1, 0));
        // It goes on being what it was when the catalog is written, or gone.
        catalog.write(insert).unwrap();
        catalog.write(|writer| Ok(writer.execute("DELETE FROM settings", []).map(drop)?)).unwrap();
        drop((catalog, directory));
        copy.change(|writer| Ok(writer.execute("INSERT INTO settings VALUES ('c', 'd')", []).map(drop)?)).unwrap();
        assert_eq!(count(&copy), 2);
    }
}
