//! Coming back over HTTP: from a gateway and from a node, also when they stumble, never when they lie.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use cid::Cid;

use super::*;
use crate::engine::restore::{Place, Purpose, Returned, root_of};
use crate::error::Kind;
use crate::unixfs::file::FileNode;
use crate::unixfs::{Block, DAG_PB, car};

/// What a gateway does wrong, by the number of the request.
type Fault = Box<dyn FnMut(u64, &str) -> Option<Response> + Send>;

/// What becomes of a CAR that was asked for, by the number of those requests; nothing where it is not given.
type Cars = Box<dyn FnMut(u64, Vec<Block>) -> Option<Vec<u8>> + Send>;

struct Blocks {
    by_cid: HashMap<String, Vec<u8>>,
    asked: Mutex<(u64, Fault)>,
    cars: Mutex<(u64, Cars)>,
    /// The paths that single blocks were asked for by.
    single: Mutex<Vec<String>>,
}

/// A gateway below `/ipfs` and a node below `/api/v0`, with the blocks of a CAR file.
async fn serve(path: &Path, fault: Fault) -> SocketAddr {
    serve_with(path, fault, Box::new(|_, _| None)).await.0
}

/// The same, which also gives CARs.
async fn serve_with(path: &Path, fault: Fault, cars: Cars) -> (SocketAddr, Arc<Blocks>) {
    let mut reader = car::Reader::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut blocks = HashMap::new();
    while let Some(block) = reader.block().unwrap() {
        blocks.insert(block.cid.to_string(), block.bytes);
    }
    let state = Arc::new(Blocks {
        by_cid: blocks,
        asked: Mutex::new((0, fault)),
        cars: Mutex::new((0, cars)),
        single: Mutex::default(),
    });
    let app = Router::new().fallback(answer).with_state(Arc::clone(&state));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, state)
}

impl Blocks {
    /// The blocks of a file in the order in which it is read, of its bytes from this one on.
    fn of_file(&self, cid: &Cid, skip: &mut u64, into: &mut Vec<Block>) {
        let bytes = &self.by_cid[&cid.to_string()];
        into.push(Block { cid: *cid, bytes: bytes.clone() });
        if cid.codec() == DAG_PB {
            for (link, size) in FileNode::parse(bytes).unwrap().children {
                if *skip >= size {
                    *skip -= size;
                } else {
                    self.of_file(&link.cid, skip, into);
                }
            }
        }
    }

    fn car(&self, cid: &str, query: &str) -> Response {
        let mut skip = 0;
        if let Some((_, range)) = query.split_once("entity-bytes=") {
            assert_eq!(
                query,
                format!(
                    "format=car&dag-scope=entity&entity-bytes={}:*&car-order=dfs&car-dups=y",
                    range.split(':').next().unwrap()
                )
            );
            skip = range.split(':').next().unwrap().parse().unwrap();
        }
        let mut blocks = Vec::new();
        self.of_file(&cid.parse().unwrap(), &mut skip, &mut blocks);
        let mut cars = self.cars.lock().unwrap();
        cars.0 += 1;
        let number = cars.0;
        match (cars.1)(number, blocks) {
            Some(car) => ([(header::CONTENT_TYPE, "application/vnd.ipld.car; version=1")], car).into_response(),
            None => StatusCode::NOT_ACCEPTABLE.into_response(),
        }
    }
}

fn car_of(blocks: &[Block]) -> Vec<u8> {
    let mut bytes = car::header(&[blocks[0].cid]);
    for block in blocks {
        bytes.extend(car::block_prefix(&block.cid, block.bytes.len() as u64));
        bytes.extend(&block.bytes);
    }
    bytes
}

async fn answer(State(state): State<Arc<Blocks>>, request: Request) -> Response {
    let (headers, query) = (request.headers(), request.uri().query().unwrap_or_default());
    let path = request.uri().path();
    let number = {
        let mut asked = state.asked.lock().unwrap();
        asked.0 += 1;
        let number = asked.0;
        if let Some(wrong) = (asked.1)(number, path) {
            return wrong;
        }
        number
    };
    assert!(number < 5_000, "asked without end");
    let cid = match path.strip_prefix("/ipfs/") {
        Some(cid) if query.starts_with("format=car") => return state.car(cid, query),
        Some(cid) => {
            assert_eq!(query, "format=raw");
            assert_eq!(headers[header::ACCEPT], "application/vnd.ipld.raw");
            cid.to_owned()
        }
        None if path == "/api/v0/block/get" && request.method() == Method::POST => {
            query.strip_prefix("arg=").unwrap().to_owned()
        }
        None => return StatusCode::IM_A_TEAPOT.into_response(),
    };
    state.single.lock().unwrap().push(cid.clone());
    match state.by_cid.get(&cid) {
        Some(block) => block.clone().into_response(),
        None => (StatusCode::NOT_FOUND, "block not found").into_response(),
    }
}

