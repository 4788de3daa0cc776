//! The root is a pure function of the content: the order in which it came about leaves no trace.

use proptest::prelude::*;

use super::*;

/// Names go on below others, also below the directories that those have.
const CONTENT: [(&str, &str); 9] = [
    ("a", "1"),
    ("a", "2"),
    ("a/b", "1"),
    ("b", "1"),
    ("b", "1-arm64"),
    ("c", "latest"),
    ("a/manifests", "1"),
    ("a/manifests/x", "2"),
    ("a/blobs/tags", "1"),
];

fn fill(registry: &MemoryRegistry) {
    for (repository, tag) in CONTENT {
        let image = match tag {
            "1-arm64" => image("linux/arm64", "a real tag with a platform's name"),
            _ => index(&format!("{repository} {tag}")),
        };
        registry.put_image(&repository.parse().unwrap(), Some(tag), &image);
    }
}

fn run(steps: &[(usize, bool)]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let registry = MemoryRegistry::builder().start().await.unwrap();
        fill(&registry);
        for profile in [Profile::V1_2025, Profile::V0_2015] {
            let yard = Yard::with(registry.clone(), Some(profile));
            let mut there = std::collections::BTreeSet::new();
            for (which, add) in steps {
                let (repository, tag) = CONTENT[*which];
                let what = format!("{repository}:{tag}");
                if *add {
                    yard.add(&[&what]).await;
                    there.insert(*which);
                } else if there.remove(which) {
                    yard.remove(&what).await;
                }
            }
            let fresh = Yard::with(registry.clone(), Some(profile));
            for which in &there {
                let (repository, tag) = CONTENT[*which];
                fresh.add(&[&format!("{repository}:{tag}")]).await;
            }
            assert_eq!(fresh.root(), yard.root());
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]
    #[test]
    fn no_order_leaves_a_trace(steps in proptest::collection::vec((0..CONTENT.len(), prop::bool::weighted(0.7)), 1..12)) {
        run(&steps);
    }
}
