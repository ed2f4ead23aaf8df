//! **The question:** what opens one recording, and who has to agree? Data keys, wrapped for pairs of keepers.

use std::fmt;
use std::str::FromStr;

use crate::core::retention::chunked::{self, Tampered};
use crate::core::retention::secret::{KEY_BYTES, Secret, expand, extract_and_expand, fill_random};
use crate::core::retention::{Hour, RetentionError};

/// Bytes of a release as it travels.
pub const RELEASE_BYTES: usize = 8 + KEY_BYTES;
/// Stands in every derivation, so that another version derives other keys.
const RELEASE_INFO: &[u8] = b"tessera keeper release v1";
const WRAP_INFO: &[u8] = b"tessera data key wrap v1";

macro_rules! random_id {
    ($(#[$about:meta])* $name:ident, $len:expr, $prefix:literal) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// A new one, random.
            #[must_use]
            pub fn random() -> Self {
                let mut bytes = [0; $len];
                fill_random(&mut bytes);
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = RetentionError;

            fn from_str(text: &str) -> Result<Self, RetentionError> {
                let digits = text.strip_prefix($prefix).ok_or(RetentionError::NoId)?;
                let mut bytes = [0; $len];
                parse_hex(digits, &mut bytes).then_some(Self(bytes)).ok_or(RetentionError::NoId)
            }
        }
    };
}

random_id! {
    /// One recording; random, says nothing of the room. Text form: `r` and 32 hexadecimal digits.
    RecordingId, 16, "r"
}
random_id! {
    /// One keeper; random, made with its first state. Text form: `k` and 16 hexadecimal digits.
    KeeperId, 8, "k"
}

/// Lowercase hexadecimal digits into exactly `out`; false if they are no such.
pub(super) fn parse_hex(digits: &str, out: &mut [u8]) -> bool {
    let digits = digits.as_bytes();
    let lowercase = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != out.len() * 2 || !digits.iter().all(lowercase) {
        return false;
    }
    let value = |digit: u8| if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 };
    out.iter_mut().zip(digits.chunks_exact(2)).for_each(|(byte, pair)| *byte = value(pair[0]) << 4 | value(pair[1]));
    true
}

/// The keepers for whom a data key is wrapped: two, or a node's only one. Text form: both ids, the lower first, `-`
/// between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    low: KeeperId,
    high: KeeperId,
}

impl Pair {
    /// Of two keepers, in whatever order.
    #[must_use]
    pub fn new(one: KeeperId, other: KeeperId) -> Self {
        Self { low: one.min(other), high: one.max(other) }
    }

    /// Of a keeper that is alone (level 1).
    #[must_use]
    pub fn alone(keeper: KeeperId) -> Self {
        Self { low: keeper, high: keeper }
    }

    /// Both, the lower first; the same twice of a keeper that is alone.
    pub(super) fn keepers(self) -> (KeeperId, KeeperId) {
        (self.low, self.high)
    }

    /// Whether `keeper` is one of them.
    #[must_use]
    pub fn has(self, keeper: KeeperId) -> bool {
        self.low == keeper || self.high == keeper
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

impl FromStr for Pair {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let (low, high) = text.split_once('-').ok_or(RetentionError::NoId)?;
        let (low, high) = (low.parse()?, high.parse()?);
        if low <= high { Ok(Self { low, high }) } else { Err(RetentionError::NoId) }
    }
}

/// What a keeper gives out for one recording: derived from its hour key, of no use for any other recording or hour.
#[derive(Debug)]
pub struct Release {
    /// Whose.
    pub keeper: KeeperId,
    /// HKDF-SHA-512 of the hour key over version, keeper, hour and recording.
    pub key: Secret,
}

impl Release {
    pub(super) fn derive(hour_key: &[u8; KEY_BYTES], keeper: KeeperId, recording: RecordingId, hour: Hour) -> Self {
        let mut key = Secret::zero();
        expand(hour_key, &[RELEASE_INFO, &keeper.0, &hour.0.to_be_bytes(), &recording.0], key.expose_mut());
        Self { keeper, key }
    }

    /// As it travels to the node that asked, through an encrypted channel only: the keeper's id, then the derived key.
    pub fn write(&self, out: &mut [u8; RELEASE_BYTES]) {
        let (keeper, key) = out.split_at_mut(self.keeper.0.len());
        keeper.copy_from_slice(&self.keeper.0);
        key.copy_from_slice(self.key.expose());
    }

    /// What [`Release::write`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; RELEASE_BYTES]) -> Self {
        let (keeper, key) = bytes.split_first_chunk().expect("8 of 40 bytes");
        Self { keeper: KeeperId(*keeper), key: Secret::from_bytes(key.try_into().expect("the other 32")) }
    }
}

/// Wraps a recording's data key so that both releases, or the only keeper's, open it again. The same key may be wrapped
/// anew at any time: each wrap has a salt of its own.
#[must_use]
pub fn wrap(releases: (&Release, Option<&Release>), recording: RecordingId, hour: Hour, data_key: &Secret) -> Vec<u8> {
    let (key, about) = wrap_key(releases, recording, hour);
    chunked::seal(&key, &about, data_key.expose())
}

