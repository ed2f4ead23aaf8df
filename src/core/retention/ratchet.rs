//! **The question:** how late is it at least? A time that only rises, whatever the clocks say.
//!
//! Two witnesses move it: the time that has elapsed since boot, which nobody sets, and the wall clock, which may be set
//! wrongly. A wall clock that runs ahead is believed at once within a small allowance; a greater jump is believed at
//! once only if another keeper's clock agrees, else after it has stood for a day. Until then nothing is destroyed for
//! its sake, yet everything that would have expired by it is refused: a clock wrongly ahead destroys nothing, a clock
//! set back reveals nothing.

use std::time::Duration;

use crate::base::limits::{CLOCK_ALLOWANCE, CLOCK_BELIEVED_AFTER};
use crate::base::media::Wallclock;

/// Which boot of the machine: times since boot compare within one only (Linux: `/proc/sys/kernel/random/boot_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootId(pub [u8; 16]);

/// What the clocks say, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// UTC as the machine believes it.
    pub wall: Wallclock,
    /// Which boot `since_boot` counts from.
    pub boot: BootId,
    /// Time since that boot, suspended time included (`CLOCK_BOOTTIME`).
    pub since_boot: Duration,
}

/// A time that only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratchet {
    pub(super) floor: Wallclock,
    pub(super) boot: BootId,
    pub(super) since_boot: Duration,
    /// How far the wall clock may still lead without being asked for proof; refills by itself over a day.
    pub(super) allowance: Duration,
    pub(super) jump: Option<Jump>,
}

/// A wall clock too far ahead to be believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jump {
    /// The latest time it ever claimed, carried on by elapsed time.
    pub latest: Wallclock,
    /// What it claimed when last looked at.
    pub claimed: Wallclock,
    /// For how long it has stood by its claim.
    pub stood: Duration,
    /// For how long it has been back where it was.
    pub withdrawn: Duration,
}

/// Bytes of what a keeper remembers of its times.
pub(super) const TIMES_BYTES: usize = 128;

impl Ratchet {
    /// As it is stored: floor, boot, time since it and allowance, then the jump if there is one; the rest is zero.
    pub(super) fn to_bytes(self) -> [u8; TIMES_BYTES] {
        let span = |span: Duration| u64::try_from(span.as_nanos()).expect("a boot lasts below 584 years").to_be_bytes();
        let mut out = Vec::with_capacity(TIMES_BYTES);
        out.extend_from_slice(&self.floor.0.to_be_bytes());
        out.extend_from_slice(&self.boot.0);
        out.extend([span(self.since_boot), span(self.allowance)].concat());
        if let Some(jump) = self.jump {
            out.push(1);
            out.extend([jump.latest.0.to_be_bytes(), jump.claimed.0.to_be_bytes()].concat());
            out.extend([span(jump.stood), span(jump.withdrawn)].concat());
        }
        out.resize(TIMES_BYTES, 0);
        out.try_into().expect("it has that length")
    }

