//! Whether the database file is sound by itself. What it says is checked elsewhere.

use super::Catalog;
use crate::error::Result;

/// How many faults are named.
const MAX_NAMED_FAULTS: u32 = 3;

impl Catalog {
    /// What SQLite finds wrong with the file, in its words, the first few; reads all of it, but compares no index with its table.
    pub fn faults(&self) -> Result<Vec<String>> {
        let reader = self.read()?;
        let explain = |error| self.explain(error);
        let mut statement = reader.prepare(&format!("PRAGMA quick_check({MAX_NAMED_FAULTS})")).map_err(explain)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(explain)?;
        let mut faults = rows.collect::<rusqlite::Result<Vec<_>>>().map_err(explain)?;
        faults.retain(|fault| fault != "ok");
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_page_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("catalog.db");
        let catalog = Catalog::open(&file).unwrap();
        assert!(catalog.faults().unwrap().is_empty());
        catalog.compact().unwrap();
        drop(catalog);
        let mut bytes = std::fs::read(&file).unwrap();
        // Not the first page, which holds the schema.
        for byte in &mut bytes[4096 * 2..4096 * 6] {
            *byte ^= 0x5a;
        }
        std::fs::write(&file, bytes).unwrap();
        let found = Catalog::open_read_only(&file).and_then(|catalog| catalog.faults());
        assert!(found.is_err() || !found.unwrap().is_empty());
    }
}
