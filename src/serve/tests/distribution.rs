//! The endpoints of the distribution spec.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::*;
use crate::error::Kind;
use crate::image::{Descriptor, Digest, media};

#[tokio::test]
async fn ping_and_unknown_endpoints() {
    let server = Server::start().await;
    for path in ["/v2", "/v2/"] {
        let response = server.get(path).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "docker-distribution-api-version"), "registry/2.0");
        assert_eq!(header(&response, "content-type"), "application/json");
        assert_eq!(response.text().await.unwrap(), "{}");
    }
    for path in ["/v2/x", "/v2/_catalog/", "/v2/a/tags/other", "/v2/a/blobs/uploads/", "/v2/index.html"] {
        let response = server.get(path).await;
        assert_eq!(header(&response, "docker-distribution-api-version"), "registry/2.0", "{path}");
        assert!(matches!(refusal(response).await.0, 400 | 404), "{path}");
    }
    assert_eq!(header(&server.get("/v2x").await, "docker-distribution-api-version"), "");
}

#[tokio::test]
async fn manifests_by_tag_by_digest_and_by_alias() {
    let server = Server::start().await;
    let text = r#"{"schemaVersion":2}"#;
    let digest = server.shelf.repository("library/nginx", |repository| repository.add_manifest("alpine", text));
    server.shelf.change(|content| content.aliases.insert("nginx".into(), "library/nginx".into()));
    let encoded = digest.to_string().replace(':', "%3A");
    for (name, target) in [
        ("library/nginx", "alpine"),
        ("library/nginx", &digest.to_string()),
        ("library%2Fnginx", &encoded),
        ("nginx", "alpine"),
    ] {
        let path = format!("/v2/{name}/manifests/{target}");
        let response = server.get(&path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "content-type"), media::OCI_MANIFEST);
        assert_eq!(header(&response, "docker-content-digest"), digest.to_string());
        assert_eq!(header(&response, "etag"), format!("\"{digest}\""));
        assert_eq!(header(&response, "content-length"), text.len().to_string());
        assert_eq!(header(&response, "accept-ranges"), "bytes");
        let keep = if target == "alpine" { "max-age=60" } else { "max-age=31536000, immutable" };
        assert_eq!(header(&response, "cache-control"), keep);
        assert_eq!(header(&response, "content-encoding"), "");
        assert_eq!(response.text().await.unwrap(), text);
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let server = Server::start().await;
    let (manifest, blob) = server
        .shelf
        .repository("a", |repository| (repository.add_manifest("1", "{}"), repository.add_blob(b"some bytes")));
    server.shelf.change(|content| content.pages.insert("index.html".into(), "<p>".into()));
    let paths = [
        "/v2/".to_owned(),
        "/".to_owned(),
        "/v2/_catalog".to_owned(),
        "/v2/a/manifests/1".to_owned(),
        format!("/v2/a/manifests/{manifest}"),
        format!("/v2/a/blobs/{blob}"),
        "/v2/a/tags/list?n=1".to_owned(),
        format!("/v2/a/referrers/{manifest}"),
        "/v2/a/manifests/2".to_owned(),
        "/v2/b/manifests/2".to_owned(),
        "/nowhere".to_owned(),
    ];
    for path in &paths {
        let mut answers = Vec::new();
        for method in [Method::GET, Method::HEAD] {
            let response = server.send(method, path, &[]).await;
            let mut headers: BTreeMap<String, String> = BTreeMap::new();
            for (name, value) in response.headers() {
                headers.insert(name.to_string(), value.to_str().unwrap().to_owned());
            }
            headers.remove("date").unwrap();
            answers.push((response.status(), headers, response.bytes().await.unwrap().len()));
        }
        assert_eq!(answers[0].0, answers[1].0, "{path}");
        assert_eq!(answers[0].1, answers[1].1, "{path}");
        assert_eq!(answers[0].1["content-length"], answers[0].2.to_string(), "{path}");
        assert_eq!(answers[1].2, 0, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_has_its_code() {
    let server = Server::start().await;
    let child = Digest::of(b"child");
    let words = "linux/s390x of library/nginx:alpine is not mirrored here; `roadstead add` gets it";
    server.shelf.repository("a", |repository| {
        repository.add_manifest("1", "{}");
        repository.missing.insert(child, words.to_owned());
    });
    let other = Digest::of(b"other");
    let foreign = format!("sha512:{}", "0".repeat(128));
    for (path, status, code) in [
        ("/v2/a/manifests/2".to_owned(), 404, "MANIFEST_UNKNOWN"),
        ("/v2/a/manifests/.INVALID_MANIFEST_NAME".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/a/manifests/{other}"), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/a/manifests/{foreign}"), 404, "MANIFEST_UNKNOWN"),
        ("/v2/b/manifests/1".to_owned(), 404, "NAME_UNKNOWN"),
        (format!("/v2/b/manifests/{other}"), 404, "NAME_UNKNOWN"),
        (format!("/v2/a/blobs/{other}"), 404, "BLOB_UNKNOWN"),
        (format!("/v2/a/blobs/{foreign}"), 404, "BLOB_UNKNOWN"),
        (format!("/v2/b/blobs/{other}"), 404, "NAME_UNKNOWN"),
        ("/v2/b/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        ("/v2/b/tags/list?n=0".to_owned(), 404, "NAME_UNKNOWN"),
        (format!("/v2/b/referrers/{other}"), 404, "NAME_UNKNOWN"),
        (format!("/v2/b/referrers/{foreign}"), 404, "NAME_UNKNOWN"),
        ("/v2/A/manifests/1".to_owned(), 400, "NAME_INVALID"),
        ("/v2/a/manifests/sha256:abc".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/a/blobs/sha256:abc".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/a/blobs/latest".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/a/referrers/sha256:abc".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/a/tags/list?n=-1".to_owned(), 400, "PAGINATION_NUMBER_INVALID"),
        ("/v2/_catalog?n=x".to_owned(), 400, "PAGINATION_NUMBER_INVALID"),
    ] {
        let (seen, named, _) = refusal(server.get(&path).await).await;
        assert_eq!((seen, named.as_str()), (status, code), "{path}");
    }
    let (status, code, message) = refusal(server.get(&format!("/v2/a/manifests/{child}")).await).await;
    assert_eq!((status, code.as_str(), message.as_str()), (404, "MANIFEST_UNKNOWN", words));
}

#[tokio::test]
async fn writes_are_refused() {
    let server = Server::start().await;
    let digest = server.shelf.repository("a", |repository| repository.add_manifest("1", "{}"));
    for (method, path) in [
        (Method::POST, "/v2/a/blobs/uploads/".to_owned()),
        (Method::PUT, "/v2/a/manifests/1".to_owned()),
        (Method::PATCH, "/v2/a/blobs/uploads/1".to_owned()),
        (Method::DELETE, format!("/v2/a/manifests/{digest}")),
        (Method::POST, "/v2/".to_owned()),
        (Method::DELETE, "/v2/_catalog".to_owned()),
        (Method::PUT, "/".to_owned()),
        (Method::OPTIONS, "/v2/".to_owned()),
    ] {
        let response = server.send(method.clone(), &path, &[]).await;
        assert_eq!(header(&response, "allow"), "GET, HEAD");
        let (status, code, _) = refusal(response).await;
        assert_eq!((status, code.as_str()), (405, "UNSUPPORTED"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_failing_shelf_keeps_its_words_to_itself() {
    let server = Server::start().await;
    for (kind, expected) in [(Kind::Unexpected, 500), (Kind::Locked, 503)] {
        server.shelf.change(|content| content.failure = Some(kind));
        let (status, _, message) = refusal(server.get("/v2/a/manifests/1").await).await;
        assert_eq!(status, expected);
        assert!(!message.contains("secret"));
    }
}

async fn listed(server: &Server, path: &str, list: &str) -> (Vec<String>, Option<String>) {
    let response = server.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(header(&response, "content-type"), "application/json");
    let next = response.headers().get("link").map(|link| {
        let link = link.to_str().unwrap();
        link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")).unwrap().to_owned()
    });
    let body: Value = response.json().await.unwrap();
    (serde_json::from_value(body[list].clone()).unwrap(), next)
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = Server::start().await;
    server.shelf.repository("c/d", |repository| {
        for tag in ["1", "2", "3", "4", "5"] {
            repository.add_manifest(tag, "{}");
        }
    });
    for name in ["a", "b/x", "e"] {
        server.shelf.repository(name, |_| ());
    }
    for (path, list, whole) in [
        ("/v2/c/d/tags/list", "tags", vec!["1", "2", "3", "4", "5"]),
        ("/v2/_catalog", "repositories", vec!["a", "b/x", "c/d", "e"]),
    ] {
        assert_eq!(listed(&server, path, list).await, (whole.iter().map(ToString::to_string).collect(), None));
        for number in 1..=6 {
            let mut all = Vec::new();
            let mut next = Some(format!("{path}?n={number}"));
            while let Some(path) = next {
                let (page, following) = listed(&server, &path, list).await;
                assert!(page.len() <= number && !page.is_empty());
                all.extend(page);
                next = following;
            }
            assert_eq!(all, whole);
        }
        assert_eq!(listed(&server, &format!("{path}?n=0"), list).await, (Vec::new(), None));
        assert_eq!(listed(&server, &format!("{path}?last={}", whole[1]), list).await.0, &whole[2..]);
        assert_eq!(listed(&server, &format!("{path}?last=zzz"), list).await, (Vec::new(), None));
        assert_eq!(listed(&server, &format!("{path}?n=99999999999999999999"), list).await.0, whole);
    }
    let body: Value = server.get("/v2/c/d/tags/list").await.json().await.unwrap();
    assert_eq!(body["name"], "c/d");
    assert_eq!(listed(&server, "/v2/a/tags/list", "tags").await, (Vec::new(), None));
}

#[tokio::test]
async fn a_list_without_end_is_cut_and_leads_on() {
    let server = Server::start().await;
    server.shelf.repository("a", |repository| {
        for number in 0..10_001 {
            repository.tags.insert(format!("{number:05}"), Digest::of(b""));
        }
    });
    let (first, next) = listed(&server, "/v2/a/tags/list", "tags").await;
    assert_eq!((first.len(), next.as_deref()), (10_000, Some("/v2/a/tags/list?n=10000&last=09999")));
    assert_eq!(listed(&server, &next.unwrap(), "tags").await, (vec!["10000".to_owned()], None));
}

#[tokio::test]
async fn referrers() {
    let server = Server::start().await;
    let subject = Digest::of(b"subject");
    let referrer = |kind: &str| Descriptor {
        media_type: media::OCI_MANIFEST.to_owned(),
        digest: Digest::of(kind.as_bytes()),
        size: 7,
        urls: Vec::new(),
        annotations: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        platform: None,
        artifact_type: Some(kind.to_owned()),
    };
    server.shelf.repository("a", |repository| {
        repository.referrers.insert(subject, vec![referrer("application/x+json"), referrer("application/y")]);
    });
    let response = server.get(&format!("/v2/a/referrers/{subject}")).await;
    assert_eq!(header(&response, "content-type"), media::OCI_INDEX);
    assert_eq!(header(&response, "oci-filters-applied"), "");
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["schemaVersion"], &body["mediaType"]), (&json!(2), &json!(media::OCI_INDEX)));
    assert_eq!(body["manifests"].as_array().unwrap().len(), 2);

    let filter = "artifactType=application%2Fx%2Bjson";
    let response = server.get(&format!("/v2/a/referrers/{subject}?{filter}")).await;
    assert_eq!(header(&response, "oci-filters-applied"), "artifactType");
    let body: Value = response.json().await.unwrap();
    let expected = json!({
        "mediaType": media::OCI_MANIFEST, "digest": Digest::of(b"application/x+json"), "size": 7,
        "annotations": { "a": "b" }, "artifactType": "application/x+json",
    });
    assert_eq!(body["manifests"], json!([expected]));

    for unknown in [Digest::of(b"unknown").to_string(), format!("sha512:{}", "a".repeat(128))] {
        let response = server.get(&format!("/v2/a/referrers/{unknown}")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), media::OCI_INDEX);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["manifests"], json!([]));
    }
}

#[tokio::test]
async fn the_namespace_of_containerd() {
    let options = Options { own_names: vec!["Images.Test".to_owned()], ..Options::default() };
    let server = Server::with(options, Limits::default()).await;
    let blob = server.shelf.repository("registry.k8s.io/pause", |repository| {
        repository.add_manifest("3.8", "k8s");
        repository.add_blob(b"k8s")
    });
    server.shelf.repository("pause", |repository| {
        repository.add_manifest("3.8", "hub");
        repository.add_manifest("3.9", "hub");
    });
    server.shelf.repository("127.0.0.1_5000/debian", |repository| repository.add_manifest("12", "local"));
    server.shelf.repository("user/app", |repository| repository.add_manifest("1", "hub"));
    let own = server.listening.address.to_string();
    for (path, namespace, expected) in [
        ("pause/manifests/3.8", "registry.k8s.io", Some("k8s")),
        ("pause/manifests/3.8", "docker.io", Some("hub")),
        ("pause/manifests/3.8", &own, Some("hub")),
        ("pause/manifests/3.8", "images.test", Some("hub")),
        ("registry.k8s.io/pause/manifests/3.8", &own, Some("k8s")),
        ("debian/manifests/12", "127.0.0.1:5000", Some("local")),
        // What this registry lacks of one host is never taken from another.
        ("pause/manifests/3.9", "registry.k8s.io", None),
        ("user/app/manifests/1", "ghcr.io", None),
        ("user/app/manifests/1", "/../", None),
        (&format!("pause/blobs/{blob}"), "registry.k8s.io", Some("k8s")),
        (&format!("pause/blobs/{blob}"), "docker.io", None),
    ] {
        let response = server.get(&format!("/v2/{path}?ns={namespace}")).await;
        let found = (response.status() == 200).then_some(response.text().await.unwrap());
        assert_eq!(found.as_deref(), expected, "{path} {namespace}");
    }
    let (tags, next) = listed(&server, "/v2/pause/tags/list?ns=registry.k8s.io&n=1", "tags").await;
    assert_eq!((tags, next), (vec!["3.8".to_owned()], None));
    let (_, next) = listed(&server, &format!("/v2/pause/tags/list?ns={own}&n=1"), "tags").await;
    assert_eq!(listed(&server, &next.unwrap(), "tags").await.0, ["3.9"]);
}
