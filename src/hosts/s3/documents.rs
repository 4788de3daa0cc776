//! The XML that buckets send and take (AWS S3 API Reference), as far as it is needed here.
//!
//! Pure. A document is read in one pass, and nothing of it is kept but the values that are asked for.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::{Listed, Page};
use crate::error::{Error, Kind, Result};

/// Elements below each other that are followed.
const MAX_DEPTH: usize = 16;
/// Objects of one page of a list.
pub(super) const MAX_PAGE_KEYS: usize = 1000;

/// Tells the text of each element as it ends, with the names of those around it and its own.
fn each_element(xml: &[u8], visit: &mut dyn FnMut(&[String], &str) -> Result<()>) -> Result<()> {
    let broken = || Error::new(Kind::Node, "the answer is no XML");
    let mut reader = Reader::from_str(std::str::from_utf8(xml).map_err(|_| broken())?);
    let (mut path, mut text): (Vec<String>, String) = (Vec::new(), String::new());
    loop {
        match reader.read_event().map_err(|_| broken())? {
            Event::Start(start) => {
                if path.len() >= MAX_DEPTH {
                    return Err(broken());
                }
                path.push(start.local_name().as_ref().to_owned());
                text.clear();
            }
            Event::Empty(empty) => {
                path.push(empty.local_name().as_ref().to_owned());
                visit(&path, "")?;
                path.pop();
            }
            Event::Text(words) => text.push_str(&words),
            Event::CData(words) => text.push_str(&words),
            Event::GeneralRef(name) => text.push(referred(&name).ok_or_else(broken)?),
            Event::End(_) => {
                visit(&path, text.trim())?;
                path.pop();
                text.clear();
            }
            Event::Eof if path.is_empty() => return Ok(()),
            Event::Eof => return Err(broken()),
            _ => {}
        }
    }
}

/// The character that `&NAME;` stands for (XML 1.0, sections 4.1 and 4.6).
fn referred(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

fn is(path: &[String], names: &[&str]) -> bool {
    path.iter().map(String::as_str).eq(names.iter().copied())
}

/// An ETag without its quotes.
pub(super) fn tag_of(text: &str) -> String {
    text.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

/// Reads `ListBucketResult` (ListObjectsV2). Keys that do not begin with the prefix are not ours to look at.
pub(super) fn page(xml: &[u8], prefix: &str) -> Result<Page> {
    let (mut page, mut truncated, mut is_list) = (Page::default(), false, false);
    let (mut key, mut size, mut tag) = (String::new(), None, String::new());
    let mut token = None;
    each_element(xml, &mut |path, text| {
        match path.last().map(String::as_str) {
            Some("Key") if path.len() == 3 => text.clone_into(&mut key),
            Some("Size") if path.len() == 3 => size = text.parse::<u64>().ok(),
            Some("ETag") if path.len() == 3 => tag = tag_of(text),
            Some("Contents") if path.len() == 2 => {
                if page.objects.len() >= MAX_PAGE_KEYS {
                    return Err(Error::new(Kind::Node, "the list has more than 1000 objects in one answer"));
                }
                let size =
                    size.take().ok_or_else(|| Error::new(Kind::Node, "the list has an object without a size"))?;
                if let Some(key) = key.strip_prefix(prefix) {
                    page.objects.push(Listed { key: key.to_owned(), size, tag: std::mem::take(&mut tag) });
                }
                key.clear();
            }
            Some("IsTruncated") if path.len() == 2 => truncated = text == "true",
            Some("NextContinuationToken") if path.len() == 2 => token = Some(text.to_owned()),
            Some("ListBucketResult") if path.len() == 1 => is_list = true,
            _ => {}
        }
        Ok(())
    })?;
    if !is_list {
        return Err(Error::new(Kind::Node, "the answer is no list of objects"));
    }
    if truncated {
        let next = token.filter(|token| !token.is_empty());
        page.next =
            Some(next.ok_or_else(|| Error::new(Kind::Node, "the list is cut, and does not say where it goes on"))?);
    }
    Ok(page)
}

/// Why a bucket refused something.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// One word: `NoSuchBucket`.
    pub(super) code: String,
    pub(super) message: String,
    /// The region that it should have been asked in, if that is why.
    pub(super) region: Option<String>,
}

/// Reads `Error`. Anything else has no code.
pub(super) fn refusal(xml: &[u8]) -> Refusal {
    let mut refusal = Refusal::default();
    let read = each_element(xml, &mut |path, text| {
        if is(path, &["Error", "Code"]) {
            text.clone_into(&mut refusal.code);
        } else if is(path, &["Error", "Message"]) {
            text.clone_into(&mut refusal.message);
        } else if is(path, &["Error", "Region"]) {
            refusal.region = Some(text.to_owned());
        }
        Ok(())
    });
    if read.is_err() { Refusal::default() } else { refusal }
}

/// The value of an element right below the document's own, whatever that is called: `UploadId`, `ETag`.
pub(super) fn value(xml: &[u8], name: &str) -> Option<String> {
    let mut found = None;
    each_element(xml, &mut |path, text| {
        if path.len() == 2 && path.last().is_some_and(|last| last == name) {
            found = Some(text.to_owned());
        }
        Ok(())
    })
    .ok()?;
    found
}

/// A part of an upload that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) tag: String,
    /// SHA-256 of its bytes in base64, where the host has verified it.
    pub(super) checksum: Option<String>,
    /// Bytes of it, as the host lists it.
    pub(super) size: u64,
}

