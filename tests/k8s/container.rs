//! **The question:** does a pod's command, as the chart renders it, run under what its manifest takes away: not root,
//! no capability, no new privileges, a root that nobody writes to?

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::tools::{container, documents, named, ours, rendered, told};
use crate::keepers::process::{BINARY, wait_until};

/// A container's process in namespaces of its own.
struct Pod {
    unshare: Child,
    /// The process, as this machine counts.
    pid: u32,
    stdout: BufReader<std::process::ChildStdout>,
    /// The process' standard error.
    log: std::path::PathBuf,
    _folder: TempDir,
}

impl Pod {
    /// Runs the container of `set` with these files in its volumes; `None` where namespaces are not to be had.
    fn start(set: &Value, files: &[(&str, &[u8])]) -> Option<Self> {
        let mut trial = Command::new("unshare");
        trial.args(["--mount", "--net", "--pid", "--fork", "true"]).stderr(Stdio::null());
        if !rustix::process::geteuid().is_root() || !trial.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: no namespaces may be made (util-linux, root)");
            return None;
        }
        let container = container(set);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |key: &str| container[key].as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
        let variables = container["env"].as_array().into_iter().flatten();
        let variables: Vec<(String, String)> = variables.map(|one| (text(&one["name"]), value_of(one))).collect();
        // As the kubelet writes them out.
        let expand = |word: String| {
            variables.iter().fold(word, |word, (name, value)| word.replace(&format!("$({name})"), value))
        };
        let words: Vec<String> = list("command").into_iter().chain(list("args")).map(expand).collect();
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let writable: Vec<_> =
            mounts.filter(|one| one["readOnly"] != true).map(|one| text(&one["mountPath"])).collect();

        let folder = tempfile::tempdir().unwrap();
        let (root, laid, log) = (folder.path().join("root"), folder.path().join("files"), folder.path().join("log"));
        fs::create_dir(&root).unwrap();
        let (user, group) = (&container["securityContext"]["runAsUser"], &container["securityContext"]["runAsGroup"]);
        for (path, bytes) in files {
            lay(&laid.join(path.trim_start_matches('/')), bytes, group.as_u64().expect("a number"));
        }
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh"]).arg(ours("tests/k8s/pod.sh"));
        command.args([root.as_path(), Path::new(BINARY), &laid]).args([
            writable.join(" "),
            user.to_string(),
            group.to_string(),
        ]);
        command.args(["/usr/bin/env", "-i", "PATH=/app:/usr/bin"]);
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}"))).args(words);
        let mut unshare = command.stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut stdout = BufReader::new(unshare.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("listens at"), "{line:?}: {}", fs::read_to_string(&log).unwrap());
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let pid = fs::read_to_string(children).unwrap().trim().parse().unwrap();
        Some(Self { unshare, pid, stdout, log, _folder: folder })
    }

    /// What `curl` is told inside, by a probe of the container; `None`: nothing good yet.
    fn get(&self, path: &str) -> Option<String> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.unshare.id()));
        let url = format!("http://127.0.0.1:8080{path}");
        let output =
            command.args(["curl", "--silent", "--fail", "--noproxy", "*", "--max-time", "5", &url]).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Nothing that the manifest takes away is left to it.
    fn assert_confined(&self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
            line.unwrap_or_else(|| panic!("no {name} in {status}")).split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!((field("Uid"), field("Gid")), (vec!["10001"; 4], vec!["10001"; 4]));
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(field("NoNewPrivs"), ["1"]);
        assert_eq!(field("NSpid").last(), Some(&"1"), "the first process, to which no signal has a default");
        let mounts = fs::read_to_string(format!("/proc/{}/mounts", self.pid)).unwrap();
        let options = |at: &str| {
            let line = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some(at));
            line.unwrap_or_else(|| panic!("{at} in {mounts}")).split(' ').nth(3).unwrap().to_owned()
        };
        assert!(options("/").starts_with("ro,") && options("/usr").starts_with("ro,"), "{mounts}");
    }

    /// Asks it to end as Kubernetes does; how it did, what it printed since, and its log.
    fn terminate(mut self) -> (ExitStatus, String, String) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).expect("a process has a positive id");
        kill_process(pid, Signal::TERM).expect("it runs");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let status = self.unshare.wait().unwrap();
        (status, rest, fs::read_to_string(&self.log).unwrap())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // With it goes what it started.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// What a variable is inside: what stands there, or what the kubelet knows.
fn value_of(variable: &Value) -> String {
    match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("status.hostIP" | "status.podIP") => "127.0.0.1".into(),
        Some("metadata.name") => "tessera-cpu-0".into(),
        Some("metadata.namespace") => "tessera".into(),
        Some(other) => panic!("{other} is no field that this test knows"),
        None => variable["value"].as_str().expect("a text").into(),
    }
}

/// A file of a volume: root's, and the group may read it.
fn lay(path: &Path, bytes: &[u8], group: u64) {
    use std::os::unix::fs::{PermissionsExt, chown};
    fs::create_dir_all(path.parent().expect("it is in a folder")).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o440)).unwrap();
    chown(path, Some(0), u32::try_from(group).ok()).unwrap();
}

#[test]
fn a_nodes_pod_runs_confined_until_it_is_ready_and_ends_when_it_is_asked_to() {
    let flags = ["--set", "config.media.decoders=process", "--set", "config.video.encoder=aom"];
    let documents = documents(&rendered(None, &flags));
    let set = named(&documents, "StatefulSet", "tessera-cpu");
    let toml = named(&documents, "ConfigMap", "tessera-cpu")["data"]["tessera.toml"].as_str().unwrap();
    let Some(pod) = Pod::start(set, &[("/etc/tessera/tessera.toml", toml.as_bytes())]) else { return };
    let probe = |name: &str| container(set)[name]["httpGet"]["path"].as_str().unwrap().to_owned();
    wait_until("it started", || pod.get(&probe("startupProbe")).is_some());
    wait_until("it is ready", || pod.get(&probe("readinessProbe")).is_some());
    assert!(pod.get(&probe("livenessProbe")).is_some());
    pod.assert_confined();
    let (status, _, log) = pod.terminate();
    assert!(status.success(), "{status}: {log}");
    // Whether there is Landlock is for the machine's kernel to say.
    assert!(!log.contains("\"seccomp\":false"), "its decoders confine themselves all the same: {log}");
}

#[test]
fn a_keepers_pod_runs_confined_with_its_keys_locked_and_ends_when_it_is_asked_to() {
    let documents = documents(&rendered(Some("recorded"), &[]));
    let set = named(&documents, "StatefulSet", "tessera-keeper-2");
    let folder = tempfile::tempdir().unwrap();
    let pki = folder.path().join("pki");
    let hosts = [1, 2, 3].map(|n| format!("tessera-keeper-{n}.tessera-keepers.svc:7443"));
    told(Command::new(BINARY).args(["keeper", "init", "--out"]).arg(&pki).args(hosts).output().unwrap());
    let files = ["ca", "cert", "key"].map(|name| {
        (format!("/etc/tessera/keeper/{name}.pem"), fs::read(pki.join(format!("keeper-2/{name}.pem"))).unwrap())
    });
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let Some(pod) = Pod::start(set, &files) else { return };
    pod.assert_confined();
    let (status, told, log) = pod.terminate();
    assert!(status.success(), "{status}: {log}");
    assert!(told.contains("audit log /var/lib/tessera/keeper/") && !told.contains("did not lock"), "{told}");
}
