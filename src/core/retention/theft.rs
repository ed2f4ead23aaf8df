//! **The question:** what does somebody find who has a copy of a keeper's files and asks no keeper's leave? Hour keys,
//! read raw: no time is looked at, no list of what was erased, no head that says which keys count.

use std::ops::RangeInclusive;

use crate::base::limits::HOUR_KEYS_MAX;
use crate::base::media::{NANOS_PER_SECOND, Wallclock};
use crate::core::retention::data_key::unwrap;
use crate::core::retention::secret::{KEY_BYTES, Secret};
use crate::core::retention::state::{MAGIC, hour_in, times_in};
use crate::core::retention::{Hour, KeeperId, Pair, RecordingName, Release};

const FOUND_BYTES: usize = 4 + KEY_BYTES;
const VERSION_1: &[u8] = b"tessera keeper 1";
/// The last hour that any clock can tell.
const LAST_HOUR: Hour = Hour((u64::MAX / (3600 * NANOS_PER_SECOND)) as u32);

/// An hour with 32 bytes behind it, which is how keys lie in a keeper's files.
#[derive(Debug)]
pub struct StolenKey {
    /// At which byte.
    pub at: u64,
    /// The hour that stands before it.
    pub hour: Hour,
    /// Whether it is one beyond doubt, by its check or its place. What is not may be anything, and is worth a try.
    pub proven: bool,
    key: Secret,
}

/// Bytes of a piece that have to come again at the start of the next one, so that no key lies across its end, nor the
/// keys of a state of version 1.
pub const STOLEN_OVERLAP: usize = 8192;
const _: () = assert!(VERSION_1.len() + 8 + 8 + 16 + 8 + 8 + 33 + 4 + HOUR_KEYS_MAX * FOUND_BYTES < STOLEN_OVERLAP);

/// Every key of one of `hours` in a piece of a file that begins at byte `at` of it, and of any later hour those that
/// are proven: a clock that leaps may have made keys far ahead. What is all zero was destroyed.
pub fn stolen_keys(piece: &[u8], at: u64, hours: &RangeInclusive<Hour>, mut found: impl FnMut(StolenKey)) {
    let old = version_1_keys(piece);
    for (n, window) in piece.windows(FOUND_BYTES).enumerate() {
        let (hour, key) = window.split_first_chunk().expect("36 bytes begin with 4");
        let hour = Hour(u32::from_be_bytes(*hour));
        if hour < *hours.start() || hour > LAST_HOUR || key.iter().all(|byte| *byte == 0) {
            continue;
        }
        let checked = piece[n..].first_chunk().is_some_and(|slot| hour_in(slot).is_some());
        let placed = old.as_ref().is_some_and(|old| old.contains(&n) && (n - old.start()).is_multiple_of(FOUND_BYTES));
        if !(checked || placed || hours.contains(&hour)) {
            continue;
        }
        let key = Secret::from_bytes(key.try_into().expect("the other 32"));
        found(StolenKey { at: at + n as u64, hour, proven: checked || placed, key });
    }
}

/// What the keepers refused by whose heads lie in a piece of a file: later than that it was for them.
pub fn stolen_times(piece: &[u8]) -> impl Iterator<Item = (KeeperId, Wallclock)> {
    let heads = piece.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC);
    heads.filter_map(|(at, _)| times_in(&piece[at..])).map(|(keeper, times)| (keeper, times.refused_from()))
}

/// Where keys begin in a state of version 1: behind magic, id, floor, boot, time since it, allowance, and a leap that
/// was not believed if there is one.
fn version_1_keys(piece: &[u8]) -> Option<RangeInclusive<usize>> {
    let state = piece.windows(VERSION_1.len()).position(|window| window == VERSION_1)?;
    let leap = state + 16 + 8 + 8 + 16 + 8 + 8;
    let count = leap + 1 + if *piece.get(leap)? == 0 { 0 } else { 32 };
    let keys = u32::from_be_bytes(*piece.get(count..)?.first_chunk()?) as usize;
    let last = keys.checked_sub(1)?.min(piece.len() / FOUND_BYTES);
    Some(count + 4..=count + 4 + last * FOUND_BYTES)
}

/// What stolen keys make of one recording, as if they were all that keepers had given out for it.
#[derive(Debug)]
pub struct Burglary<'a> {
    recording: RecordingName,
    pair: Pair,
    wrapped: &'a [u8],
}

impl<'a> Burglary<'a> {
    /// Of one wrapped data key.
    #[must_use]
    pub fn new(recording: RecordingName, pair: Pair, wrapped: &'a [u8]) -> Self {
        Self { recording, pair, wrapped }
    }

