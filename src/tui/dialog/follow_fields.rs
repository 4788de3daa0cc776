//! The fields of the form for `follow`, and what they say.

use std::time::Duration;

use super::flag_form::{FlagForm, Input, Spec, Values};
use crate::engine::follow::Setting;
use crate::error::{Error, Kind, Result};
use crate::rules::Period;

/// How often a name is looked at unless something else is said.
const DEFAULT_PERIOD: Duration = Duration::from_mins(1);

/// The flag of what no catalog keeps: how this machine gets into the swarm.
const SWARM_PEER: &str = "--swarm-peer";

/// All of them, in the order in which they are asked for.
pub(super) const FIELDS: &[Spec] = &[
    Spec {
        flag: "NAME",
        label: "Name",
        hint: "IPNS name (k51…) or domain of a published registry",
        otherwise: "",
        input: Input::Text,
        needs: &[],
    },
    Spec {
        flag: "--from",
        label: "From",
        hint: "URLs of the publisher's `serve --ipfs`, of another follower or of a gateway, or multiaddrs of peers; separated by spaces",
        otherwise: "the IPFS swarm",
        input: Input::List,
        needs: &[],
    },
    Spec {
        flag: SWARM_PEER,
        label: "Swarm peers",
        hint: "multiaddrs of peers to begin with in place of the public DHT, for a network of its own",
        otherwise: "the public DHT",
        input: Input::List,
        needs: &[],
    },
    Spec {
        flag: "--mode",
        label: "Fetch",
        hint: "all: every blob at once; tags: those of images with a tag; lazy: each when it is first pulled; space changes it",
        otherwise: "",
        input: Input::Choice(&["all", "tags", "lazy"]),
        needs: &[],
    },
    Spec {
        flag: "--every",
        label: "Look every",
        hint: "time between two looks whether the name has moved, like 30s, 5m or 1h",
        otherwise: "1m",
        input: Input::Text,
        needs: &[],
    },
];

/// The words behind `follow`.
pub(super) fn words(form: &FlagForm) -> Vec<String> {
    let name = Some(form.value("NAME").to_owned()).filter(|name| !name.is_empty());
    let mode = Some(form.value("--mode")).filter(|mode| *mode != "all");
    let mode = mode.into_iter().flat_map(|mode| ["--mode".to_owned(), mode.to_owned()]);
    let places = form.flagged("--from").into_iter().chain(form.flagged(SWARM_PEER));
    name.into_iter().chain(places).chain(mode).chain(form.flagged("--every")).collect()
}

/// Multiaddrs of peers to begin with in the swarm.
pub fn swarm_peers(form: &FlagForm) -> Vec<String> {
    form.value(SWARM_PEER).split_whitespace().map(str::to_owned).collect()
}

/// What a form says that is not in a [`Setting`].
pub fn remembered(form: &FlagForm) -> Values {
    let peers = swarm_peers(form).join(" ");
    if peers.is_empty() { Values::new() } else { [(SWARM_PEER.to_owned(), peers)].into() }
}

/// The peers to begin with that such values name.
pub fn remembered_peers(values: &Values) -> Vec<String> {
    values.get(SWARM_PEER).map(|peers| peers.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// What a form says; an error names the flag of its field.
pub fn setting(form: &FlagForm) -> Result<Setting> {
    let name = form.value("NAME");
    if name.is_empty() {
        return Err(Error::new(Kind::Usage, "`NAME` is missing")
            .hint("`roadstead target show` on the publishing machine prints the IPNS name."));
    }
    let every = match form.value("--every") {
        "" => DEFAULT_PERIOD,
        text => {
            let period: Period =
                text.parse().map_err(|why| Error::new(Kind::Usage, format!("invalid `--every`: {why}")))?;
            if period.seconds() == 0 {
                return Err(Error::new(Kind::Usage, "invalid `--every`: a second is the shortest"));
            }
            period.into()
        }
    };
    let sources = form.value("--from").split_whitespace();
    let setting = Setting {
        name: name.parse()?,
        sources: sources.map(|source| source.trim_end_matches('/').to_owned()).collect(),
        mode: form.value("--mode").parse()?,
        every,
    };
    setting.check()?;
    Ok(setting)
}

/// The fields of what is followed already.
pub fn values(setting: &Setting) -> Values {
    let every = if setting.every == DEFAULT_PERIOD { String::new() } else { format!("{}s", setting.every.as_secs()) };
    let said = [
        ("NAME", setting.name.to_string()),
        ("--from", setting.sources.join(" ")),
        ("--mode", setting.mode.word().to_owned()),
        ("--every", every),
    ];
    said.into_iter().map(|(flag, value)| (flag.to_owned(), value)).filter(|(_, value)| !value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::flag_form::Subject;
    use super::*;

    fn form(values: &[(&str, &str)]) -> FlagForm {
        let values = values.iter().map(|(flag, value)| ((*flag).to_owned(), (*value).to_owned())).collect();
        FlagForm::new(Subject::Follow, &values, &[])
    }

    #[test]
    fn a_form_is_a_setting_and_back() {
        let peer = "/ip4/192.0.2.1/tcp/4001";
        let said = form(&[
            ("NAME", "Registry.Example.com"),
            ("--from", "https://a.example.com/ http://b"),
            ("--swarm-peer", peer),
            ("--every", "5m"),
        ]);
        assert_eq!(
            said.command_line(),
            format!(
                "roadstead follow Registry.Example.com --from https://a.example.com/ --from http://b --swarm-peer {peer} \
                 --every 5m"
            )
        );
        assert_eq!(swarm_peers(&said), [peer]);
        assert_eq!(remembered_peers(&remembered(&said)), [peer]);
        let found = setting(&said).unwrap();
        assert_eq!((found.sources.len(), found.every), (2, Duration::from_mins(5)));
        let again = FlagForm::new(Subject::Follow, &values(&found), &[]);
        assert_eq!(setting(&again).unwrap(), found);
    }

    #[test]
    fn mistakes_name_their_field() {
        for (said, flag) in [
            (form(&[]), "NAME"),
            (form(&[("NAME", "nowhere")]), "nowhere"),
            (form(&[("NAME", "a.example.com"), ("--from", "http://a"), ("--every", "soon")]), "--every"),
            (form(&[("NAME", "a.example.com"), ("--from", "http://a"), ("--every", "0s")]), "--every"),
            (form(&[("NAME", "a.example.com"), ("--from", "ftp://x")]), "ftp://x"),
        ] {
            let error = setting(&said).unwrap_err();
            assert!(error.to_string().contains(flag), "{flag}: {error}");
        }
    }
}
