//! **The question:** who burns the processor, and how much memory is held? Read from `/proc` (proc(5)), for this
//! process or any.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// What a node's processes of decoders call themselves; their time is the decode threads' time.
pub const DECODER_NAME: &CStr = c"tessera-decoder";

/// Linux reports processor time in hundredths of a second to user space, whatever the kernel's own tick (proc(5),
/// time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds by the name of the thread: the part before the first `-`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ByThread {
    /// `net-n`: the media socket.
    pub net: f64,
    /// `decode-n`, and their processes.
    pub decode: f64,
    /// `mix-n`.
    pub mix: f64,
    /// `compose-n`.
    pub compose: f64,
    /// `encode-…`, and the threads an encoder starts itself: they inherit its name.
    pub encode: f64,
    /// `package-…`: recorder and packaging.
    pub package: f64,
    /// Everything else, threads that have ended included.
    pub other: f64,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Processor seconds by thread group, user and system together.
    pub seconds: ByThread,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
}

impl Usage {
    /// Of this process.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn own() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// Of process `pid`.
    ///
    /// # Errors
    /// When the process is gone or `/proc` is not there.
    pub fn of(pid: u32) -> io::Result<Self> {
        ThreadClock::default().read(pid)
    }

    /// Resident memory, MiB.
    #[must_use]
    pub fn resident_mib(&self) -> f64 {
        self.resident_bytes as f64 / (1024.0 * 1024.0)
    }
}

/// One clock for the whole life of every thread: what a thread has used stays with its group when it ends, so that no
/// group's time ever falls. A scraper takes a fall for a restart and counts everything anew.
#[derive(Debug, Default)]
pub struct ThreadClock {
    /// The threads that lived when last read, by id and start: an id is used again.
    living: HashMap<(u64, u64), Spent>,
    /// What threads that are gone were last seen to have used.
    ended: ByThread,
    /// What the processes of decoders were last seen to have used, by id and start, as long as they live.
    decoders: HashMap<(u64, u64), f64>,
    /// The same of those that are gone.
    decoders_ended: f64,
    /// Whatever is in no named group; what a thread used after it was last seen is found here.
    other: f64,
}

/// What one thread was last seen to have used.
#[derive(Debug, Clone, Copy)]
struct Spent {
    group: Group,
    seconds: f64,
}

impl ThreadClock {
    /// What process `pid` has used so far; always the same process.
    ///
    /// # Errors
    /// When the process is gone or `/proc` is not there.
    pub fn read(&mut self, pid: u32) -> io::Result<Usage> {
        let root = format!("/proc/{pid}");
        let mut living = HashMap::with_capacity(self.living.len());
        let mut decoders = Decoders::default();
        for task in fs::read_dir(format!("{root}/task"))? {
            let task = task?.path();
            // Where the kernel does not tell children, there is no such file.
            decoders.add(&fs::read_to_string(task.join("children")).unwrap_or_default());
            // A thread may end between the listing and the reading; what it used since it was last seen then counts as
            // `other`.
            let Ok(stat) = fs::read_to_string(task.join("stat")) else { continue };
            if let Some(Stat { id, name, started, seconds, .. }) = Stat::parse(&stat) {
                let before = self.living.remove(&(id, started));
                // A thread has its parent's name for a moment: it may still come to its group, and never leaves one.
                let (group, before) = match before {
                    Some(Spent { group, seconds }) if group != Group::Other => (group, seconds),
                    other => (Group::of(name), other.map_or(0.0, |spent| spent.seconds)),
                };
                living.insert((id, started), Spent { group, seconds: seconds.max(before) });
            }
        }
        for gone in self.living.values() {
            *self.ended.of_mut(gone.group) += gone.seconds;
        }
        self.living = living;
        let mut seconds = self.ended;
        for spent in self.living.values() {
            *seconds.of_mut(spent.group) += spent.seconds;
        }
        let whole = Stat::parse(&fs::read_to_string(format!("{root}/stat"))?).map_or(0.0, |stat| stat.seconds);
        // The kernel rounds the process and its threads apart from each other.
        self.other = self.other.max(whole - seconds.named());
        seconds.other = self.other;
        seconds.decode += self.decoders_since(decoders.seconds);
        let resident_bytes = kibibytes(&fs::read_to_string(format!("{root}/status"))?, "VmRSS:") * 1024;
        Ok(Usage { seconds, resident_bytes: resident_bytes + decoders.resident_bytes })
    }

