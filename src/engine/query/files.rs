//! The files of an image: its layers' archives, read out of the store one after the other and put over one another.
//!
//! What a layer holds follows from its digest alone, so that is kept in memory for the next look, within a budget. Nothing is
//! fetched: a layer that is elsewhere says so.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use sha2::{Digest as _, Sha256};

use super::view::{ImageDetails, LayerDetails, ManifestDetails};
use crate::catalog::{blobs, left_blobs};
use crate::engine::Engine;
use crate::engine::job::{Event, Job};
use crate::engine::request::Pick;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::files::{Figures, Layer, Stage, Tree, Unpacked, Waste, check_footprint, commands};
use crate::image::{Digest, Platform, media};
use crate::text::printable;

/// Bytes of layers' lists of files that are kept in memory.
const MAX_KEPT_BYTES: usize = 128 << 20;

/// Which of an image's manifests is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Which {
    /// That of the platform which is mirrored by default if it has that, else its first.
    #[default]
    Usual,
    /// That of a platform.
    Platform(Platform),
    /// That of this digest.
    Manifest(Digest),
}

/// A layer of an image, and what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLayer {
    /// Digest of the layer as it is transferred.
    pub digest: Digest,
    /// Size of the layer as it is transferred, in bytes.
    pub size: u64,
    /// What made it, as the configuration says. Untrusted text, made printable.
    pub command: Option<String>,
    /// Regular files that it adds, and their bytes.
    pub added: (u64, u64),
    /// Regular files that it changes, and the bytes that they have now.
    pub changed: (u64, u64),
    /// Regular files that it takes away, and the bytes that they had.
    pub deleted: (u64, u64),
}

/// The files of one platform of an image.
#[derive(Debug)]
pub struct ImageFiles {
    /// `name:tag` or `name@digest`.
    pub image: String,
    /// Digest of the platform's manifest.
    pub manifest: Digest,
    /// Platform as `os/architecture[/variant]`, if the image says it.
    pub platform: Option<String>,
    /// All platforms of it whose files can be looked into, with the digests of their manifests.
    pub platforms: Vec<(Digest, String)>,
    /// The layers, base first.
    pub layers: Vec<FileLayer>,
    /// Every path, with what each layer made of it.
    pub tree: Tree,
    /// The image in figures.
    pub figures: Figures,
    /// Paths that waste something, the worst first.
    pub waste: Vec<Waste>,
}

/// What layers hold, by their digests: the ones that were looked into last.
#[derive(Debug)]
pub(in crate::engine) struct KnownLayers(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    layers: LruCache<Digest, Arc<Layer>>,
    bytes: usize,
}

impl Default for KnownLayers {
    fn default() -> Self {
        Self(Mutex::new(Kept { layers: LruCache::unbounded(), bytes: 0 }))
    }
}

impl KnownLayers {
    fn get(&self, digest: &Digest) -> Option<Arc<Layer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).layers.get(digest).cloned()
    }

    fn keep(&self, digest: Digest, layer: &Arc<Layer>, most: usize) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = kept.layers.put(digest, Arc::clone(layer)) {
            kept.bytes -= former.footprint();
        }
        kept.bytes += layer.footprint();
        while kept.bytes > most
            && let Some((_, oldest)) = kept.layers.pop_lru()
        {
            kept.bytes -= oldest.footprint();
        }
    }
}

