//! Blobs that have to be fetched or verified first: they stream, and nothing else waits for them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response as Answer};
use cid::Cid;
use tokio::sync::watch;

use super::*;
use crate::engine::job::Job;
use crate::engine::request::AddRequest;
use crate::engine::restore::{Place, Purpose};
use crate::engine::{Engine, Options as EngineOptions};
use crate::image::{Digest, Selection};
use crate::registry::credentials::Environment;
use crate::registry::memory::{ImageBuilder, MemoryRegistry};
use crate::serve::CatalogSource;
use crate::unixfs::file::{self, Part};
use crate::unixfs::{Profile, car};

const LAYERS: u8 = 10;
const LAYER: usize = (3 << 20) + 7;
pub(super) const LEAF: usize = 1 << 20;
/// One more layer, of so many bytes.
pub(super) const LARGE: u8 = LAYERS;
pub(super) const LARGE_LAYER: usize = (12 << 20) + 7;

pub(super) fn layer(number: u8) -> Vec<u8> {
    let size = if number == LARGE { LARGE_LAYER } else { LAYER };
    (0..size).map(|i| (i % 251) as u8 ^ number).collect()
}

/// The leaves of a layer in order.
pub(super) fn leaves(number: u8) -> Vec<Cid> {
    let (profile, layer) = (Profile::default(), layer(number));
    let (_, digests) = file::of_bytes(profile, &layer);
    let parts = file::parts(profile, layer.len() as u64, digests).unwrap();
    parts.filter_map(|part| if let Part::Leaf { cid, .. } = part { Some(cid) } else { None }).collect()
}

/// A gateway that keeps some blocks back, gives other bytes for some, and knows what it was asked for.
pub(super) struct Gateway {
    blocks: HashMap<Cid, Vec<u8>>,
    held: watch::Sender<BTreeSet<Cid>>,
    pub(super) wrong: Mutex<BTreeSet<Cid>>,
    asked: watch::Sender<Vec<Cid>>,
}

impl Gateway {
    pub(super) fn hold(&self, blocks: impl IntoIterator<Item = Cid>) {
        self.held.send_replace(blocks.into_iter().collect());
    }

    pub(super) fn times_asked(&self, block: &Cid) -> usize {
        self.asked.borrow().iter().filter(|asked| *asked == block).count()
    }

    pub(super) async fn is_asked_for(&self, blocks: &[Cid]) {
        let mut asked = self.asked.subscribe();
        let all = asked.wait_for(|asked| blocks.iter().all(|block| asked.contains(block)));
        tokio::time::timeout(PATIENCE, all).await.expect("the gateway should be asked").unwrap();
    }
}

