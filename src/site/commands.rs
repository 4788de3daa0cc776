//! How to pull, for each client: the commands, and what of them a host can do.

use std::fmt::Write as _;

use super::Head;
use super::html::Text;

/// How one client pulls.
struct Client {
    /// Its name in the page's identifiers.
    id: &'static str,
    /// Its name for people.
    title: &'static str,
    /// What stands before the reference; `{plain}` is where [`Client::plain`] goes.
    before: &'static str,
    /// What stands after it.
    after: &'static str,
    /// The flag for a host without TLS.
    plain: &'static str,
    /// What is to be known of a host without TLS.
    plain_note: &'static str,
    /// What it can do with a plain IPFS gateway.
    gateway: &'static str,
}

const ONE_PLATFORM: &str =
    "pulls one platform a tag, by the gateway tags below; the digests are not those of upstream.";

const CLIENTS: [Client; 7] = [
    Client {
        id: "podman",
        title: "podman",
        before: "podman pull{plain} ",
        after: "",
        plain: " --tls-verify=false",
        plain_note: "",
        gateway: ONE_PLATFORM,
    },
    Client {
        id: "docker",
        title: "Docker",
        before: "docker pull ",
        after: "",
        plain: "",
        plain_note: "Docker asks for TLS: name this host in “insecure-registries” of /etc/docker/daemon.json, unless it is this machine.",
        gateway: "up to version 25 pulls one platform a tag, by the gateway tags below. Newer versions need a registry server.",
    },
    Client {
        id: "containerd",
        title: "containerd",
        before: "ctr images pull{plain} ",
        after: "",
        plain: " --plain-http",
        plain_note: "",
        gateway: "can’t pull from one: it needs a registry server.",
    },
    Client {
        id: "kubernetes",
        title: "Kubernetes",
        before: "image: ",
        after: "",
        plain: "",
        plain_note: "Nodes ask for TLS: name this host as one without it in containerd’s hosts.toml or in CRI-O’s registries.conf.",
        gateway: "can pull with CRI-O, one platform a tag, by the gateway tags below. Nodes with containerd need a registry server.",
    },
    Client {
        id: "nerdctl",
        title: "nerdctl",
        before: "nerdctl{plain} pull ",
        after: "",
        plain: " --insecure-registry",
        plain_note: "",
        gateway: "can’t pull from one: it needs a registry server.",
    },
    Client {
        id: "skopeo",
        title: "skopeo",
        before: "skopeo copy{plain} docker://",
        after: " oci-archive:image.tar",
        plain: " --src-tls-verify=false",
        plain_note: "",
        gateway: ONE_PLATFORM,
    },
    Client {
        id: "crane",
        title: "crane",
        before: "crane pull{plain} ",
        after: " image.tar",
        plain: " --insecure",
        plain_note: "",
        gateway: "can’t pull from one: it needs a registry server.",
    },
];

/// A reference whose host a script fills in.
pub(super) fn reference(head: &Head, name: &str, tag: &str) -> String {
    format!("<span data-host>{}</span>/{}:{}", Text(head.host()), Text(name), Text(tag))
}

/// The choice of a client, and for each the command that pulls this reference. Works without a script.
pub(super) fn clients(body: &mut String, head: &Head, name: &str, tag: &str) {
    let reference = reference(head, name, tag);
    body.push_str("<fieldset class=\"clients\">\n<legend>Client</legend>\n");
    for (position, client) in CLIENTS.iter().enumerate() {
        let checked = if position == 0 { " checked" } else { "" };
        let _ = writeln!(
            body,
            "<input type=\"radio\" name=\"client\" id=\"{0}\"{checked}><label for=\"{0}\">{1}</label>",
            client.id, client.title
        );
    }
    for client in &CLIENTS {
        let plain = match client.plain {
            "" => String::new(),
            flag => format!("<span data-plain=\"{flag}\"></span>"),
        };
        let _ = writeln!(
            body,
            "<div class=\"client {}\">\n<pre data-copy=\"the command\"><code>{}{reference}{}</code></pre>",
            client.id,
            client.before.replace("{plain}", &plain),
            client.after
        );
        if !client.plain_note.is_empty() {
            let _ = writeln!(body, "<p class=\"note on-plain\">{}</p>", client.plain_note);
        }
        let _ = writeln!(
            body,
            "<p class=\"note on-gateway\">From a plain IPFS gateway: {} {}</p>\n</div>",
            client.title, client.gateway
        );
    }
    body.push_str("</fieldset>\n");
    if head.name.is_none() {
        body.push_str("<p class=\"note no-host\"><code>HOST</code> is the host that this page comes from.</p>\n");
    }
    body.push_str(
        "<p class=\"note on-path\">Clients can’t pull from a path of a gateway: use a registry server that serves this tree, or a \
         gateway with subdomains, as <code>ROOT.ipfs.GATEWAY</code>.</p>\n",
    );
}
