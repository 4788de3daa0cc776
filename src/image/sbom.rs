//! What an SBOM lists: the packages of SPDX 2 (spdx.github.io/spdx-spec, annex JSON) and CycloneDX (cyclonedx.org/docs, JSON), also
//! where an in-toto statement, a DSSE envelope or a Sigstore bundle is around them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::text::printable_within;

/// A document may stand in a statement, that in an envelope, and that in a bundle.
const MAX_WRAPPINGS: usize = 4;
const MAX_NAME_CHARS: usize = 200;
const MAX_VERSION_CHARS: usize = 100;

/// The format of an SBOM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Format {
    /// SPDX 2, as JSON.
    #[serde(rename = "spdx")]
    Spdx,
    /// CycloneDX, as JSON.
    #[serde(rename = "cyclonedx")]
    CycloneDx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spdx => "SPDX",
            Self::CycloneDx => "CycloneDX",
        })
    }
}

/// What a package is called. Names are only unique among packages of one type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Package {
    /// Its name, with its group if it has one.
    pub name: String,
    /// Its type by its package URL: `deb`, `apk`, `golang`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// The packages that an SBOM lists, with their versions: there may be several of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sbom {
    /// Format of the document.
    pub format: Format,
    /// Packages by name.
    pub packages: BTreeMap<Package, BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "bomFormat")]
    bom_format: Option<String>,
    #[serde(rename = "spdxVersion")]
    spdx_version: Option<String>,
    #[serde(borrow)]
    components: Option<&'a RawValue>,
    #[serde(borrow)]
    packages: Option<&'a RawValue>,
    /// Of an in-toto statement (github.com/in-toto/attestation, spec/v1/statement.md).
    #[serde(rename = "predicateType")]
    predicate_type: Option<String>,
    #[serde(borrow)]
    predicate: Option<&'a RawValue>,
    /// What cosign put around a predicate before it wrote those of in-toto.
    #[serde(borrow, rename = "Data")]
    data: Option<&'a RawValue>,
    /// Of a DSSE envelope (github.com/secure-systems-lab/dsse, envelope.md).
    #[serde(rename = "payloadType")]
    payload_type: Option<String>,
    payload: Option<String>,
    /// Of a Sigstore bundle (github.com/sigstore/protobuf-specs, sigstore_bundle.proto).
    #[serde(borrow, rename = "dsseEnvelope")]
    envelope: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    name: String,
    version_info: Option<String>,
    primary_package_purpose: Option<String>,
    #[serde(default)]
    external_refs: Vec<SpdxReference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpdxReference {
    reference_type: String,
    reference_locator: String,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "type", default)]
    kind: String,
    group: Option<String>,
    name: String,
    version: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
}

/// Reads an SBOM; nothing else that is JSON is one.
pub fn read(bytes: &[u8]) -> Option<Sbom> {
    unwrapped(bytes, MAX_WRAPPINGS)
}

fn unwrapped(bytes: &[u8], wrappings: usize) -> Option<Sbom> {
    let document: Document<'_> = serde_json::from_slice(bytes).ok()?;
    if document.bom_format.as_deref() == Some("CycloneDX") {
        let components: Vec<Component> = listed(document.components)?;
        return Some(Sbom { format: Format::CycloneDx, packages: of_components(components) });
    }
    if document.spdx_version.is_some_and(|version| version.starts_with("SPDX-2.")) {
        return Some(Sbom { format: Format::Spdx, packages: of_packages(listed(document.packages)?) });
    }
    let wrappings = wrappings.checked_sub(1)?;
    if let Some(envelope) = document.envelope {
        return unwrapped(envelope.get().as_bytes(), wrappings);
    }
    if let (Some(_), Some(payload)) = (document.payload_type, document.payload) {
        return unwrapped(&BASE64_STANDARD.decode(payload).ok()?, wrappings);
    }
    // What is attested otherwise, like provenance, is none.
    let is_sbom = |kind: &str| kind.contains("spdx.dev/Document") || kind.contains("cyclonedx.org/bom");
    match (document.predicate, document.data) {
        (Some(predicate), _) if document.predicate_type.as_deref().is_some_and(is_sbom) => {
            unwrapped(predicate.get().as_bytes(), wrappings)
        }
        (None, Some(data)) => unwrapped(data.get().as_bytes(), wrappings),
        _ => None,
    }
}

/// The elements of a list, which may be missing.
fn listed<'de, T: Deserialize<'de>>(list: Option<&'de RawValue>) -> Option<Vec<T>> {
    list.map_or_else(|| Some(Vec::new()), |list| serde_json::from_str(list.get()).ok())
}

fn of_packages(packages: Vec<SpdxPackage>) -> BTreeMap<Package, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for package in packages {
        // The image itself is listed, too.
        if matches!(package.primary_package_purpose.as_deref(), Some("CONTAINER" | "FILE")) {
            continue;
        }
        let purl = package.external_refs.into_iter().find(|reference| reference.reference_type == "purl");
        let kind = purl.and_then(|purl| kind_of(&purl.reference_locator));
        note(&mut found, &package.name, kind, package.version_info);
    }
    found
}

