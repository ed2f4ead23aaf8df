//! **The question:** what do this machine's clocks say, and does its kernel say that they are right?

use std::time::{Duration, SystemTime};

use crate::base::media::Wallclock;
use crate::core::retention::{BootId, Clocks, RecordingId};

pub(super) fn clocks(boot: BootId) -> Clocks {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let since_boot = Duration::new(since.tv_sec.unsigned_abs(), u32::try_from(since.tv_nsec).unwrap_or(0));
    let wall = Wallclock::from_system_time(SystemTime::now());
    Clocks { wall, boot, since_boot, synchronised: is_synchronised() }
}

/// Which boot this is; where the system does not say, one that no other process knows, so that no readings are
/// compared.
pub(super) fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|digit| digit as u8).collect();
    match <[u8; 32]>::try_from(digits) {
        Ok(digits) => BootId(std::array::from_fn(|n| digits[2 * n] << 4 | digits[2 * n + 1])),
        Err(_) => BootId(RecordingId::random().0),
    }
}

/// Whether something keeps the kernel's clock right (adjtimex(2)). Setting the clock by hand ends that until NTP has
/// put it right, so a clock that was set wrongly is not synchronised. A kernel that does not tell is taken for one that
/// is not.
fn is_synchronised() -> bool {
    // SAFETY: `timex` holds integers only, for which zeros are values; it is ours to be written to, and with no modes
    // set (they are zero) the kernel changes nothing but fills it.
    let (state, status) = unsafe {
        let mut about: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut about), about.status)
    };
    state >= 0 && status & libc::STA_UNSYNC == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_of_one_boot_go_on_together() {
        let boot = boot_id();
        assert_eq!(boot, boot_id());
        let (one, next) = (clocks(boot), clocks(boot));
        assert!(next.since_boot >= one.since_boot && next.boot == one.boot);
    }
}
