//! Keepers under clocks that are set forward and back, restarts, old copies and damage.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::limits::{HOUR_KEYS_MAX, HOUR_SLOTS, RETENTION};
use crate::base::media::{NANOS_PER_SECOND, Wallclock};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const AN_HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
/// 2026-07-14T09:26:40Z.
pub(super) const START: Wallclock = Wallclock(1_784_021_200 * NANOS_PER_SECOND);
pub(super) const RECORDING: RecordingId = RecordingId([7; 16]);

/// A machine: true time, a wall clock that may be off, boots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub(super) elapsed: Duration,
    pub(super) booted_at: Duration,
    pub(super) boot: u8,
    /// What the wall clock is off by.
    pub(super) ahead: Duration,
    pub(super) behind: Duration,
    /// Whether its kernel says that the clock is right.
    pub(super) synchronised: bool,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self {
            elapsed: Duration::ZERO,
            booted_at: Duration::ZERO,
            boot: 1,
            ahead: Duration::ZERO,
            behind: Duration::ZERO,
            synchronised: false,
        }
    }

    pub(super) fn truth(&self) -> Wallclock {
        after(START, self.elapsed)
    }

    pub(super) fn clocks(&self) -> Clocks {
        let wall = Wallclock(after(self.truth(), self.ahead).0 - self.behind.as_nanos() as u64);
        let since_boot = self.elapsed - self.booted_at;
        Clocks { wall, boot: BootId([self.boot; 16]), since_boot, synchronised: self.synchronised }
    }

    pub(super) fn pass(&mut self, keeper: &mut Keeper, span: Duration) {
        for _ in 0..span.as_secs() / 60 {
            self.elapsed += MINUTE;
            keeper.advance(self.clocks(), None);
        }
    }

    pub(super) fn off_for(&mut self, span: Duration) {
        self.elapsed += span;
        self.booted_at = self.elapsed;
        self.boot += 1;
    }
}

pub(super) fn after(time: Wallclock, span: Duration) -> Wallclock {
    Wallclock(time.0 + span.as_nanos() as u64)
}

pub(super) fn restarted(keeper: &Keeper, machine: &Machine) -> Keeper {
    let mut again = Keeper::restore(&keeper.state(), machine.clocks()).unwrap();
    again.stand_alone();
    again.advance(machine.clocks(), None);
    again
}

pub(super) fn alone(machine: &Machine) -> Keeper {
    let mut keeper = Keeper::new(machine.clocks());
    keeper.stand_alone();
    keeper
}

/// A keeper with a key for a recording that starts now.
pub(super) fn recording() -> (Machine, Keeper, Hour) {
    let machine = Machine::new();
    let mut keeper = alone(&machine);
    let hour = keeper.reserve(machine.clocks(), Retention::default()).unwrap();
    (machine, keeper, hour)
}

pub(super) fn refusal(keeper: &mut Keeper, machine: &Machine, hour: Hour) -> Option<Refusal> {
    keeper.release(machine.clocks(), RECORDING, hour).err()
}

fn holds_key(keeper: &Keeper, key: &[u8; 32]) -> bool {
    let within = |bytes: &[u8]| bytes.windows(key.len()).any(|window| window == key);
    within(&keeper.state()) || (0..HOUR_SLOTS).any(|slot| keeper.keys.get(slot) == key)
}

#[test]
fn a_key_lives_until_its_hour_and_not_longer() {
    let (mut machine, mut keeper, hour) = recording();
    assert_eq!(hour.start(), Wallclock(1_784_624_400 * NANOS_PER_SECOND), "7 days later, 09:00");
    let key = *keeper.keys.get(hour.0 as usize % HOUR_KEYS_MAX);
    assert!(holds_key(&keeper, &key));
    machine.elapsed = Duration::from_nanos(hour.start().0 - START.0 - 1);
    assert_eq!(refusal(&mut keeper, &machine, hour), None);
    machine.elapsed += Duration::from_nanos(1);
    assert_eq!(refusal(&mut keeper, &machine, hour), Some(Refusal::Expired));
    assert!(!holds_key(&keeper, &key));
    assert_eq!((keeper.stats().keys, keeper.stats().destroyed, keeper.stats().refused), (0, 1, 1));
    let told = verify_audit(&keeper.audit().pending().join("\n"), &keeper.audit().public_key()).unwrap();
    assert_eq!(told, [AuditEvent::Began, AuditEvent::Made(hour), AuditEvent::Destroyed(hour)]);
}

