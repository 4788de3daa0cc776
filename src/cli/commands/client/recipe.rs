//! What a client has to be told: files, where they go, and what to know.
//!
//! Pure values; each client's own file makes them.

use serde::Serialize;

use super::mirrors::Mirrors;
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
        format!("# Written by `roadstead client {}`: pull from {}.\n", self.client.name(), self.source)
    }
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
    /// Where it looks for its configuration.
    pub(super) place: &'static str,
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
            place,
            user_place: None,
            files: Vec::new(),
            reload: Vec::new(),
            notes: Vec::new(),
            pull: Vec::new(),
        }
    }

    /// Adds a file that replaces what has its name.
    pub(super) fn file(&mut self, path: impl Into<String>, text: String) {
        self.files.push(File { path: path.into(), text, kept: Kept::Nothing });
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}
