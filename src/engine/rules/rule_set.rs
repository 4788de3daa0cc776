//! Which rules are in force: those of the catalog, or of a file that is read at every run; and whether their programs may run.

use std::path::{Path, PathBuf};

use crate::catalog::rule_set::{self, RuleSet};
use crate::engine::Engine;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::input;
use crate::rules::{self, MAX_RULE_FILE_BYTES, RuleFault, Rules};
use crate::text::printable_within;

/// Faults of a rule file that are shown.
const MAX_SHOWN_FAULTS: usize = 10;

/// Bytes of the largest program or script that is looked at for changes.
const MAX_PROGRAM_BYTES: u64 = 64 << 20;

/// The rules, their text, and where it lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesInForce {
    /// What the text says.
    pub rules: Rules,
    /// TOML.
    pub text: String,
    /// The file that is the truth. None: the catalog has the text.
    pub file: Option<PathBuf>,
    trusted: Option<Vec<u8>>,
}

impl RulesInForce {
    /// Reads rules that are not in force yet.
    pub fn read(text: String, file: Option<PathBuf>) -> Result<Self> {
        let rules = rules::read(&text).map_err(|faults| refusal(&faults, file.as_deref()))?;
        Ok(Self { rules, text, file, trusted: None })
    }

    /// Where relative paths of sources begin: beside the file. Those of the catalog are absolute.
    pub fn base(&self) -> PathBuf {
        let beside = self.file.as_ref().and_then(|file| file.parent());
        beside.map_or_else(|| PathBuf::from("/"), Path::to_owned)
    }

    /// The programs that nobody has seen and allowed yet.
    pub fn untrusted(&self) -> Vec<String> {
        let programs = self.rules.programs();
        let is_trusted = programs.is_empty() || self.trusted.as_deref() == Some(&self.fingerprint());
        if is_trusted { Vec::new() } else { programs }
    }

    /// What stands for the programs: their words, and the files of the checkout that these name, since a script that changes is
    /// another program. An absolute path is one only where it is the program itself: what follows it is data.
    fn fingerprint(&self) -> Vec<u8> {
        let base = self.base();
        let mut said = self.rules.programs();
        for words in self.rules.program_words() {
            for (place, word) in words.iter().enumerate() {
                let path = Path::new(word);
                let is_program = place == 0 && word.contains('/');
                if !is_program && (path.is_absolute() || place == 0) {
                    continue;
                }
                let Ok(bytes) = input::read_regular(&base.join(path), MAX_PROGRAM_BYTES) else { continue };
                said.push(format!("{word}\0{}", Digest::of(&bytes)));
            }
        }
        Digest::of(said.join("\0").as_bytes()).as_bytes().to_vec()
    }

    /// Refuses rules whose programs nobody has allowed: a checkout must not run code by being read.
    pub fn check_trust(&self) -> Result<()> {
        let untrusted = self.untrusted();
        if untrusted.is_empty() {
            return Ok(());
        }
        let what = self.file.as_ref().map_or_else(|| "the rules".to_owned(), |file| shown(file));
        let programs = untrusted.iter().map(|program| format!("\n  {}", printable_within(program, 300)));
        let message = format!("{what} would run programs that were not allowed:{}", programs.collect::<String>());
        let verb = self.file.as_ref().map_or_else(
            || "`roadstead rule trust`".to_owned(),
            |file| format!("`roadstead rule trust {}`", shown(file)),
        );
        Err(Error::new(Kind::Usage, message).hint(format!("Look at them; {verb} allows exactly these.")))
    }
}

impl Engine {
    /// The rules that are in force now. A file that can't be read is an error: what it said before is not used instead.
    pub fn rules(&self) -> Result<RulesInForce> {
        let Some(RuleSet { text, file, trusted }) = rule_set::load(&*self.catalog.read()?)? else {
            return Ok(RulesInForce::default());
        };
        let text = match &file {
            Some(file) => read_file(file)?,
            None => text,
        };
        let in_force = RulesInForce { trusted, ..RulesInForce::read(text, file)? };
        self.remember(&in_force)?;
        Ok(in_force)
    }

    /// The rules as the catalog remembers them, if their programs may run: for those who are to hear that a file is broken.
    pub fn rules_read_last(&self) -> Result<Option<RulesInForce>> {
        let Some(RuleSet { text, file, trusted }) = rule_set::load(&*self.catalog.read()?)? else { return Ok(None) };
        let remembered = RulesInForce { trusted, ..RulesInForce::read(text, file)? };
        Ok(Some(remembered).filter(|remembered| remembered.untrusted().is_empty()))
    }

    /// Remembers the rules of a file as they are now.
    fn remember(&self, in_force: &RulesInForce) -> Result<()> {
        let known = rule_set::load(&*self.catalog.read()?)?;
        if self.catalog.is_read_only() || known.is_none_or(|known| known.text == in_force.text) {
            return Ok(());
        }
        self.save(in_force)
    }

    /// Whether there are rules, without reading them.
    pub fn has_rules(&self) -> Result<bool> {
        Ok(rule_set::load(&*self.catalog.read()?)?.is_some_and(|set| set.file.is_some() || !set.text.trim().is_empty()))
    }

    /// Makes a file the truth, or the catalog with what the file says now.
    pub fn use_rule_file(&self, file: Option<&Path>) -> Result<RulesInForce> {
        let before = rule_set::load(&*self.catalog.read()?)?;
        let trusted = before.as_ref().and_then(|set| set.trusted.clone());
        let in_force = match file {
            Some(file) => {
                let file = std::path::absolute(file).context(|| format!("{} has no absolute path", shown(file)))?;
                if file.to_str().is_none() {
                    return Err(Error::new(Kind::Usage, format!("the name of {} is not UTF-8", shown(&file))));
                }
                RulesInForce { trusted, ..RulesInForce::read(read_file(&file)?, Some(file))? }
            }
            None => RulesInForce { file: None, ..self.rules()? },
        };
        self.save(&in_force)?;
        Ok(in_force)
    }

    /// Replaces the text of the rules, where it lies. `before` is what was changed: what somebody else changed meanwhile stays.
    /// Whoever typed its programs has `seen` them.
    pub fn change_rules(&self, before: &RulesInForce, text: String, seen: bool) -> Result<RulesInForce> {
        let was_trusted = before.untrusted().is_empty();
        let mut changed =
            RulesInForce { trusted: before.trusted.clone(), ..RulesInForce::read(text, before.file.clone())? };
        if seen && was_trusted {
            changed.trusted = Some(changed.fingerprint());
        }
        if self.rules()?.text != before.text {
            return Err(Error::new(Kind::Locked, "the rules changed meanwhile").hint("Run the same command once more."));
        }
        if let Some(file) = &changed.file {
            input::replace(file, &changed.text)
                .context(|| format!("the rule file {} can't be written", shown(file)))?;
        }
        self.save(&changed)?;
        Ok(changed)
    }

    /// Allows exactly the programs of these rules.
    pub fn trust_rules(&self, in_force: &RulesInForce) -> Result<()> {
        self.save(&RulesInForce { trusted: Some(in_force.fingerprint()), ..in_force.clone() })
    }

    fn save(&self, in_force: &RulesInForce) -> Result<()> {
        let RulesInForce { text, file, trusted, .. } = in_force.clone();
        self.catalog.write(|writer| rule_set::save(writer, &RuleSet { text, file, trusted }))
    }
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
