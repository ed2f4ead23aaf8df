//! **The question:** how does a test start real keepers with real certificates, each under a clock of its own, and a
//! node beside them?

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tessera::base::media::Pts;
use tessera::core::retention::{RecordingName, Retention};
use tessera::engine::flow::Counter;
use tessera::io::keeper::{Identity, IdentityFiles, make_certificates};
use tessera::io::recording::RecordingPlace;
use tessera::io::store::{Archive, ArchiveCounters, Keepers, ReadError};
use tokio::runtime::Runtime;

use crate::record::material::Call;

pub const BINARY: &str = env!("CARGO_BIN_EXE_tessera");
pub const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const CALL: Duration = Duration::from_secs(5);

/// Three keepers, each at a loopback address of its own, and their certificates.
pub struct Trio {
    pub folder: TempDir,
    pub addresses: [String; 3],
    keepers: [Option<Running>; 3],
    memory: bool,
    timed: bool,
}

struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Trio {
    /// Keys on disk.
    pub fn start() -> Self {
        Self::of(false, false)
    }

    /// Keys in memory only.
    pub fn start_in_memory() -> Self {
        Self::of(true, false)
    }

    /// Each under a clock that the test sets; `None` where libfaketime is missing.
    pub fn start_timed() -> Option<Self> {
        if !Path::new(FAKETIME).exists() {
            eprintln!("skipped: {FAKETIME} is not installed (Debian: faketime)");
            return None;
        }
        Some(Self::of(false, true))
    }

    fn of(memory: bool, timed: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hosts = [1, 2, 3].map(|n| format!("127.0.0.{n}"));
        make_certificates(&folder.path().join("pki"), &hosts).unwrap();
        let addresses = hosts.map(|host| {
            let free = TcpListener::bind((host.as_str(), 0)).unwrap();
            free.local_addr().unwrap().to_string()
        });
        let mut trio = Self { folder, addresses, keepers: [const { None }; 3], memory, timed };
        for n in 0..3 {
            trio.set_clock(n, 0);
            trio.start_one(n);
        }
        trio
    }

    pub fn keeper_folder(&self, n: usize) -> PathBuf {
        self.folder.path().join(format!("keeper-{n}"))
    }

    pub fn certificates(&self, whose: &str) -> PathBuf {
        self.folder.path().join("pki").join(whose)
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Sets a keeper's clock, or with 3 that of anyone who looks, so many seconds ahead of the machine's.
    pub fn set_clock(&self, n: usize, ahead: i64) {
        let clock = self.clock(n);
        std::fs::write(clock.with_extension("new"), format!("{ahead:+}\n")).unwrap();
        std::fs::rename(clock.with_extension("new"), clock).unwrap();
    }

    fn clock(&self, n: usize) -> PathBuf {
        self.folder.path().join(format!("clock-{n}"))
    }

    fn under_clock(&self, command: &mut Command, n: usize) {
        if self.timed {
            command.env("LD_PRELOAD", FAKETIME).env("FAKETIME_TIMESTAMP_FILE", self.clock(n));
            command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
    }

    /// Starts a keeper and gives its first line.
    pub fn start_one(&mut self, n: usize) -> String {
        let mut command = Command::new(BINARY);
        command.args(["keeper", "--listen", &self.addresses[n]]).arg("--folder").arg(self.keeper_folder(n));
        command.arg("--certificates").arg(self.certificates(&format!("keeper-{}", n + 1)));
        for (_, address) in self.addresses.iter().enumerate().filter(|(peer, _)| *peer != n) {
            command.args(["--peer", address]);
        }
        if self.memory {
            command.arg("--memory");
        }
        self.under_clock(&mut command, n);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("listens at"), "{line:?}: {:?}", child.try_wait());
        self.keepers[n] = Some(Running { child, stdout });
        line
    }

    /// Ends a keeper as Ctrl-C does; what it said last.
    pub fn stop_one(&mut self, n: usize) -> String {
        self.signal(n, Signal::INT);
        let mut running = self.keepers[n].take().expect("it runs");
        let ended = running.child.wait().unwrap();
        assert!(ended.success(), "{ended}");
        running.stdout.by_ref().lines().map_while(Result::ok).last().unwrap_or_default()
    }

    /// Ends a keeper as a power cut does.
    pub fn kill_one(&mut self, n: usize) {
        self.keepers[n] = None;
    }

    /// A keeper that is there and does not answer.
    pub fn pause_one(&self, n: usize) {
        self.signal(n, Signal::STOP);
        // The signal is sent: each of its threads stops when it next could run.
        let tasks = || std::fs::read_dir(format!("/proc/{}/task", self.pid(n))).expect("it runs").flatten();
        let state = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("stat"));
        let stands = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, after)| after.starts_with('T'));
        wait_until("it stands still", || tasks().all(|task| state(task).is_ok_and(stands)));
    }

    pub fn resume_one(&self, n: usize) {
        self.signal(n, Signal::CONT);
    }

    pub fn pid(&self, n: usize) -> u32 {
        self.keepers[n].as_ref().expect("it runs").child.id()
    }

    fn signal(&self, n: usize, signal: Signal) {
        let running = self.keepers[n].as_ref().expect("it runs");
        let pid = i32::try_from(running.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// A node's archive with these keepers, in this process.
    pub fn home(&self) -> Home {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let identity = Identity::load(&IdentityFiles::in_folder(&self.certificates("node"))).unwrap();
        let (errors, handle) = (Counter::default(), runtime.handle().clone());
        let keepers = Keepers::new(&self.addresses, &identity, errors.clone()).unwrap();
        let up = self.keepers.iter().flatten().count();
        wait_until("keepers answer", || {
            runtime.block_on(keepers.poll_all());
            keepers.told().len() == up
        });
        let (store, counters) = (self.store(), ArchiveCounters::default());
        let store = store.to_str().unwrap();
        let archive = Archive::with_keepers(store, keepers.clone(), Retention::default(), handle, counters).unwrap();
        Home { archive: Arc::new(archive), keepers, errors, runtime }
    }

    /// `tessera recordings …` with these keepers, under the fourth clock.
    pub fn recordings(&self, action: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.arg("recordings").args(action).arg("--store").arg(self.store());
        command.args(["--keepers", &self.addresses.join(",")]);
        command.arg("--certificates").arg(self.certificates("node"));
        self.under_clock(&mut command, 3);
        command.output().unwrap()
    }
}

/// An archive whose keepers are other processes.
pub struct Home {
    pub archive: Arc<Archive>,
    pub keepers: Keepers,
    pub errors: Counter,
    pub runtime: Runtime,
}

impl Home {
    pub fn poll_all(&self) {
        self.runtime.block_on(self.keepers.poll_all());
    }

    /// Until so many keepers answer: on a busy machine one may miss its second.
    pub fn see(&self, answering: usize) {
        wait_until("keepers answer", || {
            self.poll_all();
            self.keepers.told().len() == answering
        });
    }

    /// Until the recording has so many wraps.
    pub fn repair(&self, store: &Path, recording: RecordingName, wanted: usize) -> Vec<String> {
        wait_until("wraps are added", || {
            self.poll_all();
            self.runtime.block_on(self.archive.mend_wraps());
            wraps(store, recording).len() == wanted
        });
        wraps(store, recording)
    }

    pub fn call(&self) -> Call {
        Call::new(RecordingPlace::Sealed(self.archive.clone()), Pts(0))
    }

    /// A recording of five seconds, whole.
    pub fn recorded(&self) -> RecordingName {
        let mut call = self.call();
        call.run(Pts(0), Pts(0) + CALL, |_| true, |_| true);
        let summary = call.finish(Pts(0) + CALL);
        assert_eq!((summary.trouble, summary.gaps.len()), (None, 0));
        summary.sealed.unwrap()
    }

    pub fn read(&self, recording: RecordingName) -> Result<Vec<u8>, ReadError> {
        self.runtime.block_on(async {
            let mut reading = self.archive.read(recording, 0).await?;
            let mut whole = Vec::new();
            while (whole.len() as u64) < reading.len() {
                whole.extend_from_slice(&reading.next(&(whole.len() as u64..reading.len())).await?);
            }
            Ok(whole)
        })
    }
}

/// The wraps that a recording has, by name.
pub fn wraps(store: &Path, recording: RecordingName) -> Vec<String> {
    let folder = store.join(tessera::core::record::folder(recording)).join("wrap");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until it is so, at most half a minute.
pub fn wait_until(what: &str, so: impl FnMut() -> bool) {
    wait_until_within(Duration::from_secs(30), what, so);
}

/// Waits until it is so, at most for so long.
pub fn wait_until_within(patience: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !so() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
