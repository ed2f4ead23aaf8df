//! **The question:** what may a process of decoders do? Compute, ask for memory, hear and tell the node. It confines
//! itself before it reads the first byte that came from outside; what the kernel does not know is told, and left out.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::base::limits;
use crate::base::media::Codec;
use crate::engine::decode::{decodes, video_decoder};
use crate::io::apart::memory::ProcessMemory;
use crate::io::apart::serve::serve;
use crate::io::apart::words::Confinement;
use crate::io::telemetry::threads::DECODER_NAME;

/// The process's end of a line.
pub struct DecoderSide {
    socket: OwnedFd,
    memory: ProcessMemory,
}

impl DecoderSide {
    /// Takes what the node left in the places of standard input (the socket) and standard output (the memory), and
    /// closes every other descriptor. To be called once, first of all.
    ///
    /// # Errors
    /// When they are no such things: nobody but a node starts this.
    pub fn inherit() -> io::Result<Self> {
        // SAFETY: the standard library opens 0 and 1 if nobody else did, and nothing in this process owns or uses them:
        // it has one thread and prints nothing.
        let (socket, file) = unsafe { (OwnedFd::from_raw_fd(0), OwnedFd::from_raw_fd(1)) };
        let memory = ProcessMemory::map(&file)?;
        drop(file);
        // SAFETY: as above; all that is open behind the standard streams is closed, and nothing of it was ever used.
        unsafe {
            libc::close(2);
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
        }
        Ok(Self { socket, memory })
    }

    /// The process's end of a line whose node is in the same process.
    #[cfg(test)]
    pub(super) fn within(socket: OwnedFd, file: &OwnedFd) -> Self {
        Self { socket, memory: ProcessMemory::map(file).unwrap() }
    }

    /// Decodes what the node sends until it closes its end.
    ///
    /// # Errors
    /// When the node cannot be heard or told any more.
    pub fn serve(&self, confinement: Confinement) -> io::Result<()> {
        serve(&self.socket, &self.memory, confinement)
    }
}

/// Gives up all that decoding does not need; what the kernel granted. What fails here leaves the process with more than
/// it needs, and the node tells.
#[must_use]
pub fn confine() -> Confinement {
    // Libraries look around when they are first used: at the processor, at the number of its cores.
    for codec in [Codec::Av1, Codec::H264, Codec::Vp8, Codec::Vp9].into_iter().filter(|codec| decodes(*codec)) {
        let _ = video_decoder(codec);
    }
    // What `ps` and `top` call it.
    let _ = rustix::thread::set_name(DECODER_NAME);
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    // Whatever runs out of memory here ends before the node does.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    limit_resources();
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let no_new_privileges = rustix::thread::set_no_new_privs(true).is_ok();
    Confinement { landlock: close_files().unwrap_or(false), seccomp: no_new_privileges && filter_calls().is_some() }
}

fn limit_resources() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = |line: &str| line.strip_prefix("VmSize:")?.trim().split(' ').next()?.parse::<u64>().ok();
    let mapped = status.lines().find_map(kibibytes).unwrap_or(0) * 1024;
    let addresses = mapped + limits::DECODER_HEAP_LEN_MAX;
    let all = [
        (Resource::As, addresses),
        (Resource::Data, limits::DECODER_HEAP_LEN_MAX),
        (Resource::Nofile, 0),
        (Resource::Nproc, 0),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
    ];
    for (resource, most) in all {
        let _ = rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
}

/// No file, no port, nobody else's sockets and signals: a Landlock ruleset without a rule.
fn close_files() -> Result<bool, landlock::RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?;
    Ok(ruleset.create()?.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}

/// System calls without a condition: memory, locks, time, signals of its own, the end.
const CALLS: [libc::c_long; 21] = [
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_close,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Installs the list of system calls; anything else is refused with EPERM, as a library takes it best that asks for
/// something it can do without.
fn filter_calls() -> Option<()> {
    let only = |argument: u8, comparison: SeccompCmpOp, value: u64| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, comparison, value).ok()?;
        Some(vec![SeccompRule::new(vec![condition]).ok()?])
    };
    let not_executable = || only(2, SeccompCmpOp::MaskedEq(u64::from(libc::PROT_EXEC.cast_unsigned())), 0);
    let socket = || only(0, SeccompCmpOp::Eq, 0);
    let own = u64::from(rustix::process::getpid().as_raw_nonzero().get().cast_unsigned());
    let conditional = [
        (libc::SYS_mmap, not_executable()?),
        (libc::SYS_mprotect, not_executable()?),
        (libc::SYS_recvfrom, socket()?),
        (libc::SYS_sendto, socket()?),
        // What `abort` does.
        (libc::SYS_tgkill, only(0, SeccompCmpOp::Eq, own)?),
    ];
    let rules = CALLS.into_iter().map(|call| (call, Vec::new())).chain(conditional).collect();
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, std::env::consts::ARCH.try_into().ok()?);
    let program: BpfProgram = filter.ok()?.try_into().ok()?;
    seccompiler::apply_filter(&program).ok()
}
