//! **The question:** which objects does a sealed recording consist of, what are they called, and what does each prove
//! to be?
//!
//! All lie under `rec/{hour}/{recording}/`:
//!
//! | object | what it is |
//! |---|---|
//! | `hdr` | in the clear: the format's version and the keepers' ids |
//! | `wrap/{pair}` | the data key, wrapped for a pair of keepers |
//! | `av/{take}/init` | init segment, as the take begins |
//! | `av/{take}/{n}` | segment `n`: both tracks, at most `limits::FRAGMENT_SPAN` |
//! | `av/{take}/head` | init segment again, with the duration, once it is known |
//! | `tr/{track}/init`, `tr/{track}/{n}`, `tr/{track}/head` | the same of a file of one participant's own track |
//! | `tt/{n}` | captions of what was said, some dozens |
//! | `idx/{n}` | the manifest so far |
//! | `fin` | the manifest of the whole, with the number of segments of each take |
//!
//! Sealed objects are bound to their place: each opens only as what its name says it is.

use serde::{Deserialize, Serialize};

use crate::core::record::captions::RecordedCaption;
use crate::core::record::manifest::Manifest;
use crate::core::retention::{Pair, RecordingName};

/// The folder that all recordings lie in.
pub const ROOT: &str = "rec";
const CONTEXT: &[u8] = b"tessera object v1";

/// One object of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// In the clear.
    Hdr,
    /// The data key, wrapped.
    Wrap(Pair),
    /// The init segment of a take.
    Init {
        /// From 0.
        take: u32,
    },
    /// The init segment of a take, with its duration.
    Head {
        /// From 0.
        take: u32,
    },
    /// A segment.
    Segment {
        /// From 0.
        take: u32,
        /// From 0, without a hole.
        number: u32,
    },
    /// The init segment of an own track's file.
    TrackInit {
        /// From 0.
        track: u32,
    },
    /// The same, with its duration.
    TrackHead {
        /// From 0.
        track: u32,
    },
    /// A segment of an own track's file.
    TrackSegment {
        /// From 0.
        track: u32,
        /// From 0, without a hole.
        number: u32,
    },
    /// Captions.
    Captions {
        /// From 0, without a hole.
        number: u32,
    },
    /// The manifest so far.
    Index {
        /// Rises; the highest counts.
        number: u32,
    },
    /// The manifest of the whole.
    Fin,
}

/// One file that a recording can be read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedFile {
    /// The call: take `n` of it, from 0.
    Take(u32),
    /// A participant's own track: file `n` of those listed, from 0.
    Track(u32),
}

impl RecordedFile {
    /// Its init segment as it began.
    #[must_use]
    pub fn init(self) -> Object {
        match self {
            Self::Take(take) => Object::Init { take },
            Self::Track(track) => Object::TrackInit { track },
        }
    }

    /// Its init segment with the duration.
    #[must_use]
    pub fn head(self) -> Object {
        match self {
            Self::Take(take) => Object::Head { take },
            Self::Track(track) => Object::TrackHead { track },
        }
    }

    /// One of its segments.
    #[must_use]
    pub fn segment(self, number: u32) -> Object {
        match self {
            Self::Take(take) => Object::Segment { take, number },
            Self::Track(track) => Object::TrackSegment { track, number },
        }
    }
}

/// What `hdr` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hdr {
    /// Of this format: 1.
    pub version: u32,
    /// For whom the data key is wrapped, in text form.
    pub keepers: Vec<String>,
}

/// What `idx/{n}` and `fin` hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// What the recording holds and lacks.
    pub manifest: Manifest,
    /// How many segments each take has; `fin` vouches for them.
    pub segments: Vec<u32>,
    /// The same for each file of the own tracks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub track_segments: Vec<u32>,
    /// How many objects of captions there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub caption_objects: u32,
    /// In `fin`, those captions that stand in none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captions: Vec<RecordedCaption>,
    /// In `fin`, every segment of each take, for players that seek; empty in `idx/{n}`, which is written often.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Vec<SegmentEntry>>,
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

/// One segment on its take's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentEntry {
    /// How long it plays, milliseconds.
    pub ms: u32,
    /// Whether it begins with a keyframe: playing may begin here.
    pub sync: bool,
    /// When its first picture is shown, milliseconds since the take's zero; absent where it has none, and in recordings
    /// of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

/// The folder of one recording.
#[must_use]
pub fn folder(recording: RecordingName) -> String {
    format!("{ROOT}/{}/{}", recording.hour, recording.recording)
}

