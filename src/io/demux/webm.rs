//! **The question:** which samples does a WebM or Matroska file hold (RFC 9559; AV1 and Opus mappings of the Matroska
//! project)? The demuxer crate reads the elements; this file knows codecs and clocks.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use bytes::Bytes;
use matroska_demuxer::{DemuxError, Frame, MatroskaFile, TrackEntry, TrackType};

use crate::base::media::{NANOS_PER_SECOND, Pts, Size};
use crate::io::demux::stored::{
    Coding, Fault, NOMINAL, Pictures, Reader, Stored, Track, sample_len, span, with_sequence,
};

/// Bytes of `av1C` before its OBUs (AV1 in Matroska, section "CodecPrivate").
const AV1C_HEADER_BYTES: usize = 4;
/// The names of two elements.
const SEEK_HEAD: [u8; 4] = [0x11, 0x4d, 0x9b, 0x74];
const VOID: u8 = 0xec;
/// A `SeekHead` is the first thing in its segment, if it is there.
const SEEK_HEAD_WITHIN: u64 = 256;

type File = MatroskaFile<View>;

struct WebM {
    file: File,
    number: u64,
    /// Nanoseconds of one unit of time.
    unit: u64,
    /// How much earlier a sample sounds than its time says: `CodecDelay`.
    delay: u64,
    span: Option<Duration>,
    /// OBUs of the container's own; empty for sound.
    config: Bytes,
    video: bool,
    first: bool,
}

pub(super) fn pictures(file: Reader) -> Result<Pictures, Fault> {
    let file = open(file)?;
    let entry = file.tracks().iter().find(|track| track.track_type() == TrackType::Video).ok_or(Fault::NoPictures)?;
    if entry.codec_id() != "V_AV1" {
        return Err(Fault::Codec(entry.codec_id().trim_start_matches("V_").to_owned()));
    }
    let video = entry.video().ok_or_else(|| Fault::Broken("its video track has no size".into()))?;
    let side = |pixels: std::num::NonZeroU64| u32::try_from(pixels.get()).unwrap_or(u32::MAX);
    let size = Size::new(side(video.pixel_width()), side(video.pixel_height()));
    let config = entry.codec_private().and_then(|bytes| bytes.get(AV1C_HEADER_BYTES..)).unwrap_or_default();
    let (config, nominal) =
        (Bytes::copy_from_slice(config), entry.default_duration().map(|n| Duration::from_nanos(n.get())));
    let unit = file.info().timestamp_scale().get();
    let total = file.info().duration().filter(|units| (0.0..1e15).contains(units));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within 0 and 1e15")]
    let total = total.map(|units| span((units as u64).saturating_mul(unit), NANOS_PER_SECOND));
    let track = track(entry.clone(), file, config, true);
    Ok(Pictures { coding: Coding::Av1, size, span: total, nominal: nominal.unwrap_or(NOMINAL), track })
}

pub(super) fn sound(file: Reader) -> Result<Option<Box<dyn Track>>, Fault> {
    let file = open(file)?;
    let entry = file.tracks().iter().find(|track| track.codec_id() == "A_OPUS").cloned();
    Ok(entry.map(|entry| track(entry, file, Bytes::new(), false)))
}

/// Opens the file; one whose list of elements (`SeekHead`) points beyond its end, because it was cut off, without that
/// list.
fn open(file: Reader) -> Result<File, Fault> {
    let again = file.get_ref().try_clone()?;
    match MatroskaFile::open(View::of(file)) {
        Ok(file) => Ok(file),
        Err(first) => {
            let mut file = Reader::new(again);
            file.seek(SeekFrom::Start(0))?;
            let mut head = Vec::new();
            (&mut file).take(SEEK_HEAD_WITHIN).read_to_end(&mut head)?;
            file.seek(SeekFrom::Start(0))?;
            let Some(patch) = without_seek_head(&head) else { return Err(fault(first)) };
            MatroskaFile::open(View { patch: Some(patch), ..View::of(file) }).map_err(|_| fault(first))
        }
    }
}

/// A `SeekHead` turned into a `Void` of the same extent (RFC 8794, section 11.3.2): where, and the bytes of its header.
fn without_seek_head(head: &[u8]) -> Option<(u64, Vec<u8>)> {
    let at = head.windows(4).position(|window| window == SEEK_HEAD)?;
    let size_len = head.get(at + 4)?.leading_zeros() as usize + 1;
    let size_bytes = head.get(at + 4..at + 4 + size_len).filter(|_| size_len <= 4)?;
    let size = size_bytes.iter().fold(0_u64, |size, byte| size << 8 | u64::from(*byte)) & !(1 << (7 * size_len));
    // One byte of name instead of four; the size takes the three.
    let void_len = size_len + 3;
    let size = (size | 1 << (7 * void_len)).to_be_bytes();
    Some((at as u64, [&[VOID], &size[8 - void_len..]].concat()))
}

/// The file, with a few bytes seen otherwise.
struct View {
    file: Reader,
    position: u64,
    patch: Option<(u64, Vec<u8>)>,
}

impl View {
    /// `file` stands at its start.
    fn of(file: Reader) -> Self {
        Self { file, position: 0, patch: None }
    }
}

impl Read for View {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if let Some((at, bytes)) = &self.patch {
            for (place, byte) in (*at..).zip(bytes) {
                let index = place.checked_sub(self.position).and_then(|index| usize::try_from(index).ok());
                if let Some(seen) = index.filter(|index| *index < count).and_then(|index| buffer.get_mut(index)) {
                    *seen = *byte;
                }
            }
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for View {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // A jump forth or back within the buffer keeps it.
        if let SeekFrom::Start(to) = to
            && let Some(by) = i64::try_from(to).ok().zip(i64::try_from(self.position).ok()).map(|(to, at)| to - at)
        {
            self.file.seek_relative(by)?;
            self.position = to;
        } else {
            self.position = self.file.seek(to)?;
        }
        Ok(self.position)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position)
    }
}

fn track(entry: TrackEntry, file: File, config: Bytes, video: bool) -> Box<dyn Track> {
    let unit = file.info().timestamp_scale().get();
    let span = entry.default_duration().map(|nanos| Duration::from_nanos(nanos.get()));
    let delay = if video { 0 } else { entry.codec_delay().unwrap_or(0) };
    Box::new(WebM { file, number: entry.track_number().get(), unit, delay, span, config, video, first: true })
}

impl Track for WebM {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        loop {
            let mut frame = Frame::default();
            if !self.file.next_frame(&mut frame).map_err(fault)? {
                return Ok(None);
            }
            if frame.track != self.number {
                continue;
            }
            sample_len(frame.data.len() as u64)?;
            let nanos = frame.timestamp.saturating_mul(self.unit);
            // Block groups do not say whether they hold a keyframe; decoding starts at the first sample in any case.
            let first = std::mem::replace(&mut self.first, false);
            let keyframe = !self.video || first || frame.is_keyframe.unwrap_or(false);
            let data = with_sequence(frame.data.into(), keyframe, &self.config);
            return Ok(Some(Stored {
                at: Pts(nanos.saturating_sub(self.delay)),
                skip: Duration::from_nanos(self.delay.saturating_sub(nanos)),
                span: frame.duration.map(|units| Duration::from_nanos(units.saturating_mul(self.unit))).or(self.span),
                data,
                keyframe,
            }));
        }
    }
}

fn fault(error: DemuxError) -> Fault {
    match error {
        DemuxError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => Fault::Cut,
        DemuxError::IoError(error) => Fault::Read(error),
        other => Fault::Broken(other.to_string()),
    }
}
