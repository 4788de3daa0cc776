//! The secret of a hook's signature: read from a file that nobody else can read, and used for nothing but HMAC-SHA256 (RFC 2104).
//!
//! Must not show it: it has no form that could be printed.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_lc_rs::hmac;

use crate::error::{Context as _, Error, Kind, Result};

/// More than this is no secret.
const MAX_SECRET_BYTES: u64 = 64 << 10;
/// Rights of the group and of everybody else to read.
const OTHERS_READ_MODE: u32 = 0o044;

/// The secret.
pub(super) struct Secret(hmac::Key);

impl Secret {
    /// A secret of these bytes.
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The secret in a file. White space around it does not belong to it.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let what = || format!("can't read the secret in {}", path.display());
        let file = match crate::input::open_regular(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::new(Kind::NotFound, what()).caused_by(error));
            }
            Err(error) => return Err(Error::new(Kind::Unexpected, what()).caused_by(error)),
        };
        let mode = file.metadata().context(what)?.permissions().mode();
        if mode & OTHERS_READ_MODE != 0 {
            return Err(Error::new(Kind::Usage, format!("other users can read the secret in {}", path.display()))
                .hint(format!("`chmod 600 {}` limits it to its owner.", path.display())));
        }
        let mut bytes = Vec::new();
        file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).context(what)?;
        if bytes.len() as u64 > MAX_SECRET_BYTES {
            return Err(Error::new(Kind::Usage, format!("{}: it is larger than 64 KiB", what())));
        }
        let secret = bytes.trim_ascii();
        if secret.is_empty() {
            return Err(Error::new(Kind::Usage, format!("the secret in {} is empty", path.display())));
        }
        Ok(Self::new(secret))
    }

    /// `sha256=<64 hex>` of these bytes, as GitHub's `X-Hub-Signature-256` has it.
    pub(super) fn signature(&self, bytes: &[u8]) -> String {
        let tag = hmac::sign(&self.0, bytes);
        let digits = tag.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
        "sha256=".chars().chain(digits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, section 4: key, data, HMAC-SHA-256. Case 5 is about truncation, which is not used here.
    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let counting: Vec<u8> = (1..=25).collect();
        let cases: [(&[u8], &[u8], &str); 6] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (&counting, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, data, hex) in cases {
            assert_eq!(Secret::new(key).signature(data), format!("sha256={hex}"));
        }
    }

    #[test]
    fn a_secret_is_read_where_nobody_else_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let set = |text: &[u8], mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(b" Jefe\n", 0o600);
        assert_eq!(Secret::read(&path).unwrap().signature(b"a"), Secret::new(b"Jefe").signature(b"a"));
        for mode in [0o640, 0o604, 0o644] {
            set(b"Jefe", mode);
            let error = Secret::read(&path).err().unwrap();
            assert!(error.to_string().contains("other users") && error.hints()[0].contains("chmod 600"), "{error}");
        }
        set(b" \n", 0o600);
        assert!(Secret::read(&path).err().unwrap().to_string().contains("empty"));
        set(&vec![b'a'; (64 << 10) + 1], 0o600);
        assert!(Secret::read(&path).err().unwrap().to_string().contains("larger"));
        assert!(Secret::read(directory.path()).is_err());
        assert_eq!(Secret::read(&directory.path().join("none")).err().unwrap().kind(), Kind::NotFound);
    }
}
