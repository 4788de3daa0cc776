//! Large objects: sent in parts (AWS S3 User Guide, "Uploading and copying objects using multipart upload"), each with its SHA-256, which
//! the host verifies. An upload that was cut goes on with the parts of which the host says the checksum that they have to have: one
//! that was cut itself may be listed with its full size, and has none.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;
use sha2::{Digest as _, Sha256};

use super::documents::{self, Part};
use super::request::{MAX_DOCUMENT_BYTES, Payload};
use super::{S3, STATUS_NOT_IMPLEMENTED, condition_header, failure};
use crate::error::{Error, Kind, Result};
use crate::hosts::{Condition, Content, Object, Stored, Uploads};

/// The smallest part, in bytes. All are equal but the last, as R2 wants it.
const MIN_PART_BYTES: u64 = 16 << 20;
/// So many parts at most, of the 10 000 that there may be.
const MAX_PARTS_SENT: u64 = 9000;
/// Parts that are sent at the same time.
const MAX_CONCURRENT_PARTS: usize = 4;

/// Bytes of each part of an object but the last: the same after a cut.
fn part_bytes(size: u64) -> u64 {
    size.div_ceil(MAX_PARTS_SENT).next_multiple_of(1 << 20).max(MIN_PART_BYTES)
}

pub(super) async fn send(
    host: &S3,
    object: &Object,
    content: &dyn Content,
    condition: &Condition,
    uploads: &dyn Uploads,
) -> Result<Stored> {
    let (upload, there) = host.upload_of(object, uploads).await?;
    let length = part_bytes(object.size);
    let number_of = |offset: u64| (offset / length + 1) as u32;
    let all = (0..object.size).step_by(length as usize).map(|offset| (offset, length.min(object.size - offset)));
    let mut sent: Vec<Part> = stream::iter(all.map(|(offset, length)| {
        let (upload, number) = (&upload, number_of(offset));
        let listed = there.get(&number);
        async move {
            let checksum = if upload.checksums { Some(checksum(content, offset, length).await?) } else { None };
            if let Some(listed) = listed.filter(|listed| listed.size == length && listed.checksum == checksum) {
                uploads.found(length);
                return Ok(listed.clone());
            }
            let part = host.send_part(object, &upload.id, number, content, (offset, length), checksum).await?;
            uploads.sent(length);
            Ok::<_, Error>(part)
        }
    }))
    .buffer_unordered(MAX_CONCURRENT_PARTS)
    .try_collect()
    .await?;
    sent.sort_unstable_by_key(|part| part.number);
    let stored = host.complete(object, &upload.id, &sent, condition).await?;
    uploads.note(&object.key, None).await?;
    Ok(stored)
}

/// An upload that goes on.
struct Upload {
    id: String,
    /// Its parts have checksums, which the host verifies.
    checksums: bool,
}

/// SHA-256 of a part, in base64.
async fn checksum(content: &dyn Content, offset: u64, length: u64) -> Result<String> {
    let (mut hasher, mut pieces) = (Sha256::new(), content.read(offset, length).await?);
    while let Some(piece) = pieces.next().await {
        hasher.update(&piece?);
    }
    Ok(BASE64_STANDARD.encode(hasher.finalize()))
}

impl S3 {
    /// The upload of an object that was cut, with its parts that the host has verified; else a new one.
    async fn upload_of(&self, object: &Object, uploads: &dyn Uploads) -> Result<(Upload, BTreeMap<u32, Part>)> {
        if let Some(id) = uploads.begun(&object.key).await? {
            let there = self.parts_of(object, &id).await?;
            if !there.is_empty() {
                return Ok((Upload { id, checksums: true }, there));
            }
            self.abort(&object.key, &id).await;
        }
        Ok((self.begin(object, uploads).await?, BTreeMap::new()))
    }

    /// The parts of an upload that the host has verified, by their numbers. None where it is not there any more, or the host does not
    /// say what it has.
    async fn parts_of(&self, object: &Object, upload: &str) -> Result<BTreeMap<u32, Part>> {
        let (mut there, mut after) = (BTreeMap::new(), 0);
        loop {
            let mut request = self.request(Method::GET, &object.key);
            request.query = vec![("uploadId", upload.to_owned()), ("part-number-marker", after.to_string())];
            let answer = self.send(&request).await?;
            if !answer.is_success() {
                return Ok(BTreeMap::new());
            }
            let Ok((parts, next)) = documents::parts(&answer.body(MAX_DOCUMENT_BYTES).await?) else {
                return Ok(BTreeMap::new());
            };
            there.extend(parts.into_iter().filter(|part| part.checksum.is_some()).map(|part| (part.number, part)));
            match next {
                Some(next) if next > after => after = next,
                _ => return Ok(there),
            }
        }
    }

