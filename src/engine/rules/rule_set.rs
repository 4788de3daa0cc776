//! Which rules are in force: those of the catalog, or of a file that is read at every run.
//!
//! Whoever changes them does so inside of a write transaction of the catalog, so that of two who edit at once the second one
//! edits what the first one made of them.

use std::path::{Path, PathBuf};

use super::trust::Allowance;
use crate::catalog::rule_set::{self, RuleSet};
use crate::engine::Engine;
use crate::error::{Context as _, Error, Kind, Result};
use crate::input;
use crate::rules::{self, MAX_RULE_FILE_BYTES, Permission, Rule, RuleFault, Rules, Source, Subject};
use crate::text::printable_within;

/// Faults of a rule file that are shown.
const MAX_SHOWN_FAULTS: usize = 10;

/// The rules, their text, and where it lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesInForce {
    /// What the text says.
    pub rules: Rules,
    /// TOML.
    pub text: String,
    /// The file that is the truth. None: the catalog has the text.
    pub file: Option<PathBuf>,
    /// Fingerprints of what was allowed, one behind the other.
    pub(super) trusted: Option<Vec<u8>>,
}

impl RulesInForce {
    /// Reads rules that are not in force yet.
    pub fn read(text: String, file: Option<PathBuf>) -> Result<Self> {
        let rules = rules::read(&text).map_err(|faults| refusal(&faults, file.as_deref()))?;
        Ok(Self { rules, text, file, trusted: None })
    }

    /// The rules of this row, as they are now.
    fn of(row: Option<RuleSet>) -> Result<Self> {
        let Some(RuleSet { text, file, trusted }) = row else { return Ok(Self::default()) };
        let text = match &file {
            Some(file) => read_file(file)?,
            None => text,
        };
        Ok(Self { trusted, ..Self::read(text, file)? })
    }

    fn row(&self) -> RuleSet {
        let Self { text, file, trusted, .. } = self.clone();
        RuleSet { text, file, trusted }
    }

    /// Where relative paths of sources begin: beside the file. Those of the catalog are absolute.
    pub fn base(&self) -> PathBuf {
        let beside = self.file.as_ref().and_then(|file| file.parent());
        beside.map_or_else(|| PathBuf::from("/"), Path::to_owned)
    }

    /// The same for the catalog: with absolute paths, and with what was allowed.
    fn without_file(&self) -> Result<Self> {
        let base = self.base();
        check_absolute(&self.rules.permissions(&base), &base)?;
        let mut text = self.text.clone();
        for rule in &self.rules.rules {
            let Subject::Sources(sources) = &rule.subject else { continue };
            let sources: Vec<Source> =
                sources.iter().cloned().map(|source| placed(source, &base)).collect::<Result<_>>()?;
            let subject = Subject::Sources(sources);
            if subject != rule.subject {
                text = rules::replace_rule(&text, rule.name.as_str(), &Rule { subject, ..rule.clone() })?;
            }
        }
        let allowed: Vec<Permission> =
            self.allowances().into_iter().filter(|known| self.allows(known)).map(|known| known.permission).collect();
        let mut without = Self::read(text, None)?;
        let kept: Vec<Allowance> =
            without.allowances().into_iter().filter(|needed| allowed.contains(&needed.permission)).collect();
        without.allow(&kept);
        Ok(without)
    }
}

impl Engine {
    /// The rules that are in force now. A file that can't be read is an error: what it said before is not used instead.
    pub fn rules(&self) -> Result<RulesInForce> {
        let known = rule_set::load(&*self.catalog.read()?)?;
        let in_force = RulesInForce::of(known.clone())?;
        if let Some(known) = known {
            self.remember(&known, &in_force)?;
        }
        Ok(in_force)
    }

    /// The rules as the catalog remembers them, for those who are to hear that a file is broken. Who of them is allowed to is not
    /// said by that.
    pub fn rules_read_last(&self) -> Result<Option<RulesInForce>> {
        let Some(RuleSet { text, file, trusted }) = rule_set::load(&*self.catalog.read()?)? else { return Ok(None) };
        Ok(Some(RulesInForce { trusted, ..RulesInForce::read(text, file)? }))
    }

    /// Remembers the rules of a file as they are now. Not those that do what nobody has allowed: then nobody could be told.
    fn remember(&self, known: &RuleSet, in_force: &RulesInForce) -> Result<()> {
        if self.catalog.is_read_only() || known.text == in_force.text || !in_force.untrusted().is_empty() {
            return Ok(());
        }
        self.catalog.write(|writer| match rule_set::load(writer)? {
            Some(now) if now == *known => rule_set::save(writer, &in_force.row()),
            // Somebody else remembered something newer meanwhile.
            _ => Ok(()),
        })
    }

    /// Whether there are rules, without reading them.
    pub fn has_rules(&self) -> Result<bool> {
        Ok(rule_set::load(&*self.catalog.read()?)?.is_some_and(|set| set.file.is_some() || !set.text.trim().is_empty()))
    }

    /// Makes a file the truth, or the catalog with what the file says now. What another file was allowed, this one is not.
    pub fn use_rule_file(&self, file: Option<&Path>) -> Result<RulesInForce> {
        let file = file.map(absolute).transpose()?;
        self.catalog.write(|writer| {
            let row = rule_set::load(writer)?;
            let in_force = match &file {
                Some(file) => {
                    let trusted = row.filter(|row| row.file.as_ref() == Some(file)).and_then(|row| row.trusted);
                    RulesInForce { trusted, ..RulesInForce::read(read_file(file)?, Some(file.clone()))? }
                }
                None => {
                    let before = RulesInForce::of(row)?;
                    if before.file.is_some() { before.without_file()? } else { before }
                }
            };
            rule_set::save(writer, &in_force.row())?;
            Ok(in_force)
        })
    }