/// Reads `ListPartsResult`: the parts, and after which one the next page begins.
pub(super) fn parts(xml: &[u8]) -> Result<(Vec<Part>, Option<u32>)> {
    let (mut parts, mut part, mut truncated, mut next) = (Vec::new(), Part::default(), false, None);
    let mut is_list = false;
    each_element(xml, &mut |path, text| {
        match path.last().map(String::as_str) {
            Some("PartNumber") if path.len() == 3 => part.number = text.parse().unwrap_or(0),
            Some("ETag") if path.len() == 3 => part.tag = tag_of(text),
            Some("Size") if path.len() == 3 => part.size = text.parse().unwrap_or(0),
            Some("ChecksumSHA256") if path.len() == 3 => {
                part.checksum = Some(text.to_owned()).filter(|it| !it.is_empty());
            }
            Some("Part") if path.len() == 2 => {
                if parts.len() >= MAX_PAGE_KEYS {
                    return Err(Error::new(Kind::Node, "the list has more than 1000 parts in one answer"));
                }
                parts.push(std::mem::take(&mut part));
            }
            Some("IsTruncated") if path.len() == 2 => truncated = text == "true",
            Some("NextPartNumberMarker") if path.len() == 2 => next = text.parse().ok(),
            Some("ListPartsResult") if path.len() == 1 => is_list = true,
            _ => {}
        }
        Ok(())
    })?;
    if !is_list {
        return Err(Error::new(Kind::Node, "the answer is no list of parts"));
    }
    Ok((parts, next.filter(|_| truncated)))
}

