//! Other programs' files become rules.
//!
//! Pure: text in, rules out, and for each setting of the file what became of it. Nothing is dropped without a word: a reader takes what it
//! knows of a map, and what it leaves is named. Credentials are never read.

mod dregsy;
mod expressions;
mod fields;
mod format;
mod image_syncer;
mod manifests;
mod ranges;
mod regsync;
mod report;
mod settings;
mod skopeo;
mod zot;

use fields::Item;
pub use format::Format;
use report::Report;
pub use report::{Imported, ImportedList, MAX_RULES, Said, list_file};

use super::yaml::documents;
use crate::error::{Error, Kind, Result};

/// Reads the file of another program. Without `format` its keys say which program's it is.
pub fn import(text: &str, format: Option<Format>) -> Result<Imported> {
    import_beside(text, format, 1)
}

/// The same where there are lists already: the first one that is made gets this number.
pub fn import_beside(text: &str, format: Option<Format>, first_list: usize) -> Result<Imported> {
    let documents = documents(text)?;
    let Some(format) = format.or_else(|| Format::of(&documents)) else {
        let names = Format::ALL.map(|format| format!("`{format}`")).join(", ");
        return Err(Error::new(Kind::Usage, "it is no file that can be imported")
            .hint(format!("Say whose file it is, if it is one of these: {names}.")));
    };
    let mut report = Report::new(format, first_list);
    for (number, document) in documents.iter().enumerate() {
        let path = if documents.len() > 1 { format!("[{number}]") } else { String::new() };
        let item = Item::new(path, document);
        match format {
            Format::Regsync => regsync::read(&item, &mut report)?,
            Format::Skopeo => skopeo::read(&item, &mut report)?,
            Format::Zot => zot::read(&item, &mut report)?,
            Format::ImageSyncer => image_syncer::read(&item, &mut report)?,
            Format::Dregsy => dregsy::read(&item, &mut report)?,
            Format::Imgpkg => manifests::imgpkg(&item, &mut report)?,
            Format::Zarf => manifests::zarf(&item, &mut report)?,
            Format::Hauler => manifests::hauler(&item, &mut report)?,
        }
    }
    report.imported()
}

#[cfg(test)]
mod tests;
