//! **The question:** what does the head of a recording say? `ftyp` and `moov`, written once, before the first fragment.

use bytes::Bytes;
use mp4_atom::{
    Audio, Av01, Av1c, Avc1, Avcc, AvccExt, Codec, Colr, Dinf, Dops, Dref, Edts, Elst, ElstEntry, Encode, Ftyp, Hdlr,
    Matrix, Mdhd, Mdia, Mehd, Minf, Moov, Mvex, Mvhd, Opus, Smhd, Stbl, Stco, Stsd, Tkhd, Trak, Trex, Url, Visual,
    Vmhd,
};

use crate::base::media::{Orientation, Wallclock};
use crate::core::bitstream::av1::SequenceHeader;
use crate::core::bitstream::opus;
use crate::core::bitstream::stored::{NAL_LENGTH_BYTES, ParameterSets, StreamHead};
use crate::core::fmp4::tracks::{DELTA_FLAGS, SOUND_TIMESCALE, SOUND_TRACK, SYNC_FLAGS, VIDEO_TIMESCALE, VIDEO_TRACK};

/// Who wrote a track, as its `hdlr` says.
pub const HANDLER_NAME: &str = "Tessera";

/// Seconds from 1904, where MP4 counts from, to 1970.
const MP4_EPOCH_OFFSET: u64 = 2_082_844_800;

/// What the head of a file depends on.
#[derive(Debug, Clone)]
pub struct InitSegment {
    /// What the pictures begin with; the size comes from here.
    pub pictures: StreamHead,
    /// UTC of the file's time zero; `Wallclock(0)` says none.
    pub started: Wallclock,
    /// Where in the sound track time zero lies, in samples from the start of its first packet, decoder delay included.
    pub sound_skip: u32,
    /// Which way up its pictures are to be shown.
    pub orientation: Orientation,
}

/// The head of a file as bytes.
#[derive(Debug, Clone)]
pub struct Header {
    /// `ftyp` and `moov`.
    pub bytes: Bytes,
    /// Where the place kept for the total duration begins; see [`Header::duration_patch`].
    pub duration_at: u64,
}

impl Header {
    /// The bytes that go to `duration_at` once the total duration is known: the `free` box kept there becomes `mehd`. A
    /// file that never gets them (a crash) is as valid; its players count the fragments.
    #[must_use]
    pub fn duration_patch(duration: u64) -> Bytes {
        encode(&Mehd { fragment_duration: duration }).into()
    }
}

impl InitSegment {
    /// The bytes. Brands as CMAF names them; `moov` has no samples, all are in fragments.
    #[must_use]
    pub fn encode(&self) -> Header {
        self.encode_tracks(true)
    }

    /// The same without a sound track, for files that have none.
    #[must_use]
    pub fn encode_without_sound(&self) -> Header {
        self.encode_tracks(false)
    }

    fn encode_tracks(&self, with_sound: bool) -> Header {
        let created = created(self.started);
        let sound = with_sound.then(|| sound(created, self.sound_skip));
        encode_head(created, self.pictures_brand(), std::iter::once(self.video(created)).chain(sound).collect())
    }

    fn pictures_brand(&self) -> &'static [u8; 4] {
        match &self.pictures {
            StreamHead::Av1(_) => b"av01",
            StreamHead::H264(_) => b"avc1",
        }
    }

    fn video(&self, created: u64) -> Trak {
        let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
        let size = self.pictures.size();
        let (width, height) = (side(size.width), side(size.height));
        let visual = Visual { data_reference_index: 1, width, height, ..Visual::default() };
        let entry = match &self.pictures {
            StreamHead::Av1(sequence) => av01(sequence, visual).into(),
            StreamHead::H264(sets) => avc1(sets, visual).into(),
        };
        let minf = Minf { vmhd: Some(Vmhd::default()), ..media(entry) };
        let matrix = matrix(self.orientation, i32::from(width), i32::from(height));
        let tkhd = Tkhd { width: width.into(), height: height.into(), matrix, ..track(VIDEO_TRACK, created) };
        Trak { tkhd, mdia: mdia(minf, b"vide", VIDEO_TIMESCALE, created), ..Trak::default() }
    }
}

