//! When something goes wrong in a run: each time it is said, and nothing is lost.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::{mirrored, push};
use crate::cli::Roadstead;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::{Daemon, finish, wait_for};

fn world() -> (Roadstead, DockerRegistry) {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0", "1.1"].map(str::to_owned), "app\n");
    (roadstead, registry)
}

#[test]
fn a_file_that_is_broken_fails_loudly_and_the_last_good_one_is_not_used() {
    let (roadstead, registry) = world();
    let (file, told) = (roadstead.path("mirror.toml"), roadstead.path("told"));
    let hook = format!("[[hook]]\non = ['failed']\nrun = ['sh', '-c', 'cat >> \"$0\"', '{}']\n", told.display());
    let good = format!("[[rule]]\nimage = '{}/app'\ntags = ['#.#']\n{hook}", registry.host());
    std::fs::write(&file, &good).unwrap();
    roadstead.ok(&["rule", "use", &file.display().to_string()]);
    roadstead.ok(&["rule", "trust", "--yes"]);
    roadstead.ok(&["update", "--yes"]);
    push(&registry, "app", &["1.2".to_owned()], "new\n");
    std::fs::write(&file, good.replace("tags", "tgas")).unwrap();
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("line 3, column 1") && said.stderr.contains("tags"), "{said}");
    said.failure(2);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0", "1.1"]);
    assert!(std::fs::read_to_string(&told).unwrap().contains("line 3"), "who is to hear of failures hears of it");
}

#[test]
fn hooks_that_hang_fail_or_flood_are_never_the_reason_that_a_run_fails() {
    let (roadstead, registry) = world();
    let told = roadstead.path("told");
    let file = roadstead.path("mirror.toml");
    let hook = |words: &str| format!("[[hook]]\nrun = ['sh', '-c', '{words}']\n");
    let mut text = format!("[[rule]]\nimage = '{}/app'\ntags = ['#.#']\n", registry.host());
    text += &hook("exit 3");
    text += &hook("yes");
    let telling = "cat >> \"$0\"; echo >> \"$0\"";
    writeln!(text, "[[hook]]\nrun = ['sh', '-c', '{telling}', '{}']", told.display()).unwrap();
    text += "[[hook]]\npost = 'http://127.0.0.1:9/nobody'\n";
    std::fs::write(&file, text).unwrap();
    roadstead.ok(&["rule", "use", &file.display().to_string()]);
    roadstead.ok(&["rule", "trust", "--yes"]);
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("exit code 3"), "{said}");
    said.success();
    let lines = std::fs::read_to_string(&told).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains("\"event\":\"new\"")).count(), 2, "{lines}");
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0", "1.1"]);
}

#[test]
fn what_the_gate_refuses_stays_out_with_its_words() {
    let (roadstead, registry) = world();
    push(&registry, "app", &["1.2".to_owned()], "unwanted\n");
    let file = roadstead.path("mirror.toml");
    let gate = r#"gate = ['sh', '-c', 'grep -q "app:1.2" && { echo "not with us"; exit 1; }; exit 0']"#;
    std::fs::write(
        &file,
        format!("{gate}\n[[rule]]\nname = 'app'\nimage = '{}/app'\ntags = ['#.#']\n", registry.host()),
    )
    .unwrap();
    roadstead.ok(&["rule", "use", &file.display().to_string()]);
    roadstead.ok(&["rule", "trust", "--yes"]);
    let report = roadstead.json(&["update", "--yes"]);
    let gated = &super::part(&report, "app")["gated"];
    assert!(
        gated[0]["image"].as_str().unwrap().ends_with("app:1.2") && gated[0]["words"] == "not with us",
        "{report:#}"
    );
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0", "1.1"]);
}

#[test]
fn a_run_that_is_killed_is_finished_by_the_next_one() {
    for delay in [30, 80, 150, 300, 600] {
        let (roadstead, registry) = world();
        let file = roadstead.path("mirror.toml");
        let text = format!("[[rule]]\nimage = '{}/app'\ntags = ['#.#']\nnewest = 1\nleave = '0s'\n", registry.host());
        std::fs::write(&file, text).unwrap();
        roadstead.ok(&["rule", "use", &file.display().to_string()]);
        let mut running =
            roadstead.command(&["update", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::park_timeout(Duration::from_millis(delay));
        let _ = running.kill();
        running.wait().unwrap();
        roadstead.ok(&["update", "--yes"]);
        assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.1"]);
        // Whatever was cut, it belongs to the rule: it leaves like the rest.
        push(&registry, "app", &["1.2".to_owned()], "new\n");
        roadstead.ok(&["update", "--yes"]);
        assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.2"], "{delay} ms");
        roadstead.ok(&["verify"]);
    }
}

#[test]
fn two_runs_never_trip_over_each_other() {
    let (roadstead, registry) = world();
    roadstead.ok(&["rule", "add", &format!("{}/app:#.#", registry.host())]);
    let runs: Vec<_> = (0..4).map(|_| roadstead.command(&["update", "--yes"])).collect();
    let ended: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = runs.iter().map(|run| scope.spawn(|| finish(run))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for run in &ended {
        assert!([0, 9, 10].contains(&run.code), "{run}");
    }
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0", "1.1"]);
    roadstead.ok(&["verify"]);
}

#[test]
fn a_watch_goes_on_after_a_failure_and_ends_when_it_is_told() {
    let (roadstead, registry) = world();
    let file = roadstead.path("mirror.toml");
    let good = format!("[[rule]]\nimage = '{}/app'\ntags = ['#.#']\n", registry.host());
    std::fs::write(&file, "tags = nothing").unwrap();
    std::fs::write(&file, &good).unwrap();
    roadstead.ok(&["rule", "use", &file.display().to_string()]);
    std::fs::write(&file, "tags = nothing").unwrap();
    let watch = roadstead.command(&["watch", "--yes", "--listen", "127.0.0.1:0"]);
    let mut daemon = Daemon::start("roadstead-watch", &watch, &roadstead.path(""));
    let url = daemon.wait_for("its address", || {
        let log = std::fs::read_to_string(roadstead.path("roadstead-watch.log")).ok()?;
        let (_, after) = log.split_once("are at ")?;
        Some(after.split_once(".\n")?.0.to_owned())
    });
    let health = || crate::peers::web::try_get(&format!("{url}/healthz")).ok();
    daemon.wait_for("a run that failed", || health().filter(|answer| answer.status == 503));
    std::fs::write(&file, &good).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for("a run that went right", || health().filter(|answer| answer.status == 200));
    assert_eq!(mirrored(&roadstead, &registry, "app"), ["1.0", "1.1"]);
    let metrics = crate::peers::web::get(&format!("{url}/metrics")).text();
    assert!(
        metrics.contains("roadstead_rule_selected") && metrics.contains("roadstead_last_success_timestamp_seconds"),
        "{metrics}"
    );
    daemon.signal(Signal::TERM);
    let status = wait_for("its end", String::new, || daemon.ended());
    assert!(status.success(), "{status}");
}
