//! The units of `schedule`, as systemd itself and a shell take them.

use std::path::Path;

use crate::cli::Roadstead;
use crate::peers::{Finished, command, finish, program};

/// The path of a directory whose name means something to systemd, shells and cron.
const AWKWARD: &str = "50% of $HOME a \"b\" 'c' \\d;";

/// What `systemd-analyze verify` says of these units.
fn verified(roadstead: &Roadstead, units: &[&Path]) -> Finished {
    let mut verify = command(program("systemd-analyze"), &roadstead.path(""));
    verify.args(["verify", "--man=no"]).args(units);
    finish(&verify)
}

#[test]
fn systemd_takes_the_units_as_they_are() {
    for (more, every) in [(&[][..], "6h"), (&["--publish"], "1d"), (&[], "15m"), (&[], "7d"), (&[], "7h"), (&[], "90s")]
    {
        for data_directory in ["registry", AWKWARD] {
            let roadstead = Roadstead::new();
            let arguments = [&["schedule", "systemd", "--write", "--every", every], more].concat();
            finish(&roadstead.command_on(&roadstead.path(data_directory), &arguments)).success();
            let [service, timer] = ["service", "timer"]
                .map(|kind| roadstead.path(&format!("config/systemd/user/roadstead-update.{kind}")));
            let said = verified(&roadstead, &[&service, &timer]);
            let about_ours = said.stderr.lines().filter(|line| line.contains("roadstead")).count();
            assert!(said.code == 0 && about_ours == 0, "{every}: {said}");
        }
    }
}

/// A program whose own path has quotes in it, which systemd starts by no means.
#[test]
fn systemd_starts_a_program_of_any_path() {
    let roadstead = Roadstead::new();
    for directory in ["it's", "the \"best\"", "a\\b"] {
        let place = roadstead.path(directory);
        std::fs::create_dir_all(&place).unwrap();
        let program = place.join("roadstead");
        if std::fs::hard_link(env!("CARGO_BIN_EXE_roadstead"), &program).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_roadstead"), &program).unwrap();
        }
        let mut schedule = command(&program, &roadstead.path(""));
        schedule.env("XDG_CONFIG_HOME", roadstead.path("config"));
        schedule.args(["schedule", "systemd", "--write"]);
        let said = finish(&schedule);
        assert_eq!(said.code, 0, "{said}");
        let service = roadstead.path("config/systemd/user/roadstead-update.service");
        let said = verified(&roadstead, &[&service]);
        let about_ours = said.stderr.lines().filter(|line| line.contains("roadstead")).count();
        assert!(said.code == 0 && about_ours == 0, "{directory}: {said}");
        std::fs::remove_file(service).unwrap();
    }
}

/// Else the test above would see nothing.
#[test]
fn systemd_refuses_units_that_are_wrong() {
    let roadstead = Roadstead::new();
    roadstead.ok(&["schedule", "systemd", "--write"]);
    let at = |kind: &str| roadstead.path(&format!("config/systemd/user/roadstead-update.{kind}"));
    for (kind, right, wrong) in [
        ("timer", "OnCalendar=*-*-* 00/6:00:00", "OnCalendar=*-*-* 00/6:61:00"),
        ("timer", "FixedRandomDelay", "FixedRandomDelays"),
        ("service", "Type=oneshot", "Type=once"),
        ("service", "ExecStart=/", "ExecStart=/%"),
    ] {
        let text = std::fs::read_to_string(at(kind)).expect("a unit");
        let broken = text.replace(right, wrong);
        assert_ne!(text, broken, "{right}");
        std::fs::write(at(kind), broken).expect("a unit");
        let said = verified(&roadstead, &[&at("service"), &at("timer")]);
        assert!(said.stderr.contains("roadstead-update"), "{wrong}: {said}");
        std::fs::write(at(kind), text).expect("a unit");
    }
}

#[test]
fn a_unit_that_somebody_edited_is_left_alone() {
    let roadstead = Roadstead::new();
    let file = roadstead.path("config/systemd/user/roadstead-update.timer");
    let write = ["schedule", "systemd", "--write"];
    assert!(roadstead.run(&write).stderr.contains("wrote "));
    assert!(roadstead.run(&write).stderr.contains("unchanged "));
    assert!(roadstead.run(&[&write[..], &["--every", "1d"]].concat()).stderr.contains("replaced "));
    let edited = std::fs::read_to_string(&file).expect("the timer").replace("30min", "1min");
    std::fs::write(&file, &edited).expect("the timer");
    let said = roadstead.run(&write).failure(2);
    assert!(said.contains("roadstead-update.timer was written or edited by somebody else"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).expect("the timer"), edited);
    roadstead.run(&["--read-only", "schedule", "systemd", "--write"]).failure(2);
    for format in ["cron", "kubernetes"] {
        roadstead.run(&["schedule", format, "--write"]).failure(2);
    }
    roadstead.ok(&["schedule", "launchd", "--write"]);
    assert!(roadstead.path("Library/LaunchAgents/roadstead.update.plist").is_file());
}

/// The line does what it says where cron runs it: from another directory, with another environment.
#[test]
fn a_shell_runs_the_line_of_cron() {
    let roadstead = Roadstead::new();
    let data_directory = roadstead.path(AWKWARD);
    finish(&roadstead.command_on(&data_directory, &["root", "--profile", "unixfs-v1-2025"])).success();
    let printed = finish(&roadstead.command_on(&data_directory, &["schedule", "cron"])).success();
    let line = printed.lines().last().expect("a line");
    // Cron takes the backslash from a percent sign, and ends the command at one without it.
    let (_, words) = line.split_once(" * * * ").expect("five fields");
    assert!(!words.replace("\\%", "").contains('%'), "{words}");
    let mut shell = command("/bin/sh", Path::new("/"));
    shell.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent");
    shell.args(["-c", &words.replace("\\%", "%")]);
    let said = finish(&shell);
    assert_eq!(said.code, 0, "{said}");
}

#[test]
fn the_document_has_the_units() {
    let roadstead = Roadstead::new();
    let document = roadstead.json(&["schedule", "kubernetes", "--every", "24h"]);
    assert_eq!((&document["format"], &document["every"]), (&"kubernetes".into(), &"1d".into()), "{document}");
    assert!(document["files"][0]["text"].as_str().is_some_and(|text| text.contains("kind: CronJob")), "{document}");
    assert!(document.get("written").is_none(), "{document}");
    let document = roadstead.json(&["schedule", "systemd", "--write"]);
    assert_eq!(document["written"][1]["outcome"], "written", "{document}");
    let refused = roadstead.run(&["schedule", "cron", "--every", "7h"]).failure(2);
    assert!(refused.contains("every 7h") && refused.contains("`--every 6h` is the nearest"), "{refused}");
}
