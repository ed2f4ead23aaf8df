//! Keepers' files on a disk that remembers every byte, at every moment at which a process or its power may end.

use std::time::Duration;

use super::*;
use crate::base::limits::HOUR_KEYS_MAX;
use crate::base::media::{NANOS_PER_SECOND, Wallclock};
use crate::core::retention::{BootId, Refusal, Retention};

const RECORDING: RecordingId = RecordingId([7; 16]);

/// A raw disk with one file on it: what was written and what of that is synced. It never grows.
#[derive(Debug, Clone)]
struct Disk {
    bytes: Vec<u8>,
    /// Writes since the last sync: where, and what stood there.
    unsynced: Vec<(usize, Vec<u8>)>,
    /// Writes and syncs left before it ends; the last write but half.
    left: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Ended;

impl From<StateError> for Ended {
    fn from(_: StateError) -> Self {
        Self
    }
}

impl Disk {
    fn new() -> Self {
        Self { bytes: vec![0; STATE_BYTES as usize], unsynced: Vec::new(), left: None }
    }

    fn step(&mut self) -> Result<(), Ended> {
        match &mut self.left {
            Some(0) => Err(Ended),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether the key stands anywhere; blank pages are passed over.
    fn holds(&self, key: &[u8; 32]) -> bool {
        const PAGE: usize = 4096;
        let starts = (0..self.bytes.len()).step_by(PAGE).filter(|at| self.bytes[*at..][..PAGE] != [0; PAGE]);
        // Together with the start of the page behind it, and the end of the one before.
        let mut around = starts.map(|at| &self.bytes[at.saturating_sub(31)..self.bytes.len().min(at + PAGE + 31)]);
        around.any(|piece| piece.windows(key.len()).any(|window| window == key))
    }

    /// A power cut: what was not synced is lost, or as much of it as `kept` says.
    fn cut(mut self, kept: usize) -> Self {
        for (at, before) in self.unsynced.split_off(kept.min(self.unsynced.len())).into_iter().rev() {
            self.bytes[at..at + before.len()].copy_from_slice(&before);
        }
        Self { unsynced: Vec::new(), left: None, ..self }
    }
}

impl StateFile for Disk {
    type Error = Ended;

    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Ended> {
        let at = at as usize;
        let bytes = self.bytes.get(at..at + into.len()).ok_or(Ended)?;
        into.copy_from_slice(bytes);
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Ended> {
        let (at, half) = (at as usize, self.left == Some(0));
        let written = if half { bytes.len() / 2 } else { bytes.len() };
        self.unsynced.push((at, self.bytes[at..at + written].to_vec()));
        self.bytes[at..at + written].copy_from_slice(&bytes[..written]);
        self.step()
    }

    fn sync(&mut self) -> Result<(), Ended> {
        self.step()?;
        self.unsynced.clear();
        Ok(())
    }
}

/// For tests of this room: a whole state at once.
impl Keeper {
    /// Its slots, and behind them its head without the room around it.
    pub(in crate::core::retention) fn state(&self) -> Vec<u8> {
        let mut state = vec![0; HEADS];
        for (hour, slot) in &self.hours {
            let place = self.slot(*slot);
            assert_eq!(hour_in(place.bytes()), Some(*hour));
            state[*slot * PLACE_BYTES..][..PLACE_BYTES].copy_from_slice(place.bytes());
        }
        state.extend_from_slice(&self.head());
        state
    }

    pub(in crate::core::retention) fn restore(state: &[u8], clocks: Clocks) -> Result<Self, StateError> {
        let mut disk = Disk::new();
        let (slots, head) = state.split_at(HEADS.min(state.len()));
        disk.bytes[..slots.len()].copy_from_slice(slots);
        let counter = head.get(16..24).map_or(0, |counter| u64::from_be_bytes(counter.try_into().unwrap()));
        disk.bytes[head_at(counter) as usize..][..head.len()].copy_from_slice(head);
        Self::load(&mut disk, clocks).map_err(|Ended| StateError)
    }
}

fn clocks(minutes: u64) -> Clocks {
    let wall = Wallclock((1_784_021_200 + minutes * 60) * NANOS_PER_SECOND);
    Clocks { wall, boot: BootId([1; 16]), since_boot: Duration::from_secs(minutes * 60), synchronised: false }
}

const WEEK: u64 = 7 * 24 * 60;

/// A keeper with a key for each hour of a week, stored; its disk; the keys by their hours.
fn week() -> (Keeper, Disk, Vec<(Hour, [u8; 32])>) {
    let (mut keeper, mut disk) = (Keeper::new(clocks(0)), Disk::new());
    let now = Hour::containing(clocks(0).wall).0;
    for hour in (now + 1..=now + HOUR_KEYS_MAX as u32).map(Hour) {
        keeper.make(clocks(0), hour).unwrap();
    }
    keeper.save(&mut disk).unwrap();
    keeper.audit_stored();
    keeper.save(&mut disk).unwrap();
    let keys = keeper.hours.iter().map(|(hour, slot)| (*hour, *keeper.keys.get(*slot))).collect();
    (keeper, disk, keys)
}

fn told(keeper: &Keeper) -> Vec<AuditEvent> {
    let events = keeper.audit.pending_events().map(|told| told.split_once(' ').unwrap().1.to_owned());
    let parse = |text: String| match text.split_once(' ') {
        Some(("destroyed", hour)) => AuditEvent::Destroyed(hour.parse().unwrap()),
        _ => panic!("{text}"),
    };
    events.map(parse).collect()
}

/// Ended before, in and after each write and sync of the save at the hour, by a kill or a power cut: once it is started
/// again, no byte of the disk holds the key of the hour, every other key is there, and the log tells of it once.
#[test]
fn a_process_killed_in_any_window_at_the_hour_leaves_no_key_on_the_raw_disk() {
    let (mut keeper, disk, keys) = week();
    assert!(keys.iter().all(|(_, key)| disk.holds(key)));
    let (hour, key) = keys[0];
    keeper.advance(clocks(60), None);
    assert_eq!(keeper.stats().keys, HOUR_KEYS_MAX - 1);
    let steps = (0..).take_while(|left| {
        let mut ending = Disk { left: Some(*left), ..disk.clone() };
        let mut dying = Keeper::load(&mut disk.clone(), clocks(60)).unwrap();
        let saved = dying.save(&mut ending);
        for kept in [usize::MAX, 0, 1] {
            let mut left = ending.clone().cut(kept);
            let mut again = Keeper::load(&mut left, clocks(60)).unwrap();
            again.save(&mut left).unwrap();
            assert!(!left.holds(&key));
            assert!(keys[1..].iter().all(|(_, key)| left.holds(key)));
            assert_eq!(told(&again), [AuditEvent::Destroyed(hour)]);
            assert_eq!(Keeper::load(&mut left, clocks(60)).unwrap().hours.len(), HOUR_KEYS_MAX - 1);
        }
        saved.is_err()
    });
    assert_eq!(steps.count(), 4, "keys, sync, head, sync");
}

#[test]
fn a_key_that_was_made_but_not_stored_whole_was_never_used_and_is_overwritten() {
    let (_, disk, keys) = week();
    for left in 0..4 {
        let mut ending = disk.clone();
        let mut dying = Keeper::load(&mut ending, clocks(60)).unwrap();
        dying.save(&mut ending).unwrap();
        ending.left = Some(left);
        let next = Hour(keys.last().unwrap().0.0 + 1);
        dying.make(clocks(60), next).unwrap();
        let key = *dying.keys.get(dying.hours[&next]);
        assert_eq!(dying.save(&mut ending), Err(Ended));
        let mut again = Keeper::load(&mut ending.clone().cut(usize::MAX), clocks(60)).unwrap();
        let stored = again.hours.contains_key(&next);
        assert!(!stored || left == 3, "only once its head was written");
        let mut after = ending.cut(usize::MAX);
        again.save(&mut after).unwrap();
        assert_eq!(after.holds(&key), stored);
    }
}

#[test]
fn a_full_disk_hinders_no_key_from_being_destroyed() {
    let (mut keeper, mut disk, keys) = week();
    let len = disk.bytes.len();
    // The log cannot grow: its lines wait, and stand in the head meanwhile.
    for hours in 1..=168 {
        keeper.advance(clocks(hours * 60), None);
        keeper.save(&mut disk).unwrap();
        assert!(!disk.holds(&keys[hours as usize - 1].1));
    }
    assert!(keys.iter().all(|(_, key)| !disk.holds(key)));
    assert_eq!(disk.bytes.len(), len);
    let again = Keeper::load(&mut disk, clocks(WEEK)).unwrap();
    assert_eq!((again.audit().pending(), told(&again).len()), (keeper.audit().pending(), 168));
}

#[test]
fn a_disk_that_refuses_one_slot_keeps_no_other_key_alive() {
    struct Bad(Disk, u64);
    impl StateFile for Bad {
        type Error = Ended;
        fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Ended> {
            self.0.read(at, into)
        }
        fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Ended> {
            if at == self.1 { Err(Ended) } else { self.0.write(at, bytes) }
        }
        fn sync(&mut self) -> Result<(), Ended> {
            self.0.sync()
        }
    }
    let (mut keeper, disk, keys) = week();
    let bad = slot_at(keeper.hours[&keys[0].0]);
    keeper.advance(clocks(3 * 60), None);
    let mut disk = Bad(disk, bad);
    assert_eq!(keeper.save(&mut disk), Err(Ended));
    assert!(keeper.unsaved() && disk.0.holds(&keys[0].1));
    assert!(!disk.0.holds(&keys[1].1) && !disk.0.holds(&keys[2].1));
    disk.1 = u64::MAX;
    keeper.save(&mut disk).unwrap();
    assert!(!disk.0.holds(&keys[0].1) && !keeper.unsaved());
}

#[test]
fn a_damaged_state_is_no_state_and_a_damaged_key_no_key() {
    let mut keeper = Keeper::new(clocks(0));
    let hour = keeper.reserve(clocks(0), Retention::default()).unwrap();
    keeper.revoke(clocks(0), RECORDING, hour).unwrap();
    let state = keeper.state();
    let mut again = Keeper::restore(&state, clocks(0)).unwrap();
    again.saves -= 1;
    assert!(again.id() == keeper.id() && again.state() == state, "nothing is forgotten");
    for at in HEADS..state.len() {
        let mut altered = state.clone();
        altered[at] ^= 0x10;
        assert_eq!(Keeper::restore(&altered, clocks(0)).unwrap_err(), StateError, "{at}");
    }
    for len in [0, 1, 64, HEADS, HEADS + 50, state.len() - 1] {
        assert_eq!(Keeper::restore(&state[..len], clocks(0)).unwrap_err(), StateError, "{len} bytes");
    }
    let mut short = Disk::new();
    short.bytes.truncate(HEADS);
    assert_eq!(Keeper::load(&mut short, clocks(0)).unwrap_err(), Ended);
    let slot = slot_at(keeper.hours[&hour]) as usize;
    for at in slot..slot + PLACE_BYTES {
        let mut altered = state.clone();
        altered[at] ^= 0x10;
        let damaged = Keeper::restore(&altered, clocks(0)).unwrap();
        assert_eq!((damaged.stats().keys, damaged.stats().denied), (0, 1), "{at}");
    }
}

#[test]
fn the_older_head_counts_where_the_newer_one_is_torn() {
    let (mut keeper, mut disk, _) = week();
    keeper.revoke(clocks(1), RECORDING, Hour(Hour::containing(clocks(1).wall).0 + 5)).unwrap();
    let before = disk.clone();
    keeper.save(&mut disk).unwrap();
    assert_eq!(Keeper::load(&mut disk, clocks(1)).unwrap().stats().denied, 1);
    disk.bytes[head_at(keeper.saves) as usize + 60] ^= 1;
    let mut older = Keeper::load(&mut disk, clocks(1)).unwrap();
    assert_eq!((older.stats().denied, older.saves + 1), (0, keeper.saves));
    assert_eq!(older.stats().keys, HOUR_KEYS_MAX);
    older.save(&mut disk).unwrap();
    assert_eq!(older.saves, keeper.saves, "it takes the torn one's place");
    assert_ne!(before.bytes, disk.bytes);
}

#[test]
fn a_state_of_version_1_is_taken_over_whole() {
    let (hour, key, seed) = (Hour(Hour::containing(clocks(0).wall).0 + 9), [0x3c; 32], [5; 32]);
    let mut audit = Audit::resumed(Secret::from_bytes(&seed), 3, [8; 32]);
    audit.add(clocks(0).wall, AuditEvent::Made(hour));
    let mut state =
        [&b"tessera keeper 1"[..], &[9; 8], &clocks(0).wall.0.to_be_bytes(), &[1; 16], &[0; 16], &[0]].concat();
    for part in [&1_u32.to_be_bytes()[..], &hour.0.to_be_bytes(), &key, &1_u32.to_be_bytes(), &[6; 16]] {
        state.extend_from_slice(part);
    }
    state.extend([&hour.0.to_be_bytes()[..], &seed, &audit.next.to_be_bytes(), &audit.head].concat());
    let line = &audit.pending()[0];
    state.extend([&1_u32.to_be_bytes()[..], &(line.len() as u32).to_be_bytes(), line.as_bytes()].concat());
    state.extend(digest(&SHA256, &state).as_ref().to_vec());
    let mut keeper = Keeper::from_version_1(&state, clocks(0)).unwrap();
    assert_eq!((keeper.id(), *keeper.keys.get(keeper.hours[&hour])), (KeeperId([9; 8]), key));
    assert_eq!(keeper.release(clocks(0), RecordingId([6; 16]), hour).unwrap_err(), Refusal::Denied);
    assert!(keeper.unsaved());
    let mut disk = Disk::new();
    keeper.save(&mut disk).unwrap();
    let again = Keeper::load(&mut disk, clocks(0)).unwrap();
    assert_eq!((again.stats().keys, again.audit().pending()), (1, audit.pending()));
    state[40] ^= 1;
    assert_eq!(Keeper::from_version_1(&state, clocks(0)).unwrap_err(), StateError);
}

#[test]
fn however_often_a_clock_is_called_wrong_on_a_full_disk_the_state_can_be_read() {
    let (mut keeper, mut disk) = (Keeper::new(clocks(0)), Disk::new());
    for minutes in 0..2 * (AUDIT_PENDING_MAX + HOUR_SLOTS) as u64 {
        let _ = keeper.reserve(clocks(minutes), Retention::default());
        keeper.clock_was_wrong(clocks(minutes));
    }
    keeper.save(&mut disk).unwrap();
    let again = Keeper::load(&mut disk, clocks(0)).unwrap();
    assert_eq!(again.audit().pending(), keeper.audit().pending());
}
