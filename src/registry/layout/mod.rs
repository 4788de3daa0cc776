//! Images on this machine: an OCI layout in a directory or in an uncompressed tar archive (OCI image spec, image-layout.md).
//!
//! Knows the layout, the annotations by which tools name images in it, and how bytes lie in files. What is in it is as
//! untrusted as what a registry sends.

mod archive;
mod file_body;
mod source;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use super::{BlobBody, Fetched, Head, MAX_MANIFEST_BYTES, Registry, Wanted};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Body, Descriptor, Digest, Manifest, Reference, RepositoryName, Tag, Target};
use crate::text::printable_within;

use archive::TarIndex;
pub(super) use file_body::FileBody;
pub use source::{LayoutKind, LocalSource};

/// The annotation that names an image within a layout (OCI image spec, annotations.md).
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation by which containerd, buildx and `docker save` name an image in full.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// Largest `index.json` that is read.
const MAX_INDEX_BYTES: u64 = MAX_MANIFEST_BYTES as u64;

/// An OCI layout, opened, and the image in it that was chosen.
#[derive(Debug, Clone)]
pub struct Layout {
    source: LocalSource,
    place: LayoutFiles,
    entries: Arc<Vec<Descriptor>>,
    root: Descriptor,
    name: Option<Reference>,
    found: Arc<Lookup>,
}

/// What is asked of all entries, looked up once: a layout may have as many as fit its index.
#[derive(Debug, Default)]
struct Lookup {
    tags: OnceLock<HashMap<Tag, Digest>>,
    referrers: OnceLock<HashMap<Digest, Vec<Descriptor>>>,
}

#[derive(Debug, Clone)]
enum LayoutFiles {
    Directory(PathBuf),
    Archive(Arc<TarIndex>),
}

impl Layout {
    /// Opens a layout, reads its index and chooses the image that the source names, or the only one.
    pub async fn open(source: &LocalSource) -> Result<Self> {
        let source = source.clone();
        blocking(move || Self::open_now(source)).await
    }

    fn open_now(source: LocalSource) -> Result<Self> {
        let what = || source.to_string();
        let place = match source.kind {
            LayoutKind::Directory => {
                let metadata = std::fs::metadata(&source.path).map_err(missing).context(what)?;
                if !metadata.is_dir() {
                    let hint = format!("For an archive write `oci-archive:{}`.", source.path.display());
                    return Err(Error::new(Kind::Usage, format!("{}: it is not a directory", what())).hint(hint));
                }
                LayoutFiles::Directory(source.path.clone())
            }
            LayoutKind::Archive => LayoutFiles::Archive(Arc::new(TarIndex::read(&source.path).context(what)?)),
        };
        let bytes = place.read("index.json", MAX_INDEX_BYTES).context(what)?;
        // The file's name says what it is; old writers leave out its media type.
        let index = Manifest::parse(&bytes, None).context(|| format!("{}: index.json", what()))?;
        let Body::Index { manifests: entries } = index.body else {
            return Err(Error::new(Kind::Verification, format!("{}: index.json is not an index", what())));
        };
        let root = choose(&entries, source.name.as_deref()).context(what)?.clone();
        let name = full_name(&root);
        Ok(Self { source, place, entries: Arc::new(entries), root, name, found: Arc::default() })
    }

    /// The image that was chosen: its manifest or index.
    pub fn root(&self) -> &Descriptor {
        &self.root
    }

    /// The name that the layout itself gives the image, if it gives a full one.
    pub fn suggested_name(&self) -> Option<&Reference> {
        self.name.as_ref()
    }

    /// The tag that the layout itself gives the image, if it gives one.
    pub fn suggested_tag(&self) -> Option<Tag> {
        let named = self.name.as_ref().and_then(|name| name.tag.clone());
        named.or_else(|| tag_of(&self.root)).or_else(|| self.source.name.as_deref()?.parse().ok())
    }

    fn find(&self, target: &Target) -> Result<Digest> {
        let tag = match target {
            Target::Digest(digest) => return Ok(*digest),
            Target::Tag(tag) => tag,
        };
        if self.suggested_tag().as_ref() == Some(tag) {
            return Ok(self.root.digest);
        }
        let tags = self.found.tags.get_or_init(|| {
            // The first one of a name is meant.
            self.entries.iter().rev().filter_map(|entry| Some((tag_of(entry)?, entry.digest))).collect()
        });
        tags.get(tag)
            .copied()
            .ok_or_else(|| Error::new(Kind::NotFound, format!("{}: there is no tag `{tag}` in it", self.source)))
    }

