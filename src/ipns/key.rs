//! The keys behind names, in the forms that libp2p, Kubo and OpenSSL exchange them in (libp2p specs, `peer-ids.md`; RFC 8410).
//!
//! Must not know files. A private key has no form that could be shown by mistake; whoever wants it writes down which.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian as _, Curve25519SeedBin};
use aws_lc_rs::signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::{self, PemObject as _};

use super::name::Name;
use super::protobuf::{Fields, write_bytes, write_number};
use crate::error::{Error, Kind, Result};

/// More than this is no file with a key.
pub const MAX_KEY_FILE_BYTES: usize = 64 << 10;

/// The fields of a key in protobuf, private or public.
const KEY_TYPE: u64 = 1;
const KEY_DATA: u64 = 2;
/// The types of keys.
const RSA: u64 = 0;
const ED25519: u64 = 1;
const SECP256K1: u64 = 2;
const ECDSA: u64 = 3;

const SEED_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 32;
/// How every section of PEM begins; text may precede it.
const PEM_START: &[u8] = b"-----BEGIN ";

/// A key that signs records: Ed25519, which every implementation has to know.
#[derive(Clone)]
pub struct PrivateKey {
    pair: Ed25519KeyPair,
    public: [u8; PUBLIC_BYTES],
}

impl PrivateKey {
    /// Makes a key from the system's random numbers.
    pub fn generate() -> Result<Self> {
        let pair = Ed25519KeyPair::generate()
            .map_err(|_| Error::new(Kind::Unexpected, "can't make a key: the system gives no random numbers"))?;
        Self::new(pair)
    }

    fn new(pair: Ed25519KeyPair) -> Result<Self> {
        let public =
            pair.public_key().as_ref().try_into().map_err(|_| unreadable("its public half has another size"))?;
        Ok(Self { pair, public })
    }

    /// Reads what a file holds: PEM where a section of it begins, else protobuf.
    pub fn from_file(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_KEY_FILE_BYTES {
            return Err(unreadable("it is larger than 64 KiB"));
        }
        let is_pem = bytes.windows(PEM_START.len()).any(|window| window == PEM_START);
        if is_pem { Self::from_pem(bytes) } else { Self::from_protobuf(bytes) }
    }

    /// Reads a protobuf `PrivateKey`, the default of `ipfs key export`. Its data is the seed and the public key of RFC 8032,
    /// 32 bytes each; older programs wrote the public key twice.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Self> {
        let (key_type, data) = read_key(bytes).map_err(unreadable)?;
        if key_type != ED25519 {
            return Err(wrong_type(key_type));
        }
        let size = || unreadable(&format!("it has {} bytes of key data instead of 64", data.len()));
        let (seed, public) = data.split_at_checked(SEED_BYTES).ok_or_else(size)?;
        let public = match public.split_at_checked(PUBLIC_BYTES).ok_or_else(size)? {
            (public, again) if again.is_empty() || again == public => public,
            (_, again) if again.len() == PUBLIC_BYTES => return Err(apart()),
            _ => return Err(size()),
        };
        Self::new(Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| apart())?)
    }

    /// Reads PKCS#8 in PEM, as `openssl genpkey` and `ipfs key export --format=pem-pkcs8-cleartext` write it. Other sections
    /// of the text are skipped.
    pub fn from_pem(text: &[u8]) -> Result<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|error| match error {
            pem::Error::NoItemsFound => unreadable("it has no section PRIVATE KEY")
                .hint("A key with a password has to be decrypted first, and other formats converted: `openssl pkcs8 -topk8 -nocrypt`."),
            other => unreadable("it is no PEM").caused_by(other),
        })?;
        let why = "it is no Ed25519 key, or its private and public halves do not belong together";
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| unreadable(why))?;
        Self::new(pair)
    }

    /// The seed of RFC 8032. Secret.
    pub fn seed(&self) -> Result<[u8; SEED_BYTES]> {
        let seed: Curve25519SeedBin<'static> =
            self.pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(|_| unwritable())?;
        seed.as_ref().try_into().map_err(|_| unwritable())
    }

    /// The protobuf that `ipfs key import` takes: 68 bytes. Secret.
    pub fn to_protobuf(&self) -> Result<Vec<u8>> {
        let seed: Curve25519SeedBin<'static> =
            self.pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(|_| unwritable())?;
        Ok(write_key(ED25519, &[seed.as_ref(), &self.public].concat()))
    }

    /// PKCS#8 in PEM, without a password. Secret.
    pub fn to_pem(&self) -> Result<String> {
        let der = self.pair.to_pkcs8v1().map_err(|_| unwritable())?;
        // 48 bytes: one line.
        Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(der.as_ref())))
    }

    /// The public half.
    pub const fn public_key(&self) -> PublicKey<'static> {
        PublicKey::Ed25519(self.public)
    }

    /// The name that this key signs for.
    pub fn name(&self) -> Name {
        Name::of(&self.public_key())
    }

    /// 64 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Result<signature::Signature> {
        self.pair.try_sign(message).map_err(|_| Error::new(Kind::Unexpected, "can't sign an IPNS record"))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.name())
    }
}

