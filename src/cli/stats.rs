//! `stats`: the registry in figures.

use super::Exit;
use super::context::Context;
use super::list;
use super::style::{Paint, Tone};
use super::table::{Cell, Column, Table};
use crate::engine::view::Statistics;
use crate::error::Result;
use crate::text::bytes;

/// So many rows of each table are shown to people; JSON has all.
const ROWS: usize = 10;

/// Shows the figures.
pub(super) fn run(context: &Context) -> Result<Exit> {
    let statistics = context.open_to_read()?.statistics()?;
    let output = &context.output;
    output.json(&statistics)?;
    output.table(&figures(&statistics))?;
    if !statistics.repositories.is_empty() {
        let shown = statistics.repositories.len().min(ROWS);
        output.data(&heading(output.paint, "What costs most", shown, statistics.repositories.len()))?;
        output.table(&list::repositories(&statistics.repositories[..shown]))?;
    }
    if !statistics.most_shared.is_empty() {
        let shown = statistics.most_shared.len().min(ROWS);
        output.data(&heading(output.paint, "What sharing saves most", shown, statistics.most_shared.len()))?;
        output.table(&shared(&statistics, shown))?;
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
        all => format!("{}% of every image in full", u128::from(statistics.saved) * 100 / u128::from(all)),
    };
    for (name, value, note) in [
        ("repositories", statistics.counts.repositories.to_string(), String::new()),
        ("images", statistics.counts.images.to_string(), String::new()),
        ("blobs", statistics.counts.blobs.to_string(), String::new()),
        ("logical", bytes(statistics.logical), "every image in full".to_owned()),
        ("stored", bytes(statistics.stored), "each blob once".to_owned()),
        ("saved", bytes(statistics.saved), saved),
    ] {
        table.row([name.into(), value.into(), Cell::toned(Tone::Dim, note)]);
    }
    table
}

fn shared(statistics: &Statistics, shown: usize) -> Table {
    let mut table = Table::new(&[
        ("BLOB", Column::Digest),
        ("SIZE", Column::Number),
        ("IMAGES", Column::Number),
        ("OF", Column::Text),
    ]);
    for row in &statistics.most_shared[..shown] {
        let mut of = row.of.join(", ");
        if row.images > row.of.len() as u64 {
            of.push_str(", …");
        }
        table.row([row.digest.to_string().into(), bytes(row.size).into(), row.images.to_string().into(), of.into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::sample_repositories;
    use super::*;
    use crate::catalog::statistics::Counts;
    use crate::engine::view::SharedRow;
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
             blobs              40\n\
             logical       1.1 GiB  every image in full\n\
             stored        700 MiB  each blob once\n\
             saved         404 MiB  36% of every image in full\n"
        );
        let shown = shared(&sample(), 1).render(Some(80), Paint::new(false));
        assert!(shown.ends_with("12  library/nginx:1, library/nginx:2, …\n"), "{shown}");
    }

    #[test]
    fn the_shape_in_json() {
        insta::assert_snapshot!("stats", serde_json::to_string_pretty(&sample()).unwrap());
    }
}