async fn restore(from: &str, root: Cid) -> Result<(tempfile::TempDir, Arc<Engine>, Returned)> {
    let place: Place = from.parse()?;
    let work = async |job: &Job| {
        let records = place.records(Some(root), None, job).await?;
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(options(directory.path(), Some(records.profile))).unwrap();
        let plan = engine.plan_return(&records, Purpose::Restore, job).await?;
        let returned = engine.apply_return(&plan, None, job).await?;
        Ok((directory, engine, returned))
    };
    Job::new().0.run(work).await
}

async fn exported(profile: Profile) -> (TestEngine, std::path::PathBuf, Cid) {
    let test = TestEngine::with(MemoryRegistry::builder().start().await.unwrap(), Some(profile));
    let big = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>();
    test.put("app", "1", &ImageBuilder::new(platform("linux/amd64")).opaque_layer(big).build());
    test.put("app", "2", &index("two"));
    test.add(&["app:1", "app:2"]).await;
    let path = test.directory.path().join("tree.car");
    test.engine.export_car(&path, false, None, &Job::new().0).await.unwrap();
    let root = test.engine.root().unwrap().unwrap();
    (test, path, root)
}

fn nothing() -> Fault {
    Box::new(|_, _| None)
}

#[tokio::test]
async fn a_gateway_and_a_node_give_the_same_root() {
    for profile in Profile::ALL {
        let (_test, path, root) = exported(profile).await;
        let address = serve(&path, nothing()).await;
        for from in [format!("http://{address}"), format!("kubo:http://{address}"), format!("http://{address}/api/v0/")]
        {
            let (_directory, engine, _) = restore(&from, root).await.unwrap();
            assert_eq!(engine.root().unwrap(), Some(root), "{from}");
        }
    }
}