    /// What all processes of decoders have used, given what those have that live.
    fn decoders_since(&mut self, living: HashMap<(u64, u64), f64>) -> f64 {
        let before = std::mem::replace(&mut self.decoders, living);
        let gone = before.iter().filter(|(process, _)| !self.decoders.contains_key(*process));
        self.decoders_ended += gone.map(|(_, seconds)| seconds).sum::<f64>();
        self.decoders_ended + self.decoders.values().sum::<f64>()
    }
}

/// What a process's processes of decoders use.
#[derive(Debug, Default)]
struct Decoders {
    seconds: HashMap<(u64, u64), f64>,
    /// Their own memory, and what they share with the node, which counts there too as far as it looked at it.
    resident_bytes: u64,
}

impl Decoders {
    /// Adds those that are among the `children` of one thread.
    fn add(&mut self, children: &str) {
        for pid in children.split_ascii_whitespace() {
            let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let line = read("stat");
            let Some(stat) = Stat::parse(&line).filter(|stat| stat.name.as_bytes() == DECODER_NAME.to_bytes()) else {
                continue;
            };
            self.seconds.insert((stat.id, stat.started), stat.seconds);
            let status = read("status");
            self.resident_bytes += (kibibytes(&status, "RssAnon:") + kibibytes(&status, "RssShmem:")) * 1024;
        }
    }
}

/// What a thread works at, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Net,
    Decode,
    Mix,
    Compose,
    Encode,
    Package,
    Other,
}

impl Group {
    fn of(thread: &str) -> Self {
        match thread.split('-').next().unwrap_or_default() {
            "net" => Self::Net,
            "decode" => Self::Decode,
            "mix" => Self::Mix,
            "compose" => Self::Compose,
            "encode" => Self::Encode,
            "package" => Self::Package,
            _ => Self::Other,
        }
    }
}

impl ByThread {
    /// Processor seconds of all groups together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.named() + self.other
    }

    /// Cores used by each group between `earlier` and this, `span_s` seconds apart.
    #[must_use]
    pub fn cores_since(&self, earlier: &Self, span_s: f64) -> Self {
        let cores = |now: f64, then: f64| if span_s > 0.0 { (now - then).max(0.0) / span_s } else { 0.0 };
        Self {
            net: cores(self.net, earlier.net),
            decode: cores(self.decode, earlier.decode),
            mix: cores(self.mix, earlier.mix),
            compose: cores(self.compose, earlier.compose),
            encode: cores(self.encode, earlier.encode),
            package: cores(self.package, earlier.package),
            other: cores(self.other, earlier.other),
        }
    }

    /// Each group's name and seconds, in the order of a frame's life.
    #[must_use]
    pub fn groups(&self) -> [(&'static str, f64); 7] {
        [
            ("net", self.net),
            ("decode", self.decode),
            ("mix", self.mix),
            ("compose", self.compose),
            ("encode", self.encode),
            ("package", self.package),
            ("other", self.other),
        ]
    }

    fn named(&self) -> f64 {
        self.net + self.decode + self.mix + self.compose + self.encode + self.package
    }

    fn of_mut(&mut self, group: Group) -> &mut f64 {
        match group {
            Group::Net => &mut self.net,
            Group::Decode => &mut self.decode,
            Group::Mix => &mut self.mix,
            Group::Compose => &mut self.compose,
            Group::Encode => &mut self.encode,
            Group::Package => &mut self.package,
            Group::Other => &mut self.other,
        }
    }
}

