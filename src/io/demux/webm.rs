//! **The question:** which samples does a WebM or Matroska file hold? Front to back, so that a file may still grow, be
//! cut off, or have come out of a pipe: segments and clusters of unknown size, without index or duration, as browsers'
//! recorders write them.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::Pts;
use crate::core::bitstream::opus;
use crate::core::bitstream::opus_head::OpusHead;
use crate::io::demux::blocks::{Block, frames};
use crate::io::demux::ebml::{Elements, child, children, signed, unsigned};
use crate::io::demux::matroska::{Entry, Info, Kind, id, seek_position};
use crate::io::demux::stored::{
    Coding, Fault, Media, NOMINAL, Pictures, Sound, Stored, Track, broken, reader, sample_len, with_sequence,
};

/// Bytes of `av1C` before its OBUs (AV1 in Matroska, section "CodecPrivate").
const AV1C_HEADER_BYTES: usize = 4;
/// Bytes of a block before its frames that are looked at to see whose it is.
const TRACK_NUMBER_BYTES: usize = 8;

/// What stands before the first cluster.
struct Opening {
    elements: Elements,
    info: Info,
    entries: Vec<Entry>,
}

struct WebM {
    elements: Elements,
    entry: Entry,
    /// Nanoseconds of one unit of time.
    unit: u64,
    /// Time of the cluster at hand, in units.
    cluster: u64,
    /// Frames of the block read last.
    waiting: VecDeque<Stored>,
    /// OBUs of the container's own; empty for sound.
    config: Bytes,
    first: bool,
}

pub(super) fn open(path: &Path) -> Result<Media, Fault> {
    let Opening { info, entries, .. } = opening(path)?;
    let mut media = Media::default();
    let videos: Vec<&Entry> = entries.iter().filter(|entry| entry.kind == Kind::Video && entry.enabled).collect();
    let sounds: Vec<&Entry> = entries.iter().filter(|entry| entry.kind == Kind::Audio && entry.enabled).collect();
    if let Some(entry) = chosen(&videos, "V_AV1") {
        media.note_others(videos.len(), "picture", "shown");
        media.pictures = Some(pictures(path, entry, info, &mut media.notes)?);
    } else if let Some(entry) = videos.first() {
        return Err(Fault::Codec(codec_name(&entry.codec)));
    }
    if let Some(entry) = chosen(&sounds, "A_OPUS") {
        media.note_others(sounds.len(), "sound", "heard");
        media.sound = Some(sound(path, entry, info)?);
    } else if let Some(entry) = sounds.first() {
        let codec = codec_name(&entry.codec);
        if media.pictures.is_none() {
            return Err(Fault::SoundCodec(codec));
        }
        media.notes.push(format!("its sound is {codec}, not Opus, and left out"));
    }
    Ok(media)
}

/// The track that a player would choose unasked, among those of a codec.
fn chosen<'a>(entries: &[&'a Entry], codec: &str) -> Option<&'a Entry> {
    let fits: Vec<&&Entry> = entries.iter().filter(|entry| entry.codec == codec).collect();
    let main = fits.iter().find(|entry| entry.default && !entry.commentary);
    main.or_else(|| fits.iter().find(|entry| !entry.commentary)).or(fits.first()).map(|entry| **entry)
}

/// `V_MPEG4/ISO/AVC` → `H.264`; others as Matroska names them.
fn codec_name(codec: &str) -> String {
    match codec {
        "V_MPEG4/ISO/AVC" => "H.264".to_owned(),
        "V_MPEGH/ISO/HEVC" => "HEVC".to_owned(),
        other => other.trim_start_matches("V_").trim_start_matches("A_").to_owned(),
    }
}

fn pictures(path: &Path, entry: &Entry, info: Info, notes: &mut Vec<String>) -> Result<Pictures, Fault> {
    let video = entry.video.as_ref().ok_or_else(|| broken("its video track has no size"))?;
    notes.extend(video.note.map(str::to_owned));
    let config = entry.private.get(AV1C_HEADER_BYTES..).map(|obus| entry.private.slice_ref(obus)).unwrap_or_default();
    let track = Box::new(track(path, entry, config)?);
    let nominal = entry.span.unwrap_or(NOMINAL);
    let (size, reshape, stated) = (video.size, video.reshape, video.colour);
    Ok(Pictures { coding: Coding::Av1, size, span: info.span, nominal, reshape, colour: None, stated, track })
}

