//! Schema 1 against what skopeo writes, with the signature checked independently.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::{Value, json};

use super::*;
use crate::image::media;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

fn image(configuration: &[u8], layers: &[(&str, Digest)]) -> Manifest {
    let descriptor = |media_type: &str, digest: Digest| Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size: 1,
        urls: Vec::new(),
        annotations: BTreeMap::new(),
        platform: None,
        artifact_type: None,
    };
    Manifest {
        media_type: media::OCI_MANIFEST.to_owned(),
        body: Body::Image {
            config: descriptor(media::OCI_CONFIG, Digest::of(configuration)),
            layers: layers.iter().map(|(media_type, digest)| descriptor(media_type, *digest)).collect(),
        },
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
    }
}

/// The two layers of the fixtures.
fn two_layers() -> [(&'static str, Digest); 2] {
    [
        (GZIP, digest("sha256:127880497fdd25bf22318887ee33cb04c2027bfbeb5353103c041db6dd1512c3")),
        (
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            digest("sha256:6fa0240d4f8c89f5b026f1ce8ecd807e75cad1d666f513123e4a23cb083af661"),
        ),
    ]
}

/// What libtrust does with a signed file: rebuilds the payload from the protected header and checks the signature over it.
fn verified_payload(file: &[u8]) -> Vec<u8> {
    let whole: Value = serde_json::from_slice(file).unwrap();
    let [signature] = whole["signatures"].as_array().unwrap().as_slice() else { panic!("one signature") };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let protected = text(&signature["protected"]);
    let header: Value = serde_json::from_slice(&BASE64.decode(&protected).unwrap()).unwrap();
    let mut payload = file[..usize::try_from(header["formatLength"].as_u64().unwrap()).unwrap()].to_vec();
    payload.extend(BASE64.decode(text(&header["formatTail"])).unwrap());
    let jwk = &signature["header"]["jwk"];
    let mut point = vec![4];
    point.extend(BASE64.decode(text(&jwk["x"])).unwrap());
    point.extend(BASE64.decode(text(&jwk["y"])).unwrap());
    let key = VerifyingKey::from_sec1_bytes(&point).unwrap();
    let value = Signature::from_slice(&BASE64.decode(text(&signature["signature"])).unwrap()).unwrap();
    key.verify(format!("{protected}.{}", BASE64.encode(&payload)).as_bytes(), &value).unwrap();
    payload
}

/// The payloads are what skopeo 1.9.3 wrote (`skopeo copy --format v2s1 oci:… dir:…`) for these configurations.
#[test]
fn the_payload_is_skopeo_s() {
    let cases: [(&[u8], &[u8], bool, &str); 3] = [
        (
            include_bytes!("fixtures/empty-top.configuration.json"),
            include_bytes!("fixtures/empty-top.payload.json"),
            true,
            "sha256:78c1e4747f21fb555646fb28ae33c9a1d7cb9a52cecd00a0396dcd90ca6af25d",
        ),
        (
            include_bytes!("fixtures/full-top.configuration.json"),
            include_bytes!("fixtures/full-top.payload.json"),
            true,
            "sha256:c50c6b350df4bb1540fff68e2d902be00c64f0e1e071bafe4ab4ab1941f96663",
        ),
        (
            include_bytes!("fixtures/no-times.configuration.json"),
            include_bytes!("fixtures/no-times.payload.json"),
            false,
            "sha256:a89217560c15915e8d8e0ae8a8884377959cedf6ca93bfba4b0930edea297cce",
        ),
    ];
    for (configuration, payload, needs_empty_layer, name) in cases {
        let made = convert(&image(configuration, &two_layers()), configuration).unwrap();
        let again = verified_payload(&made.bytes);
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(payload));
        assert_eq!(made.digest, digest(name));
        assert_eq!(made.digest, Digest::of(&again));
        assert_eq!(made.needs_empty_layer, needs_empty_layer);
    }
}

#[test]
fn the_same_image_has_the_same_bytes_for_ever() {
    let configuration = include_bytes!("fixtures/empty-top.configuration.json");
    let manifest = image(configuration, &two_layers());
    let made = convert(&manifest, configuration).unwrap();
    assert_eq!(made, convert(&manifest, configuration).unwrap());
    // A change here changes published roots: it needs a new SITE_VERSION.
    insta::assert_snapshot!("signed", String::from_utf8(made.bytes).unwrap());
}

#[test]
fn the_empty_layer_is_docker_s() {
    assert_eq!(Digest::of(&EMPTY_LAYER), EMPTY_LAYER_DIGEST);
    assert_eq!(
        EMPTY_LAYER_DIGEST.to_string(),
        "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
    );
}

fn configuration(history: &Value) -> Vec<u8> {
    let diff = Digest::of(b"");
    json!({"architecture": "arm64", "created": "2020-01-01T00:00:00Z", "history": history,
        "rootfs": {"type": "layers", "diff_ids": [diff, diff]}})
    .to_string()
    .into_bytes()
}

