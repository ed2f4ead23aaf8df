//! **The question:** which samples does a WebM or Matroska file hold (RFC 9559; AV1 and Opus mappings of the Matroska project)?
//! The demuxer crate reads the elements; this file knows codecs and clocks.

use std::time::Duration;

use bytes::Bytes;
use matroska_demuxer::{DemuxError, Frame, MatroskaFile, TrackEntry, TrackType};

use crate::footage::{Coding, Fault, NOMINAL, Pictures, Reader, Stored, Track, sample_len, span, with_sequence};
use crate::media::{NANOS_PER_SECOND, Pts, Size};

/// Bytes of `av1C` before its OBUs (AV1 in Matroska, section "CodecPrivate").
const AV1C_HEADER_LEN: usize = 4;

struct WebM {
    file: MatroskaFile<Reader>,
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
    let file = MatroskaFile::open(file).map_err(fault)?;
    let entry = file.tracks().iter().find(|track| track.track_type() == TrackType::Video).ok_or(Fault::NoPictures)?;
    if entry.codec_id() != "V_AV1" {
        return Err(Fault::Codec(entry.codec_id().trim_start_matches("V_").to_owned()));
    }
    let video = entry.video().ok_or_else(|| Fault::Broken("its video track has no size".into()))?;
    let side = |pixels: std::num::NonZeroU64| u32::try_from(pixels.get()).unwrap_or(u32::MAX);
    let size = Size::new(side(video.pixel_width()), side(video.pixel_height()));
    let config = entry.codec_private().and_then(|bytes| bytes.get(AV1C_HEADER_LEN..)).unwrap_or_default();
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
    let file = MatroskaFile::open(file).map_err(fault)?;
    let entry = file.tracks().iter().find(|track| track.codec_id() == "A_OPUS").cloned();
    Ok(entry.map(|entry| track(entry, file, Bytes::new(), false)))
}

fn track(entry: TrackEntry, file: MatroskaFile<Reader>, config: Bytes, video: bool) -> Box<dyn Track> {
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
        DemuxError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Fault::Cut,
        DemuxError::IoError(error) => Fault::Read(error),
        other => Fault::Broken(other.to_string()),
    }
}
