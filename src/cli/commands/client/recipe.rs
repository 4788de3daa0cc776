//! What a client has to be told: files, where they go, and what to know.
//!
//! Pure values; each client's own file makes them.

use std::fmt::Write as _;

use serde::Serialize;

use super::mirrors::Mirrors;
use super::nodes::NodeSetup;
use super::source::{HostKind, Source};

/// The clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Client {
    /// podman, and buildah with it.
    #[value(alias = "buildah")]
    Podman,
    /// Docker Engine.
    Docker,
    /// containerd, for Kubernetes and `ctr`.
    Containerd,
    /// CRI-O, for Kubernetes.
    #[value(name = "cri-o", alias = "crio")]
    CriO,
    /// k3s and RKE2.
    K3s,
    /// nerdctl.
    Nerdctl,
    /// skopeo.
    Skopeo,
    /// A Kubo that takes blocks from here.
    #[value(alias = "ipfs")]
    Kubo,
    /// Kubernetes on containerd: each node follows and serves itself.
    Kubernetes,
}

impl Client {
    /// Its name as its people write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::K3s => "k3s",
            Self::Nerdctl => "nerdctl",
            Self::Skopeo => "skopeo",
            Self::Kubo => "kubo",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// All that a recipe depends on.
#[derive(Debug)]
pub(super) struct ClientSetup {
    pub(super) client: Client,
    pub(super) source: Source,
    /// What sort of host that is.
    pub(super) kind: HostKind,
    /// Whether that is known, and not only likely.
    pub(super) sure: bool,
    /// A host that sets media types, for clients that take only the bytes from a gateway.
    pub(super) types_from: Option<Source>,
    /// What else it stands in for.
    pub(super) mirrors: Mirrors,
    /// What runs on each node of a cluster.
    pub(super) nodes: Option<NodeSetup>,
    /// An image that is there, by its shortest name.
    pub(super) example: Option<String>,
}

impl ClientSetup {
    /// An image's name at a host, to show commands with.
    pub(super) fn image_at(&self, host: &str) -> String {
        format!("{host}/{}", self.example.as_deref().unwrap_or("NAME:TAG"))
    }

    /// An image's name where it is pulled from.
    pub(super) fn image(&self) -> String {
        self.image_at(&self.source.host)
    }

    /// The first line of a file in which `#` begins a comment.
    pub(super) fn heading(&self) -> String {
        heading(self.client, &self.source)
    }
}

/// The first line of a file for this client.
pub(super) fn heading(client: Client, source: &Source) -> String {
    format!("# Written by `roadstead client {}`: pull from {source}.\n", client.name())
}

/// A file of the client's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct File {
    /// Path below the place where the client looks.
    pub(super) path: String,
    pub(super) text: String,
    /// How it is put together with one that is there.
    #[serde(skip)]
    pub(super) kept: Kept,
    /// Whether it is printed as a comment, beside a file that other programs read from standard output.
    #[serde(skip)]
    pub(super) is_aside: bool,
}

/// What becomes of a file that is there already and has different contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Nothing,
    /// The file's JSON keeps what it has; ours is added.
    Settings,
}

/// What a client has to be told. The JSON of `client`.
#[derive(Debug, Serialize)]
pub(super) struct Recipe {
    pub(super) client: Client,
    /// Where it pulls from.
    pub(super) from: String,
    /// What sort of host that is.
    pub(super) kind: HostKind,
    /// Whether it can pull from there with this.
    pub(super) usable: bool,
    /// Where it looks for its configuration, if its files go anywhere; empty if their paths say it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<&'static str>,
    /// Where it looks for one user's, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_place: Option<&'static str>,
    pub(super) files: Vec<File>,
    /// Commands that make it read them.
    pub(super) reload: Vec<String>,
    /// What to know, a sentence each.
    pub(super) notes: Vec<String>,
    /// Commands to pull with.
    pub(super) pull: Vec<String>,
}

impl Recipe {
    pub(super) fn new(setup: &ClientSetup, place: &'static str) -> Self {
        Self {
            client: setup.client,
            from: setup.source.to_string(),
            kind: setup.kind,
            usable: true,
            place: Some(place),
            user_place: None,
            files: Vec::new(),
            reload: Vec::new(),
            notes: Vec::new(),
            pull: Vec::new(),
        }
    }

    /// One whose files are run or handed over, and go nowhere.
    pub(super) fn without_place(setup: &ClientSetup) -> Self {
        Self { place: None, ..Self::new(setup, "") }
    }

    /// Adds a file that replaces what has its name.
    pub(super) fn file(&mut self, path: impl Into<String>, text: String) {
        self.file_aside(path, text, false);
    }

    /// Adds a file that may be printed as a comment.
    pub(super) fn file_aside(&mut self, path: impl Into<String>, text: String, is_aside: bool) {
        self.files.push(File { path: path.into(), text, kept: Kept::Nothing, is_aside });
    }

    /// The files one after the other, each below its path; those that are aside as comments.
    pub(super) fn printed(&self) -> String {
        let mut text = String::new();
        for (index, file) in self.files.iter().enumerate() {
            text.push_str(if index > 0 { "\n" } else { "" });
            let place = match self.place {
                // JSON has no comments.
                _ if file.kept == Kept::Settings => None,
                None if file.is_aside => Some(""),
                place => place,
            };
            if let Some(place) = place {
                // Writing to a String can't fail.
                let _ = writeln!(text, "# {place}/{}", file.path);
            }
            if file.is_aside {
                for line in file.text.lines() {
                    text.push_str(if line.is_empty() { "#" } else { "# " });
                    text.push_str(line);
                    text.push('\n');
                }
            } else {
                text.push_str(&file.text);
            }
        }
        text
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}
