//! **The question:** what of an encoder's output goes on? Everything but temporal delimiters, which neither RTP (AV1 RTP
//! specification, section 5) nor MP4 (AV1-ISOBMFF, section 2.4) carries.

use crate::engine::encode::EncodeError;

const OBU_SEQUENCE_HEADER: u8 = 1;
const OBU_TEMPORAL_DELIMITER: u8 = 2;

/// One encoder packet without its temporal delimiters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TemporalUnit {
    pub(super) data: Vec<u8>,
    pub(super) has_sequence_header: bool,
}

/// Reads the OBUs of `packet`, all of which carry size fields (AV1 specification, section 5.3).
pub(super) fn strip_delimiters(encoder: &'static str, packet: &[u8]) -> Result<TemporalUnit, EncodeError> {
    let mut unit = TemporalUnit { data: Vec::with_capacity(packet.len()), has_sequence_header: false };
    let mut rest = packet;
    while !rest.is_empty() {
        let (kind, length) = measure_obu(rest)
            .ok_or_else(|| EncodeError::Library { encoder, reason: "it wrote an OBU without an end".into() })?;
        let (obu, following) = rest.split_at(length);
        match kind {
            OBU_TEMPORAL_DELIMITER => {}
            OBU_SEQUENCE_HEADER => {
                unit.has_sequence_header = true;
                unit.data.extend_from_slice(obu);
            }
            _ => unit.data.extend_from_slice(obu),
        }
        rest = following;
    }
    Ok(unit)
}

/// Type and whole length of the first OBU; `None` if it has no size field or is cut off.
fn measure_obu(data: &[u8]) -> Option<(u8, usize)> {
    let header = *data.first()?;
    if header & 0b10 == 0 {
        return None;
    }
    let header_length = if header & 0b100 != 0 { 2 } else { 1 };
    let mut size = 0_usize;
    for index in 0..5 {
        let byte = *data.get(header_length + index)?;
        size |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let length = header_length + index + 1 + size;
            return (length <= data.len()).then_some(((header >> 3) & 0xf, length));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_go_and_the_rest_stays() {
        let packet = [0x12, 0x00, 0x0a, 0x02, 7, 8, 0x32, 0x03, 1, 2, 3];
        let unit = strip_delimiters("test", &packet).unwrap();
        assert_eq!(unit.data, packet[2..]);
        assert!(unit.has_sequence_header);
        let unit = strip_delimiters("test", &packet[6..]).unwrap();
        assert_eq!(unit.data, packet[6..]);
        assert!(!unit.has_sequence_header);
        assert!(strip_delimiters("test", &packet[..9]).is_err());
        assert!(strip_delimiters("test", &[0x30, 1]).is_err());
    }
}
