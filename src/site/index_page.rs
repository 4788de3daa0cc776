//! The pages that list repositories.

use std::fmt::Write as _;

use super::html::{self, Page, Text};
use super::{File, Head, IndexRow, Listing, Totals, commands, paths, scripts, version1};
use crate::text::{bytes, count};

/// Most platforms that a row names.
const MAX_NAMED_PLATFORMS: usize = 5;

/// The root's `index.html`: what the registry is, and every repository, or the pages they are on.
pub fn index_page(head: &Head, totals: &Totals, listing: &Listing<'_, IndexRow>) -> File {
    if head.site_version < 2 {
        return version1::index_page(head, listing);
    }
    let title = head.name.as_deref().unwrap_or("Container images");
    let mut body = format!("<h1>{}</h1>\n", Text(title));
    if let Some(description) = &head.description {
        let _ = writeln!(body, "<p class=\"lead\">{}</p>", Text(description));
    }
    let _ = write!(
        body,
        "<p class=\"totals\">{} · {} · <span title=\"What repositories share is counted for each.\">{}</span></p>\n\
         <p class=\"root\" hidden>Root <code class=\"id\" data-copy=\"the root\"></code></p>\n",
        count(totals.repositories, "repository", "repositories"),
        match listing {
            Listing::Rows(_) => count(totals.tags, "tag", "tags"),
            Listing::Pages(_) => about(totals.tags),
        },
        bytes(totals.size)
    );
    body.push_str("<details class=\"how\">\n<summary>How to pull</summary>\n");
    commands::clients(&mut body, head, "NAME", "TAG");
    body.push_str(
        "<p class=\"note\">Everything here is plain files under one immutable IPFS root: whoever pins it keeps it available, and \
         nobody can change it. <code>NAME</code> and <code>TAG</code> are those of a repository below.</p>\n</details>\n",
    );
    search(&mut body, matches!(listing, Listing::Pages(_)));
    match listing {
        Listing::Rows([]) => body.push_str("<p>There are no repositories yet.</p>\n"),
        Listing::Rows(rows) => list(&mut body, rows, 0),
        Listing::Pages(pages) => {
            body.push_str("<h2>Repositories</h2>\n<ul class=\"pages\">\n");
            for page in *pages {
                let _ = writeln!(
                    body,
                    "<li><a href=\"{}\">{} – {}</a> <span>{}</span></li>",
                    Text(&paths::repositories_page(&page.key)),
                    Text(&page.first),
                    Text(&page.last),
                    page.count
                );
            }
            body.push_str("</ul>\n");
        }
    }
    let _ = writeln!(
        body,
        "<footer><p>For programs: <a href=\"{}\">catalog.json</a>. Published by Roadstead, site version {}.</p></footer>",
        paths::CATALOG_JSON,
        head.site_version
    );
    let page = Page { title, depth: 0, name: head.name.as_deref(), script: &scripts::LIST, body: &body };
    File { path: paths::INDEX_HTML.to_owned(), bytes: page.bytes() }
}

/// A number of tags with two digits that count. Where the repositories fill several pages, an image more is no reason to write this
/// one again.
fn about(tags: u64) -> String {
    let unit = 10_u64.pow(tags.checked_ilog10().unwrap_or_default().saturating_sub(1));
    match unit {
        1 => count(tags, "tag", "tags"),
        _ => format!("about {} tags", (tags + unit / 2) / unit * unit),
    }
}

/// One page of repositories, where there are too many for one: its key and its rows.
pub fn repositories_page(head: &Head, key: &str, rows: &[IndexRow]) -> File {
    if head.site_version < 2 {
        return version1::repositories_page(key, rows);
    }
    let title = match rows {
        [only] => only.name.to_string(),
        [first, .., last] => format!("{} – {}", first.name, last.name),
        [] => "Repositories".to_owned(),
    };
    let mut body = format!("<h1>{}</h1>\n", Text(&title));
    search(&mut body, false);
    list(&mut body, rows, 1);
    let page = Page { title: &title, depth: 1, name: None, script: &scripts::LIST, body: &body };
    File { path: paths::repositories_page(key), bytes: page.bytes() }
}

/// Where a script searches, as it does nothing without one.
fn search(body: &mut String, pages: bool) {
    let _ = write!(
        body,
        "<div class=\"search\" role=\"search\" hidden>\n<label for=\"search\">Search</label>\n\
         <input type=\"search\" id=\"search\"{} autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\" \
         placeholder=\"Parts of a name\">\n<p class=\"note\" id=\"found\" role=\"status\"></p>\n\
         <ul class=\"pages\" id=\"results\"></ul>\n</div>\n",
        if pages { " data-all" } else { "" }
    );
}

/// Repositories by the registry that they are from, in the order of its name. Those from files come last.
fn list(body: &mut String, rows: &[IndexRow], depth: usize) {
    let mut sorted: Vec<&IndexRow> = rows.iter().collect();
    sorted.sort_by(|one, other| {
        let key = |row: &IndexRow| (row.registry.is_none(), row.registry.clone());
        key(one).cmp(&key(other)).then_with(|| one.name.cmp(&other.name))
    });
    body.push_str(
        "<table class=\"repositories\">\n<thead><tr><th scope=\"col\">Repository</th><th scope=\"col\">Newest</th>\
         <th scope=\"col\">Tags</th><th scope=\"col\">Platforms</th><th scope=\"col\">Size</th></tr></thead>\n",
    );
    for group in sorted.chunk_by(|one, other| one.registry == other.registry) {
        let registry = group.first().and_then(|row| row.registry.as_deref()).unwrap_or("From files");
        let _ = writeln!(
            body,
            "<tbody>\n<tr class=\"group\"><th colspan=\"5\" scope=\"rowgroup\">{}</th></tr>",
            Text(registry)
        );
        for row in group {
            repository(body, row, depth);
        }
        body.push_str("</tbody>\n");
    }
    body.push_str("</table>\n");
}

fn repository(body: &mut String, row: &IndexRow, depth: usize) {
    let name = Text(row.name.as_str());
    let _ =
        write!(body, "<tr data-name=\"{name}\"><th scope=\"row\"><a href=\"{}\">{name}</a>", Text(&row.href(depth)));
    if let Some(alias) = &row.alias {
        let _ = write!(body, " <span class=\"also\">also {}</span>", Text(alias.as_str()));
    }
    if let Some(description) = &row.description {
        let _ = write!(body, "<span class=\"about\">{}</span>", Text(description));
    }
    let newest = row.newest.as_ref().map_or("", |tag| tag.as_str());
    let _ = writeln!(
        body,
        "</th><td>{}</td><td data-label=\"{}\">{}</td><td>{}</td><td>{}</td></tr>",
        Text(newest),
        if row.tags == 1 { "tag" } else { "tags" },
        row.tags,
        html::platforms(row.platforms.iter().map(String::as_str), MAX_NAMED_PLATFORMS),
        bytes(row.size)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tags_are_told_roughly() {
        for (tags, told) in [
            (0, "0 tags"),
            (1, "1 tag"),
            (99, "99 tags"),
            (104, "about 100 tags"),
            (9_960, "about 10000 tags"),
            (10_001, "about 10000 tags"),
            (123_456, "about 120000 tags"),
        ] {
            assert_eq!(about(tags), told);
        }
    }
}
