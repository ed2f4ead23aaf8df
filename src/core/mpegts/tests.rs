//! What stands in which packet; players read them in `io/push`.

use super::*;
use crate::base::media::{Pts, SoundCodec};
use crate::core::mpegts::tables::checksum;

/// A packet's PID, whether a piece begins in it, its counter, and what it carries.
fn packets(stream: &[u8]) -> Vec<(u16, bool, u8, Vec<u8>)> {
    assert_eq!(stream.len() % TS_PACKET, 0);
    let read = |packet: &[u8]| {
        assert_eq!((packet[0], packet[3] & 0x10), (0x47, 0x10));
        let field = if packet[3] & 0x20 == 0 { 0 } else { 1 + usize::from(packet[4]) };
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        (pid, packet[1] & 0x40 != 0, packet[3] & 15, packet[4 + field..].to_vec())
    };
    stream.chunks(TS_PACKET).map(read).collect()
}

#[test]
fn tables_come_with_each_keyframe_and_are_right() {
    let (mut muxer, mut out) = (TsMuxer::new(Some(SoundCodec::Aac)), Vec::new());
    muxer.picture(Pts(0), true, &[0, 0, 0, 1, 0x65, 1], &mut out);
    let all = packets(&out);
    assert_eq!(all.iter().map(|packet| packet.0).collect::<Vec<_>>(), [0, 0x1000, 0x100]);
    for (_, begins, _, table) in &all[..2] {
        let length = usize::from(u16::from_be_bytes([table[2] & 15, table[3]]));
        assert!(*begins && table[0] == 0);
        // Over a section and its checksum the checksum is 0.
        assert_eq!(checksum(&table[1..4 + length]), 0);
    }
    // A PES header with its time of a second, a delimiter, and the unit.
    let picture = &all[2].3;
    assert_eq!(picture[..14], [0, 0, 1, 0xe0, 0, 0, 0x84, 0x80, 5, 0x21, 0x00, 0x05, 0xbf, 0x21]);
    assert_eq!(picture[14..], [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x65, 1]);
}

#[test]
fn pieces_of_any_length_come_out_as_they_went_in() {
    let (mut muxer, mut counters) = (TsMuxer::new(Some(SoundCodec::Opus)), std::collections::HashMap::new());
    for length in (1..400).chain([1_000, 65_000, 100_000]) {
        let unit: Vec<u8> = [0, 0, 1, 0x61].into_iter().chain((0..length).map(|n| (n % 251) as u8 | 1)).collect();
        let mut out = Vec::new();
        muxer.picture(Pts(0), false, &unit, &mut out);
        muxer.sound(Pts(0), &unit[..unit.len().min(1275)], &mut out);
        let (mut pictures, mut sounds) = (Vec::new(), Vec::new());
        for (pid, _, counter, piece) in packets(&out) {
            let before = counters.insert(pid, counter);
            assert!(before.is_none_or(|before| (before + 1) & 15 == counter), "{pid} {before:?} {counter}");
            match pid {
                0x100 => pictures.extend(piece),
                0x101 => sounds.extend(piece),
                _ => {}
            }
        }
        assert!(pictures.ends_with(&unit), "{length}");
        let packet = &unit[..unit.len().min(1275)];
        assert!(sounds.ends_with(packet), "{length}");
        let control = 3 + packet.len() / 255;
        assert_eq!(sounds.len(), 14 + control + packet.len());
        assert_eq!(usize::from(u16::from_be_bytes([sounds[4], sounds[5]])), sounds.len() - 6);
    }
}

#[test]
fn sound_that_nobody_asked_for_is_left_out_and_so_is_what_no_header_can_say() {
    let mut out = Vec::new();
    TsMuxer::new(None).sound(Pts(0), &[1, 2, 3], &mut out);
    TsMuxer::new(Some(SoundCodec::Aac)).sound(Pts(0), &vec![0; 9_000], &mut out);
    assert!(out.is_empty());
}
