//! **The question:** how is a sealed take read as one file, any range of it, and no byte too late?

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::Size;
use crate::core::record::{Contents, Object, PlaylistPart, RecordedFile, RecordingState, SegmentEntry};
use crate::core::retention::{RecordingName, Secret, open, plain_len};
use crate::io::store::custody::KeyCustody;
use crate::io::store::read_error::ReadError;
use crate::io::store::vault::{Listed, Vault};

/// One take, stitched from its init segment and its segments.
#[derive(Debug)]
pub struct Reading {
    vault: Vault,
    custody: Arc<KeyCustody>,
    recording: RecordingName,
    key: Secret,
    parts: Vec<Part>,
    len: u64,
    name: String,
    size: Size,
    timeline: Vec<SegmentEntry>,
    /// How long it plays, milliseconds.
    ms: u64,
    open: Option<(usize, Bytes)>,
}

#[derive(Debug)]
struct Part {
    object: Object,
    /// Where it begins in the file.
    at: u64,
    len: u64,
}

impl Reading {
    pub(super) fn new(
        (vault, custody): (Vault, Arc<KeyCustody>),
        recording: RecordingName,
        file: RecordedFile,
        (contents, key): (Contents, Secret),
        objects: &[(Object, Listed)],
    ) -> Result<Self, ReadError> {
        let mut reading = Self {
            vault,
            custody,
            recording,
            key,
            parts: Vec::new(),
            len: 0,
            name: file_name(&contents, file),
            size: size_of(&contents, file),
            timeline: timeline_of(&contents, file),
            ms: ms_of(&contents, file),
            open: None,
        };
        let lens: BTreeMap<Object, u64> = objects.iter().map(|(object, listed)| (*object, listed.len)).collect();
        let find = |wanted: Object| lens.get_key_value(&wanted);
        let head = find(file.head()).or_else(|| find(file.init())).ok_or(ReadError::Missing)?;
        reading.add(head)?;
        let mut number = 0;
        while let Some(segment) = find(file.segment(number)) {
            reading.add(segment)?;
            number += 1;
        }
        let whole = match file {
            RecordedFile::Take(take) => contents.segments.get(take as usize).copied(),
            RecordedFile::Track(track) => contents.track_segments.get(track as usize).copied(),
        };
        if contents.manifest.state == RecordingState::Final && whole != Some(number) {
            return Err(ReadError::Damaged);
        }
        Ok(reading)
    }

    fn add(&mut self, (object, sealed_len): (&Object, &u64)) -> Result<(), ReadError> {
        let len = plain_len(*sealed_len)?;
        self.parts.push(Part { object: *object, at: self.len, len });
        self.len += len;
        Ok(())
    }

    /// Bytes of the file.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a length in bytes, not a collection")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// A name for the file: room and time, letters that every system takes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next bytes of `range`, at most `limits::READ_PIECE_LEN`, which begin at its start; empty at its end. The
    /// time is looked at before anything is read and again before anything is given out.
    ///
    /// # Errors
    /// When the hour has come meanwhile, or an object is missing or does not open.
    pub async fn next(&mut self, range: &Range<u64>) -> Result<Bytes, ReadError> {
        if range.start >= range.end.min(self.len) {
            return Ok(Bytes::new());
        }
        let found = self.parts.partition_point(|part| part.at + part.len <= range.start);
        let part = &self.parts[found];
        let plain = match &self.open {
            Some((open, plain)) if *open == found => plain.clone(),
            _ => {
                self.check_not_expired()?;
                let sealed = self.vault.get(&part.object.path(self.recording)).await?;
                let plain = Bytes::from(open(&self.key, &part.object.context(self.recording), &sealed)?);
                if plain.len() as u64 != part.len {
                    return Err(ReadError::Damaged);
                }
                self.open = Some((found, plain.clone()));
                plain
            }
        };
        let within = |at: u64| usize::try_from(at - part.at).expect("an object in memory has a length in memory");
        let from = within(range.start);
        let to = within(range.end.min(part.at + part.len)).min(from + limits::READ_PIECE_LEN);
        self.check_not_expired()?;
        Ok(plain.slice(from..to))
    }

    /// Columns and rows of its picture.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// The bytes of its init segment.
    #[must_use]
    pub fn init(&self) -> Range<u64> {
        0..self.parts[0].len
    }

    /// The file in parts that each begin with a keyframe, in order; `None` while the recording is not final, or was
    /// never closed.
    #[must_use]
    pub fn playlist_parts(&self) -> Option<Vec<PlaylistPart>> {
        let segments = &self.parts[1..];
        if segments.is_empty() || self.timeline.len() != segments.len() {
            return None;
        }
        let spans = segments.iter().map(|segment| segment.at..segment.at + segment.len);
        Some(parts_of(spans.zip(&self.timeline), self.ms))
    }

    /// The segment that a poster is taken from: it begins with a keyframe and lies near the middle, so that people have
    /// arrived; the first one while the recording is not final. `None` while there is none.
    #[must_use]
    pub fn poster_segment(&self) -> Option<Range<u64>> {
        let middle = self.timeline.len() / 2;
        let near = self.timeline.iter().take(middle + 1).rposition(|entry| entry.sync).unwrap_or(0);
        self.parts.get(near + 1).map(|part| part.at..part.at + part.len)
    }

