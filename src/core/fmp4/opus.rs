//! **The question:** how long does an Opus packet play, and what does silence look like?

/// 20 ms of stereo silence: a CELT fullband frame whose silence flag is set (RFC 6716 sections 3.1 and 4.3).
pub const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];

/// Silence of 2.5, 5, 10 and 20 ms, the shortest first, made alike.
const SILENCES: [&[u8]; 4] = [&[0xe4, 0xff, 0xfe], &[0xec, 0xff, 0xfe], &[0xf4, 0xff, 0xfe], SILENCE];

/// Samples at 48 kHz of the shortest packet there is: 2.5 ms.
pub const PACKET_SAMPLES_MIN: u32 = 120;

/// The longest packet of silence up to 20 ms that fits into so many samples at 48 kHz, and how many it fills; `None` below 2.5 ms.
#[must_use]
pub fn silence_within(samples: u64) -> Option<(&'static [u8], u32)> {
    let spans = SILENCES.iter().enumerate().map(|(n, packet)| (*packet, PACKET_SAMPLES_MIN << n));
    spans.rev().find(|(_, span)| u64::from(*span) <= samples)
}

/// Samples at 48 kHz that libopus's encoder looks ahead in its default mode; what a decoder discards first (RFC 7845 section 4.2).
pub const PRE_SKIP: u16 = 312;

/// Samples at 48 kHz that a packet decodes to, by its table-of-contents byte (RFC 6716 section 3.1); `None` for what is no packet.
#[must_use]
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let config = toc >> 3;
    let frame = match config {
        0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        12..=15 => [480, 960][usize::from(config % 2)],
        _ => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    // No packet plays longer than 120 ms (RFC 6716 section 3.4, rule 5).
    let samples = frame * frames;
    (1..=5760).contains(&samples).then_some(samples)
}

#[cfg(test)]
mod tests {
    use opus::{Channels, Decoder};

    use super::*;

    #[test]
    fn silence_is_silent_and_lasts_a_tick() {
        let mut samples = [1.0_f32; crate::base::limits::PCM_SAMPLES];
        let mut decoder = Decoder::new(48_000, Channels::Stereo).unwrap();
        assert_eq!(decoder.decode_float(SILENCE, &mut samples, false).unwrap(), crate::base::limits::PCM_FRAMES);
        assert!(samples.iter().all(|s| s.abs() < 1e-6));
        assert_eq!(packet_samples(SILENCE), Some(960));
    }

    #[test]
    fn every_hole_has_a_silence_that_fits() {
        let mut samples = [1.0_f32; crate::base::limits::PCM_SAMPLES];
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
    fn the_span_agrees_with_libopus() {
        for toc in 0..=255_u8 {
            for count in 0..64 {
                let packet = [toc, count, 0, 0];
                let theirs = opus::packet::get_nb_samples(&packet, 48_000).ok().filter(|n| *n > 0);
                assert_eq!(packet_samples(&packet).map(|n| n as usize), theirs, "toc {toc:#x}, count {count}");
            }
        }
        assert_eq!(packet_samples(&[]), None);
    }
}
