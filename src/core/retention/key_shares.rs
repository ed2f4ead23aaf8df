//! **The question:** who has to agree before a recording opens? The only keeper there is, or any two of several.

use crate::core::retention::data_key::{Pair, Release, unwrap, wrap};
use crate::core::retention::secret::Secret;
use crate::core::retention::{KeeperId, RecordingName, Tampered};

/// What keepers gave out for one recording.
#[derive(Debug)]
pub enum KeyShares {
    /// Level 1: there is one keeper, and it suffices.
    Alone(Release),
    /// Levels 2 and 3: each pair of different keepers opens the recording, none does alone.
    Several(Vec<Release>),
}

/// One pair's wrap of a data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Who opens it together.
    pub pair: Pair,
    /// The data key, sealed for them.
    pub bytes: Vec<u8>,
}

type Both<'a> = (&'a Release, Option<&'a Release>);

impl KeyShares {
    /// Of several keepers; one that answered twice counts once.
    #[must_use]
    pub fn of_several(releases: impl IntoIterator<Item = Release>) -> Self {
        let mut kept: Vec<Release> = Vec::new();
        for release in releases {
            if kept.iter().all(|other| other.keeper != release.keeper) {
                kept.push(release);
            }
        }
        Self::Several(kept)
    }

    /// Whose they are.
    #[must_use]
    pub fn keepers(&self) -> Vec<KeeperId> {
        match self {
            Self::Alone(release) => vec![release.keeper],
            Self::Several(releases) => releases.iter().map(|release| release.keeper).collect(),
        }
    }

    /// Every pair that opens the recording with what was given out; none while one of several keepers stands alone.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair> {
        self.ways().into_iter().map(|(pair, _)| pair).collect()
    }

    /// The data key, wrapped once for each of [`KeyShares::pairs`].
    #[must_use]
    pub fn wrap(&self, recording: RecordingName, data_key: &Secret) -> Vec<WrappedKey> {
        let wrapped =
            |(pair, both)| WrappedKey { pair, bytes: wrap(both, recording.recording, recording.hour, data_key) };
        self.ways().into_iter().map(wrapped).collect()
    }

    /// Opens the wrap of one pair.
    ///
    /// # Errors
    /// When one of the pair gave nothing out, or it was wrapped for something else, or is damaged.
    pub fn unwrap(&self, recording: RecordingName, pair: Pair, bytes: &[u8]) -> Result<Secret, Tampered> {
        let both = self.ways().into_iter().find(|(way, _)| *way == pair).map(|(_, both)| both);
        both.ok_or(Tampered).and_then(|both| unwrap(both, recording.recording, recording.hour, bytes))
    }

    fn ways(&self) -> Vec<(Pair, Both<'_>)> {
        match self {
            Self::Alone(release) => vec![(Pair::alone(release.keeper), (release, None))],
            Self::Several(releases) => {
                let after = |n: usize| releases[n + 1..].iter();
                let pairs = releases.iter().enumerate().flat_map(|(n, one)| after(n).map(move |other| (one, other)));
                pairs.map(|(one, other)| (Pair::new(one.keeper, other.keeper), (one, Some(other)))).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::retention::{Hour, RecordingId};

    const FILED: RecordingName = RecordingName { hour: Hour(500_000), recording: RecordingId([7; 16]) };

    fn release(keeper: u8, hour_key: u8) -> Release {
        Release::derive(&[hour_key; 32], KeeperId([keeper; 8]), FILED.recording, FILED.hour)
    }

    fn of(keepers: &[u8]) -> KeyShares {
        KeyShares::of_several(keepers.iter().map(|keeper| release(*keeper, 10 + keeper)))
    }

    fn opens(releases: &KeyShares, wraps: &[WrappedKey], key: &Secret) -> bool {
        let open = |wrap: &&WrappedKey| releases.unwrap(FILED, wrap.pair, &wrap.bytes).is_ok();
        let opened: Vec<_> = wraps.iter().filter(open).collect();
        for wrap in &opened {
            assert_eq!(releases.unwrap(FILED, wrap.pair, &wrap.bytes).unwrap().expose(), key.expose());
        }
        !opened.is_empty()
    }

    #[test]
    fn any_two_of_three_open_and_none_alone() {
        let key = Secret::random();
        let wraps = of(&[3, 1, 2]).wrap(FILED, &key);
        assert_eq!(wraps.len(), 3);
        for keepers in [&[1_u8, 2][..], &[2, 3], &[3, 1], &[1, 2, 3]] {
            assert!(opens(&of(keepers), &wraps, &key), "{keepers:?}");
        }
        for keeper in [1, 2, 3] {
            assert!(!opens(&of(&[keeper]), &wraps, &key));
            assert!(!opens(&of(&[keeper, keeper]), &wraps, &key), "answering twice makes nobody two");
            assert!(!opens(&KeyShares::Alone(release(keeper, 10 + keeper)), &wraps, &key));
        }
    }

    #[test]
    fn two_suffice_to_begin_and_the_third_is_added_by_whoever_opens_it() {
        let key = Secret::random();
        let mut wraps = of(&[1, 2]).wrap(FILED, &key);
        assert_eq!(wraps.len(), 1);
        assert!(!opens(&of(&[2, 3]), &wraps, &key));
        let all = of(&[1, 2, 3]);
        let opened = all.unwrap(FILED, wraps[0].pair, &wraps[0].bytes).unwrap();
        wraps.extend(all.wrap(FILED, &opened).into_iter().filter(|wrap| wrap.pair.has(KeeperId([3; 8]))));
        assert_eq!(wraps.len(), 3);
        assert!(opens(&of(&[2, 3]), &wraps, &key) && opens(&of(&[1, 3]), &wraps, &key));
    }

    #[test]
    fn a_keeper_that_lost_its_keys_opens_nothing_until_it_is_wrapped_for_again() {
        let key = Secret::random();
        let wraps = of(&[1, 2, 3]).wrap(FILED, &key);
        let fresh = KeyShares::of_several([release(1, 11), release(3, 99)]);
        assert!(!opens(&fresh, &wraps, &key));
        let again = fresh.wrap(FILED, &key);
        assert!(opens(&fresh, &again, &key));
    }

    #[test]
    fn one_keeper_alone_opens_what_was_wrapped_for_it_alone() {
        let key = Secret::random();
        let alone = KeyShares::Alone(release(1, 11));
        let wraps = alone.wrap(FILED, &key);
        assert_eq!((wraps.len(), alone.pairs()), (1, vec![Pair::alone(KeeperId([1; 8]))]));
        assert!(opens(&alone, &wraps, &key));
        assert!(!opens(&of(&[1, 2]), &wraps, &key));
    }
}
