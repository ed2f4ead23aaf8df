//! **The question:** what says which packets are pictures and which are sound? A program association table and the one
//! program's map (section 2.4.4), told again and again, for anybody may begin to read anywhere.

use crate::base::media::SoundCodec;

/// Where each thing lies.
pub(super) const PROGRAM_PID: u16 = 0;
pub(super) const MAP_PID: u16 = 0x1000;
pub(super) const PICTURE_PID: u16 = 0x100;
pub(super) const SOUND_PID: u16 = 0x101;
const PROGRAM: u16 = 1;

/// `stream_type` (table 2-34): H.264, AAC in ADTS, and private, which descriptors name.
const H264: u8 = 0x1b;
const AAC: u8 = 0x0f;
const PRIVATE: u8 = 0x06;
/// A registration of `Opus`, then its channels: two, as an extension descriptor of DVB has it.
const OPUS_DESCRIPTORS: [u8; 10] = [0x05, 4, b'O', b'p', b'u', b's', 0x7f, 2, 0x80, 2];

/// The section of the program association table, with the pointer before it.
pub(super) fn association() -> Vec<u8> {
    let body = [PROGRAM.to_be_bytes(), (0xe000 | MAP_PID).to_be_bytes()].concat();
    section(0x00, 1, &body)
}

/// The same of the program's map.
pub(super) fn map(sound: Option<SoundCodec>) -> Vec<u8> {
    let mut body = [(0xe000 | PICTURE_PID).to_be_bytes(), [0xf0, 0]].concat();
    let mut stream = |kind: u8, pid: u16, descriptors: &[u8]| {
        let length = 0xf000 | u16::try_from(descriptors.len()).expect("they are a few bytes");
        body.push(kind);
        body.extend_from_slice(&(0xe000 | pid).to_be_bytes());
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(descriptors);
    };
    stream(H264, PICTURE_PID, &[]);
    match sound {
        Some(SoundCodec::Aac) => stream(AAC, SOUND_PID, &[]),
        Some(SoundCodec::Opus) => stream(PRIVATE, SOUND_PID, &OPUS_DESCRIPTORS),
        None => {}
    }
    section(0x02, PROGRAM, &body)
}

fn section(table: u8, id: u16, body: &[u8]) -> Vec<u8> {
    // From behind the length: five bytes of header, and the checksum.
    let length = u16::try_from(body.len() + 9).expect("tables of one program are short");
    let mut section = vec![table];
    section.extend_from_slice(&(0xb000 | length).to_be_bytes());
    section.extend_from_slice(&id.to_be_bytes());
    // Version 0, which holds now; the first section of one.
    section.extend_from_slice(&[0xc1, 0, 0]);
    section.extend_from_slice(body);
    section.extend_from_slice(&checksum(&section).to_be_bytes());
    section.insert(0, 0);
    section
}

/// Annex A: CRC-32 of polynomial 0x04C11DB7, from the top bit on, not inverted.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    })
}
