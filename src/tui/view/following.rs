//! Whom the catalog follows, in full: how far it is, who gives it out, and which keys change that.

use super::super::app::App;
use super::super::describe::{self, Role, Row};
use super::publish::how_to_serve;
use super::{own_node, target};
use crate::engine::own_node::report;
use crate::text::printable_within;

/// Columns of the name in the title.
const NAME_COLUMNS: usize = 70;

pub(super) fn title(app: &App) -> String {
    let name = app.follow_state.name().unwrap_or_else(|| "nothing".to_owned());
    format!("Follows {}", printable_within(&name, NAME_COLUMNS))
}

/// All of it, with tables of so many columns.
pub(super) fn rows(app: &App, columns: usize) -> Vec<Row> {
    let Some(following) = &app.follow_state.following else {
        return vec![(Role::Dim, "This catalog follows nothing.".to_owned())];
    };
    let mut rows = describe::following(following, app.wall.as_second());
    if app.follow_state.looking.is_some() {
        rows.push((Role::Name, format!("{:<9} at the name", "looking")));
    }
    let serving = &app.follow_state.serving;
    rows.extend(report::served(serving, &how_to_serve(app)).iter().map(describe::fact));
    let newest = following.newest.or(following.root).map(|root| root.to_string());
    if !serving.is_empty() {
        rows.extend(own_node::of_others(app, serving, newest.as_deref(), columns));
    }
    target::fitted(app, &rows, columns)
}

/// The keys of the page.
pub(super) fn keys(app: &App) -> Vec<(&'static str, String)> {
    let changing = [("c", "look now"), ("e", "edit"), ("x", "stop following")];
    let changing = changing.into_iter().filter(|_| app.read_only.is_none());
    let all = changing.chain([("v", "check"), ("esc", "close")]);
    all.map(|(key, what)| (key, what.to_owned())).collect()
}