async fn give(State(gateway): State<Arc<Gateway>>, uri: Uri) -> Answer {
    let Some(cid) = uri.path().strip_prefix("/ipfs/").and_then(|cid| cid.parse::<Cid>().ok()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    gateway.asked.send_modify(|asked| asked.push(cid));
    gateway.held.subscribe().wait_for(|held| !held.contains(&cid)).await.unwrap();
    if gateway.wrong.lock().unwrap().contains(&cid) {
        return "other bytes".into_response();
    }
    gateway.blocks.get(&cid).cloned().map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

fn options(directory: &Path) -> EngineOptions {
    EngineOptions {
        data_dir: directory.to_owned(),
        registries: crate::registry::Options::new(Environment::default()),
        wait: Duration::from_secs(5),
        local_discovery: false,
        profile: None,
    }
}

/// A server over a catalog.
pub(super) struct Served {
    directory: tempfile::TempDir,
    engine: Arc<Engine>,
    pub(super) gateway: Arc<Gateway>,
    /// The address of the repository.
    url: String,
    client: Client,
    _stop: tokio_util::sync::DropGuard,
}

impl Served {
    /// Over a catalog whose layers were left at a gateway.
    pub(super) async fn lazy() -> Self {
        let (directory, _, root, path) = Self::added().await;
        let mut reader = car::Reader::new(fs::File::open(path).unwrap()).unwrap();
        let mut blocks = HashMap::new();
        while let Some(block) = reader.block().unwrap() {
            blocks.insert(block.cid, block.bytes);
        }
        let gateway = Arc::new(Gateway {
            blocks,
            held: watch::Sender::default(),
            wrong: Mutex::default(),
            asked: watch::Sender::default(),
        });
        let app = Router::new().fallback(give).with_state(Arc::clone(&gateway));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let from = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let place: Place = from.parse().unwrap();
        let engine = Engine::open(options(&directory.path().join("lazy"))).unwrap();
        let restoring = async |job: &Job| {
            let records = place.records(Some(root), None, job).await?;
            let plan = engine.plan_return(&records, Purpose::Restore, job).await?;
            engine.apply_return(&plan, Some(&from), job).await
        };
        let returned = Job::new().0.run(restoring).await.unwrap();
        assert_eq!(returned.left.blobs, u64::from(LAYERS) + 1);
        gateway.asked.send_modify(Vec::clear);
        Self::over(directory, engine, gateway).await
    }

    /// Over a catalog that has everything.
    async fn whole() -> Self {
        let (directory, engine, ..) = Self::added().await;
        let gateway = Arc::new(Gateway {
            blocks: HashMap::new(),
            held: watch::Sender::default(),
            wrong: Mutex::default(),
            asked: watch::Sender::default(),
        });
        Self::over(directory, engine, gateway).await
    }

    async fn added() -> (tempfile::TempDir, Arc<Engine>, Cid, std::path::PathBuf) {
        let registry = MemoryRegistry::builder().start().await.unwrap();
        let builder = ImageBuilder::new("linux/amd64".parse().unwrap());
        let image = (0..=LARGE).fold(builder, |builder, number| builder.opaque_layer(layer(number))).build();
        registry.put_image(&"app".parse().unwrap(), Some("1"), &image);
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(options(&directory.path().join("whole"))).unwrap();
        let source = format!("{}/app:1", registry.host()).parse().unwrap();
        let request = AddRequest {
            insecure: Some(true),
            selection: Some(Selection::All),
            name: Some("app:1".parse().unwrap()),
            ..AddRequest::new(source)
        };
        let adding = async |job: &Job| {
            let plan = engine.plan_add(&[request], job).await?;
            engine.apply_add(plan, "add", job).await
        };
        let added = Job::new().0.run(adding).await.unwrap();
        assert!(added.failed.is_empty(), "{:?}", added.failed);
        let path = directory.path().join("tree.car");
        engine.export_car(&path, false, None, &Job::new().0).await.unwrap();
        let root = engine.root().unwrap().unwrap();
        (directory, engine, root, path)
    }

    async fn over(directory: tempfile::TempDir, engine: Arc<Engine>, gateway: Arc<Gateway>) -> Self {
        let stop = CancellationToken::new();
        let (tell, told) = oneshot::channel();
        let shelf = Arc::new(CatalogSource::new(Arc::clone(&engine), true));
        let options = Options { listen: "127.0.0.1:0".parse().unwrap(), ..Options::default() };
        let serving = run_within(shelf, None, options, Limits::default(), stop.clone(), |listening: &Listening| {
            tell.send(listening.url.clone()).unwrap();
        });
        tokio::spawn(serving);
        let url = format!("{}/v2/app", told.await.unwrap());
        Self { directory, engine, gateway, url, client: plain_client(), _stop: stop.drop_guard() }
    }

    pub(super) async fn ask(&self, method: Method, path: &str, range: Option<&str>) -> Response {
        let request = self.client.request(method, format!("{}/{path}", self.url));
        let request = range.into_iter().fold(request, |request, range| request.header("range", range));
        tokio::time::timeout(PATIENCE, request.send()).await.expect("an answer in time").unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path, None).await
    }

    /// Asks for a layer without waiting for the answer.
    fn pull(&self, number: u8) -> JoinHandle<Vec<u8>> {
        let request = self.client.get(format!("{}/{}", self.url, path_of(number)));
        tokio::spawn(async move { request.send().await.unwrap().bytes().await.unwrap().to_vec() })
    }

    pub(super) fn stored(&self, number: u8) -> std::path::PathBuf {
        self.engine.data_dir().join("blobs/sha256").join(Digest::of(&layer(number)).hex())
    }
}

pub(super) fn path_of(number: u8) -> String {
    format!("blobs/{}", Digest::of(&layer(number)))
}

pub(super) async fn read(response: &mut Response, count: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < count {
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await.expect("bytes in time").unwrap();
        read.extend_from_slice(&chunk.expect("more bytes"));
    }
    read
}

#[tokio::test]
async fn parts_of_a_layer_come_as_soon_as_they_are_here() {
    let served = Served::lazy().await;
    let layer = layer(0);
    served.gateway.hold(leaves(0).last().copied());
    let places = [(LEAF - 10, LEAF + 9), (0, 4), (LAYER - 7, LAYER - 1)];
    let set = places.map(|(first, last)| format!("{first}-{last}")).join(",");
    let mut response = served.ask(Method::GET, &path_of(0), Some(&format!("bytes={set}"))).await;
    assert_eq!(response.status(), 206);
    let length: usize = header(&response, "content-length").parse().unwrap();
    let part = |(first, last): (usize, usize)| {
        [format!("Content-Range: bytes {first}-{last}/{LAYER}\r\n\r\n").as_bytes(), &layer[first..=last]].concat()
    };
    let has = |body: &[u8], place| {
        let part = part(place);
        body.windows(part.len()).any(|window| window == part)
    };
    // The last leaf is not here, and both other parts are.
    let mut body = Vec::new();
    while !has(&body, places[1]) {
        body.extend(read(&mut response, 1).await);
    }
    assert!(has(&body, places[0]) && !has(&body, places[2]));
    served.gateway.hold([]);
    body.extend(read(&mut response, length - body.len()).await);
    assert_eq!(body.len(), length);
    assert!(has(&body, places[2]));
}

#[tokio::test]
async fn eight_stuck_layers_keep_nobody_else_waiting() {
    let served = Served::lazy().await;
    let stuck: Vec<Cid> = (0..8).map(|number| leaves(number)[0]).collect();
    served.gateway.hold(stuck.clone());
    let pulls: Vec<_> = (0..8).map(|number| served.pull(number)).collect();
    served.gateway.is_asked_for(&stuck).await;
    let manifest = served.get("manifests/1").await;
    assert_eq!(manifest.status(), 200);
    let manifest: Value = serde_json::from_slice(&manifest.bytes().await.unwrap()).unwrap();
    let config = manifest["config"]["digest"].as_str().unwrap();
    for path in [format!("blobs/{config}"), "tags/list".to_owned(), "manifests/1".to_owned()] {
        assert_eq!(served.get(&path).await.status(), 200, "{path}");
    }
    // Asking whether it is there fetches nothing, whether it is stuck or not.
    for number in 0..LAYERS {
        let head = served.ask(Method::HEAD, &path_of(number), None).await;
        assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, LAYER.to_string().as_str()));
    }
    assert_eq!(served.gateway.times_asked(&leaves(9)[0]), 0);
    served.gateway.hold([]);
    for (number, pull) in (0..).zip(pulls) {
        assert!(pull.await.unwrap() == layer(number), "{number}");
    }
    assert!(served.get(&path_of(8)).await.bytes().await.unwrap() == layer(8));
}

