//! Where the bytes of objects come from, and which uploads were begun.

use std::io::{Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::wanted::{Source, Wanted};
use crate::catalog::{blobs, host_objects};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::error::Result;
use crate::hosts::{ByteStream, Content, Uploads};

/// Bytes that are read of a file at once.
const READ_BYTES: usize = 128 << 10;

/// The bytes of one wanted file.
pub(super) struct FileContent {
    pub(super) engine: Arc<Engine>,
    pub(super) source: Source,
}

impl FileContent {
    pub(super) fn of(engine: &Arc<Engine>, wanted: &Wanted) -> Self {
        Self { engine: Arc::clone(engine), source: wanted.source }
    }
}

#[async_trait]
impl Content for FileContent {
    async fn read(&self, offset: u64, length: u64) -> Result<ByteStream> {
        let Source::Blob(id) = self.source else { return Ok(Box::pin(futures::stream::empty())) };
        enum Found {
            Bytes(bytes::Bytes),
            File(std::fs::File),
        }
        let found = self.engine.blocking(move |engine| {
            let reader = engine.catalog.read()?;
            let blob = blobs::by_id(&reader, id)?;
            if blob.inline {
                return Ok(Found::Bytes(blobs::bytes(&reader, id)?));
            }
            engine.bring(&reader, &blob)?;
            drop(reader);
            let mut file = engine.store.open_blob(&blob.digest)?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(Found::File(file))
        });
        match found.await? {
            Found::Bytes(bytes) => bytes.read(offset, length).await,
            Found::File(file) => {
                let file = tokio::fs::File::from_std(file).take(length);
                Ok(ReaderStream::with_capacity(file, READ_BYTES).boxed())
            }
        }
    }
}

/// Uploads of one target, as they are written down; and the bytes that went there.
pub(super) struct NotedUploads<'r> {
    pub(super) engine: &'r Arc<Engine>,
    pub(super) target: i64,
    pub(super) job: &'r Job,
    bytes: AtomicU64,
    objects: AtomicU64,
}

impl<'r> NotedUploads<'r> {
    pub(super) fn new(engine: &'r Arc<Engine>, target: i64, job: &'r Job) -> Self {
        Self { engine, target, job, bytes: AtomicU64::new(0), objects: AtomicU64::new(0) }
    }

    /// So many objects are there.
    pub(super) fn stored(&self, objects: u64) {
        self.objects.fetch_add(objects, Ordering::Relaxed);
    }

    pub(super) fn objects(&self) -> u64 {
        self.objects.load(Ordering::Relaxed)
    }

    pub(super) fn total(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Uploads for NotedUploads<'_> {
    async fn begun(&self, key: &str) -> Result<Option<String>> {
        let (target, key) = (self.target, key.to_owned());
        self.engine.blocking(move |engine| host_objects::upload(&*engine.catalog.read()?, target, &key)).await
    }

    async fn note(&self, key: &str, upload: Option<&str>) -> Result<()> {
        let (target, key, upload) = (self.target, key.to_owned(), upload.map(str::to_owned));
        self.engine
            .blocking(move |engine| {
                engine.catalog.write(|writer| host_objects::set_upload(writer, target, &key, upload.as_deref()))
            })
            .await
    }

    fn sent(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.job.meter().advance(bytes);
    }

    fn found(&self, bytes: u64) {
        self.job.meter().find(bytes);
    }
}
