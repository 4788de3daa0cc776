//! Buckets that do not behave: one that says 403 for what is missing, refuses `v2/`, has too much to do, is full, is listed by
//! strangers, ignores conditions, gets other bytes than were sent; an upload in parts that is cut; and how often a bucket is listed.

use super::{World, bent, forget_list, with_key};
use crate::images::Layout;
use crate::peers::between::{Asked, Then, refusal};
use crate::peers::nginx::Nginx;
use crate::peers::podman::Podman;
use crate::peers::skopeo::Skopeo;
use crate::peers::{Daemon, Directory, wait_for};

fn notes(report: &serde_json::Value) -> String {
    report["targets"][0]["notes"].to_string() + &report["targets"][0]["outcome"]["notes"].to_string()
}

#[test]
fn clients_pull_where_what_is_missing_is_forbidden() {
    let (world, between) = bent();
    between.rule(
        |asked| {
            if asked.is_anonymous() { Then::Instead(404, 403, refusal("AccessDenied")) } else { Then::Pass }
        },
    );
    let tested = world.run(&["target", "test", "bucket"]);
    assert!(tested.stdout.contains("what is not there is answered with 403"), "{tested}");
    world.mirror("greeting", "hello\n");
    world.run(&["publish", "--yes"]).success();
    let directory = Directory::new();
    let front = format!(
        "server {{ listen 127.0.0.1:8000; location / {{ proxy_pass {}/{}/; }} }}\n",
        between.url,
        crate::peers::versitygw::BUCKET
    );
    let front = Nginx::start(&directory.write("front.conf", front), &[("127.0.0.1:8000", "127.0.0.1:PORT")]);
    let image = world.image(&front.host(), "greeting");
    let podman = Podman::new();
    podman.pull(&image);
    assert_eq!(podman.run_in(&image, &["cat", "/etc/greeting"]), "hello\n");
    assert!(!Skopeo::new().files(&image, &["--src-tls-verify=false".to_owned()]).is_empty());

    // Who may not list can't publish for long, and is told what is needed.
    forget_list(&world.roadstead);
    between.rule(|asked| {
        if asked.target.contains("list-type=2") { Then::Answer(403, refusal("AccessDenied")) } else { Then::Pass }
    });
    let refused = world.run(&["publish", "--yes"]);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stderr.contains("does not allow it (AccessDenied)"), "{refused}");
    assert!(refused.stderr.contains("s3:ListBucket"), "{refused}");
}

