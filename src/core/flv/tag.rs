//! **The question:** what does each tag hold? Its kind and time, and a body that says first how it is coded.

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Codec, Size, SoundCodec};
use crate::core::bitstream::opus_head::OpusHead;
use crate::core::bitstream::stored::{StoredUnit, StreamHead};
use crate::core::bitstream::{aac, opus};
use crate::core::flv::amf::Amf;
use crate::core::fmp4::configuration;

/// `VideoTagHeader` (annex E.4.3): a picture that others need not be there for, and one that needs them.
const KEYFRAME: u8 = 1 << 4;
const INTER_FRAME: u8 = 2 << 4;
/// H.264, by the number that FLV had for it.
const AVC: u8 = 7;
/// Instead of a number a name of four letters follows (Enhanced RTMP v1, `IsExHeader`).
const EX_HEADER: u8 = 0x80;
/// `PacketTypeSequenceStart` and `PacketTypeCodedFrames`, of pictures and of sound.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
/// AAC, 44 kHz, 16 bits, stereo: for AAC the same words whatever it holds (annex E.4.2.1).
const AAC: u8 = 0xaf;
/// `SoundFormat` 9 (Enhanced RTMP v2): a name of four letters follows.
const EX_SOUND: u8 = 9 << 4;

/// What a tag holds; its numbers are RTMP's message types too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagKind {
    /// Sound.
    Sound = 8,
    /// A picture.
    Picture = 9,
    /// Words about both.
    Script = 18,
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What it holds.
    pub kind: TagKind,
    /// When it is shown or heard, milliseconds from the stream's beginning; it goes round.
    pub time_ms: u32,
    /// Its body.
    pub body: Bytes,
}

/// Whether there are tags for pictures of this codec.
#[must_use]
pub const fn is_carried(codec: Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::Av1)
}

impl Tag {
    /// A picture of ours; `None` where it is of a codec that has no tags, or holds none.
    #[must_use]
    pub fn picture(codec: Codec, keyframe: bool, time_ms: u32, frame: &Bytes) -> Option<Self> {
        let unit = StoredUnit::parse(codec, frame)?;
        let kind = if keyframe { KEYFRAME } else { INTER_FRAME };
        let body = match codec {
            // No picture is shown in another order than it is coded in: the composition time is 0.
            Codec::H264 => joined(&[&[kind | AVC, 1, 0, 0, 0], &unit.data]),
            Codec::Av1 => joined(&[&[EX_HEADER | kind | CODED_FRAMES], b"av01", &unit.data]),
            _ => return None,
        };
        Some(Self { kind: TagKind::Picture, time_ms, body })
    }

    /// A packet of sound: of Opus as it is, of AAC without a header of its own.
    #[must_use]
    pub fn sound(codec: SoundCodec, time_ms: u32, packet: &[u8]) -> Self {
        let body = match codec {
            SoundCodec::Aac => joined(&[&[AAC, 1], packet]),
            SoundCodec::Opus => joined(&[&[EX_SOUND | CODED_FRAMES], b"Opus", packet]),
        };
        Self { kind: TagKind::Sound, time_ms, body }
    }
}

/// What everything after it is decoded with.
#[derive(Debug, Clone, PartialEq)]
pub struct FlvHead {
    /// Of the pictures.
    pub pictures: StreamHead,
    /// Pictures a second.
    pub fps: u32,
    /// How sound is coded, if there is any.
    pub sound: Option<SoundCodec>,
}

impl FlvHead {
    /// `onMetaData`, as values.
    #[must_use]
    pub fn metadata(&self) -> Amf {
        let Size { width, height } = self.pictures.size();
        // Enhanced RTMP v1: the name of four letters, as a number.
        let codec = match self.pictures {
            StreamHead::H264(_) => f64::from(AVC),
            StreamHead::Av1(_) => f64::from(u32::from_be_bytes(*b"av01")),
        };
        let mut values = vec![
            ("width", Amf::Number(width.into())),
            ("height", Amf::Number(height.into())),
            ("framerate", Amf::Number(self.fps.into())),
            ("videocodecid", Amf::Number(codec)),
        ];
        if let Some(sound) = self.sound {
            let codec = match sound {
                SoundCodec::Aac => 10.0,
                SoundCodec::Opus => f64::from(u32::from_be_bytes(*b"Opus")),
            };
            values.extend([
                ("audiocodecid", Amf::Number(codec)),
                ("audiosamplerate", Amf::Number(limits::SAMPLE_RATE.into())),
                ("stereo", Amf::Boolean(true)),
            ]);
        }
        values.push(("encoder", Amf::text("Tessera")));
        Amf::Array(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// What decoders of the pictures are set up by.
    #[must_use]
    pub fn picture_tag(&self, time_ms: u32) -> Tag {
        let record = configuration(&self.pictures);
        let body = match self.pictures {
            StreamHead::H264(_) => joined(&[&[KEYFRAME | AVC, 0, 0, 0, 0], &record]),
            StreamHead::Av1(_) => joined(&[&[EX_HEADER | KEYFRAME | SEQUENCE_START], b"av01", &record]),
        };
        Tag { kind: TagKind::Picture, time_ms, body }
    }

    /// The same of the sound, if there is any.
    #[must_use]
    pub fn sound_tag(&self, time_ms: u32) -> Option<Tag> {
        let body = match self.sound? {
            SoundCodec::Aac => joined(&[&[AAC, 0], &aac::STEREO_48K]),
            SoundCodec::Opus => {
                joined(&[&[EX_SOUND | SEQUENCE_START], b"Opus", &OpusHead::stereo_bytes(opus::PRE_SKIP)])
            }
        };
        Some(Tag { kind: TagKind::Sound, time_ms, body })
    }
}

fn joined(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}
