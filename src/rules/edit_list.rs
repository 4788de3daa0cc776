//! A list over several lines that becomes another one: what stays keeps its line and its comment.

use toml_edit::{Array, Value};

/// The list, changed to say what the other one says; none if it is in one line, or no list. Lines end as in Unix.
pub(super) fn edited_list(written: &str, wanted: &str) -> Option<String> {
    if !written.contains('\n') {
        return None;
    }
    let (written, wanted): (Value, Value) = (written.parse().ok()?, wanted.parse().ok()?);
    let Value::Array(mut array) = written else { return None };
    let meant = wanted.as_array()?;
    let wanted: Vec<&str> = meant.iter().filter_map(Value::as_str).collect();
    let indent = array.get(0).map(|first| behind_line(before(first)).to_owned()).filter(|rest| rest.contains('\n'))?;
    let indent = indent[indent.rfind('\n').unwrap_or(0)..].to_owned();
    // Without a comma, what follows the last value is a part of it.
    let bare = !array.trailing_comma();
    if bare {
        hand_over(&mut array);
    }
    for place in (0..array.len()).rev() {
        if !array.get(place).and_then(Value::as_str).is_some_and(|text| wanted.contains(&text)) {
            remove(&mut array, place);
        }
    }
    for (place, value) in meant.iter().enumerate() {
        if array.get(place).and_then(Value::as_str) != value.as_str() {
            insert(&mut array, place, value.clone(), &indent);
        }
    }
    while array.len() > wanted.len() {
        let last = array.len() - 1;
        remove(&mut array, last);
    }
    if bare {
        take_back(&mut array);
    }
    let made = array.to_string().trim().to_owned();
    let says_it = made.parse::<Value>().is_ok_and(|made| {
        made.as_array().is_some_and(|made| made.iter().map(Value::as_str).eq(wanted.iter().copied().map(Some)))
    });
    says_it.then_some(made)
}

/// What follows the last value becomes a part of the list.
fn hand_over(array: &mut Array) {
    let Some(last) = array.iter_mut().last() else { return };
    let suffix = last.decor().suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default().to_owned();
    last.decor_mut().set_suffix("");
    let rest = format!("{suffix}{}", trailing(array));
    array.set_trailing(rest);
}

/// And back again.
fn take_back(array: &mut Array) {
    let rest = trailing(array).to_owned();
    if let Some(last) = array.iter_mut().last() {
        last.decor_mut().set_suffix(rest);
        array.set_trailing("");
    }
}

/// Takes a value out. The comment behind the one before it stays: it is at the beginning of what stands before this one.
fn remove(array: &mut Array, place: usize) {
    let removed = array.remove(place);
    let next = before_place(array, place);
    // What was behind it in its line takes its place.
    let in_its_place = if next.contains('\n') {
        format!("{}{}", line(before(&removed)).trim_end(), behind_line(&next))
    } else {
        before(&removed).to_owned()
    };
    set_before(array, place, &in_its_place);
}

/// Puts a value in a line of its own.
fn insert(array: &mut Array, place: usize, value: Value, indent: &str) {
    let next = before_place(array, place);
    let (behind, rest) = if next.contains('\n') { (line(&next), behind_line(&next)) } else { ("", next.as_str()) };
    array.insert_formatted(place, value.decorated(format!("{behind}{indent}"), ""));
    set_before(array, place + 1, rest);
}

/// What stands before a value, or before the end.
fn before_place(array: &Array, place: usize) -> String {
    array.get(place).map_or_else(|| trailing(array), before).to_owned()
}

fn set_before(array: &mut Array, place: usize, text: &str) {
    match array.get_mut(place) {
        Some(value) => value.decor_mut().set_prefix(text),
        None => array.set_trailing(text),
    }
}

fn before(value: &Value) -> &str {
    value.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default()
}

fn trailing(array: &Array) -> &str {
    array.trailing().as_str().unwrap_or_default()
}

fn line_end(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// What is in the first line, which belongs to the value before.
fn line(text: &str) -> &str {
    &text[..line_end(text)]
}

/// What is below the first line, with the line end before it.
fn behind_line(text: &str) -> &str {
    &text[line_end(text)..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_line_keeps_its_comment() {
        let list = "[ # all\n  'a', # of a\n  # above b\n  'b', 'c' # of c\n]";
        for (wanted, expected) in [
            ("['a', 'b', 'c']", list),
            ("['a', 'b', 'c', 'd']", "[ # all\n  'a', # of a\n  # above b\n  'b', 'c', # of c\n  'd'\n]"),
            ("['a', 'b']", "[ # all\n  'a', # of a\n  # above b\n  'b'\n]"),
            ("['a', 'c']", "[ # all\n  'a', # of a\n  # above b\n  'c' # of c\n]"),
            ("['b', 'c']", "[ # all\n  # above b\n  'b', 'c' # of c\n]"),
            ("['x', 'a', 'b', 'c']", "[ # all\n  'x',\n  'a', # of a\n  # above b\n  'b', 'c' # of c\n]"),
            ("['a', 'b', 'x', 'c']", "[ # all\n  'a', # of a\n  # above b\n  'b',\n  'x', 'c' # of c\n]"),
        ] {
            assert_eq!(edited_list(list, wanted).as_deref(), Some(expected), "{wanted}");
        }
        assert_eq!(edited_list("['a']", "['b']"), None);
        assert_eq!(edited_list("\"\"\"\n\"\"\"", "['b']"), None);
    }

    proptest! {
        #[test]
        fn it_says_what_is_wanted(
            lines in prop::collection::vec(("[a-e]", "( # [#',x]{0,3})?", "(\n # [x']{0,2})?"), 1..5),
            comma in any::<bool>(),
            wanted in prop::collection::vec("[a-g]", 1..6),
        ) {
            let mut list = "[".to_owned();
            for (place, (text, behind, above)) in lines.iter().enumerate() {
                let comma = if comma || place + 1 < lines.len() { "," } else { "" };
                list.push_str(&[above, "\n  '", text, "'", comma, behind].concat());
            }
            let list = format!("{list}\n]");
            let wanted = format!("['{}']", wanted.join("', '"));
            let made = edited_list(&list, &wanted);
            // That it says so, it looks after itself.
            prop_assert!(made.is_some(), "{list} {wanted}");
        }
    }
}
