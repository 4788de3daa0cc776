//! The form of a rule, with what it would take beside it, or below where there is no room beside.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::super::app::{App, Look};
use super::super::cells::{cut, left, width, wrap};
use super::super::dialog::rule_form::{Field, RuleForm};
use super::super::rule_text::Setting;
use super::dialogs::{field, keys_line, style};
use super::frame::pane;

/// Columns of the labels: the keys of a rule file.
const LABEL_COLUMNS: usize = 12;
/// Columns of the screen from which the preview is beside the fields.
const MIN_BESIDE_COLUMNS: u16 = 110;
/// Rows of fields where the preview is below them.
const NARROW_FIELD_ROWS: usize = 7;
/// Rows for what belongs into a field, or is wrong.
const HINT_ROWS: u16 = 3;

/// The keys of the form.
const KEYS: [(&str, &str); 4] = [("enter", "save"), ("esc", "close"), ("tab", "next field"), ("page-down", "scroll")];
/// Columns for how many fields are below those that are shown.
const MORE_COLUMNS: usize = 12;

/// The keys of the form that fit into so many columns.
pub(super) fn keys(columns: usize) -> &'static [(&'static str, &'static str)] {
    let taken = |keys: &[(&str, &str)]| keys.iter().map(|(key, what)| width(key) + width(what) + 4).sum::<usize>();
    let most = (1..=KEYS.len()).rev().find(|number| taken(&KEYS[..*number]) + MORE_COLUMNS <= columns);
    &KEYS[..most.unwrap_or(1)]
}

/// Where everything is.
pub(super) struct Shape {
    pub(super) place: Rect,
    /// The fields that are shown.
    pub(super) fields: Rect,
    /// The first field that is shown.
    pub(super) top: usize,
    hint: Rect,
    preview: Rect,
}

impl Shape {
    pub(super) fn of(filled: &RuleForm, area: Rect) -> Self {
        let all = filled.shown().count();
        let (height, width) = (area.height.saturating_sub(3).max(5).min(area.height), area.width.saturating_sub(4));
        let wanted = u16::try_from(all).unwrap_or(u16::MAX).saturating_add(HINT_ROWS + 5);
        let beside = area.width >= MIN_BESIDE_COLUMNS;
        let height = if beside { height.min(wanted.max(24)) } else { height };
        let place = Rect {
            x: area.x + (area.width - width) / 2,
            y: area.y + area.height.saturating_sub(height).div_ceil(2).min(1),
            width,
            height,
        };
        let inside = Rect {
            x: place.x + 2,
            y: place.y + 1,
            width: place.width.saturating_sub(4),
            height: place.height.saturating_sub(3),
        };
        let (fields, hint, preview) = if beside {
            let columns = inside.width * 11 / 20;
            let rows = inside.height.saturating_sub(HINT_ROWS + 1);
            let fields = Rect { width: columns, height: rows, ..inside };
            let hint = Rect { y: inside.y + rows + 1, width: columns, height: HINT_ROWS, ..inside };
            let preview = Rect { x: inside.x + columns + 2, width: inside.width.saturating_sub(columns + 2), ..inside };
            (fields, hint, preview)
        } else {
            let rows = u16::try_from(NARROW_FIELD_ROWS.min(all)).unwrap_or(1).min(inside.height / 2);
            let fields = Rect { height: rows, ..inside };
            let hint = Rect { y: inside.y + rows, height: HINT_ROWS.min(inside.height.saturating_sub(rows)), ..inside };
            let used = rows + HINT_ROWS + 1;
            let preview = Rect { y: inside.y + used, height: inside.height.saturating_sub(used), ..inside };
            (fields, hint, preview)
        };
        let cursor = filled.shown().position(|(place, _)| place == filled.focus).unwrap_or(0);
        let top = cursor.saturating_sub(usize::from(fields.height.max(1)) - 1);
        Self { place, fields, top, hint, preview }
    }
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, filled: &RuleForm) {
    let look = &app.look;
    let shape = Shape::of(filled, area);
    frame.render_widget(Clear, shape.place);
    let title = filled.old.as_ref().map_or_else(|| "New rule".to_owned(), |rule| format!("Rule {}", rule.name));
    let title = cut(&title, usize::from(shape.place.width).saturating_sub(6), &look.glyphs);
    let block = pane(look, Line::styled(format!(" {title} "), look.theme.title)).border_style(look.theme.accent);
    let inside = block.inner(shape.place);
    frame.render_widget(block, shape.place);
    preview(look, frame, shape.preview, filled);
    hint(look, frame, shape.hint, filled);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    let all = filled.shown().count();
    let left = all.saturating_sub(shape.top + usize::from(shape.fields.height));
    let words = if left > 0 { format!("{left} more {}", look.glyphs.down) } else { String::new() };
    let columns = u16::try_from(width(&words)).unwrap_or(0).min(foot.width);
    frame.render_widget(Paragraph::new(keys_line(look, keys(usize::from(foot.width)))), foot);
    let at = Rect { x: foot.right().saturating_sub(columns + 1), width: columns, ..foot };
    frame.render_widget(Paragraph::new(Span::styled(words, look.theme.dim)), at);
    fields(look, frame, &shape, filled);
}

