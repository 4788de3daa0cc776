//! Several parts of one content as one body: `multipart/byteranges` (RFC 9110, sections 14.6 and 15.3.7.2; RFC 2046, section 5.1).
//!
//! Pure.

use std::vec::IntoIter;

use bytes::Bytes;

use super::range::Part;

/// What a body consists of, one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Section {
    Text(Bytes),
    Part(Part),
}

/// The sections of a body that has not been sent yet.
#[derive(Debug)]
pub(super) struct Byteranges {
    delimiter: Delimiter,
    parts: IntoIter<Part>,
    /// The part whose head was given last.
    next: Option<Part>,
    is_begun: bool,
    is_ended: bool,
}

/// What is written between parts.
#[derive(Debug)]
struct Delimiter {
    boundary: String,
    content_type: String,
    /// Bytes of the whole content.
    size: u64,
}

impl Delimiter {
    /// A line break belongs to the boundary behind it, so there is none before the first.
    fn before(&self, part: Part, is_first: bool) -> String {
        let Self { boundary, content_type, size } = self;
        let (line, start, last) = (if is_first { "" } else { "\r\n" }, part.start, part.start + part.length - 1);
        format!(
            "{line}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: bytes {start}-{last}/{size}\r\n\r\n"
        )
    }

    fn end(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary)
    }
}

impl Byteranges {
    /// Of a content of `size` bytes. Nobody may foresee `random`: content with the boundary in it could pass for other parts.
    pub(super) fn new(parts: Vec<Part>, content_type: &str, size: u64, random: u128) -> Self {
        let delimiter = Delimiter { boundary: format!("{random:032x}"), content_type: content_type.to_owned(), size };
        Self { delimiter, parts: parts.into_iter(), next: None, is_begun: false, is_ended: false }
    }

    /// The media type of the body.
    pub(super) fn media_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.delimiter.boundary)
    }

    /// The bytes of the whole body.
    pub(super) fn length(&self) -> u64 {
        let heads = self.parts.as_slice().iter().enumerate().map(|(number, part)| {
            let head = self.delimiter.before(*part, number == 0);
            head.len() as u64 + part.length
        });
        heads.sum::<u64>() + self.delimiter.end().len() as u64
    }
}

impl Iterator for Byteranges {
    type Item = Section;

    fn next(&mut self) -> Option<Section> {
        if let Some(part) = self.next.take() {
            return Some(Section::Part(part));
        }
        if let Some(part) = self.parts.next() {
            let head = self.delimiter.before(part, !self.is_begun);
            (self.is_begun, self.next) = (true, Some(part));
            return Some(Section::Text(head.into()));
        }
        let end = (!self.is_ended).then(|| Section::Text(self.delimiter.end().into()));
        self.is_ended = true;
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9110, section 14.6, with our own boundary.
    #[test]
    fn the_body_of_the_specification() {
        let parts = vec![Part { start: 500, length: 500 }, Part { start: 7000, length: 1000 }];
        let body = Byteranges::new(parts, "application/pdf", 8000, 7);
        let boundary = "00000000000000000000000000000007";
        assert_eq!(body.media_type(), format!("multipart/byteranges; boundary={boundary}"));
        let length = body.length();
        let written: String = body
            .map(|section| match section {
                Section::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                Section::Part(part) => "x".repeat(part.length as usize),
            })
            .collect();
        assert_eq!(written.len() as u64, length);
        let expected = format!(
            "--{boundary}\r\nContent-Type: application/pdf\r\nContent-Range: bytes 500-999/8000\r\n\r\n{}\r\n\
             --{boundary}\r\nContent-Type: application/pdf\r\nContent-Range: bytes 7000-7999/8000\r\n\r\n{}\r\n\
             --{boundary}--\r\n",
            "x".repeat(500),
            "x".repeat(1000),
        );
        assert_eq!(written, expected);
    }
}