impl Object {
    /// Where it lies.
    #[must_use]
    pub fn path(self, recording: RecordingName) -> String {
        format!("{}/{}", folder(recording), self.name())
    }

    /// Its name below the recording's folder.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Hdr => "hdr".to_owned(),
            Self::Wrap(pair) => format!("wrap/{pair}"),
            Self::Init { take } => format!("av/{take:04}/init"),
            Self::Head { take } => format!("av/{take:04}/head"),
            Self::Segment { take, number } => format!("av/{take:04}/{number:06}"),
            Self::TrackInit { track } => format!("tr/{track:04}/init"),
            Self::TrackHead { track } => format!("tr/{track:04}/head"),
            Self::TrackSegment { track, number } => format!("tr/{track:04}/{number:06}"),
            Self::Captions { number } => format!("tt/{number:06}"),
            Self::Index { number } => format!("idx/{number:06}"),
            Self::Fin => "fin".to_owned(),
        }
    }

    /// What the name below a recording's folder says; `None` if it is none of ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<u32>().ok();
        let parts: Vec<_> = name.split('/').collect();
        let object = match parts.as_slice() {
            ["hdr"] => Self::Hdr,
            ["fin"] => Self::Fin,
            ["wrap", pair] => Self::Wrap(pair.parse().ok()?),
            ["av", take, "init"] => Self::Init { take: number(take)? },
            ["av", take, "head"] => Self::Head { take: number(take)? },
            ["av", take, n] => Self::Segment { take: number(take)?, number: number(n)? },
            ["tr", track, "init"] => Self::TrackInit { track: number(track)? },
            ["tr", track, "head"] => Self::TrackHead { track: number(track)? },
            ["tr", track, n] => Self::TrackSegment { track: number(track)?, number: number(n)? },
            ["tt", n] => Self::Captions { number: number(n)? },
            ["idx", n] => Self::Index { number: number(n)? },
            _ => return None,
        };
        (object.name() == name).then_some(object)
    }

    /// What its sealed form is bound to.
    #[must_use]
    pub fn context(self, recording: RecordingName) -> Vec<u8> {
        let (kind, take, number) = match self {
            Self::Hdr => (0_u8, 0, 0),
            Self::Wrap(_) => (1, 0, 0),
            Self::Init { take } => (2, take, 0),
            Self::Head { take } => (3, take, 0),
            Self::Segment { take, number } => (4, take, number),
            Self::Index { number } => (5, 0, number),
            Self::Fin => (6, 0, 0),
            Self::TrackInit { track } => (7, track, 0),
            Self::TrackHead { track } => (8, track, 0),
            Self::TrackSegment { track, number } => (9, track, number),
            Self::Captions { number } => (10, 0, number),
        };
        let place = [take.to_be_bytes(), number.to_be_bytes()].concat();
        [CONTEXT, &recording.recording.0, &recording.hour.0.to_be_bytes(), &[kind], &place].concat()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::retention::{Hour, KeeperId, RecordingId};

    fn objects() -> Vec<Object> {
        let mut objects = vec![Object::Hdr, Object::Wrap(Pair::alone(KeeperId([3; 8]))), Object::Fin];
        for n in [0, 1, 10_000, 1_000_000] {
            objects.extend([Object::Init { take: n }, Object::Head { take: n }, Object::Index { number: n }]);
            objects.push(Object::Captions { number: n });
            objects.extend([Object::TrackInit { track: n }, Object::TrackHead { track: n }]);
            objects.extend([
                Object::TrackSegment { track: n, number: 1 },
                Object::TrackSegment { track: 1, number: n + 2 },
            ]);
            objects.extend([Object::Segment { take: n, number: 1 }, Object::Segment { take: 1, number: n + 2 }]);
        }
        objects
    }

    #[test]
    fn names_are_read_back_and_nothing_else_is_one() {
        for object in objects() {
            assert_eq!(Object::parse(&object.name()), Some(object));
        }
        for name in ["", "hdr/", "av/1/init", "av/0001", "av/0001/-1", "idx/+00001", "wrap/x", "../hdr", "fin.tmp"] {
            assert_eq!(Object::parse(name), None, "{name}");
        }
    }

    #[test]
    fn each_object_is_bound_to_its_place() {
        let recording = |hour, recording| RecordingName { hour: Hour(hour), recording: RecordingId([recording; 16]) };
        let places = [recording(1, 1), recording(2, 1), recording(1, 2)];
        let contexts: BTreeSet<_> = places
            .iter()
            .flat_map(|recording| objects().into_iter().map(|object| object.context(*recording)))
            .collect();
        assert_eq!(contexts.len(), objects().len() * places.len());
    }
}
