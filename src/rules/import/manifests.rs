//! Files that list images: imgpkg's `ImagesLock`, `zarf.yaml` and hauler's manifests.

use super::fields::{Item, Text};
use super::report::{Report, Settings};
use super::settings::{SIGNATURES, TARGET, platforms};
use crate::error::Result;
use crate::image::Reference;

const NO_IMAGES: &str = "it names no images: only lists of images are read";

/// carvel.dev, imgpkg, "ImagesLock configuration".
pub(super) fn imgpkg(document: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = document.fields(report);
    header(fields.take("apiVersion"), fields.take("kind"), report);
    if let Some(images) = fields.take("images") {
        for item in images.items(report) {
            let mut inner = item.fields(report);
            if let Some(image) = inner.text("image", report) {
                image_of(&image, &Settings::default(), report)?;
            }
            if let Some(annotations) = inner.take("annotations") {
                report.left(&annotations.path, "notes of the program that resolved the image");
            }
            inner.finish(report);
        }
    }
    fields.finish(report);
    Ok(())
}

/// zarf.dev, "Package schema".
pub(super) fn zarf(document: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = document.fields(report);
    header(fields.take("apiVersion"), fields.take("kind"), report);
    let mut settings = Settings::default();
    if let Some(metadata) = fields.take("metadata") {
        let mut inner = metadata.fields(report);
        if let Some(architecture) = inner.take("architecture") {
            settings.platforms = platforms(&architecture, report);
        }
        for (_, item) in inner.drain() {
            report.left(&item.path, "it is about the package");
        }
    }
    if let Some(components) = fields.take("components") {
        for item in components.items(report) {
            let mut inner = item.fields(report);
            if let Some(images) = inner.take("images") {
                for image in images.texts(report) {
                    image_of(&image, &settings, report)?;
                }
            }
            for (key, item) in inner.drain() {
                let why = match key {
                    "charts" | "manifests" => {
                        "the images of charts and manifests are those of `images`: `kubernetes:` reads rendered ones"
                    }
                    "imageArchives" => "archives of images are not read: `import` takes in a tree, `add` a layout",
                    "actions" => "nothing is run",
                    _ => NO_IMAGES,
                };
                report.left(&item.path, why);
            }
        }
    }
    for (_, item) in fields.drain() {
        report.left(&item.path, NO_IMAGES);
    }
    Ok(())
}

/// docs.hauler.dev, "Hauler Manifests".
pub(super) fn hauler(document: &Item<'_>, report: &mut Report) -> Result<()> {
    if document.node.text_of("kind") != Some("Images") {
        let path = if document.path.is_empty() { "kind" } else { &document.path };
        report.left(path, NO_IMAGES);
        if document.path.is_empty() {
            let mut fields = document.fields(report);
            fields.take("kind");
            for (_, item) in fields.drain() {
                report.left(&item.path, NO_IMAGES);
            }
        }
        return Ok(());
    }
    let mut fields = document.fields(report);
    header(fields.take("apiVersion"), fields.take("kind"), report);
    let mut defaults = Settings::default();
    let mut registry = None;
    if let Some(metadata) = fields.take("metadata") {
        let mut inner = metadata.fields(report);
        if let Some(annotations) = inner.take("annotations") {
            let mut inner = annotations.fields(report);
            if let Some(item) = inner.take("hauler.dev/platform") {
                defaults.platforms = platforms(&item, report);
            }
            if let Some(text) = inner.text("hauler.dev/registry", report) {
                report.became(&text.path, text.text, "the registry of names without one");
                registry = Some(text.text);
            }
            for (key, item) in inner.drain() {
                report.left(&item.path, if key == "hauler.dev/key" { SIGNATURES } else { NO_IMAGES });
            }
        }
        for (_, item) in inner.drain() {
            report.left(&item.path, "it is about the manifest");
        }
    }
    if let Some(spec) = fields.take("spec") {
        let mut inner = spec.fields(report);
        if let Some(images) = inner.take("images") {
            for item in images.items(report) {
                hauler_image(&item, &defaults, registry, report)?;
            }
        }
        inner.finish(report);
    }
    fields.finish(report);
    Ok(())
}

fn hauler_image(item: &Item<'_>, defaults: &Settings, registry: Option<&str>, report: &mut Report) -> Result<()> {
    let mut fields = item.fields(report);
    let mut settings = defaults.clone();
    if let Some(item) = fields.take("platform") {
        settings.platforms = platforms(&item, report).or(settings.platforms);
    }
    for (key, why) in [
        ("key", SIGNATURES),
        ("certificate-identity", SIGNATURES),
        ("certificate-identity-regexp", SIGNATURES),
        ("certificate-oidc-issuer", SIGNATURES),
        ("certificate-oidc-issuer-regexp", SIGNATURES),
        ("rewrite", TARGET),
    ] {
        if let Some(item) = fields.take(key) {
            report.left(&item.path, why);
        }
    }
    if let Some(name) = fields.text("name", report) {
        let host = name.text.split('/').next().filter(|_| name.text.contains('/')).unwrap_or_default();
        let has_registry = host.contains(['.', ':']) || host == "localhost";
        match registry.filter(|_| !has_registry) {
            Some(registry) => {
                let full = format!("{registry}/{}", name.text);
                image_of(&Text { path: name.path, text: &full }, &settings, report)?;
            }
            None => image_of(&name, &settings, report)?,
        }
    }
    fields.finish(report);
    Ok(())
}

fn header(version: Option<Item<'_>>, kind: Option<Item<'_>>, report: &mut Report) {
    for item in version.into_iter().chain(kind) {
        report.left(&item.path, "whose file it is");
    }
}

fn image_of(image: &Text<'_>, settings: &Settings, report: &mut Report) -> Result<()> {
    match image.text.parse::<Reference>() {
        Ok(reference) => {
            let why = if reference.digest.is_some() { "a rule can't say a digest" } else { "one tag" };
            let said = report.single(&reference, settings)?;
            report.became(&image.path, said, why);
        }
        Err(error) => report.left(&image.path, error.to_string()),
    }
    Ok(())
}