#[test]
fn a_clock_set_back_changes_nothing() {
    let (mut machine, mut keeper, hour) = recording();
    machine.pass(&mut keeper, RETENTION);
    assert_eq!(refusal(&mut keeper, &machine, hour), Some(Refusal::Expired));
    machine.behind = 8 * DAY;
    assert_eq!(refusal(&mut keeper, &machine, hour), Some(Refusal::Expired));
    let mut keeper = restarted(&keeper, &machine);
    assert_eq!(refusal(&mut keeper, &machine, hour), Some(Refusal::Expired));
    machine.off_for(MINUTE);
    let mut keeper = restarted(&keeper, &machine);
    assert_eq!(refusal(&mut keeper, &machine, hour), Some(Refusal::Expired), "after a reboot too");
    assert_eq!(keeper.make(machine.clocks(), hour), Err(Refusal::Expired), "and no new key is made for it");
}

#[test]
fn a_clock_set_back_before_the_hour_does_not_keep_it_from_coming() {
    let (mut machine, mut keeper, hour) = recording();
    machine.behind = 30 * DAY;
    machine.pass(&mut keeper, AN_HOUR);
    assert_eq!(refusal(&mut keeper, &machine, hour), Some(Refusal::Doubt), "by this clock it has yet to begin");
    machine.pass(&mut keeper, RETENTION - 2 * AN_HOUR);
    assert_eq!(keeper.stats().keys, 0, "and one that goes on for a day is believed");
    // Down for an hour without a reboot: time since boot goes on.
    machine.elapsed += AN_HOUR;
    let mut keeper = restarted(&keeper, &machine);
    assert_eq!(refusal(&mut keeper, &machine, hour), Some(Refusal::Expired));
    assert_eq!(keeper.stats().keys, 0);
}

#[test]
fn no_key_is_made_that_would_live_too_long() {
    let (mut machine, mut keeper, hour) = recording();
    let far = Hour(hour.0 + 1);
    assert_eq!(keeper.make(machine.clocks(), far), Err(Refusal::TooFarAhead));
    assert_eq!(keeper.make(machine.clocks(), Hour::containing(START)), Err(Refusal::Expired));
    assert_eq!(keeper.make(machine.clocks(), Hour(Hour::containing(START).0 + 1)), Ok(()));
    machine.pass(&mut keeper, 15 * MINUTE);
    machine.ahead = 3 * DAY;
    assert_eq!(keeper.reserve(machine.clocks(), Retention::default()), Ok(hour), "stamped from the earlier time");
    assert_eq!(refusal(&mut keeper, &machine, far), Some(Refusal::NoKey));
    machine.ahead = Duration::ZERO;
    machine.behind = 3 * DAY;
    let earlier = keeper.reserve(machine.clocks(), Retention::default()).unwrap();
    assert_eq!(earlier, Hour(hour.0 - 72));
}

#[test]
fn all_hours_of_a_week_have_their_own_key() {
    let (mut machine, mut keeper, _) = recording();
    for _ in 0..3 {
        let now = Hour::containing(machine.truth()).0;
        let hours: Vec<_> = (now + 1..=now + HOUR_KEYS_MAX as u32).map(Hour).collect();
        hours.iter().for_each(|hour| keeper.make(machine.clocks(), *hour).unwrap());
        assert_eq!(keeper.stats().keys, HOUR_KEYS_MAX);
        let mut keys: Vec<_> = hours.iter().map(|hour| *keeper.keys.get(keeper.hours[hour])).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), HOUR_KEYS_MAX);
        keeper = restarted(&keeper, &machine);
        machine.pass(&mut keeper, 50 * AN_HOUR);
        assert_eq!(keeper.stats().keys, HOUR_KEYS_MAX - 50);
        keeper.saved();
        keeper.audit_stored();
    }
}