#[test]
fn a_host_that_refuses_the_key_of_the_ping_gets_the_rest() {
    let (world, between) = bent();
    let is_ping = |asked: &Asked| asked.method == "PUT" && asked.path().ends_with("/v2/");
    between.rule(move |asked| if is_ping(asked) { Then::Answer(400, refusal("InvalidArgument")) } else { Then::Pass });
    let tested = world.run(&["target", "test", "bucket"]);
    assert!(tested.stdout.contains("Let a front answer `/v2/` with 200"), "{tested}");
    let root = world.mirror("greeting", "hello\n");
    let report = world.json(&["publish", "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["root"], root.as_str(), "{report}");
    assert!(notes(&report).contains("refuses the key `v2/`"), "{report}");
    let again = world.json(&["publish", "--dry-run"]);
    assert!(again["targets"][0]["objects"]["stored"].as_u64().unwrap() <= 1, "{again}");
}

#[test]
fn a_host_that_has_too_much_to_do_is_asked_again_and_not_for_ever() {
    let (world, between) = bent();
    world.mirror("greeting", "hello\n");
    let mut busy = 4;
    between.rule(move |asked| {
        if asked.method == "PUT" && busy > 0 {
            busy -= 1;
            return Then::Answer(503, refusal("SlowDown"));
        }
        Then::Pass
    });
    world.run(&["publish", "--yes"]).success();
    world.mirror("greeting", "again\n");
    between.rule(|asked| match asked.method.as_str() {
        "PUT" => Then::Answer(503, refusal("SlowDown")),
        _ => Then::Pass,
    });
    let said = world.run(&["publish", "--yes"]).failure(7);
    assert!(said.contains("too much to do") && said.contains("goes on from here"), "{said}");
    between.rule(|_| Then::Pass);
    world.run(&["publish", "--yes"]).success();
    world.run(&["target", "verify", "bucket"]).success();
}

#[test]
fn a_host_that_is_full_keeps_what_it_has_and_the_next_run_goes_on() {
    let (world, between) = bent();
    world.mirror("greeting", "hello\n");
    // The record, and some objects of the first stage.
    let mut room = 4;
    between.rule(move |asked| {
        if asked.method != "PUT" {
            return Then::Pass;
        }
        if room == 0 {
            return Then::Answer(507, refusal("XMinioStorageFull"));
        }
        room -= 1;
        Then::Pass
    });
    let said = world.run(&["publish", "--yes"]).failure(7);
    assert!(said.contains("s3://registry is full"), "{said}");
    assert!(said.contains("What was stored stays"), "{said}");
    between.rule(|_| Then::Pass);
    let report = world.json(&["publish", "--yes"]);
    let objects = &report["targets"][0]["objects"];
    assert!(objects["stored"].as_u64().unwrap() < objects["total"].as_u64().unwrap(), "{report}");
    assert_eq!(report["targets"][0]["continues"], true, "{report}");
    world.run(&["target", "verify", "bucket"]).success();
}

#[test]
fn a_bucket_that_strangers_can_list_is_said() {
    let world = World::new();
    world.bucket.let_everyone_list();
    let tested = world.run(&["target", "test", "bucket"]);
    assert!(tested.stdout.contains("everyone can read this bucket, and list it"), "{tested}");
    world.mirror("greeting", "hello\n");
    let report = world.json(&["publish", "--yes"]);
    assert!(notes(&report).contains("Everyone can list this bucket"), "{report}");
}

#[test]
fn an_upload_in_parts_that_is_cut_goes_on_with_the_parts_that_are_whole() {
    let (world, between) = bent();
    world.registry.push(&Layout::random(&[80 << 20], 7), "1", "large");
    world.roadstead.add(&format!("{}/large:1", world.registry.host()));
    let number = |asked: &Asked| {
        let mut words = asked.target.split(['?', '&']);
        words.find_map(|word| word.strip_prefix("partNumber=")?.parse::<u32>().ok())
    };
    // Two parts arrive, the others hang.
    between.rule(move |asked| if number(asked).is_some_and(|number| number > 2) { Then::Hold } else { Then::Pass });
    let logs = Directory::new();
    let mut running = Daemon::start("publish", &with_key(&world.roadstead, &["publish", "--yes"]), logs.path());
    running.wait_for("two parts", || (between.answered(|asked| number(asked).is_some()) == 2).then_some(()));
    running.signal(rustix::process::Signal::KILL);
    wait_for("its end", String::new, || running.ended().map(drop));

    between.rule(|_| Then::Pass);
    between.take_answered();
    let report = world.json(&["publish", "--yes"]);
    assert!(report["failed"].as_array().unwrap().is_empty(), "{report}");
    let sent: Vec<u32> = between.take_answered().iter().filter_map(number).collect();
    assert!(sent.len() >= 3 && sent.iter().all(|number| *number > 2), "{sent:?}");
    let verified = world.json(&["target", "verify", "bucket"]);
    assert_eq!((&verified["missing"], &verified["damaged"]), (&0.into(), &0.into()), "{verified}");
    assert!(report["targets"][0]["outcome"]["sent"].as_u64().unwrap() < 60 << 20, "{report}");
}

#[test]
fn a_host_that_ignores_conditions_is_said_and_listed_every_time() {
    let (world, between) = bent();
    // What is there does not stop it from being stored again.
    let data = world.bucket.file("");
    between.rule(move |asked| {
        if asked.method == "PUT" && asked.if_none_match == "*" {
            let key = asked.path().trim_start_matches("/registry/").replace("%3A", ":");
            let _ = std::fs::remove_file(data.join(key));
        }
        Then::Pass
    });
    let root = world.mirror("greeting", "hello\n");
    let report = world.json(&["publish", "--yes"]);
    assert_eq!(report["targets"][0]["outcome"]["root"], root.as_str(), "{report}");
    assert!(notes(&report).contains("does not keep to conditions"), "{report}");
    between.take_answered();
    world.mirror("greeting", "again\n");
    world.json(&["publish", "--yes"]);
    assert!(between.answered(is_list) > 0, "conditions notice nothing there: {:?}", between.take_answered());
    world.run(&["target", "verify", "bucket"]).success();
}

#[test]
fn bytes_that_change_on_the_way_are_refused_by_their_checksum() {
    let (world, between) = bent();
    world.mirror("greeting", "hello\n");
    between.rule(|asked| if asked.target.contains("/blobs/") { Then::Damage } else { Then::Pass });
    let said = world.run(&["publish", "--yes"]).failure(8);
    assert!(said.contains("the bytes that arrived are others than those that were sent"), "{said}");
    let blobs = world.bucket.file(&format!("v2/{}/greeting/blobs", world.registry.published()));
    assert_eq!(std::fs::read_dir(blobs).map_or(0, Iterator::count), 0, "nothing of it is stored");
    between.rule(|_| Then::Pass);
    world.run(&["publish", "--yes"]).success();
    world.run(&["target", "verify", "bucket"]).success();
}

fn is_list(asked: &Asked) -> bool {
    asked.method == "GET" && asked.target.contains("list-type=2")
}

#[test]
fn while_the_record_is_the_same_a_bucket_is_listed_once_a_day_and_what_is_lost_is_missed() {
    let (world, between) = bent();
    world.mirror("greeting", "hello\n");
    world.run(&["publish", "--yes"]).success();
    between.take_answered();
    let root = world.mirror("greeting", "again\n");
    let report = world.json(&["publish", "--yes"]);
    let asked = between.take_answered();
    let record: Vec<&str> = asked
        .iter()
        .filter(|asked| asked.path().ends_with("/roadstead.json"))
        .map(|asked| asked.method.as_str())
        .collect();
    assert_eq!(record, ["GET", "PUT", "PUT"], "{asked:?}");
    let stored = report["targets"][0]["objects"]["stored"].as_u64().unwrap();
    assert_eq!(asked.len() as u64, stored + 3, "nothing but what is stored, and the record: {asked:?}");

    // A stranger deletes a blob: it is missed when everything is read, or listed.
    let lose = || {
        let blobs = world.bucket.file(&format!("v2/{}/greeting/blobs", world.registry.published()));
        let needed = world.roadstead.json(&["show", &format!("{}/greeting:1", world.registry.host())]).to_string();
        let mut found = std::fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path());
        let lost = found.find(|path| needed.contains(path.file_name().unwrap().to_str().unwrap())).unwrap();
        std::fs::remove_file(&lost).unwrap();
        lost
    };
    let lost = lose();
    assert_eq!(world.json(&["publish", "--yes"])["targets"][0]["done"], true);
    let said = world.run(&["target", "verify", "bucket"]).failure(8);
    assert!(said.contains("lacks 1") && said.contains("stores what is missing"), "{said}");
    let report = world.json(&["publish", "--yes"]);
    assert!(
        notes(&report).contains("1 object that was stored is there no longer or not whole: stored again"),
        "{report}"
    );
    assert!(lost.exists());
    assert_eq!(report["targets"][0]["outcome"]["root"], root.as_str(), "{report}");

    let lost = lose();
    forget_list(&world.roadstead);
    let report = world.json(&["publish", "--yes"]);
    assert!(notes(&report).contains("stored again"), "{report}");
    assert!(lost.exists());

    // So is a tag that a stranger moved; what is theirs stays until it is replaced by force.
    let tag = format!("/v2/{}/greeting/manifests/1", world.registry.published());
    world.bucket.ask(&["-X", "PUT", "--data-binary", "{}"], &tag).success();
    forget_list(&world.roadstead);
    let said = world.run(&["publish", "--yes"]).failure(10);
    assert!(said.contains("1 object not from here in the way") && said.contains("--force"), "{said}");
    world.run(&["publish", "--yes", "--force"]).success();
    world.run(&["target", "verify", "bucket"]).success();
}