#[tokio::test]
async fn two_clients_share_one_fetch_and_read_along() {
    let served = Served::lazy().await;
    let (content, leaves) = (layer(0), leaves(0));
    served.gateway.hold([leaves[3]]);
    let (mut first, mut second) = (served.get(&path_of(0)).await, served.get(&path_of(0)).await);
    assert_eq!((first.status().as_u16(), header(&first, "content-length")), (200, LAYER.to_string().as_str()));
    // All that was verified reaches both while the rest is still to come.
    let (mut one, mut two) = (read(&mut first, 3 * LEAF).await, read(&mut second, 3 * LEAF).await);
    assert!(one == content[..3 * LEAF] && one == two);
    let range = served.ask(Method::GET, &path_of(0), Some("bytes=1048570-1048580")).await;
    assert_eq!(range.status(), 206);
    assert!(range.bytes().await.unwrap() == content[1_048_570..=1_048_580]);
    served.gateway.hold([]);
    one.extend(read(&mut first, LAYER - 3 * LEAF).await);
    two.extend(read(&mut second, LAYER - 3 * LEAF).await);
    assert!(one == content && two == content);
    for leaf in &leaves {
        assert_eq!(served.gateway.times_asked(leaf), 1);
    }
    // From now on it is here.
    let suffix = served.ask(Method::GET, &path_of(0), Some("bytes=-5")).await;
    assert!(suffix.bytes().await.unwrap() == content[LAYER - 5..]);
    assert_eq!(served.gateway.times_asked(&leaves[3]), 1);
    assert!(served.stored(0).exists());
}

#[tokio::test]
async fn who_leaves_stops_nobody_and_what_came_stays() {
    let served = Served::lazy().await;
    let leaves = leaves(1);
    served.gateway.hold([leaves[2], leaves[3]]);
    let (mut first, mut second) = (served.get(&path_of(1)).await, served.get(&path_of(1)).await);
    read(&mut first, 2 * LEAF).await;
    let mut got = read(&mut second, 2 * LEAF).await;
    drop(first);
    served.gateway.hold([leaves[3]]);
    got.extend(read(&mut second, LEAF).await);
    // Nobody wants it any more.
    drop(second);
    assert!(got == layer(1)[..3 * LEAF]);
    assert!(!served.stored(1).exists());
    served.gateway.hold([]);
    assert!(served.get(&path_of(1)).await.bytes().await.unwrap() == layer(1));
    for leaf in &leaves[..3] {
        assert_eq!(served.gateway.times_asked(leaf), 1, "what was verified is not fetched again");
    }
}

