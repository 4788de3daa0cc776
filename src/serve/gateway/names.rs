//! Names of keys: peer IDs and IPNS names, in the forms that clients send (libp2p peer-ids spec, "String representation";
//! IPNS record spec, "String Representation").
//!
//! Pure. Must not know whose keys they are.

use cid::Version;
use multibase::Base;
use multihash::Multihash;

use super::request::parse_cid;

/// The multicodec of a CID that names a key.
const LIBP2P_KEY: u64 = 0x72;
/// Characters of a multihash in base 58: more than one of 64 bytes takes.
const MAX_BASE58_CHARACTERS: usize = 100;

/// The multihash of the key that a text names: `12D3Koo…`, `Qm…`, or a CID such as `k51…` and `bafz…`.
pub(super) fn key_multihash(text: &str) -> Option<Vec<u8>> {
    if text.starts_with('1') || text.starts_with("Qm") {
        let bytes = (text.len() <= MAX_BASE58_CHARACTERS).then(|| Base::Base58Btc.decode(text).ok())??;
        return Multihash::<64>::from_bytes(&bytes).is_ok().then_some(bytes);
    }
    let cid = parse_cid(text)?;
    (cid.version() == Version::V1 && cid.codec() == LIBP2P_KEY).then(|| cid.hash().to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_has_many_names() {
        let names = [
            "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
            "bafzaajaiaejcal72gwuz2or47oyxxn6b3rkwdmmkrxgkjxzy3rqt5kczyn7lcm3l",
            "k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or",
        ];
        let keys: Vec<_> = names.iter().map(|name| key_multihash(name)).collect();
        assert_eq!(keys[0].as_ref().map(|key| (key.len(), &key[..6])), Some((38, &[0, 36, 8, 1, 18, 32][..])));
        assert!(keys[1] == keys[0] && keys[2] == keys[0]);
        let rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
        assert_eq!(key_multihash(rsa).map(|key| key.len()), Some(34));
        for none in [
            "",
            "1",
            "Qm",
            "en.wikipedia-on-ipfs.org",
            // The hash of a file.
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
            &"1".repeat(200),
            &rsa[..40],
        ] {
            assert_eq!(key_multihash(none), None, "{none}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-zA-Z0-9]{0,120}|\\PC{0,40}") {
            let _ = key_multihash(&text);
        }
    }
}
