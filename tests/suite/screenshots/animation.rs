//! A moving picture of the interface: frames of the real screen, one after the other by the rules of a style sheet, without a
//! script. A row is in it once for as long as it stays the same, so that the picture stays small.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::picture::{self, Inks, MARGIN, SIZE, paper};
use crate::terminal::Terminal;

/// The largest that the picture may be in bytes: a page loads it before anything else.
const MAX_BYTES: usize = 300 << 10;
/// Pixels below the screen, for what is done.
const CAPTION: f64 = 30.0;
/// The frame that stands still for who wants no motion.
const STILL: usize = 5;

/// Frames so far.
#[derive(Default)]
struct Frames {
    inks: Inks,
    /// Rows of each, then what is done there.
    screens: Vec<Vec<String>>,
    /// How long each is shown, in tenths of a second.
    tenths: Vec<u32>,
}

impl Frames {
    /// Adds the screen as it is, for so many tenths of a second.
    fn take(&mut self, terminal: &Terminal, tenths: u32, caption: &str) {
        let (on, inks) = (paper(), &mut self.inks);
        let mut rows: Vec<String> =
            terminal.look(|screen| (0..SIZE.1).map(|row| picture::row(&on, inks, screen, row)).collect());
        let y = MARGIN + f64::from(SIZE.1) * 17.0 + 22.0;
        rows.push(format!("<text x=\"24\" y=\"{y}\" class=\"w\">{caption}</text>"));
        self.screens.push(rows);
        self.tenths.push(tenths);
    }

    /// Rows with the frames that each is in: from this one on, up to that one without it.
    fn pieces(&self) -> BTreeMap<(usize, usize), String> {
        let mut pieces = BTreeMap::<(usize, usize), String>::new();
        let rows = self.screens.first().map_or(0, Vec::len);
        for row in 0..rows {
            let mut from = 0;
            while let Some(shown) = self.screens.get(from).map(|frame| &frame[row]) {
                let same = self.screens[from..].iter().take_while(|frame| frame[row] == *shown).count();
                let piece = pieces.entry((from, from + same)).or_default();
                if !shown.is_empty() {
                    piece.push_str(shown);
                    piece.push('\n');
                }
                from += same;
            }
        }
        pieces.retain(|_, piece| !piece.is_empty());
        pieces
    }

    fn picture(&self, title: &str) -> String {
        let (on, all) = (paper(), f64::from(self.tenths.iter().sum::<u32>()));
        let share = |frame: usize| f64::from(self.tenths[..frame].iter().sum::<u32>()) * 100.0 / all;
        let seconds = all / 10.0;
        let mut rules = format!(
            "{}.w{{fill:{};opacity:.75}}.k{{visibility:hidden;animation:{seconds}s step-end infinite}}.s{{visibility:visible}}",
            self.inks.rules(),
            on.text
        );
        let mut content = String::new();
        for ((from, to), piece) in self.pieces() {
            if (from, to) == (0, self.screens.len()) {
                content.push_str(&piece);
                continue;
            }
            let name = format!("k{from}-{to}");
            let first = if from == 0 { "visible" } else { "hidden" };
            let _ = write!(rules, ".{name}{{animation-name:{name}}}@keyframes {name}{{0%{{visibility:{first}}}");
            if from > 0 {
                let _ = write!(rules, "{:.2}%{{visibility:visible}}", share(from));
            }
            let ends = if to < self.screens.len() { share(to) } else { 100.0 };
            let _ = write!(rules, "{ends:.2}%{{visibility:hidden}}}}");
            let still = if (from..to).contains(&STILL) { " s" } else { "" };
            let _ = write!(content, "<g class=\"k {name}{still}\">\n{piece}</g>\n");
        }
        rules.push_str("@media (prefers-reduced-motion:reduce){.k{animation:none}}");
        picture::document(&on, title, &rules, &content, CAPTION)
    }
}

/// From the list of images, which is shown, into an image and the files of its layers, and to a publication.
pub(super) fn take(terminal: &mut Terminal) -> String {
    let mut frames = Frames::default();
    terminal.see("prometheus/prometheus");
    terminal.see("2026.11.1");
    frames.take(terminal, 25, "Everything that is mirrored, by repository");
    terminal.send("\r");
    terminal.see(" acme/shop:2026.11.1 ");
    frames.take(terminal, 14, "enter: the tags of a repository, and the image under the cursor");
    terminal.send("j");
    terminal.wait("the other tag", |screen| selected(screen).is_some_and(|row| row.contains("2026.11.2")));
    terminal.see(" acme/shop:2026.11.2 ");
    frames.take(terminal, 10, "j: the next one");
    terminal.send("\r");
    terminal.see("enter fold");
    frames.take(terminal, 22, "enter: its platforms, its layers, and what made them");
    terminal.send("f");
    terminal.see("most wasted");
    frames.take(terminal, 20, "f: its files, as the last layer leaves them");
    terminal.send("c");
    terminal.see("· only changes");
    super::take(terminal, "files", "packages.db Layer");
    frames.take(terminal, 26, "c: only what the layer adds, changes and deletes");
    terminal.send("[");
    terminal.see("Layer 2 ");
    frames.take(terminal, 14, "[: layer by layer");
    terminal.send("\x1b");
    terminal.wait("the image", |screen| !screen.contents().contains("only changes"));
    terminal.send("\x1b");
    terminal.wait("the tags", |screen| !screen.contents().contains("enter fold"));
    terminal.send("\x1b");
    terminal.see("prometheus/prometheus");
    terminal.send("p");
    terminal.see("sends ");
    super::take(terminal, "plan", "acme/shop");
    frames.take(terminal, 30, "p: what a publication changes and sends, target by target");
    terminal.send("\r");
    terminal.send("3");
    terminal.wait("the publication", |screen| {
        let text = screen.contents();
        text.contains("History 4 ") && text.contains("current") && !text.contains("under way")
    });
    frames.take(terminal, 30, "enter: published. Every target, its names, and every root that can come back");
    let svg = frames.picture("roadstead: from the list of images to a publication");
    assert!(svg.len() <= MAX_BYTES, "the moving picture has {} bytes", svg.len());
    assert!(STILL < frames.screens.len());
    svg
}

/// The row under the cursor.
fn selected(screen: &vt100::Screen) -> Option<String> {
    screen.rows(0, SIZE.0).find(|row| row.contains("│›"))
}
