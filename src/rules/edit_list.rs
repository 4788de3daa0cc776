//! A list over several lines that becomes another one: what stays keeps its line and its comment.

use toml_edit::{Array, Value};

/// The list, changed to say what the other one says; none if it is in one line, or no list.
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
    let made = array.to_string().trim().to_owned();
    let says_it = made.parse::<Value>().is_ok_and(|made| {
        made.as_array().is_some_and(|made| made.iter().map(Value::as_str).eq(wanted.iter().copied().map(Some)))
    });
    says_it.then_some(made)
}

/// Takes a value out. The comment behind the one before it stays: it is at the beginning of what stands before this one.
fn remove(array: &mut Array, place: usize) {
    let removed = array.remove(place);
    let kept = line(before(&removed)).to_owned();
    let next = array.get(place).map_or_else(|| trailing(array).to_owned(), |next| before(next).to_owned());
    set_before(array, place, &format!("{kept}{}", behind_line(&next)));
}

/// Puts a value in a line of its own.
fn insert(array: &mut Array, place: usize, value: Value, indent: &str) {
    let next = array.get(place).map_or_else(|| trailing(array).to_owned(), |next| before(next).to_owned());
    let value = value.decorated(format!("{}{indent}", line(&next)), "");
    let rest = behind_line(&next).to_owned();
    array.insert_formatted(place, value);
    set_before(array, place + 1, &rest);
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
    text.find("\r\n").or_else(|| text.find('\n')).unwrap_or(text.len())
}

/// What is in the first line, which belongs to the value before.
fn line(text: &str) -> &str {
    &text[..line_end(text)]
}

/// What is below the first line, with the line end before it.
fn behind_line(text: &str) -> &str {
    &text[line_end(text)..]
}
