//! **The question:** how much may all decoders of a node hold together? Memory goes with pixels: a decoder keeps some
//! ten pictures of the size that its stream's header names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::limits;
use crate::base::media::{CodedFrame, VideoFrame};
use crate::core::bitstream::stated_size;
use crate::engine::decode::video::{DecodeError, VideoDecoder};

/// Pixels that decoders may still hold; clones share them.
#[derive(Debug, Clone)]
pub struct PixelBudget(Arc<AtomicU64>);

impl PixelBudget {
    /// A budget of so many.
    #[must_use]
    pub fn new(pixels: u64) -> Self {
        Self(Arc::new(AtomicU64::new(pixels)))
    }

    /// A decoder that holds no more than is left.
    pub(super) fn bound(&self, decoder: Box<dyn VideoDecoder>) -> Box<dyn VideoDecoder> {
        Box::new(Budgeted { decoder, share: self.share() })
    }

    /// What one decoder holds of it: nothing so far.
    #[must_use]
    pub fn share(&self) -> PixelShare {
        PixelShare { budget: self.clone(), held: 0, is_refused: false }
    }

    fn take(&self, pixels: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(pixels)).is_ok()
    }

    fn give_back(&self, pixels: u64) {
        self.0.fetch_add(pixels, Ordering::Relaxed);
    }
}

/// One decoder's part of a budget; dropped, it goes back.
#[derive(Debug)]
pub struct PixelShare {
    budget: PixelBudget,
    /// Pixels of one of its pictures.
    held: u64,
    /// Its newest stream found no room; what follows refers to pictures that are not there.
    is_refused: bool,
}

impl PixelShare {
    /// Takes what `frame` needs, if its stream's header says so: how much that is.
    ///
    /// # Errors
    /// [`DecodeError::NoRoom`].
    pub fn take(&mut self, frame: CodedFrame<'_>) -> Result<Option<u64>, DecodeError> {
        // Larger ones are no decoder's to hold: it refuses them.
        let pixels = stated_size(frame.codec, frame.data)
            .map(|size| (u64::from(size.width) * u64::from(size.height)).min(u64::from(limits::INGEST_PIXELS_MAX)));
        if let Some(pixels) = pixels {
            let more = pixels.saturating_sub(self.held);
            self.is_refused = more > 0 && !self.budget.take(more);
            self.held += if self.is_refused { 0 } else { more };
        }
        if self.is_refused { Err(DecodeError::NoRoom) } else { Ok(pixels) }
    }

    /// The frame that needs `pixels` is decoded: what came before it is no longer held.
    pub fn settle(&mut self, pixels: Option<u64>) {
        if let Some(less) = pixels.and_then(|pixels| self.held.checked_sub(pixels)) {
            self.budget.give_back(less);
            self.held -= less;
        }
    }
}

struct Budgeted {
    decoder: Box<dyn VideoDecoder>,
    share: PixelShare,
}

impl VideoDecoder for Budgeted {
    fn decode(&mut self, frame: CodedFrame<'_>, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
        let pixels = self.share.take(frame)?;
        let decoded = self.decoder.decode(frame, out);
        self.share.settle(pixels);
        decoded
    }
}

