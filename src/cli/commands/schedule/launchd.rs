//! An agent of launchd (launchd.plist(5)).

use std::fmt::Write as _;
use std::path::Path;

use super::command::UpdateCommand;
use super::timing;
use super::units::{UnitFile, Units};
use crate::error::Result;
use crate::rules::Period;

/// What the agent is called.
const LABEL: &str = "roadstead.update";

/// The agent of the user whose home this is.
pub(super) fn units(command: &UpdateCommand, every: Period, home: Option<&Path>) -> Result<Units> {
    timing::at_least_a_minute(every)?;
    let mut arguments = String::new();
    for word in command.words() {
        // Writing to a String can't fail.
        let _ = writeln!(arguments, "\t\t<string>{}</string>", escaped(word));
    }
    // Else what it says goes nowhere.
    let log = home.and_then(|home| home.join("Library/Logs/roadstead.log").to_str().map(escaped));
    let log = log.map(|log| format!("\t<key>StandardErrorPath</key>\n\t<string>{log}</string>\n")).unwrap_or_default();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n\
         \t<key>Label</key>\n\t<string>{LABEL}</string>\n\
         \t<key>ProgramArguments</key>\n\t<array>\n{arguments}\t</array>\n\
         \t<key>StartInterval</key>\n\t<integer>{}</integer>\n\
         \t<key>ProcessType</key>\n\t<string>Background</string>\n\
         {log}</dict>\n</plist>\n",
        every.seconds()
    );
    let file = home.map(|home| home.join(format!("Library/LaunchAgents/{LABEL}.plist")));
    Ok(Units {
        files: vec![UnitFile { file, text }],
        commands: vec![format!("launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/{LABEL}.plist")],
        notes: vec![format!(
            "It goes to ~/Library/LaunchAgents/{LABEL}.plist; `launchctl bootout gui/$(id -u)/{LABEL}` ends it."
        )],
    })
}

/// Text between the tags of XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
