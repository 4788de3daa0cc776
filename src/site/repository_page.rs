//! The page of one repository, and the pages of its tags where they don't fit that one.

use std::fmt::Write as _;

use super::html::{Page, Text};
use super::{
    File, Head, Listing, Neighbours, PageLink, RepositoryRow, TagRow, commands, paths, scripts, tag_rows, version1,
};
use crate::text::count;

/// The page of a repository: where it is from, how to pull it, its newest tags, and the pages on which all are if there are more.
pub fn repository_page(head: &Head, repository: &RepositoryRow, tags: &[TagRow], pages: &[PageLink]) -> File {
    if head.site_version < 2 {
        let listing = if pages.is_empty() { Listing::Rows(tags) } else { Listing::Pages(pages) };
        return version1::repository_page(head, repository, &listing);
    }
    let mut body = format!("<h1>{}</h1>\n", Text(repository.name.as_str()));
    about(&mut body, repository);
    pull(&mut body, head, repository);
    body.push_str(if pages.is_empty() { "<h2>Tags</h2>\n" } else { "<h2>Newest tags</h2>\n" });
    if tags.is_empty() {
        body.push_str("<p>There are none.</p>\n");
    }
    tag_rows::rows(&mut body, head, repository, tags);
    if let [_, rest @ ..] = pages
        && let [next, ..] = rest
    {
        older(&mut body, &next.key);
        body.push_str("<h2>All tags</h2>\n<ol class=\"pages\">\n");
        for page in pages {
            let _ = writeln!(
                body,
                "<li><a href=\"{}\">{} … {}</a> <span>{}</span></li>",
                Text(&paths::tags_page_file(&page.key)),
                Text(&page.first),
                Text(&page.last),
                page.count
            );
        }
        body.push_str("</ol>\n");
    }
    file(paths::repository_page(&repository.name), head, repository, repository.name.as_str(), tags, &body)
}

/// One page of a repository's tags: its key, the pages before and after it, and its tags.
pub fn tags_page(head: &Head, repository: &RepositoryRow, key: &str, neighbours: &Neighbours, tags: &[TagRow]) -> File {
    if head.site_version < 2 {
        return version1::tags_page(repository, key, tags);
    }
    let name = repository.name.as_str();
    let range = match tags {
        [only] => only.name(),
        [first, .., last] => format!("{} … {}", first.name(), last.name()),
        [] => "no tags".to_owned(),
    };
    let mut body = format!("<h1><a href=\"_repository.html\">{}</a></h1>\n<h2>{}</h2>\n", Text(name), Text(&range));
    tag_rows::rows(&mut body, head, repository, tags);
    if let Some(newer) = &neighbours.newer {
        let _ = writeln!(
            body,
            "<p class=\"turn\"><a href=\"{}\" rel=\"prev\">← Newer tags</a></p>",
            Text(&paths::tags_page_file(newer))
        );
    }
    if let Some(key) = &neighbours.older {
        older(&mut body, key);
    }
    file(paths::tags_page(&repository.name, key), head, repository, &format!("{name}: {range}"), tags, &body)
}

fn older(body: &mut String, key: &str) {
    let _ = writeln!(
        body,
        "<p class=\"turn\"><a href=\"{}\" rel=\"next\">Older tags →</a></p>",
        Text(&paths::tags_page_file(key))
    );
}

fn file(path: String, head: &Head, repository: &RepositoryRow, title: &str, tags: &[TagRow], body: &str) -> File {
    let depth = 1 + repository.name.components().count();
    let has_referrers = tags.iter().any(|tag| !tag.referrers.is_empty());
    let script = if has_referrers { &scripts::ATTACHED } else { &scripts::REPOSITORY };
    let page = Page { title, depth, name: head.name.as_deref(), script, body };
    File { path, bytes: page.bytes() }
}

fn about(body: &mut String, repository: &RepositoryRow) {
    if let Some(description) = &repository.description {
        let _ = writeln!(body, "<p class=\"lead\">{}</p>", Text(description));
    }
    body.push_str("<p class=\"lead\">");
    match &repository.upstream {
        Some(upstream) => {
            let _ = write!(body, "Mirrored from <code>{}</code>", Text(upstream));
        }
        None => body.push_str("Added from files"),
    }
    if repository.private {
        body.push_str(", which asks for a login");
    }
    if let Some(alias) = &repository.alias {
        let _ = write!(body, "; also published as <code>{}</code>", Text(alias.as_str()));
    }
    body.push_str(".</p>\n");
    let _ = write!(body, "<p class=\"totals\">{}", count(repository.tags, "tag", "tags"));
    if let Some(newest) = &repository.newest {
        let _ = write!(body, " · newest {}", Text(newest.as_str()));
    }
    body.push_str("</p>\n");
}

fn pull(body: &mut String, head: &Head, repository: &RepositoryRow) {
    let Some(tag) = &repository.example else { return };
    // The short name is the one that people know.
    let name = repository.alias.as_ref().unwrap_or(&repository.name).as_str();
    let canonical = Text(repository.name.as_str());
    body.push_str("<h2>Pull</h2>\n");
    commands::clients(body, head, name, tag.as_str());
    // A name always leads to the newest root.
    let place = head.name.as_ref().map_or_else(|| "/ipfs/ROOT".to_owned(), |name| format!("/ipns/{name}"));
    let place = Text(&place);
    let (name, tag) = (Text(name), Text(tag.as_str()));
    let _ = writeln!(
        body,
        "<details class=\"how\">
<summary>Through an IPFS gateway or node</summary>
<p>A web server that sets media types, or a registry server, serves every tag and digest to every client, as upstream has them. \
A plain IPFS gateway sets none: from there podman, skopeo, buildah, CRI-O and Docker up to version 25 can pull, one platform at a \
time, and digests differ from upstream's. The tag itself is one platform; the others have the gateway tags named below.</p>
<pre data-copy=\"the command\"><code>podman pull ROOT.ipfs.GATEWAY/{name}:{tag}</code></pre>
<p>The files themselves, through an IPFS node:</p>
<pre data-copy=\"the command\"><code>ipfs get {place}/{native}/{canonical}</code></pre>
<p class=\"note\"><code>ROOT</code> is the CID of the whole registry, <code>GATEWAY</code> the host of a gateway that has subdomains.</p>
</details>",
        native = paths::NATIVE
    );
}
