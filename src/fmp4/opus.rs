//! **The question:** how long does an Opus packet play, and what does silence look like?

/// 20 ms of stereo silence: a CELT fullband frame whose silence flag is set (RFC 6716 sections 3.1 and 4.3).
pub const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];

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
        let mut samples = [1.0_f32; crate::limits::PCM_SAMPLES];
        let mut decoder = Decoder::new(48_000, Channels::Stereo).unwrap();
        assert_eq!(decoder.decode_float(SILENCE, &mut samples, false).unwrap(), crate::limits::PCM_FRAMES);
        assert!(samples.iter().all(|s| s.abs() < 1e-6));
        assert_eq!(packet_samples(SILENCE), Some(960));
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
