//! Forms: a field a row, what is wrong or what belongs into the one with the cursor, and the keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::super::app::{App, Look};
use super::super::cells::{cut, left, wrap};
use super::super::dialog::flag_form::{FlagForm, Subject};
use super::super::dialog::form::{self, Form};
use super::super::text_field::TextField;
use super::dialogs::{field, keys_line, middle};
use super::frame::pane;

/// Columns of the labels of a form.
const LABEL_COLUMNS: usize = 15;
/// Rows for what is said below the fields at least, so that the form does not jump.
const MIN_WORDS_ROWS: usize = 3;

/// A field as it is drawn.
struct Row<'f> {
    /// Its number in the form.
    place: usize,
    label: &'static str,
    text: &'f TextField,
    /// What it means while it is empty.
    otherwise: &'static str,
    hint: &'static str,
    /// What it takes, where that is one of these: from the one that it is on.
    choices: Vec<&'static str>,
}

/// A form as it is drawn.
pub(super) struct FormView<'f> {
    title: String,
    rows: Vec<Row<'f>>,
    focus: usize,
    /// In which field something is wrong, and what.
    mistake: Option<(usize, &'f str)>,
    /// The command line that does the same.
    command: Option<String>,
    pub(super) keys: &'static [(&'static str, &'static str)],
}

impl<'f> FormView<'f> {
    pub(super) fn of_target(filled: &'f Form) -> Self {
        let row = |(place, field): (usize, &'f form::Field)| Row {
            place,
            label: form::label(field.setting),
            text: &field.text,
            otherwise: form::otherwise(field.setting),
            hint: filled.hint(field.setting),
            choices: form::offered(field.setting, field.text.value()),
        };
        let at = |setting| filled.fields.iter().position(|field| field.setting == setting);
        Self {
            title: filled.target.as_ref().map_or_else(|| "New target".to_owned(), |name| format!("Target {name}")),
            rows: filled.shown().map(row).collect(),
            focus: filled.focus,
            mistake: filled.mistake.as_ref().and_then(|mistake| Some((at(mistake.setting)?, mistake.text.as_str()))),
            command: None,
            keys: if filled.has_choices() {
                &[("enter", "save"), ("ctrl-t", "save and test"), ("right", "next choice"), ("esc", "close")]
            } else {
                &[("enter", "save"), ("ctrl-t", "save and test"), ("tab", "next field"), ("esc", "close")]
            },
        }
    }

    pub(super) fn of_flags(filled: &'f FlagForm) -> Self {
        let (title, keys): (_, &'static [_]) = match filled.subject {
            Subject::Serve => ("Serve the registry", &[("enter", "start"), ("tab", "next field"), ("esc", "close")]),
            Subject::Follow => {
                ("Follow a published registry", &[("enter", "follow"), ("tab", "next field"), ("esc", "close")])
            }
        };
        let rows = filled.shown().map(|(place, field)| Row {
            place,
            label: field.spec.label,
            text: &field.text,
            otherwise: field.spec.otherwise,
            hint: field.spec.hint,
            choices: Vec::new(),
        });
        Self {
            title: title.to_owned(),
            rows: rows.collect(),
            focus: filled.focus,
            mistake: filled.mistake.as_ref().map(|(place, text)| (*place, text.as_str())),
            command: Some(filled.command_line()),
            keys,
        }
    }

    /// The field in a line of the form, as it is placed.
    pub(super) fn field_at(&self, line: usize) -> Option<usize> {
        self.rows.get(line).map(|row| row.place)
    }

