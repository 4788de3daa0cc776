//! What differs between two images: the marked tag and the one under the cursor, or two that are typed.

use super::app::{App, Tab};
use super::command::Command;
use super::describe;
use super::dialog::Dialog;
use super::effect::Effect;
use super::problem::Problem;
use super::question::Question;
use super::state::images::named;
use super::view::key;
use crate::engine::query::comparison::ImageDifference;
use crate::engine::request::Pick;
use crate::image::natural;
use crate::text::{count, printable_within};

/// Two images that are compared, by their names: the one before first.
pub type Images = (String, String);

/// Compares the tag that is marked with the one under the cursor, or the two that are marked.
pub(super) fn compare(app: &mut App) -> Vec<Effect> {
    let mut marked = app.images.tags.marks.names();
    let under = app.images.tags.window.current().map(named);
    let mark = key(app, Command::Mark);
    let sides = match (marked.len(), under) {
        (1, Some(under)) if marked[0] != under => (marked.remove(0), under),
        (2, _) => {
            // As tags are listed: the lower version is the one before.
            marked.sort_by(|one, other| natural::compare(one, other));
            (marked.remove(0), marked.remove(0))
        }
        (0 | 1, _) => {
            app.hint(format!("To compare two tags, mark one ({mark}) and move to the other one"));
            return Vec::new();
        }
        (many, _) => {
            let words = count(many as u64, "tag is", "tags are");
            app.hint(format!("{words} marked: to compare two, mark one or two ({mark})"));
            return Vec::new();
        }
    };
    ask(app, sides)
}

/// Compares what was typed behind `:diff`, where two images are named and nothing else.
pub(super) fn typed(app: &mut App, words: &[String]) -> Option<Vec<Effect>> {
    let [before, after] = words else { return None };
    let is_image =
        |text: &String| text.contains([':', '@', '/']) && !text.starts_with(['-', '/']) && text.parse::<Pick>().is_ok();
    if !is_image(before) || !is_image(after) {
        return None;
    }
    Some(ask(app, (before.clone(), after.clone())))
}

fn ask(app: &mut App, sides: Images) -> Vec<Effect> {
    app.hint(format!("Comparing{}", app.look.glyphs.waiting));
    app.images.comparing = Some(sides.clone());
    let ticket = app.ticket();
    vec![Effect::Ask(ticket, Question::Comparison(sides))]
}

/// Shows what differs, if that is still waited for.
pub(super) fn answered(app: &mut App, sides: &Images, compared: Result<Box<ImageDifference>, Problem>) {
    if app.images.comparing.take_if(|comparing| comparing == sides).is_none() {
        return;
    }
    app.toast = None;
    if !app.dialogs.is_empty() || app.tab != Tab::Images {
        return;
    }
    match compared {
        Ok(difference) => {
            let arrow = app.look.glyphs.arrow;
            let (before, after) = (&difference.before.image, &difference.after.image);
            // Of two tags of one repository the second one is enough.
            let repository = |image: &str| image.split_once(['@', ':']).map_or(0, |(name, _)| name.len());
            let same = before[..repository(before)] == after[..repository(after)];
            let after = if same { after[repository(after)..].trim_start_matches(':') } else { after };
            let title = format!("{} {arrow} {}", printable_within(before, 200), printable_within(after, 200));
            let rows = describe::comparison(&difference, arrow);
            app.dialogs.push(Dialog::Message { title, rows, scroll: 0 });
        }
        Err(problem) => app.complain(problem),
    }
}
