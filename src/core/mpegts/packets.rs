//! **The question:** how is a piece of any length cut into packets of 188 bytes (section 2.4.3)?

/// Bytes of a packet.
pub const TS_PACKET: usize = 188;
const SYNC: u8 = 0x47;
const HEADER: usize = 4;

/// What stands in the adaptation field of a piece's first packet (section 2.4.3.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Adaptation {
    /// Decoding may begin here.
    pub(super) random_access: bool,
    /// The program's clock at 90 kHz.
    pub(super) clock: Option<u64>,
}

impl Adaptation {
    /// Its flags and fields, without its length.
    fn bytes(self) -> Vec<u8> {
        if self == Self::default() {
            return Vec::new();
        }
        let flags = u8::from(self.random_access) << 6 | u8::from(self.clock.is_some()) << 4;
        let mut bytes = vec![flags];
        if let Some(clock) = self.clock {
            // 33 bits, 6 that are reserved, and 9 of a 300th, which are 0 here.
            bytes.extend_from_slice(&((clock & 0x1_ffff_ffff) << 15 | 0x3f << 9).to_be_bytes()[2..]);
        }
        bytes
    }
}

/// Appends the packets of one piece: of a PES packet or, with `pad`, of a section, which is padded behind itself.
pub(super) fn cut(pid: u16, counter: &mut u8, adaptation: Adaptation, piece: &[u8], pad: bool, out: &mut Vec<u8>) {
    let (mut rest, mut first) = (piece, true);
    while first || !rest.is_empty() {
        let mut field = if first { adaptation.bytes() } else { Vec::new() };
        let mut has_field = !field.is_empty();
        let room = |has_field: bool, field: &[u8]| TS_PACKET - HEADER - if has_field { 1 + field.len() } else { 0 };
        let missing = room(has_field, &field).saturating_sub(rest.len());
        let mut behind = 0;
        if missing > 0 && pad {
            behind = missing;
        } else if missing > 0 {
            // The field's length is a byte of it too, and its flags the next one.
            let stuffing = if has_field { missing } else { missing - 1 };
            if !has_field && stuffing > 0 {
                field.push(0);
            }
            let length = if has_field { field.len() + stuffing } else { stuffing };
            field.resize(length, 0xff);
            has_field = true;
        }
        let taken = room(has_field, &field).min(rest.len());
        let [high, low] = (pid & 0x1fff | u16::from(first) << 14).to_be_bytes();
        out.extend_from_slice(&[SYNC, high, low, u8::from(has_field) << 5 | 1 << 4 | *counter & 15]);
        if has_field {
            out.push(u8::try_from(field.len()).expect("a field fits its packet"));
            out.extend_from_slice(&field);
        }
        out.extend_from_slice(&rest[..taken]);
        out.resize(out.len() + behind, 0xff);
        (rest, first) = (&rest[taken..], false);
        *counter = counter.wrapping_add(1) & 15;
    }
}
