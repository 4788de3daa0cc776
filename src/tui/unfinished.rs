//! What runs, remembered in the data directory, so that what a kill or a lost terminal cut is offered again at the next start.
//!
//! `interface/PID.json` belongs to one running interface, which holds a lock on it as long as it lives. A file whose lock is
//! free has outlived its owner. Remembering is a courtesy: where it can't be done, nothing else fails.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::work::Request;
use crate::engine::publish::plan::PublishRequest;
use crate::engine::request::{AddRequest, Pick};
use crate::store::private;

/// The most that is read of a file, and the most files.
const MAX_FILE_BYTES: u64 = 1 << 20;
const MAX_FILES: usize = 50;

/// A request as it is written down: in the words of the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verb")]
enum Written {
    Add {
        source: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        platforms: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default)]
        all_manifests: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        insecure: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    },
    /// Bring images up to date; none: all.
    Update { images: Vec<String> },
    /// Run these rules; none: all.
    Rules { rules: Vec<String> },
    /// Publish to these targets; none: all.
    Publish { targets: Vec<String> },
}

/// What one interface has running.
pub(super) struct Unfinished {
    directory: PathBuf,
    file: Option<(File, PathBuf)>,
}

impl Unfinished {
    /// Of this data directory; nothing is written yet.
    pub(super) fn open(data_dir: &Path) -> Self {
        Self { directory: data_dir.join("interface"), file: None }
    }

    /// What interfaces that are gone had running; it is forgotten by that.
    pub(super) fn take_cut(&mut self) -> Vec<Request> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut written: Vec<Written> = Vec::new();
        for entry in entries.flatten().take(MAX_FILES) {
            let path = entry.path();
            let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
            if file.try_lock().is_err() {
                continue;
            }
            let mut text = String::new();
            if (&file).take(MAX_FILE_BYTES).read_to_string(&mut text).is_ok() {
                let found: Vec<Written> = serde_json::from_str(&text).unwrap_or_default();
                written.extend(found);
            }
            let _ = fs::remove_file(&path);
        }
        requests(written)
    }

    pub(super) fn remember(&mut self, requests: &[Request]) {
        let written: Vec<Written> = requests.iter().flat_map(write).collect();
        if written.is_empty() {
            if let Some((_, path)) = self.file.take() {
                let _ = fs::remove_file(path);
            }
            return;
        }
        if self.file.is_none() {
            self.file = self.own();
        }
        if let (Some((file, _)), Ok(text)) = (&mut self.file, serde_json::to_vec(&written)) {
            let _ = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(&text));
        }
    }

    fn own(&self) -> Option<(File, PathBuf)> {
        private::make_directories(&self.directory).ok()?;
        private::tighten(&self.directory);
        let path = self.directory.join(format!("{}.json", std::process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(private::FILE_MODE);
        let file = options.open(&path).ok()?;
        file.try_lock().ok()?;
        Some((file, path))
    }
}

fn write(request: &Request) -> Vec<Written> {
    match request {
        Request::Add(requests) => requests
            .iter()
            .map(|request| Written::Add {
                source: request.source.to_string(),
                platforms: request.selection.as_ref().map(ToString::to_string),
                name: request.name.as_ref().map(|name| match &name.tag {
                    Some(tag) => format!("{}:{tag}", name.name),
                    None => name.name.to_string(),
                }),
                all_manifests: request.all_manifests,
                insecure: request.insecure,
                rule: request.rule.clone(),
            })
            .collect(),
        Request::Update(picks) => vec![Written::Update { images: picks.iter().map(ToString::to_string).collect() }],
        Request::Rules(only) => vec![Written::Rules { rules: only.clone() }],
        // Rolling back is for a moment that has passed.
        Request::Publish(request) if request.root.is_none() => {
            vec![Written::Publish { targets: request.targets.clone() }]
        }
        Request::Publish(_)
        | Request::Remove(_)
        | Request::Undo
        | Request::Redo
        | Request::Gc
        | Request::Forget(_)
        | Request::RemoveTarget(_)
        | Request::StopFollowing => Vec::new(),
    }
}

/// As few requests as possible: all images to add are one. What can't be read is left out.
fn requests(written: Vec<Written>) -> Vec<Request> {
    let (mut adds, mut others) = (Vec::new(), Vec::new());
    for written in written {
        match written {
            Written::Add { source, platforms, name, all_manifests, insecure, rule } => {
                let Ok(source) = source.parse() else { continue };
                let mut request = AddRequest::new(source);
                request.selection = platforms.and_then(|platforms| platforms.parse().ok());
                request.name = name.and_then(|name| name.parse().ok());
                (request.all_manifests, request.insecure, request.rule) = (all_manifests, insecure, rule);
                adds.push(request);
            }
            Written::Update { images } => {
                let picks: Vec<Pick> = images.iter().filter_map(|image| image.parse().ok()).collect();
                // All of them were meant only if none was named.
                if picks.len() == images.len() {
                    others.push(Request::Update(picks));
                }
            }
            Written::Rules { rules } => others.push(Request::Rules(rules)),
            Written::Publish { targets } => {
                others.push(Request::Publish(PublishRequest { targets, ..PublishRequest::default() }));
            }
        }
    }
    let adds = (!adds.is_empty()).then_some(Request::Add(adds));
    adds.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_comes_back_once_and_what_runs_elsewhere_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = Unfinished::open(directory.path());
        let mut add = AddRequest::new("docker.io/library/nginx:alpine".parse().unwrap());
        add.selection = Some("linux/arm64".parse().unwrap());
        let update = Request::Update(vec!["library/redis:7".parse().unwrap()]);
        let rules = Request::Rules(vec!["nginx".to_owned()]);
        first.remember(&[Request::Add(vec![add.clone()]), update, rules.clone(), Request::Gc]);

        let mut second = Unfinished::open(directory.path());
        assert!(second.take_cut().is_empty(), "its owner lives");
        drop(first);
        let cut = second.take_cut();
        let [Request::Add(adds), Request::Update(picks), ruled] = cut.as_slice() else { panic!("{cut:?}") };
        assert_eq!((&adds[0].source, &adds[0].selection), (&add.source, &add.selection));
        assert_eq!((picks[0].to_string().as_str(), ruled), ("library/redis:7", &rules));
        assert!(second.take_cut().is_empty(), "once is enough");
    }

    #[test]
    fn what_ended_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = Unfinished::open(directory.path());
        first.remember(&[Request::Publish(PublishRequest::default())]);
        first.remember(&[]);
        drop(first);
        assert!(Unfinished::open(directory.path()).take_cut().is_empty());
    }
}
