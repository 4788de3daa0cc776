//! A screen as SVG: text by runs of cells that look alike, and lines, bars and blocks as shapes, so that they join in any font.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Columns and rows of a picture.
pub(super) const SIZE: (u16, u16) = (120, 32);
/// A cell in pixels.
const CELL: (f64, f64) = (8.4, 17.0);
/// What is left around the screen, in pixels.
pub(super) const MARGIN: f64 = 12.0;
/// How thick a line is in pixels.
const LINE: f64 = 1.2;

/// What a terminal looks like, where the program says nothing of it.
pub(super) struct Paper {
    /// The theme of the program on it.
    pub(super) theme: &'static str,
    pub(super) background: &'static str,
    pub(super) text: &'static str,
    /// The sixteen colours.
    colours: [&'static str; 16],
}

/// A dark one.
const DARK: Paper = Paper {
    theme: "dark",
    background: "#11151c",
    text: "#d5dae3",
    colours: [
        "#11151c", "#e06c75", "#8cc570", "#e0b060", "#6aa7f0", "#c08be0", "#5bbccc", "#d5dae3", "#5c6675", "#f0868e",
        "#a3d98a", "#f0c67a", "#8abcf8", "#d3a6ee", "#7ad3e0", "#ffffff",
    ],
};

/// A light one, with the colours that desktops give out with it.
const LIGHT: Paper = Paper {
    theme: "light",
    background: "#ffffff",
    text: "#1e1e1e",
    colours: [
        "#2e3436", "#cc0000", "#4e9a06", "#c4a000", "#3465a4", "#75507b", "#06989a", "#d3d7cf", "#555753", "#ef2929",
        "#8ae234", "#fce94f", "#729fcf", "#ad7fa8", "#34e2e2", "#eeeeec",
    ],
};

/// The one that is asked for.
pub(super) fn paper() -> Paper {
    match std::env::var("ROADSTEAD_SCREENSHOTS").as_deref() {
        Ok("light") => LIGHT,
        Ok("terminal") => Paper { theme: "terminal", ..DARK },
        Ok("terminal-light") => Paper { theme: "terminal", ..LIGHT },
        _ => DARK,
    }
}

fn colour(paper: &Paper, colour: vt100::Color, otherwise: &str) -> String {
    match colour {
        vt100::Color::Default => otherwise.to_owned(),
        vt100::Color::Idx(index) => {
            paper.colours.get(usize::from(index)).map_or(otherwise, |colour| *colour).to_owned()
        }
        vt100::Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

/// How letters look: colour, bold, dim, underlined.
type Ink = (String, bool, bool, bool);

/// Styles of all letters of a picture, each with the name that its rule has.
#[derive(Default)]
pub(super) struct Inks(BTreeMap<Ink, usize>);

impl Inks {
    fn name(&mut self, ink: Ink) -> String {
        let next = self.0.len();
        format!("i{}", self.0.entry(ink).or_insert(next))
    }

    /// The rules of all styles.
    pub(super) fn rules(&self) -> String {
        let mut rules = String::new();
        for ((colour, bold, dim, underlined), number) in &self.0 {
            let bold = if *bold { ";font-weight:bold" } else { "" };
            let dim = if *dim { ";opacity:.6" } else { "" };
            let underlined = if *underlined { ";text-decoration:underline" } else { "" };
            let _ = write!(rules, ".i{number}{{fill:{colour}{bold}{dim}{underlined}}}");
        }
        rules
    }
}

/// Cells beside each other that look the same: where each is, how wide, and what is in it.
struct Run {
    ink: Ink,
    paper: String,
    cells: Vec<(u16, u16, String)>,
}

fn runs(on: &Paper, screen: &vt100::Screen, row: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..SIZE.0 {
        let Some(cell) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else { continue };
        let (mut ink, mut paper) = (colour(on, cell.fgcolor(), on.text), colour(on, cell.bgcolor(), on.background));
        if cell.inverse() {
            std::mem::swap(&mut ink, &mut paper);
        }
        let ink = (ink, cell.bold(), cell.dim(), cell.underline());
        let columns = if cell.is_wide() { 2 } else { 1 };
        let text = if cell.has_contents() { cell.contents() } else { " " };
        let cell = (column, columns, text.to_owned());
        match runs.last_mut().filter(|run| run.ink == ink && run.paper == paper) {
            Some(run) => run.cells.push(cell),
            None => runs.push(Run { ink, paper, cells: vec![cell] }),
        }
    }
    runs
}

/// A length or place in pixels, as short as it can be written.
fn pixels(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A rectangle as a part of a path.
fn rectangle(path: &mut String, (x, y): (f64, f64), (width, height): (f64, f64)) {
    let (x, y, width, height) = (pixels(x), pixels(y), pixels(width), pixels(height));
    let _ = write!(path, "M{x} {y}h{width}v{height}h-{width}z");
}

/// Which sides of its cell a line reaches: left, right, up, down; and how thick it is.
fn line(letter: &str) -> Option<([bool; 4], f64)> {
    const SIDES: [(&str, [u8; 4]); 15] = [
        ("─", [1, 1, 0, 0]),
        ("│", [0, 0, 1, 1]),
        ("┌", [0, 1, 0, 1]),
        ("┐", [1, 0, 0, 1]),
        ("└", [0, 1, 1, 0]),
        ("┘", [1, 0, 1, 0]),
        ("├", [0, 1, 1, 1]),
        ("┤", [1, 0, 1, 1]),
        ("┬", [1, 1, 0, 1]),
        ("┴", [1, 1, 1, 0]),
        ("┼", [1, 1, 1, 1]),
        ("╭", [0, 1, 0, 1]),
        ("╮", [1, 0, 0, 1]),
        ("╰", [0, 1, 1, 0]),
        ("╯", [1, 0, 1, 0]),
    ];
    if letter == "━" {
        return Some(([true, true, false, false], 3.0 * LINE));
    }
    SIDES.iter().find(|(of, _)| *of == letter).map(|(_, sides)| (sides.map(|side| side == 1), LINE))
}

/// A block as a part of its cell: place and size.
fn block(letter: &str) -> Option<((f64, f64), (f64, f64))> {
    let (width, height) = CELL;
    match letter.chars().next()? {
        '▐' => Some(((width / 2.0, 0.0), (width / 2.0, height))),
        level @ '▁'..='█' => {
            let high = height * f64::from(u32::from(level) - 0x2580) / 8.0;
            Some(((0.0, height - high), (width, high)))
        }
        _ => None,
    }
}

/// The lines and blocks of a run, as one path.
fn shapes(run: &Run, top: f64) -> String {
    let (mut path, mut open) = (String::new(), None::<(f64, f64, f64)>);
    let (width, height) = CELL;
    let close = |path: &mut String, open: &mut Option<(f64, f64, f64)>| {
        if let Some((from, to, thick)) = open.take() {
            rectangle(path, (from, top + (height - thick) / 2.0), (to - from, thick));
        }
    };
    for (column, _, letter) in &run.cells {
        let left = MARGIN + f64::from(*column) * width;
        let middle = left + width / 2.0;
        let Some(([to_left, to_right, up, down], thick)) = line(letter) else {
            close(&mut path, &mut open);
            if let Some(((x, y), size)) = block(letter) {
                rectangle(&mut path, (left + x, top + y), size);
            }
            continue;
        };
        if !to_left || open.is_some_and(|(.., other)| (other - thick).abs() > 0.1) {
            close(&mut path, &mut open);
        }
        if to_left || to_right {
            let from = open.map_or(if to_left { left } else { middle - thick / 2.0 }, |(from, ..)| from);
            let to = if to_right { left + width } else { middle + thick / 2.0 };
            open = Some((from, to, thick));
        }
        if !to_right {
            close(&mut path, &mut open);
        }
        if up || down {
            let from = if up { top } else { top + height / 2.0 };
            let to = if down { top + height } else { top + height / 2.0 };
            rectangle(&mut path, (middle - thick / 2.0, from), (thick, to - from));
        }
    }
    close(&mut path, &mut open);
    path
}

/// The text of a run without lines and blocks, from its first letter to its last.
fn text(run: &Run) -> Option<(u16, u16, String)> {
    let is_letter = |text: &str| !text.trim().is_empty() && line(text).is_none() && block(text).is_none();
    let first = run.cells.iter().position(|(_, _, text)| is_letter(text))?;
    let last = run.cells.iter().rposition(|(_, _, text)| is_letter(text))?;
    let cells = run.cells.get(first..=last)?;
    let letters: String = cells.iter().map(|(_, _, text)| if is_letter(text) { text.as_str() } else { " " }).collect();
    let columns = cells.iter().map(|(_, columns, _)| columns).sum();
    let letters = letters.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Browsers put spaces together.
    Some((run.cells[first].0, columns, letters.replace(' ', "\u{a0}")))
}

/// A row of the screen.
pub(super) fn row(on: &Paper, inks: &mut Inks, screen: &vt100::Screen, row: u16) -> String {
    let (mut svg, top) = (String::new(), MARGIN + f64::from(row) * CELL.1);
    for run in runs(on, screen, row) {
        if run.paper != on.background {
            let first = run.cells.first().map_or(0, |cell| cell.0);
            let columns: u16 = run.cells.iter().map(|cell| cell.1).sum();
            let mut path = String::new();
            let at = (MARGIN + f64::from(first) * CELL.0, top);
            rectangle(&mut path, at, (f64::from(columns) * CELL.0, CELL.1));
            let _ = write!(svg, "<path fill=\"{}\" d=\"{path}\"/>", run.paper);
        }
        let path = shapes(&run, top);
        if !path.is_empty() {
            let name = inks.name(run.ink.clone());
            let _ = write!(svg, "<path class=\"{name}\" d=\"{path}\"/>");
        }
        if let Some((column, columns, letters)) = text(&run) {
            let (x, y) = (pixels(MARGIN + f64::from(column) * CELL.0), pixels(top + 13.0));
            let long = pixels(f64::from(columns) * CELL.0);
            let name = inks.name(run.ink.clone());
            let _ = write!(svg, "<text x=\"{x}\" y=\"{y}\" textLength=\"{long}\" class=\"{name}\">{letters}</text>");
        }
    }
    svg
}

/// A picture with this title, these rules and this in it, and so many pixels below the screen.
pub(super) fn document(on: &Paper, title: &str, rules: &str, content: &str, below: f64) -> String {
    let width = f64::from(SIZE.0) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(SIZE.1) * CELL.1 + 2.0 * MARGIN + below;
    let background = on.background;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>path{{shape-rendering:crispEdges}}text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}}{rules}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{background}\"/>\n{content}</svg>\n"
    )
}

/// A picture of a screen.
pub(super) fn picture(screen: &vt100::Screen, title: &str) -> String {
    let (on, mut inks, mut content) = (paper(), Inks::default(), String::new());
    for number in 0..SIZE.1 {
        let row = row(&on, &mut inks, screen, number);
        if !row.is_empty() {
            content.push_str(&row);
            content.push('\n');
        }
    }
    document(&on, title, &inks.rules(), &content, 0.0)
}

/// Lines reach the edges of their cells, so that they join, and what is not a line stays text.
#[test]
fn lines_are_shapes_that_join() {
    let run = |text: &str| Run {
        ink: Ink::default(),
        paper: String::new(),
        cells: text.chars().enumerate().map(|(column, letter)| (column as u16, 1, letter.to_string())).collect(),
    };
    let corners = "M15.6 8.5h1.2v8.5h-1.2zM15.6 7.9h26.4v1.2h-26.4zM40.8 8.5h1.2v8.5h-1.2z";
    assert_eq!(shapes(&run("┌──┐"), 0.0), corners);
    assert_eq!(text(&run("│ a b│")), Some((2, 3, "a\u{a0}b".to_owned())));
    assert_eq!(text(&run("└─┘ ")), None);
}
