//! `show`: everything about one image.

use clap::Args;
use std::fmt::Write as _;

use super::show_files;
use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::parsed::parsed;
use crate::cli::style::Tone;
use crate::cli::suggest::with_suggestions;
use crate::cli::table::{Cell, Column, Table, cut, elide_middle};
use crate::engine::plan::LeftOutReason;
use crate::engine::query::files::Which;
use crate::engine::query::view::{ConfigDetails, ImageDetails, ManifestDetails};
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Platform};
use crate::text::{bytes, count, printable};

/// A longer media type would leave no room for its digest.
const MAX_MEDIA_TYPE_COLUMNS: usize = 36;

/// What to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// An image as `list` names it: `name:tag` or `name@digest`.
    #[arg(value_name = "REF", value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) pick: Pick,

    /// Show, or look into, this platform of it alone: `os/arch[/variant]`.
    #[arg(long, value_name = "PLATFORM", value_parser = parsed::<Platform>)]
    pub(in crate::cli) platform: Option<Platform>,

    #[command(flatten)]
    pub(in crate::cli) look: show_files::Arguments,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    if arguments.look.looks() {
        let which = arguments.platform.clone().map_or(Which::Usual, Which::Platform);
        return show_files::run(&arguments.look, &arguments.pick, which, &engine, context);
    }
    let mut details = with_suggestions(engine.show(&arguments.pick), &engine, std::slice::from_ref(&arguments.pick))?;
    if let Some(platform) = &arguments.platform {
        let here = details.row.platforms.join(", ");
        if !details.keep_platform(platform) {
            let what = format!("`{}` is not here for {platform}", arguments.pick);
            let hint =
                if here.is_empty() { "It has no platform.".to_owned() } else { format!("It is here for {here}.") };
            return Err(Error::new(Kind::NotFound, what).hint(hint));
        }
    }
    context.output.json(&details)?;
    if !context.output.is_json() {
        let repository = engine.repositories()?.into_iter().find(|row| row.name == details.row.name);
        write(&details, repository.and_then(|row| row.alias).as_deref(), &context.output)?;
    }
    Ok(Exit::Done)
}

fn write(details: &ImageDetails, alias: Option<&str>, output: &Output) -> Result<()> {
    let row = &details.row;
    let named = |name: &str| match &row.tag {
        Some(tag) => format!("{name}:{tag}"),
        None => format!("{name}@{}", row.digest),
    };
    output.data(&format!("{}\n", output.paint.tone(Tone::Heading, &printable(&named(&row.name)))))?;
    digest_line(output, row.digest)?;
    output.table(&facts(details, alias.map(named)))?;
    for manifest in &details.manifests {
        let what = match &manifest.platform {
            _ if manifest.attests.is_some() => continue,
            Some(platform) => platform,
            None if manifest.config.is_some() || !manifest.layers.is_empty() => "content",
            // The index itself; its digest and CID are above.
            None => continue,
        };
        let size = manifest.layers.iter().map(|layer| layer.size).sum();
        heading(output, &format!("{what}, {}", bytes(size)))?;
        // Without an index it is the image itself.
        let is_image = manifest.digest == row.digest;
        if !is_image {
            digest_line(output, manifest.digest)?;
        }
        output.table(&manifest_facts(manifest, is_image))?;
        output.table(&layers(manifest))?;
    }
    for (title, table) in [
        ("attached", attached(details)),
        ("gateway view", gateway(details)),
        ("not in the gateway view", out_of_gateway(details)),
        ("left out", left_out(details)),
    ] {
        if !table.is_empty() {
            heading(output, title)?;
            output.table(&table)?;
        }
    }
    Ok(())
}

fn heading(output: &Output, text: &str) -> Result<()> {
    output.data(&format!("\n{}\n", output.paint.tone(Tone::Heading, &printable(text))))
}