/// The body of `CompleteMultipartUpload`.
pub(super) fn complete(parts: &[Part]) -> String {
    let listed = parts.iter().map(|part| {
        let tag = part.tag.replace('&', "&amp;").replace('<', "&lt;");
        let checksum = part.checksum.as_ref().map(|checksum| format!("<ChecksumSHA256>{checksum}</ChecksumSHA256>"));
        let checksum = checksum.unwrap_or_default();
        format!("<Part><PartNumber>{}</PartNumber><ETag>&quot;{tag}&quot;</ETag>{checksum}</Part>", part.number)
    });
    let listed: String = listed.collect();
    format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{listed}</CompleteMultipartUpload>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_bounded() {
        let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>registry</Name><Prefix>p/</Prefix>
            <KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken>
            <Contents><Key>p/v2/a/manifests/1</Key><LastModified>2026-11-30T00:00:00Z</LastModified>
            <ETag>&quot;9b2cf5&#45;2&quot;</ETag><Size>12</Size><Owner><ID>x</ID><Key>no</Key></Owner></Contents>
            <Contents><Key>elsewhere</Key><ETag>"x"</ETag><Size>1</Size></Contents>
            <CommonPrefixes><Prefix>q</Prefix></CommonPrefixes></ListBucketResult>"#;
        let page = page(xml, "p/").unwrap();
        assert_eq!(page.next.as_deref(), Some("a&b="));
        let listed = Listed { key: "v2/a/manifests/1".into(), size: 12, tag: "9b2cf5-2".into() };
        assert_eq!(page.objects, [listed]);
        let object = "<Contents><Key>k</Key><ETag>e</ETag><Size>1</Size></Contents>";
        let many = format!("<ListBucketResult>{}</ListBucketResult>", object.repeat(MAX_PAGE_KEYS + 1));
        for wrong in [
            many.as_str(),
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>",
            "<html><body>Sign in</body></html>",
            "<ListBucketResult>",
            "{}",
            "",
        ] {
            assert!(super::page(wrong.as_bytes(), "").is_err(), "{wrong:.80}");
        }
        assert!(super::page("<a>".repeat(100_000).as_bytes(), "").is_err());
    }

    #[test]
    fn an_error_has_a_code_and_anything_else_has_none() {
        let xml = b"<?xml version=\"1.0\"?><Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting 'eu-west-1'</Message>\
            <Region>eu-west-1</Region></Error>";
        let read = refusal(xml);
        assert_eq!((read.code.as_str(), read.region.as_deref()), ("AuthorizationHeaderMalformed", Some("eu-west-1")));
        assert_eq!(refusal(b"<html><Error><Code>x</Code></Error></html>"), Refusal::default());
        assert_eq!(refusal(b"no"), Refusal::default());
    }

    #[test]
    fn an_upload_has_a_name_and_is_completed_by_its_parts() {
        let begun = b"<InitiateMultipartUploadResult><Bucket>b</Bucket><UploadId>u-1</UploadId></InitiateMultipartUploadResult>";
        assert_eq!(value(begun, "UploadId").as_deref(), Some("u-1"));
        assert_eq!(value(b"<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>", "ETag").as_deref(), Some("\"e\""));
        let all = [Part { number: 1, tag: "a".to_owned(), ..Part::default() }];
        let body = complete(&all);
        assert!(body.contains("<PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"), "{body}");
        let all = [Part { checksum: Some("c+/=".to_owned()), ..all[0].clone() }];
        assert!(complete(&all).contains("</ETag><ChecksumSHA256>c+/=</ChecksumSHA256></Part>"));
    }

    #[test]
    fn parts_are_listed_page_by_page() {
        let xml = b"<ListPartsResult><Key>k</Key><NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true</IsTruncated>\
            <Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag><Size>16</Size><ChecksumSHA256>c=</ChecksumSHA256></Part>\
            <Part><PartNumber>2</PartNumber><ETag>\"b\"</ETag><Size>16</Size><ChecksumSHA256></ChecksumSHA256></Part></ListPartsResult>";
        let (read, next) = parts(xml).unwrap();
        assert_eq!(next, Some(2));
        assert_eq!(read[0], Part { number: 1, tag: "a".into(), checksum: Some("c=".into()), size: 16 });
        assert_eq!((read[1].number, &read[1].checksum), (2, &None));
        let last = b"<ListPartsResult><IsTruncated>false</IsTruncated><NextPartNumberMarker>9</NextPartNumberMarker></ListPartsResult>";
        assert_eq!(parts(last).unwrap(), (Vec::new(), None));
        for wrong in ["<ListBucketResult></ListBucketResult>", "<ListPartsResult>", ""] {
            assert!(parts(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