    /// All bytes of a range that is small.
    ///
    /// # Errors
    /// As for `next`.
    pub async fn whole(&mut self, mut range: Range<u64>) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        loop {
            let piece = self.next(&range).await?;
            if piece.is_empty() {
                return Ok(bytes);
            }
            range.start += piece.len() as u64;
            bytes.extend_from_slice(&piece);
        }
    }

    fn check_not_expired(&self) -> Result<(), ReadError> {
        Ok(self.custody.refuse(self.recording.hour)?)
    }
}

fn size_of(contents: &Contents, file: RecordedFile) -> Size {
    let manifest = &contents.manifest;
    let size = match file {
        RecordedFile::Take(take) => manifest.takes.get(take as usize).map(|entry| (entry.width, entry.height)),
        RecordedFile::Track(track) => manifest.tracks.get(track as usize).map(|entry| (entry.width, entry.height)),
    };
    size.map_or(Size::new(0, 0), |(width, height)| Size::new(width, height))
}

fn ms_of(contents: &Contents, file: RecordedFile) -> u64 {
    let manifest = &contents.manifest;
    let ms = match file {
        RecordedFile::Take(take) => manifest.takes.get(take as usize).map(|entry| entry.duration_ms),
        RecordedFile::Track(track) => manifest.tracks.get(track as usize).map(|entry| entry.duration_ms),
    };
    ms.unwrap_or(0)
}

/// Segments of a file that plays for `ms`, in parts from keyframe to keyframe. Their lengths are differences of times
/// in the file, so that they add up to it: sound that overhangs its pictures is heard beside the next part's.
fn parts_of<'a>(segments: impl Iterator<Item = (Range<u64>, &'a SegmentEntry)>, ms: u64) -> Vec<PlaylistPart> {
    let (mut parts, mut begins) = (Vec::<PlaylistPart>::new(), Vec::new());
    for (bytes, entry) in segments {
        match parts.last_mut() {
            Some(last) if !entry.sync => {
                last.bytes.end = bytes.end;
                last.ms += u64::from(entry.ms);
            }
            _ => {
                parts.push(PlaylistPart { bytes, ms: entry.ms.into() });
                begins.push(entry.at_ms);
            }
        }
    }
    // Recordings of earlier versions do not say when their keyframes are shown.
    if let Some(begins) = begins.into_iter().collect::<Option<Vec<u64>>>() {
        let ends = begins.iter().skip(1).copied().chain([ms]);
        for ((part, begin), end) in parts.iter_mut().zip(&begins).zip(ends) {
            part.ms = end.checked_sub(*begin).filter(|ms| *ms > 0).unwrap_or(part.ms);
        }
    }
    parts
}

// Players seek in the call; a single track is a file to be taken whole.
fn timeline_of(contents: &Contents, file: RecordedFile) -> Vec<SegmentEntry> {
    match file {
        RecordedFile::Take(take) => contents.timeline.get(take as usize).cloned().unwrap_or_default(),
        RecordedFile::Track(_) => Vec::new(),
    }
}

// `daily-20260714T093000Z.mp4`; room names are unreserved characters, safe in a header and on a disk.
fn file_name(contents: &Contents, file: RecordedFile) -> String {
    let started = contents.manifest.started.as_deref().unwrap_or_default().replace(['-', ':'], "");
    let room = &contents.manifest.room;
    match file {
        RecordedFile::Take(0) => format!("{room}-{started}.mp4"),
        RecordedFile::Take(take) => format!("{room}-{started}-take{}.mp4", take + 1),
        RecordedFile::Track(track) => format!("{room}-{started}-track{track}.mp4"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(entries: &[(u32, bool, Option<u64>)], ms: u64) -> Vec<(Range<u64>, u64)> {
        let entry = |(ms, sync, at_ms): &(u32, bool, Option<u64>)| SegmentEntry { ms: *ms, sync: *sync, at_ms: *at_ms };
        let entries: Vec<SegmentEntry> = entries.iter().map(entry).collect();
        let spans = (0..).map(|n| 10 * n..10 * n + 10);
        parts_of(spans.zip(&entries), ms).into_iter().map(|part| (part.bytes, part.ms)).collect()
    }

    #[test]
    fn case_60_parts_last_from_keyframe_to_keyframe_and_add_up() {
        // Sound overhangs the pictures of each fragment by 40 ms.
        let told = parts(
            &[
                (2_040, true, Some(0)),
                (2_040, false, Some(2_000)),
                (2_040, true, Some(4_000)),
                (340, false, None),
                (1_000, true, Some(6_300)),
            ],
            7_320,
        );
        assert_eq!(told, [(0..20, 4_000), (20..40, 2_300), (40..50, 1_020)]);
        assert_eq!(told.iter().map(|(_, ms)| ms).sum::<u64>(), 7_320);
        let earlier = parts(&[(2_040, true, None), (2_000, false, None), (990, true, None)], 5_000);
        assert_eq!(earlier, [(0..20, 4_040), (20..30, 990)], "as well as an earlier version's recording says");
    }
}
