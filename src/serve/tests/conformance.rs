//! The requests of ipfs/gateway-conformance for a trustless gateway, answered by the server itself; and that suite as a whole,
//! where its compiled tests are named (`GATEWAY_CONFORMANCE`, see CONTRIBUTING.md).
//!
//! | test of the suite | here |
//! |---|---|
//! | `TestTrustlessRaw`, `TestTrustlessRawRanges` | `blocks_as_the_suite_asks_for_them` |
//! | `TestTrustlessCarPathing`, `…DagScopeBlock`, `…Entity`, `…All`, `…EntityBytes` | `cars_as_the_suite_asks_for_them` |
//! | `TestTrustlessCarOrderAndDuplicates`, `…FormatPrecedence` | `parameters_as_the_suite_asks_for_them` |
//! | `TestGatewayIPNSRecord` | `records_as_the_suite_asks_for_them` |
//! | path, subdomain and DNSLink gateways, `_redirects`, proxies, TAR, `?format=json` | not answered: nothing here is deserialised |

use std::process::Stdio;

use cid::Cid;

use super::*;
use crate::ipns::{Name, Record};
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::{DAG_PB, car};

const CAR: &str = "application/vnd.ipld.car";
const RAW: &str = "application/vnd.ipld.raw";
const RAW_BLOCK: &[u8] = include_bytes!("../gateway/testdata/gateway-raw-block.car");
const TWO_FILES: &[u8] = include_bytes!("../gateway/testdata/subdir-with-two-single-block-files.car");
const MIXED: &[u8] = include_bytes!("../gateway/testdata/subdir-with-mixed-block-files.car");
const DUPLICATES: &[u8] = include_bytes!("../gateway/testdata/dir-with-duplicate-files.car");
const CBOR: &[u8] = include_bytes!("../gateway/testdata/dir-with-dag-cbor-with-links.car");
const GAP: &[u8] = include_bytes!("../gateway/testdata/file-3k-and-3-blocks-missing-block.car");
const SHARDED: &[u8] = include_bytes!("../../unixfs/testdata/hamt-1000-files.car");
/// Names and their records.
const RECORDS: [(&str, &[u8]); 2] = [
    (
        "k51qzi5uqu5dlkw8pxuw9qmqayfdeh4kfebhmreauqdc6a7c3y7d5i9fi8mk9w",
        include_bytes!("../../ipns/testdata/spec-v1-v2.ipns-record"),
    ),
    (
        "k51qzi5uqu5dit2ku9mutlfgwyz8u730on38kd10m97m36bjt66my99hb6103f",
        include_bytes!("../../ipns/testdata/spec-v2.ipns-record"),
    ),
];
/// The blocks of `multiblock.txt`, as the suite's own text has them.
const PARTS: [&str; 5] = [
    "bafkreie5noke3mb7hqxukzcy73nl23k6lxszxi5w3dtmuwz62wnvkpsscm",
    "bafkreih4ephajybraj6wnxsbwjwa77fukurtpl7oj7t7pfq545duhot7cq",
    "bafkreigu7buvm3cfunb35766dn7tmqyh2um62zcio63en2btvxuybgcpue",
    "bafkreicll3huefkc3qnrzeony7zcfo7cr3nbx64hnxrqzsixpceg332fhe",
    "bafkreifst3pqztuvj57lycamoi7z34b4emf7gawxs74nwrc2c7jncmpaqm",
];
const MULTIBLOCK: &str = "bafybeigcisqd7m5nf3qmuvjdbakl5bdnh4ocrmacaqkpuh77qjvggmt2sa";
const DOCUMENT: &str = "bafyreidy4q6mmetut5jzc54ambsfnatbyoujmwbfzyyolqw24majazwgha";

/// A server with all fixtures of the suite.
struct Fixtures {
    server: Server,
    blocks: Arc<MemoryBlocks>,
}

impl Fixtures {
    async fn new() -> Self {
        let blocks = Arc::new(MemoryBlocks::default());
        for car in [RAW_BLOCK, TWO_FILES, MIXED, DUPLICATES, CBOR, GAP, SHARDED] {
            blocks.add_car(car);
        }
        for (name, record) in RECORDS {
            blocks.record(name, record);
        }
        Self { server: Server::with_blocks(&blocks).await, blocks }
    }