/// A key that records are verified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// The 32 bytes of RFC 8032.
    Ed25519([u8; PUBLIC_BYTES]),
    /// SubjectPublicKeyInfo in DER, of 2048 to 8192 bits.
    Rsa(&'a [u8]),
}

impl<'a> PublicKey<'a> {
    /// Reads a protobuf `PublicKey` in the only form that has its name: fields in order, each once.
    pub(super) fn from_protobuf(bytes: &'a [u8]) -> Result<Self, String> {
        let (key_type, data) = read_key(bytes)?;
        let key = match key_type {
            ED25519 => {
                Self::Ed25519(data.try_into().map_err(|_| format!("it has {} bytes instead of 32", data.len()))?)
            }
            RSA => Self::Rsa(data),
            other => return Err(format!("it is {}, which can't be verified here", type_name(other))),
        };
        if key.to_protobuf() == bytes { Ok(key) } else { Err("it is not in canonical form".to_owned()) }
    }

    /// The protobuf that names are made of, and that libp2p shows its peers.
    pub fn to_protobuf(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => write_key(ED25519, key),
            Self::Rsa(key) => write_key(RSA, key),
        }
    }

    /// Whether this key signed the message: Ed25519 as RFC 8032 has it, RSA by PKCS #1 v1.5 and SHA-256.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (algorithm, key): (&'static dyn VerificationAlgorithm, &[u8]) = match self {
            Self::Ed25519(key) => (&signature::ED25519, key),
            Self::Rsa(key) => (&signature::RSA_PKCS1_2048_8192_SHA256, key),
        };
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    }
}

/// Reads the type and the data of a key.
fn read_key(bytes: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    const NO_KEY: &str = "it is no key in protobuf";
    let (mut key_type, mut data) = (None, None);
    for field in Fields::of(bytes) {
        match field.map_err(|_| NO_KEY)? {
            (KEY_TYPE, value) if key_type.is_none() => key_type = Some(value.number().ok_or(NO_KEY)?),
            (KEY_DATA, value) if data.is_none() => data = Some(value.bytes().ok_or(NO_KEY)?),
            _ => return Err(NO_KEY),
        }
    }
    key_type.zip(data).ok_or(NO_KEY)
}

fn write_key(key_type: u64, data: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(data.len() + 8);
    write_number(&mut key, KEY_TYPE, key_type);
    write_bytes(&mut key, KEY_DATA, data);
    key
}

/// What a key is called whose type has this number.
fn type_name(key_type: u64) -> String {
    match key_type {
        RSA => "an RSA key".to_owned(),
        SECP256K1 => "a secp256k1 key".to_owned(),
        ECDSA => "an ECDSA key".to_owned(),
        other => format!("a key of the unknown type {other}"),
    }
}

fn unreadable(why: &str) -> Error {
    Error::new(Kind::Usage, format!("can't read the private key: {why}"))
}

fn unwritable() -> Error {
    Error::new(Kind::Unexpected, "can't write down the private key")
}

fn apart() -> Error {
    unreadable("its private and public halves do not belong together")
}

fn wrong_type(key_type: u64) -> Error {
    unreadable(&format!("it is {}, and only Ed25519 keys sign here", type_name(key_type)))
        .hint("`ipfs key gen --type=ed25519 NAME` makes such a key.")
}