/// One `stat` line of a process or a thread.
#[derive(Debug, PartialEq)]
pub struct Stat<'a> {
    id: u64,
    name: &'a str,
    /// What it does, in one letter (proc(5)).
    pub state: &'a str,
    /// Clock ticks after the machine's start.
    started: u64,
    /// User and system time.
    pub seconds: f64,
}

impl<'a> Stat<'a> {
    /// The name stands in parentheses and may hold spaces and parentheses itself, so the last `)` ends it; user and
    /// system time are fields 14 and 15 of the whole line, the start is field 22.
    #[must_use]
    pub fn parse(line: &'a str) -> Option<Self> {
        let (head, tail) = line.rsplit_once(')')?;
        let (id, name) = head.split_once('(')?;
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?;
        let user: u64 = fields.nth(10)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        let started = fields.nth(6)?.parse().ok()?;
        let seconds = (user + system) as f64 / TICKS_PER_SECOND;
        Some(Self { id: id.trim().parse().ok()?, name, state, started, seconds })
    }
}

fn kibibytes(status: &str, name: &str) -> u64 {
    let number = |line: &str| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok();
    status.lines().find_map(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_hostile_thread_name_is_still_read() {
        let line = "41 (mix-0 (a) b) S 1 41 41 0 -1 4194560 90 0 0 0 150 50 7 8 20 0 5 0 1 2 3";
        assert_eq!(Stat::parse(line), Some(Stat { id: 41, name: "mix-0 (a) b", state: "S", started: 1, seconds: 2.0 }));
        assert_eq!(Stat::parse("nonsense"), None);
        assert_eq!(Stat::parse("1 (x) S 1"), None);
    }

    #[test]
    fn work_is_seen_under_the_name_of_its_thread() {
        let burn = || {
            let start = Usage::own().unwrap().seconds.compose;
            let deadline = Instant::now() + Duration::from_secs(20);
            while Usage::own().unwrap().seconds.compose <= start && Instant::now() < deadline {}
            Usage::own().unwrap().seconds.compose - start
        };
        let thread = std::thread::Builder::new().name("compose-0".into()).spawn(burn).unwrap();
        assert!(thread.join().unwrap() > 0.0, "twenty seconds of work left no trace");
        let own = Usage::own().unwrap();
        assert!(own.seconds.total() > 0.0 && own.resident_bytes > 1024 * 1024);
    }

    #[test]
    fn no_group_falls_when_its_threads_end() {
        let mut clock = ThreadClock::default();
        let pid = std::process::id();
        let mut before = clock.read(pid).unwrap().seconds;
        for _ in 0..3 {
            let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(1);
            let burn = move || while stopped.try_recv().is_err() {};
            let thread = std::thread::Builder::new().name("encode-0".into()).spawn(burn).unwrap();
            let (rung, deadline) = (before.encode, Instant::now() + Duration::from_secs(20));
            while clock.read(pid).unwrap().seconds.encode <= rung && Instant::now() < deadline {}
            stop.send(()).unwrap();
            thread.join().unwrap();
            let after = clock.read(pid).unwrap().seconds;
            for ((name, then), (_, now)) in before.groups().into_iter().zip(after.groups()) {
                assert!(now >= then, "{name} fell from {then} to {now}");
            }
            assert!(after.encode > before.encode, "what an ended thread used stays with its group");
            before = after;
        }
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(Usage::of(u32::MAX).is_err());
    }

    #[test]
    fn cores_are_seconds_over_span() {
        let then = ByThread { decode: 1.0, ..ByThread::default() };
        let now = ByThread { decode: 4.0, encode: 1.0, ..ByThread::default() };
        let cores = now.cores_since(&then, 2.0);
        assert_eq!((cores.decode, cores.encode, cores.total()), (1.5, 0.5, 2.0));
        assert_eq!(now.cores_since(&then, 0.0), ByThread::default());
    }
}
