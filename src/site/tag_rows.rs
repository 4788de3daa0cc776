//! The rows of a repository's tags: one line each, which unfolds.

use std::fmt::Write as _;

use super::html::{self, Text, short_platform};
use super::{Gateway, Head, PlatformRow, ReferrerRow, RepositoryRow, TagRow, commands, paths};
use crate::image::{Digest, media};
use crate::text::{bytes, count};

/// Most platforms, and most referrers, of one tag that are shown: an index may have thousands.
const MAX_ENTRIES_PER_TAG: usize = 100;

/// Most layers of one platform that are shown.
const MAX_LAYERS: usize = 40;

/// Most platforms in the line of a tag.
const MAX_PLATFORMS_IN_LINE: usize = 4;

/// Most other tags of the same digest in the line of a tag.
const MAX_SAME_IN_LINE: usize = 3;

/// Digits of a digest that are shown where there is little room; they tell blobs of one repository apart.
const SHORT_DIGITS: usize = 12;

/// These tags, in their order.
pub(super) fn rows(body: &mut String, head: &Head, repository: &RepositoryRow, tags: &[TagRow]) {
    for tag in tags {
        row(body, head, repository, tag);
    }
}

/// `sha256:` and the first digits.
fn short(digest: &Digest) -> String {
    digest.to_string().chars().take("sha256:".len() + SHORT_DIGITS).collect()
}

fn row(body: &mut String, head: &Head, repository: &RepositoryRow, tag: &TagRow) {
    let name = tag.name();
    let shown = if tag.tag.is_some() { name.clone() } else { short(&tag.digest) };
    let digest = tag.digest;
    let _ = write!(
        body,
        "<article class=\"tag\" data-digest=\"{digest}\">\n<details id=\"{}\">\n<summary><b>{}</b> <span class=\"facts\">",
        Text(&name),
        Text(&shown)
    );
    sizes(body, tag);
    body.push_str("</span>");
    if let Some(created) = &tag.created {
        let _ = write!(body, " <time datetime=\"{0}\">{0}</time>", Text(created));
    }
    if tag.tag.is_some() {
        let _ = write!(body, " <code>{}</code>", short(&digest));
    }
    if !tag.same.is_empty() {
        let (shown, others) = tag.same.split_at(tag.same.len().min(MAX_SAME_IN_LINE));
        let _ = write!(body, " <span class=\"same\">same as {}", html::list(shown, MAX_SAME_IN_LINE));
        let more = others.len() + tag.more_same;
        if more > 0 {
            let _ = write!(body, ", {more} more");
        }
        body.push_str("</span>");
    }
    body.push_str("</summary>\n<dl>\n");
    if let Some(own) = &tag.tag {
        let pulled = repository.alias.as_ref().unwrap_or(&repository.name);
        let _ = writeln!(
            body,
            "<dt>Name</dt><dd><code data-copy=\"the name\">{}</code></dd>",
            commands::reference(head, pulled.as_str(), own.as_str())
        );
    }
    identity(body, &digest, &tag.cid);
    if let Some(artifact_type) = &tag.artifact_type {
        let _ = writeln!(body, "<dt>Not a container image</dt><dd><code>{}</code></dd>", Text(artifact_type));
    }
    if !tag.left_out.is_empty() {
        let _ = writeln!(body, "<dt>Not mirrored</dt><dd>{}</dd>", html::list(&tag.left_out, 12));
    }
    body.push_str("</dl>\n");
    let in_index = media::is_index(&tag.media_type);
    tag.platforms.iter().take(MAX_ENTRIES_PER_TAG).for_each(|row| platform(body, repository, row, in_index));
    more(body, tag.platforms.len());
    if !tag.referrers.is_empty() {
        let number =
            count(tag.referrers.len() as u64, "signature, SBOM or attestation", "signatures, SBOMs and attestations");
        let _ = writeln!(body, "<details class=\"referrers\">\n<summary>{number}</summary>");
        tag.referrers.iter().take(MAX_ENTRIES_PER_TAG).for_each(|row| referrer(body, repository, row));
        more(body, tag.referrers.len());
        body.push_str("</details>\n");
    }
    body.push_str("</details>\n</article>\n");
}

/// The platforms of a tag with their sizes; where they are many, only their names.
fn sizes(body: &mut String, tag: &TagRow) {
    if tag.platforms.len() > MAX_PLATFORMS_IN_LINE {
        let names = tag.platforms.iter().map(|row| row.platform.as_str());
        body.push_str(&html::platforms(names, MAX_PLATFORMS_IN_LINE));
        return;
    }
    for (position, row) in tag.platforms.iter().enumerate() {
        let between = if position > 0 { ", " } else { "" };
        let _ = write!(body, "{between}{} <i>{}</i>", Text(short_platform(&row.platform)), bytes(row.size));
    }
}

