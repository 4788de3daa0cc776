//! Which blocks were provided in the DHT, and when.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Writer;
use crate::error::Result;

/// When a block was provided last, in seconds since 1970.
pub fn at(connection: &Connection, multihash: &[u8]) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT at FROM provided WHERE multihash = ?")?;
    Ok(statement.query_row([multihash], |row| row.get(0)).optional()?)
}

/// Records that a block was provided.
pub fn set(writer: &Writer<'_>, multihash: &[u8], at: i64) -> Result<()> {
    writer
        .prepare_cached("INSERT OR REPLACE INTO provided (multihash, at) VALUES (?, ?)")?
        .execute(params![multihash, at])?;
    Ok(())
}

/// Forgets what was provided before that time, in seconds since 1970.
pub fn forget_before(writer: &Writer<'_>, time: i64) -> Result<()> {
    writer.prepare_cached("DELETE FROM provided WHERE at < ?")?.execute([time])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn the_last_time_is_kept_and_old_ones_go() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        catalog
            .write(|writer| {
                set(writer, b"one", 1)?;
                set(writer, b"one", 5)?;
                set(writer, b"two", 2)?;
                forget_before(writer, 3)
            })
            .unwrap();
        let reader = catalog.read().unwrap();
        assert_eq!((at(&reader, b"one").unwrap(), at(&reader, b"two").unwrap()), (Some(5), None));
    }
}
