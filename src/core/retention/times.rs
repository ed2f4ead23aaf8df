//! **The question:** how late is it at least, for whom is refused and for what is destroyed? Two times that only rise.
//!
//! `refused_from` is the latest wall clock that was ever believed to be a reading, carried on by the time since boot,
//! which nobody sets: what was refused once stays refused. `destroyed_to` follows it as soon as that is certain:
//! another keeper has come as far; or the kernel says that its clock is synchronised; or the clock has gone on for a
//! day of uptime, added up over boots, without going back and without a leap while the machine ran. A leap over the
//! time that a machine was off is what a right clock does.
//!
//! A reading is in doubt, and moves nothing, while it leads by more than a few minutes on a machine that came up a
//! moment ago and whose kernel says that its clock is not synchronised: one without a battery boots in a wrong year.
//!
//! What begins is stamped by the earlier of them, so that a clock wrongly ahead lengthens nothing.

use std::time::Duration;

use crate::base::limits::{CLOCK_ALLOWANCE, CLOCK_BELIEVED_AFTER, CLOCK_DOUBTED_SPAN};
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
    /// Whether the kernel says that something keeps its clock right (`adjtimex` without `STA_UNSYNC`); setting the
    /// clock by hand ends that.
    pub synchronised: bool,
}

/// Who else tells the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// Nobody ever does: the machine's own word has to do.
    Nobody,
    /// Others may, and have not yet: nothing is certain without them.
    Awaited,
    /// Another keeper's authenticated wall clock, carried on to now.
    Told(Wallclock),
}

/// What is known of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    refused_from: Wallclock,
    destroyed_to: Wallclock,
    /// The first reading, or what others confirmed, carried on by elapsed time alone.
    elapsed_to: Wallclock,
    /// The latest time that was taken back by [`Times::was_wrong`].
    lost_to: Wallclock,
    /// The wall clock as last believed, carried on by elapsed time.
    claimed: Wallclock,
    boot: BootId,
    since_boot: Duration,
    /// For how long the clock has gone on as a clock does, at most `CLOCK_BELIEVED_AFTER`.
    steady: Duration,
    /// How far the clock may still step ahead while the machine runs and count as steady; refills over a day.
    allowance: Duration,
    /// Whether anything but the first reading itself ever made a time certain.
    settled: bool,
    doubt: Option<Doubt>,
}

/// A leap that is not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    /// How far it leads.
    lead: Duration,
    /// For how much uptime, added up over boots.
    stood: Duration,
    /// Whether it came while the machine was off.
    over_boot: bool,
}

impl Times {
    /// Length of [`Times::to_bytes`].
    pub const BYTES: usize = 128;

    /// Begins at what the wall clock says: a first start has nothing else. Nothing is deleted for its sake alone.
    #[must_use]
    pub fn new(clocks: Clocks) -> Self {
        Self { settled: false, ..Self::from(clocks.wall, clocks) }
    }

    /// Begins before all time: what the wall clock says is a leap, which may be in doubt.
    #[must_use]
    pub fn unknown(clocks: Clocks) -> Self {
        Self::from(Wallclock(0), clocks)
    }

    /// What a keeper knew that had one time: a clock that it did not believe had been refused by all the same.
    pub(super) fn of_one_time(floor: Wallclock, latest: Wallclock, boot: BootId, since_boot: Duration) -> Self {
        let times = Self::from(floor, Clocks { wall: floor, boot, since_boot, synchronised: false });
        Self { refused_from: floor.max(latest), ..times }
    }

    fn from(start: Wallclock, clocks: Clocks) -> Self {
        Self {
            refused_from: start,
            destroyed_to: start,
            elapsed_to: start,
            lost_to: Wallclock(0),
            claimed: start,
            boot: clocks.boot,
            since_boot: clocks.since_boot,
            steady: Duration::ZERO,
            allowance: CLOCK_ALLOWANCE,
            settled: true,
            doubt: None,
        }
    }

    /// What has expired by this is refused, for ever.
    #[must_use]
    pub fn refused_from(&self) -> Wallclock {
        self.refused_from
    }

    /// What has expired by this is destroyed: it has certainly come. Never after `refused_from`.
    #[must_use]
    pub fn destroyed_to(&self) -> Wallclock {
        self.destroyed_to
    }

    /// What has expired by this may be deleted, whoever made it: as `destroyed_to`, and before all time while a first
    /// reading is all there is. A keeper without keys has nothing to destroy for it, and a store may be another's.
    #[must_use]
    pub fn swept_to(&self) -> Wallclock {
        if self.settled { self.destroyed_to } else { Wallclock(0) }
    }

    /// The wall clock as last believed.
    #[must_use]
    pub fn claimed(&self) -> Wallclock {
        self.claimed
    }

