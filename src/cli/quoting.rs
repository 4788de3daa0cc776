//! Words as units of systemd and manifests of Kubernetes have them in quotation marks.
//!
//! Pure.

use std::fmt::Write as _;

/// The words as systemd reads them again: no variables, no specifiers, quoted where it is needed.
pub(super) fn systemd_command_line(words: &[String]) -> String {
    let mut line = String::new();
    // With this prefix no `$` means a variable; `$$` would be right for arguments, and wrong for the program.
    if words.iter().any(|word| word.contains('$')) {
        line.push(':');
    }
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.:,+@=".contains(&byte);
        if !word.is_empty() && word.bytes().all(plain) {
            line.push_str(word);
            continue;
        }
        let quoted = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
        // Writing to a String can't fail.
        let _ = write!(line, "\"{quoted}\"");
    }
    line
}

/// A scalar in quotation marks: a string of JSON is one of YAML 1.2, too. For YAML 1.1 these are line breaks, or no text at all.
pub(super) fn yaml_string(text: &str) -> String {
    let text = serde_json::Value::from(text).to_string();
    text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029").replace('\u{feff}', "\\ufeff")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a line as systemd.service(5), "Command lines", says, for what is written here.
    fn read(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut is_quoted = false;
        let mut rest = line.chars();
        while let Some(character) = rest.next() {
            match character {
                '"' => {
                    is_quoted = !is_quoted;
                    word.get_or_insert_default();
                }
                ' ' if !is_quoted => words.extend(word.take()),
                '\\' => word.get_or_insert_default().push(rest.next().unwrap()),
                '%' => {
                    assert_eq!(rest.next(), Some('%'), "a specifier in {line}");
                    word.get_or_insert_default().push('%');
                }
                other => word.get_or_insert_default().push(other),
            }
        }
        words.extend(word);
        words
    }

    proptest! {
        #[test]
        fn words_are_read_as_they_are(words in prop::collection::vec("[a-z \"'\\\\%$;#é{}]{0,8}", 1..4)) {
            let line = systemd_command_line(&words);
            let has_variables = words.iter().any(|word| word.contains('$'));
            prop_assert_eq!(line.starts_with(':'), has_variables);
            prop_assert_eq!(read(line.strip_prefix(':').unwrap_or(&line)), words);
        }
    }
}