/// How a player turns a picture (ISO/IEC 14496-12, section 8.3.2.3): a point (x, y), y down, comes to lie at
/// (a x + c y + x', b x + d y + y'), so that its picture stays right of and below the origin.
fn matrix(Orientation { mirrored, turns }: Orientation, width: i32, height: i32) -> Matrix {
    const ONE: i32 = 1 << 16;
    // Mirrored first: x is counted from the right.
    let (sign, right) = if mirrored { (-1, width) } else { (1, 0) };
    let (a, b, c, d, x, y) = match turns % 4 {
        0 => (sign, 0, 0, 1, right, 0),
        1 => (0, sign, -1, 0, height, right),
        2 => (-sign, 0, 0, -1, width - right, height),
        _ => (0, -sign, 1, 0, 0, width - right),
    };
    Matrix {
        a: a * ONE,
        b: b * ONE,
        u: 0,
        c: c * ONE,
        d: d * ONE,
        v: 0,
        x: x.saturating_mul(ONE),
        y: y.saturating_mul(ONE),
        w: 1 << 30,
    }
}

fn av01(sequence: &SequenceHeader, visual: Visual) -> Av01 {
    let colr = sequence.color.map(|color| Colr::Nclx {
        colour_primaries: color.primaries.into(),
        transfer_characteristics: color.transfer.into(),
        matrix_coefficients: color.matrix.into(),
        full_range_flag: sequence.full_range,
    });
    Av01 { visual, av1c: av1c(sequence), colr, ..Av01::default() }
}

fn av1c(sequence: &SequenceHeader) -> Av1c {
    Av1c {
        seq_profile: sequence.profile,
        seq_level_idx_0: sequence.level,
        seq_tier_0: sequence.tier,
        high_bitdepth: sequence.high_bitdepth,
        twelve_bit: sequence.twelve_bit,
        monochrome: sequence.monochrome,
        chroma_subsampling_x: sequence.subsampling.0,
        chroma_subsampling_y: sequence.subsampling.1,
        chroma_sample_position: sequence.chroma_sample_position,
        initial_presentation_delay: None,
        // Safari wants the sequence header here, not only in the samples.
        config_obus: sequence.obu.to_vec(),
    }
}

/// The colours stand in the sequence parameter set.
fn avc1(sets: &ParameterSets, visual: Visual) -> Avc1 {
    Avc1 { visual, avcc: avcc(sets), ..Avc1::default() }
}

fn avcc(sets: &ParameterSets) -> Avcc {
    let all = |sets: &[Bytes]| sets.iter().map(|set| set.to_vec()).collect();
    let sps = &sets.sps;
    // ISO/IEC 14496-15, section 5.3.3.1.2: profiles that tell the chroma format tell it here too.
    let ext = (!matches!(sps.profile, 66 | 77 | 88)).then(|| AvccExt {
        chroma_format: sps.chroma_format,
        bit_depth_luma: sps.bit_depth,
        bit_depth_chroma: sps.bit_depth,
        sequence_parameter_sets_ext: Vec::new(),
    });
    Avcc {
        configuration_version: 1,
        avc_profile_indication: sps.profile,
        profile_compatibility: sps.constraints,
        avc_level_indication: sps.level,
        length_size: NAL_LENGTH_BYTES as u8,
        sequence_parameter_sets: all(&sets.sequence),
        picture_parameter_sets: all(&sets.picture),
        ext,
    }
}

/// `AVCDecoderConfigurationRecord` or `AV1CodecConfigurationRecord`, which other containers carry as they are.
#[must_use]
pub fn configuration(pictures: &StreamHead) -> Bytes {
    let mut boxed = Vec::new();
    let encoded = match pictures {
        StreamHead::Av1(sequence) => av1c(sequence).encode(&mut boxed),
        StreamHead::H264(sets) => avcc(sets).encode(&mut boxed),
    };
    encoded.expect("memory takes any number of bytes");
    // Its length and its name stand before it.
    Bytes::from(boxed).slice(8..)
}

