//! **The question:** how much sound does an Opus packet hold? RFC 6716 section 3.1 and 3.2: the TOC byte and the frame count.

/// The longest packet: 120 ms (RFC 6716 section 3.2.5, R5), in samples at 48 kHz.
pub const PACKET_SAMPLES_MAX: u32 = 5_760;

/// The shortest frame: 2.5 ms, in samples at 48 kHz.
pub const FRAME_SAMPLES_MIN: u32 = 120;

/// Bytes up to which a packet is a DTX one: TOC, and at most the byte of a lost frame (RFC 7587 section 3.1.3, RFC 6716 section 2.1.9).
pub const DTX_LEN_MAX: usize = 2;

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
    (samples > 0 && samples <= PACKET_SAMPLES_MAX).then_some(samples)
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
    use super::*;

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
}
