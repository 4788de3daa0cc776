//! Delegated routing from outside.

use super::*;
use crate::serve::Provider;

const ID: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
const ID_AS_CID: &str = "bafzaajaiaejcal72gwuz2or47oyxxn6b3rkwdmmkrxgkjxzy3rqt5kczyn7lcm3l";
const NAME: &str = "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8";
const RECORD: &str = "application/vnd.ipfs.ipns-record";

fn published() -> (Arc<MemoryBlocks>, cid::Cid) {
    let blocks = Arc::new(MemoryBlocks::default());
    let cid = blocks.add_raw(b"a block");
    blocks.record(NAME, b"a record");
    blocks.provide(vec![Provider {
        id: ID.to_owned(),
        addresses: vec!["/ip4/192.0.2.1/tcp/443/tls/http".to_owned(), "/ip4/192.0.2.1/udp/4001/quic-v1".to_owned()],
        protocols: vec!["transport-bitswap".to_owned(), "transport-ipfs-gateway-http".to_owned()],
    }]);
    (blocks, cid)
}

#[tokio::test]
async fn one_that_follows_is_answered_by_itself() {
    let (blocks, cid) = published();
    let server = Server::with_blocks(&blocks).await;
    let path = format!("/routing/v1/providers/{cid}");
    let said = format!("peer={ID}; taking={cid}; http=1");
    let response = server.get_with(&path, &[("roadstead-holds", &said)]).await;
    assert_eq!(header(&response, "cache-control"), "no-store");
    let found: Value = response.json().await.unwrap();
    assert_eq!(found["Providers"][1]["Addrs"][0], "/ip4/127.0.0.1/tcp/1/http");
    // What is not given out has no followers, whatever is said of it.
    let other = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    let path = format!("/routing/v1/providers/{other}");
    let said = format!("peer={ID}; taking={other}; http=1");
    let found: Value = server.get_with(&path, &[("roadstead-holds", &said)]).await.json().await.unwrap();
    assert_eq!(found, serde_json::json!({ "Providers": [] }));
}

#[tokio::test]
async fn providers_and_peers() {
    let (blocks, cid) = published();
    let server = Server::with_blocks(&blocks).await;
    let record = serde_json::json!({
        "Schema": "peer",
        "ID": ID,
        "Addrs": ["/ip4/192.0.2.1/tcp/443/tls/http", "/ip4/192.0.2.1/udp/4001/quic-v1"],
        "Protocols": ["transport-bitswap", "transport-ipfs-gateway-http"],
    });
    let paths = [
        ("Providers", format!("/routing/v1/providers/{cid}")),
        ("Peers", format!("/routing/v1/peers/{ID}")),
        ("Peers", format!("/routing/v1/peers/{ID_AS_CID}")),
    ];
    for (list, path) in &paths {
        for accept in ["application/json", "*/*"] {
            let response = server.get_with(path, &[("accept", accept)]).await;
            assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "application/json"));
            assert!(header(&response, "cache-control").starts_with("public, max-age=300, "));
            assert_eq!(header(&response, "vary"), "Accept");
            assert_eq!(header(&response, "access-control-allow-origin"), "*");
            assert_eq!(header(&response, "access-control-allow-methods"), "GET, OPTIONS");
            assert!(!header(&response, "last-modified").is_empty());
            assert_eq!(response.json::<Value>().await.unwrap(), serde_json::json!({ *list: [record] }));
        }
        // As Kubo asks.
        let response = server.get_with(path, &[("accept", "application/x-ndjson,application/json")]).await;
        assert_eq!(header(&response, "content-type"), "application/x-ndjson");
        assert_eq!(response.text().await.unwrap(), format!("{record}\n"));
        let response =
            server.get(&format!("{path}?filter-addrs=quic-v1&filter-protocols=unknown,transport-bitswap")).await;
        let found: Value = response.json().await.unwrap();
        assert_eq!(found[*list][0]["Addrs"], serde_json::json!(["/ip4/192.0.2.1/udp/4001/quic-v1"]));
        let response = server.get(&format!("{path}?filter-protocols=transport-graphsync-filecoinv1")).await;
        assert_eq!(response.json::<Value>().await.unwrap(), serde_json::json!({ *list: [] }));
    }
}

