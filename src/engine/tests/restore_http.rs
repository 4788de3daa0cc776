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
use crate::unixfs::car;

/// What a gateway does wrong, by the number of the request.
type Fault = Box<dyn FnMut(u64, &str) -> Option<Response> + Send>;

struct Blocks {
    blocks: HashMap<String, Vec<u8>>,
    asked: Mutex<(u64, Fault)>,
}

/// A gateway below `/ipfs` and a node below `/api/v0`, with the blocks of a CAR file.
async fn serve(path: &Path, fault: Fault) -> SocketAddr {
    let mut reader = car::Reader::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut blocks = HashMap::new();
    while let Some(block) = reader.block().unwrap() {
        blocks.insert(block.cid.to_string(), block.bytes);
    }
    let state = Arc::new(Blocks { blocks, asked: Mutex::new((0, fault)) });
    let app = Router::new().fallback(answer).with_state(state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
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
    match state.blocks.get(&cid) {
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

async fn exported(profile: Profile) -> (Yard, std::path::PathBuf, Cid) {
    let yard = Yard::with(MemoryRegistry::builder().start().await.unwrap(), Some(profile));
    let big = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>();
    yard.put("app", "1", &ImageBuilder::new(platform("linux/amd64")).opaque_layer(big).build());
    yard.put("app", "2", &index("two"));
    yard.add(&["app:1", "app:2"]).await;
    let path = yard.directory.path().join("tree.car");
    yard.engine.export_car(&path, false, None, &Job::new().0).await.unwrap();
    let root = yard.engine.root().unwrap().unwrap();
    (yard, path, root)
}

fn nothing() -> Fault {
    Box::new(|_, _| None)
}

#[tokio::test]
async fn a_gateway_and_a_node_give_the_same_root() {
    for profile in Profile::ALL {
        let (_yard, path, root) = exported(profile).await;
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
    let (_yard, path, root) = exported(Profile::default()).await;
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

#[tokio::test]
async fn names_that_only_a_node_can_follow() {
    let answers = |_: u64, path: &str| {
        (path == "/api/v0/resolve").then(|| {
            let root = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
            serde_json::json!({ "Path": format!("/ipfs/{root}") }).to_string().into_response()
        })
    };
    let (_yard, path, _) = exported(Profile::default()).await;
    let address = serve(&path, Box::new(answers)).await;
    let node: Place = format!("kubo:http://{address}").parse().unwrap();
    let name = "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8";
    let root = root_of(name, &node).await.unwrap();
    assert!(root.to_string().starts_with("bafybei"));
    let gateway: Place = format!("http://{address}").parse().unwrap();
    assert!(root_of(name, &gateway).await.is_err());
}