    fn manifest_now(&self, target: &Target) -> Result<Fetched> {
        let digest = self.find(target)?;
        let what = || format!("{}: manifest {digest}", self.source);
        let bytes = self.place.read(&blob_path(&digest), MAX_MANIFEST_BYTES as u64).context(what)?;
        let computed = Digest::of(&bytes);
        if computed != digest {
            return Err(Error::new(Kind::Verification, format!("{}: its digest is {computed}", what())));
        }
        Ok(Fetched { bytes: bytes.into(), digest, content_type: None })
    }

    /// The entries that are about another manifest, by that one's digest. Each manifest is read once, however many entries
    /// have it and however many subjects are asked for.
    fn referrers_now(&self) -> &HashMap<Digest, Vec<Descriptor>> {
        self.found.referrers.get_or_init(|| {
            let mut found: HashMap<Digest, Vec<Descriptor>> = HashMap::new();
            let mut seen = HashSet::new();
            for entry in self.entries.iter().filter(|entry| entry.size <= MAX_INDEX_BYTES && seen.insert(entry.digest))
            {
                // An entry that can't be read is no referrer; whoever wants it for itself will hear why.
                let Ok(fetched) = self.manifest_now(&Target::Digest(entry.digest)) else { continue };
                let Ok(manifest) = Manifest::parse(&fetched.bytes, None) else { continue };
                if let Some(subject) = &manifest.subject {
                    let mut descriptor = entry.clone();
                    descriptor.artifact_type = manifest.shown_artifact_type().map(str::to_owned);
                    descriptor.annotations.clone_from(&manifest.annotations);
                    found.entry(subject.digest).or_default().push(descriptor);
                }
            }
            found
        })
    }
}

impl LayoutFiles {
    /// A regular file of the layout, its first byte and its size.
    fn file(&self, name: &str) -> Result<(File, u64, u64)> {
        match self {
            Self::Directory(root) => open_regular(root, name),
            Self::Archive(index) => index.file(name),
        }
    }

    fn read(&self, name: &str, cap: u64) -> Result<Vec<u8>> {
        let (file, start, size) = self.file(name)?;
        if size > cap {
            let words = format!("{name} is larger than the {} that are allowed", crate::text::bytes(cap));
            return Err(Error::new(Kind::Verification, words));
        }
        let mut bytes = vec![0; size as usize];
        // By position: the archive's handles share one offset.
        file.read_exact_at(&mut bytes, start).context(|| name.to_owned())?;
        Ok(bytes)
    }
}

/// Opens a file below the layout's directory; links out of it are not followed.
fn open_regular(root: &Path, name: &str) -> Result<(File, u64, u64)> {
    use rustix::fs::OFlags;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(root.join(name));
    let file = match opened {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(Error::new(Kind::Usage, format!("{name} is a symbolic link, which is not followed")));
        }
        other => other.map_err(missing).context(|| name.to_owned())?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Error::new(Kind::Usage, format!("{name} is not a regular file")));
    }
    Ok((file, 0, metadata.len()))
}

fn missing(error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        Error::new(Kind::NotFound, "there is no such file")
    } else {
        error.into()
    }
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The full name that tools give an entry.
fn full_name(entry: &Descriptor) -> Option<Reference> {
    let written = |key| entry.annotations.get(key).map(String::as_str);
    let full = |name: &str| (name.contains(['/', ':'])).then(|| name.parse::<Reference>().ok()).flatten();
    written(IMAGE_NAME).and_then(|name| name.parse().ok()).or_else(|| written(REF_NAME).and_then(full))
}

fn tag_of(entry: &Descriptor) -> Option<Tag> {
    let own = entry.annotations.get(REF_NAME).and_then(|name| name.parse().ok());
    own.or_else(|| full_name(entry).and_then(|name| name.tag))
}