    /// What had expired by this was lost when a believed clock turned out wrong; before all time if none did.
    #[must_use]
    pub fn lost_to(&self) -> Wallclock {
        self.lost_to
    }

    /// What the expiry of a recording that begins now is counted from: the earliest of what is known, so that a clock
    /// wrongly ahead lengthens nothing.
    #[must_use]
    pub fn stamped_from(&self, wall: Wallclock) -> Wallclock {
        wall.min(if self.uncertain().is_some() { self.destroyed_to } else { self.refused_from })
    }

    /// How far a clock leads that is in doubt: until that is settled nothing opens and nothing begins.
    #[must_use]
    pub fn doubted(&self) -> Option<Duration> {
        self.doubt.map(|doubt| doubt.lead)
    }

    /// How far what is refused leads what is certain, if by more than clocks differ anyway.
    #[must_use]
    pub fn uncertain(&self) -> Option<Duration> {
        Some(ahead(self.refused_from, self.destroyed_to)).filter(|lead| *lead > CLOCK_ALLOWANCE)
    }

    /// Takes what the clocks say now, and what another keeper does. Returns what it certainly is not later than, if
    /// that is known.
    pub fn advance(&mut self, clocks: Clocks, witness: Witness) -> Option<Wallclock> {
        let (elapsed, is_new_boot) = self.time_passed(clocks);
        for time in [&mut self.refused_from, &mut self.destroyed_to, &mut self.elapsed_to, &mut self.claimed] {
            *time = later(*time, elapsed);
        }
        self.allowance = (self.allowance + refill(elapsed)).min(CLOCK_ALLOWANCE);
        let over_boot = is_new_boot || self.doubt.is_some_and(|doubt| doubt.over_boot);
        if let Some(doubt) = self.in_doubt(clocks, witness, elapsed) {
            // It moves nothing, so that nothing is left of it when it is put right.
            self.doubt = Some(Doubt { over_boot, ..doubt });
        } else {
            self.doubt = None;
            self.judge(clocks.wall, elapsed, over_boot);
            self.refused_from = self.refused_from.max(clocks.wall);
        }
        self.settle(clocks, witness)
    }

    /// Takes the operator's word that the wall clock is right. It raises, and never lowers anything.
    pub fn believe(&mut self, wall: Wallclock) {
        self.refused_from = self.refused_from.max(wall);
        self.destroyed_to = self.destroyed_to.max(wall);
        self.claimed = wall;
        self.settled = true;
        self.doubt = None;
    }

    /// Takes the operator's word that a clock was wrong that is believed: the time is what was certain or what elapsed
    /// time says, but not later than the wall clock as it stands now; or the wall clock, if that is later and not in
    /// doubt. A first reading may have been the wrong one. Whoever calls this destroys every key of the hours that
    /// `refused_from` had passed, so that nothing that was refused can ever open, and all others too where the clock
    /// contradicts what was certain.
    pub fn was_wrong(&mut self, clocks: Clocks) {
        self.lost_to = self.lost_to.max(self.refused_from);
        let least = self.elapsed_to.max(self.destroyed_to).min(clocks.wall);
        self.elapsed_to = self.elapsed_to.min(clocks.wall);
        (self.refused_from, self.destroyed_to) = (least, least);
        (self.steady, self.doubt) = (Duration::ZERO, None);
        self.claimed = clocks.wall;
        self.advance(clocks, Witness::Awaited);
    }

    fn time_passed(&mut self, clocks: Clocks) -> (Duration, bool) {
        let same_boot = clocks.boot == self.boot;
        let elapsed = if same_boot { clocks.since_boot.saturating_sub(self.since_boot) } else { Duration::ZERO };
        // Time since boot never runs back; a reading that does is not taken as a new origin, or it would count twice.
        self.since_boot = if same_boot { self.since_boot.max(clocks.since_boot) } else { clocks.since_boot };
        self.boot = clocks.boot;
        (elapsed, !same_boot)
    }

    fn in_doubt(&self, clocks: Clocks, witness: Witness, elapsed: Duration) -> Option<Doubt> {
        let lead = ahead(clocks.wall, self.refused_from);
        let stood = self.doubt.map_or(Duration::ZERO, |doubt| doubt.stood + elapsed);
        let agreed = matches!(witness, Witness::Told(time) if later(time, CLOCK_ALLOWANCE) >= clocks.wall);
        let is_settled = clocks.synchronised || agreed;
        let is_young = clocks.since_boot < CLOCK_DOUBTED_SPAN && stood < CLOCK_DOUBTED_SPAN;
        let doubt = Doubt { lead, stood, over_boot: false };
        (lead > CLOCK_ALLOWANCE && !is_settled && is_young).then_some(doubt)
    }