fn sound(path: &Path, entry: &Entry, info: Info) -> Result<Sound, Fault> {
    let private = &entry.private;
    // Early writers left the header out; then it is one stream.
    let head = if private.is_empty() { OpusHead::plain(opus::PRE_SKIP) } else { OpusHead::parse(private)? };
    Ok(Sound { head, span: info.span, track: Box::new(track(path, entry, Bytes::new())?) })
}

fn track(path: &Path, entry: &Entry, config: Bytes) -> Result<WebM, Fault> {
    if let Err(what) = entry.stripped {
        return Err(Fault::Kind(what.to_owned()));
    }
    let Opening { elements, info, .. } = opening(path)?;
    let waiting = VecDeque::new();
    Ok(WebM { elements, entry: entry.clone(), unit: info.unit, cluster: 0, waiting, config, first: true })
}

/// Reads up to the first cluster; tracks that are described behind it are looked up where the file says.
fn opening(path: &Path) -> Result<Opening, Fault> {
    let mut elements = Elements::of(reader(path)?)?;
    let (mut info, mut entries, mut tracks_at) = (Info::default(), Vec::new(), None);
    let mut segment = 0;
    loop {
        let at = elements.position();
        let head = elements.head()?.ok_or_else(|| broken("it holds no tracks: was it cut off?"))?;
        match head.id {
            id::SEGMENT => segment = elements.position(),
            id::SEEK_HEAD => {
                let body = elements.body(head.size, limits::MATROSKA_HEAD_LEN_MAX)?;
                tracks_at = seek_position(&body, id::TRACKS).and_then(|at| at.checked_add(segment));
            }
            id::INFO => info = Info::parse(&elements.body(head.size, limits::MATROSKA_HEAD_LEN_MAX)?),
            id::TRACKS => entries = tracks(&elements.body(head.size, limits::MATROSKA_HEAD_LEN_MAX)?)?,
            id::CLUSTER => {
                if entries.is_empty()
                    && let Some(there) = tracks_at
                {
                    elements.go(there)?;
                    let head = elements.head()?.filter(|head| head.id == id::TRACKS);
                    let size = head.ok_or_else(|| broken("its tracks are not where it says"))?.size;
                    entries = tracks(&elements.body(size, limits::MATROSKA_HEAD_LEN_MAX)?)?;
                }
                elements.go(at)?;
                return if entries.is_empty() { Err(Fault::Nothing) } else { Ok(Opening { elements, info, entries }) };
            }
            _ => elements.skip(head.size)?,
        }
    }
}

fn tracks(body: &[u8]) -> Result<Vec<Entry>, Fault> {
    children(body).filter(|(id, _)| *id == 0xae).map(|(_, entry)| Entry::parse(entry)).collect()
}

impl Track for WebM {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        loop {
            if let Some(stored) = self.waiting.pop_front() {
                return Ok(Some(stored));
            }
            let Some(head) = self.elements.head()? else { return Ok(None) };
            match head.id {
                // Elements stand in a row whatever the size of what holds them.
                id::SEGMENT | id::CLUSTER => {}
                id::TIMESTAMP => {
                    let body = self.elements.body(head.size, 8)?;
                    self.cluster = unsigned(&body).ok_or_else(|| broken("a cluster without a time"))?;
                }
                id::SIMPLE_BLOCK => {
                    if let Some(body) = self.own_block(head.size)? {
                        self.take(&body, None)?;
                    }
                }
                id::BLOCK_GROUP => {
                    let body = self.elements.body(head.size, limits::MATROSKA_BLOCK_LEN_MAX)?;
                    if let Some(block) = child(&body, id::BLOCK) {
                        let block = body.slice_ref(block);
                        self.take(&block, Some(&body))?;
                    }
                }
                // Another file follows, as `cat` puts them.
                id::EBML if self.elements.position() > 64 => return Ok(None),
                _ => self.elements.skip(head.size)?,
            }
        }
    }
}

