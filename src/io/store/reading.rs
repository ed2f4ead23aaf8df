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
        let mut parts: Vec<PlaylistPart> = Vec::new();
        for (segment, entry) in segments.iter().zip(&self.timeline) {
            let end = segment.at + segment.len;
            match parts.last_mut() {
                Some(last) if !entry.sync => {
                    last.bytes.end = end;
                    last.ms += u64::from(entry.ms);
                }
                _ => parts.push(PlaylistPart { bytes: segment.at..end, ms: entry.ms.into() }),
            }
        }
        Some(parts)
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