    /// Whether the clock goes on as a clock does.
    fn judge(&mut self, wall: Wallclock, elapsed: Duration, over_boot: bool) {
        let (went_back, step) = (ahead(self.claimed, wall) > CLOCK_ALLOWANCE, ahead(wall, self.claimed));
        let leapt = !over_boot && step > self.allowance;
        if !over_boot && !leapt {
            self.allowance -= step;
        }
        let so_far = if went_back || leapt { Duration::ZERO } else { self.steady + elapsed };
        self.steady = so_far.min(CLOCK_BELIEVED_AFTER);
        self.claimed = wall;
    }

    fn settle(&mut self, clocks: Clocks, witness: Witness) -> Option<Wallclock> {
        let own = clocks.synchronised || self.steady >= CLOCK_BELIEVED_AFTER;
        let (certain, latest) = match witness {
            // What two have come to is certain, and no more than that, whatever this machine's kernel says.
            Witness::Told(time) => {
                self.elapsed_to = self.elapsed_to.max(time.min(self.refused_from));
                // That it is not later takes this machine too: after a power cut all may have come up in the past.
                (time, own.then_some(time.max(clocks.wall)))
            }
            Witness::Nobody if own && self.doubt.is_none() => (clocks.wall, Some(clocks.wall)),
            Witness::Nobody | Witness::Awaited => return None,
        };
        self.destroyed_to = self.destroyed_to.max(certain.min(self.refused_from));
        self.settled = true;
        latest
    }
}

/// As stored: a version, then every time and span in nanoseconds, big-endian, then zeros.
impl Times {
    /// To be stored.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let mut rest = &mut bytes[..];
        put(&mut rest, &[VERSION]);
        for time in [self.refused_from, self.destroyed_to, self.elapsed_to, self.lost_to, self.claimed] {
            put(&mut rest, &time.0.to_be_bytes());
        }
        put(&mut rest, &self.boot.0);
        let doubt = self.doubt.unwrap_or(Doubt { lead: Duration::ZERO, stood: Duration::ZERO, over_boot: false });
        for span in [self.since_boot, self.steady, self.allowance, doubt.lead, doubt.stood] {
            put(&mut rest, &nanos(span).to_be_bytes());
        }
        let flags = [self.doubt.is_some(), doubt.over_boot, false, !self.settled];
        put(&mut rest, &[(0..).zip(flags).map(|(bit, flag)| u8::from(flag) << bit).sum::<u8>()]);
        bytes
    }

    /// What [`Times::to_bytes`] gave; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut rest = &bytes[..];
        if take::<1>(&mut rest)? != [VERSION] {
            return None;
        }
        let mut number = || take(&mut rest).map(u64::from_be_bytes);
        let times = [number()?, number()?, number()?, number()?, number()?].map(Wallclock);
        let boot = BootId(take(&mut rest)?);
        let mut number = || take(&mut rest).map(u64::from_be_bytes);
        let spans = [number()?, number()?, number()?, number()?, number()?].map(Duration::from_nanos);
        let [flags] = take(&mut rest)?;
        let [refused_from, destroyed_to, elapsed_to, lost_to, claimed] = times;
        let [since_boot, steady, allowance, lead, stood] = spans;
        let doubt = (flags & 1 != 0).then_some(Doubt { lead, stood, over_boot: flags & 2 != 0 });
        let times = Self {
            refused_from,
            destroyed_to,
            elapsed_to,
            lost_to,
            claimed,
            boot,
            since_boot,
            steady: steady.min(CLOCK_BELIEVED_AFTER),
            allowance: allowance.min(CLOCK_ALLOWANCE),
            settled: flags & 8 == 0,
            doubt,
        };
        // Once told of a leap while the machine ran, which is now told by the times themselves.
        let mut known = *bytes;
        known[Self::BYTES - rest.len() - 1] &= !4;
        (destroyed_to <= refused_from && times.to_bytes() == known).then_some(times)
    }
}

const VERSION: u8 = 1;

fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (here, after) = std::mem::take(rest).split_at_mut(bytes.len());
    here.copy_from_slice(bytes);
    *rest = after;
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn later(time: Wallclock, span: Duration) -> Wallclock {
    Wallclock(time.0.saturating_add(nanos(span)))
}

/// How far `one` lies after `other`; nothing if it does not.
fn ahead(one: Wallclock, other: Wallclock) -> Duration {
    Duration::from_nanos(one.0.saturating_sub(other.0))
}

// The whole allowance in the time after which a clock is believed anyway: small steps in a row lead no faster than one
// great one.
fn refill(elapsed: Duration) -> Duration {
    let whole_in = u32::try_from(CLOCK_BELIEVED_AFTER.as_secs() / CLOCK_ALLOWANCE.as_secs()).expect("some hundreds");
    elapsed / whole_in
}
