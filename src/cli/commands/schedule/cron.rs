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
        notes: vec!["Add it by `crontab -e`, or by `(crontab -l; roadstead schedule cron) | crontab -`.".to_owned()],
    })
}

/// The words for the shell; a percent sign would be a line feed for cron.
fn command_line(words: &[String]) -> String {
    shell_words::join(words).replace('%', "\\%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
