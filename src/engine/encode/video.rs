//! **The question:** what does every encoder of pictures promise, and what may it be asked for?

use crate::base::limits;
use crate::base::media::{Codec, ComposedFrame, EncodedFrame, Size};

/// What is fixed for a rung's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoEncoderSetup {
    /// What its units are coded in.
    pub codec: Codec,
    /// Extent of every frame; both sides even, 16 to 4096.
    pub size: Size,
    /// Nominal frames a second, 1 to 120. Frames may be missing; their `pts` says so.
    pub fps: u32,
    /// Target, bits a second.
    pub bitrate: u32,
    /// Threads the encoder may use, at least 1.
    pub threads: usize,
}

/// Whether this program was built to encode pictures as `codec`.
#[must_use]
pub const fn encodes(codec: Codec) -> bool {
    match codec {
        Codec::Av1 => true,
        Codec::H264 => cfg!(feature = "h264"),
        Codec::Vp8 => cfg!(feature = "vpx"),
        Codec::Vp9 | Codec::Opus | Codec::G711(_) => false,
    }
}

/// Composed pictures in, temporal units out. One per rung; owned by one thread.
pub trait VideoEncoder: Send {
    /// The library's name, as in the configuration.
    fn name(&self) -> &'static str;

    /// Encodes one frame, as a keyframe if asked (or if what it shows is of another nature than before, and the encoder
    /// has to be set up anew for that), and pushes finished units onto `out`, as [`Codec`] says they lie in
    /// the house, with a sequence header or parameter sets in each keyframe. `pts` must grow from frame to frame. A
    /// unit carries the `pts` of the frame it shows, also where the encoder holds frames back (rav1e: a few frames).
    ///
    /// # Errors
    /// [`EncodeError::Frame`] if the frame's size is not the setup's or its `pts` does not grow;
    /// [`EncodeError::Library`] if the library fails.
    fn encode(&mut self, frame: &ComposedFrame, keyframe: bool, out: &mut Vec<EncodedFrame>)
    -> Result<(), EncodeError>;

    /// From its first frame on it takes more time for better pictures, where its library has a choice: for files, which
    /// nobody waits for. To be called before that frame.
    ///
    /// # Errors
    /// [`EncodeError::Library`].
    fn take_time(&mut self) -> Result<(), EncodeError> {
        Ok(())
    }

    /// Finishes the frames held back, if any. Afterwards only a new encoder encodes.
    ///
    /// # Errors
    /// [`EncodeError::Library`].
    fn finish(&mut self, out: &mut Vec<EncodedFrame>) -> Result<(), EncodeError>;

    /// Sets a new target in bits a second; libaom takes it at the next frame, the others at the next
    /// requested keyframe.
    ///
    /// # Errors
    /// [`EncodeError::Setup`] for zero or above 100 Mb/s; [`EncodeError::Library`].
    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError>;
}

/// Why nothing was encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The setup asks for what cannot be.
    #[error("no such encoder setup: {0}")]
    Setup(String),
    /// The frame does not belong to this rung.
    #[error("the frame does not fit: {0}")]
    Frame(String),
    /// The library said no.
    #[error("{encoder} failed: {reason}")]
    Library {
        /// Which library.
        encoder: &'static str,
        /// Its words.
        reason: String,
    },
    /// Not an encoder's name.
    #[error("'{0}' is no video encoder; say auto, aom or rav1e")]
    UnknownName(String),
    /// A codec that was left out of this program.
    #[error("this tessera was built without H.264; build it with 'cargo build --release', which has it")]
    NoH264,
    /// An encoder that was left out of this program.
    #[error("this tessera was built without rav1e; build it with 'cargo build --release', which has it")]
    NotBuilt,
}

impl VideoEncoderSetup {
    /// Parses, so that an encoder never sees an impossible setup.
    pub(super) fn check(&self) -> Result<(), EncodeError> {
        let Size { width, height } = self.size;
        let error = |text: String| Err(EncodeError::Setup(text));
        if !encodes(self.codec) {
            return error(format!("nothing encodes pictures as {}", self.codec.name()));
        }
        if !width.is_multiple_of(2) || !height.is_multiple_of(2) {
            return error(format!("{width}x{height} has an odd side; 4:2:0 needs even ones"));
        }
        if !(16..=4096).contains(&width) || !(16..=4096).contains(&height) {
            return error(format!("{width}x{height}; sides are 16 to 4096"));
        }
        if !(1..=120).contains(&self.fps) {
            return error(format!("{} frames a second; 1 to 120 are possible", self.fps));
        }
        if !(1..=64).contains(&self.threads) {
            return error(format!("{} threads; 1 to 64 are possible", self.threads));
        }
        check_bitrate(self.bitrate)
    }
}

pub(super) fn check_bitrate(bitrate: u32) -> Result<(), EncodeError> {
    if !(10_000..=limits::ENCODER_BITRATE_MAX).contains(&bitrate) {
        return Err(EncodeError::Setup(format!(
            "{bitrate} bits a second; 10,000 to {} are possible",
            limits::ENCODER_BITRATE_MAX
        )));
    }
    Ok(())
}

/// The checks both encoders share; returns the frame's `pts` in microseconds.
pub(super) fn check_frame(
    setup: &VideoEncoderSetup,
    frame: &ComposedFrame,
    last: Option<i64>,
) -> Result<i64, EncodeError> {
    if frame.size != setup.size {
        return Err(EncodeError::Frame(format!("{:?} on a rung of {:?}", frame.size, setup.size)));
    }
    let length = (setup.size.width * setup.size.height * 3 / 2) as usize;
    assert_eq!(frame.samples.len(), length, "a ComposedFrame holds three packed planes");
    let micros = i64::try_from(frame.pts.as_nanos() / 1000).expect("584 years of microseconds fit");
    if last.is_some_and(|last| micros <= last) {
        return Err(EncodeError::Frame(format!("its pts {micros} µs does not follow {} µs", last.unwrap_or(0))));
    }
    Ok(micros)
}