impl Engine {
    /// The files of an image; of one platform. Reads the layers that are not known yet, so it may take a while: the job's meter
    /// says how far it is.
    pub fn image_files(&self, pick: &Pick, which: &Which, job: &Job) -> Result<ImageFiles> {
        let details = self.show(pick)?;
        let image = super::show::named(&details.row);
        let manifest = self.chosen(&details, which)?;
        job.meter().expect(manifest.layers.iter().map(|layer| layer.size).sum());
        let (mut layers, mut footprint) = (Vec::with_capacity(manifest.layers.len()), 0);
        for (place, layer) in manifest.layers.iter().enumerate() {
            job.check()?;
            job.tell(Event::Progress { what: "layers", done: place as u64, total: manifest.layers.len() as u64 });
            let read = self.layer(layer, job).context(|| format!("can't look into layer {} of {image}", place + 1))?;
            footprint += read.footprint();
            check_footprint(footprint).context(|| format!("can't look into {image}"))?;
            layers.push(read);
        }
        let tree = Tree::merge(layers).context(|| format!("can't look into {image}"))?;
        let mut commands = self.commands(manifest)?.into_iter();
        let mut shown = Vec::with_capacity(manifest.layers.len());
        for (place, layer) in manifest.layers.iter().enumerate() {
            job.check()?;
            let Stage { added, changed, deleted, .. } = Stage::of(&tree, place);
            let command = commands.next().flatten();
            shown.push(FileLayer { digest: layer.digest, size: layer.size, command, added, changed, deleted });
        }
        let (figures, waste) = tree.figures();
        let platform = |of: &&ManifestDetails| Some((of.digest, of.platform.clone()?));
        Ok(ImageFiles {
            platforms: images_of(&details).iter().filter_map(platform).collect(),
            image,
            manifest: manifest.digest,
            platform: manifest.platform.clone(),
            layers: shown,
            tree,
            figures,
            waste,
        })
    }

    /// As [`Engine::image_files`], on a thread that may wait.
    pub async fn look_into(self: &Arc<Self>, pick: Pick, which: Which, job: &Job) -> Result<ImageFiles> {
        let job = job.clone();
        self.blocking(move |engine| engine.image_files(&pick, &which, &job)).await
    }

    /// As [`Engine::read_image_file`], on a thread that may wait.
    pub async fn read_out(
        self: &Arc<Self>,
        files: Arc<ImageFiles>,
        path: String,
        layer: usize,
        job: &Job,
        take: impl FnMut(&[u8]) -> Result<()> + Send + 'static,
    ) -> Result<u64> {
        let job = job.clone();
        self.blocking(move |engine| engine.read_image_file(&files, &path, layer, &job, take)).await
    }

    /// Gives the content of a file of an image as of a layer, part by part and verified at the end; says how many bytes it has.
    pub fn read_image_file(
        &self,
        files: &ImageFiles,
        path: &str,
        layer: usize,
        job: &Job,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<u64> {
        let stored = files.tree.stored(path, layer).map_err(|error| error.context(&files.image))?;
        let blob = &files.layers[stored.layer];
        let mut hasher = Sha256::new();
        let bytes = Unpacked::new(self.open_layer(blob.digest, job)?)?;
        let copied = Layer::copy(bytes, stored.entry.number, |part| {
            hasher.update(part);
            take(part)
        });
        job.check()?;
        copied.context(|| format!("can't read layer {} of {}", stored.layer + 1, files.image))?;
        if stored.entry.digest != Some(Digest::from_bytes(hasher.finalize().into())) {
            return Err(Error::new(Kind::Verification, format!("layer {} is another one than before", blob.digest)));
        }
        Ok(stored.entry.size)
    }

    fn chosen<'d>(&self, details: &'d ImageDetails, which: &Which) -> Result<&'d ManifestDetails> {
        let all = images_of(details);
        let of_platform = |wanted: &Platform| {
            let means = |of: &&&ManifestDetails| {
                let has = of.platform.as_ref().and_then(|platform| platform.parse().ok());
                has.is_some_and(|has: Platform| wanted.means(&has))
            };
            all.iter().find(means).copied()
        };
        let image = super::show::named(&details.row);
        let missing = |what: String| {
            let has: Vec<&str> = all.iter().filter_map(|of| of.platform.as_deref()).collect();
            let error = Error::new(Kind::NotFound, what);
            if has.is_empty() { error } else { error.hint(format!("It has {}.", has.join(", "))) }
        };
        match which {
            Which::Usual => of_platform(&self.settings()?.default_platform)
                .or_else(|| all.first().copied())
                .ok_or_else(|| missing(format!("{image} has no image in it"))),
            Which::Platform(platform) => {
                of_platform(platform).ok_or_else(|| missing(format!("{image} is not here for {platform}")))
            }
            Which::Manifest(digest) => (all.iter().find(|of| of.digest == *digest).copied())
                .ok_or_else(|| missing(format!("{image} has no image {digest} in it"))),
        }
    }

    fn commands(&self, manifest: &ManifestDetails) -> Result<Vec<Option<String>>> {
        let Some(digest) = manifest.config.as_ref().and_then(|config| config.digest.parse::<Digest>().ok()) else {
            return Ok(Vec::new());
        };
        let size = blobs::by_digest(&*self.catalog.read()?, &digest)?.map(|blob| blob.size);
        let Some(size) = size else { return Ok(Vec::new()) };
        let bytes = self.stored_bytes(&digest, size)?.unwrap_or_default();
        let all = commands(&bytes, manifest.layers.len());
        Ok(all.into_iter().map(|command| command.map(|text| printable(&text))).collect())
    }

    fn layer(&self, layer: &LayerDetails, job: &Job) -> Result<Arc<Layer>> {
        if let Some(known) = self.known_layers.get(&layer.digest) {
            job.meter().find(layer.size);
            return Ok(known);
        }
        match media::layer_kind(&layer.media_type) {
            media::LayerKind::Files => {}
            media::LayerKind::Encrypted => {
                return Err(Error::new(Kind::Usage, format!("it is encrypted ({})", layer.media_type))
                    .hint("Only who has its key can look into it."));
            }
            media::LayerKind::Other => {
                return Err(Error::new(
                    Kind::Usage,
                    format!("it holds no files of an image, but {}", layer.media_type),
                ));
            }
        }
        let read = self.open_layer(layer.digest, job).and_then(|file| Layer::read(Unpacked::new(file)?));
        // What was cancelled fails like what is damaged.
        job.check()?;
        let read = Arc::new(read?);
        self.known_layers.keep(layer.digest, &read, MAX_KEPT_BYTES);
        Ok(read)
    }

    /// Opens a layer's blob, which is the one that was verified.
    fn open_layer<'j>(&self, digest: Digest, job: &'j Job) -> Result<Watched<'j>> {
        let reader = self.catalog.read()?;
        let Some(blob) = blobs::by_digest(&reader, &digest)? else {
            return Err(Error::new(Kind::NotFound, format!("{digest} is not mirrored"))
                .hint("`roadstead show` says why it is left out."));
        };
        let is_here = self.store.contains(&digest, blob.size)?;
        if !is_here && left_blobs::place(&reader, blob.id)?.is_some() {
            return Err(Error::new(
                Kind::NotFound,
                format!("{digest} is not here yet: it comes when it is first pulled"),
            )
            .hint("Pull the image from `roadstead serve`, then look again."));
        }
        // Reads a file once more of which nobody knows that it is the one that was verified.
        self.bring(&reader, &blob)?;
        drop(reader);
        Ok(Watched { file: self.store.open_blob(&digest)?, job })
    }
}