    /// The CIDs on the way down a path of plain directories, which begins with the root of a fixture.
    fn way(&self, fixture: &[u8], names: &[&str]) -> Vec<Cid> {
        let mut way = vec![car::Reader::new(fixture).unwrap().block().unwrap().unwrap().cid];
        for name in names {
            let above = self.blocks.get(way.last().unwrap()).unwrap();
            let links = DirectoryBlock::parse(&above).unwrap().links;
            way.push(links.iter().find(|(other, _)| other.as_slice() == name.as_bytes()).unwrap().1.cid);
        }
        way
    }

    fn at(&self, fixture: &[u8], names: &[&str]) -> Cid {
        *self.way(fixture, names).last().unwrap()
    }

    /// The blocks of a CAR, each verified, which is asked for by `format` and by `Accept`; the head is what the suite wants.
    async fn car(&self, path: &str, query: &str) -> Vec<Cid> {
        let mut answers = Vec::new();
        for (format, accept) in [("&format=car", ""), ("", CAR)] {
            let response = self.server.get_with(&format!("/ipfs/{path}?{query}{format}"), &[("accept", accept)]).await;
            assert_eq!(response.status(), 200, "{path}?{query}");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "accept-ranges"), "none");
            assert!(header(&response, "content-type").starts_with(CAR));
            let disposition = header(&response, "content-disposition");
            assert!(disposition.starts_with("attachment; filename=\"") && disposition.ends_with(".car\""));
            assert!(!header(&response, "etag").is_empty());
            answers.push(blocks_of(&response.bytes().await.unwrap()));
        }
        assert_eq!(answers[0], answers[1], "{path}?{query}");
        answers.remove(0)
    }
}

fn blocks_of(bytes: &[u8]) -> Vec<Cid> {
    let mut reader = car::Reader::new(bytes).unwrap();
    std::iter::from_fn(|| reader.block().unwrap()).map(|block| block.cid).collect()
}

fn cids(texts: &[&str]) -> Vec<Cid> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn blocks_as_the_suite_asks_for_them() {
    let fixtures = Fixtures::new().await;
    for names in [&["dir"][..], &["dir", "ascii.txt"]] {
        let cid = fixtures.at(RAW_BLOCK, names);
        let block = fixtures.blocks.get(&cid).unwrap();
        for (query, accept) in [("?format=raw", ""), ("", RAW)] {
            let path = format!("/ipfs/{cid}{query}");
            let response = fixtures.server.get_with(&path, &[("accept", accept)]).await;
            assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, RAW));
            assert_eq!(header(&response, "content-length"), block.len().to_string());
            assert!(header(&response, "content-disposition").starts_with("attachment;"));
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "x-ipfs-path"), format!("/ipfs/{cid}"));
            assert!(header(&response, "x-ipfs-roots").contains(&cid.to_string()));
            let cache: Vec<&str> = header(&response, "cache-control").split(", ").collect();
            assert!(cache.contains(&"public") && cache.contains(&"immutable") && cache.contains(&"max-age=29030400"));
            assert!(!header(&response, "etag").is_empty());
            assert_eq!(response.bytes().await.unwrap(), block);
            // A part of a block may be answered with all of it.
            for range in ["bytes=1-4", "bytes=1-4,6-8"] {
                let whole = fixtures.server.get_with(&path, &[("accept", accept), ("range", range)]).await;
                assert_eq!((whole.status().as_u16(), whole.bytes().await.unwrap()), (200, block.clone()));
            }
        }
        let named = fixtures.server.get_with(&format!("/ipfs/{cid}?filename=foobar.bin"), &[("accept", RAW)]).await;
        assert!(header(&named, "content-disposition").contains("filename=\"foobar.bin"));
    }
}