fn of_components(components: Vec<Component>) -> BTreeMap<Package, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    let mut todo = components;
    while let Some(mut component) = todo.pop() {
        todo.append(&mut component.components);
        if matches!(component.kind.as_str(), "file" | "container" | "data") {
            continue;
        }
        let group = component.group.filter(|group| !group.is_empty());
        let name = group.map_or_else(|| component.name.clone(), |group| format!("{group}/{}", component.name));
        let kind = component.purl.and_then(|purl| kind_of(&purl));
        note(&mut found, &name, kind, component.version);
    }
    found
}

/// The type that a package URL begins with (github.com/package-url/purl-spec): `pkg:deb/debian/curl@7.50`.
fn kind_of(purl: &str) -> Option<String> {
    let kind = purl.strip_prefix("pkg:")?.trim_start_matches('/').split('/').next()?;
    let is_kind = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'));
    is_kind.then(|| printable_within(&kind.to_ascii_lowercase(), 40))
}

fn note(found: &mut BTreeMap<Package, BTreeSet<String>>, name: &str, kind: Option<String>, version: Option<String>) {
    let package = Package { name: printable_within(name, MAX_NAME_CHARS), kind };
    let versions = found.entry(package).or_default();
    // SPDX has a word for what is not known.
    let version = version.filter(|version| !version.is_empty() && version != "NOASSERTION");
    versions.extend(version.map(|version| printable_within(&version, MAX_VERSION_CHARS)));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(document: &Value) -> Option<Vec<String>> {
        let sbom = read(document.to_string().as_bytes())?;
        let shown = |(package, versions): (&Package, &BTreeSet<String>)| {
            let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
            format!("{} {} {}", package.kind.as_deref().unwrap_or("-"), package.name, versions.join(","))
        };
        Some(std::iter::once(sbom.format.to_string()).chain(sbom.packages.iter().map(shown)).collect())
    }

    fn spdx() -> Value {
        json!({"spdxVersion": "SPDX-2.3", "packages": [
            {"name": "the image", "primaryPackagePurpose": "CONTAINER"},
            {"name": "openssl", "versionInfo": "3.0.15-1", "externalRefs": [
                {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a"},
                {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:deb/debian/openssl@3.0.15-1"}]},
            {"name": "semver", "versionInfo": "7.0.0"}, {"name": "semver", "versionInfo": "6.3.1"},
            {"name": "unknown", "versionInfo": "NOASSERTION"}]})
    }

    const OF_SPDX: [&str; 4] = ["SPDX", "deb openssl 3.0.15-1", "- semver 6.3.1,7.0.0", "- unknown "];

    #[test]
    fn packages_of_spdx_and_of_cyclonedx() {
        assert_eq!(shown(&spdx()).unwrap(), OF_SPDX);
        let cyclonedx = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
            {"type": "library", "group": "org.slf4j", "name": "slf4j-api", "version": "2.0.9", "purl": "pkg:maven/org.slf4j/slf4j-api@2.0.9",
             "components": [{"type": "library", "name": "nested", "version": "1"}]},
            {"type": "file", "name": "/etc/passwd"}, {"type": "operating-system", "name": "debian", "version": "12"}]});
        let expected = ["CycloneDX", "- debian 12", "- nested 1", "maven org.slf4j/slf4j-api 2.0.9"];
        assert_eq!(shown(&cyclonedx).unwrap(), expected);
        assert_eq!(shown(&json!({"bomFormat": "CycloneDX"})).unwrap(), ["CycloneDX"]);
    }

    #[test]
    fn what_is_around_an_sbom_is_taken_off() {
        let statement = json!({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document",
            "predicate": spdx()});
        let payload = BASE64_STANDARD.encode(statement.to_string());
        let envelope = json!({"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []});
        let bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": envelope});
        let older =
            json!({"predicateType": "https://spdx.dev/Document/v2.3", "predicate": {"Data": spdx(), "Timestamp": ""}});
        for around in [statement, envelope, bundle, older] {
            assert_eq!(shown(&around).unwrap(), OF_SPDX, "{around}");
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let provenance = json!({"predicateType": "https://slsa.dev/provenance/v0.2", "predicate": spdx()});
        let mut deep = spdx();
        for _ in 0..=MAX_WRAPPINGS {
            deep = json!({ "dsseEnvelope": deep });
        }
        let wrong = json!({"spdxVersion": "SPDX-2.3", "packages": [{"name": 7}]});
        let later = json!({"spdxVersion": "SPDX-3.0", "packages": []});
        for other in [provenance, deep, wrong, later, json!({"packages": []}), json!([]), json!("text")] {
            assert_eq!(shown(&other), None, "{other}");
        }
        assert!(read(b"an SBOM").is_none());
    }

    #[test]
    fn hostile_names_stay_text() {
        let hostile = json!({"spdxVersion": "SPDX-2.2", "packages": [
            {"name": "a\u{1b}[31m".repeat(200), "versionInfo": "1\u{202e}", "externalRefs": [
                {"referenceType": "purl", "referenceLocator": "pkg:\u{1b}[31m/a"}]}]});
        let sbom = read(hostile.to_string().as_bytes()).unwrap();
        let (package, versions) = sbom.packages.iter().next().unwrap();
        assert!(package.name.chars().count() <= MAX_NAME_CHARS && package.kind.is_none(), "{package:?}");
        assert!(!format!("{}{}", package.name, versions.first().unwrap()).contains(['\u{1b}', '\u{202e}']));
    }
}