    async fn begin(&self, object: &Object, uploads: &dyn Uploads) -> Result<Upload> {
        let mut request = self.request(Method::POST, &object.key);
        request.query = vec![("uploads", String::new())];
        request.headers = Self::headers(object);
        let without = request.headers.len();
        request.headers.push(("x-amz-checksum-algorithm", "SHA256".to_owned()));
        let doing = format!("can't begin to store {}", object.key);
        let mut answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        let mut checksums = true;
        if matches!(answer.status, 400 | STATUS_NOT_IMPLEMENTED) {
            // Some verify whole objects alone.
            checksums = false;
            request.headers.truncate(without);
            answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        }
        if !answer.is_success() {
            return Err(self.refused(answer, &doing).await);
        }
        let answer = answer.body(MAX_DOCUMENT_BYTES).await.map_err(|error| error.context(&doing))?;
        let upload = documents::value(&answer, "UploadId").filter(|upload| !upload.is_empty() && upload.len() <= 2048);
        let id = upload.ok_or_else(|| Error::new(Kind::Node, format!("{doing}: the host does not name the upload")))?;
        uploads.note(&object.key, Some(&id)).await?;
        Ok(Upload { id, checksums })
    }

    async fn send_part(
        &self,
        object: &Object,
        upload: &str,
        number: u32,
        content: &dyn Content,
        (offset, length): (u64, u64),
        checksum: Option<String>,
    ) -> Result<Part> {
        let mut request = self.request(Method::PUT, &object.key);
        request.query = vec![("partNumber", number.to_string()), ("uploadId", upload.to_owned())];
        request.headers.extend(checksum.iter().map(|checksum| ("x-amz-checksum-sha256", checksum.clone())));
        request.payload = Payload::Part { content, offset, length };
        let doing = format!("can't store part {number} of {}", object.key);
        let answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        if !answer.is_success() {
            return Err(self.refused(answer, &doing).await);
        }
        Ok(Part { number, tag: Self::tag_header(&answer), checksum, size: length })
    }

    async fn complete(&self, object: &Object, upload: &str, parts: &[Part], condition: &Condition) -> Result<Stored> {
        let body = documents::complete(parts).into();
        let mut request = self.request(Method::POST, &object.key);
        request.query = vec![("uploadId", upload.to_owned())];
        request.headers = vec![("content-type", "application/xml".to_owned())];
        request.headers.extend(condition_header(condition));
        request.payload = Payload::Bytes(&body);
        let doing = format!("can't finish storing {}", object.key);
        let answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        if answer.status == 412 {
            self.abort(&object.key, upload).await;
            return Ok(Stored::Refused);
        }
        // Its answer may have been lost, and with it that the upload is complete.
        if failure::is_missing(answer.status)
            && let Some(there) = self.head(&object.key).await?
            && there.size == Some(object.size)
        {
            return Ok(Stored::Now(there.tag));
        }
        if !answer.is_success() {
            return Err(self.refused(answer, &doing).await);
        }
        // It may fail after the status was sent.
        let answered = answer.body(MAX_DOCUMENT_BYTES).await?;
        match documents::value(&answered, "ETag") {
            Some(tag) => Ok(Stored::Now(documents::tag_of(&tag))),
            None => Err(failure::error(&self.place, &doing, 200, &documents::refusal(&answered), None)),
        }
    }

    /// Gives an upload up, so that its parts take no room. What fails of it is no harm: hosts are told to forget old ones.
    pub(super) async fn abort(&self, key: &str, upload: &str) {
        let mut request = self.request(Method::DELETE, key);
        request.query = vec![("uploadId", upload.to_owned())];
        if let Err(error) = self.send(&request).await {
            tracing::debug!(place = %self.place, %error, "an upload is left");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_enough_and_the_same_after_a_cut() {
        assert_eq!(part_bytes(64 << 20), 16 << 20);
        for size in [1, 64 << 20, (4 << 30) + 1, 1 << 40, 5 << 40] {
            let length = part_bytes(size);
            assert!(size.div_ceil(length) <= MAX_PARTS_SENT, "{size}");
            assert_eq!(length % (1 << 20), 0);
        }
    }
}