#[tokio::test]
async fn cars_as_the_suite_asks_for_them() {
    let fixtures = Fixtures::new().await;
    let [root, mixed, sharded, gap] = [TWO_FILES, MIXED, SHARDED, GAP].map(|car| fixtures.at(car, &[]));
    // Paths, and scopes.
    let way = fixtures.way(TWO_FILES, &["subdir", "ascii.txt"]);
    assert_eq!(fixtures.car(&format!("{root}/subdir/ascii.txt"), "").await, way);
    assert_eq!(fixtures.car(&format!("{root}/subdir"), "dag-scope=block").await, way[..2]);
    assert_eq!(fixtures.car(&format!("{root}/subdir/ascii.txt"), "dag-scope=block").await, way);
    assert_eq!(fixtures.car(&root.to_string(), "dag-scope=entity").await, way[..1]);
    let absent = fixtures.server.get(&format!("/ipfs/{root}/subdir/i-do-not-exist?format=car")).await;
    assert_eq!(absent.status(), 404);
    let way = fixtures.way(MIXED, &["subdir", "ascii.txt"]);
    assert_eq!(fixtures.car(&format!("{mixed}/subdir/ascii.txt"), "dag-scope=entity").await, way);
    let way = fixtures.way(MIXED, &["subdir", "multiblock.txt"]);
    let parts = cids(&PARTS);
    assert_eq!(way[2], MULTIBLOCK.parse().unwrap());
    let whole = [&way[..], &parts].concat();
    for query in ["dag-scope=entity", "dag-scope=all", "dag-scope=entity&entity-bytes=0:*"] {
        assert_eq!(fixtures.car(&format!("{mixed}/subdir/multiblock.txt"), query).await, whole, "{query}");
    }
    let all = fixtures.car(&format!("{mixed}/subdir"), "dag-scope=all").await;
    assert!(all.len() == 10 && all.starts_with(&way[..2]) && all.ends_with(&whole[2..]), "{all:?}");
    // Shards: those on the way alone, or all of them and nothing below.
    let shards = fixtures.car(&sharded.to_string(), "dag-scope=entity").await;
    assert!(shards.len() > 100 && shards.iter().all(|cid| cid.codec() == DAG_PB));
    assert_eq!(fixtures.car(&sharded.to_string(), "dag-scope=entity&entity-bytes=0:*").await, shards);
    let one = fixtures.car(&format!("{sharded}/1.txt"), "dag-scope=block").await;
    let (file, way) = one.split_last().unwrap();
    assert!(one[0] == sharded && way.iter().all(|cid| shards.contains(cid)) && !shards.contains(file));
    let one = fixtures.car(&format!("{sharded}/685.txt"), "").await;
    let below = one.iter().position(|cid| !shards.contains(cid)).unwrap();
    assert!(one.len() > below + 1 && one[below..].iter().all(|cid| !shards.contains(cid)));
    // DAG-CBOR.
    let document: Cid = DOCUMENT.parse().unwrap();
    let single = fixtures.car(&format!("{document}/files/single"), "").await;
    assert_eq!((single.len(), single[0]), (2, document));
    let cbor = fixtures.at(CBOR, &[]);
    assert_eq!(fixtures.car(&format!("{cbor}/document"), "dag-scope=entity").await, [cbor, document]);
    // Bytes.
    let missing = ["QmPKt7ptM2ZYSGPUc8PmPT2VBkLDK3iqpG9TBJY7PCE9rF", "QmWXY482zQdwecnfBsj78poUUuPXvyw2JAFAEMw4tzTavV"];
    for (range, block) in [("0:1000", missing[0]), ("2200:*", missing[1])] {
        let found = fixtures.car(&gap.to_string(), &format!("dag-scope=entity&entity-bytes={range}")).await;
        assert_eq!(found, [gap, block.parse().unwrap()]);
    }
    for (range, expected) in [
        ("512:*", &parts[2..]),
        ("512:1023", &parts[2..4]),
        ("512:-256", &parts[2..4]),
        ("-5:*", &parts[3..]),
        ("-9999:*", &parts),
        ("-9999:-3", &parts[..4]),
        ("0:0", &parts[..1]),
    ] {
        let found = fixtures.car(MULTIBLOCK, &format!("dag-scope=entity&entity-bytes={range}")).await;
        assert_eq!(found, [&cids(&[MULTIBLOCK])[..], expected].concat(), "{range}");
    }
}

