//! The signature that schema 1 clients ask for: a JSON web signature laid out as docker/libtrust does it.
//!
//! It proves nothing: its key is published below. It is there because Docker refuses schema 1 without one, and it is
//! always the same for the same payload. What protects an image is its digest.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};

/// The private key, for everyone: SHA-256 of "roadstead gateway view: this key is public and proves nothing".
const KEY: [u8; 32] = [
    0xc3, 0x95, 0x3b, 0x12, 0x0e, 0x81, 0x42, 0x53, 0xde, 0x7e, 0xad, 0x98, 0xcc, 0xbb, 0xe6, 0x67, 0x3c, 0x50, 0xe9,
    0xb2, 0x15, 0x65, 0xbf, 0xc8, 0x77, 0x3a, 0x81, 0x7a, 0x6c, 0xcc, 0x66, 0xd1,
];

/// The matching public key as libtrust writes it.
const HEADER: &str = concat!(
    r#"{"jwk":{"crv":"P-256","kid":"BW33:R7QX:6ZM6:MXDM:TTCM:MJUZ:PTMM:73MP:H6V2:2ZCL:KEKI:KZEG","kty":"EC","#,
    r#""x":"zLnUC8eMsyIHeE4AncqA5AKY2WGwXWEiSbS3MonjjFo","y":"TViii4nW1a4THVM-0Sek7iS4k1kuJ_w7vyQPB5KCTdI"},"#,
    r#""alg":"ES256"}"#
);

static SIGNING_KEY: LazyLock<Option<SigningKey>> = LazyLock::new(|| SigningKey::from_slice(&KEY).ok());

/// The payload with its signature put before its last brace. `None` if it is not an object, or can't be signed.
pub(super) fn sign(payload: &[u8]) -> Option<Vec<u8>> {
    let kept = payload.strip_suffix(b"}")?;
    // `formatTail` is the brace that was taken off. The time is fixed: it would be the only thing that changes.
    let protected =
        BASE64.encode(format!(r#"{{"formatLength":{},"formatTail":"fQ","time":"1970-01-01T00:00:00Z"}}"#, kept.len()));
    let signed = format!("{protected}.{}", BASE64.encode(payload));
    // The nonce comes from key and message (RFC 6979), so the same payload has the same signature.
    let signature: Signature = SIGNING_KEY.as_ref()?.try_sign(signed.as_bytes()).ok()?;
    let mut file = kept.to_vec();
    file.extend_from_slice(
        format!(
            r#","signatures":[{{"header":{HEADER},"signature":"{}","protected":"{protected}"}}]}}"#,
            BASE64.encode(signature.to_bytes())
        )
        .as_bytes(),
    );
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base32 (RFC 4648) of bytes whose bits fill whole groups of five.
    fn base32(bytes: &[u8]) -> String {
        let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
        bits.chunks(5)
            .map(|five| five.iter().fold(0, |value, bit| value << 1 | bit))
            .map(|value: u8| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(value)]))
            .collect()
    }

    #[test]
    fn the_header_is_the_key_s_own() {
        assert_eq!(
            crate::image::Digest::of(b"roadstead gateway view: this key is public and proves nothing").as_bytes(),
            &KEY
        );
        let point = SIGNING_KEY.as_ref().unwrap().verifying_key().to_encoded_point(false);
        let header: serde_json::Value = serde_json::from_str(HEADER).unwrap();
        let jwk = &header["jwk"];
        assert_eq!(jwk["x"], BASE64.encode(point.x().unwrap()));
        assert_eq!(jwk["y"], BASE64.encode(point.y().unwrap()));
        // libtrust's key identifier: 30 bytes of the SHA-256 of the DER SubjectPublicKeyInfo, in groups of four letters.
        let mut der = vec![
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        der.extend_from_slice(point.as_bytes());
        let letters = base32(&crate::image::Digest::of(&der).as_bytes()[..30]);
        let groups: Vec<&str> = (0..12).map(|group| &letters[group * 4..group * 4 + 4]).collect();
        assert_eq!(jwk["kid"], groups.join(":"));
    }

    #[test]
    fn only_objects_are_signed() {
        assert!(sign(b"[]").is_none());
        assert!(sign(b"").is_none());
    }
}
