//! `completions`: scripts for shells that ask the program itself, so that they know the names in the catalog.

use clap::{Args, ValueEnum};
use clap_complete::env::Shells;
use serde_json::json;

use crate::cli::completers::VARIABLE;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::error::{Context as _, Error, Kind, Result};

const EXAMPLES: &str = "\
Add the line for your shell to its startup file:
  bash        source <(roadstead completions bash)
  zsh         source <(roadstead completions zsh)
  fish        roadstead completions fish | source
  elvish      eval (roadstead completions elvish | slurp)
  powershell  roadstead completions powershell | Out-String | Invoke-Expression";

/// Which shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

/// The shells there are scripts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Shell {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
    /// Fish.
    Fish,
    /// Elvish.
    Elvish,
    /// PowerShell.
    Powershell,
}

/// Bash breaks words at colons, which names are full of. So the words are taken from the line, and what bash has already of the
/// last one is taken off the answers.
const BASH: &str = r#"_roadstead() {
    local line="${COMP_LINE:0:COMP_POINT}" words current index
    read -r -a words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    index=$(( ${#words[@]} - 1 ))
    current="${words[index]}"
    local IFS=$'\n'
    COMPREPLY=( $(_CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX="$index" _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" \
        _CLAP_COMPLETE_SPACE=false VARIABLE=bash roadstead -- "${words[@]}" 2> /dev/null) )
    if [[ "$current" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
        local before="${current%"${current##*:}"}"
        COMPREPLY=( "${COMPREPLY[@]#"$before"}" )
    fi
}
complete -o bashdefault -o default -F _roadstead roadstead
"#;

/// A file `_roadstead` in a directory of functions is read when something is completed for the first time: that is completed, too.
const ZSH_END: &str = r#"
if [[ "${funcstack[1]}" == _roadstead ]]; then
    _clap_dynamic_completer_roadstead "$@"
fi
"#;

/// Prints a script. JSON: `{"script":…}`.
pub(in crate::cli) fn run(arguments: &Arguments, output: &Output) -> Result<Exit> {
    let script = script(arguments.shell)?;
    output.json(&json!({ "script": script }))?;
    output.data(&script)?;
    Ok(Exit::Done)
}

fn script(shell: Shell) -> Result<String> {
    let name = match shell {
        Shell::Bash => return Ok(BASH.replace("VARIABLE", VARIABLE)),
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Elvish => "elvish",
        Shell::Powershell => "powershell",
    };
    let end = if shell == Shell::Zsh { ZSH_END } else { "" };
    let shells = Shells::builtins();
    let missing = || Error::new(Kind::Unexpected, format!("there is no script for {name}"));
    let completer = shells.completer(name).ok_or_else(missing)?;
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, "roadstead", "roadstead", "roadstead", &mut script)
        .context(|| "can't write the script")?;
    script.extend_from_slice(end.as_bytes());
    String::from_utf8(script).map_err(|error| missing().caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_a_script_that_asks_the_program() {
        for shell in Shell::value_variants() {
            let script = script(*shell).unwrap();
            assert!(script.contains(VARIABLE) && script.contains("roadstead"), "{shell:?}: {script}");
        }
    }
}
