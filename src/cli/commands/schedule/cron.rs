//! A line of a crontab (crontab(5)).

use super::command::UpdateCommand;
use super::timing::{self, Regular};
use super::units::{UnitFile, Units};
use crate::error::Result;
use crate::rules::Period;

/// The line, and what it is for.
pub(super) fn units(command: &UpdateCommand, every: Period) -> Result<Units> {
    timing::at_least_a_minute(every)?;
    let regular = Regular::required(every, "cron can't run a command")?;
    let line = format!("{} {}\n", regular.cron(command.words()), command_line(command.words()));
    Ok(Units {
        files: vec![UnitFile {
            file: None,
            text: format!("# Brings the Roadstead registry up to date every {every}.\n{line}"),
        }],
        commands: Vec::new(),
        notes: vec![format!("Add it by `crontab -e`, or by `{}`.", added(command, every))],
    })
}

/// What adds the line that is printed now to a crontab.
pub(super) fn added(command: &UpdateCommand, every: Period) -> String {
    let again = shell_words::join(command.again(every));
    format!("(crontab -l; {again}) | crontab -")
}

/// The words for the shell; a percent sign would be a line feed for cron.
fn command_line(words: &[String]) -> String {
    shell_words::join(words).replace('%', "\\%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_line_is_added_with_what_it_was_printed_with() {
        let options = super::super::command::Options {
            data_dir: Some("/srv/my registry".into()),
            publish: true,
            ..super::super::command::Options::default()
        };
        let command = UpdateCommand::new(std::path::Path::new("/bin/roadstead"), options).unwrap();
        assert_eq!(
            added(&command, "1h".parse().unwrap()),
            "(crontab -l; roadstead --data-dir '/srv/my registry' schedule cron --every 1h --publish) | crontab -"
        );
        let plain =
            UpdateCommand::new(std::path::Path::new("/bin/roadstead"), super::super::command::Options::default())
                .unwrap();
        assert_eq!(added(&plain, "6h".parse().unwrap()), "(crontab -l; roadstead schedule cron) | crontab -");
    }

    proptest! {
        #[test]
        fn words_are_read_as_they_are(words in prop::collection::vec("[a-z \"'\\\\%$;#é{}]{0,8}", 1..4)) {
            let line = command_line(&words);
            // No percent sign without a backslash; cron takes that one away.
            prop_assert!(!line.replace("\\%", "").contains('%'));
            prop_assert_eq!(shell_words::split(&line.replace("\\%", "%")).unwrap(), words);
        }
    }
}
