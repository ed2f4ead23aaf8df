//! **The question:** how does an AV1 temporal unit become a picture? By dav1d, or by its memory-safe twin rav1d, which has the
//! same API: one thread, no delay, one operating point.

// rav1d wins if both features are on, so that `--features rav1d` alone is enough.
#[cfg(all(feature = "dav1d", not(feature = "rav1d")))]
use dav1d as library;
#[cfg(feature = "rav1d")]
use re_rav1d as library;

#[cfg(not(any(feature = "dav1d", feature = "rav1d")))]
compile_error!("an AV1 decoder is needed: enable the feature `dav1d` (system library) or `rav1d` (built by cargo)");

use std::sync::Arc;
use std::time::Instant;

use library::{PixelLayout, PlanarImageComponent as Component, Plane};

use crate::decode::av1_sequence::find_sequence;
use crate::decode::{DecodeError, VideoDecoder};
use crate::limits;
use crate::media::{Codec, EncodedFrame, Picture, PlaneRef, Size, VideoFrame};

/// Pictures one temporal unit may show; an encoder shows one, a hostile one may show many (`show_existing_frame`).
const PICTURES_PER_UNIT_MAX: usize = 8;

/// A decoder for one AV1 track.
///
/// # Errors
/// [`DecodeError::Open`] if the library refuses (out of memory).
pub fn av1_decoder() -> Result<Box<dyn VideoDecoder>, DecodeError> {
    let decoder = open()?;
    Ok(Box::new(Av1Decoder { decoder, awaiting_keyframe: true, full_range: false }))
}

struct Av1Decoder {
    decoder: library::Decoder,
    awaiting_keyframe: bool,
    /// Of the newest sequence header.
    full_range: bool,
}

fn open() -> Result<library::Decoder, DecodeError> {
    let mut settings = library::Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(limits::INGEST_PIXELS_MAX);
    library::Decoder::with_settings(&settings).map_err(|error| DecodeError::Open(error.to_string()))
}

impl VideoDecoder for Av1Decoder {
    fn decode(&mut self, frame: &EncodedFrame, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
        assert_eq!(frame.codec, Codec::Av1, "the caller sorts frames by codec");
        let arrival = frame.ingest.as_ref().ok_or(DecodeError::NoArrival)?.arrival;
        let sequence = find_sequence(&frame.data);
        if self.awaiting_keyframe && !frame.keyframe && sequence.is_none() {
            return Err(DecodeError::AwaitingKeyframe);
        }
        if let Some(sequence) = sequence {
            self.full_range = sequence.full_range;
        }
        let result = self.decode_unit(frame, arrival, out);
        match result {
            Ok(()) => self.awaiting_keyframe = false,
            Err(_) => self.forget()?,
        }
        result
    }
}

impl Av1Decoder {
    fn decode_unit(
        &mut self,
        frame: &EncodedFrame,
        arrival: Instant,
        out: &mut Vec<VideoFrame>,
    ) -> Result<(), DecodeError> {
        if frame.data.is_empty() || frame.data.len() > limits::INGEST_FRAME_LEN_MAX {
            return Err(DecodeError::Bitstream(format!("a temporal unit of {} bytes", frame.data.len())));
        }
        // The library shares the bytes until it has read them; nothing is copied.
        let mut sent = self.decoder.send_data(frame.data.clone(), None, None, None);
        for _ in 0..PICTURES_PER_UNIT_MAX {
            let waits = match sent {
                Ok(()) => false,
                Err(library::Error::Again) => true,
                Err(error) => return Err(broken(error)),
            };
            let mut progress = false;
            match self.decoder.get_picture() {
                Ok(picture) => {
                    out.push(self.accept(&picture, arrival)?);
                    progress = true;
                }
                Err(library::Error::Again) => {}
                Err(error) => return Err(broken(error)),
            }
            if waits {
                sent = self.decoder.send_pending_data();
                progress |= sent.is_ok();
            }
            if !progress {
                break;
            }
        }
        match sent {
            Ok(()) => Ok(()),
            Err(_) => Err(DecodeError::Bitstream("a temporal unit that does not end".into())),
        }
    }

    /// Checks a picture's kind and takes its planes over.
    fn accept(&self, picture: &library::Picture, arrival: Instant) -> Result<VideoFrame, DecodeError> {
        let size = Size::new(picture.width(), picture.height());
        if picture.bit_depth() != 8 || picture.pixel_layout() != PixelLayout::I420 {
            let kind = format!("{:?} with {} bits", picture.pixel_layout(), picture.bit_depth());
            return Err(DecodeError::Unsupported(kind));
        }
        let side = size.width.max(size.height);
        if side > limits::INGEST_SIDE_MAX {
            return Err(DecodeError::Unsupported(format!("a side of {side} pixels")));
        }
        let planes = [Component::Y, Component::U, Component::V].map(|component| picture.plane(component));
        let strides = [picture.stride(Component::Y), picture.stride(Component::U), picture.stride(Component::V)];
        let owner = DecodedPicture { planes, strides: strides.map(|stride| stride as usize) };
        Ok(VideoFrame { size, full_range: self.full_range, arrival, picture: Arc::new(owner) })
    }

    /// After an error: a new decoder, so that nothing of the broken past is left.
    fn forget(&mut self) -> Result<(), DecodeError> {
        self.awaiting_keyframe = true;
        self.decoder = open()?;
        Ok(())
    }
}

fn broken(error: library::Error) -> DecodeError {
    DecodeError::Bitstream(error.to_string())
}

/// The library's own picture, reference-counted by it.
struct DecodedPicture {
    planes: [Plane; 3],
    strides: [usize; 3],
}

impl Picture for DecodedPicture {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        PlaneRef { data: &self.planes[index], stride: self.strides[index] }
    }
}