/// Opens a wrapped data key.
///
/// # Errors
/// When it was wrapped for another recording, hour or pair, or is damaged.
pub fn unwrap(
    releases: (&Release, Option<&Release>),
    recording: RecordingId,
    hour: Hour,
    wrapped: &[u8],
) -> Result<Secret, Tampered> {
    let (key, about) = wrap_key(releases, recording, hour);
    chunked::open_key(&key, &about, wrapped)
}

// R_i ‖ R_j in the order of the keepers' ids; info names everything the wrap is for.
fn wrap_key((one, other): (&Release, Option<&Release>), recording: RecordingId, hour: Hour) -> (Secret, Vec<u8>) {
    let (low, high) = match other {
        Some(other) if other.keeper < one.keeper => (other, one),
        Some(other) => (one, other),
        None => (one, one),
    };
    let about = [WRAP_INFO, &recording.0, &hour.0.to_be_bytes(), &low.keeper.0, &high.keeper.0].concat();
    let key = extract_and_expand((&low.key, &high.key), &[&about]);
    (key, about)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Hour = Hour(500_000);

    fn release(id: u8, key: u8) -> Release {
        Release { keeper: KeeperId([id; 8]), key: Secret::from_bytes(&[key; KEY_BYTES]) }
    }

    #[test]
    fn ids_survive_their_text_form_and_nothing_else_is_one() {
        let (recording, keeper) = (RecordingId::random(), KeeperId::random());
        assert_eq!(recording.to_string().parse(), Ok(recording));
        let pair = Pair::new(keeper, KeeperId([0xab; 8]));
        assert_eq!(pair.to_string().parse(), Ok(pair));
        assert_eq!(pair, Pair::new(KeeperId([0xab; 8]), keeper));
        for text in ["r12", "k0123456789abcdeF", "k0123456789abcde", "x0123456789abcdef", "../etc"] {
            assert!(text.parse::<KeeperId>().is_err() && text.parse::<RecordingId>().is_err(), "{text}");
        }
        let ordered = format!("{}-{}", KeeperId([2; 8]), KeeperId([1; 8]));
        assert!(ordered.parse::<Pair>().is_err(), "a pair has one name");
    }

    #[test]
    fn a_wrap_opens_for_its_pair_recording_and_hour_alone() {
        let recording = RecordingId::random();
        let data_key = Secret::random();
        let (one, two, three) = (release(1, 11), release(2, 22), release(3, 33));
        let wrapped = wrap((&one, Some(&two)), recording, HOUR, &data_key);
        let opened = |one, other, recording, hour| {
            unwrap((one, other), recording, hour, &wrapped).map(|key| key.expose() == data_key.expose())
        };
        assert_eq!(opened(&two, Some(&one), recording, HOUR), Ok(true), "in whatever order");
        assert_eq!(opened(&one, Some(&three), recording, HOUR), Err(Tampered));
        assert_eq!(opened(&one, None, recording, HOUR), Err(Tampered), "one keeper does not suffice");
        assert_eq!(opened(&one, Some(&two), RecordingId::random(), HOUR), Err(Tampered));
        assert_eq!(opened(&one, Some(&two), recording, Hour(HOUR.0 + 1)), Err(Tampered));
        assert_eq!(opened(&one, Some(&release(2, 23)), recording, HOUR), Err(Tampered));
        let alone = wrap((&three, None), recording, HOUR, &data_key);
        assert!(unwrap((&three, None), recording, HOUR, &alone).is_ok_and(|key| key.expose() == data_key.expose()));
        assert_ne!(alone, wrap((&three, None), recording, HOUR, &data_key), "each wrap has a salt of its own");
    }

    #[test]
    fn a_release_survives_its_journey() {
        let sent = release(1, 11);
        let mut bytes = [0; RELEASE_BYTES];
        sent.write(&mut bytes);
        let came = Release::from_bytes(&bytes);
        assert_eq!((came.keeper, came.key.expose()), (sent.keeper, sent.key.expose()));
    }

    #[test]
    fn what_is_released_differs_for_every_recording_hour_and_keeper() {
        let hour_key = [5; KEY_BYTES];
        let (keeper, recording) = (KeeperId([1; 8]), RecordingId([2; 16]));
        let of = |keeper, recording, hour| *Release::derive(&hour_key, keeper, recording, hour).key.expose();
        let first = of(keeper, recording, HOUR);
        assert_eq!(first, of(keeper, recording, HOUR));
        assert_ne!(first, hour_key);
        for other in [of(KeeperId([3; 8]), recording, HOUR), of(keeper, RecordingId([4; 16]), HOUR)] {
            assert_ne!(first, other);
        }
        assert_ne!(first, of(keeper, recording, Hour(HOUR.0 + 1)));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(
            format!("{:?}", release(1, 0x5a)),
            "Release { keeper: KeeperId(k0101010101010101), key: Secret(…) }"
        );
    }
}
