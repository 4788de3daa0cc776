//! Kubernetes whose nodes each follow and serve themselves: a DaemonSet (apps/v1), and the containerd file that it writes.

use std::fmt::Write as _;

use super::containerd;
use super::nodes::NodeSetup;
use super::recipe::{ClientSetup, Recipe};
use super::systemd;
use crate::cli::quoting::yaml_string;

const FILE: &str = "roadstead.yaml";
const CERTS_DIRECTORY: &str = containerd::CERTS_DIRECTORY;
/// The data directory on each node, and in the container.
const DATA_DIRECTORY: &str = "/var/lib/roadstead";
/// What it is called in a container.
const PROGRAM: &str = "roadstead";
/// How Kubernetes names the address of the service `followers` in each pod (an environment variable of the container).
const SERVICE_HOST: &str = "$(FOLLOWERS_SERVICE_HOST)";

/// What the nodes have to be told.
pub(super) fn recipe(setup: &ClientSetup, nodes: &NodeSetup) -> Recipe {
    let mut recipe = Recipe::without_place(setup);
    if nodes.systemd {
        systemd::add_unit(&mut recipe, nodes);
    } else {
        add_daemon_set(&mut recipe, nodes);
    }
    let (file, text) = containerd::default_hosts(&setup.source);
    recipe.file_aside(format!("{}/{file}", CERTS_DIRECTORY.trim_start_matches('/')), text, !nodes.systemd);
    recipe.note(
        "containerd asks the node's own follower first, and the upstream for what it lacks or while it does not run; which upstream an \
         image is from, it says itself.",
    );
    recipe.note(containerd::config_path_note());
    if let Some(source) = nodes.sources.iter().find(|source| is_loopback(source)) {
        recipe.note(format!(
            "{source} is each node itself: name an address that all nodes reach, unless one listens there."
        ));
    }
    if nodes.is_shared() {
        recipe.note(format!(
            "Whoever reaches port {} of a node can pull what is published. With `--listen 127.0.0.1:{0}`, each node is by itself.",
            nodes.port()
        ));
    }
    recipe
}

fn is_loopback(source: &str) -> bool {
    super::source::Source::parse(source).is_ok_and(|source| source.loopback)
}

fn add_daemon_set(recipe: &mut Recipe, nodes: &NodeSetup) {
    recipe.file(FILE, manifest(nodes));
    recipe.reload.push("roadstead client kubernetes … | kubectl apply -f -".to_owned());
    recipe.reload.push("kubectl -n roadstead rollout status daemonset/follower".to_owned());
    recipe.note(
        "Set `image` (twice) to one that has this program; a node pulls it before it has a follower, from elsewhere.",
    );
    recipe.note(
        "The init container writes containerd's file on its node. If the file is there with other contents, nothing is written \
         and the pod does not start: `kubectl -n roadstead logs daemonset/follower -c containerd`. On k3s and RKE2, remove that \
         container and write registries.yaml by `roadstead client k3s`.",
    );
    if nodes.is_shared() {
        recipe.note(format!(
            "`{SERVICE_HOST}` is the address of the service `followers`, which Kubernetes fills in; in a cluster that has IPv6 alone, \
             write it in brackets."
        ));
    }
    recipe.note(
        "Before there is a cluster, `--systemd` prints a unit for each node; run one of the two on a node, not both.",
    );
}

/// The items of a list, so many spaces in.
fn list(words: &[String], indent: usize) -> String {
    let mut text = String::new();
    for word in words {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{:indent$}- {word}", "");
    }
    text
}

/// Words of a command. `$(NAME)` in them would be a variable.
fn escaped(words: &[String]) -> Vec<String> {
    words.iter().map(|word| yaml_string(&word.replace('$', "$$"))).collect()
}

