//! The page of one repository, and the pages of its tags where they don't fit that one.

use std::fmt::Write as _;

use super::html::{self, Cid};
use crate::image::media;
use crate::site::html::{Text, list};
use crate::site::{File, Gateway, Head, Listing, PlatformRow, ReferrerRow, RepositoryRow, TagRow, paths};
use crate::text::{bytes, count};

/// Most platforms, and most referrers, of one tag that are shown: an index may have thousands.
const MAX_ENTRIES_PER_TAG: usize = 100;

/// The page of a repository: where it is from, how to pull it, and its tags or the pages they are on.
pub(in crate::site) fn repository_page(head: &Head, repository: &RepositoryRow, listing: &Listing<'_, TagRow>) -> File {
    let mut body = format!("<h1>{}</h1>\n", Text(repository.name.as_str()));
    about(&mut body, repository);
    pull(&mut body, head, repository);
    body.push_str("<h2>Tags</h2>\n");
    match listing {
        Listing::Rows([]) => body.push_str("<p>There are none.</p>\n"),
        Listing::Rows(tags) => tags.iter().for_each(|tag| article(&mut body, tag)),
        Listing::Pages(pages) => {
            body.push_str("<ul class=\"rows\">\n");
            for page in *pages {
                let (href, first, last) = (paths::tags_page_file(&page.key), Text(&page.first), Text(&page.last));
                let _ = writeln!(body, "<li><a href=\"{}\">{first} – {last}</a></li>", Text(&href));
            }
            body.push_str("</ul>\n");
        }
    }
    file(paths::repository_page(&repository.name), repository, repository.name.as_str(), &body)
}

/// One page of a repository's tags: its key and its tags.
pub(in crate::site) fn tags_page(repository: &RepositoryRow, key: &str, tags: &[TagRow]) -> File {
    let name = repository.name.as_str();
    let range = match tags {
        [only] => only.name(),
        [first, .., last] => format!("{} – {}", first.name(), last.name()),
        [] => "no tags".to_owned(),
    };
    let mut body = format!("<h1><a href=\"_repository.html\">{}</a></h1>\n<h2>{}</h2>\n", Text(name), Text(&range));
    for tag in tags {
        article(&mut body, tag);
    }
    file(paths::tags_page(&repository.name, key), repository, &format!("{name}: {range}"), &body)
}

fn file(path: String, repository: &RepositoryRow, title: &str, body: &str) -> File {
    let depth = 1 + repository.name.components().count();
    File { path, bytes: html::page(title, depth, body) }
}

fn about(body: &mut String, repository: &RepositoryRow) {
    body.push_str("<p>");
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
}

fn pull(body: &mut String, head: &Head, repository: &RepositoryRow) {
    let Some(tag) = &repository.example else { return };
    // The short name is the one that people know.
    let name = Text(repository.alias.as_ref().unwrap_or(&repository.name).as_str());
    let canonical = Text(repository.name.as_str());
    let (tag, host) = (Text(tag.as_str()), Text(head.host()));
    let _ = write!(
        body,
        "<h2>Pull</h2>
<pre><code>podman pull {host}/{name}:{tag}
docker pull {host}/{name}:{tag}</code></pre>
"
    );
    if head.name.is_none() {
        body.push_str(
            "<p class=\"note\"><code>HOST</code> is where this page comes from: the registry has not been given a name of its own.</p>\n",
        );
    }
    // A name always leads to the newest root.
    let place = head.name.as_ref().map_or_else(|| "/ipfs/ROOT".to_owned(), |name| format!("/ipns/{name}"));
    let place = Text(&place);
    let _ = writeln!(
        body,
        "<details>
<summary>Through an IPFS gateway or node</summary>
<p>A web server that sets media types, or a registry server, serves every tag and digest to every client, as upstream has them. \
A plain IPFS gateway sets none: from there podman, skopeo, buildah, CRI-O and Docker up to version 25 can pull, one platform at a \
time, and digests differ from upstream's. The tag itself is one platform; the others have the gateway tags named below.</p>
<pre><code>podman pull ROOT.ipfs.GATEWAY/{name}:{tag}</code></pre>
<p>The files themselves, through an IPFS node:</p>
<pre><code>ipfs get {place}/{native}/{canonical}</code></pre>
<p class=\"note\"><code>ROOT</code> is the CID of the whole registry, <code>GATEWAY</code> the host of a gateway that has subdomains.</p>
</details>",
        native = paths::NATIVE
    );
}

fn article(body: &mut String, tag: &TagRow) {
    let name = tag.name();
    let _ = write!(body, "<article id=\"{0}\">\n<h3>{0}</h3>\n<p>", Text(&name));
    if tag.tag.is_some() {
        let _ = write!(body, "<code class=\"id\">{}</code><br>", tag.digest);
    }
    let _ = writeln!(body, "{}</p>", Cid(&tag.cid));
    if let Some(artifact_type) = &tag.artifact_type {
        let _ = writeln!(body, "<p>Not a container image: <code>{}</code>.</p>", Text(artifact_type));
    }
    if !tag.platforms.is_empty() {
        body.push_str("<ul class=\"platforms\">\n");
        let in_index = media::is_index(&tag.media_type);
        tag.platforms.iter().take(MAX_ENTRIES_PER_TAG).for_each(|row| platform(body, row, in_index));
        more(body, tag.platforms.len());
        body.push_str("</ul>\n");
    }
    if !tag.left_out.is_empty() {
        let _ = writeln!(body, "<p class=\"note\">Not mirrored: {}.</p>", list(&tag.left_out, 12));
    }
    if !tag.referrers.is_empty() {
        let number = count(tag.referrers.len() as u64, "signature or attestation", "signatures and attestations");
        let _ = writeln!(body, "<details>\n<summary>{number}</summary>\n<ul>");
        tag.referrers.iter().take(MAX_ENTRIES_PER_TAG).for_each(|row| referrer(body, row));
        more(body, tag.referrers.len());
        body.push_str("</ul>\n</details>\n");
    }
    body.push_str("</article>\n");
}

fn more(body: &mut String, all: usize) {
    if all > MAX_ENTRIES_PER_TAG {
        let _ = writeln!(body, "<li>{} more</li>", all - MAX_ENTRIES_PER_TAG);
    }
}

fn platform(body: &mut String, row: &PlatformRow, in_index: bool) {
    let _ = write!(body, "<li><b>{}</b> · {} · ", Text(&row.platform), bytes(row.size));
    match &row.gateway {
        Gateway::Tag(tag) => {
            let _ = write!(body, "gateway tag <code>{}</code>", Text(tag.as_str()));
        }
        Gateway::Absent(why) => {
            let _ = write!(body, "not for gateways: {}", Text(why));
        }
    }
    // Without an index its manifest is the tag's own, which is named above.
    if in_index {
        let _ = write!(body, "<br><code class=\"id\">{}</code><br>{}", row.digest, Cid(&row.cid));
    }
    body.push_str("</li>\n");
}

fn referrer(body: &mut String, row: &ReferrerRow) {
    let _ = write!(body, "<li>{}", Text(&row.kind));
    if let Some(tag) = &row.tag {
        let _ = write!(body, " · tag <code class=\"id\">{}</code>", Text(tag.as_str()));
    }
    let _ = writeln!(body, "<br><code class=\"id\">{}</code><br>{}</li>", row.digest, Cid(&row.cid));
}
