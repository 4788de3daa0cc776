//! Large objects: sent in parts (AWS S3 User Guide, "Uploading and copying objects using multipart upload"). An upload that was cut
//! is given up, and the object is sent anew.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;

use super::documents::{self, Part};
use super::request::{MAX_DOCUMENT_BYTES, Payload};
use super::{S3, condition_header, failure};
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
    // A part that was cut may be listed with its full size: only parts that this run has sent are what they should be.
    if let Some(former) = uploads.begun(&object.key).await? {
        host.abort(&object.key, &former).await;
    }
    let upload = host.begin(object, uploads).await?;
    let length = part_bytes(object.size);
    let number_of = |offset: u64| (offset / length + 1) as u32;
    let all = (0..object.size).step_by(length as usize).map(|offset| (offset, length.min(object.size - offset)));
    let mut sent: Vec<Part> = stream::iter(all.map(|(offset, length)| {
        let upload = upload.as_str();
        async move {
            let part = host.send_part(object, upload, number_of(offset), content, (offset, length)).await?;
            uploads.sent(length);
            Ok::<_, Error>(part)
        }
    }))
    .buffer_unordered(MAX_CONCURRENT_PARTS)
    .try_collect()
    .await?;
    sent.sort_unstable_by_key(|part| part.number);
    let stored = host.complete(object, &upload, &sent, condition).await?;
    uploads.note(&object.key, None).await?;
    Ok(stored)
}

impl S3 {
    async fn begin(&self, object: &Object, uploads: &dyn Uploads) -> Result<String> {
        let mut request = self.request(Method::POST, &object.key);
        request.query = vec![("uploads", String::new())];
        request.headers = Self::headers(object);
        let doing = format!("can't begin to store {}", object.key);
        let answer = self.document(&request, &doing).await?;
        let upload = documents::value(&answer, "UploadId").filter(|upload| !upload.is_empty() && upload.len() <= 2048);
        let upload =
            upload.ok_or_else(|| Error::new(Kind::Node, format!("{doing}: the host does not name the upload")))?;
        uploads.note(&object.key, Some(&upload)).await?;
        Ok(upload)
    }

    async fn send_part(
        &self,
        object: &Object,
        upload: &str,
        number: u32,
        content: &dyn Content,
        (offset, length): (u64, u64),
    ) -> Result<Part> {
        let mut request = self.request(Method::PUT, &object.key);
        request.query = vec![("partNumber", number.to_string()), ("uploadId", upload.to_owned())];
        request.payload = Payload::Part { content, offset, length };
        let doing = format!("can't store part {number} of {}", object.key);
        let answer = self.send(&request).await.map_err(|error| error.context(&doing))?;
        if !answer.is_success() {
            return Err(self.refused(answer, &doing).await);
        }
        Ok(Part { number, tag: Self::tag_header(&answer) })
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
