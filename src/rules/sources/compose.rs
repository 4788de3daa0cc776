//! Compose files (Compose specification, compose-spec.io).

use std::collections::BTreeMap;

use super::found::{Finder, Found, shown};
use super::variables::{Escape, interpolate};
use crate::error::{Context as _, Error, Kind, Result};
use crate::rules::yaml::{Node, documents};
use crate::text::printable;

/// What the files together say about one service.
#[derive(Default)]
struct Service<'f> {
    image: Option<Written<'f>>,
    /// Images of its volumes (`type: image`).
    volumes: Vec<Written<'f>>,
    builds: bool,
    /// `pull_policy: build`: its image is the name of what is built.
    only_built: bool,
    /// The file or the service that it extends.
    extends: Option<String>,
    provider: bool,
}

/// A name as a file has it.
#[derive(Clone, Copy)]
struct Written<'f> {
    file: &'f str,
    line: usize,
    text: &'f str,
}

/// The images of compose files, which are merged in their order: each is a name and its text.
///
/// `env` has the variables of `.env`; a variable that is not there and has no default is an error.
pub fn compose(files: &[(&str, &str)], env: &BTreeMap<String, String>) -> Result<Found> {
    let mut finder = Finder::default();
    let mut trees = Vec::new();
    for (name, text) in files {
        let documents = documents(text).context(|| printable(name))?;
        trees.extend(documents.into_iter().map(|document| (*name, document)));
    }
    let mut services: Vec<(&str, Service<'_>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, document) in &trees {
        if !document.is_map() {
            return Err(Error::new(Kind::Usage, "it is not a compose file: it is no map").context(printable(file)));
        }
        for include in included(document) {
            finder.skip(&include, "it is included by the compose file: name it as a source of its own")?;
        }
        for (name, _) in document.get("models").map(Node::entries).unwrap_or_default() {
            finder.skip(name, "it is a model, not an image")?;
        }
        for (name, node) in document.get("services").map(Node::entries).unwrap_or_default() {
            let place = *places.entry(name).or_insert_with(|| {
                services.push((name, Service::default()));
                services.len() - 1
            });
            services[place].1.merge(file, node);
        }
    }
    for (name, service) in &services {
        service.find(name, &places, env, files.len() == 1, &mut finder)?;
    }
    Ok(finder.found())
}

/// The files that a file includes, or what it says instead of a path.
fn included(document: &Node) -> Vec<String> {
    let Some(include) = document.get("include") else { return Vec::new() };
    let path = |node: &Node| match (node.text(), node.get("path")) {
        (Some(path), _) => vec![path.to_owned()],
        (None, Some(path)) => {
            let many = path.items().iter().filter_map(Node::text).map(str::to_owned);
            path.text().map(str::to_owned).into_iter().chain(many).collect()
        }
        (None, None) => vec!["include".to_owned()],
    };
    include.items().iter().flat_map(path).collect()
}

impl<'f> Service<'f> {
    fn merge(&mut self, file: &'f str, node: &'f Node) {
        let written = |node: &'f Node| node.text().map(|text| Written { file, line: node.line, text });
        if let Some(image) = node.get("image").and_then(written) {
            self.image = Some(image);
        }
        self.builds |= node.get("build").is_some();
        self.provider |= node.get("provider").is_some();
        if let Some(policy) = node.text_of("pull_policy") {
            self.only_built = policy == "build";
        }
        match node.get("extends") {
            Some(extends) if extends.get("file").is_some() => {
                self.extends = extends.text_of("file").map(str::to_owned);
            }
            Some(extends) => {
                self.extends = extends.text().or(extends.text_of("service")).map(str::to_owned);
            }
            None => {}
        }
        let volumes = node.get("volumes").map(Node::items).unwrap_or_default();
        let images = volumes.iter().filter(|volume| volume.text_of("type") == Some("image"));
        self.volumes.extend(images.filter_map(|volume| volume.get("source")).filter_map(written));
    }

    fn find(
        &self,
        name: &str,
        services: &BTreeMap<&str, usize>,
        env: &BTreeMap<String, String>,
        one_file: bool,
        finder: &mut Finder,
    ) -> Result<()> {
        match &self.image {
            Some(image) if self.builds && self.only_built => {
                finder.skip(name, format!("`{}` is built, never pulled", shown(image.text)))?;
            }
            Some(image) => image.take(name, env, one_file, finder)?,
            None if self.extends.as_deref().is_some_and(|other| services.contains_key(other)) => {}
            None => match &self.extends {
                Some(other) => {
                    finder.skip(name, format!("it extends `{}`, which is not among these files", shown(other)))?;
                }
                None if self.builds => finder.skip(name, "it is built, and has no image to pull")?,
                None if self.provider => finder.skip(name, "another program provides it")?,
                None => finder.skip(name, "it has no image")?,
            },
        }
        self.volumes.iter().try_for_each(|image| image.take(name, env, one_file, finder))
    }
}

impl Written<'_> {
    fn take(&self, service: &str, env: &BTreeMap<String, String>, one_file: bool, finder: &mut Finder) -> Result<()> {
        let place = || {
            let (file, service) = (printable(self.file), shown(service));
            format!("{file}: line {}: service `{service}`", self.line)
        };
        let name = interpolate(self.text, Escape::Dollar, &|name| env.get(name).cloned()).map_err(|why| {
            let hint = "Set the variable in `.env`, or give it a default: `${NAME:-value}`.";
            Error::new(Kind::Usage, why.words()).hint(hint).context(place())
        })?;
        let reference = name.trim().parse().context(place)?;
        finder.take(reference, one_file.then_some(self.line))
    }
}
