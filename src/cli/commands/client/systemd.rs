//! A service of systemd that follows and serves on one node (systemd.service(5), systemd.exec(5)).

use super::nodes::NodeSetup;
use super::recipe::Recipe;
use crate::cli::quoting::systemd_command_line;

/// What the unit and its data directory are called.
const NAME: &str = "roadstead-follower";
const UNIT_DIRECTORY: &str = "etc/systemd/system";
/// Where the program is on nodes: others than the one on which this is printed.
const PROGRAM: &str = "/usr/local/bin/roadstead";

/// Adds the unit, and what to do with it.
pub(super) fn add_unit(recipe: &mut Recipe, nodes: &NodeSetup) {
    recipe.place = Some("");
    recipe.file(format!("{UNIT_DIRECTORY}/{NAME}.service"), unit(nodes));
    recipe.reload.push("systemctl daemon-reload".to_owned());
    recipe.reload.push(format!("systemctl enable --now {NAME}"));
    recipe.note(format!(
        "On each node, put the program at {PROGRAM}; `roadstead client kubernetes --systemd … --write /` writes both files there."
    ));
    recipe.note(format!("`journalctl -u {NAME}` shows what it says; its data is in /var/lib/{NAME}."));
}

fn unit(nodes: &NodeSetup) -> String {
    let mut words = vec![PROGRAM.to_owned()];
    words.extend(nodes.words(&format!("/var/lib/{NAME}")));
    format!(
        "[Unit]
Description=Follow a published registry and serve it to this node
Wants=network-online.target
After=network-online.target
Before=kubelet.service

[Service]
ExecStart={}
Restart=always
RestartSec=5s
DynamicUser=true
StateDirectory={NAME}
StateDirectoryMode=0700
CapabilityBoundingSet=
NoNewPrivileges=true
PrivateDevices=true
PrivateTmp=true
ProtectHome=true
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
",
        systemd_command_line(&words)
    )
}
