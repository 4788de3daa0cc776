//! Keys and names: what others write, what no key or name is, and that nothing shows a secret.

use proptest::prelude::*;

use super::{KUBO_KEY, KUBO_KEY_PEM, KUBO_NAME, KUBO_PEER_ID, hex, kubo_key};
use crate::error::Kind;
use crate::ipns::{MAX_KEY_FILE_BYTES, Name, PrivateKey};

/// The hash of an RSA key: libp2p specs, `peer-ids.md`.
const RSA_PEER_ID: &str = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

fn name(text: &str) -> Name {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_key_of_kubo_in_both_forms() {
    let key = kubo_key();
    assert_eq!(key.name().to_string(), KUBO_NAME);
    assert_eq!(key.name().peer_id(), KUBO_PEER_ID);
    assert_eq!(key.to_protobuf().unwrap(), hex(KUBO_KEY));
    assert_eq!(key.to_pem().unwrap(), KUBO_KEY_PEM);
    for file in [hex(KUBO_KEY), KUBO_KEY_PEM.into(), format!("\r\n{}", KUBO_KEY_PEM.replace('\n', "\r\n")).into()] {
        let read = PrivateKey::from_file(&file).unwrap();
        assert_eq!(read.to_protobuf().unwrap(), hex(KUBO_KEY));
    }
}

#[test]
fn keys_of_other_programs() {
    // libp2p specs, `peer-ids.md`, "Test vectors".
    let private = "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d\
                   1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";
    let public = "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";
    let key = PrivateKey::from_protobuf(&hex(private)).unwrap();
    assert_eq!(key.public_key().to_protobuf(), hex(public));
    assert_eq!(key.to_protobuf().unwrap(), hex(private));

    // RFC 8032, 7.1, test 1, in PKCS#8 of version 1 and, with the public key, 2 (RFC 8410, 10.3).
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let pem = |der: &str| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(hex(der));
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("text before\n-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
    };
    let version_1 = pem(&format!("302e020100300506032b657004220420{seed}"));
    let version_2 = pem(&format!("3051020101300506032b657004220420{seed}812100{public}"));
    for pem in [version_1, version_2] {
        let key = PrivateKey::from_file(pem.as_bytes()).unwrap();
        assert_eq!(key.to_protobuf().unwrap(), hex(&format!("08011240{seed}{public}")));
    }

    // Older programs write the public key twice.
    let twice = PrivateKey::from_protobuf(&hex(&format!("08011260{seed}{public}{public}"))).unwrap();
    assert_eq!(twice.to_protobuf().unwrap(), hex(&format!("08011240{seed}{public}")));

    let other = &KUBO_KEY[72..];
    let apart = "can't read the private key: its private and public halves do not belong together";
    let refused = |key: &str| PrivateKey::from_protobuf(&hex(key)).unwrap_err().to_string();
    assert_eq!(refused(&format!("08011240{seed}{other}")), apart);
    assert_eq!(refused(&format!("08011260{seed}{public}{other}")), apart);
    assert_eq!(refused(&format!("08011260{seed}{other}{other}")), apart);
    let error = PrivateKey::from_pem(pem(&format!("3051020101300506032b657004220420{seed}812100{other}")).as_bytes());
    assert!(error.unwrap_err().to_string().contains("halves do not belong together"));
}

#[test]
fn what_is_no_key_is_refused_in_words() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    for (key, why) in [
        (String::new(), "it is no key in protobuf"),
        ("0801".into(), "it is no key in protobuf"),
        (format!("{KUBO_KEY}00"), "it is no key in protobuf"),
        (format!("{KUBO_KEY}0801"), "it is no key in protobuf"),
        (format!("0a001220{seed}"), "it is no key in protobuf"),
        (format!("08011220{seed}"), "it has 32 bytes of key data instead of 64"),
        (format!("0801121f{}", &seed[2..]), "it has 31 bytes of key data instead of 64"),
        (format!("08001220{seed}"), "it is an RSA key, and only Ed25519 keys sign here"),
        (format!("08021220{seed}"), "it is a secp256k1 key, and only Ed25519 keys sign here"),
        (format!("08071220{seed}"), "it is a key of the unknown type 7, and only Ed25519 keys sign here"),
    ] {
        let error = PrivateKey::from_file(&hex(&key)).unwrap_err();
        assert_eq!(error.to_string(), format!("can't read the private key: {why}"));
        assert_eq!(error.kind(), Kind::Usage);
    }
    let refused = |pem: &str| PrivateKey::from_file(pem.as_bytes()).unwrap_err();
    let error = refused(&KUBO_KEY_PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    assert_eq!(error.to_string(), "can't read the private key: it has no section PRIVATE KEY");
    assert_eq!(error.hints().len(), 1);
    assert!(refused(&KUBO_KEY_PEM.replace("MC4", "MC5")).to_string().contains("it is no Ed25519 key"));
    assert!(refused(&KUBO_KEY_PEM.replace("MC4", "%C4")).to_string().contains("it is no PEM"));
    assert!(refused(&" ".repeat(MAX_KEY_FILE_BYTES + 1)).to_string().contains("larger than 64 KiB"));
}

#[test]
fn a_new_key_round_trips_and_is_not_shown() {
    let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    assert_ne!(key.name(), other.name());
    let protobuf = key.to_protobuf().unwrap();
    let pem = key.to_pem().unwrap();
    for read in [PrivateKey::from_file(&protobuf).unwrap(), PrivateKey::from_file(pem.as_bytes()).unwrap()] {
        assert_eq!(read.name(), key.name());
        assert_eq!(read.to_protobuf().unwrap(), protobuf);
    }
    assert_eq!(format!("{key:?}"), format!("PrivateKey({})", key.name()));
}

#[test]
fn one_name_in_every_form() {
    let kubo = kubo_key().name();
    for text in [
        KUBO_NAME.to_owned(),
        format!("/ipns/{KUBO_NAME}"),
        KUBO_PEER_ID.to_owned(),
        format!("/ipns/{KUBO_PEER_ID}"),
        kubo.cid().to_string(),
        kubo.cid().to_string_of_base(multibase::Base::Base16Lower).unwrap(),
    ] {
        assert_eq!(name(&text), kubo, "{text}");
    }
    assert!(kubo.cid().to_string().starts_with("bafz"));
    assert_eq!(kubo.multihash().to_bytes(), hex(&format!("002408011220{}", &KUBO_KEY[72..])));
    assert_eq!(kubo.routing_key(), [b"/ipns/".to_vec(), kubo.multihash().to_bytes()].concat());
    assert_eq!(Name::from_routing_key(&kubo.routing_key()).unwrap(), kubo);

    // libp2p specs, `peer-ids.md`, "String representation".
    let rsa = name(RSA_PEER_ID);
    assert_eq!(rsa, name("bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"));
    assert_eq!((rsa.peer_id(), rsa.multihash().code()), (RSA_PEER_ID.to_owned(), 0x12));
    assert_eq!(name(&rsa.to_string()), rsa);
    assert_eq!(Name::from_routing_key(&rsa.routing_key()).unwrap(), rsa);
    let inlined = name("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA");
    assert_eq!(inlined.peer_id(), "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA");
}

#[test]
fn what_is_no_name_is_refused_in_words() {
    let base16 = |digits: &str| format!("f{digits}");
    let key = &KUBO_KEY[72..];
    for (text, why) in [
        (String::new(), "it is neither a peer ID nor a CID"),
        ("/ipns/".into(), "it is neither a peer ID nor a CID"),
        ("registry.example.org".into(), "it is neither a peer ID nor a CID"),
        (format!("{KUBO_NAME}/path"), "it is neither a peer ID nor a CID"),
        (format!("/ipfs/{KUBO_NAME}"), "it is neither a peer ID nor a CID"),
        (format!("{KUBO_PEER_ID}0"), "it is not in base58"),
        (format!("{KUBO_PEER_ID}z"), "it holds no multihash"),
        (RSA_PEER_ID[..45].into(), "it holds no multihash"),
        ("k".repeat(129), "it is longer than 128 characters"),
        (
            "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am".into(),
            "it is the CID of content, not of a key",
        ),
        (
            "16Uiu2HAmVpQpb4b8A27ywaPmak1kiErNg6nGUaiJpwzuuHLPCNn7".into(),
            "its key: it is a secp256k1 key, which can't be verified here",
        ),
        (base16(&format!("0172002408011220{key}00")), "it is neither a peer ID nor a CID"),
        (base16(&format!("0172002308011220{}", &key[2..])), "its key: it is no key in protobuf"),
        (base16(&format!("017200230801121f{}", &key[2..])), "its key: it has 31 bytes instead of 32"),
        (base16(&format!("017200241220{key}0801")), "its key: it is not in canonical form"),
        (base16(&format!("01720025088100{}{key}", "1220")), "its key: it is not in canonical form"),
        (base16(&format!("0172002c0800122a{}", "00".repeat(40))), "its key: it is no key in protobuf"),
        (base16(&format!("0172002c08001228{}", "00".repeat(40))), "its key is too long to stand in a name"),
        (base16(&format!("0172121f{}", &key[2..])), "its SHA-256 has 31 bytes instead of 32"),
        (base16(&format!("01721320{key}")), "its hash function 0x13 is neither identity nor SHA-256"),
    ] {
        let error = text.parse::<Name>().unwrap_err().to_string();
        assert_eq!(error.split_once("is not an IPNS name: ").map(|(_, why)| why), Some(why), "{text}: {error}");
    }
    let error = "\u{1b}[2J".parse::<Name>().unwrap_err();
    assert_eq!(error.to_string(), "`\\u{1b}[2J` is not an IPNS name: it is neither a peer ID nor a CID");
    assert!(Name::from_routing_key(b"/pk/x").is_err() && Name::from_routing_key(b"/ipns/").is_err());
}

proptest! {
    #[test]
    fn any_text_is_a_name_or_is_refused(
        text in ".{0,80}", letters in "[0-9a-zA-Z]{0,140}", start in prop::sample::select(vec!["k", "b", "f", "Qm", "12D3", "z"]),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        for text in [text, format!("{start}{letters}")] {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
            }
        }
        let _ = Name::from_routing_key(&[b"/ipns/".as_slice(), &bytes].concat());
        crate::ipns::fuzzing::names_and_keys(&bytes);
    }

    #[test]
    fn every_key_has_a_name_in_every_form(seed: [u8; 32]) {
        let der = [&hex("302e020100300506032b657004220420")[..], &seed].concat();
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        let key = PrivateKey::from_pem(pem.as_bytes()).unwrap();
        prop_assert_eq!(key.to_pem().unwrap(), pem);
        let name = key.name();
        prop_assert!(name.to_string().starts_with("k51") && name.peer_id().starts_with("12D3KooW"));
        prop_assert_eq!(name.peer_id().parse::<Name>().unwrap(), name);
        prop_assert_eq!(PrivateKey::from_protobuf(&key.to_protobuf().unwrap()).unwrap().name(), name);
    }

    /// A file that was damaged is no other key, unless the damage is not in the key.
    #[test]
    fn a_damaged_key_is_refused(bit in 0..68 * 8_usize) {
        let mut key = hex(KUBO_KEY);
        key[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(PrivateKey::from_protobuf(&key).is_err());
    }
}
