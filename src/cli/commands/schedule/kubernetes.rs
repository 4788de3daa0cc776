//! A CronJob of Kubernetes (batch/v1).

use std::fmt::Write as _;
use std::path::Path;

use super::command::UpdateCommand;
use super::timing::{self, Regular};
use super::units::{UnitFile, Units};
use crate::cli::quoting::yaml_string;
use crate::error::Result;
use crate::rules::Period;

/// The manifest.
pub(super) fn units(command: &UpdateCommand, every: Period) -> Result<Units> {
    timing::at_least_a_minute(every)?;
    let regular = Regular::required(every, "a CronJob can't run")?;
    let mut words = String::new();
    for word in command.words() {
        // `$(NAME)` would be a variable. Writing to a String can't fail.
        let _ = writeln!(words, "                - {}", yaml_string(&word.replace('$', "$$")));
    }
    let (mut mounts, mut volumes) = (String::new(), String::new());
    if let Some(directory) = command.data_dir() {
        let _ =
            writeln!(mounts, "                - name: data\n                  mountPath: {}", yaml_string(directory));
        volumes.push_str(
            "            - name: data\n              persistentVolumeClaim:\n                claimName: roadstead\n",
        );
    }
    if let Some(file) = command.config() {
        let name = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or("config.toml");
        let _ = writeln!(
            mounts,
            "                - name: config\n                  mountPath: {}\n                  subPath: {}\n                  readOnly: true",
            yaml_string(file),
            yaml_string(name)
        );
        volumes.push_str("            - name: config\n              configMap:\n                name: roadstead\n");
    }
    let schedule = yaml_string(&regular.cron(command.words()));
    let text = format!(
        "# Brings the Roadstead registry up to date every {every}.\n\
apiVersion: batch/v1
kind: CronJob
metadata:
  name: roadstead-update
  labels:
    app.kubernetes.io/name: roadstead
spec:
  schedule: {schedule}
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 1
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: roadstead
              image: roadstead
              command:
{words}              volumeMounts:
{mounts}          volumes:
{volumes}"
    );
    let mut notes = vec![
        "Set `image` to one that has this program.".to_owned(),
        "The volume claim `roadstead` holds the data directory.".to_owned(),
    ];
    if command.config().is_some() {
        notes.push("The ConfigMap `roadstead` holds the configuration file under its name.".to_owned());
    }
    Ok(Units { files: vec![UnitFile { file: None, text }], commands: Vec::new(), notes })
}