#[test]
fn what_is_erased_early_stays_erased_until_its_key_is_gone() {
    let (mut machine, mut keeper, hour) = recording();
    keeper.revoke(machine.clocks(), RECORDING, hour).unwrap();
    assert!(keeper.unsaved());
    keeper.saved();
    let mut keeper = restarted(&keeper, &machine);
    assert_eq!(refusal(&mut keeper, &machine, hour), Some(Refusal::Denied));
    assert!(keeper.release(machine.clocks(), RecordingId([8; 16]), hour).is_ok());
    assert_eq!(keeper.revoke(machine.clocks(), RecordingId([9; 16]), Hour(u32::MAX)), Err(Refusal::TooFarAhead));
    assert_eq!(keeper.stats().denied, 1);
    machine.pass(&mut keeper, RETENTION);
    assert_eq!((keeper.stats().denied, refusal(&mut keeper, &machine, hour)), (0, Some(Refusal::Expired)));
}

#[test]
fn one_old_copy_opens_nothing_beside_an_honest_keeper_two_open() {
    let (mut machine, mut one, hour) = recording();
    let mut two = Keeper::new(machine.clocks());
    two.make(machine.clocks(), hour).unwrap();
    let copies = (one.state(), two.state());
    let data_key = Secret::random();
    let both = |one: &mut Keeper, two: &mut Keeper, clocks| {
        let ours = one.release(clocks, RECORDING, hour)?;
        let theirs = two.release(clocks, RECORDING, hour)?;
        Ok::<_, Refusal>((ours, theirs))
    };
    let (ours, theirs) = both(&mut one, &mut two, machine.clocks()).unwrap();
    let wrapped = wrap((&ours, Some(&theirs)), RECORDING, hour, &data_key);

    machine.pass(&mut one, RETENTION);
    let mut set_back = Machine::new();
    set_back.boot = 9;
    let mut old_one = Keeper::restore(&copies.0, set_back.clocks()).unwrap();
    let half = old_one.release(set_back.clocks(), RECORDING, hour).unwrap();
    assert!(two.release(machine.clocks(), RECORDING, hour).is_err());
    assert!(unwrap((&half, None), RECORDING, hour, &wrapped).is_err(), "one old disk opens nothing");

    let mut old_two = Keeper::restore(&copies.1, set_back.clocks()).unwrap();
    let (ours, theirs) = both(&mut old_one, &mut old_two, set_back.clocks()).unwrap();
    let opened = unwrap((&ours, Some(&theirs)), RECORDING, hour, &wrapped);
    assert!(opened.is_ok(), "two old disks open: docs/retention.md says so");
}

#[test]
fn each_keeper_refuses_by_its_own_floor_and_one_that_does_suffices() {
    let machine = Machine::new();
    let mut keepers = [(); 3].map(|()| Keeper::new(machine.clocks()));
    let hour = keepers[0].reserve(machine.clocks(), Retention::default()).unwrap();
    let recording = RecordingName { hour, recording: RECORDING };
    let release = |keepers: &mut [Keeper], clocks: &dyn Fn(usize) -> Clocks| {
        let released = keepers.iter_mut().enumerate().map(|(n, keeper)| keeper.release(clocks(n), RECORDING, hour));
        KeyShares::of_several(released.filter_map(Result::ok).collect::<Vec<_>>())
    };
    keepers.iter_mut().for_each(|keeper| keeper.make(machine.clocks(), hour).unwrap());
    let data_key = Secret::random();
    let wraps = release(&mut keepers, &|_| machine.clocks()).wrap(recording, &data_key);
    assert_eq!(wraps.len(), 3);
    // The hour has come for all but one, whose machine was off and has its clock set back.
    let (mut late, mut set_back) = (machine, machine);
    late.elapsed += RETENTION;
    set_back.off_for(MINUTE);
    let left = release(&mut keepers, &|n| if n == 0 { set_back.clocks() } else { late.clocks() });
    assert_eq!((left.keepers().len(), left.pairs().len()), (1, 0));
    assert!(wraps.iter().all(|wrap| left.unwrap(recording, wrap.pair, &wrap.bytes).is_err()));
}