fn manifest(nodes: &NodeSetup) -> String {
    let port = nodes.port();
    let host = nodes.client_host().trim_matches(['[', ']']);
    let mut command = escaped(&[PROGRAM.to_owned()]);
    command.extend(escaped(&nodes.words(DATA_DIRECTORY)));
    if nodes.is_shared() {
        command.extend(["--from".to_owned(), format!("http://{SERVICE_HOST}:{port}")].map(|word| yaml_string(&word)));
    }
    let command = list(&command, 12);
    let write = ["client", "containerd", "--kind", "serve", "--from"].map(str::to_owned);
    let from = format!("http://{}:{port}", nodes.client_host());
    let write: Vec<String> = [PROGRAM, "--data-dir", DATA_DIRECTORY]
        .map(str::to_owned)
        .into_iter()
        .chain(write)
        .chain([from, "--write".to_owned(), CERTS_DIRECTORY.to_owned()])
        .collect();
    let write = list(&escaped(&write), 12);
    let service = if nodes.is_shared() { service(port) } else { String::new() };
    let name = yaml_string(&nodes.name());
    format!(
        "apiVersion: v1
kind: Namespace
metadata:
  name: roadstead
  labels:
    app.kubernetes.io/name: roadstead
    # Followers use the network of their node and two of its directories.
    pod-security.kubernetes.io/enforce: privileged
---
{service}# Each node follows the registry, and serves it to its own containerd.
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: follower
  namespace: roadstead
  labels:
    app.kubernetes.io/name: roadstead
    app.kubernetes.io/component: follower
  annotations:
    roadstead/follows: {name}
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: roadstead
      app.kubernetes.io/component: follower
  template:
    metadata:
      labels:
        app.kubernetes.io/name: roadstead
        app.kubernetes.io/component: follower
    spec:
      hostNetwork: true
      # Names are resolved as on the node, since the cluster's DNS may need an image from here.
      dnsPolicy: Default
      priorityClassName: system-node-critical
      automountServiceAccountToken: false
      # Every node, also those of the control plane and those that are not ready yet.
      tolerations:
        - operator: Exists
      initContainers:
        # Writes {CERTS_DIRECTORY}/_default/hosts.toml on the node.
        - name: containerd
          image: roadstead
          imagePullPolicy: IfNotPresent
          command:
{write}{SECURITY_CONTEXT}          volumeMounts:
            - name: containerd
              mountPath: {CERTS_DIRECTORY}
      containers:
        - name: follower
          image: roadstead
          imagePullPolicy: IfNotPresent
          command:
{command}          ports:
            - name: http
              containerPort: {port}
              hostPort: {port}
          readinessProbe:
            httpGet:
              host: {host}
              port: {port}
              path: /v2/
{SECURITY_CONTEXT}          volumeMounts:
            - name: data
              mountPath: {DATA_DIRECTORY}
            - name: temporary
              mountPath: /tmp
      volumes:
        - name: data
          hostPath:
            path: {DATA_DIRECTORY}
            type: DirectoryOrCreate
        - name: containerd
          hostPath:
            path: {CERTS_DIRECTORY}
            type: DirectoryOrCreate
        - name: temporary
          emptyDir: {{}}
",
        host = yaml_string(host),
    )
}

/// Root, to whom the directories of the node belong, and without any capability.
const SECURITY_CONTEXT: &str = "          securityContext:
            runAsUser: 0
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop:
                - ALL
            seccompProfile:
              type: RuntimeDefault
";

