//! **The question:** how does a test start the real binary, and end it?

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_tessera");

/// A node in a process and a folder of its own, on free ports.
pub struct Node {
    child: Child,
    /// Where its page is, ending with a slash.
    pub url: String,
    /// Where its media socket is reached on this machine.
    pub media: SocketAddr,
    _folder: TempDir,
}

/// Simulated people in a process of their own.
pub struct Load {
    child: Child,
}

impl Node {
    /// Starts it and waits until it says where it listens.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As `start`, with more flags.
    pub fn start_with(flags: &[&str]) -> Self {
        Self::start_in(flags, &[])
    }

    /// As `start_with`, with more in its environment.
    pub fn start_in(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_logging(flags, environment, Stdio::inherit())
    }

    /// As `start_in`, with its log going to `log`.
    pub fn start_logging(flags: &[&str], environment: &[(&str, &str)], log: impl Into<Stdio>) -> Self {
        Self::start_at("127.0.0.1:0", flags, environment, log)
    }

    /// As `start_logging`, its pages at `http`.
    pub fn start_at(http: &str, flags: &[&str], environment: &[(&str, &str)], log: impl Into<Stdio>) -> Self {
        Self::start_program(Path::new(BINARY), http, flags, environment, log)
    }

    /// As `start_at`, by another program that becomes the node.
    pub fn start_program(
        program: &Path,
        http: &str,
        flags: &[&str],
        environment: &[(&str, &str)],
        log: impl Into<Stdio>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(program)
            .args(["serve", "--http", http, "--media", "0.0.0.0:0"])
            .args(flags)
            .envs(environment.iter().copied())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let word =
            |line: &str, starts: &str| line.split_whitespace().find(|w| w.starts_with(starts)).map(str::to_owned);
        let line = lines.by_ref().map_while(Result::ok).find(|line| word(line, "http").is_some());
        let line = line.unwrap_or_else(|| panic!("the node ended without saying where it listens: {:?}", child.wait()));
        let url = word(&line, "http").expect("the line was chosen by it");
        let port = line.trim_end_matches(')').rsplit(':').next().and_then(|port| port.parse().ok());
        let media = SocketAddr::from(([127, 0, 0, 1], port.expect("the line ends with the media socket's address")));
        Self { child, url: format!("{}/", url.trim_end_matches('/')), media, _folder: folder }
    }

    /// Waits until so many are in the room.
    pub async fn wait_for_participants(&self, room: &str, wanted: usize, patience: Duration) {
        let until = Instant::now() + patience;
        let client = super::driver::client();
        loop {
            let response = client.get(format!("{}v1/rooms/{room}", self.url)).send().await.expect("the node answers");
            let detail: Value = response.json().await.expect("rooms and problems are JSON");
            if detail["participants"].as_array().map_or(0, Vec::len) == wanted {
                return;
            }
            assert!(Instant::now() < until, "never {wanted} in the room: {detail}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended by itself; `None`: it goes on.
    pub fn ended(mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }

    /// Asks it to end, as Ctrl-C does, and expects success.
    pub fn stop(mut self) {
        interrupt(&self.child);
        let status = self.child.wait().expect("the node was ours to wait for");
        assert!(status.success(), "the node ended with {status}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Load {
    /// Brings so many people to the room, for at most so many seconds. Their cameras send the same all the time, which
    /// is what those ask for whom they are a room's people and nothing more.
    pub fn start(node: &Node, room: &str, participants: u32, duration_s: u32) -> Self {
        Self::start_with(node, room, participants, duration_s, &[])
    }

    /// As `start`, with more flags.
    pub fn start_with(node: &Node, room: &str, participants: u32, duration_s: u32, flags: &[&str]) -> Self {
        let heedless = ["--heedless"];
        Self::begin(node, room, participants, duration_s, &[&heedless, flags].concat())
    }

    /// As `start_with`, and waits until all have joined, have what to send, and what they see counts.
    pub fn start_measuring(node: &Node, room: &str, participants: u32, duration_s: u32, flags: &[&str]) -> Self {
        Self::measuring(Self::command(node, room, participants, duration_s).arg("--heedless").args(flags))
    }

    /// As `start_measuring`, and they send what they are asked for.
    pub fn start_measuring_heeding(
        node: &Node,
        room: &str,
        participants: u32,
        duration_s: u32,
        flags: &[&str],
    ) -> Self {
        Self::measuring(Self::command(node, room, participants, duration_s).args(flags))
    }

    fn measuring(command: &mut Command) -> Self {
        let child = command.stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "measuring"), "it ended before: {:?}", child.wait());
        Self { child }
    }

    /// As `start`, and they send what they are asked for, as browsers do.
    pub fn start_heeding(node: &Node, room: &str, participants: u32, duration_s: u32) -> Self {
        Self::begin(node, room, participants, duration_s, &[])
    }

    fn begin(node: &Node, room: &str, participants: u32, duration_s: u32, flags: &[&str]) -> Self {
        let mut command = Self::command(node, room, participants, duration_s);
        Self { child: command.args(flags).spawn().expect("the binary starts") }
    }

    fn command(node: &Node, room: &str, participants: u32, duration_s: u32) -> Command {
        let mut command = Command::new(BINARY);
        command.args(["load", "--url", &node.url, "--room", room]).stdout(Stdio::null());
        command.args(["--participants", &participants.to_string(), "--duration", &format!("{duration_s}s")]);
        command
    }

    /// Asks them to leave; how they fared is not this test's question.
    pub fn stop(mut self) {
        interrupt(&self.child);
        let _ = self.child.wait();
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a positive pid");
    let _ = kill_process(pid, Signal::INT);
}
