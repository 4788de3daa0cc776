//! A layer in the format eStargz, as stargz-snapshotter's `estargz` package writes and reads it: a gzip member for each file, a
//! table of contents, and a footer that says where that is.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::images::{Entry, digest, gzipped, header};

/// The name of the table of contents in the archive (`TOCTarName`).
const TOC_NAME: &str = "stargz.index.json";
/// Bytes of the footer (`FooterSize`).
pub(super) const FOOTER_BYTES: u64 = 51;

/// A layer, and what its descriptor says of it.
pub(super) struct Layer {
    pub(super) content: Vec<u8>,
    /// The digest of the archive.
    pub(super) diff_id: String,
    /// Of the table of contents (`containerd.io/snapshot/stargz/toc.digest`).
    pub(super) toc_digest: String,
    /// Bytes of the archive (`io.containers.estargz.uncompressed-size`).
    pub(super) archive_bytes: usize,
}

#[derive(Default)]
struct Writer {
    content: Vec<u8>,
    archive: Vec<u8>,
    /// How much of the archive is compressed already.
    written: usize,
}

impl Writer {
    fn end_member(&mut self) {
        self.content.extend(gzipped(&self.archive[self.written..]));
        self.written = self.archive.len();
    }

    /// A file, whose bytes begin a member; gives the offset of that.
    fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> usize {
        let size = content.len() as u64;
        self.archive.extend(header(size, mode, tar::EntryType::Regular, name).as_bytes());
        self.end_member();
        let offset = self.content.len();
        self.archive.extend(content);
        self.archive.resize(self.archive.len().next_multiple_of(512), 0);
        offset
    }
}

impl Layer {
    pub(super) fn of(entries: &[(&str, Entry<'_>)]) -> Self {
        let mut writer = Writer::default();
        let mut listed = Vec::new();
        for (name, entry) in entries {
            match entry {
                Entry::Directory => {
                    writer.archive.extend(header(0, 0o755, tar::EntryType::Directory, name).as_bytes());
                    listed.push(json!({"name": format!("{name}/"), "type": "dir", "mode": 0o755}));
                }
                Entry::File(content, mode) => {
                    let offset = writer.file(name, *mode, content);
                    let digest = digest(content);
                    listed.push(json!({
                        "name": name, "type": "reg", "size": content.len(), "mode": mode, "offset": offset,
                        "digest": digest, "chunkDigest": digest,
                    }));
                }
                Entry::Link(_) => panic!("no layer of these tests has one"),
            }
        }
        writer.end_member();
        let toc = serde_json::to_vec(&json!({"version": 1, "entries": listed})).expect("JSON");
        let toc_offset = writer.content.len();
        writer.archive.extend(header(toc.len() as u64, 0o644, tar::EntryType::Regular, TOC_NAME).as_bytes());
        writer.archive.extend(&toc);
        writer.archive.resize(writer.archive.len().next_multiple_of(512) + 1024, 0);
        writer.end_member();
        let Writer { mut content, archive, .. } = writer;
        content.extend(footer(toc_offset));
        Self { content, diff_id: digest(&archive), toc_digest: digest(&toc), archive_bytes: archive.len() }
    }

    /// What its descriptor says.
    pub(super) fn annotations(&self) -> Value {
        json!({
            "containerd.io/snapshot/stargz/toc.digest": self.toc_digest,
            "io.containers.estargz.uncompressed-size": self.archive_bytes.to_string(),
        })
    }
}

/// An empty gzip member with the offset in its extra field.
fn footer(toc_offset: usize) -> Vec<u8> {
    let mut footer = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 26, 0, b'S', b'G', 22, 0];
    footer.extend(format!("{toc_offset:016x}STARGZ").as_bytes());
    footer.extend([1, 0, 0, 0xff, 0xff]);
    footer.resize(FOOTER_BYTES as usize, 0);
    footer
}

/// Where the table of contents begins, by the footer.
pub(super) fn toc_offset(footer: &[u8]) -> u64 {
    assert_eq!((&footer[..4], &footer[32..38]), (&[0x1f, 0x8b, 8, 4][..], &b"STARGZ"[..]), "no footer of eStargz");
    u64::from_str_radix(std::str::from_utf8(&footer[16..32]).unwrap(), 16).unwrap()
}

/// The table of contents with its digest, of the bytes between its beginning and the footer.
pub(super) fn toc(bytes: &[u8]) -> (Value, String) {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let mut entry = archive.entries().unwrap().next().expect("the table of contents").unwrap();
    assert_eq!(entry.path().unwrap().to_str(), Some(TOC_NAME));
    let mut text = Vec::new();
    entry.read_to_end(&mut text).unwrap();
    (serde_json::from_slice(&text).unwrap(), digest(&text))
}
