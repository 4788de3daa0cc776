//! A service and a timer of systemd (systemd.service(5), systemd.timer(5)).

use std::path::Path;

use super::command::UpdateCommand;
use super::timing::{self, Regular};
use super::units::{UnitFile, Units};
use crate::cli::quoting::systemd_command_line;
use crate::error::Result;
use crate::rules::Period;

/// What both units are called.
const NAME: &str = "roadstead-update";
/// How long a run waits by chance at most, in seconds, so that not everybody asks registries at the same moment.
const MAX_DELAY_SECONDS: u64 = 30 * 60;
/// Which part of the period that is at most.
const DELAY_PART: u64 = 12;

/// The units, in this directory.
pub(super) fn units(command: &UpdateCommand, every: Period, directory: Option<&Path>) -> Result<Units> {
    timing::at_least_a_minute(every)?;
    let service = format!(
        "[Unit]\nDescription=Bring the Roadstead registry up to date\n\n\
         [Service]\nType=oneshot\nSuccessExitStatus=3\nExecStart={}\n",
        systemd_command_line(&startable(command.words()))
    );
    let delay = (every.seconds() / DELAY_PART).min(MAX_DELAY_SECONDS);
    let timer = format!(
        "[Unit]\nDescription=Bring the Roadstead registry up to date every {every}\n\n\
         [Timer]\n{}RandomizedDelaySec={}\nFixedRandomDelay=true\n{}\n\
         [Install]\nWantedBy=timers.target\n",
        when(every),
        span(delay),
        // It goes with the calendar alone.
        if Regular::of(every).is_some() { "Persistent=true\n" } else { "" }
    );
    let file =
        |kind: &str, text| UnitFile { file: directory.map(|directory| directory.join(format!("{NAME}.{kind}"))), text };
    Ok(Units {
        files: vec![file("service", service), file("timer", timer)],
        commands: vec![
            "systemctl --user daemon-reload".to_owned(),
            format!("systemctl --user enable --now {NAME}.timer"),
            "loginctl enable-linger    # so that it runs while nobody is logged in".to_owned(),
        ],
        notes: vec![format!(
            "`systemctl --user list-timers` shows when it runs; `journalctl --user -u {NAME}` what it said."
        )],
    })
}

/// When it runs: by the calendar, or where no calendar has the period, so long after it ran last.
fn when(every: Period) -> String {
    match Regular::of(every) {
        Some(Regular::Minutes(count)) => format!("OnCalendar=*-*-* *:00/{count}:00\n"),
        Some(Regular::Hours(count)) => format!("OnCalendar=*-*-* 00/{count}:00:00\n"),
        Some(Regular::Daily) => "OnCalendar=*-*-* 00:00:00\n".to_owned(),
        Some(Regular::Weekly) => "OnCalendar=Mon *-*-* 00:00:00\n".to_owned(),
        None => format!("OnActiveSec=1min\nOnUnitActiveSec={}\n", span(every.seconds())),
    }
}

/// `30min`, `90s` (systemd.time(7)).
fn span(seconds: u64) -> String {
    if seconds > 0 && seconds.is_multiple_of(60) { format!("{}min", seconds / 60) } else { format!("{seconds}s") }
}

/// The words with a program that systemd starts: it takes none with a quote or a backslash in its path.
fn startable(words: &[String]) -> Vec<String> {
    let is_refused = words.first().is_some_and(|program| program.contains(['"', '\'', '\\']));
    let shell = ["/bin/sh", "-c", "exec \"$0\" \"$@\""].into_iter().filter(|_| is_refused);
    shell.map(str::to_owned).chain(words.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_systemd_does_not_take_is_started_by_a_shell() {
        let of = |program: &str| startable(&[program, "update"].map(str::to_owned));
        assert_eq!(of("/opt/b b/roadstead"), ["/opt/b b/roadstead", "update"]);
        for program in ["/opt/it's/roadstead", "/opt/\"x\"/roadstead", "/opt/a\\b/roadstead"] {
            let words = of(program);
            assert_eq!(words[..3], ["/bin/sh", "-c", "exec \"$0\" \"$@\""]);
            assert_eq!(words[3..], [program, "update"]);
            let line = systemd_command_line(&words);
            assert_eq!(shell_words::split(line.strip_prefix(':').unwrap()).unwrap(), words);
        }
    }

    #[test]
    fn periods_are_said_by_the_calendar_or_by_the_last_run() {
        for (every, says, delay) in [
            (
                "6h",
                "OnCalendar=*-*-* 00/6:00:00\nRandomizedDelaySec=30min\nFixedRandomDelay=true\nPersistent=true\n",
                1800,
            ),
            ("15m", "OnCalendar=*-*-* *:00/15:00\nRandomizedDelaySec=75s\n", 75),
            ("1d", "OnCalendar=*-*-* 00:00:00\nRandomizedDelaySec=30min\n", 1800),
            ("7d", "OnCalendar=Mon *-*-* 00:00:00\n", 1800),
            (
                "7h",
                "OnActiveSec=1min\nOnUnitActiveSec=420min\nRandomizedDelaySec=30min\nFixedRandomDelay=true\n\n",
                1800,
            ),
        ] {
            let command =
                UpdateCommand::new(Path::new("/bin/roadstead"), super::super::command::Options::default()).unwrap();
            let timer = units(&command, every.parse().unwrap(), None).unwrap().files.remove(1).text;
            assert!(timer.contains(says), "{every}: {timer}");
            assert!(timer.contains(&format!("RandomizedDelaySec={}\n", span(delay))), "{every}: {timer}");
        }
    }
}