#[tokio::test]
async fn nothing_is_an_empty_list() {
    let (blocks, _) = published();
    let server = Server::with_blocks(&blocks).await;
    let absent = MemoryBlocks::default().add_raw(b"absent");
    for (list, path) in [
        ("Providers", format!("/routing/v1/providers/{absent}")),
        ("Providers", "/routing/v1/providers/bafkqaaa".to_owned()),
        ("Peers", "/routing/v1/peers/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".to_owned()),
    ] {
        let response = server.get(&path).await;
        assert_eq!(response.status(), 200);
        assert!(header(&response, "cache-control").starts_with("public, max-age=15, "));
        assert_eq!(response.json::<Value>().await.unwrap(), serde_json::json!({ list: [] }));
        let response = server.get_with(&path, &[("accept", "application/x-ndjson")]).await;
        assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, String::new()));
    }
    let other = "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r";
    let response = server.get_with(&format!("/routing/v1/ipns/{other}"), &[("accept", RECORD)]).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "text/plain; charset=utf-8"));
}

#[tokio::test]
async fn records_are_given_and_taken() {
    let (blocks, _) = published();
    let server = Server::with_blocks(&blocks).await;
    let path = format!("/routing/v1/ipns/{NAME}");
    for accept in [RECORD, "*/*"] {
        let response = server.get_with(&path, &[("accept", accept)]).await;
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, RECORD));
        assert!(header(&response, "cache-control").starts_with("public, max-age=1800, stale-while-revalidate="));
        assert!(!header(&response, "expires").is_empty() && !header(&response, "etag").is_empty());
        assert_eq!(response.text().await.unwrap(), "a record");
    }
    assert_eq!(server.get_with(&path, &[("accept", "text/html")]).await.status(), 406);
    let put = async |name: &str, content_type: &str, body: Vec<u8>| {
        let request = server.client.put(server.url(&format!("/routing/v1/ipns/{name}")));
        let response = request.header("content-type", content_type).body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(put(NAME, RECORD, b"a newer one".to_vec()).await, (200, String::new()));
    assert_eq!(server.get(&path).await.text().await.unwrap(), "a newer one");
    assert_eq!(put(NAME, RECORD, vec![7; 10 * 1024]).await.0, 200);
    let (status, words) = put(NAME, RECORD, vec![7; 10 * 1024 + 1]).await;
    assert!(status == 413 && words.contains("10 KiB"), "{status} {words}");
    let (status, words) = put(NAME, "text/plain", b"x".to_vec()).await;
    assert!(status == 406 && words.contains(RECORD), "{status} {words}");
    let (status, words) = put(ID, RECORD, b"x".to_vec()).await;
    assert!(status == 403 && words.contains("own names"), "{status} {words}");
    let (status, words) = put(NAME, RECORD, b"forged".to_vec()).await;
    assert!(status == 400 && words.contains("the signature is wrong") && !words.contains('\u{1b}'), "{status} {words}");
    assert_eq!(put("example.com", RECORD, b"x".to_vec()).await.0, 400);
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let (blocks, cid) = published();
    let server = Server::with_blocks(&blocks).await;
    for (method, path, status) in [
        (Method::GET, "/routing/v1/nothing/x".to_owned(), 400),
        (Method::GET, "/routing/v1/".to_owned(), 400),
        (Method::GET, "/routing/v1/providers/nonsense".to_owned(), 422),
        (Method::GET, format!("/routing/v1/providers/{cid}/x"), 422),
        (Method::GET, format!("/routing/v1/peers/{cid}"), 422),
        (Method::GET, "/routing/v1/ipns/nonsense".to_owned(), 400),
        (Method::GET, format!("/routing/v1/dht/closest/peers/{cid}"), 501),
        (Method::PUT, "/routing/v1/providers/".to_owned(), 501),
        (Method::POST, format!("/routing/v1/providers/{cid}"), 501),
    ] {
        let response = server.send(method, &path, &[]).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "access-control-allow-origin"), "*");
    }
    let response = server.get_with(&format!("/routing/v1/providers/{cid}"), &[("accept", "text/html")]).await;
    assert_eq!(response.status(), 406);
}
