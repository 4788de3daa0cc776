//! Lists of references on standard input.

use super::*;
use std::fs::File;

/// Runs it with this on standard input.
#[track_caller]
fn run_with_input(scene: &Scene, arguments: &[&str], input: &str) -> Finished {
    let file = scene.roadstead.path("input");
    std::fs::write(&file, input).expect("a file");
    let mut command = scene.roadstead.command(arguments);
    let output = command.stdin(File::open(file).expect("a file")).output().expect("the program");
    checked(Finished {
        line: format!("roadstead {}", arguments.join(" ")),
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    })
}

#[test]
fn references_come_from_standard_input() {
    let scene = Scene::new();
    for repository in ["kube-apiserver", "pause", "coredns/coredns", "extra"] {
        scene.put(repository, "v1.34.1", &image(repository));
    }
    let host = scene.host();
    // `kubeadm config images list` with a file's habits around it, and one twice.
    let input = format!(
        "\u{feff}# what a cluster needs\r\n{host}/kube-apiserver:v1.34.1\r\n\r\n   {host}/pause:v1.34.1   # sandbox\n\
         {host}/coredns/coredns:v1.34.1\n{host}/pause:v1.34.1\n\t\n#{host}/none:1"
    );
    let extra = scene.reference("extra:v1.34.1");
    run_with_input(&scene, &["add", "--insecure", "-", &extra], &input).success();
    let expected = ["coredns/coredns", "extra", "kube-apiserver", "pause"].map(|name| scene.published(name));
    assert_eq!(scene.listed(), expected);
}

#[test]
fn a_wrong_line_refuses_the_whole_list() {
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    let good = scene.reference("app:1");
    let said = run_with_input(&scene, &["add", "--insecure", "-"], &format!("{good}\n\n  Upper:1\n")).failure(2);
    says(&said, &["standard input, line 3", "`Upper:1` is not an image reference", "hint: Nothing was done"]);
    let input = format!("https://{good}\n{good}\n\u{1b}[31m/x\n-\n");
    let said = run_with_input(&scene, &["add", "--insecure", "-"], &input).failure(2);
    says(&said, &["3 lines of standard input", "line 1: ", "line 3: ", "line 4: ", "has a scheme"]);
    let said = run_with_input(&scene, &["add", "--insecure", "-"], "# nothing\r\n").failure(2);
    says(&said, &["standard input contains no image reference"]);
    assert_eq!(scene.registry.total_requests(), 0);
    assert!(!scene.data().join("catalog.db").exists(), "no catalog is made for what is refused");
}
