//! `stats`: the registry in figures.

use super::list;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::style::{Paint, Tone};
use crate::cli::table::{Cell, Column, Table};
use crate::engine::query::view::{SharedRow, Statistics};
use crate::error::Result;
use crate::text::bytes;

/// So many rows of each table are shown to people; JSON has all.
const MAX_TABLE_ROWS: usize = 10;

pub(in crate::cli) fn run(context: &Context) -> Result<Exit> {
    let statistics = context.open_to_read()?.statistics()?;
    let output = &context.output;
    output.json(&statistics)?;
    output.table(&figures(&statistics))?;
    if !statistics.repositories.is_empty() {
        let shown = statistics.repositories.len().min(MAX_TABLE_ROWS);
        output.data(&heading(output.paint, "What costs most", shown, statistics.repositories.len()))?;
        output.table(&list::repositories(&statistics.repositories[..shown]))?;
    }
    let shared = worth_showing(&statistics);
    if !shared.is_empty() {
        let shown = shared.len().min(MAX_TABLE_ROWS);
        output.data(&heading(output.paint, "What sharing saves most", shown, shared.len()))?;
        output.table(&shared_table(&shared[..shown]))?;
    }
    Ok(Exit::Done)
}

fn heading(paint: Paint, text: &str, shown: usize, all: usize) -> String {
    let more = if shown < all { format!(" (the first {shown} of {all})") } else { String::new() };
    format!("\n{}{more}\n", paint.tone(Tone::Heading, text))
}

fn figures(statistics: &Statistics) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Number), ("", Column::Fixed)]);
    let saved = match statistics.logical {
        0 => String::new(),
        all => format!("{}% less than every image in full", u128::from(statistics.saved) * 100 / u128::from(all)),
    };
    for (name, value, note) in [
        ("repositories", statistics.counts.repositories.to_string(), String::new()),
        ("images", statistics.counts.images.to_string(), String::new()),
        ("blobs", statistics.counts.blobs.to_string(), "layers, configurations and manifests, each once".to_owned()),
        ("logical", bytes(statistics.logical), "every image in full".to_owned()),
        ("stored", bytes(statistics.stored), "each blob once".to_owned()),
        ("saved", bytes(statistics.saved), saved),
    ] {
        table.row([name.into(), value.into(), Cell::toned(Tone::Dim, note)]);
    }
    table
}

/// What a shared blob would take more if each image had its own.
fn saved(row: &SharedRow) -> u64 {
    row.size.saturating_mul(row.images.saturating_sub(1))
}

/// Shared blobs that save a hundredth of all that is saved; configurations and signatures of a few bytes are shared by everything.
fn worth_showing(statistics: &Statistics) -> Vec<&SharedRow> {
    statistics.most_shared.iter().filter(|row| saved(row) >= (statistics.saved / 100).max(1)).collect()
}

fn shared_table(rows: &[&SharedRow]) -> Table {
    let mut table = Table::new(&[
        ("BLOB", Column::Digest),
        ("SIZE", Column::Number),
        ("IMAGES", Column::Number),
        ("SAVES", Column::Number),
        ("OF", Column::Text),
    ]);
    for row in rows {
        let mut of = row.of.join(", ");
        if row.images > row.of.len() as u64 {
            of.push_str(", …");
        }
        table.row([
            row.digest.to_string().into(),
            bytes(row.size).into(),
            row.images.to_string().into(),
            bytes(saved(row)).into(),
            of.into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::statistics::Counts;
    use crate::cli::commands::list::tests::sample_repositories;
    use crate::image::Digest;

    fn sample() -> Statistics {
        Statistics {
            counts: Counts { repositories: 2, images: 13, blobs: 40 },
            logical: 1104 << 20,
            stored: 700 << 20,
            saved: 404 << 20,
            repositories: sample_repositories(),
            most_shared: vec![SharedRow {
                digest: Digest::of(b"1"),
                size: 3 << 20,
                images: 12,
                of: vec!["library/nginx:1".into(), "library/nginx:2".into()],
            }],
        }
    }

    #[test]
    fn what_a_person_sees() {
        assert_eq!(
            figures(&sample()).render(None, Paint::new(false)),
            "repositories        2\n\
             images             13\n\
             blobs              40  layers, configurations and manifests, each once\n\
             logical       1.1 GiB  every image in full\n\
             stored        700 MiB  each blob once\n\
             saved         404 MiB  36% less than every image in full\n"
        );
        let mut statistics = sample();
        statistics.most_shared.push(SharedRow { size: 900, ..statistics.most_shared[0].clone() });
        let rows = worth_showing(&statistics);
        assert_eq!(rows.len(), 1, "what saves next to nothing is no news");
        let shown = shared_table(&rows).render(Some(80), Paint::new(false));
        assert!(shown.ends_with("12  33 MiB  library/nginx:1, library/nginx:2…\n"), "{shown}");
    }

    #[test]
    fn the_shape_in_json() {
        insta::assert_snapshot!("stats", serde_json::to_string_pretty(&sample()).unwrap());
    }
}
