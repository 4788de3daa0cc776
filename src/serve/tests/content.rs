//! Bytes: ranges, conditions, files, the page, and what memory keeps.

use super::*;
use crate::image::Digest;

const BYTES: &[u8] = b"0123456789";

#[tokio::test]
async fn parts_of_blobs_in_memory_and_in_files() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..1_000_003_u32).map(|i| (i % 253) as u8).collect();
    let path = directory.path().join("large");
    std::fs::write(&path, &large).unwrap();
    let blobs = server.shelf.repository("a", |repository| {
        [(repository.add_blob(BYTES), BYTES.to_vec()), (repository.add_file(&path), large.clone())]
    });
    for (digest, content) in &blobs {
        let path = format!("/v2/a/blobs/{digest}");
        let size = content.len();
        let whole = server.get(&path).await;
        assert_eq!(header(&whole, "content-type"), "application/octet-stream");
        assert_eq!(header(&whole, "docker-content-digest"), digest.to_string());
        assert_eq!(header(&whole, "content-length"), size.to_string());
        assert!(whole.bytes().await.unwrap() == *content);
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-7", 2..8),
            ("bytes=5-", 5..size),
            ("bytes=-5", size - 5..size),
            ("bytes=0-99999999", 0..size),
        ] {
            let response = server.get_with(&path, &[("range", range)]).await;
            assert_eq!(response.status(), 206, "{range}");
            assert_eq!(header(&response, "content-type"), "application/octet-stream");
            assert_eq!(header(&response, "docker-content-digest"), digest.to_string());
            assert_eq!(header(&response, "content-length"), expected.len().to_string());
            let place = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
            assert_eq!(header(&response, "content-range"), place);
            assert!(response.bytes().await.unwrap() == content[expected], "{range}");
        }
        for range in ["bytes=0-5,-9999999", "bytes=nonsense", "lines=1-2"] {
            let response = server.get_with(&path, &[("range", range)]).await;
            assert_eq!((response.status().as_u16(), header(&response, "content-range")), (200, ""), "{range}");
            assert!(response.bytes().await.unwrap() == *content);
        }
        for range in [format!("bytes={size}-"), "bytes=-0".to_owned()] {
            let response = server.get_with(&path, &[("range", &range)]).await;
            assert_eq!(response.status(), 416, "{range}");
            assert_eq!(header(&response, "content-range"), format!("bytes */{size}"));
        }
        let head = server.send(Method::HEAD, &path, &[("range", "bytes=0-0")]).await;
        assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, size.to_string().as_str()));
    }
}

/// What each part of a `multipart/byteranges` says of itself, with its bytes.
async fn parts(response: Response) -> Vec<(String, Vec<u8>)> {
    let kind = header(&response, "content-type").to_owned();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap_or_else(|| panic!("{kind}"));
    assert!(response.headers().get("content-range").is_none(), "only its parts have one");
    let length: usize = header(&response, "content-length").parse().unwrap();
    let body = response.bytes().await.unwrap();
    assert_eq!(body.len(), length);
    let find = |text: &[u8], from: usize| {
        body[from..].windows(text.len()).position(|window| window == text).map(|found| from + found)
    };
    let (mut found, mut at) = (Vec::new(), 0);
    let opening = format!("--{boundary}\r\n");
    let delimiter = format!("\r\n--{boundary}");
    assert!(body.starts_with(opening.as_bytes()));
    while body[at..] != *format!("--{boundary}--\r\n").as_bytes() {
        let head = at + opening.len();
        let content = find(b"\r\n\r\n", head).unwrap() + 4;
        let end = find(delimiter.as_bytes(), content).unwrap();
        found.push((String::from_utf8(body[head..content].to_vec()).unwrap(), body[content..end].to_vec()));
        at = end + 2;
    }
    found
}

#[tokio::test]
async fn several_parts_of_blobs_in_memory_and_in_files() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let large: &'static [u8] = (0..3_000_003_u32).map(|i| (i % 253) as u8).collect::<Vec<_>>().leak();
    let path = directory.path().join("large");
    std::fs::write(&path, large).unwrap();
    let blobs = server.shelf.repository("a", |repository| {
        [(repository.add_blob(&large[..300_000]), &large[..300_000]), (repository.add_file(&path), large)]
    });
    for (digest, content) in blobs {
        let path = format!("/v2/a/blobs/{digest}");
        let size = content.len();
        let many: Vec<_> = (0..1024).map(|i| 250 * i..250 * i + 1 + i % 249).collect();
        for asked in [vec![0..1, 5..6], vec![size - 47..size, 0..100_000], vec![0..200_000, 200_000..size], many] {
            let set: Vec<String> = asked.iter().map(|part| format!("{}-{}", part.start, part.end - 1)).collect();
            let response = server.get_with(&path, &[("range", &format!("bytes={}", set.join(",")))]).await;
            assert_eq!(response.status(), 206);
            assert_eq!(header(&response, "docker-content-digest"), digest.to_string());
            assert_eq!(header(&response, "etag"), format!("\"{digest}\""));
            let parts = parts(response).await;
            assert_eq!(parts.len(), asked.len());
            for ((head, bytes), part) in parts.into_iter().zip(asked) {
                let place = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                assert_eq!(head, format!("Content-Type: application/octet-stream\r\nContent-Range: {place}\r\n\r\n"));
                assert!(bytes == content[part], "{place}");
            }
        }
        let two = [("range", "bytes=0-0,2-2"), ("if-range", "\"x\"")];
        assert_eq!(server.get_with(&path, &two).await.status(), 200);
        let beyond = format!("bytes=7-9,{size}-");
        let response = server.get_with(&path, &[("range", &beyond)]).await;
        assert_eq!(header(&response, "content-range"), format!("bytes 7-9/{size}"));
        let many: Vec<String> = (0..1025).map(|i| format!("{i}-{i}")).collect();
        for hostile in [many.join(","), "0-,1-,2-,3-".to_owned()] {
            let response = server.get_with(&path, &[("range", &format!("bytes={hostile}"))]).await;
            assert_eq!(header(&response, "content-range"), "");
            let (status, code, _) = refusal(response).await;
            assert_eq!((status, code.as_str()), (400, "RANGE_INVALID"), "{hostile}");
        }
    }
}

