//! The root is a pure function of the content: the way it came about leaves no trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::consent::{ask_for_login, logged_in};
use super::*;

/// Something that may be mirrored.
struct Slot {
    repository: &'static str,
    tag: &'static str,
    /// Published name and tag, if not the usual ones.
    name: Option<&'static str>,
    alias: Option<&'static str>,
    /// Upstream never moves the tag.
    fixed: bool,
}

const fn slot(repository: &'static str, tag: &'static str, name: Option<&'static str>) -> Slot {
    Slot { repository, tag, name, alias: None, fixed: false }
}

const SLOTS: [Slot; 12] = [
    slot("a", "1", None),
    slot("a", "2", None),
    slot("a/b", "1", None),
    slot("b", "1", None),
    Slot { fixed: true, ..slot("b", "1-arm64", None) },
    Slot { alias: Some("see"), ..slot("c", "latest", None) },
    // Names go on below others, also below the directories that those have.
    slot("a/manifests", "1", None),
    slot("a/manifests/x", "2", None),
    slot("a/blobs/tags", "1", None),
    // Below an alias; the same upstream under another name, and under another tag.
    slot("a", "1", Some("see/below:x")),
    slot("b", "1", Some("other/b:1")),
    slot("a", "2", Some("other/a:1-arm64")),
];

/// The repository that is private while the switch is on.
const PRIVATE: &str = "b";

#[derive(Debug, Clone)]
enum Step {
    Add(usize, usize),
    Remove(usize),
    Move(usize, usize),
    Switch(bool),
    Allow(usize, bool),
    DefaultPlatform(bool),
    Gc,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slot = 0..SLOTS.len();
    let step = prop_oneof![
        8 => (slot.clone(), 0..3_usize).prop_map(|(slot, selection)| Step::Add(slot, selection)),
        3 => slot.clone().prop_map(Step::Remove),
        4 => (slot.clone(), 0..4_usize).prop_map(|(slot, version)| Step::Move(slot, version)),
        2 => any::<bool>().prop_map(Step::Switch),
        2 => (slot, any::<bool>()).prop_map(|(slot, allowed)| Step::Allow(slot, allowed)),
        1 => any::<bool>().prop_map(Step::DefaultPlatform),
        1 => Just(Step::Gc),
    ];
    proptest::collection::vec(step, 1..16)
}

/// What a tag may stand for: an index, one image, or an index that other repositories have, too.
fn content(slot: &Slot, version: usize) -> Image {
    let text = format!("{} {} {version}", slot.repository, slot.tag);
    match version {
        _ if slot.fixed => image("linux/arm64", "a real tag with a platform's name"),
        0 | 2 => index(&text),
        1 => image("linux/amd64", &text),
        _ => index("what others have, too"),
    }
}

fn is_single(version: usize) -> bool {
    version == 1
}

/// Puts everything that may be attached to any version: signatures by tag, an SBOM by its subject, and its own signature.
fn attach(registry: &MemoryRegistry) {
    for slot in &SLOTS {
        let repository: RepositoryName = slot.repository.parse().unwrap();
        for version in 0..4 {
            let image = content(slot, version);
            let subject = image.children.first().unwrap_or(&image);
            let sbom = subject.referrer("application/spdx+json", format!("SBOM of {}", subject.digest()));
            registry.put_image(&repository, None, &sbom);
            for signed in [&image, &sbom] {
                let signature = self::image("linux/amd64", &format!("signature of {}", signed.digest()));
                let tag = format!("sha256-{}.sig", signed.digest().hex());
                registry.put_image(&repository, Some(&tag), &signature);
            }
        }
    }
}

/// What is to be there.
#[derive(Default)]
struct Model {
    held: BTreeMap<usize, (usize, Selection)>,
    /// Private, and allowed all the same.
    consent: BTreeMap<String, (bool, bool)>,
    arm: bool,
}

struct World {
    test: TestEngine,
    switch: Arc<AtomicBool>,
}

fn selection(number: usize, slot: &Slot, version: usize) -> Selection {
    match number {
        _ if slot.fixed => Selection::All,
        0 => Selection::All,
        2 if !is_single(version) => "linux/arm64".parse().unwrap(),
        _ => "linux/amd64".parse().unwrap(),
    }
}

impl World {
    /// The published name of a slot's repository, and its tag there.
    fn place(&self, slot: &Slot) -> (String, String) {
        match slot.name {
            Some(name) => name.rsplit_once(':').map(|(name, tag)| (name.to_owned(), tag.to_owned())).unwrap(),
            None => (self.test.published(slot.repository), slot.tag.to_owned()),
        }
    }

    fn put(&self, slot: &Slot, version: usize) {
        self.test.put(slot.repository, slot.tag, &content(slot, version));
    }

    async fn add(&self, slot: &Slot, selection: Option<Selection>) {
        let name = slot.name.map(|name| name.parse().unwrap());
        let what = format!("{}:{}", slot.repository, slot.tag);
        let request = AddRequest { selection, name, ..self.test.request(&what) };
        let mut plan = self.test.engine.plan_add(&[request], &Job::new().0).await.unwrap();
        assert!(plan.failed.is_empty(), "{:?}", plan.failed);
        plan.images[0].alias = slot.alias.map(|alias| alias.parse().unwrap());
        let added = self.test.apply(plan).await.unwrap();
        assert!(added.failed.is_empty(), "{:?}", added.failed);
        self.test.check();
    }

