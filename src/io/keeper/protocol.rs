//! **The question:** what can be said to a keeper, and what does it answer?
//!
//! A frame is its length (2 bytes), the version, a kind, and fields of fixed length, all big-endian. An ask is answered
//! before the next one is read. Every ask may be repeated: it changes nothing the second time.

use zeroize::Zeroizing;

use crate::base::media::Wallclock;
use crate::core::retention::{Hour, KeeperId, RELEASE_BYTES, RecordingId, RecordingName, Refusal, Release};

const VERSION: u8 = 1;
const NAME_BYTES: usize = 20;
const STATUS_BYTES: usize = 33;
/// The longest body of a frame: version, kind and a release.
pub(super) const LONGEST_FRAME_BYTES: usize = 2 + RELEASE_BYTES;
const _: () = assert!(STATUS_BYTES <= RELEASE_BYTES && NAME_BYTES < RELEASE_BYTES);

/// What a node asks; another keeper asks for the time alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// How late is it with you, and how are you?
    Time,
    /// What opens this recording?
    Release {
        /// Which one.
        recording: RecordingName,
        /// Whether the hour's key is made if there is none: for a recording that begins, or is wrapped anew.
        make: bool,
    },
    /// Release nothing for this recording any more.
    Deny {
        /// Which one.
        recording: RecordingName,
    },
}

/// What a keeper tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Who it is.
    pub keeper: KeeperId,
    /// What its wall clock says; while that is in doubt, what it knew before.
    pub wall: Wallclock,
    /// The time that has certainly come, for it: what it destroys by.
    pub certain: Wallclock,
    /// What it refuses by, for ever. More than `certain` while it is not certain of its clock.
    pub latest: Wallclock,
    /// Whether its keys live in memory only (level 3).
    pub in_memory: bool,
    /// Whether its state could not be stored when it last tried.
    pub unsaved: bool,
}

/// What a keeper answers.
#[derive(Debug)]
pub enum Response {
    /// To the time.
    Time(Status),
    /// To a release.
    Released(Release),
    /// Denied from now on, and stored.
    Denied,
    /// It said no.
    Refused(Refusal),
    /// Its state could not be stored, so nothing was done.
    Unsaved,
    /// Anyone who asked may not.
    NotYours,
}

/// Bytes that are no frame of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no frame of this version")]
pub struct Malformed;

impl Request {
    /// The body of its frame.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Self::Time => out.push(1),
            Self::Release { recording, make } => {
                out.push(if make { 3 } else { 2 });
                put_name(recording, &mut out);
            }
            Self::Deny { recording } => {
                out.push(4);
                put_name(recording, &mut out);
            }
        }
        out
    }

    /// What the body of a frame asks.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let (kind, fields) = kind_of(body)?;
        match kind {
            1 if fields.is_empty() => Ok(Self::Time),
            2 | 3 => Ok(Self::Release { recording: recording(fields)?, make: kind == 3 }),
            4 => Ok(Self::Deny { recording: recording(fields)? }),
            _ => Err(Malformed),
        }
    }
}

impl Response {
    /// The body of its frame; overwritten when let go.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(LONGEST_FRAME_BYTES));
        out.push(VERSION);
        match self {
            Self::Time(told) => {
                out.push(1);
                out.extend_from_slice(&told.keeper.0);
                for time in [told.wall, told.certain, told.latest] {
                    out.extend_from_slice(&time.0.to_be_bytes());
                }
                out.push(u8::from(told.in_memory) | u8::from(told.unsaved) << 1);
            }
            Self::Released(release) => {
                out.push(2);
                // Within what was reserved at once: growing would leave a copy behind.
                out.resize(LONGEST_FRAME_BYTES, 0);
                release.write(out.last_chunk_mut().expect("the longest frame ends with a release"));
            }
            Self::Denied => out.push(3),
            Self::Refused(refusal) => out.extend_from_slice(&[4, code(*refusal)]),
            Self::Unsaved => out.push(5),
            Self::NotYours => out.push(6),
        }
        out
    }

    /// What the body of a frame answers.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let (kind, fields) = kind_of(body)?;
        match (kind, fields) {
            (1, told) => Ok(Self::Time(self::told(told)?)),
            (2, release) => Ok(Self::Released(Release::from_bytes(release.try_into().map_err(|_| Malformed)?))),
            (3, []) => Ok(Self::Denied),
            (4, [code]) => refusal(*code).map(Self::Refused),
            (5, []) => Ok(Self::Unsaved),
            (6, []) => Ok(Self::NotYours),
            _ => Err(Malformed),
        }
    }
}

