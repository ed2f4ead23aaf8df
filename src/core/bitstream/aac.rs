//! **The question:** what does a packet of AAC need around it? A configuration once (`AudioSpecificConfig`, ISO/IEC
//! 14496-3 section 1.6.2.1), or a header before each packet (ADTS, section 1.A.3).

/// AAC LC, 48 kHz, two channels.
pub const STEREO_48K: [u8; 2] = [0x11, 0x90];
/// Samples of each channel in a packet.
pub const PACKET_SAMPLES: usize = 1024;
/// Bytes of an ADTS header without checksum.
const ADTS_BYTES: usize = 7;
/// Bytes of a packet with its header: its length has 13 bits.
const ADTS_LONGEST_BYTES: usize = (1 << 13) - 1;

/// The header of a packet of [`STEREO_48K`] with so many bytes; `None` where no header can say that.
#[must_use]
pub fn adts(packet_len: usize) -> Option<[u8; ADTS_BYTES]> {
    let length =
        u16::try_from(packet_len + ADTS_BYTES).ok().filter(|_| packet_len + ADTS_BYTES <= ADTS_LONGEST_BYTES)?;
    // Syncword, MPEG-4, no checksum; LC, 48 kHz, two channels; one packet, and a buffer of which nothing is said.
    Some([0xff, 0xf1, 0x4c, 0x80 | (length >> 11) as u8, (length >> 3) as u8, ((length & 7) << 5) as u8 | 0x1f, 0xfc])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_how_long_its_packet_is() {
        // As ffmpeg writes it before a packet of 9 bytes at 48 kHz in stereo.
        assert_eq!(adts(9).unwrap(), [0xff, 0xf1, 0x4c, 0x80, 0x02, 0x1f, 0xfc]);
        assert_eq!(adts(ADTS_LONGEST_BYTES - ADTS_BYTES).unwrap()[3..6], [0x83, 0xff, 0xff]);
        assert_eq!(adts(ADTS_LONGEST_BYTES), None);
    }
}
