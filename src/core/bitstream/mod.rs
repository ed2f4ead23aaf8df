//! **The question:** what does a coded frame say of itself? Floor 2: one file a codec, and nothing else in the house
//! reads bits. Bytes come from the world, so nothing here panics on any of them.
//!
//! Doors: [`av1`] (OBUs, temporal units, sequence headers), [`h264`] (NAL units, parameter sets), [`vp8`], [`vp9`],
//! [`stored`] (how pictures lie in files), [`opus`] (the TOC byte, in-band FEC, silence), [`opus_head`] (its channels
//! in a file), [`aac`] (what stands around its packets), [`g711`]; [`packet_samples`] and [`restores_previous`] ask a
//! packet of sound whatever its codec, [`stated_size`] a coded picture.

pub mod aac;
pub mod av1;
pub mod g711;
pub mod h264;
pub mod opus;
pub mod opus_head;
pub mod stored;
pub mod vp8;
pub mod vp9;

use bytes::Bytes;

use crate::base::media::{Codec, Size};

/// Samples (48 kHz, for each channel) that `packet` stands for; `None` when it is no packet of its codec, or no sound.
#[must_use]
pub fn packet_samples(codec: Codec, packet: &[u8]) -> Option<u32> {
    match codec {
        Codec::Opus => opus::packet_samples(packet),
        Codec::G711(_) => g711::packet_samples(packet),
        Codec::Av1 | Codec::H264 | Codec::Vp8 | Codec::Vp9 => None,
    }
}

/// The largest size that a coded frame of pictures states for itself and what follows; `None` where it states none. A
/// decoder takes memory by it.
#[must_use]
pub fn stated_size(codec: Codec, frame: &Bytes) -> Option<Size> {
    match codec {
        Codec::Av1 => av1::SequenceHeader::find(frame).map(|sequence| sequence.size),
        Codec::H264 => h264::Sps::find(frame).map(|sps| sps.size),
        Codec::Vp8 => vp8::size(frame),
        Codec::Vp9 => vp9::largest_size(frame),
        Codec::Opus | Codec::G711(_) => None,
    }
}

/// Whether `packet` can restore the one before it.
#[must_use]
pub fn restores_previous(codec: Codec, packet: &[u8]) -> bool {
    codec == Codec::Opus && opus::has_fec(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::Law;

    #[test]
    fn a_byte_of_g711_is_an_eighth_of_a_millisecond() {
        let samples = |length| packet_samples(Codec::G711(Law::A), &vec![0; length]);
        assert_eq!([0, 19, 20, 160, 960, 961].map(samples), [None, None, Some(120), Some(960), Some(5_760), None]);
        assert!(!restores_previous(Codec::G711(Law::A), &[0; 160]), "its bytes are no TOC");
    }
}
