//! Keys, names and records against the specification's vectors and what a real Kubo made; `testdata/README.md` says how.

mod keys;
mod records;

use super::PrivateKey;

/// A key that Kubo made, as `ipfs key export` and `ipfs key export --format=pem-pkcs8-cleartext` gave it out, and its names.
const KUBO_KEY: &str = "08011240f04c442f43a112c8e949a32dc05cb309abadf61e99cd5c4b7506f125186de31a\
                        6a8a8abc8a5f01d2320fd7f755f4f2033e83398128df4b259e93788b78d0e262";
const KUBO_KEY_PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIPBMRC9DoRLI6UmjLcBcswmrrfYemc1cS3UG8SUYbeMa
-----END PRIVATE KEY-----
";
const KUBO_NAME: &str = "k51qzi5uqu5diu6n975tgb0yxt0x2cpmtmb04a0e95idyd3x958iii0s7em99e";
const KUBO_PEER_ID: &str = "12D3KooWGzFur7H6QvPPaD3HVrffuChj7pyeSFxH1j3HCDJsRthf";

fn hex(digits: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap() as u8;
    digits.as_bytes().chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
}

fn kubo_key() -> PrivateKey {
    PrivateKey::from_protobuf(&hex(KUBO_KEY)).unwrap()
}
