//! **The question:** who else could read what this process keeps secret? Not a core dump, not another process of the
//! same account, and not the swap, where the system allows it; where it does not, the log says so.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::core::retention::secrets_are_locked;

/// Keeps this process out of core dumps, and its memory from other processes of the same account. A refusal leaves what
/// was.
pub fn keep_out_of_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Tells the log, once, that secrets may be swapped out.
#[derive(Debug, Default)]
pub struct LockWatch {
    told: bool,
}

impl LockWatch {
    /// To be called now and then: more memory is locked as more is kept secret.
    pub fn look(&mut self) {
        if !self.told && !secrets_are_locked() {
            self.told = true;
            tracing::warn!(
                "the system does not lock the memory of keys (RLIMIT_MEMLOCK, ulimit -l): raise the limit, or see that \
                 swap is off or encrypted"
            );
        }
    }
}