fn fields(look: &Look, frame: &mut Frame<'_>, shape: &Shape, filled: &RuleForm) {
    let columns = usize::from(shape.fields.width);
    let shown: Vec<(usize, &Field)> = filled.shown().collect();
    let mut focused = None;
    for (line, (place, of)) in shown.iter().skip(shape.top).take(usize::from(shape.fields.height)).enumerate() {
        let row = Rect { y: shape.fields.y + u16::try_from(line).unwrap_or(0), height: 1, ..shape.fields };
        let name = left(of.setting.key(), LABEL_COLUMNS, &look.glyphs);
        if *place == filled.focus {
            focused = Some((row, name, &of.text));
            continue;
        }
        let wrong = filled.mistake().is_some_and(|mistake| mistake.setting == of.setting);
        let style = if wrong { look.theme.danger } else { look.theme.dim };
        let value = cut(of.text.value(), columns.saturating_sub(LABEL_COLUMNS), &look.glyphs);
        let value = match (value.as_str(), of.setting.otherwise()) {
            ("", otherwise) if !otherwise.is_empty() => Span::styled(format!("({otherwise})"), look.theme.dim),
            _ => Span::raw(value),
        };
        frame.render_widget(Paragraph::new(Line::from(vec![Span::styled(name, style), value])), row);
    }
    // Last, since it places the cursor.
    if let Some((area, name, text)) = focused {
        field(look, frame, area, &name, text);
    }
}

fn hint(look: &Look, frame: &mut Frame<'_>, area: Rect, filled: &RuleForm) {
    let here = filled.fields.get(filled.focus).map_or(Setting::Name, |field| field.setting);
    let (text, style) = match filled.mistake() {
        _ if filled.refusal.is_some() => (filled.refusal.clone().unwrap_or_default(), look.theme.danger),
        Some(mistake) => (format!("{}: {}", mistake.setting.key(), mistake.text), look.theme.danger),
        None => (here.hint().to_owned(), look.theme.dim),
    };
    let lines: Vec<Line<'_>> =
        wrap(&text, usize::from(area.width)).into_iter().map(|row| Line::styled(row, style)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn preview(look: &Look, frame: &mut Frame<'_>, area: Rect, filled: &RuleForm) {
    let columns = usize::from(area.width);
    // What is said of all of them is read whole; each tag stays in its line.
    let head = filled.preview.head.iter().flat_map(|(role, text)| {
        let rows = wrap(text, columns).into_iter();
        rows.map(|row| Line::styled(row, style(look, *role))).collect::<Vec<_>>()
    });
    let tags = filled.preview.tags.iter();
    let tags = tags.map(|(role, text)| Line::styled(cut(text, columns, &look.glyphs), style(look, *role)));
    let lines: Vec<Line<'_>> = head.chain(tags).collect();
    let end = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(area.height);
    frame.render_widget(Paragraph::new(lines).scroll((filled.scroll.min(end), 0)), area);
}
