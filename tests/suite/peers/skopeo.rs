//! skopeo: copies images between layouts, directories and registries; the suite's second opinion on what is served.

use super::{Directory, Finished, command, finish, program};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// skopeo with a home of its own.
pub(crate) struct Skopeo {
    home: Directory,
}

impl Skopeo {
    /// One with no credentials and no configuration.
    pub(crate) fn new() -> Self {
        let home = Directory::new();
        home.write("registries.conf", "unqualified-search-registries = []\n");
        home.write("policy.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
        home.make("registries.d");
        Self { home }
    }

    /// Where it looks for registries.
    pub(crate) fn registries(&self) -> PathBuf {
        self.home.join(".config/containers/registries.conf.d")
    }

    /// Runs it with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        let mut skopeo = command(program("skopeo"), self.home.path());
        skopeo
            .arg("--policy")
            .arg(self.home.join("policy.json"))
            .arg("--registries-conf")
            .arg(self.home.join("registries.conf"))
            .arg("--registries.d")
            .arg(self.home.join("registries.d"))
            .arg("--tmpdir")
            .arg(self.home.path())
            .args(arguments);
        finish(&skopeo)
    }

    /// `skopeo copy` with these arguments, which must succeed.
    #[track_caller]
    pub(crate) fn copy(&self, arguments: &[&str]) {
        let mut words = vec!["copy"];
        words.extend(arguments);
        self.run(&words).success();
    }

    /// Copies an image with all its platforms to files; gives every file's bytes by its name.
    #[track_caller]
    pub(crate) fn files(&self, reference: &str, options: &[String]) -> BTreeMap<PathBuf, Vec<u8>> {
        let directory = Directory::new();
        let (from, to) = (format!("docker://{reference}"), format!("dir:{}", directory.path().display()));
        let mut words = vec!["--all"];
        words.extend(options.iter().map(String::as_str));
        words.extend([from.as_str(), to.as_str()]);
        self.copy(&words);
        files(directory.path())
    }

    /// The tags of a repository, over plain HTTP.
    #[track_caller]
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let listed = self.run(&["list-tags", "--tls-verify=false", &format!("docker://{repository}")]).success();
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        let tags = listed["Tags"].as_array().expect("tags").iter();
        tags.map(|tag| String::from(tag.as_str().expect("a tag"))).collect()
    }
}

/// Every file below a directory, by its path there.
pub(crate) fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_path_buf()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(&next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below it").to_path_buf();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}
