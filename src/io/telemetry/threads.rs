//! **The question:** who burns the processor, and how much memory is held? Read from `/proc` (proc(5)), for this process or any.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// Linux reports processor time in hundredths of a second to user space, whatever the kernel's own tick (proc(5), time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds by the name of the thread: the part before the first `-`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ByThread {
    /// `net-n`: the media socket.
    pub net: f64,
    /// `decode-n`.
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
        let root = format!("/proc/{pid}");
        let mut seconds = ByThread::default();
        for task in fs::read_dir(format!("{root}/task"))? {
            // A thread may end between the listing and the reading; its time then counts as `other`.
            let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
            if let Some((name, spent)) = parse_stat(&stat) {
                *seconds.group_mut(name) += spent;
            }
        }
        let whole = parse_stat(&fs::read_to_string(format!("{root}/stat"))?).map_or(0.0, |(_, spent)| spent);
        seconds.other = (whole - seconds.named()).max(0.0);
        let resident_bytes = resident(&fs::read_to_string(format!("{root}/status"))?);
        Ok(Self { seconds, resident_bytes })
    }

    /// Resident memory, MiB.
    #[must_use]
    pub fn resident_mib(&self) -> f64 {
        self.resident_bytes as f64 / (1024.0 * 1024.0)
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

    fn group_mut(&mut self, thread: &str) -> &mut f64 {
        match thread.split('-').next().unwrap_or_default() {
            "net" => &mut self.net,
            "decode" => &mut self.decode,
            "mix" => &mut self.mix,
            "compose" => &mut self.compose,
            "encode" => &mut self.encode,
            "package" => &mut self.package,
            _ => &mut self.other,
        }
    }
}

/// Name and processor seconds of one `stat` line. The name stands in parentheses and may hold spaces and parentheses itself,
/// so the last `)` ends it; user and system time are fields 14 and 15 of the whole line.
fn parse_stat(line: &str) -> Option<(&str, f64)> {
    let (head, tail) = line.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = tail.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name, (user + system) as f64 / TICKS_PER_SECOND))
}

fn resident(status: &str) -> u64 {
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    kib.unwrap_or(0_u64) * 1024
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_hostile_thread_name_is_still_read() {
        let line = "41 (mix-0 (a) b) S 1 41 41 0 -1 4194560 90 0 0 0 150 50 7 8 20 0 5 0 1 2 3";
        assert_eq!(parse_stat(line), Some(("mix-0 (a) b", 2.0)));
        assert_eq!(parse_stat("nonsense"), None);
        assert_eq!(parse_stat("1 (x) S 1"), None);
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
