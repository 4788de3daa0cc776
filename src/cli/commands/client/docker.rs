//! Docker Engine: daemon.json.

use serde_json::{Map, Value, json};

use super::gateway;
use super::recipe::{ClientSetup, File, Kept, Recipe};
use super::source::HostKind;
use crate::error::{Error, Kind, Result};

/// What it has to be told.
pub(super) fn recipe(setup: &ClientSetup) -> Result<Recipe> {
    gateway::refuse_path(setup)?;
    let source = &setup.source;
    let is_gateway = setup.kind == HostKind::Gateway;
    let mut recipe = Recipe::new(setup, "/etc/docker");
    let mirrors_hub = !is_gateway && setup.mirrors.registries.contains_key("docker.io");
    let mut settings = Map::new();
    if mirrors_hub {
        settings.insert("registry-mirrors".to_owned(), json!([source.to_string()]));
    }
    // Docker takes plain http from this machine without being told.
    if source.plain && !source.loopback {
        settings.insert("insecure-registries".to_owned(), json!([source.host]));
    }
    if settings.is_empty() {
        recipe.note(format!("No settings are needed to pull from {}.", source.host));
    } else {
        let text = format!("{:#}\n", Value::Object(settings));
        recipe.files.push(File { path: "daemon.json".to_owned(), text, kept: Kept::Settings, is_aside: false });
        recipe.reload.push("systemctl reload docker".to_owned());
    }
    recipe.pull.push(format!("docker pull {}", setup.image()));
    if is_gateway {
        recipe.notes.extend(gateway::limits(setup));
        recipe.note("This is for Docker 23 to 25; Docker 26 and newer can't pull from a gateway.");
        return Ok(recipe);
    }
    if mirrors_hub {
        recipe.note(
            "Docker supports mirrors of Docker Hub only: images mirrored from it come from here under their \
            own names, as they were when mirrored.",
        );
    }
    let others: Vec<(&str, &str)> =
        setup.mirrors.registries.iter().map(|(name, prefix)| (name.as_str(), prefix.as_str())).collect();
    let others: Vec<_> = others.into_iter().filter(|(name, _)| *name != "docker.io").collect();
    if let Some((_, prefix)) = others.first() {
        let names: Vec<&str> = others.iter().map(|(name, _)| *name).collect();
        recipe.note(format!(
            "Pull images of {} by their name here: `docker pull {}/{prefix}/NAME:TAG`.",
            names.join(", "),
            source.host
        ));
    }
    if !source.plain {
        recipe.note(format!("Your own certificate authority goes into /etc/docker/certs.d/{}/ca.crt.", source.host));
    }
    Ok(recipe)
}

/// The settings that are there, with ours added: lists grow by what they lack, everything else stays.
pub(super) fn merge(there: &str, ours: &str) -> Result<String> {
    let parse = |text: &str| -> Result<Map<String, Value>> {
        serde_json::from_str(text)
            .map_err(|error| Error::new(Kind::Usage, "the settings are not a JSON object").caused_by(error))
    };
    let mut settings = if there.trim().is_empty() { Map::new() } else { parse(there)? };
    for (key, value) in parse(ours)? {
        match (settings.get_mut(&key), value) {
            (Some(Value::Array(have)), Value::Array(want)) => {
                for item in want {
                    if !have.contains(&item) {
                        have.push(item);
                    }
                }
            }
            (Some(_), _) => return Err(Error::new(Kind::Usage, format!("`{key}` is not a list there"))),
            (None, value) => {
                settings.insert(key, value);
            }
        }
    }
    Ok(format!("{:#}\n", Value::Object(settings)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_there_stay() {
        let ours = r#"{"registry-mirrors": ["https://b"], "insecure-registries": ["b"]}"#;
        let there = r#"{"log-driver": "local", "registry-mirrors": ["https://a"]}"#;
        let merged: Value = serde_json::from_str(&merge(there, ours).unwrap()).unwrap();
        let expected = json!({"log-driver": "local", "registry-mirrors": ["https://a", "https://b"], "insecure-registries": ["b"]});
        assert_eq!(merged, expected);
        assert_eq!(merge(&merge(there, ours).unwrap(), ours).unwrap(), merge(there, ours).unwrap(), "once is enough");
        assert!(merge("", ours).is_ok());
        for bad in ["[]", "{", r#"{"registry-mirrors": "https://a"}"#] {
            assert!(merge(bad, ours).is_err(), "{bad}");
        }
    }
}
