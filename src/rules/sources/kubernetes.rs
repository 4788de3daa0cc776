//! Kubernetes manifests: the images of everything that has a pod template (Kubernetes API reference, "PodSpec").

use super::found::{Finder, Found, shown};
use crate::error::{Error, Kind, Result};
use crate::image::Reference;
use crate::rules::yaml::{Node, Value, documents};

/// Bytes of the longest text that may be an image: a domain, a repository, a tag and a digest.
const MAX_IMAGE_BYTES: usize = 1024;
/// Keys whose items are containers.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The images of manifests: several documents, and lists of any kind.
///
/// Each of `paths` names where a custom resource has images: keys behind dots, `[]` for each item of a list
/// (`.spec.image`, `.spec.nodes[].image`).
pub fn kubernetes(text: &str, paths: &[&str]) -> Result<Found> {
    let mut finder = Finder::default();
    let documents = documents(text)?;
    let steps = paths.iter().map(|path| Ok((*path, steps(path)?, false))).collect::<Result<Vec<_>>>();
    let mut paths: Vec<(&str, Vec<Step<'_>>, bool)> = steps?;
    for document in &documents {
        pods(document, &mut finder)?;
        resources(document, &mut |resource| {
            paths.iter_mut().try_for_each(|(path, steps, used)| at(resource, steps, path, used, &mut finder))
        })?;
    }
    for (path, _, used) in paths {
        if !used {
            finder.skip(path, "no document has it")?;
        }
    }
    for document in &documents {
        alike(document, &mut String::new(), &mut finder);
    }
    Ok(finder.found())
}

/// Names what looks like an image where none is searched for: in custom resources, arguments and variables.
fn alike(node: &Node, path: &mut String, finder: &mut Finder) {
    let before = path.len();
    // What a cluster runs it names in its own words, which are those of the pods.
    for (key, inner) in node.entries().iter().filter(|(key, _)| key != "status") {
        path.push('.');
        path.push_str(key);
        alike(inner, path, finder);
        path.truncate(before);
    }
    if !node.items().is_empty() {
        path.push_str("[]");
        node.items().iter().for_each(|item| alike(item, path, finder));
        path.truncate(before);
    }
    let Some(text) = node.text().map(str::trim) else { return };
    let is_image = path.rsplit_once('.').is_some_and(|(_, key)| key == "image") && text.parse::<Reference>().is_ok();
    // An argument has it behind the name of its flag.
    match text.rsplit_once('=') {
        _ if is_image || looks_like_image(text) => finder.alike(text, || {
            let taken = match said(path) {
                Some(path) => format!("`kubernetes:FILE#{path}` takes what is there"),
                None => "`list:FILE` takes it from a file".to_owned(),
            };
            format!("line {}: it looks like an image; {taken}", node.line)
        }),
        Some((_, value)) if looks_like_image(value) => finder.alike(value, || {
            format!("line {}: it looks like an image in an argument; `list:FILE` takes it from a file", node.line)
        }),
        _ => {}
    }
}

/// A path as a source says it: in the items of lists, with keys that can be written.
fn said(path: &str) -> Option<&str> {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(".items[]") {
        path = rest;
    }
    let is_written = |character: char| character.is_ascii_alphanumeric() || "._-[]".contains(character);
    (!path.is_empty() && path.chars().all(is_written)).then_some(path)
}

/// Whether it has what hardly anything but an image has: a registry, and a tag or a digest.
fn looks_like_image(text: &str) -> bool {
    let Some((host, rest)) = text.split_once('/') else { return false };
    let has_registry = host.contains('.') || host.contains(':') || host == "localhost";
    let has_tag = rest.contains('@') || rest.rsplit('/').next().is_some_and(|last| last.contains(':'));
    has_registry && has_tag && text.len() <= MAX_IMAGE_BYTES && text.parse::<Reference>().is_ok()
}

/// Takes images wherever containers or volumes of images are.
fn pods(node: &Node, finder: &mut Finder) -> Result<()> {
    for (key, inner) in node.entries() {
        if CONTAINERS.contains(&key.as_str()) {
            for container in inner.items() {
                image(container.get("image"), finder)?;
            }
        } else if key == "volumes" {
            for volume in inner.items() {
                image(volume.get("image").and_then(|image| image.get("reference")), finder)?;
            }
        }
        pods(inner, finder)?;
    }
    node.items().iter().try_for_each(|item| pods(item, finder))
}

fn image(node: Option<&Node>, finder: &mut Finder) -> Result<()> {
    match node.map(|node| (node, node.text().map(str::trim))) {
        Some((node, Some(name))) if !name.is_empty() => finder.take_name(name, Some(node.line)),
        _ => Ok(()),
    }
}

/// A resource, or each one of a list.
fn resources(node: &Node, each: &mut dyn FnMut(&Node) -> Result<()>) -> Result<()> {
    let is_list = node.text_of("kind").is_some_and(|kind| kind.ends_with("List"));
    match node.get("items") {
        Some(items) if is_list => items.items().iter().try_for_each(|item| resources(item, each)),
        _ => each(node),
    }
}

/// One step of a path.
enum Step<'p> {
    Key(&'p str),
    Each,
}

fn steps(path: &str) -> Result<Vec<Step<'_>>> {
    let refuse = || {
        Error::new(Kind::Usage, format!("`{}` is not a path to images", shown(path)))
            .hint("A path has keys behind dots, and `[]` for each item of a list: `.spec.nodes[].image`.")
    };
    let mut steps = Vec::new();
    for part in path.strip_prefix('.').unwrap_or(path).split('.') {
        let key = part.trim_end_matches("[*]").trim_end_matches("[]");
        if key.is_empty() || key.contains(['[', ']', '*']) {
            return Err(refuse());
        }
        steps.push(Step::Key(key));
        match &part[key.len()..] {
            "" => {}
            "[]" | "[*]" => steps.push(Step::Each),
            _ => return Err(refuse()),
        }
    }
    Ok(steps)
}

fn at(node: &Node, steps: &[Step<'_>], path: &str, used: &mut bool, finder: &mut Finder) -> Result<()> {
    match (steps.first(), &node.value) {
        (None, Value::Null) => Ok(()),
        (None, Value::Scalar(name)) => {
            *used = true;
            finder.take_name(name.trim(), Some(node.line))
        }
        (None, _) => {
            *used = true;
            finder.skip(path, format!("line {}: it is no text", node.line))
        }
        (Some(Step::Key(key)), _) => node.get(key).map_or(Ok(()), |inner| at(inner, &steps[1..], path, used, finder)),
        (Some(Step::Each), _) => node.items().iter().try_for_each(|item| at(item, &steps[1..], path, used, finder)),
    }
}
