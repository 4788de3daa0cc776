//! The fields of the form for `serve`, and the words that they make.

use super::flag_form::{FlagForm, Input, Spec};

const YES_OR_NO: Input = Input::Choice(&["no", "yes"]);

/// All of them, in the order in which they are asked for.
pub(super) const FIELDS: &[Spec] = &[
    Spec {
        flag: "--listen",
        label: "Listen on",
        hint: "address and port, like 0.0.0.0:5050 for everyone who can reach this machine",
        otherwise: "127.0.0.1:5050, or the next free port",
        input: Input::Text,
        needs: &[],
    },
    Spec {
        flag: "--ipfs",
        label: "IPFS",
        hint: "yes: also give out to IPFS what is published or followed here, and nothing else; space changes it",
        otherwise: "",
        input: YES_OR_NO,
        needs: &[],
    },
    Spec {
        flag: "--announce",
        label: "Announce",
        hint: "URLs or multiaddrs under which IPFS nodes reach this server, if it is behind a proxy; separated by spaces",
        otherwise: "the address that it listens on",
        input: Input::List,
        needs: &["--ipfs"],
    },
    Spec {
        flag: "SWARM",
        label: "Swarm",
        hint: "yes: be a peer of the IPFS swarm, so that every node finds what is given out; no: HTTP alone",
        otherwise: "",
        input: Input::Choice(&["yes", "no"]),
        needs: &["--ipfs"],
    },
    Spec {
        flag: "--swarm",
        label: "Swarm port",
        hint: "port on every address of this machine, or multiaddrs to listen on, separated by spaces",
        otherwise: "4001, or the next free port",
        input: Input::List,
        needs: &["--ipfs", "SWARM"],
    },
    Spec {
        flag: "--swarm-peer",
        label: "Swarm peers",
        hint: "multiaddrs of peers to begin with in place of the public DHT, for a network of its own",
        otherwise: "the public DHT",
        input: Input::List,
        needs: &["--ipfs", "SWARM"],
    },
    Spec {
        flag: "--swarm-upload",
        label: "Upload limit",
        hint: "MiB that all peers of the swarm together may take in a second",
        otherwise: "no limit",
        input: Input::Text,
        needs: &["--ipfs", "SWARM"],
    },
    Spec {
        flag: "--router",
        label: "Routers",
        hint: "URLs of routers that take the signed records of names as well, separated by spaces",
        otherwise: "none",
        input: Input::List,
        needs: &["--ipfs"],
    },
    Spec {
        flag: "--tls-cert",
        label: "TLS cert",
        hint: "PEM file with the certificate and its intermediates",
        otherwise: "none: plain HTTP",
        input: Input::Text,
        needs: &[],
    },
    Spec {
        flag: "--tls-key",
        label: "TLS key",
        hint: "PEM file with the certificate's key",
        otherwise: "none",
        input: Input::Text,
        needs: &[],
    },
    Spec {
        flag: "--htpasswd",
        label: "Passwords",
        hint: "file of users and bcrypt passwords, as `htpasswd -B` writes it; only they may pull",
        otherwise: "none: everyone may pull",
        input: Input::Text,
        needs: &[],
    },
    Spec {
        flag: "--allow-host",
        label: "Host names",
        hint: "names by which clients reach a server on loopback, such as host.docker.internal; separated by spaces",
        otherwise: "localhost and the registry's own name",
        input: Input::List,
        needs: &[],
    },
    Spec {
        flag: "--include-private",
        label: "Private too",
        hint: "yes: serve private repositories to everyone, even beyond this machine",
        otherwise: "",
        input: YES_OR_NO,
        needs: &[],
    },
];

/// The words behind `serve`.
pub(super) fn words(form: &FlagForm) -> Vec<String> {
    let flag = |flag: &str| (form.value(flag) == "yes").then(|| flag.to_owned());
    let mut words = form.flagged("--listen");
    words.extend(flag("--ipfs"));
    words.extend(form.flagged("--announce"));
    words.extend((form.value("SWARM") == "no").then(|| "--no-swarm".to_owned()));
    match form.value("--swarm").parse::<u16>() {
        Ok(port) => words.extend(on_every_address(port)),
        Err(_) => words.extend(form.flagged("--swarm")),
    }
    for named in ["--swarm-peer", "--swarm-upload", "--router", "--tls-cert", "--tls-key", "--htpasswd", "--allow-host"]
    {
        words.extend(form.flagged(named));
    }
    words.extend(flag("--include-private"));
    words
}

/// TCP and QUIC on this port of every address of this machine.
fn on_every_address(port: u16) -> impl Iterator<Item = String> {
    let of = move |ip: &str| [format!("{ip}/tcp/{port}"), format!("{ip}/udp/{port}/quic-v1")];
    ["/ip4/0.0.0.0", "/ip6/::"].into_iter().flat_map(of).flat_map(|address| ["--swarm".to_owned(), address])
}

#[cfg(test)]
mod tests {
    use super::super::flag_form::Subject;
    use super::*;

    #[test]
    fn a_port_is_one_of_every_address() {
        let values = [("--ipfs", "yes"), ("--swarm", "4011"), ("--include-private", "yes")];
        let values = values.map(|(flag, value)| (flag.to_owned(), value.to_owned())).into();
        let form = FlagForm::new(Subject::Serve, &values, &[]);
        assert_eq!(
            form.words().join(" "),
            "--ipfs --swarm /ip4/0.0.0.0/tcp/4011 --swarm /ip4/0.0.0.0/udp/4011/quic-v1 --swarm /ip6/::/tcp/4011 \
             --swarm /ip6/::/udp/4011/quic-v1 --include-private"
        );
    }
}