    /// Changes the text of the rules, where it lies, and gives back what it was before. Nobody else changes it meanwhile. Whoever
    /// typed what comes has `seen` it.
    pub fn edit_rules<T>(
        &self,
        seen: bool,
        change: impl FnOnce(&RulesInForce) -> Result<(T, String)>,
    ) -> Result<(T, RulesInForce)> {
        self.catalog.write(|writer| {
            let row = rule_set::load(writer)?;
            let remembered = row.as_ref().map(|row| row.text.clone()).unwrap_or_default();
            let before = RulesInForce::of(row)?;
            let (value, text) = change(&before)?;
            let mut changed =
                RulesInForce { trusted: before.trusted.clone(), ..RulesInForce::read(text, before.file.clone())? };
            let known = before.allowances();
            let mut comes = changed.allowances();
            comes.retain(|needed| seen && known.iter().all(|known| known.permission != needed.permission));
            changed.allow(&comes);
            let mut row = changed.row();
            if let Some(file) = &changed.file {
                input::replace(file, &changed.text)
                    .context(|| format!("the rule file {} can't be written", shown(file)))?;
                if !changed.untrusted().is_empty() {
                    row.text = remembered;
                }
            }
            rule_set::save(writer, &row)?;
            Ok((value, before))
        })
    }

    /// Replaces the text of the rules, where it lies. `before` is what was changed: what somebody else changed meanwhile stays.
    pub fn change_rules(&self, before: &RulesInForce, text: String, seen: bool) -> Result<()> {
        let changed = self.edit_rules(seen, |now| {
            if (&now.text, &now.file) == (&before.text, &before.file) {
                Ok(((), text))
            } else {
                Err(changed_meanwhile())
            }
        });
        changed.map(drop)
    }

    /// Allows these rules exactly what was shown.
    pub fn trust_rules(&self, in_force: &RulesInForce, shown: &[Allowance]) -> Result<()> {
        self.catalog.write(|writer| {
            let now = rule_set::load(writer)?.unwrap_or_else(|| RulesInForce::default().row());
            if now.file != in_force.file || (now.file.is_none() && now.text != in_force.text) {
                return Err(changed_meanwhile());
            }
            let mut trusted = RulesInForce { trusted: None, ..in_force.clone() };
            trusted.allow(shown);
            rule_set::save(writer, &trusted.row())
        })
    }
}

/// A source as it is named wherever the program runs.
fn placed(source: Source, base: &Path) -> Result<Source> {
    source.with_path(|path| {
        if path.starts_with('/') {
            return Ok(path);
        }
        let base = base.to_str().ok_or_else(|| Error::new(Kind::Usage, "the directory of the rules is not UTF-8"))?;
        Ok(format!("{}/{path}", base.trim_end_matches('/')))
    })
}

/// Refuses programs and secrets that are named by where the file is: without it they would be others.
fn check_absolute(permissions: &[Permission], base: &Path) -> Result<()> {
    for permission in permissions {
        let relative = match permission {
            Permission::Run { words, .. } => words.iter().enumerate().find(|(place, word)| {
                let path = Path::new(word);
                let is_named = if *place == 0 { word.contains('/') } else { base.join(path).is_file() };
                path.is_relative() && is_named
            }),
            Permission::Post { secret_file: Some(file), .. } if Path::new(file).is_relative() => Some((0, file)),
            _ => None,
        };
        if let Some((_, word)) = relative {
            let (permission, word) = (permission.to_string(), printable_within(word, 200));
            let message = format!("`{word}` is relative to the rule file: {}", printable_within(&permission, 300));
            return Err(Error::new(Kind::Usage, message).hint(
                "Nothing was changed. Write its absolute path in the file first; the catalog has no directory.",
            ));
        }
    }
    Ok(())
}

fn absolute(file: &Path) -> Result<PathBuf> {
    let file = std::path::absolute(file).context(|| format!("{} has no absolute path", shown(file)))?;
    match file.to_str() {
        Some(_) => Ok(file),
        None => Err(Error::new(Kind::Usage, format!("the name of {} is not UTF-8", shown(&file)))),
    }
}

fn changed_meanwhile() -> Error {
    Error::new(Kind::Locked, "the rules changed meanwhile").hint("Run the same command once more.")
}

fn read_file(file: &Path) -> Result<String> {
    input::read_text(file, MAX_RULE_FILE_BYTES as u64, || format!("the rule file {} can't be read", shown(file)))
}

fn refusal(faults: &[RuleFault], file: Option<&Path>) -> Error {
    let of = file.map_or_else(|| "the rules".to_owned(), shown);
    let shown = faults.iter().take(MAX_SHOWN_FAULTS).map(|fault| printable_within(&fault.to_string(), 400));
    let message = match faults {
        [only] => format!("{of}, {}", printable_within(&only.to_string(), 400)),
        many => {
            let lines = shown.fold(String::new(), |lines, line| lines + "\n  " + &line);
            let rest = many.len().saturating_sub(MAX_SHOWN_FAULTS);
            let rest = if rest > 0 { format!("\n  and {rest} more") } else { String::new() };
            format!("{of}:{lines}{rest}")
        }
    };
    Error::new(Kind::Usage, message).hint("Nothing was done; correct the rules and try again.")
}

fn shown(file: &Path) -> String {
    printable_within(&file.display().to_string(), 300)
}