impl Drop for PixelShare {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::{Codec, ComposedFrame, EncodedFrame, Pts, Size};
    #[cfg(all(feature = "h264", feature = "vpx"))]
    use crate::engine::decode::tests::ivf_frames;
    use crate::engine::decode::video_decoder_within;
    use crate::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};

    /// A keyframe and what follows it.
    fn clip(width: u32, height: u32) -> Vec<EncodedFrame> {
        let size = Size::new(width, height);
        let setup = VideoEncoderSetup { codec: Codec::Av1, size, fps: 30, bitrate: 200_000, threads: 1 };
        let mut encoder = video_encoder(EncoderChoice::Aom, setup).unwrap();
        let mut out = Vec::new();
        for n in 0..2 {
            let samples = vec![100 + n as u8; (width * height * 3 / 2) as usize];
            encoder.encode(&ComposedFrame::new(size, Pts(n * 33_333_333), samples), n == 0, &mut out).unwrap();
        }
        out
    }

    fn decode(decoder: &mut dyn VideoDecoder, frame: &EncodedFrame) -> Result<usize, DecodeError> {
        let mut out = Vec::new();
        decoder.decode(frame.coded(), &mut out).map(|()| out.len())
    }

    #[test]
    #[cfg(all(feature = "h264", feature = "vpx"))]
    fn pictures_of_every_codec_count() {
        let h264: &[u8] = include_bytes!("clips/red.h264");
        let [vp8, vp9]: [&[u8]; 2] = [include_bytes!("clips/red_vp8.ivf"), include_bytes!("clips/red_vp9.ivf")];
        let [vp8, vp9] = [vp8, vp9].map(|ivf| ivf_frames(ivf).swap_remove(0));
        for (codec, data) in [(Codec::H264, h264.into()), (Codec::Vp8, vp8), (Codec::Vp9, vp9)] {
            let budget = PixelBudget::new(64 * 48 - 1);
            let frame = EncodedFrame { codec, data, pts: Pts(0), keyframe: true };
            let mut decoder = video_decoder_within(codec, &budget).unwrap();
            assert_eq!(decode(&mut *decoder, &frame), Err(DecodeError::NoRoom), "{}", codec.name());
        }
    }

    #[test]
    fn a_size_that_changes_with_each_frame_holds_no_more_than_the_largest() {
        let clips = [clip(64, 64), clip(128, 64), clip(64, 128), clip(96, 80)];
        let whole = 3 * 64 * 64;
        let budget = PixelBudget::new(whole);
        let open = || video_decoder_within(Codec::Av1, &budget).unwrap();
        let (mut changing, mut steady) = (open(), open());
        assert_eq!(decode(&mut *steady, &clips[0][0]), Ok(1));
        for n in 0..100 {
            assert_eq!(decode(&mut *changing, &clips[n % clips.len()][0]), Ok(1), "{n}");
            assert!(budget.0.load(Ordering::Relaxed) <= whole - 64 * 64, "what is held is counted");
        }
        assert_eq!(decode(&mut *steady, &clips[0][1]), Ok(1), "another one goes on");
        drop((changing, steady));
        assert_eq!(budget.0.load(Ordering::Relaxed), whole, "all of it comes back");
    }

    #[test]
    fn decoders_of_a_node_hold_no_more_pixels_than_it_may() {
        let (small, large) = (clip(64, 64), clip(128, 64));
        let budget = PixelBudget::new(2 * 64 * 64);
        let open = || video_decoder_within(Codec::Av1, &budget).unwrap();
        let (mut first, mut second, mut third) = (open(), open(), open());
        assert_eq!(decode(&mut *first, &small[0]), Ok(1));
        assert_eq!(decode(&mut *second, &large[0]), Err(DecodeError::NoRoom), "twice as large");
        assert_eq!(decode(&mut *second, &large[1]), Err(DecodeError::NoRoom), "and what follows it");
        assert_eq!(decode(&mut *second, &small[0]), Ok(1), "a smaller one finds room");
        assert_eq!(decode(&mut *third, &small[0]), Err(DecodeError::NoRoom));
        assert_eq!(decode(&mut *first, &small[1]), Ok(1), "those who are there go on");
        drop(first);
        assert_eq!(decode(&mut *second, &large[0]), Ok(1), "who leaves makes room");
        assert_eq!(decode(&mut *second, &small[0]), Ok(1));
        assert_eq!(decode(&mut *third, &small[0]), Ok(1), "and so does who sends less");
        drop((second, third));
        assert_eq!(budget.0.load(Ordering::Relaxed), 2 * 64 * 64, "all of it comes back");
    }
}