    /// Whether any of `keys` opens it: each alone where it is wrapped for one keeper, each two of the same hour where
    /// it is wrapped for a pair, either way round.
    #[must_use]
    pub fn succeeds(&self, keys: &[&StolenKey]) -> bool {
        let (low, high) = self.pair.keepers();
        let lows: Vec<_> = keys.iter().map(|key| self.share(key, low)).collect();
        if low == high {
            return lows.iter().any(|share| self.opens(share, None));
        }
        let highs: Vec<_> = keys.iter().map(|key| self.share(key, high)).collect();
        let both = |one: usize| {
            (0..keys.len())
                .filter(move |other| *other != one && keys[one].hour == keys[*other].hour)
                .any(|other| self.opens(&lows[one], Some(&highs[other])))
        };
        (0..keys.len()).any(both)
    }

    fn share(&self, stolen: &StolenKey, keeper: KeeperId) -> Release {
        Release::derive(stolen.key.expose(), keeper, self.recording.recording, self.recording.hour)
    }

    fn opens(&self, one: &Release, other: Option<&Release>) -> bool {
        unwrap((one, other), self.recording.recording, self.recording.hour, self.wrapped).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::retention::{BootId, Clocks, Keeper, KeyShares, RecordingId, Retention};

    const RECORDING: RecordingId = RecordingId([7; 16]);

    fn clocks(hours: u64) -> Clocks {
        let wall = Wallclock((1_784_021_200 + hours * 3600) * NANOS_PER_SECOND);
        Clocks {
            wall,
            boot: BootId([1; 16]),
            since_boot: std::time::Duration::from_secs(hours * 3600),
            synchronised: false,
        }
    }

    fn stolen(bytes: &[u8]) -> Vec<StolenKey> {
        let mut keys = Vec::new();
        stolen_keys(bytes, 100, &(Hour(400_000)..=Hour(600_000)), |key| keys.push(key));
        keys
    }

    fn opened(keys: &[StolenKey], recording: RecordingName, shares: &KeyShares) -> bool {
        let wraps = shares.wrap(recording, &Secret::random());
        let keys: Vec<_> = keys.iter().collect();
        wraps.iter().any(|wrap| Burglary::new(recording, wrap.pair, &wrap.bytes).succeeds(&keys))
    }

    #[test]
    fn a_key_is_found_wherever_it_lies_and_opens_what_the_keeper_refuses() {
        let mut keeper = Keeper::new(clocks(0));
        let hour = keeper.reserve(clocks(0), Retention::default()).unwrap();
        let recording = RecordingName { hour, recording: RECORDING };
        let shares = KeyShares::Alone(keeper.release(clocks(0), RECORDING, hour).unwrap());
        keeper.revoke(clocks(0), RECORDING, hour).unwrap();
        let copy = keeper.state();
        let shifted = [&[0x5a; 333][..], &copy, &[0; 64]].concat();
        let keys = stolen(&shifted);
        let proven: Vec<_> = keys.iter().filter(|key| key.proven).map(|key| (key.at, key.hour)).collect();
        assert_eq!(proven, [(100 + 333 + u64::from(hour.0 % 168) * 64, hour)]);
        assert!(opened(&keys, recording, &shares), "erased early, and yet");
        assert!(!opened(&keys, RecordingName { hour: Hour(hour.0 + 1), ..recording }, &shares));
        keeper.advance(clocks(8 * 24), None);
        assert!(!opened(&stolen(&keeper.state()), recording, &shares), "what is destroyed is not there");
    }

    #[test]
    fn two_keepers_copies_open_together_what_none_does_alone() {
        let mut keepers = [(); 3].map(|()| Keeper::new(clocks(0)));
        let hour = keepers[0].reserve(clocks(0), Retention::default()).unwrap();
        keepers.iter_mut().for_each(|keeper| keeper.make(clocks(0), hour).unwrap());
        let given = keepers.iter_mut().map(|keeper| keeper.release(clocks(0), RECORDING, hour).unwrap());
        let shares = KeyShares::of_several(given.collect::<Vec<_>>());
        let recording = RecordingName { hour, recording: RECORDING };
        for keeper in &keepers {
            assert!(!opened(&stolen(&keeper.state()), recording, &shares));
        }
        let two = [keepers[2].state(), keepers[0].state()].concat();
        assert!(opened(&stolen(&two), recording, &shares));
    }

    #[test]
    fn keys_of_version_1_are_known_by_their_place() {
        let mut state = [VERSION_1, &[9; 8], &[1; 40], &[0], &2_u32.to_be_bytes()].concat();
        for hour in [500_000_u32, 500_001] {
            state.extend(hour.to_be_bytes());
            state.extend([hour as u8 | 1; 32]);
        }
        let keys = stolen(&state);
        let proven: Vec<_> = keys.iter().filter(|key| key.proven).map(|key| key.hour).collect();
        assert_eq!(proven, [Hour(500_000), Hour(500_001)]);
        assert_eq!(stolen(&state[..state.len() - 1]).iter().filter(|key| key.proven).count(), 1);
    }
}
