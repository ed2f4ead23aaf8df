//! **The question:** what comes in which order? Each picture and each packet of sound as a PES packet (section
//! 2.4.3.6); with each picture the program's clock, with each keyframe and twice a second the tables.

use std::time::Duration;

use crate::base::limits;
use crate::base::media::{Pts, SoundCodec, rtp_from_pts};
use crate::core::bitstream::{aac, h264};
use crate::core::mpegts::packets::{Adaptation, cut};
use crate::core::mpegts::tables::{MAP_PID, PICTURE_PID, PROGRAM_PID, SOUND_PID, association, map};

/// Of all times here.
const CLOCK_RATE: u32 = 90_000;
/// How far times lie behind the stream's beginning, so that the clock may run before them.
const OFFSET: Duration = Duration::from_secs(1);
/// How long before its time a picture comes, by the clock: what decoders have to wait for sound that is later.
const LEAD: u64 = CLOCK_RATE as u64 / 2;

/// `stream_id` (table 2-22).
const PICTURES: u8 = 0xe0;
const SOUND: u8 = 0xc0;
const PRIVATE: u8 = 0xbd;
/// An access unit delimiter that says nothing of what follows (ITU-T H.264, section 7.3.2.4), which every access unit
/// has here (ISO/IEC 13818-1, section 2.14.1).
const DELIMITER: [u8; 6] = [0, 0, 0, 1, 9, 0xf0];

/// Makes one stream.
#[derive(Debug)]
pub struct TsMuxer {
    sound: Option<SoundCodec>,
    /// When the tables were told last.
    told: Option<Pts>,
    counters: Counters,
}

/// Of each PID's packets.
#[derive(Debug, Default)]
struct Counters {
    program: u8,
    map: u8,
    pictures: u8,
    sound: u8,
}

impl TsMuxer {
    /// One whose sound is coded so, if there is any.
    #[must_use]
    pub fn new(sound: Option<SoundCodec>) -> Self {
        Self { sound, told: None, counters: Counters::default() }
    }

    /// Appends an access unit of H.264 behind start codes, of that time since the stream's beginning.
    pub fn picture(&mut self, at: Pts, keyframe: bool, unit: &[u8], out: &mut Vec<u8>) {
        if keyframe || self.told.is_none_or(|told| at.since(told) >= limits::TS_TABLES_SPAN) {
            self.tables(at, out);
        }
        let time = time(at);
        let has_delimiter = h264::nal_units(unit).next().is_some_and(|first| first[0] & 0x1f == 9);
        let mut pes = header(PICTURES, None, time);
        pes.extend_from_slice(if has_delimiter { &[] } else { &DELIMITER });
        pes.extend_from_slice(unit);
        let adaptation = Adaptation { random_access: keyframe, clock: Some(time - LEAD) };
        cut(PICTURE_PID, &mut self.counters.pictures, adaptation, &pes, false, out);
    }

    /// Appends a packet of sound. One that is longer than any is left out.
    pub fn sound(&mut self, at: Pts, packet: &[u8], out: &mut Vec<u8>) {
        let (id, before) = match self.sound {
            Some(SoundCodec::Aac) => match aac::adts(packet.len()) {
                Some(header) => (SOUND, header.to_vec()),
                None => return,
            },
            Some(SoundCodec::Opus) => (PRIVATE, opus_control(packet.len())),
            None => return,
        };
        let mut pes = header(id, Some(before.len() + packet.len()), time(at));
        pes.extend_from_slice(&before);
        pes.extend_from_slice(packet);
        cut(SOUND_PID, &mut self.counters.sound, Adaptation::default(), &pes, false, out);
    }

    fn tables(&mut self, at: Pts, out: &mut Vec<u8>) {
        self.told = Some(at);
        cut(PROGRAM_PID, &mut self.counters.program, Adaptation::default(), &association(), true, out);
        cut(MAP_PID, &mut self.counters.map, Adaptation::default(), &map(self.sound), true, out);
    }
}

/// Which packet of Opus it is: `opus_control_header` without trims, then its length in bytes of 255 and one below.
fn opus_control(length: usize) -> Vec<u8> {
    let mut control = vec![0x7f, 0xe0];
    control.resize(2 + length / 255, 255);
    control.push((length % 255) as u8);
    control
}

fn time(at: Pts) -> u64 {
    rtp_from_pts(at + OFFSET, CLOCK_RATE)
}

/// A PES header with a time; what has no length goes on until the next one.
fn header(id: u8, length: Option<usize>, time: u64) -> Vec<u8> {
    // Eight bytes of the header stand behind the length.
    let length = length.and_then(|length| u16::try_from(length + 8).ok()).unwrap_or(0);
    let mut header = vec![0, 0, 1, id];
    header.extend_from_slice(&length.to_be_bytes());
    // Aligned; a time of showing and none of decoding, which is the same.
    header.extend_from_slice(&[0x84, 0x80, 5]);
    let bits = |shift: u32, mask: u64| (time >> shift & mask) as u8;
    header.extend_from_slice(&[
        0x21 | bits(30, 7) << 1,
        bits(22, 0xff),
        bits(15, 0x7f) << 1 | 1,
        bits(7, 0xff),
        bits(0, 0x7f) << 1 | 1,
    ]);
    header
}