#[test]
fn a_history_that_does_not_fit_is_made_up() {
    let whole = json!([{"created": "2020-01-01T00:00:00Z"}, {"created": "2020-01-01T00:00:00Z"}]);
    let expected: Vec<String> = histories(&configuration(&whole)).into_iter().skip(1).collect();
    for history in [Value::Null, json!([]), json!([{}]), json!([{}, {}, {}]), json!([{"empty_layer": true}])] {
        let made = histories(&configuration(&history));
        assert_eq!(made.len(), 2, "{history}");
        assert!(made[0].contains("\"architecture\":\"arm64\""));
        assert_eq!(made[1..], expected, "{history}");
    }
}

/// The v1 images of what is made of a configuration with two layers, top first.
fn histories(configuration: &[u8]) -> Vec<String> {
    let made = convert(&image(configuration, &two_layers()), configuration).unwrap();
    let payload: Value = serde_json::from_slice(&verified_payload(&made.bytes)).unwrap();
    let history = payload["history"].as_array().unwrap();
    assert_eq!(history.len(), payload["fsLayers"].as_array().unwrap().len());
    // As clients check it: every image names the next one as its parent, the last one none.
    let images: Vec<Value> =
        history.iter().map(|entry| serde_json::from_str(entry["v1Compatibility"].as_str().unwrap()).unwrap()).collect();
    for pair in images.windows(2) {
        assert_eq!(pair[0]["parent"], pair[1]["id"]);
    }
    assert!(images.last().unwrap().get("parent").is_none());
    history.iter().map(|entry| entry["v1Compatibility"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn layers_of_nothing_but_settings() {
    let configuration =
        json!({"architecture": "amd64", "history": [{"empty_layer": true, "created": "soon"}, {"empty_layer": true}]})
            .to_string();
    let made = convert(&image(configuration.as_bytes(), &[]), configuration.as_bytes()).unwrap();
    assert!(made.needs_empty_layer);
    let payload = String::from_utf8(verified_payload(&made.bytes)).unwrap();
    assert!(payload.contains(NO_TIME) && !payload.contains("soon"), "{payload}");
}

#[test]
fn what_schema_1_can_not_say() {
    let configuration = configuration(&Value::Null);
    let [first, second] = two_layers();
    let with = |media_type| convert(&image(&configuration, &[first, (media_type, second.1)]), &configuration);
    let without_rootfs = b"{}";
    let unreadable = b"{\"architecture\":7}";
    let refusals = [
        with("application/vnd.oci.image.layer.v1.tar+zstd"),
        with("application/vnd.docker.image.rootfs.diff.tar.zstd"),
        with("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        with("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        with("application/vnd.in-toto+json\u{1b}[31m"),
        convert(&image(b"other", &[first, second]), &configuration),
        convert(&image(&configuration, &[first]), &configuration),
        convert(&image(without_rootfs, &[]), without_rootfs),
        convert(&image(without_rootfs, &[first]), without_rootfs),
        convert(&image(unreadable, &[first]), unreadable),
        convert(&image(b"\xff", &[first]), b"\xff"),
    ];
    let words: Vec<String> = refusals.iter().map(|refusal| refusal.as_ref().unwrap_err().to_string()).collect();
    insta::assert_snapshot!("unsayable", words.join("\n"));
    assert!(with("application/vnd.oci.image.layer.v1.tar").is_ok());

    let mut artifact = image(&configuration, &[first, second]);
    if let Body::Image { config, .. } = &mut artifact.body {
        config.media_type = "application/vnd.cncf.helm.config.v1+json".to_owned();
    }
    assert_eq!(convert(&artifact, &configuration), Err(Unsayable::NotAnImage));
    let index = Manifest { body: Body::Index { manifests: Vec::new() }, ..artifact };
    assert_eq!(convert(&index, &configuration), Err(Unsayable::NotAnImage));
}

#[test]
fn what_is_made_stays_small() {
    let large = configuration(&json!([{"comment": "x".repeat(MAX_MANIFEST_BYTES)}, {}]));
    assert_eq!(convert(&image(&large, &two_layers()), &large), Err(Unsayable::TooLarge));
    let empty: Vec<Value> = (0..MAX_HISTORY_ENTRIES).map(|_| json!({"empty_layer": true})).collect();
    let many = configuration(&Value::Array(empty.into_iter().chain([json!({}), json!({})]).collect()));
    assert_eq!(convert(&image(&many, &two_layers()), &many), Err(Unsayable::TooLarge));
    // Quotes and control characters grow when they are quoted twice.
    let growing = configuration(&json!([{"comment": "\u{1}".repeat(400_000)}, {}]));
    assert!(growing.len() < MAX_MANIFEST_BYTES);
    assert!(convert(&image(&growing, &two_layers()), &growing).is_ok());
    let growing = configuration(&json!([{"comment": "\u{1}".repeat(650_000)}, {}]));
    assert!(growing.len() < MAX_MANIFEST_BYTES);
    assert_eq!(convert(&image(&growing, &two_layers()), &growing), Err(Unsayable::TooLarge));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_configuration_gives_a_valid_signature_or_words(text in "\\PC{0,60}", raw in "[\\x00-\\x7f]{0,40}") {
        let configuration = configuration(&json!([{"created_by": text, "author": raw}, {"comment": text}]));
        let made = convert(&image(&configuration, &two_layers()), &configuration).unwrap();
        proptest::prop_assert_eq!(Digest::of(&verified_payload(&made.bytes)), made.digest);
        let _ = convert(&image(raw.as_bytes(), &two_layers()), raw.as_bytes());
    }
}