/// A digest on a line of its own: with a name before it, it would not fit 80 columns, and half a digest can't be copied.
fn digest_line(output: &Output, digest: Digest) -> Result<()> {
    output.data(&format!("  {digest}\n"))
}

/// Names and what they are, indented below a heading.
fn pairs() -> Table {
    Table::new(&[("", Column::Fixed), ("", Column::Fact)]).indented(2)
}

fn pair(table: &mut Table, name: &str, value: impl AsRef<str>) {
    if !value.as_ref().is_empty() {
        table.row([Cell::toned(Tone::Dim, name), value.into()]);
    }
}

fn facts(details: &ImageDetails, alias: Option<String>) -> Table {
    let (row, figures) = (&details.row, &details.figures);
    let mut table = pairs();
    pair(&mut table, "CID", &row.cid);
    pair(&mut table, "type", &details.media_type);
    pair(&mut table, "also", alias.unwrap_or_default());
    pair(&mut table, "upstream", details.upstream.as_deref().unwrap_or("none: it came from a file"));
    if let Some(outdated) = &row.outdated {
        pair(&mut table, "outdated", "upstream now has another image");
        pair(&mut table, "it has", outdated.to_string());
    }
    if let Some(gone) = &row.gone {
        pair(&mut table, "gone", format!("upstream no longer has this tag (seen at {gone})"));
    }
    pair(&mut table, "platforms", row.platforms.join(", "));
    let mut not_chosen: Vec<String> = details
        .left_out
        .iter()
        .filter(|left| left.reason == LeftOutReason::NotChosen)
        .filter_map(|left| left.platform.clone())
        .collect();
    // An index may offer any number of platforms.
    const MAX_NAMED_PLATFORMS: usize = 12;
    if let Some(more) = not_chosen.len().checked_sub(MAX_NAMED_PLATFORMS + 1) {
        not_chosen.truncate(MAX_NAMED_PLATFORMS);
        not_chosen.push(format!("and {} others", more + 1));
    }
    pair(&mut table, "not chosen", not_chosen.join(", "));
    pair(&mut table, "added", &row.added);
    let size = match (figures.logical, figures.unique) {
        (all, 0) => format!("{}, all of it shared with other images", bytes(all)),
        (all, unique) if all == unique => format!("{}, shared with no other image", bytes(all)),
        (all, unique) => format!("{}, of which {} are unique", bytes(all), bytes(unique)),
    };
    pair(&mut table, "size", size);
    let private = match (details.private, details.published) {
        (false, _) => "",
        (true, true) => "upstream requires a login; publishing is allowed",
        (true, false) => "upstream requires a login; not published until `roadstead allow` permits it",
    };
    pair(&mut table, "private", private);
    table
}

fn manifest_facts(manifest: &ManifestDetails, is_image: bool) -> Table {
    let mut table = pairs();
    if !is_image {
        pair(&mut table, "CID", &manifest.cid);
    }
    if let Some(config) = &manifest.config {
        pair(&mut table, "config", &config.digest);
        config_facts(&mut table, config);
    }
    table
}

fn config_facts(table: &mut Table, config: &ConfigDetails) {
    pair(table, "created", config.created.as_deref().unwrap_or_default());
    pair(table, "entrypoint", config.entrypoint.join(" "));
    pair(table, "command", config.command.join(" "));
    pair(table, "directory", config.working_directory.as_deref().unwrap_or_default());
    pair(table, "user", config.user.as_deref().unwrap_or_default());
    pair(table, "ports", config.ports.join(", "));
    for variable in &config.environment {
        pair(table, "environment", variable);
    }
    for (key, value) in &config.labels {
        pair(table, "label", format!("{key}={value}"));
    }
}

