//! Kubernetes manifests: the images of everything that has a pod template (Kubernetes API reference, "PodSpec").

use super::found::{Finder, Found, shown};
use crate::error::{Error, Kind, Result};
use crate::rules::yaml::{Node, Value, documents};

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
    Ok(finder.found())
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
