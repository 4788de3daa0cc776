//! The requests of stargz-snapshotter for a blob, and what it makes of the answers (`fs/remote/resolver.go` and `blob.go`).

use std::collections::BTreeMap;
use std::ops::Range;

use crate::peers::web::{Answer, send};

/// What it cuts a blob into (`defaultChunkSize`).
const CHUNK_BYTES: u64 = 50_000;

/// A blob as it finds it.
pub(super) struct Blob {
    url: String,
    size: u64,
    /// One range a request (`force_single_range_mode`).
    is_single: bool,
    chunks: BTreeMap<u64, Vec<u8>>,
    pub(super) fetched: u64,
}

fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    send("GET", url, headers, Vec::new()).unwrap_or_else(|error| panic!("GET {url}: {error:?}"))
}

impl Blob {
    /// `redirect` and `getSize`.
    pub(super) fn resolve(url: &str, is_single: bool) -> Self {
        let looked = get(url, &[("Range", "bytes=0-1")]);
        assert!(looked.status / 100 == 2, "{looked:?}");
        let about = send("HEAD", url, &[], Vec::new()).unwrap().expect(200);
        let size = about.header("content-length").parse().expect("a size");
        Self { url: url.to_owned(), size, is_single, chunks: BTreeMap::new(), fetched: 0 }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// `ReadAt`.
    pub(super) fn read(&mut self, range: Range<u64>) -> Vec<u8> {
        let first = range.start / CHUNK_BYTES * CHUNK_BYTES;
        let all = first..range.end;
        self.prepare(std::slice::from_ref(&all));
        let mut bytes = Vec::new();
        for (start, chunk) in self.chunks.range(first..range.end) {
            let from = range.start.saturating_sub(*start) as usize;
            bytes.extend(&chunk[from..chunk.len().min((range.end - start) as usize)]);
        }
        assert_eq!(bytes.len() as u64, range.end - range.start);
        bytes
    }

    /// `fetchRange`: all chunks of these ranges that are not here, in one request.
    pub(super) fn prepare(&mut self, ranges: &[Range<u64>]) {
        let mut regions: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            for start in
                (range.start / CHUNK_BYTES * CHUNK_BYTES..range.end.min(self.size)).step_by(CHUNK_BYTES as usize)
            {
                let end = (start + CHUNK_BYTES).min(self.size);
                match regions.last_mut() {
                    _ if self.chunks.contains_key(&start) => {}
                    Some(last) if last.end == start => last.end = end,
                    _ => regions.push(start..end),
                }
            }
        }
        let (Some(first), Some(last)) = (regions.first(), regions.last()) else { return };
        if self.is_single {
            let all = first.start..last.end;
            regions = vec![all];
        }
        let set: Vec<String> = regions.iter().map(|region| format!("{}-{}", region.start, region.end - 1)).collect();
        let answer = get(&self.url, &[("Range", &format!("bytes={}", set.join(","))), ("Accept-Encoding", "identity")]);
        self.fetched += answer.body.len() as u64;
        let found = self.parts(answer.expect(206));
        assert_eq!(found.iter().map(|(region, _)| region.clone()).collect::<Vec<_>>(), regions);
        for (region, bytes) in found {
            for (start, chunk) in (region.start..).step_by(CHUNK_BYTES as usize).zip(bytes.chunks(CHUNK_BYTES as usize))
            {
                self.chunks.insert(start, chunk.to_vec());
            }
        }
    }

    /// `multipartReader` and `singlepartReader`.
    fn parts(&self, answer: Answer) -> Vec<(Range<u64>, Vec<u8>)> {
        let kind = answer.header("content-type");
        let Some(boundary) = kind.strip_prefix("multipart/byteranges; boundary=") else {
            assert!(!kind.is_empty(), "an answer without a media type is refused");
            return vec![(self.region(answer.header("content-range")), answer.body)];
        };
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        let body = [b"\r\n", &answer.body[..]].concat();
        let find = |text: &[u8], from: usize| {
            body[from..].windows(text.len()).position(|window| window == text).map(|found| from + found)
        };
        let (mut parts, mut at) = (Vec::new(), 0);
        while !body[at + delimiter.len()..].starts_with(b"--") {
            let content = find(b"\r\n\r\n", at).unwrap() + 4;
            let head = String::from_utf8_lossy(&body[at..content]).into_owned();
            let place = head.lines().find_map(|line| line.strip_prefix("Content-Range: ")).expect("a place");
            at = find(&delimiter, content).unwrap();
            parts.push((self.region(place), body[content..at].to_vec()));
        }
        parts
    }

    fn region(&self, content_range: &str) -> Range<u64> {
        let read = || {
            let (range, size) = content_range.strip_prefix("bytes ")?.split_once('/')?;
            let (start, last) = range.split_once('-')?;
            assert_eq!(size.parse(), Ok(self.size));
            Some(start.parse().ok()?..last.parse::<u64>().ok()? + 1)
        };
        read().unwrap_or_else(|| panic!("`{content_range}` is no place"))
    }
}