/// As many as are fetched at once, all of them stuck and given up by those who asked.
#[tokio::test]
async fn who_leaves_a_stuck_layer_takes_no_place_from_others() {
    let served = Served::lazy().await;
    let stuck: Vec<Cid> = (0..8).map(|number| leaves(number)[0]).collect();
    served.gateway.hold(stuck.clone());
    let pulls: Vec<_> = (0..8).map(|number| served.pull(number)).collect();
    served.gateway.is_asked_for(&stuck).await;
    pulls.iter().for_each(JoinHandle::abort);
    assert!(served.get(&path_of(8)).await.bytes().await.unwrap() == layer(8));
}

#[tokio::test]
async fn a_wrong_block_cuts_the_answer_and_is_not_kept() {
    let served = Served::lazy().await;
    let leaves = leaves(2);
    served.gateway.hold([leaves[3]]);
    served.gateway.wrong.lock().unwrap().insert(leaves[3]);
    let mut cut = served.get(&path_of(2)).await;
    assert_eq!(cut.status(), 200);
    assert!(read(&mut cut, 3 * LEAF).await == layer(2)[..3 * LEAF]);
    served.gateway.hold([]);
    assert!(cut.bytes().await.is_err());
    assert!(!served.stored(2).exists());
    // Before the first byte is known to be right, the answer says that there is none.
    served.gateway.wrong.lock().unwrap().insert(self::leaves(3)[0]);
    assert_eq!(refusal(served.get(&path_of(3)).await).await.0, 500);
    served.gateway.wrong.lock().unwrap().clear();
    assert!(served.get(&path_of(2)).await.bytes().await.unwrap() == layer(2));
    assert_eq!(served.gateway.times_asked(&leaves[0]), 1, "what was right is not fetched again");
    assert!(served.get(&path_of(3)).await.bytes().await.unwrap() == layer(3));
}

#[tokio::test]
async fn a_damaged_partial_file_is_not_given_out() {
    let served = Served::lazy().await;
    let partial = served.engine.data_dir().join("partial").join(Digest::of(&layer(4)).hex());
    let mut begun = layer(4)[..2 * LEAF + 5].to_vec();
    begun[LEAF + 1] ^= 1;
    fs::write(&partial, begun).unwrap();
    assert!(served.get(&path_of(4)).await.bytes().await.unwrap() == layer(4));
    let asked: Vec<usize> = leaves(4).iter().map(|leaf| served.gateway.times_asked(leaf)).collect();
    assert_eq!(asked, [0, 1, 1, 1], "the first leaf was right");
}

/// Changes one byte of a file that something else may be linked to, so that the file system can tell.
fn edit(path: &Path) {
    let before = path.metadata().unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let times = |metadata: &fs::Metadata| (metadata.mtime(), metadata.mtime_nsec());
    while times(&path.metadata().unwrap()) == times(&before) {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"x", 1000).unwrap();
    }
}

#[tokio::test]
async fn what_was_changed_behind_our_back_is_not_given_out() {
    let served = Served::whole().await;
    assert!(served.get(&path_of(0)).await.bytes().await.unwrap() == layer(0));
    edit(&served.stored(0));
    for _ in 0..2 {
        let refused = refusal(served.get(&path_of(0)).await).await;
        assert_eq!((refused.0, refused.1.as_str()), (500, "UNKNOWN"));
    }
    assert_eq!(refusal(served.ask(Method::GET, &path_of(0), Some("bytes=0-5")).await).await.0, 500);
    // Only its times: it is read once, and then given out as before.
    let untouched = fs::File::open(served.stored(1)).unwrap();
    untouched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    for _ in 0..2 {
        assert!(served.get(&path_of(1)).await.bytes().await.unwrap() == layer(1));
    }
    // A file that was cut or is gone.
    fs::set_permissions(served.stored(2), fs::Permissions::from_mode(0o644)).unwrap();
    fs::OpenOptions::new().write(true).open(served.stored(2)).unwrap().set_len(5).unwrap();
    fs::remove_file(served.stored(3)).unwrap();
    for number in [2, 3] {
        assert_eq!(refusal(served.get(&path_of(number)).await).await.0, 500);
    }
    drop(served.directory);
}