/// Manifests that are images: no index, and no attestation of one.
fn images_of(details: &ImageDetails) -> Vec<&ManifestDetails> {
    let is_image = |of: &&ManifestDetails| of.attests.is_none() && (of.config.is_some() || !of.layers.is_empty());
    details.manifests.iter().filter(is_image).collect()
}

/// A file that counts what is read of it, and ends when its job does.
struct Watched<'j> {
    file: File,
    job: &'j Job,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.job.check().map_err(io::Error::other)?;
        let read = self.file.read(buffer)?;
        self.job.meter().advance(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::files::{Entry, FileKind};

    #[test]
    fn the_oldest_layers_are_forgotten_first() {
        let layer = |path: &str| {
            let mut layer = Layer::default();
            let (path, kind) = (path.into(), FileKind::Regular);
            layer.entries.push(Entry {
                path,
                kind,
                size: 0,
                mode: 0,
                uid: 0,
                gid: 0,
                link: None,
                digest: None,
                number: 0,
            });
            Arc::new(layer)
        };
        let known = KnownLayers::default();
        let (one, two, three) = (Digest::of(b"1"), Digest::of(b"2"), Digest::of(b"3"));
        let most = layer("a").footprint() * 2;
        known.keep(one, &layer("a"), most);
        known.keep(two, &layer("b"), most);
        known.keep(two, &layer("b"), most);
        assert!(known.get(&one).is_some());
        known.keep(three, &layer("c"), most);
        assert!(known.get(&two).is_none() && known.get(&one).is_some() && known.get(&three).is_some());
        // One that is larger than all that may be kept leaves nothing.
        known.keep(two, &layer(&"long".repeat(1000)), most);
        assert!(known.get(&two).is_none() && known.0.lock().unwrap().bytes == 0);
    }
}
