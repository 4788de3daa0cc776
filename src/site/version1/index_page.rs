//! The pages that list repositories.

use std::fmt::Write as _;

use super::html;
use crate::site::html::{Text, list as named};
use crate::site::{File, Head, IndexRow, Listing, paths};
use crate::text::count;

/// Most platforms that a row names.
const MAX_NAMED_PLATFORMS: usize = 8;

/// The root's `index.html`: every repository, or the pages they are on.
pub(in crate::site) fn index_page(head: &Head, listing: &Listing<'_, IndexRow>) -> File {
    let host = head.host();
    let mut body = format!("<h1>{}</h1>\n", Text(head.name.as_deref().unwrap_or("Container images")));
    let _ = write!(
        body,
        "<p>Everything here is plain files under one immutable IPFS root: whoever pins it keeps it available, and nobody can \
         change it. Pull by name:</p>\n<pre><code>podman pull {host}/NAME:TAG</code></pre>\n",
        host = Text(host)
    );
    if head.name.is_none() {
        body.push_str(
            "<p class=\"note\"><code>HOST</code> is where this page comes from: the registry has not been given a name of its own.</p>\n",
        );
    }
    body.push_str("<h2>Repositories</h2>\n");
    match listing {
        Listing::Rows([]) => body.push_str("<p>There are none yet.</p>\n"),
        Listing::Rows(rows) => list(&mut body, rows, 0),
        Listing::Pages(pages) => {
            body.push_str("<ul class=\"rows\">\n");
            for page in *pages {
                let _ = writeln!(
                    body,
                    "<li><a href=\"{}\">{} – {}</a></li>",
                    Text(&paths::repositories_page(&page.key)),
                    Text(&page.first),
                    Text(&page.last)
                );
            }
            body.push_str("</ul>\n");
        }
    }
    let _ = writeln!(
        body,
        "<footer><p>For programs: <a href=\"{}\">catalog.json</a>. Published by Roadstead, site version {}.</p></footer>",
        paths::CATALOG_JSON,
        super::SITE_VERSION
    );
    File {
        path: paths::INDEX_HTML.to_owned(),
        bytes: html::page(head.name.as_deref().unwrap_or("Container images"), 0, &body),
    }
}

/// One page of repositories, where there are too many for one: its key and its rows.
pub(in crate::site) fn repositories_page(key: &str, rows: &[IndexRow]) -> File {
    let title = match rows {
        [only] => only.name.to_string(),
        [first, .., last] => format!("{} – {}", first.name, last.name),
        [] => "Repositories".to_owned(),
    };
    let mut body = format!("<h1>{}</h1>\n", Text(&title));
    list(&mut body, rows, 1);
    File { path: paths::repositories_page(key), bytes: html::page(&title, 1, &body) }
}

fn list(body: &mut String, rows: &[IndexRow], depth: usize) {
    body.push_str("<ul class=\"rows\">\n");
    for row in rows {
        let _ = write!(body, "<li><a href=\"{}\">{}</a> <span>", Text(&row.href(depth)), Text(row.name.as_str()));
        if let Some(alias) = &row.alias {
            let _ = write!(body, "also {} · ", Text(alias.as_str()));
        }
        body.push_str(&count(row.tags, "tag", "tags"));
        if !row.platforms.is_empty() {
            let _ = write!(body, " · {}", named(&row.platforms, MAX_NAMED_PLATFORMS));
        }
        body.push_str("</span></li>\n");
    }
    body.push_str("</ul>\n");
}
