//! The platforms of an image as tabs, in one row: the one that is open is always in sight, and how many are not is said.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{cut_middle, width};
use super::super::command::Command;
use super::super::glyphs::Glyphs;
use crate::engine::query::view::ManifestDetails;

/// A part of the row: a tab with its place, or how many are not shown.
struct Piece {
    tab: Option<usize>,
    text: String,
}

/// The names of tabs.
pub(super) fn names(tabs: &[&ManifestDetails]) -> Vec<String> {
    tabs.iter().map(|manifest| manifest.platform.clone().unwrap_or_else(|| "content".to_owned())).collect()
}

/// The row in so many columns. It begins at the first tab, or as late as it must for the one that is open.
fn pieces(names: &[String], open: usize, columns: usize, glyphs: &Glyphs) -> Vec<Piece> {
    // A name from outside may be longer than the row; with it, both numbers of what is not shown have room.
    let longest = columns.saturating_sub(12).max(8);
    let texts: Vec<String> = names.iter().map(|name| format!(" {} ", cut_middle(name, longest, glyphs))).collect();
    let more = |number: usize| Piece { tab: None, text: format!(" +{number} ") };
    let from = |begin: usize| {
        let mut pieces: Vec<Piece> = (begin > 0).then(|| more(begin)).into_iter().collect();
        let mut taken: usize = pieces.iter().map(|piece| width(&piece.text)).sum();
        for (place, text) in texts.iter().enumerate().skip(begin) {
            let after = texts.len() - place - 1;
            let rest = if after > 0 { width(&more(after).text) } else { 0 };
            if taken + width(text) + rest > columns && place > begin {
                pieces.push(more(after + 1));
                break;
            }
            taken += width(text);
            pieces.push(Piece { tab: Some(place), text: text.clone() });
        }
        pieces
    };
    let shows = |pieces: &Vec<Piece>| pieces.iter().any(|piece| piece.tab == Some(open));
    (0..texts.len()).map(from).find(shows).unwrap_or_default()
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, names: &[String], open: usize) {
    let theme = &app.look.theme;
    let columns = usize::from(area.width);
    let mut spans = Vec::new();
    let mut taken = 0;
    for piece in pieces(names, open, columns, &app.look.glyphs) {
        taken += width(&piece.text);
        let is_open = piece.tab == Some(open);
        spans.push(Span::styled(piece.text, if is_open { theme.accent.patch(theme.selected) } else { theme.dim }));
    }
    let keys = [Command::FormerPlatform, Command::NextPlatform].map(|command| super::key(app, command)).join(" ");
    let hint = format!("{keys} platform ");
    if names.len() > 1 && taken + 2 + width(&hint) <= columns {
        spans.push(Span::raw(" ".repeat(columns - taken - width(&hint))));
        spans.push(Span::styled(hint, theme.dim));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// The tab that is in this column of the row.
pub(super) fn at(glyphs: &Glyphs, names: &[String], open: usize, columns: u16, column: u16) -> Option<usize> {
    let mut end = 0;
    pieces(names, open, usize::from(columns), glyphs).into_iter().find_map(|piece| {
        end += width(&piece.text);
        (usize::from(column) < end).then_some(piece.tab)
    })?
}

#[cfg(test)]
mod tests {
    use super::super::super::glyphs::UNICODE;
    use super::*;

    fn row(names: &[String], open: usize, columns: usize) -> String {
        pieces(names, open, columns, &UNICODE).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn the_open_tab_is_in_sight_and_what_is_not_is_counted() {
        let names = ["linux/386", "linux/amd64", "linux/arm64", "linux/s390x"].map(str::to_owned);
        assert_eq!(row(&names, 3, 60), " linux/386  linux/amd64  linux/arm64  linux/s390x ");
        assert_eq!(row(&names, 0, 40), " linux/386  linux/amd64  +2 ");
        assert_eq!(row(&names, 2, 34), " +1  linux/amd64  linux/arm64  +1 ");
        assert_eq!(row(&names, 2, 32), " +2  linux/arm64  linux/s390x ");
        assert_eq!(at(&UNICODE, &names, 0, 40, 12), Some(1));
        assert_eq!(at(&UNICODE, &names, 0, 40, 27), None);
    }

    proptest::proptest! {
        #[test]
        fn every_open_tab_is_shown(many in 1usize..40, open in 0usize..40, columns in 24usize..200) {
            let names: Vec<String> = (0..many).map(|number| format!("linux/arm/v{number}")).collect();
            let open = open.min(many - 1);
            let shown = pieces(&names, open, columns, &UNICODE);
            let taken: usize = shown.iter().map(|piece| width(&piece.text)).sum();
            proptest::prop_assert!(taken <= columns, "{taken} of {columns}");
            proptest::prop_assert!(shown.iter().any(|piece| piece.tab == Some(open)));
            let hidden: usize = shown.iter().filter(|piece| piece.tab.is_none())
                .filter_map(|piece| piece.text.trim().strip_prefix('+')?.parse::<usize>().ok()).sum();
            proptest::prop_assert_eq!(shown.iter().filter(|piece| piece.tab.is_some()).count() + hidden, many);
        }
    }
}
