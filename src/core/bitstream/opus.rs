//! **The question:** what does an Opus packet say of itself? How much sound it holds (RFC 6716 section 3.1 and 3.2: the
//! TOC byte and the frame count), whether it restores the one before it, and what silence looks like. The one reader of
//! the TOC byte.

/// The longest packet: 120 ms (RFC 6716 section 3.2.5, R5), in samples at 48 kHz.
pub const LONGEST_PACKET_SAMPLES: u32 = 5_760;

/// The shortest frame: 2.5 ms, in samples at 48 kHz.
pub const FRAME_SAMPLES_MIN: u32 = 120;

/// Bytes up to which a packet is a DTX one: TOC, and at most the byte of a lost frame (RFC 7587 section 3.1.3, RFC 6716
/// section 2.1.9).
pub const DTX_BYTES: usize = 2;

/// Samples at 48 kHz that libopus's encoder looks ahead in its default mode; what a decoder discards first (RFC 7845
/// section 4.2).
pub const PRE_SKIP: u16 = 312;

/// 20 ms of stereo silence: a CELT fullband frame whose silence flag is set (RFC 6716 sections 3.1 and 4.3).
pub const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];

/// Silence of 2.5, 5, 10 and 20 ms, the shortest first, made alike.
const SILENCES: [&[u8]; 4] = [&[0xe4, 0xff, 0xfe], &[0xec, 0xff, 0xfe], &[0xf4, 0xff, 0xfe], SILENCE];

/// The longest packet of silence up to 20 ms that fits into so many samples at 48 kHz, and how many it fills; `None`
/// below 2.5 ms.
#[must_use]
pub fn silence_within(samples: u64) -> Option<(&'static [u8], u32)> {
    let spans = SILENCES.iter().enumerate().map(|(n, packet)| (*packet, FRAME_SAMPLES_MIN << n));
    spans.rev().find(|(_, span)| u64::from(*span) <= samples)
}

/// Samples (48 kHz, for each channel) that `packet` holds; `None` when it is no Opus packet.
#[must_use]
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frames = match toc & 0b11 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0b11_1111),
    };
    let samples = frames * frame_samples(toc >> 3);
    (samples > 0 && samples <= LONGEST_PACKET_SAMPLES).then_some(samples)
}

/// Whether the packet carries a coarse copy of the one before it (in-band FEC, "LBRR": RFC 6716 sections 4.2.3 and
/// 4.2.4): a flag behind the voice-activity flags, in the first bits of its first frame. Frames of different sizes
/// (code 2 and 3) are not looked into; no real-time encoder sends them with FEC.
#[must_use]
pub fn has_fec(packet: &[u8]) -> bool {
    let (Some(toc), Some(first)) = (packet.first(), packet.get(1)) else { return false };
    let config = toc >> 3;
    if config >= 16 || toc & 0b11 > 1 {
        return false;
    }
    // SILK frames are 20 ms at most; each has a voice-activity flag.
    let frames = frame_samples(config).div_ceil(960);
    let (mid, side) = (first >> (7 - frames) & 1, first >> (6 - 2 * frames) & 1);
    mid == 1 || (toc & 0b100 != 0 && side == 1)
}

/// RFC 6716 table 2: samples of one frame of configuration `config` (0 to 31).
fn frame_samples(config: u8) -> u32 {
    match config {
        0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        12..=15 => [480, 960][usize::from(config % 2)],
        _ => [120, 240, 480, 960][usize::from(config % 4)],
    }
}

#[cfg(test)]
mod tests {
    use opus::{Channels, Decoder};
    use proptest::prelude::*;

    use super::*;
    use crate::base::limits;

    #[test]
    fn every_toc_agrees_with_libopus() {
        for toc in 0..=u8::MAX {
            for count in 0..=u8::MAX {
                let packet = [toc, count, 0, 0];
                let theirs = opus::packet::get_nb_samples(&packet, 48_000).ok().filter(|n| *n > 0);
                assert_eq!(packet_samples(&packet).map(|n| n as usize), theirs, "toc {toc:#010b}, count byte {count}");
            }
        }
        assert_eq!(packet_samples(&[]), None);
        assert_eq!(packet_samples(&[0b11]), None, "a frame count is promised but missing");
    }

    #[test]
    fn silence_is_silent_and_lasts_a_tick() {
        let mut samples = [1.0_f32; limits::PCM_SAMPLES];
        let mut decoder = Decoder::new(48_000, Channels::Stereo).unwrap();
        assert_eq!(decoder.decode_float(SILENCE, &mut samples, false).unwrap(), limits::PCM_FRAMES);
        assert!(samples.iter().all(|s| s.abs() < 1e-6));
        assert_eq!(packet_samples(SILENCE), Some(960));
    }

    #[test]
    fn every_hole_has_a_silence_that_fits() {
        let mut samples = [1.0_f32; limits::PCM_SAMPLES];
        for (hole, wanted) in
            [(119, None), (120, Some(120)), (479, Some(240)), (959, Some(480)), (1_000_000, Some(960))]
        {
            let found = silence_within(hole);
            assert_eq!(found.map(|(_, span)| span), wanted, "{hole}");
            let Some((packet, span)) = found else { continue };
            let mut decoder = Decoder::new(48_000, Channels::Stereo).unwrap();
            assert_eq!(decoder.decode_float(packet, &mut samples, false).unwrap(), span as usize);
            assert!(samples[..2 * span as usize].iter().all(|s| s.abs() < 1e-6));
            assert_eq!(packet_samples(packet), Some(span));
        }
    }

    #[test]
    fn fec_is_seen_where_the_encoder_puts_it() {
        for (channels, size) in [(1, 960), (2, 960), (1, 2880)] {
            let share = |fec: bool| {
                let kind = if channels == 1 { Channels::Mono } else { Channels::Stereo };
                let mut encoder = opus::Encoder::new(48_000, kind, opus::Application::Voip).unwrap();
                encoder.set_bitrate(opus::Bitrate::Bits(20_000 * channels)).unwrap();
                encoder.set_signal(opus::Signal::Voice).unwrap();
                encoder.set_inband_fec(fec).unwrap();
                encoder.set_packet_loss_perc(20).unwrap();
                // A buzz that comes and goes is speech to the encoder; a steady one is not, and gets no FEC.
                let wave = |n: usize| ((n % 400) as f32 / 200.0 - 1.0) * (n as f32 * 5e-4).sin().max(0.0) * 0.3;
                let packets: Vec<_> = (0..100)
                    .map(|p| {
                        let pcm: Vec<f32> =
                            (0..size * channels as usize).map(|n| wave(p * size + n / channels as usize)).collect();
                        encoder.encode_vec_float(&pcm, 1500).unwrap()
                    })
                    .collect();
                assert!(packets.iter().all(|p| p[0] >> 3 < 16), "no SILK, no FEC");
                packets.iter().filter(|p| has_fec(p)).count()
            };
            assert!(share(true) > 10, "{channels} channels of {size}: {}", share(true));
            assert_eq!(share(false), 0, "{channels} channels of {size}");
        }
        assert!(!has_fec(&[]) && !has_fec(&[0]) && !has_fec(&[31 << 3, 0xff]));
    }
    proptest! {
        #[test]
        fn no_packet_breaks_it(packet in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = has_fec(&packet);
            if let Some(samples) = packet_samples(&packet) {
                prop_assert!((FRAME_SAMPLES_MIN..=LONGEST_PACKET_SAMPLES).contains(&samples));
                prop_assert!(samples.is_multiple_of(FRAME_SAMPLES_MIN));
            }
        }
    }
}