/// The head of a file with nothing but a sound track: `started` is UTC of its time zero, `skip` where in the track that
/// lies, in samples from the start of its first packet, decoder delay included.
#[must_use]
pub fn sound_header(started: Wallclock, skip: u32) -> Header {
    let created = created(started);
    encode_head(created, b"av01", vec![sound(created, skip)])
}

// Zero is how MP4 says that nobody knows.
fn created(started: Wallclock) -> u64 {
    match started.unix_seconds() {
        0 => 0,
        seconds => seconds + MP4_EPOCH_OFFSET,
    }
}

fn encode_head(created: u64, pictures: &[u8; 4], tracks: Vec<Trak>) -> Header {
    let brands = [pictures, b"iso6", b"cmfc", b"isom", b"mp41"];
    let ftyp = Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 0,
        compatible_brands: brands.iter().map(|brand| (*brand).into()).collect(),
    };
    let defaults = |id| trex(id, if id == VIDEO_TRACK { DELTA_FLAGS } else { SYNC_FLAGS });
    let moov = Moov {
        mvhd: Mvhd {
            creation_time: created,
            modification_time: created,
            timescale: VIDEO_TIMESCALE,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: SOUND_TRACK + 1,
            ..Mvhd::default()
        },
        mvex: Some(Mvex {
            mehd: Some(Mehd { fragment_duration: 0 }),
            trex: tracks.iter().map(|trak| defaults(trak.tkhd.track_id)).collect(),
        }),
        trak: tracks,
        ..Moov::default()
    };
    let mut bytes = encode(&ftyp);
    bytes.extend_from_slice(&encode(&moov));
    let kind_at = find(&bytes, b"mehd").expect("the movie was given one");
    bytes[kind_at..kind_at + 4].copy_from_slice(b"free");
    Header { bytes: bytes.into(), duration_at: kind_at as u64 - 4 }
}

fn sound(created: u64, skip: u32) -> Trak {
    let rate = u16::try_from(SOUND_TIMESCALE).expect("48 kHz fits 16 bits");
    let entry = Opus {
        audio: Audio { data_reference_index: 1, channel_count: 2, sample_size: 16, sample_rate: rate.into() },
        dops: Dops {
            output_channel_count: 2,
            pre_skip: opus::PRE_SKIP,
            input_sample_rate: SOUND_TIMESCALE,
            output_gain: 0,
            channel_mapping: None,
        },
        btrt: None,
    };
    let minf = Minf { smhd: Some(Smhd::default()), ..media(entry.into()) };
    // A duration of 0 in a fragmented file means to the end (ISO/IEC 14496-12, 8.6.6.1).
    let edit = ElstEntry { segment_duration: 0, media_time: Some(skip.into()), media_rate: 1.into() };
    Trak {
        tkhd: Tkhd { volume: 1.into(), alternate_group: 1, ..track(SOUND_TRACK, created) },
        edts: Some(Edts { elst: Some(Elst { entries: vec![edit] }) }),
        mdia: mdia(minf, b"soun", SOUND_TIMESCALE, created),
        ..Trak::default()
    }
}

fn track(track_id: u32, created: u64) -> Tkhd {
    Tkhd {
        creation_time: created,
        modification_time: created,
        track_id,
        enabled: true,
        in_movie: true,
        ..Tkhd::default()
    }
}

fn trex(track_id: u32, default_sample_flags: u32) -> Trex {
    Trex { track_id, default_sample_description_index: 1, default_sample_flags, ..Trex::default() }
}

fn media(entry: Codec) -> Minf {
    Minf {
        dinf: Dinf { dref: Dref { entries: vec![Url::default().into()] } },
        stbl: Stbl { stsd: Stsd { codecs: vec![entry] }, stco: Some(Stco::default()), ..Stbl::default() },
        ..Minf::default()
    }
}

