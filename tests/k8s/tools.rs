//! **The question:** how does a test get helm, kubectl, promtool and checkov, and read what they print?

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// The values under which the chart is looked at, by the file in `k8s/examples`; none: its defaults.
pub const EXAMPLES: [Option<&str>; 7] =
    [None, Some("recorded"), Some("gpu"), Some("loadbalancer"), Some("nat"), Some("stunner"), Some("fleet")];

/// A file or folder of this repository.
pub fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of this repository.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(ours(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One of the programs that `.ci/kube` fetches.
pub fn tool(name: &str) -> Command {
    Command::new(place().join("bin").join(name))
}

/// Python with the packages that `.ci/kube` fetches, running one of them.
pub fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    // Neither asks anybody who runs it, nor keeps compiled files in the cache that tests share.
    command.env("PYTHONPATH", place()).env("PYTHONDONTWRITEBYTECODE", "1").args(arguments);
    command
}

fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let output = Command::new(ours(".ci/kube")).output().expect("a shell runs .ci/kube");
        PathBuf::from(told(output).trim())
    })
}

/// What a command printed; it has to succeed.
#[track_caller]
pub fn told(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    // Licences are in whatever encoding their authors had.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {errors}{text}", output.status);
    text
}

/// `helm template` as the documentation has it, with more flags.
pub fn template(flags: &[&str]) -> Command {
    let mut command = tool("helm");
    // No configuration or cache of whoever runs the test.
    command.env("HOME", "/nonexistent").current_dir(ours("."));
    command.args(["template", "tessera", "k8s/chart", "--namespace", "tessera"]).args(flags);
    command
}

/// What the chart renders with an example's values and more flags.
pub fn rendered(example: Option<&str>, flags: &[&str]) -> String {
    let mut command = template(flags);
    if let Some(name) = example {
        command.args(["--values", &format!("k8s/examples/{name}.yaml")]);
    }
    told(command.output().unwrap())
}

/// The documents of a YAML text.
pub fn documents(yaml: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.yaml");
    std::fs::write(&file, yaml).unwrap();
    let program = "import json, sys, yaml; print(json.dumps([d for d in yaml.safe_load_all(open(sys.argv[1])) if d]))";
    let json = told(python(&["-c", program]).arg(&file).output().unwrap());
    serde_json::from_str(&json).expect("json.dumps prints JSON")
}

/// The only document of that kind and name.
#[track_caller]
pub fn named<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = documents.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The only container of a StatefulSet.
pub fn container(set: &Value) -> &Value {
    &set["spec"]["template"]["spec"]["containers"][0]
}