fn kind_of(body: &[u8]) -> Result<(u8, &[u8]), Malformed> {
    match body {
        [VERSION, kind, fields @ ..] => Ok((*kind, fields)),
        _ => Err(Malformed),
    }
}

fn put_name(recording: RecordingName, out: &mut Vec<u8>) {
    out.extend_from_slice(&recording.hour.0.to_be_bytes());
    out.extend_from_slice(&recording.recording.0);
}

fn recording(fields: &[u8]) -> Result<RecordingName, Malformed> {
    let fields: &[u8; NAME_BYTES] = fields.try_into().map_err(|_| Malformed)?;
    let (hour, recording) = fields.split_first_chunk().expect("4 of 20 bytes");
    let recording = RecordingId(recording.try_into().expect("the other 16"));
    Ok(RecordingName { hour: Hour(u32::from_be_bytes(*hour)), recording })
}

fn told(fields: &[u8]) -> Result<Status, Malformed> {
    let fields: &[u8; STATUS_BYTES] = fields.try_into().map_err(|_| Malformed)?;
    let time = |at: usize| Wallclock(u64::from_be_bytes(fields[at..at + 8].try_into().expect("8 bytes")));
    let flags = fields[STATUS_BYTES - 1];
    if flags > 3 {
        return Err(Malformed);
    }
    let keeper = KeeperId(fields[..8].try_into().expect("8 bytes"));
    let (wall, certain, latest) = (time(8), time(16), time(24));
    Ok(Status { keeper, wall, certain, latest, in_memory: flags & 1 != 0, unsaved: flags & 2 != 0 })
}

const REFUSALS: [Refusal; 6] =
    [Refusal::Expired, Refusal::TooFarAhead, Refusal::Denied, Refusal::NoKey, Refusal::Full, Refusal::Doubt];

fn code(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::Expired => 0,
        Refusal::TooFarAhead => 1,
        Refusal::Denied => 2,
        Refusal::NoKey => 3,
        Refusal::Full => 4,
        Refusal::Doubt => 5,
    }
}

fn refusal(code: u8) -> Result<Refusal, Malformed> {
    REFUSALS.get(usize::from(code)).copied().ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILED: RecordingName = RecordingName { hour: Hour(495_727), recording: RecordingId([0xa5; 16]) };

    fn told_now() -> Status {
        let (wall, certain, latest) = (Wallclock(1), Wallclock(u64::MAX), Wallclock(3));
        Status { keeper: KeeperId([9; 8]), wall, certain, latest, in_memory: true, unsaved: false }
    }

    fn answers() -> Vec<Response> {
        let release = Release::from_bytes(&std::array::from_fn(|n| n as u8));
        let mut answers = vec![Response::Time(told_now()), Response::Time(Status { unsaved: true, ..told_now() })];
        answers.extend([Response::Released(release), Response::Denied, Response::Unsaved, Response::NotYours]);
        answers.extend(REFUSALS.map(Response::Refused));
        answers
    }

    #[test]
    fn every_word_survives_its_journey() {
        let asks = [Request::Time, Request::Deny { recording: FILED }];
        let releases = [true, false].map(|make| Request::Release { recording: FILED, make });
        for ask in asks.into_iter().chain(releases) {
            assert_eq!(Request::parse(&ask.to_bytes()), Ok(ask));
        }
        for answer in answers() {
            let bytes = answer.to_bytes();
            assert!(bytes.len() <= LONGEST_FRAME_BYTES && bytes.capacity() == LONGEST_FRAME_BYTES, "{answer:?}");
            assert_eq!(Response::parse(&bytes).unwrap().to_bytes(), bytes);
        }
    }

    #[test]
    fn longer_shorter_and_other_versions_are_malformed() {
        for body in [&Request::Time.to_bytes()[..], &Request::Deny { recording: FILED }.to_bytes()] {
            assert_eq!(Request::parse(&body[..body.len() - 1]), Err(Malformed));
            assert_eq!(Request::parse(&[body, &[0]].concat()), Err(Malformed));
            assert_eq!(Request::parse(&[&[2], &body[1..]].concat()), Err(Malformed));
        }
        for answer in answers() {
            let body = answer.to_bytes();
            assert!(Response::parse(&body[..body.len() - 1]).is_err());
            assert!(Response::parse(&[&body[..], &[0]].concat()).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_word_or_malformed(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(ask) = Request::parse(&body) {
                prop_assert_eq!(ask.to_bytes(), body.clone());
            }
            if let Ok(answer) = Response::parse(&body) {
                prop_assert_eq!(&answer.to_bytes()[..], &body[..]);
            }
        }
    }
}
