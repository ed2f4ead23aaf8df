//! **The question:** what flows through the node? One type a stage, from the wire to the canvas and back.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Codec, Colour, Damage, Matrix, Orientation, ParticipantId, Pts, Size, Wallclock};

/// RFC 6464: the level of a voice in −dBov, 0 (loudest) to 127 (silence).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AudioLevel(pub u8);

/// One temporal unit or one packet of sound as the wire brought it. It has no room time yet: the jitter buffer says
/// when it plays. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedFrame {
    /// How to read `data`.
    pub codec: Codec,
    /// The bitstream.
    pub data: Bytes,
    /// Whether decoding may start here (always true for sound).
    pub keyframe: bool,
    /// Extended sequence number of its first packet.
    pub sequence_first: u64,
    /// Extended sequence number of its last packet.
    pub sequence_last: u64,
    /// Whether its first packet follows the previous frame's last.
    pub contiguous: bool,
    /// Extended RTP timestamp, in units of the codec's clock (90 kHz video, 48 kHz sound, G.711's too).
    pub rtp_time: u64,
    /// When its last packet arrived.
    pub arrival: Instant,
    /// When it was captured, by its sender's clock, as sender reports tell (RFC 3550 section 6.4.1). Only differences
    /// between tracks of one sender mean something: nobody sets these clocks.
    pub captured: Option<Wallclock>,
    /// RFC 6464 level, if sent.
    pub audio_level: Option<AudioLevel>,
    /// RFC 8852 restriction id of the simulcast layer, if any.
    pub rid: Option<[u8; 8]>,
    /// What its samples mean, if its carrier says so: the RTP header extension `color-space`.
    pub colour: Option<Colour>,
    /// Which way up it is: the RTP header extension `video-orientation`.
    pub orientation: Orientation,
    /// Its temporal layer, if it is of one of several.
    pub temporal: Option<TemporalLayer>,
}

impl ReceivedFrame {
    /// What came in one packet right after its predecessor and may be decoded by itself, such as sound: without level
    /// or layer.
    #[must_use]
    pub const fn of_one_packet(codec: Codec, data: Bytes, sequence: u64, rtp_time: u64, arrival: Instant) -> Self {
        Self {
            codec,
            data,
            keyframe: true,
            sequence_first: sequence,
            sequence_last: sequence,
            contiguous: true,
            rtp_time,
            arrival,
            captured: None,
            audio_level: None,
            rid: None,
            colour: None,
            orientation: Orientation { mirrored: false, turns: 0 },
            temporal: None,
        }
    }

    /// Its RTP time, and when it was captured by its sender's clock, once that is known.
    #[must_use]
    pub fn capture(&self) -> Option<(u64, Wallclock)> {
        self.captured.map(|captured| (self.rtp_time, captured))
    }

    /// What a decoder asks of it.
    #[must_use]
    pub const fn coded(&self) -> CodedFrame<'_> {
        let Self { codec, data, keyframe, arrival, colour, .. } = self;
        CodedFrame { codec: *codec, data, keyframe: *keyframe, arrival: Some(*arrival), colour: *colour }
    }
}

/// A received frame whose room time is known: what a participant's own track is recorded from. It keeps what the wire
/// knew, because the recording of one track follows its sender's clock and tells what was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TappedFrame {
    /// When it plays.
    pub pts: Pts,
    /// As it was sent.
    pub received: ReceivedFrame,
}

/// One temporal unit or one packet of sound in room time, as the node sends and records it. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// How to read `data`.
    pub codec: Codec,
    /// The bitstream.
    pub data: Bytes,
    /// When it plays.
    pub pts: Pts,
    /// Whether decoding may start here (always true for sound).
    pub keyframe: bool,
}

impl EncodedFrame {
    /// What a decoder asks of it.
    #[must_use]
    pub const fn coded(&self) -> CodedFrame<'_> {
        let Self { codec, data, keyframe, .. } = self;
        CodedFrame { codec: *codec, data, keyframe: *keyframe, arrival: None, colour: None }
    }
}

/// What a decoder asks of a frame, wherever it comes from: the wire, this node, or a file.
#[derive(Debug, Clone, Copy)]
pub struct CodedFrame<'a> {
    /// How to read `data`.
    pub codec: Codec,
    /// The bitstream; a decoder may share it.
    pub data: &'a Bytes,
    /// Whether decoding may start here.
    pub keyframe: bool,
    /// When it arrived, if it came over the wire.
    pub arrival: Option<Instant>,
    /// What its samples mean by its carrier, such as a container, whose word counts more than the bitstream's. If
    /// neither says, [`Colour::default`] is meant.
    pub colour: Option<Colour>,
}

/// One plane of 8-bit samples.
#[derive(Debug, Clone, Copy)]
pub struct PlaneRef<'a> {
    /// `stride * (height - 1) + width` bytes at least.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// The owner of a decoded picture's planes: a decoder's own picture, or pooled planes. 8-bit 4:2:0, planes Y, U, V.
pub trait Picture: Send + Sync {
    /// Plane 0 is Y; 1 and 2 are U and V at half the size, rounded up.
    fn plane(&self, index: usize) -> PlaneRef<'_>;
}

