//! The gate: a program that is asked before an image enters.
//!
//! It gets one JSON object on its standard input; its exit code 0 lets the image in. Every other end refuses it: an exit code, a
//! signal, a timeout, too much output, a program that is not there.
//!
//! ```json
//! {"version": 1, "image": "docker.io/library/nginx:1.29", "digest": "sha256:…",
//!  "media_type": "application/vnd.oci.image.index.v1+json", "manifest": {…}}
//! ```

use std::path::PathBuf;

use serde::Serialize;
use serde_json::value::RawValue;

use super::program::{self, Ended, Limits};
use crate::error::{Error, Kind, Result};
use crate::image::Digest;
use crate::text::printable_within;

/// Version of the JSON that a gate is given.
const VERSION: u32 = 1;
/// Characters of a gate's words that are kept.
const MAX_WORDS_CHARACTERS: usize = 200;

/// A program that says whether an image may enter.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Where it runs. None: where this process does.
    pub directory: Option<PathBuf>,
    /// What it may take.
    pub limits: Limits,
}

/// The image that a gate is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Reference of the image.
    pub image: &'a str,
    /// Digest of its manifest or index.
    pub digest: Digest,
    /// Media type of the manifest.
    pub media_type: &'a str,
    /// The manifest: JSON, which the gate gets as it is.
    pub manifest: &'a [u8],
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The image may enter.
    Taken,
    /// It may not, for this reason, which can be shown.
    Refused(String),
}

#[derive(Serialize)]
struct Input<'a> {
    version: u32,
    image: &'a str,
    digest: Digest,
    media_type: &'a str,
    manifest: &'a RawValue,
}

impl Gate {
    /// Asks for an image. Whatever goes wrong is a refusal: the gate is there to keep things out.
    pub async fn ask(&self, asked: Asked<'_>) -> Verdict {
        let input = match input(asked) {
            Ok(input) => input,
            Err(error) => return refused(&error.to_string()),
        };
        match program::run(&self.words, &input, self.directory.as_deref(), self.limits).await {
            Ok(ended) if ended.is_success() => Verdict::Taken,
            Ok(ended) => refused(&reason(&ended)),
            Err(error) => refused(&format!("the gate failed: {error}")),
        }
    }
}

fn refused(words: &str) -> Verdict {
    Verdict::Refused(printable_within(words, MAX_WORDS_CHARACTERS))
}

fn input(asked: Asked<'_>) -> Result<Vec<u8>> {
    let not_json = |error| Error::new(Kind::Verification, "its manifest is not JSON").caused_by(error);
    let Asked { image, digest, media_type, manifest } = asked;
    let manifest: &RawValue = serde_json::from_slice(manifest).map_err(not_json)?;
    serde_json::to_vec(&Input { version: VERSION, image, digest, media_type, manifest }).map_err(not_json)
}

/// The first line that it printed, else the first of standard error, else how it ended.
fn reason(ended: &Ended) -> String {
    let first = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    };
    let said = first(&ended.output).or_else(|| first(&ended.errors));
    said.unwrap_or_else(|| format!("the gate ended with {}", ended.ending()))
}
