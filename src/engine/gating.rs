//! The gate of the rules: a program that is asked before an image enters, whoever asked for the image.

use std::path::Path;

use super::Engine;
use super::plan::{Change, PlannedImage};
use crate::error::{Error, Kind, Result};
use crate::hooks::program::Limits;
use crate::hooks::{Asked, Gate, Verdict};
use crate::rules::Rules;

/// The gate that these rules name, which runs in this directory.
pub(super) fn gate_of(rules: &Rules, base: &Path) -> Option<Gate> {
    (!rules.gate.is_empty()).then(|| Gate {
        words: rules.gate.clone(),
        // Without a directory it runs where this process does.
        directory: Some(base.to_owned()).filter(|base| !base.as_os_str().is_empty()),
        limits: Limits::HOOK,
    })
}

/// Asks the gate about an image; its words, if it keeps the image out. What only gets more platforms was asked about when it came.
pub(super) async fn refusal(gate: &Gate, image: &PlannedImage) -> Option<String> {
    if !matches!(image.change, Change::Added | Change::Moved { .. }) {
        return None;
    }
    let top = image.manifests.iter().find(|manifest| manifest.digest == image.digest)?;
    let asked = Asked {
        image: &image.request,
        digest: image.digest,
        media_type: &top.manifest.media_type,
        manifest: &top.bytes,
    };
    match gate.ask(asked).await {
        Verdict::Taken => None,
        Verdict::Refused(words) => Some(words),
    }
}

/// Lets an image in that no rule asked for, or fails with the gate's words.
pub(super) async fn admit(gate: Option<&Gate>, image: &PlannedImage) -> Result<()> {
    let Some(gate) = gate else { return Ok(()) };
    match refusal(gate, image).await {
        None => Ok(()),
        Some(words) => {
            Err(Error::new(Kind::Verification, format!("{} is kept out by the gate: {words}", image.request)))
        }
    }
}

impl Engine {
    /// The gate of the rules that are in force. Where these can't be read, nobody can say that there is none.
    pub(super) fn gate(&self) -> Result<Option<Gate>> {
        if !self.has_rules()? {
            return Ok(None);
        }
        let in_force = self.rules()?;
        let gate = gate_of(&in_force.rules, &in_force.base());
        if gate.is_some() {
            in_force.check_trust_of_gate()?;
        }
        Ok(gate)
    }
}