fn layers(manifest: &ManifestDetails) -> Table {
    let columns = [
        ("#", Column::Number),
        ("LAYER", Column::Digest),
        ("SIZE", Column::Number),
        ("CID", Column::Digest),
        ("SHARED WITH", Column::Text),
    ];
    let mut table = Table::new(&columns).indented(2);
    for (number, layer) in manifest.layers.iter().enumerate() {
        let more = layer.shared_by.saturating_sub(layer.shared_with.len() as u64);
        let mut shared = layer.shared_with.join(", ");
        if more > 0 {
            let _ = write!(shared, " and {}", count(more, "other", "others"));
        }
        table.row([
            Cell::toned(Tone::Dim, (number + 1).to_string()),
            layer.digest.to_string().into(),
            bytes(layer.size).into(),
            layer.cid.as_deref().unwrap_or("left out").into(),
            Cell::toned(Tone::Dim, shared),
        ]);
    }
    table
}

/// What belongs to the image without being part of it, and the attestations inside of it.
fn attached(details: &ImageDetails) -> Table {
    let columns =
        [("KIND", Column::Fixed), ("DIGEST", Column::Digest), ("SIZE", Column::Number), ("OF", Column::Fixed)];
    let mut table = Table::new(&columns).indented(2);
    let mut row = |what: &str, digest: Digest, size, subject| {
        let of = Cell::toned(Tone::Dim, subject_name(details, subject));
        table.row([what.into(), digest.to_string().into(), bytes(size).into(), of]);
    };
    for attached in &details.attached {
        let suffix = attached.tag.as_deref().and_then(|tag| tag.rsplit_once('.')).map(|(_, suffix)| suffix);
        let what = match suffix {
            Some("sig") => "signature",
            Some("att") => "attestation",
            Some("sbom") => "SBOM",
            _ => attached.artifact_type.as_deref().or(attached.tag.as_deref()).unwrap_or("artifact"),
        };
        row(&cut(what, MAX_MEDIA_TYPE_COLUMNS), attached.digest, attached.logical, attached.subject);
    }
    for manifest in &details.manifests {
        if let Some(subject) = manifest.attests {
            let size = manifest.size + manifest.layers.iter().map(|layer| layer.size).sum::<u64>();
            row("build attestation", manifest.digest, size, subject);
        }
    }
    table
}

/// How a manifest of this image is called here.
fn subject_name(details: &ImageDetails, subject: Digest) -> String {
    if subject == details.row.digest {
        return "the image".to_owned();
    }
    let named = details.manifests.iter().find(|manifest| manifest.digest == subject);
    named.and_then(|manifest| manifest.platform.clone()).unwrap_or_else(|| elide_middle(&subject.to_string(), 20))
}

fn gateway(details: &ImageDetails) -> Table {
    let mut table =
        Table::new(&[("PLATFORM", Column::Fixed), ("TAG", Column::Fixed), ("DIGEST", Column::Digest)]).indented(2);
    for entry in &details.gateway {
        if let Some(digest) = entry.digest {
            let name = Cell::toned(Tone::Name, entry.tag.as_deref().unwrap_or_default());
            table.row([(&entry.platform).into(), name, digest.to_string().into()]);
        }
    }
    table
}

fn out_of_gateway(details: &ImageDetails) -> Table {
    let mut table = Table::new(&[("PLATFORM", Column::Fixed), ("REASON", Column::Fixed)]).indented(2);
    for entry in &details.gateway {
        if let Some(reason) = &entry.left_out {
            let what = if entry.platform.is_empty() { "all of it" } else { &entry.platform };
            table.row([what.into(), Cell::toned(Tone::Warning, reason)]);
        }
    }
    table
}