fn mdia(minf: Minf, handler: &[u8; 4], timescale: u32, created: u64) -> Mdia {
    let mdhd =
        Mdhd { creation_time: created, modification_time: created, timescale, duration: 0, language: "und".to_owned() };
    Mdia { mdhd, hdlr: Hdlr { handler: handler.into(), name: HANDLER_NAME.to_owned() }, minf }
}

fn encode(atom: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    atom.encode(&mut bytes).expect("every field was made to fit its box");
    bytes
}

fn find(bytes: &[u8], kind: &[u8; 4]) -> Option<usize> {
    bytes.windows(4).position(|window| window == kind)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use mp4_atom::Decode;

    use super::*;
    use crate::base::media::{Codec as Coded, Size};
    use crate::core::fmp4::{codecs, parameter_sets};

    /// Of x264: 640×360, Constrained Baseline, level 3.1.
    const SETS: &[u8] = &[
        0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
        0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x18, 0x32, 0x48, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80,
    ];

    #[test]
    fn a_head_of_h264_tells_its_parameter_sets() {
        let pictures = StreamHead::parse(Coded::H264, &Bytes::from_static(SETS)).unwrap();
        let orientation = Orientation::default();
        let init = InitSegment { pictures, started: Wallclock(0), sound_skip: 312, orientation }.encode();
        assert_eq!(codecs(&init.bytes).as_deref(), Some("avc1.42c01f,Opus"));
        assert_eq!(parameter_sets(&init.bytes).as_deref(), Some(SETS));
        let mut rest = Cursor::new(&init.bytes[..]);
        let ftyp = Ftyp::decode(&mut rest).unwrap();
        assert!(ftyp.compatible_brands.contains(&b"avc1".into()) && !ftyp.compatible_brands.contains(&b"av01".into()));
        // The place of the duration is kept: `free` is what `mehd` becomes.
        let mut bytes = init.bytes.to_vec();
        let patch = Header::duration_patch(90_000);
        bytes[init.duration_at as usize..][..patch.len()].copy_from_slice(&patch);
        let moov = Moov::decode(&mut Cursor::new(&bytes[rest.position() as usize..])).unwrap();
        let [Codec::Avc1(entry)] = &moov.trak[0].mdia.minf.stbl.stsd.codecs[..] else { panic!("{moov:?}") };
        assert_eq!(Size::new(entry.visual.width.into(), entry.visual.height.into()), Size::new(640, 360));
        assert_eq!((entry.avcc.length_size, entry.avcc.avc_level_indication, &entry.avcc.ext), (4, 31, &None));
    }

    #[test]
    fn every_turn_brings_the_corners_of_a_picture_where_they_belong() {
        // Upper left and lower right of a picture of 4×2, as a player draws them.
        let corners = |mirrored, turns| {
            let Matrix { a, b, c, d, x, y, .. } = matrix(Orientation { mirrored, turns }, 4, 2);
            [(0, 0), (4, 2)].map(|(u, v)| ((a * u + c * v + x) >> 16, (b * u + d * v + y) >> 16))
        };
        assert_eq!(corners(false, 0), [(0, 0), (4, 2)]);
        assert_eq!(corners(false, 1), [(2, 0), (0, 4)], "a quarter clockwise: upper left is upper right");
        assert_eq!(corners(false, 2), [(4, 2), (0, 0)]);
        assert_eq!(corners(false, 3), [(0, 4), (2, 0)]);
        assert_eq!(corners(true, 0), [(4, 0), (0, 2)]);
        assert_eq!(corners(true, 1), [(2, 4), (0, 0)]);
        assert_eq!(corners(true, 2), [(0, 2), (4, 0)]);
        assert_eq!(corners(true, 3), [(0, 0), (2, 4)]);
        let upright = matrix(Orientation::default(), 640, 360);
        assert_eq!((upright.a, upright.d, upright.w, upright.x), (1 << 16, 1 << 16, 1 << 30, 0));
    }
}