/// What a frame says of its place among temporal layers: none refers to one of a higher layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemporalLayer {
    /// 0 is the lowest.
    pub id: u8,
    /// From here on its layer can be decoded though nothing of it was before.
    pub is_sync: bool,
}

/// A decoded picture. Holds its owner, never a copy; cloning shares it.
#[derive(Clone)]
pub struct VideoFrame {
    /// Extent of the luma plane.
    pub size: Size,
    /// Whether samples use the full 0..=255 range; otherwise 16..=235 (ITU-T H.273 `video_full_range_flag`).
    pub full_range: bool,
    /// How its samples make colours.
    pub matrix: Matrix,
    /// When its encoded form arrived, for latency figures; `None` for what did not come over the wire.
    pub arrival: Option<Instant>,
    /// The planes' owner.
    pub picture: Arc<dyn Picture>,
}

impl std::fmt::Debug for VideoFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoFrame").field("size", &self.size).field("arrival", &self.arrival).finish_non_exhaustive()
    }
}

/// What a composed picture shows most of, by which encoders set themselves up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Faces: texture everywhere, few hard edges.
    #[default]
    Cameras,
    /// A shared screen: few colours, hard edges, and what moves moves whole.
    Screen,
}

/// The output picture of one tick: I420, limited range, [`Matrix::CANVAS`], even width and height, rows packed (stride
/// = width).
/// Its planes come from a pool and return to it when the frame is discarded by its last owner.
#[derive(Debug)]
pub struct ComposedFrame {
    /// Extent of the canvas.
    pub size: Size,
    /// Room time of the tick.
    pub pts: Pts,
    /// Y, then U, then V: `width * height * 3 / 2` bytes.
    pub samples: Vec<u8>,
    /// Which blocks differ from the tick before; the encoder marks the others inactive.
    pub damage: Damage,
    /// Which state of its canvas it shows, as its pool counts them; 0 is unknown.
    pub state: u64,
    /// What it shows most of.
    pub content: Content,
}

impl ComposedFrame {
    /// A picture of which nothing is known: every block counts as changed.
    #[must_use]
    pub fn new(size: Size, pts: Pts, samples: Vec<u8>) -> Self {
        Self { size, pts, samples, damage: Damage::full(size), state: 0, content: Content::Cameras }
    }

    /// The three planes.
    #[must_use]
    pub fn planes(&self) -> [PlaneRef<'_>; 3] {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let (luma, chroma) = (width * height, width * height / 4);
        let stride = width / 2;
        [
            PlaneRef { data: &self.samples[..luma], stride: width },
            PlaneRef { data: &self.samples[luma..luma + chroma], stride },
            PlaneRef { data: &self.samples[luma + chroma..luma + 2 * chroma], stride },
        ]
    }
}

/// 20 ms of interleaved stereo samples at 48 kHz, nominally −1.0 to 1.0.
#[derive(Debug, Clone)]
pub struct PcmBlock {
    /// `limits::PCM_SAMPLES` values: left, right, left, …
    pub samples: Box<[f32; limits::PCM_SAMPLES]>,
}

impl PcmBlock {
    /// 20 ms of silence.
    #[must_use]
    pub fn silence() -> Self {
        Self { samples: Box::new([0.0; limits::PCM_SAMPLES]) }
    }
}

/// As [`PcmBlock`], in 16 bits a sample: what waits to be played takes half the memory.
#[derive(Debug, Clone)]
pub struct ShortBlock {
    /// `limits::PCM_SAMPLES` values: left, right, left, …
    pub samples: Box<[i16; limits::PCM_SAMPLES]>,
}

impl ShortBlock {
    /// 20 ms of silence.
    #[must_use]
    pub fn silence() -> Self {
        Self { samples: Box::new([0; limits::PCM_SAMPLES]) }
    }

    /// The nearest of 16 bits to a sample of −1.0 to 1.0; what is beyond is the loudest.
    #[must_use]
    pub fn sample(value: f32) -> i16 {
        (value * 32_768.0).round() as i16
    }

    /// Writes its sound over a block's.
    pub fn play(&self, block: &mut PcmBlock) {
        for (to, from) in block.samples.iter_mut().zip(self.samples.iter()) {
            *to = f32::from(*from) / 32_768.0;
        }
    }
}

/// What a room's mix thread says at one audio tick: the shared mix, and one mix-minus for each who is in it.
#[derive(Debug)]
pub struct MixTick {
    /// Room time of the tick.
    pub pts: Pts,
    /// UTC of the tick, for sender reports.
    pub wallclock: Wallclock,
    /// The mix for everyone who is not heard in it: viewers, recorder, silent participants. A whole packet at every
    /// tick.
    pub shared: EncodedFrame,
    /// Nobody is heard, and nothing of it is still to come: `shared` is silence, which the wire may leave out (DTX),
    /// and which recorder and HLS take as any other packet.
    pub silent: bool,
    /// For each participant heard in the shared mix: everyone but them.
    pub minus: Vec<(ParticipantId, EncodedFrame)>,
    /// While somebody does not want to be recorded: the mix for the recording.
    pub redacted: Option<RedactedMix>,
}

/// A mix without the people that a mask leaves out. A whole packet at every tick.
#[derive(Debug)]
pub struct RedactedMix {
    /// Which mask: each change of who is left out has another number, above 0.
    pub mask: u64,
    /// Everyone else.
    pub packet: EncodedFrame,
}