impl WebM {
    /// A simple block, if it is of this track; of others no more than the head is read.
    fn own_block(&mut self, size: Option<u64>) -> Result<Option<Bytes>, Fault> {
        let at = self.elements.position();
        let size = size.ok_or_else(|| broken("a block without a size"))?;
        let front = self.elements.body(Some(size.min(TRACK_NUMBER_BYTES as u64)), TRACK_NUMBER_BYTES)?;
        let is_own = Block::track(&front) == Some(self.entry.number);
        self.elements.go(at)?;
        if is_own {
            return self.elements.body(Some(size), limits::MATROSKA_BLOCK_LEN_MAX).map(Some);
        }
        self.elements.skip(Some(size)).map(|()| None)
    }

    /// Takes the frames of a block, which may lie in a group.
    fn take(&mut self, block: &Bytes, group: Option<&[u8]>) -> Result<(), Fault> {
        let block = Block::parse(block).ok_or_else(|| broken("a block that is cut short"))?;
        if block.track != self.entry.number {
            return Ok(());
        }
        let units = |id: u32| group.and_then(|group| child(group, id)).and_then(unsigned);
        let padding = group.and_then(|group| child(group, id::DISCARD_PADDING)).and_then(signed).unwrap_or(0);
        let span = units(id::BLOCK_DURATION).map(|units| bounded(units.saturating_mul(self.unit)));
        let keyframe = match group {
            Some(group) => child(group, id::REFERENCE_BLOCK).is_none(),
            None => block.keyframe,
        };
        let time = i128::from(self.cluster) + i128::from(block.time);
        let mut nanos = time.saturating_mul(self.unit.into()).saturating_sub(self.delay());
        let stripped = self.entry.stripped.clone().unwrap_or_default();
        let frames = frames(&block).ok_or_else(|| broken("a block whose lacing makes no sense"))?;
        let count = frames.len() as u32;
        for (number, frame) in frames.into_iter().enumerate() {
            sample_len(frame.len() as u64)?;
            let data = if stripped.is_empty() { frame } else { [&stripped[..], &frame[..]].concat().into() };
            let span = self.span_of(&data, span.map(|span| span / count));
            let is_last = number + 1 == count as usize;
            let stored = self.stored(nanos, (if is_last { padding } else { 0 }, span), data, keyframe);
            nanos = nanos.saturating_add(span.unwrap_or_default().as_nanos().cast_signed());
            self.waiting.push_back(stored);
        }
        Ok(())
    }

    fn delay(&self) -> i128 {
        if self.entry.kind == Kind::Video { 0 } else { self.entry.delay.as_nanos().cast_signed() }
    }

    /// How long a frame lasts: as it says itself, as its block says, or as all of its track do.
    fn span_of(&self, data: &[u8], of_block: Option<Duration>) -> Option<Duration> {
        let own = || opus::packet_samples(data).map(|samples| Duration::from_nanos(u64::from(samples) * 62_500 / 3));
        if self.entry.kind == Kind::Video { of_block.or(self.entry.span) } else { own() }
    }

    fn stored(&mut self, nanos: i128, (padding, span): (i64, Option<Duration>), data: Bytes, keyframe: bool) -> Stored {
        let before = bounded(u64::try_from(nanos.saturating_neg().max(0)).unwrap_or(u64::MAX));
        let padded = bounded(padding.unsigned_abs());
        let (at_front, trim) = if padding < 0 { (padded, Duration::ZERO) } else { (Duration::ZERO, padded) };
        let is_video = self.entry.kind == Kind::Video;
        // Decoding starts at the first sample in any case.
        let keyframe = !is_video || std::mem::replace(&mut self.first, false) || keyframe;
        let data = with_sequence(data, is_video && keyframe, &self.config);
        let at = Pts(0) + bounded(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)) + at_front;
        Stored { at, skip: before + at_front, trim, span, data, keyframe }
    }
}

/// A span of so many nanoseconds; what no file lasts is cut, so that sums of a few stay within 64 bits.
fn bounded(nanos: u64) -> Duration {
    Duration::from_nanos(nanos.min(u64::MAX / 4))
}