#[tokio::test]
async fn parameters_as_the_suite_asks_for_them() {
    let fixtures = Fixtures::new().await;
    let [root, ascii, copy, hello, multi] =
        [&[][..], &["ascii.txt"], &["ascii-copy.txt"], &["hello.txt"], &["multiblock.txt"]]
            .map(|names| fixtures.at(DUPLICATES, names));
    assert_eq!(ascii, copy);
    let rest = [&[hello, multi][..], &cids(&PARTS)].concat();
    let (once, twice) = ([&[root, ascii][..], &rest].concat(), [&[root, ascii, ascii][..], &rest].concat());
    let inline = "bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa";
    let root = root.to_string();
    let raw = fixtures.at(RAW_BLOCK, &["dir"]).to_string();
    for (path, query, accept, said, expected) in [
        (&*root, "", "application/vnd.ipld.car; version=1; order=dfs; dups=y", "order=dfs; dups=y", Some(&twice)),
        (&*root, "", "application/vnd.ipld.car; version=1; order=dfs; dups=n", "order=dfs; dups=n", Some(&once)),
        (&*root, "", "application/vnd.ipld.car; version=1; order=unk", "order=", Some(&once)),
        (&*root, "?format=car", "application/vnd.ipld.car; version=1; order=dfs; dups=y", "dups=y", Some(&twice)),
        (&*root, "?format=car&car-order=dfs", "application/vnd.ipld.car; order=unk", "order=dfs", Some(&once)),
        (&*root, "?format=car&car-dups=y", "application/vnd.ipld.car; dups=n", "dups=y", Some(&twice)),
        (inline, "", "application/vnd.ipld.car; dups=y", "dups=y", Some(&Vec::new())),
        (&*raw, "?format=car", RAW, CAR, None),
        (&*raw, "?format=raw", CAR, RAW, None),
    ] {
        let response = fixtures.server.get_with(&format!("/ipfs/{path}{query}"), &[("accept", accept)]).await;
        let content_type = header(&response, "content-type").to_owned();
        assert!(response.status() == 200 && content_type.contains(said), "{path}{query}, {accept}: {content_type}");
        if let Some(expected) = expected {
            assert_eq!(&blocks_of(&response.bytes().await.unwrap()), expected, "{path}{query}, {accept}");
        }
    }
}

#[tokio::test]
async fn records_as_the_suite_asks_for_them() {
    let fixtures = Fixtures::new().await;
    for (key, record) in RECORDS {
        for (query, accept) in [("?format=ipns-record", ""), ("", "application/vnd.ipfs.ipns-record")] {
            let response = fixtures.server.get_with(&format!("/ipns/{key}{query}"), &[("accept", accept)]).await;
            assert_eq!(header(&response, "content-type"), "application/vnd.ipfs.ipns-record");
            assert!(header(&response, "content-disposition").contains("attachment;"));
            assert!(header(&response, "cache-control").contains("public, max-age=1800"));
            let body = response.bytes().await.unwrap();
            assert_eq!(body, record);
            Record::verify(&body, &key.parse::<Name>().unwrap()).unwrap();
        }
    }
    let path = format!("/ipns/{}?format=ipns-record&filename=test%D1%82%D0%B5%D1%81%D1%82.ipns-record", RECORDS[0].0);
    let expected =
        "attachment; filename=\"test____.ipns-record\"; filename*=UTF-8''test%D1%82%D0%B5%D1%81%D1%82.ipns-record";
    assert_eq!(header(&fixtures.server.get(&path).await, "content-disposition"), expected);
}

/// What the program says that the suite's own `go test -c ./tests` has made, where there is one.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_itself_passes_where_it_is_named() {
    let fixtures = Fixtures::new().await;
    let probe = fixtures.server.get("/ipfs/bafkqaaa?format=raw").await;
    assert_eq!(probe.status(), 200, "the server that it asks");
    let Some(suite) = std::env::var_os("GATEWAY_CONFORMANCE") else { return };
    let specs = "trustless-block-gateway,trustless-car-gateway,trustless-car-gateway-optional,trustless-ipns-gateway";
    let mut command = tokio::process::Command::new(&suite);
    command.args(["-test.v", "-specs", specs]).env("GATEWAY_URL", &fixtures.server.listening.url);
    command.current_dir(std::path::Path::new(&suite).parent().unwrap()).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for test in ["TestTrustlessRaw", "TestTrustlessCarPathing", "TestTrustlessCarEntityBytes", "TestGatewayIPNSRecord"]
    {
        assert!(said.contains(&format!("--- PASS: {test} ")), "{test}: {said}");
    }
}