    /// What [`Ratchet::to_bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8; TIMES_BYTES]) -> Option<Self> {
        let number = |at: usize| u64::from_be_bytes(*bytes[at..].first_chunk().expect("8 of 128 bytes"));
        let span = |at: usize| Duration::from_nanos(number(at));
        let jump = match bytes[40] {
            0 => None,
            1 => {
                let (latest, claimed) = (Wallclock(number(41)), Wallclock(number(49)));
                Some(Jump { latest, claimed, stood: span(57), withdrawn: span(65) })
            }
            _ => return None,
        };
        let boot = BootId(*bytes[8..].first_chunk().expect("16 of 128 bytes"));
        let allowance = span(32).min(CLOCK_ALLOWANCE);
        Some(Self { floor: Wallclock(number(0)), boot, since_boot: span(24), allowance, jump })
    }

    /// As a keeper of version 1 remembered it.
    pub(super) fn of_version_1(floor: Wallclock, latest: Wallclock, boot: BootId, since_boot: Duration) -> Self {
        let nothing = Duration::ZERO;
        let jump = Some(Jump { latest, claimed: latest, stood: nothing, withdrawn: nothing });
        Self { floor, boot, since_boot, allowance: nothing, jump: jump.filter(|jump| jump.latest > floor) }
    }

    /// Begins at what the wall clock says: a first start has nothing else.
    #[must_use]
    pub fn new(clocks: Clocks) -> Self {
        Self {
            floor: clocks.wall,
            boot: clocks.boot,
            since_boot: clocks.since_boot,
            allowance: CLOCK_ALLOWANCE,
            jump: None,
        }
    }

    /// The time that has certainly come: what keys are destroyed by, and what expiry is stamped from.
    #[must_use]
    pub fn floor(&self) -> Wallclock {
        self.floor
    }

    /// The latest time anything has claimed: what is refused by. Never before the floor.
    #[must_use]
    pub fn latest(&self) -> Wallclock {
        self.jump.map_or(self.floor, |jump| self.floor.max(jump.latest))
    }

    /// How far the wall clock leads without being believed: an alarm while it is not `None`.
    #[must_use]
    pub fn disbelieved(&self) -> Option<Duration> {
        self.jump.map(|jump| Duration::from_nanos(jump.latest.0.saturating_sub(self.floor.0)))
    }

    /// Takes what the clocks say now; `witness` is another keeper's authenticated time.
    pub fn advance(&mut self, clocks: Clocks, witness: Option<Wallclock>) {
        let elapsed = self.time_passed(clocks);
        self.floor = later(self.floor, elapsed);
        self.allowance = (self.allowance + refill(elapsed)).min(CLOCK_ALLOWANCE);
        if let Some(jump) = &mut self.jump {
            jump.latest = later(jump.latest, elapsed);
            jump.claimed = later(jump.claimed, elapsed);
        }
        let lead = Duration::from_nanos(clocks.wall.0.saturating_sub(self.floor.0));
        let agreed = witness.filter(|witness| later(*witness, CLOCK_ALLOWANCE) >= clocks.wall);
        if lead <= self.allowance {
            self.allowance -= lead;
            self.floor = self.floor.max(clocks.wall);
            self.back_in_accord(elapsed);
        } else if let Some(witness) = agreed {
            self.believe(clocks.wall.min(witness));
        } else {
            self.disbelieve(clocks.wall, elapsed);
        }
    }

    /// Takes the operator's word for the wall clock, as if another keeper had agreed with it.
    pub fn believe(&mut self, wall: Wallclock) {
        self.floor = self.floor.max(wall);
        self.jump = None;
    }

    /// It is at least this late: keepers say so that this one believes.
    pub fn rise(&mut self, at_least: Wallclock) {
        self.floor = self.floor.max(at_least);
        self.jump = self.jump.filter(|jump| jump.latest > self.floor);
    }

    fn time_passed(&mut self, clocks: Clocks) -> Duration {
        let same_boot = clocks.boot == self.boot;
        let elapsed = if same_boot { clocks.since_boot.saturating_sub(self.since_boot) } else { Duration::ZERO };
        // Time since boot never runs back; a reading that does is not taken as a new origin, or it would count twice.
        self.since_boot = if same_boot { self.since_boot.max(clocks.since_boot) } else { clocks.since_boot };
        self.boot = clocks.boot;
        elapsed
    }

    fn back_in_accord(&mut self, elapsed: Duration) {
        let Some(jump) = &mut self.jump else { return };
        jump.stood = Duration::ZERO;
        jump.withdrawn += elapsed;
        if jump.withdrawn >= CLOCK_BELIEVED_AFTER || jump.latest <= self.floor {
            self.jump = None;
        }
    }

    fn disbelieve(&mut self, wall: Wallclock, elapsed: Duration) {
        let first = Jump { latest: wall, claimed: wall, stood: Duration::ZERO, withdrawn: Duration::ZERO };
        let jump = self.jump.get_or_insert(first);
        let stands = jump.claimed.0.abs_diff(wall.0) <= u64::try_from(CLOCK_ALLOWANCE.as_nanos()).expect("minutes fit");
        jump.stood = if stands { jump.stood + elapsed } else { Duration::ZERO };
        jump.withdrawn = Duration::ZERO;
        jump.claimed = wall;
        jump.latest = jump.latest.max(wall);
        if jump.stood >= CLOCK_BELIEVED_AFTER {
            self.floor = self.floor.max(wall);
            // An even later claim from before may stand until it is withdrawn for as long.
            if jump.latest <= self.floor {
                self.jump = None;
            } else {
                jump.stood = Duration::ZERO;
            }
        }
    }
}

fn later(time: Wallclock, span: Duration) -> Wallclock {
    Wallclock(time.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
}

// The whole allowance in the time after which a clock is believed anyway: small jumps in a row lead no faster than one
// great one.
fn refill(elapsed: Duration) -> Duration {
    let whole_in = u32::try_from(CLOCK_BELIEVED_AFTER.as_secs() / CLOCK_ALLOWANCE.as_secs()).expect("some hundreds");
    elapsed / whole_in
}