fn service(port: u16) -> String {
    format!(
        "# Leads to any follower that is ready: nodes take from one another what the other sources don't give.
apiVersion: v1
kind: Service
metadata:
  name: followers
  namespace: roadstead
  labels:
    app.kubernetes.io/name: roadstead
spec:
  selector:
    app.kubernetes.io/name: roadstead
    app.kubernetes.io/component: follower
  ports:
    - name: http
      port: {port}
---
"
    )
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;
    use serde_json::{Value, json};

    use super::super::mirrors::Mirrors;
    use super::super::nodes::NodeArguments;
    use super::super::recipe::Client;
    use super::super::source::HostKind;
    use super::*;
    use crate::error::{Error, Result};

    const NAME: &str = "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r";
    const FROM: [&str; 2] = ["https://registry.example.com/", "http://10.0.0.1:5050"];

    fn nodes(words: &[&str], from: &[&str]) -> Result<NodeSetup> {
        let command = <NodeArguments as clap::Args>::augment_args(clap::Command::new("client"));
        let matches = command.try_get_matches_from(["client"].iter().chain(words)).unwrap();
        let from: Vec<String> = from.iter().map(|&from| from.to_owned()).collect();
        NodeArguments::from_arg_matches(&matches).unwrap().setup(&from)
    }

    fn of(words: &[&str]) -> Recipe {
        let words = [&["--follow", NAME], words].concat();
        let nodes = nodes(&words, &FROM).unwrap();
        let setup = ClientSetup {
            client: Client::Kubernetes,
            source: nodes.client_source().unwrap(),
            kind: HostKind::Serve,
            sure: true,
            types_from: None,
            mirrors: Mirrors::default(),
            nodes: None,
            example: None,
        };
        recipe(&setup, &nodes)
    }

    fn shown(recipe: &Recipe) -> String {
        format!("{}---\n{}\n---\n{}\n", recipe.printed(), recipe.notes.join("\n"), recipe.reload.join("\n"))
    }

    fn documents(recipe: &Recipe) -> Vec<Value> {
        serde_saphyr::from_multiple(&recipe.printed()).unwrap()
    }

    #[test]
    fn what_is_printed() {
        insta::assert_snapshot!("daemon_set", shown(&of(&[])));
        let more = ["--listen", "127.0.0.1:6060", "--mode", "lazy", "--every", "10m", "--systemd"];
        insta::assert_snapshot!("unit", shown(&of(&more)));
    }

    #[test]
    fn the_daemon_set_follows_and_serves_on_every_node() {
        let documents = documents(&of(&["--mode", "tags"]));
        let kinds: Vec<&Value> = documents.iter().map(|document| &document["kind"]).collect();
        assert_eq!(kinds, ["Namespace", "Service", "DaemonSet"]);
        let set = &documents[2];
        let (labels, pod) = (&set["spec"]["template"]["metadata"]["labels"], &set["spec"]["template"]["spec"]);
        assert_eq!(&set["spec"]["selector"]["matchLabels"], labels);
        assert_eq!(&documents[1]["spec"]["selector"], labels);
        assert_eq!((&pod["hostNetwork"], &pod["tolerations"]), (&json!(true), &json!([{"operator": "Exists"}])));
        let follower = &pod["containers"][0];
        let expected = [
            "roadstead",
            "--data-dir",
            "/var/lib/roadstead",
            "serve",
            "--ipfs",
            "--no-swarm",
            "--listen",
            "0.0.0.0:5050",
            "--follow",
            NAME,
            "--mode",
            "tags",
            "--from",
            "https://registry.example.com",
            "--from",
            "http://10.0.0.1:5050",
            "--from",
            "http://$(FOLLOWERS_SERVICE_HOST):5050",
        ];
        assert_eq!(follower["command"], json!(expected));
        assert_eq!(follower["readinessProbe"]["httpGet"], json!({"host": "127.0.0.1", "port": 5050, "path": "/v2/"}));
        for container in [follower, &pod["initContainers"][0]] {
            let security = &container["securityContext"];
            assert_eq!(
                (&security["capabilities"]["drop"], &security["readOnlyRootFilesystem"]),
                (&json!(["ALL"]), &json!(true))
            );
            for mount in container["volumeMounts"].as_array().unwrap() {
                let volumes = pod["volumes"].as_array().unwrap();
                assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{mount}");
            }
        }
    }

    #[test]
    fn a_node_by_itself_takes_from_no_other() {
        let documents = documents(&of(&["--listen", "[::1]:6060"]));
        assert_eq!(documents.len(), 2);
        let pod = &documents[1]["spec"]["template"]["spec"];
        assert!(!pod["containers"][0]["command"].to_string().contains("SERVICE"));
        assert_eq!(pod["containers"][0]["readinessProbe"]["httpGet"]["host"], "::1");
        assert!(pod["initContainers"][0]["command"].to_string().contains("http://[::1]:6060"));
    }

    #[test]
    fn what_is_said_is_no_variable_and_no_yaml() {
        let odd = "https://example.com/$(HOME)\"#:%20{}";
        let nodes = nodes(&["--follow", NAME], &[odd, "http://127.0.0.1:8080"]).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&manifest(&nodes)).unwrap();
        let command = &documents[2]["spec"]["template"]["spec"]["containers"][0]["command"];
        assert_eq!(command[11], odd.replace('$', "$$"), "{command}");
        assert!(nodes.sources.iter().any(|source| is_loopback(source)), "a note says so");
    }

    /// What the init container runs makes the file that is printed.
    #[test]
    fn containerd_has_one_file_for_all() {
        let recipe = of(&[]);
        let file = recipe.files.last().unwrap();
        assert_eq!(file.path, "etc/containerd/certs.d/_default/hosts.toml");
        let table: toml::Table = file.text.parse().unwrap();
        assert_eq!(table["host"]["http://127.0.0.1:5050"]["capabilities"], vec!["pull", "resolve"].into());
        assert!(table.get("server").is_none(), "what is not here comes from its own registry");
        let init = documents(&recipe)[2]["spec"]["template"]["spec"]["initContainers"][0]["command"].clone();
        let words: Vec<String> = serde_json::from_value(init).unwrap();
        assert_eq!(
            words[3..],
            ["client", "containerd", "--kind", "serve", "--from", "http://127.0.0.1:5050", "--write", CERTS_DIRECTORY]
        );
    }

    #[test]
    fn what_nodes_can_not_do_is_refused() {
        let refused = |words: &[&str], from: &[&str]| -> Error { nodes(words, from).unwrap_err() };
        assert!(refused(&[], &FROM).hints()[0].contains("--follow k51"));
        // Without a source it is the swarm that nodes follow from.
        let alone = |from: &[&str]| {
            let words = nodes(&["--follow", NAME], from).unwrap().words("/data");
            words.iter().any(|word| word == "--no-swarm")
        };
        assert_eq!((alone(&[]), alone(&FROM)), (false, true));
        let listen = |address| refused(&["--follow", NAME, "--listen", address], &FROM).to_string();
        assert_eq!(listen("10.0.0.5:5050"), "10.0.0.5 is the address of one node, and all nodes listen alike");
        assert_eq!(listen("0.0.0.0:443"), "followers can't listen on port 443");
    }
}