    async fn remove(&self, slot: &Slot) {
        let (name, tag) = self.place(slot);
        let plan = self.test.engine.plan_remove(&[format!("{name}:{tag}").parse().unwrap()]).unwrap();
        self.test.engine.apply_remove(&plan, &Job::new().0).await.unwrap();
        self.test.check();
    }

    async fn allow(&self, name: &str, allowed: bool) {
        self.test.engine.allow(&[name.parse().unwrap()], allowed, &Job::new().0).await.unwrap();
        self.test.check();
    }

    async fn default_platform(&self, arm: bool) {
        let platform = platform(if arm { "linux/arm64" } else { "linux/amd64" });
        self.test.engine.configure(None, Some(&platform), &Job::new().0).await.unwrap();
        self.test.check();
    }

    async fn gc(&self) {
        let plan = self.test.engine.plan_gc().unwrap();
        self.test.engine.apply_gc(&plan, &Job::new().0).await.unwrap();
        assert!(self.test.engine.plan_gc().unwrap().is_empty());
        self.test.check();
    }

    /// Fills an empty catalog with what the model holds, last things first.
    async fn fill(&self, model: &Model) {
        self.default_platform(model.arm).await;
        for (number, (version, selection)) in model.held.iter().rev() {
            let slot = &SLOTS[*number];
            let (name, _) = self.place(slot);
            self.switch.store(model.consent[&name].0, Ordering::SeqCst);
            // An image alone has one platform, and more can only have been chosen when the tag was an index.
            let grown = is_single(*version) && selection.to_string().contains("arm64");
            if grown {
                self.put(slot, 0);
                self.add(slot, Some(selection.clone())).await;
            }
            self.put(slot, *version);
            self.add(slot, (!grown).then(|| selection.clone())).await;
        }
        for (name, (_, allowed)) in &model.consent {
            if *allowed {
                self.allow(name, true).await;
            }
        }
    }
}

impl Model {
    fn private(&mut self, world: &World, slot: &Slot) {
        let private = slot.repository == PRIVATE && world.switch.load(Ordering::SeqCst);
        let consent = self.consent.entry(world.place(slot).0).or_default();
        *consent = (private, consent.1 && private);
    }

    async fn take(&mut self, step: &Step, world: &World, upstream: &mut BTreeMap<(&str, &str), usize>) {
        match *step {
            Step::Add(number, chosen) => {
                let slot = &SLOTS[number];
                let version = upstream[&(slot.repository, slot.tag)];
                let chosen = selection(chosen, slot, version);
                world.add(slot, Some(chosen.clone())).await;
                let all = match self.held.remove(&number) {
                    Some((_, before)) => before.union(chosen),
                    None => chosen,
                };
                self.held.insert(number, (version, all));
                self.private(world, slot);
            }
            Step::Remove(number) if self.held.contains_key(&number) => {
                world.remove(&SLOTS[number]).await;
                self.held.remove(&number);
                let left: BTreeSet<String> = self.held.keys().map(|number| world.place(&SLOTS[*number]).0).collect();
                self.consent.retain(|name, _| left.contains(name));
            }
            Step::Move(number, version) if !SLOTS[number].fixed => {
                let slot = &SLOTS[number];
                world.put(slot, version);
                upstream.insert((slot.repository, slot.tag), version);
                if let Some((held, _)) = self.held.get_mut(&number) {
                    *held = version;
                    world.add(slot, None).await;
                    self.private(world, slot);
                }
            }
            Step::Switch(on) => world.switch.store(on, Ordering::SeqCst),
            Step::Allow(number, allowed) => {
                let (name, _) = world.place(&SLOTS[number]);
                if let Some(consent) = self.consent.get_mut(&name).filter(|(private, _)| *private) {
                    consent.1 = allowed;
                    world.allow(&name, allowed).await;
                }
            }
            Step::DefaultPlatform(arm) => {
                self.arm = arm;
                world.default_platform(arm).await;
            }
            Step::Gc => world.gc().await,
            Step::Remove(_) | Step::Move(..) => {}
        }
    }
}

fn run(steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for profile in [Profile::V1_2025, Profile::V0_2015] {
            let registry = MemoryRegistry::builder().start().await.unwrap();
            attach(&registry);
            let switch = Arc::new(AtomicBool::new(false));
            ask_for_login(&registry, PRIVATE, &switch);
            let world = World { test: logged_in(registry.clone(), Some(profile)), switch: Arc::clone(&switch) };
            let mut upstream = BTreeMap::new();
            for slot in &SLOTS {
                world.put(slot, 0);
                upstream.insert((slot.repository, slot.tag), 0);
            }
            let mut model = Model::default();
            world.default_platform(false).await;
            for step in steps {
                model.take(step, &world, &mut upstream).await;
            }
            let verified = world.test.engine.verify(false, &Job::new().0).await.unwrap();
            assert!(verified.damaged.is_empty() && verified.root_matches, "{verified:?}");
            let fresh = World { test: logged_in(registry, Some(profile)), switch };
            fresh.fill(&model).await;
            assert_eq!(fresh.test.root(), world.test.root());
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 60, ..ProptestConfig::default() })]
    #[test]
    fn no_history_leaves_a_trace(steps in steps()) {
        run(&steps);
    }
}
