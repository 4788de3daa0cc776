//! Header fields of answers with blocks and records, which have 2 KiB in all: clients take no more (boxo,
//! `bitswap/network/httpnet`).
//!
//! Pure.

use std::fmt::Write as _;

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_DISPOSITION, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use cid::Cid;

pub(super) const X_IPFS_PATH: HeaderName = HeaderName::from_static("x-ipfs-path");
pub(super) const X_IPFS_ROOTS: HeaderName = HeaderName::from_static("x-ipfs-roots");

/// What does not fit is left out: all of it can be known without the field.
const MAX_PATH_BYTES: usize = 300;
const MAX_ROOTS_BYTES: usize = 440;
/// Bytes of a file's name as it was sent; a byte of it takes three at most.
const MAX_FILENAME_BYTES: usize = 120;

/// Adds a field, if the text can stand in one and is not longer than this.
pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, text: String, most: usize) {
    if text.len() <= most
        && let Ok(value) = HeaderValue::try_from(text)
    {
        headers.insert(name, value);
    }
}

/// Where the content is: the path as it was asked for, and the CIDs on it.
pub(super) fn put_path(headers: &mut HeaderMap, path: &str, ends: &[Cid]) {
    put(headers, X_IPFS_PATH, path.to_owned(), MAX_PATH_BYTES);
    let roots: Vec<String> = ends.iter().map(Cid::to_string).collect();
    put(headers, X_IPFS_ROOTS, roots.join(","), MAX_ROOTS_BYTES);
}

/// The URL that asks for the same without `Accept`.
pub(super) fn put_location(headers: &mut HeaderMap, location: String) {
    put(headers, axum::http::header::CONTENT_LOCATION, location, MAX_PATH_BYTES);
}

/// Says that this is to be kept as a file (RFC 6266): under the name that was asked for, or under this one.
pub(super) fn put_disposition(headers: &mut HeaderMap, asked: Option<&str>, otherwise: &str) {
    let Some(name) = asked.filter(|name| !name.is_empty() && name.len() <= MAX_FILENAME_BYTES) else {
        put(headers, CONTENT_DISPOSITION, format!("attachment; filename=\"{otherwise}\""), usize::MAX);
        return;
    };
    let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let mut text = format!("attachment; filename=\"{ascii}\"");
    if ascii != name {
        text.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            // RFC 8187, `attr-char`.
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    put(headers, CONTENT_DISPOSITION, text, usize::MAX);
}

/// A few bytes of a hash, as an entity tag has them.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // To a string nothing fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Adds the entity tag; true if the client has what it stands for already (RFC 9110, section 13.1.2).
pub(super) fn put_etag(headers: &mut HeaderMap, tag: &str, request: &HeaderMap) -> bool {
    put(headers, ETAG, tag.to_owned(), usize::MAX);
    let strong = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let own = strong(tag);
    // No entity tag of ours has a comma in it.
    let mut known = request.get_all(IF_NONE_MATCH).iter().filter_map(|known| known.to_str().ok());
    known.any(|known| known.split(',').map(str::trim).any(|tag| tag == "*" || strong(tag) == own))
}

/// Lets pages of any site read the answer (Fetch standard): nothing here depends on who asks.
pub(super) fn allow_origins(headers: &mut HeaderMap, methods: &'static str) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers
        .insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Content-Length, X-Ipfs-Path, X-Ipfs-Roots"));
}

/// What a browser asks before it sends a request that is out of the ordinary.
pub(super) fn allow_requests(headers: &mut HeaderMap) {
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type, Range, User-Agent, X-Requested-With"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn disposition(asked: Option<&str>) -> String {
        let mut headers = HeaderMap::new();
        put_disposition(&mut headers, asked, "x.bin");
        headers[CONTENT_DISPOSITION].to_str().unwrap().to_owned()
    }

    #[test]
    fn names_of_files() {
        let long = "a".repeat(MAX_FILENAME_BYTES + 1);
        for (asked, expected) in [
            (None, "filename=\"x.bin\""),
            (Some(""), "filename=\"x.bin\""),
            (Some(&*long), "filename=\"x.bin\""),
            (Some("foo bar.bin"), "filename=\"foo bar.bin\""),
            (Some("testтест.x"), "filename=\"test____.x\"; filename*=UTF-8''test%D1%82%D0%B5%D1%81%D1%82.x"),
            (Some("a\"\r\nb"), "filename=\"a___b\"; filename*=UTF-8''a%22%0D%0Ab"),
        ] {
            assert_eq!(disposition(asked), format!("attachment; {expected}"));
        }
    }

    #[test]
    fn tags_are_compared_weakly() {
        for (known, expected) in [
            ("\"a.raw\"", true),
            ("W/\"a.raw\"", true),
            ("\"b\", W/\"a.raw\"", true),
            ("*", true),
            ("\"a.car\"", false),
            ("", false),
        ] {
            for tag in ["\"a.raw\"", "W/\"a.raw\""] {
                let request = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(known).unwrap())]);
                assert_eq!(put_etag(&mut HeaderMap::new(), tag, &request), expected, "{known}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_name_makes_one_field(name in "\\PC{0,80}|[\\x00-\\xff]{0,40}") {
            let text = disposition(Some(&name));
            prop_assert!(text.len() <= 60 + 4 * MAX_FILENAME_BYTES);
            prop_assert_eq!(text.matches('"').count(), 2);
        }
    }
}
