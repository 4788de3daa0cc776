//! `show`: everything about one image.

use clap::Args;
use std::fmt::Write as _;

use super::Exit;
use super::arguments::parsed;
use super::completions::catalog_names;
use super::context::Context;
use super::output::Output;
use super::style::Tone;
use super::suggest::with_suggestions;
use super::table::{Cell, Column, Table};
use crate::engine::request::Pick;
use crate::engine::view::{ConfigDetails, ImageDetails, ManifestDetails};
use crate::error::Result;
use crate::text::{bytes, count, printable};

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An image as `list` names it: `name:tag` or `name@digest`.
    #[arg(value_name = "REF", value_parser = parsed::<Pick>, add = catalog_names())]
    pub(super) pick: Pick,
}

/// Shows an image.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    let details = with_suggestions(engine.show(&arguments.pick), &engine, std::slice::from_ref(&arguments.pick))?;
    context.output.json(&details)?;
    if !context.output.is_json() {
        write(&details, &context.output)?;
    }
    Ok(Exit::Done)
}

fn write(details: &ImageDetails, output: &Output) -> Result<()> {
    let row = &details.row;
    let name = match &row.tag {
        Some(tag) => format!("{}:{tag}", row.name),
        None => format!("{}@{}", row.name, row.digest),
    };
    output.data(&format!("{}\n", output.paint.tone(Tone::Heading, &printable(&name))))?;
    output.table(&facts(details))?;
    for manifest in &details.manifests {
        let what = match (&manifest.platform, manifest.attests) {
            (Some(platform), _) => platform.clone(),
            (None, Some(subject)) => format!("attestation of {subject}"),
            (None, None) if manifest.config.is_some() || !manifest.layers.is_empty() => "content".to_owned(),
            // The index itself; its digest and CID are above.
            (None, None) => continue,
        };
        heading(output, &what)?;
        output.table(&manifest_facts(manifest))?;
        output.table(&layers(manifest))?;
    }
    if !details.attached.is_empty() {
        heading(output, "attached")?;
        output.table(&attached(details))?;
    }
    if !details.gateway.is_empty() {
        heading(output, "in the gateway view")?;
        output.table(&gateway(details))?;
    }
    if !details.left_out.is_empty() {
        heading(output, "left out")?;
        output.table(&left_out(details))?;
    }
    Ok(())
}

fn heading(output: &Output, text: &str) -> Result<()> {
    output.data(&format!("\n{}\n", output.paint.tone(Tone::Heading, &printable(text))))
}

/// Names and what they are, indented below a heading.
fn pairs() -> Table {
    Table::new(&[("", Column::Fixed), ("", Column::Fixed)]).indented(2)
}

fn pair(table: &mut Table, name: &str, value: impl AsRef<str>) {
    if !value.as_ref().is_empty() {
        table.row([Cell::toned(Tone::Dim, name), value.into()]);
    }
}

fn facts(details: &ImageDetails) -> Table {
    let (row, figures) = (&details.row, &details.figures);
    let mut table = pairs();
    pair(&mut table, "digest", row.digest.to_string());
    pair(&mut table, "CID", &row.cid);
    pair(&mut table, "type", &details.media_type);
    pair(&mut table, "upstream", details.upstream.as_deref().unwrap_or("none: it came from a file"));
    if let Some(stale) = &row.stale {
        pair(&mut table, "outdated", format!("upstream has {stale}"));
    }
    pair(&mut table, "platforms", row.platforms.join(", "));
    pair(&mut table, "chosen", &details.selection);
    pair(&mut table, "added", &row.added);
    let size = format!("{}, of which {} are needed by nothing else", bytes(figures.logical), bytes(figures.unique));
    pair(&mut table, "size", size);
    let published = match (details.private, details.published) {
        (false, _) => "yes",
        (true, true) => "yes: it is private upstream, and was allowed",
        (true, false) => "no: it is private upstream; `roadstead allow` changes that",
    };
    pair(&mut table, "published", published);
    table
}

fn manifest_facts(manifest: &ManifestDetails) -> Table {
    let mut table = pairs();
    pair(&mut table, "digest", manifest.digest.to_string());
    pair(&mut table, "CID", &manifest.cid);
    pair(&mut table, "type", format!("{}, {}", manifest.media_type, bytes(manifest.size)));
    if let Some(config) = &manifest.config {
        config_facts(&mut table, config);
    }
    table
}

fn config_facts(table: &mut Table, config: &ConfigDetails) {
    pair(table, "config", &config.digest);
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
        ("", Column::Number),
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
    if table.is_empty() { Table::new(&[]) } else { table }
}

fn attached(details: &ImageDetails) -> Table {
    let mut table =
        Table::new(&[("", Column::Text), ("", Column::Digest), ("", Column::Number), ("", Column::Digest)]).indented(2);
    for attached in &details.attached {
        let what = attached.artifact_type.as_deref().or(attached.tag.as_deref()).unwrap_or("artifact");
        table.row([
            what.into(),
            attached.digest.to_string().into(),
            bytes(attached.logical).into(),
            Cell::toned(Tone::Dim, format!("of {}", attached.subject)),
        ]);
    }
    table
}

fn gateway(details: &ImageDetails) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Fixed), ("", Column::Digest)]).indented(2);
    for entry in &details.gateway {
        let name = entry.tag.as_deref().unwrap_or_default();
        let what = match (&entry.left_out, entry.digest) {
            (Some(reason), _) => Cell::toned(Tone::Warning, format!("left out: {reason}")),
            (None, digest) => digest.map(|digest| digest.to_string()).unwrap_or_default().into(),
        };
        table.row([(&entry.platform).into(), Cell::toned(Tone::Name, name), what]);
    }
    table
}

fn left_out(details: &ImageDetails) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Digest), ("", Column::Text)]).indented(2);
    for left in &details.left_out {
        table.row([
            left.platform.as_deref().unwrap_or("-").into(),
            left.digest.to_string().into(),
            Cell::toned(Tone::Dim, &left.reason),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::sample_image;
    use super::super::output::Style;
    use super::super::output::tests::captured;
    use super::*;
    use crate::catalog::statistics::Figures;
    use crate::engine::plan::LeftOut;
    use crate::engine::view::{AttachedDetails, GatewayDetails, LayerDetails};
    use crate::image::Digest;
    use crate::image::media;

    fn sample() -> ImageDetails {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let cid = "bafkreidltnazcovfinsnihfpcfr6xbxwbatbqimxhfv6pxhfkaxaexampl";
        let layer = |text: &str, size, shared: &[&str], shared_by| LayerDetails {
            digest: digest(text),
            cid: Some(cid.into()),
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".into(),
            size,
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
                reason: "not chosen".into(),
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
        write(&sample(), &output).unwrap();
        output.finish().unwrap();
        assert!(!out.text().contains('\u{1b}'));
        insta::assert_snapshot!("show", out.text());
    }

    #[test]
    fn the_shape_in_json() {
        insta::assert_snapshot!("show_json", serde_json::to_string_pretty(&sample()).unwrap());
    }
}