#[tokio::test]
async fn stumbling_is_waited_for_and_lies_are_not_taken() {
    let (_test, path, root) = exported(Profile::default()).await;
    let busy = |number: u64, _: &str| {
        (number.is_multiple_of(7)).then(|| match number % 3 {
            0 => StatusCode::BAD_GATEWAY.into_response(),
            1 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response(),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response(),
        })
    };
    let address = serve(&path, Box::new(busy)).await;
    let (_directory, engine, _) = restore(&format!("http://{address}"), root).await.unwrap();
    assert_eq!(engine.root().unwrap(), Some(root));
    for (wrong, kind, words) in [
        (Box::new(|_: u64, _: &str| Some("other bytes".into_response())) as Fault, Kind::Verification, "another CID"),
        (Box::new(|_, _| Some(vec![0_u8; (2 << 20) + 1].into_response())), Kind::Verification, "2 MiB"),
        (Box::new(|_, _| Some(StatusCode::NOT_FOUND.into_response())), Kind::NotFound, "is not at"),
        (Box::new(|_, _| Some((StatusCode::FORBIDDEN, "\u{1b}[31mno").into_response())), Kind::Auth, "403"),
        (Box::new(|_, _| Some((StatusCode::GONE, "blocked").into_response())), Kind::Network, "410"),
        (
            Box::new(|_, _| Some((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "9999")]).into_response())),
            Kind::Network,
            "429",
        ),
        (
            Box::new(|_, path| Some((StatusCode::FOUND, [(header::LOCATION, path.to_owned())]).into_response())),
            Kind::Network,
            "could not be asked",
        ),
    ] {
        let address = serve(&path, wrong).await;
        let error = restore(&format!("http://{address}"), root).await.err().unwrap();
        assert!(error.kind() == kind && error.to_string().contains(words), "{words}: {error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    let error = restore("http://user:c4n4ry@127.0.0.1:1", root).await.err().unwrap();
    assert!(error.kind() == Kind::Usage && !format!("{error:?}").contains("c4n4ry"), "{error:?}");
}

/// This machine by an address that doesn't say so.
const FAR: &str = "http://0.0.0.0";

/// How many of the large file's blocks were asked for one by one, and how many CARs, when a gateway gives CARs so.
async fn with_cars(profile: Profile, place: &str, cars: Cars) -> (usize, u64) {
    let (_test, path, root) = exported(profile).await;
    let (address, state) = serve_with(&path, nothing(), cars).await;
    let (_directory, engine, _) = restore(&format!("{place}:{}", address.port()), root).await.unwrap();
    assert_eq!(engine.root().unwrap(), Some(root));
    let of_large = |cid: &String| state.by_cid[cid].len() as u64 >= profile.chunk_size();
    let single = state.single.lock().unwrap().iter().filter(|cid| of_large(cid)).count();
    let cars = state.cars.lock().unwrap().0;
    (single, cars)
}

#[tokio::test]
async fn whole_files_come_in_one_answer_where_that_is_given() {
    for profile in Profile::ALL {
        let leaves = profile.leaf_count(5_000_000) as usize;
        let whole = || -> Cars { Box::new(|_, blocks| Some(car_of(&blocks))) };
        assert_eq!(with_cars(profile, FAR, whole()).await, (0, 1));
        // Nothing is gained by it on this machine, and by a node.
        for near in ["http://127.0.0.1", "http://localhost", "kubo:http://0.0.0.0"] {
            let (single, cars) = with_cars(profile, near, whole()).await;
            assert!(single >= leaves - 1 && cars == 0, "{near}: {single} {cars}");
        }
        // Asked once, and then never again.
        let (single, cars) = with_cars(profile, FAR, Box::new(|_, _| None)).await;
        assert!(single >= leaves - 1 && cars == 1, "{single} {cars}");
        // Cut at whatever byte, it goes on in another answer; what is worth no answer comes as blocks.
        for cut in [0.05, 0.3, 0.5] {
            let half = move |number: u64, blocks: Vec<Block>| {
                let mut car = car_of(&blocks);
                if number == 1 {
                    car.truncate((car.len() as f64 * cut) as usize);
                }
                Some(car)
            };
            let (single, cars) = with_cars(profile, FAR, Box::new(half)).await;
            assert!(single < leaves && cars <= 2, "{cut}: {single} {cars}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_lies_is_given_up() {
    let profile = Profile::default();
    let leaves = profile.leaf_count(5_000_000) as usize;
    type Lie = fn(Vec<Block>) -> Vec<u8>;
    let lies: [Lie; 7] = [
        // Other bytes under the CID.
        |mut blocks| {
            let last = blocks[1].bytes.len() - 1;
            blocks[1].bytes[last] ^= 1;
            car_of(&blocks)
        },
        // Another order.
        |mut blocks| {
            blocks.reverse();
            car_of(&blocks)
        },
        // The root again and again.
        |blocks| car_of(&vec![blocks[0].clone(); 200]),
        // A length that no block has.
        |blocks| {
            let mut car = car_of(&blocks[..1]);
            car.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
            car
        },
        // No CAR at all, and nothing.
        |_| b"<html>".to_vec(),
        |_| Vec::new(),
        // A header without end.
        |_| vec![0xff; 4 << 20],
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let (single, cars) = with_cars(profile, FAR, Box::new(move |_, blocks| Some(lie(blocks)))).await;
        assert!(single >= leaves - 1 && cars == 1, "{number}: {single} of {leaves}, {cars}");
    }
}

#[tokio::test]
async fn of_an_answer_that_lies_later_the_rest_comes_from_elsewhere() {
    let profile = Profile::default();
    for leaf in 2..=4 {
        let lie = move |_, mut blocks: Vec<Block>| {
            blocks[leaf].bytes[leaf] ^= 1;
            Some(car_of(&blocks))
        };
        // The leaves before it were right. The last one has fewer bytes than are counted.
        assert_eq!(with_cars(profile, FAR, Box::new(lie)).await, (5 - leaf, 1), "{leaf}");
    }
}

#[tokio::test]
async fn names_that_only_a_node_can_follow() {
    const ROOT: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
    let answers = |_: u64, path: &str| match path {
        "/api/v0/resolve" => Some(serde_json::json!({ "Path": format!("/ipfs/{ROOT}") }).to_string().into_response()),
        _ if path.starts_with("/ipns/k51") => Some([("x-ipfs-roots", ROOT)].into_response()),
        "/ipns/nowhere" => Some((StatusCode::NOT_FOUND, "\u{1b}no link").into_response()),
        _ => None,
    };
    let (_test, path, _) = exported(Profile::default()).await;
    let address = serve(&path, Box::new(answers)).await;
    let node: Place = format!("kubo:http://{address}").parse().unwrap();
    let name = "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8";
    let named = root_of(name, &node).await.unwrap();
    assert_eq!((named.root.to_string(), named.said_by), (ROOT.to_owned(), Some(format!("http://{address}"))));
    let gateway: Place = format!("http://{address}").parse().unwrap();
    assert_eq!(root_of(name, &gateway).await.unwrap().root.to_string(), ROOT);
    for (wrong, kind) in [("nowhere", Kind::Network), ("none", Kind::Network)] {
        let error = root_of(wrong, &gateway).await.unwrap_err();
        assert!(error.kind() == kind && !error.to_string().contains('\u{1b}'), "{error}");
    }
    let file: Place = "/nowhere.car".parse().unwrap();
    assert_eq!(root_of(name, &file).await.unwrap_err().kind(), Kind::Usage);
}