    /// What is said below the fields.
    fn words(&self, look: &Look, columns: usize) -> Vec<Line<'static>> {
        let row = |place: usize| self.rows.iter().find(|row| row.place == place);
        let (text, style) = match (self.mistake, row(self.focus)) {
            (Some((place, text)), _) => {
                (format!("{}: {text}", row(place).map_or("", |row| row.label)), look.theme.danger)
            }
            // What the field means while it is empty is not seen where the cursor is.
            (None, Some(row)) if self.command.is_some() && !row.otherwise.is_empty() => {
                (format!("{}; empty: {}", row.hint, row.otherwise), look.theme.dim)
            }
            (None, Some(row)) => (row.hint.to_owned(), look.theme.dim),
            (None, None) => return Vec::new(),
        };
        let mut lines: Vec<Line<'_>> = wrap(&text, columns).into_iter().map(|row| Line::styled(row, style)).collect();
        if let Some(row) = row(self.focus).filter(|row| !row.choices.is_empty()) {
            lines.push(Line::styled(cut(&row.choices.join("  "), columns, &look.glyphs), look.theme.name));
        }
        lines
    }

    pub(super) fn place(&self, look: &Look, area: Rect) -> FormPlace {
        let columns = usize::from(middle(area, 0).width).saturating_sub(4);
        let mut below = self.words(look, columns);
        let mut room = below.len().max(MIN_WORDS_ROWS);
        if let Some(command) = &self.command {
            // In the last row, whatever is said above.
            below.resize(room, Line::raw(""));
            below.push(Line::styled(cut(command, columns, &look.glyphs), look.theme.dim));
            room += 1;
        }
        let place = middle(area, self.rows.len() + room);
        let height = usize::from(place.height.saturating_sub(2)).saturating_sub(room + 1).max(1);
        let cursor = self.rows.iter().position(|row| row.place == self.focus).unwrap_or(0);
        FormPlace { place, height, top: cursor.saturating_sub(height - 1), room, below }
    }
}

/// Where a form is, and what of it is shown.
pub(super) struct FormPlace {
    pub(super) place: Rect,
    pub(super) height: usize,
    /// The first field that is shown.
    pub(super) top: usize,
    /// Rows of what is said below them.
    room: usize,
    below: Vec<Line<'static>>,
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, filled: &FormView<'_>) {
    let look = &app.look;
    let columns = usize::from(middle(area, 0).width).saturating_sub(4);
    let FormPlace { place, height, top, room, below } = filled.place(look, area);
    frame.render_widget(Clear, place);
    let title = format!(" {} ", filled.title);
    let mut block =
        pane(look, Line::styled(cut(&title, columns, &look.glyphs), look.theme.title)).border_style(look.theme.accent);
    if filled.rows.len() > height {
        let words = format!(" {} of {} fields ", height.min(filled.rows.len()), filled.rows.len());
        block = block.title_top(Line::styled(words, look.theme.dim).right_aligned());
    }
    let inside = block.inner(place);
    frame.render_widget(block, place);
    let line = |y: usize| Rect {
        x: inside.x + 1,
        y: inside.y + u16::try_from(y).unwrap_or(0),
        width: inside.width.saturating_sub(2),
        height: 1,
    };
    let mut focused = None;
    for (number, row) in filled.rows.iter().skip(top).take(height).enumerate() {
        let name = left(row.label, LABEL_COLUMNS, &look.glyphs);
        if row.place == filled.focus {
            focused = Some((line(number), name, row.text));
            continue;
        }
        let wrong = filled.mistake.is_some_and(|(place, _)| place == row.place);
        let style = if wrong { look.theme.danger } else { look.theme.dim };
        let value = cut(row.text.value(), columns.saturating_sub(LABEL_COLUMNS), &look.glyphs);
        let value = match (value.as_str(), row.otherwise) {
            ("", otherwise) if !otherwise.is_empty() => Span::styled(format!("({otherwise})"), look.theme.dim),
            _ => Span::raw(value),
        };
        frame.render_widget(Paragraph::new(Line::from(vec![Span::styled(name, style), value])), line(number));
    }
    // Last, since it places the cursor.
    if let Some((area, name, text)) = focused {
        field(look, frame, area, &name, text);
    }
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let rows = u16::try_from(room).unwrap_or(0).min(inside.height.saturating_sub(1));
    let words =
        Rect { x: inside.x + 1, y: foot.y.saturating_sub(rows), width: inside.width.saturating_sub(2), height: rows };
    frame.render_widget(Paragraph::new(below), words);
    frame.render_widget(Paragraph::new(keys_line(look, filled.keys)), foot);
}