/// What is missing for another reason than that it, or the platform that it attests, was not chosen.
fn left_out(details: &ImageDetails) -> Table {
    let mut table =
        Table::new(&[("PLATFORM", Column::Fixed), ("DIGEST", Column::Digest), ("REASON", Column::Fixed)]).indented(2);
    for left in details.left_out.iter().filter(|left| !left.reason.is_choice()) {
        table.row([
            left.platform.as_deref().unwrap_or("-").into(),
            left.digest.to_string().into(),
            Cell::toned(Tone::Warning, left.reason.text()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::statistics::Figures;
    use crate::cli::commands::list::tests::sample_image;
    use crate::cli::output::Style;
    use crate::cli::output::tests::captured;
    use crate::engine::plan::LeftOut;
    use crate::engine::query::view::{AttachedDetails, GatewayDetails, LayerDetails};
    use crate::image::media;

    fn sample() -> ImageDetails {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let cid = "bafkreidltnazcovfinsnihfpcfr6xbxwbatbqimxhfv6pxhfkaxaexampl";
        let layer = |text: &str, size, shared: &[&str], shared_by| LayerDetails {
            digest: digest(text),
            cid: Some(cid.into()),
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".into(),
            size,
            created_by: None,
            shared_with: shared.iter().map(ToString::to_string).collect(),
            shared_by,
        };
        let manifest = |text: &str, platform: Option<&str>| ManifestDetails {
            digest: digest(text),
            cid: cid.into(),
            media_type: media::OCI_MANIFEST.into(),
            size: 2000,
            platform: platform.map(String::from),
            attests: None,
            config: None,
            layers: vec![],
        };
        let config = ConfigDetails {
            digest: digest("config").to_string(),
            cid: cid.into(),
            created: Some("2026-11-01T00:00:00Z".into()),
            entrypoint: vec!["/docker-entrypoint.sh".into()],
            command: vec!["nginx".into(), "-g".into(), "daemon off;".into()],
            environment: vec!["PATH=/usr/bin".into()],
            ports: vec!["80/tcp".into()],
            labels: [("maintainer".to_owned(), "someone\u{1b}[31m".to_owned())].into(),
            ..ConfigDetails::default()
        };
        ImageDetails {
            row: sample_image(),
            upstream: Some("docker.io/library/nginx:alpine".into()),
            private: false,
            published: true,
            media_type: media::OCI_INDEX.into(),
            selection: "all".into(),
            figures: Figures { logical: 41 << 20, stored: 41 << 20, unique: 3 << 20 },
            manifests: vec![
                ManifestDetails { media_type: media::OCI_INDEX.into(), ..manifest("1", None) },
                ManifestDetails {
                    config: Some(config),
                    layers: vec![layer("a", 3 << 20, &["library/alpine:3.20"], 4), layer("b", 900, &[], 0)],
                    ..manifest("amd64", Some("linux/amd64"))
                },
                ManifestDetails { attests: Some(digest("amd64")), ..manifest("attestation", None) },
            ],
            attached: vec![AttachedDetails {
                subject: digest("1"),
                tag: None,
                digest: digest("signature"),
                cid: cid.into(),
                artifact_type: Some("application/vnd.dev.sigstore.bundle.v0.3+json".into()),
                logical: 5000,
            }],
            left_out: vec![LeftOut {
                digest: digest("windows"),
                platform: Some("windows/amd64".into()),
                reason: LeftOutReason::NotChosen,
            }],
            gateway: vec![
                GatewayDetails {
                    platform: "linux/amd64".into(),
                    tag: Some("alpine".into()),
                    digest: Some(digest("schema 1")),
                    left_out: None,
                },
                GatewayDetails {
                    platform: "linux/arm64".into(),
                    tag: Some("alpine-arm64".into()),
                    digest: None,
                    left_out: Some("zstd layers can't be said in schema 1".into()),
                },
            ],
        }
    }

    #[test]
    fn what_a_person_sees() {
        let (output, out, _) = captured(Style::default());
        write(&sample(), Some("nginx"), &output).unwrap();
        output.finish().unwrap();
        assert!(!out.text().contains('\u{1b}'));
        insta::assert_snapshot!("show", out.text());
    }

    #[test]
    fn the_shape_in_json() {
        insta::assert_snapshot!("show_json", serde_json::to_string_pretty(&sample()).unwrap());
    }
}
