//! **The question:** which frames and packets does a small media file hold? As much IVF and Ogg as the shipped and
//! cached clips need; anything malformed is an error, never a panic.

use std::io;

use bytes::Bytes;

use crate::base::media::{Codec, Size};

/// Bytes of an IVF file's header.
const IVF_HEADER_BYTES: usize = 32;
/// Bytes before each IVF frame: its length, and a 64-bit timestamp.
const IVF_FRAME_HEADER_BYTES: usize = 12;
/// Bytes of an Ogg page's header before its segment table (RFC 3533 section 6).
const OGG_HEADER_BYTES: usize = 27;

/// The frames of an IVF file, in order.
///
/// # Errors
/// When the file is no IVF or is cut off.
pub fn ivf_frames(file: &[u8]) -> io::Result<Vec<Bytes>> {
    if !file.starts_with(b"DKIF") {
        return Err(invalid("no IVF file"));
    }
    let mut rest = file.get(IVF_HEADER_BYTES..).ok_or_else(|| invalid("an IVF file cut off"))?;
    let mut frames = Vec::new();
    while let Some((length, _)) = rest.split_first_chunk::<4>() {
        let end = IVF_FRAME_HEADER_BYTES + u32::from_le_bytes(*length) as usize;
        let frame = rest.get(IVF_FRAME_HEADER_BYTES..end).ok_or_else(|| invalid("an IVF file cut off"))?;
        frames.push(Bytes::copy_from_slice(frame));
        rest = &rest[end..];
    }
    Ok(frames)
}

/// An IVF file of frames of `codec`.
#[must_use]
pub fn ivf_file(codec: Codec, size: Size, fps: u32, frames: &[Bytes]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(b"DKIF");
    file.extend([0, 0, IVF_HEADER_BYTES as u8, 0]);
    file.extend(if codec == Codec::H264 { b"H264" } else { b"AV01" });
    file.extend((size.width as u16).to_le_bytes());
    file.extend((size.height as u16).to_le_bytes());
    file.extend(fps.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend((frames.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    for (at, frame) in frames.iter().enumerate() {
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend((at as u64).to_le_bytes());
        file.extend(frame);
    }
    file
}

/// The audio packets of an Ogg Opus file, its two header packets left out (RFC 7845 section 3).
///
/// # Errors
/// When the file is no Ogg or is cut off.
pub fn ogg_opus_packets(file: &[u8]) -> io::Result<Vec<Bytes>> {
    let mut packets = Vec::new();
    let mut packet: Vec<u8> = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        let cut = || invalid("an Ogg file cut off");
        let header = rest.get(..OGG_HEADER_BYTES).filter(|h| h.starts_with(b"OggS")).ok_or_else(cut)?;
        let segments = header[26] as usize;
        let table = rest.get(OGG_HEADER_BYTES..OGG_HEADER_BYTES + segments).ok_or_else(cut)?;
        let mut at = OGG_HEADER_BYTES + segments;
        for length in table {
            let segment = rest.get(at..at + *length as usize).ok_or_else(cut)?;
            packet.extend_from_slice(segment);
            at += *length as usize;
            if *length < 255 {
                packets.push(Bytes::from(std::mem::take(&mut packet)));
            }
        }
        rest = &rest[at..];
    }
    if packets.len() < 2 || !packets[0].starts_with(b"OpusHead") {
        return Err(invalid("no Ogg Opus file"));
    }
    Ok(packets.split_off(2))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ivf_survives_and_a_cut_file_is_an_error() {
        let frames = [Bytes::from_static(b"first"), Bytes::from_static(b"the second")];
        let file = ivf_file(Codec::Av1, Size::new(320, 180), 30, &frames);
        assert_eq!(ivf_frames(&file).unwrap(), frames);
        assert!(ivf_frames(&file[..file.len() - 1]).is_err());
        assert!(ivf_frames(b"RIFF").is_err());
    }

    #[test]
    fn the_shipped_voices_are_packets_of_20_ms() {
        let file = include_bytes!("assets/voice1.ogg");
        let packets = ogg_opus_packets(file).unwrap();
        assert!((350..400).contains(&packets.len()), "{} packets", packets.len());
        assert!(ogg_opus_packets(&file[..file.len() / 2]).is_err() || ogg_opus_packets(&file[..100]).is_err());
        assert!(ogg_opus_packets(b"OggS").is_err());
    }
}
