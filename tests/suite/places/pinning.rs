//! A pinning service as a target, played by a cluster's own: it fetches from this program's node in the swarm, is told where that is,
//! and keeps the former root until it has the new one.

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::cluster::Cluster;
use crate::peers::docker_registry::DockerRegistry;

#[test]
fn a_service_fetches_what_this_program_gives_out() {
    let (registry, roadstead, cluster) = (DockerRegistry::plain(), Roadstead::new(), Cluster::start());
    let mirror = |words: &str| {
        registry.push(&Layout::saying(words), "1", "greeting");
        roadstead.add(&format!("{}/greeting:1", registry.host()));
        roadstead.root()
    };
    let first = mirror("the first\n");
    let (url, gateway) = (cluster.first.pinning_url(), cluster.second.kubo.gateway_url.clone());
    roadstead.ok(&["target", "add", "service", "--pinning", &format!("{url}/pins"), "--keep", "1"]);
    let tested = roadstead.ok(&["target", "test", "service"]);
    for word in ["see pins", "pin ", "unpin", "serve --ipfs"] {
        assert!(tested.contains(word), "{word}: {tested}");
    }
    // Nobody gives it out: that is said before anything is asked for.
    let planned = roadstead.run(&["publish", "--dry-run"]).to_string();
    assert!(planned.contains("takes no blocks") && planned.contains("serve --ipfs"), "{planned}");

    roadstead.ok(&["target", "add", "here", "--self"]);
    let _serving =
        roadstead.serve_with(&["--ipfs", "--swarm", "/ip4/127.0.0.1/tcp/0", "--swarm-peer", &peer(&cluster)]);
    let report = roadstead.json(&["publish", "--yes"]);
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    for peer in [&cluster.first, &cluster.second] {
        peer.wait_until_pinned(&first, true);
    }
    let shown = roadstead.ok(&["target", "show", "service"]);
    assert!(shown.contains("unverified"), "{shown}");
    let verified = roadstead.json(&["target", "verify", "service", "--gateway", &gateway]);
    assert!(verified["blocks"].as_u64().unwrap() > 3 && verified["missing"] == 0, "{verified}");

    let second = mirror("the second\n");
    let report = roadstead.json(&["publish", "--yes"]);
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    for peer in [&cluster.first, &cluster.second] {
        peer.wait_until_pinned(&second, true);
        peer.wait_until_pinned(&first, false);
    }
    let again = roadstead.json(&["publish", "--yes"]);
    assert!(again["targets"].as_array().unwrap().iter().all(|target| target["done"] == true), "{again}");
    let report = roadstead.json(&["rollback", &first, "--yes"]);
    assert!(report["targets"].as_array().unwrap().iter().all(|at| at["outcome"]["root"] == first.as_str()), "{report}");
    cluster.first.wait_until_pinned(&first, true);

    // The same cluster by its other API keeps more: what it keeps, the service does not unpin.
    roadstead.ok(&["target", "add", "cluster", "--cluster", &cluster.first.rest_url(), "--keep", "3"]);
    let third = mirror("the third\n");
    roadstead.ok(&["publish", "--yes"]);
    let fourth = mirror("the fourth\n");
    let planned = roadstead.run(&["publish", "--dry-run"]).to_string();
    assert!(planned.contains("the same place as the target `cluster`"), "{planned}");
    assert!(planned.contains("asks it to pin") && planned.contains("fetches the blocks itself"), "{planned}");
    let report = roadstead.json(&["publish", "--yes"]);
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    for root in [&third, &fourth] {
        cluster.first.wait_until_pinned(root, true);
    }
}

/// A member of the swarm that the program's own node may begin with: the node behind the first peer.
pub(super) fn peer(cluster: &Cluster) -> String {
    let id: serde_json::Value =
        serde_json::from_str(&cluster.first.kubo.repository().run(&["id"]).success()).expect("JSON");
    let mut addresses = id["Addresses"].as_array().expect("addresses").iter().filter_map(serde_json::Value::as_str);
    addresses.find(|address| address.contains("/tcp/")).expect("it listens").to_owned()
}