/// The entry that is meant by `name`, or the only one.
fn choose<'a>(entries: &'a [Descriptor], name: Option<&str>) -> Result<&'a Descriptor> {
    let images: Vec<&Descriptor> = entries.iter().filter(|entry| entry.attests().is_none()).collect();
    let listed = || {
        let names: BTreeSet<String> = images
            .iter()
            .map(|entry| {
                let name = entry.annotations.get(REF_NAME).or_else(|| entry.annotations.get(IMAGE_NAME));
                name.map_or_else(|| entry.digest.to_string(), |name| format!("`{}`", printable_within(name, 100)))
            })
            .collect();
        let shown: Vec<String> = names.into_iter().take(20).collect();
        format!("It contains {}.", shown.join(", "))
    };
    let Some(name) = name else {
        let Some(first) = images.first() else { return Err(Error::new(Kind::NotFound, "there is no image in it")) };
        if images.iter().any(|entry| entry.digest != first.digest) {
            let words = format!("there are {} images in it", images.len());
            return Err(Error::new(Kind::Usage, words)
                .hint(format!("{} Choose one: `oci:DIR:TAG` or `oci-archive:FILE:TAG`.", listed())));
        }
        return Ok(first);
    };
    let exactly = |entry: &&&Descriptor| {
        let written = |key| entry.annotations.get(key).map(String::as_str) == Some(name);
        written(REF_NAME) || written(IMAGE_NAME) || entry.digest.to_string() == name
    };
    let by_tag = |entry: &&&Descriptor| tag_of(entry).is_some_and(|tag| tag.as_str() == name);
    let by_reference = |entry: &&&Descriptor| {
        name.parse::<Reference>().is_ok_and(|wanted| name.contains(['/', ':']) && full_name(entry) == Some(wanted))
    };
    let found = images.iter().find(exactly).or_else(|| images.iter().find(by_tag));
    found.or_else(|| images.iter().find(by_reference)).copied().ok_or_else(|| {
        let words = format!("there is no image `{}` in it", printable_within(name, 200));
        Error::new(Kind::NotFound, words).hint(listed())
    })
}

/// Runs what reads files where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::new(Kind::Unexpected, error.to_string()))?
}

#[async_trait]
impl Registry for Layout {
    async fn head(&self, repository: &RepositoryName, target: &Target) -> Result<Head> {
        let fetched = self.manifest(repository, target).await?;
        Ok(Head { digest: Some(fetched.digest), media_type: None, size: Some(fetched.bytes.len() as u64) })
    }

    async fn manifest(&self, _repository: &RepositoryName, target: &Target) -> Result<Fetched> {
        let (layout, target) = (self.clone(), target.clone());
        blocking(move || layout.manifest_now(&target)).await
    }

    async fn blob(&self, _repository: &RepositoryName, digest: &Digest, size: u64, from: u64) -> Result<BlobBody> {
        let what = format!("{}: blob {digest}", self.source);
        let (place, digest, named) = (self.place.clone(), *digest, what.clone());
        let (file, start, actual) = blocking(move || place.file(&blob_path(&digest)).context(|| named)).await?;
        if actual != size {
            return Err(Error::new(Kind::Verification, format!("{what}: it has {actual} bytes instead of {size}")));
        }
        if from > size {
            let words = format!("{what}: it has {size} bytes, but is wanted from byte {from} on");
            return Err(Error::new(Kind::Usage, words));
        }
        Ok(BlobBody::file(FileBody::new(what, file, start, size, from)))
    }

    async fn tags(&self, _repository: &RepositoryName, _wanted: Wanted) -> Result<Vec<Tag>> {
        let tags: BTreeSet<Tag> = self.entries.iter().filter_map(tag_of).collect();
        Ok(tags.into_iter().collect())
    }

    async fn referrers(
        &self,
        _repository: &RepositoryName,
        subject: &Digest,
        _tags: Option<&BTreeSet<Tag>>,
    ) -> Result<Vec<Descriptor>> {
        let (layout, subject) = (self.clone(), *subject);
        blocking(move || {
            let mut found = layout.referrers_now().get(&subject).cloned().unwrap_or_default();
            let mut known: HashSet<Digest> = found.iter().map(|descriptor| descriptor.digest).collect();
            let fallback = format!("sha256-{}", subject.hex()).parse::<Tag>()?;
            if let Ok(digest) = layout.find(&Target::Tag(fallback))
                && let Ok(fetched) = layout.manifest_now(&Target::Digest(digest))
                && let Ok(Body::Index { manifests }) = Manifest::parse(&fetched.bytes, None).map(|index| index.body)
            {
                found.extend(manifests.into_iter().filter(|descriptor| known.insert(descriptor.digest)));
            }
            Ok(found)
        })
        .await
    }

    /// Whoever has the files has decided.
    async fn is_private(&self, _repository: &RepositoryName, _target: &Target) -> Result<bool> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