#[tokio::test]
async fn conditions() {
    let server = Server::start().await;
    let digest = server.shelf.repository("a", |repository| {
        repository.add_manifest("1", "{}");
        repository.add_blob(BYTES)
    });
    let path = format!("/v2/a/blobs/{digest}");
    let tag = format!("\"{digest}\"");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        for method in [Method::GET, Method::HEAD] {
            let response = server.send(method, &path, &[("if-none-match", &known)]).await;
            assert_eq!(response.status(), 304, "{known}");
            assert_eq!(header(&response, "etag"), tag);
            assert_eq!(header(&response, "cache-control"), "max-age=31536000, immutable");
            assert_eq!(response.bytes().await.unwrap().len(), 0);
        }
    }
    for known in ["\"x\"".to_owned(), digest.to_string(), format!("\"{}\"", Digest::of(b"x"))] {
        assert_eq!(server.get_with(&path, &[("if-none-match", &known)]).await.status(), 200, "{known}");
    }
    for (known, status) in
        [(tag.as_str(), 206), ("\"x\"", 200), (&format!("W/{tag}"), 200), ("Sat, 29 Oct 1994 19:43:31 GMT", 200)]
    {
        let response = server.get_with(&path, &[("range", "bytes=1-2"), ("if-range", known)]).await;
        assert_eq!(response.status(), status, "{known}");
    }
    let listed = server.get("/v2/a/tags/list").await;
    let known = header(&listed, "etag").to_owned();
    assert_eq!(server.get_with("/v2/a/tags/list", &[("if-none-match", &known)]).await.status(), 304);
}

#[tokio::test]
async fn an_empty_blob() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("empty");
    std::fs::write(&path, b"").unwrap();
    let digest = server.shelf.repository("a", |repository| repository.add_file(&path));
    let response = server.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-length")), (200, "0"));
    assert_eq!(server.get_with(&format!("/v2/a/blobs/{digest}"), &[("range", "bytes=0-")]).await.status(), 416);
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_given_out() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("blob");
    std::fs::write(&path, vec![1; 300_000]).unwrap();
    let digest = server.shelf.repository("a", |repository| repository.add_file(&path));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(refusal(server.get(&format!("/v2/a/blobs/{digest}")).await).await.0, 500);
}

#[tokio::test]
async fn the_page_and_its_files() {
    let server = Server::start().await;
    server.shelf.change(|content| {
        for path in ["index.html", "catalog.json", "style.css", "icon.svg", "setup/nginx.conf", "a/b/index.html"] {
            content.pages.insert(path.to_owned(), path.into());
        }
        content.pages.insert("secret".to_owned(), "secret".into());
    });
    for (path, file, kind) in [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/index.html", "index.html", "text/html; charset=utf-8"),
        ("/catalog.json", "catalog.json", "application/json"),
        ("/style.css?x=1", "style.css", "text/css; charset=utf-8"),
        ("/icon.svg", "icon.svg", "image/svg+xml"),
        ("/setup/nginx.conf", "setup/nginx.conf", "text/plain; charset=utf-8"),
        ("/a/b/", "a/b/index.html", "text/html; charset=utf-8"),
    ] {
        let response = server.get(path).await;
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, kind), "{path}");
        assert_eq!(header(&response, "cache-control"), "no-cache");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(response.text().await.unwrap(), file);
    }
    let moved = server.get("/a/b").await;
    assert_eq!((moved.status().as_u16(), header(&moved, "location")), (308, "/a/b/"));
    for path in ["/nowhere", "/a", "/a/", "/index.html/"] {
        assert_eq!(refusal(server.get(path).await).await.0, 404, "{path}");
    }
    for path in ["/../secret", "/a/../secret", "/%2e%2e/secret", "/a%2f..%2f..%2fsecret", "//secret", "/./secret"] {
        let answer = server.raw(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn small_things_come_from_memory_until_the_catalog_changes() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    std::fs::write(&path, BYTES).unwrap();
    let blob = server.shelf.repository("a", |repository| {
        repository.add_manifest("1", "old");
        repository.add_file(&path)
    });
    server.shelf.change(|content| content.pages.insert("index.html".into(), "page".into()));
    let paths = ["/v2/a/manifests/1".to_owned(), format!("/v2/a/blobs/{blob}"), "/".to_owned()];
    for path in &paths {
        server.get(path).await;
    }
    let asked = server.shelf.times_asked();
    assert_eq!(asked, 3);
    std::fs::remove_file(&path).unwrap();
    for path in paths.iter().cycle().take(30) {
        assert_eq!(server.get(path).await.status(), 200);
    }
    assert_eq!(server.shelf.times_asked(), asked);

    server.shelf.repository("a", |repository| repository.add_manifest("1", "new"));
    let changed = async {
        while server.get(&paths[0]).await.text().await.unwrap() != "new" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.unwrap();
    assert_eq!(server.get("/v2/b/manifests/1").await.status(), 404);
    server.shelf.repository("b", |repository| repository.add_manifest("1", "{}"));
    assert_eq!(server.get("/v2/b/manifests/1").await.status(), 200, "what was missing is never remembered");
}