#[test]
fn what_two_keepers_were_told_to_deny_no_pair_opens() {
    let machine = Machine::new();
    let mut keepers = [(); 3].map(|()| Keeper::new(machine.clocks()));
    let hour = keepers[0].reserve(machine.clocks(), Retention::default()).unwrap();
    keepers.iter_mut().for_each(|keeper| keeper.make(machine.clocks(), hour).unwrap());
    for keeper in &mut keepers[1..] {
        keeper.revoke(machine.clocks(), RECORDING, hour).unwrap();
        *keeper = restarted(keeper, &machine);
    }
    let released = keepers.iter_mut().filter_map(|keeper| keeper.release(machine.clocks(), RECORDING, hour).ok());
    assert_eq!(KeyShares::of_several(released.collect::<Vec<_>>()).pairs(), []);
}

#[test]
fn a_leap_second_lengthens_nothing() {
    // 2016-12-31T23:59:60Z: Unix time repeats a second. Time since boot does not.
    let midnight = Wallclock(1_483_228_800 * NANOS_PER_SECOND);
    let start = Wallclock(midnight.0 - RETENTION.as_nanos() as u64 + 1800 * NANOS_PER_SECOND);
    let clocks = |since_boot: u64| {
        let wall = start.0 + since_boot * NANOS_PER_SECOND;
        let repeated = if wall > midnight.0 { NANOS_PER_SECOND } else { 0 };
        let (wall, since_boot) = (Wallclock(wall - repeated), Duration::from_secs(since_boot));
        Clocks { wall, boot: BootId([1; 16]), since_boot, synchronised: false }
    };
    let mut keeper = Keeper::new(clocks(0));
    let hour = keeper.reserve(clocks(0), Retention::default()).unwrap();
    assert_eq!(hour.start(), midnight);
    let last = RETENTION.as_secs() - 1801;
    assert!(keeper.release(clocks(last), RECORDING, hour).is_ok());
    for since_boot in last + 1..last + 5 {
        assert_eq!(keeper.release(clocks(since_boot), RECORDING, hour).unwrap_err(), Refusal::Expired);
    }
}

#[test]
fn the_state_is_stored_before_an_answer_and_at_least_every_minute() {
    let (mut machine, mut keeper, hour) = recording();
    assert!(keeper.unsaved(), "a key was made");
    keeper.saved();
    keeper.release(machine.clocks(), RECORDING, hour).unwrap();
    assert!(!keeper.unsaved());
    machine.elapsed += Duration::from_secs(59);
    keeper.advance(machine.clocks(), None);
    assert!(!keeper.unsaved());
    machine.elapsed += Duration::from_secs(1);
    keeper.advance(machine.clocks(), None);
    assert!(keeper.unsaved());
    keeper.saved();
    keeper.audit_stored();
    assert!(keeper.unsaved() && keeper.audit().pending().is_empty());
}

proptest! {
    #[test]
    fn expiry_is_a_whole_hour_within_the_retention(
        start in 0_u64..4_000_000_000_000_000_000, span in 7200_u64..=604_800,
    ) {
        let start = Wallclock(start);
        let retention = Retention::new(Duration::from_secs(span)).unwrap();
        let expiry = retention.expiry(start).start();
        let longest = after(start, Duration::from_secs(span));
        prop_assert!(expiry <= longest && expiry.0 + AN_HOUR.as_nanos() as u64 > longest.0);
        prop_assert!(expiry >= after(start, AN_HOUR), "an hour remains of the shortest");
        prop_assert_eq!(expiry.0 % AN_HOUR.as_nanos() as u64, 0);
        prop_assert!(expiry <= after(start, RETENTION));
        prop_assert!(Retention::new(Duration::from_secs(span + 604_800)).is_err());
        let hour = Hour::containing(expiry);
        prop_assert_eq!(hour.to_string().parse(), Ok(hour));
    }
}