fn identity(body: &mut String, digest: &Digest, cid: &str) {
    let _ = write!(
        body,
        "<dt>Digest</dt><dd><code class=\"id\" data-copy=\"the digest\">{digest}</code></dd>\n\
         <dt>CID</dt><dd><code class=\"id\" data-copy=\"the CID\">{}</code></dd>\n",
        Text(cid)
    );
}

fn more(body: &mut String, all: usize) {
    if all > MAX_ENTRIES_PER_TAG {
        let _ = writeln!(body, "<p class=\"note\">{} more</p>", all - MAX_ENTRIES_PER_TAG);
    }
}

/// From the page of a repository to a file of it in a view of the tree.
fn up(repository: &RepositoryRow, view: &str, directory: &str, digest: &Digest) -> String {
    let up = "../".repeat(1 + repository.name.components().count());
    format!("{up}{view}/{}/{directory}/{digest}", repository.name)
}

fn platform(body: &mut String, repository: &RepositoryRow, row: &PlatformRow, in_index: bool) {
    let _ = write!(body, "<details class=\"platform\"><summary>{} <i>{}</i>", Text(&row.platform), bytes(row.size));
    if !row.layers.is_empty() {
        let _ = write!(body, " · {}", count(row.layers.len() as u64, "layer", "layers"));
    }
    body.push_str("</summary>\n<dl>\n");
    // Without an index its manifest is the tag's own, which is named above.
    if in_index {
        identity(body, &row.digest, &row.cid);
    }
    match &row.gateway {
        Gateway::Tag(tag) => {
            let _ = writeln!(body, "<dt>Gateway tag</dt><dd><code>{}</code></dd>", Text(tag.as_str()));
        }
        Gateway::Absent(why) => {
            let _ = writeln!(body, "<dt>Not for gateways</dt><dd>{}</dd>", Text(why));
        }
    }
    if let Some(configuration) = &row.configuration {
        // Both views have the blobs, and hosts that are registries have this path.
        let _ = writeln!(
            body,
            "<dt>Configuration</dt><dd><a class=\"config\" href=\"{}\" data-size=\"{}\">{}</a></dd>",
            Text(&up(repository, paths::GATEWAY, paths::BLOBS, &configuration.digest)),
            configuration.size,
            short(&configuration.digest)
        );
    }
    body.push_str("</dl>\n");
    if !row.layers.is_empty() {
        let _ = write!(body, "<ol class=\"layers\" data-all=\"{}\">", row.layers.len());
        for layer in row.layers.iter().take(MAX_LAYERS) {
            let _ = write!(body, "<li><i>{}</i> <code>{}</code></li>", bytes(layer.size), short(&layer.digest));
        }
        body.push_str("</ol>\n");
        if row.layers.len() > MAX_LAYERS {
            let _ = writeln!(body, "<p class=\"note\">{} more layers</p>", row.layers.len() - MAX_LAYERS);
        }
    }
    body.push_str("</details>\n");
}

/// What readers call an artifact of this type; the type itself where they have no other word for it.
fn in_words(kind: &str) -> &str {
    match kind {
        "application/spdx+json" | "text/spdx" | "text/spdx+json" => "SBOM, SPDX",
        "application/vnd.cyclonedx+json" | "application/vnd.cyclonedx+xml" | "application/vnd.cyclonedx" => {
            "SBOM, CycloneDX"
        }
        "application/vnd.in-toto+json" => "attestation, in-toto",
        "application/vnd.cncf.notary.signature" => "signature, Notation",
        "application/vnd.dev.cosign.artifact.sig.v1+json" => "signature, cosign",
        sigstore if sigstore.starts_with("application/vnd.dev.sigstore.bundle") => "signature or attestation, Sigstore",
        other => other,
    }
}

fn referrer(body: &mut String, repository: &RepositoryRow, row: &ReferrerRow) {
    let _ = writeln!(
        body,
        "<details class=\"referrer\"><summary>{} <code>{digest}</code></summary>\n<dl>\n\
         <dt>Manifest</dt><dd><a class=\"manifest\" href=\"{}\">{digest}</a></dd>",
        Text(in_words(&row.kind)),
        Text(&up(repository, paths::NATIVE, paths::MANIFESTS, &row.digest)),
        digest = short(&row.digest)
    );
    if let Some(tag) = &row.tag {
        let _ = writeln!(body, "<dt>Tag</dt><dd><code class=\"id\">{}</code></dd>", Text(tag.as_str()));
    }
    identity(body, &row.digest, &row.cid);
    body.push_str("</dl>\n</details>\n");
}
