//! **The question:** which encoder encodes this rung?

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(any(feature = "h264", feature = "vpx"))]
use crate::base::media::Codec;
use crate::base::media::{ComposedFrame, EncodedFrame, pts_from_tick};
use crate::engine::encode::aom;
#[cfg(feature = "h264")]
use crate::engine::encode::h264;
#[cfg(feature = "rav1e")]
use crate::engine::encode::rav1e;
use crate::engine::encode::video::{EncodeError, VideoEncoder, VideoEncoderSetup};
#[cfg(feature = "vpx")]
use crate::engine::encode::vp8;

/// An encoder's name in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncoderChoice {
    /// A short calibration at start decides.
    #[default]
    Auto,
    /// libaom in its real-time set-up.
    Aom,
    /// rav1e at its fastest; for rungs where cores are plenty.
    Rav1e,
}

impl fmt::Display for EncoderChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Aom => "aom",
            Self::Rav1e => "rav1e",
        })
    }
}

impl EncoderChoice {
    /// The library that encodes, as in the configuration.
    #[must_use]
    pub const fn library(self) -> &'static str {
        match self {
            Self::Auto | Self::Aom => "aom",
            Self::Rav1e => "rav1e",
        }
    }
}

impl FromStr for EncoderChoice {
    type Err = EncodeError;

    fn from_str(text: &str) -> Result<Self, EncodeError> {
        match text {
            "auto" => Ok(Self::Auto),
            "aom" => Ok(Self::Aom),
            "rav1e" => Ok(Self::Rav1e),
            _ => Err(EncodeError::UnknownName(text.into())),
        }
    }
}

/// Makes the encoder of the setup's codec; for AV1 the one named by `choice`, of which `Auto` without a calibration is
/// libaom.
///
/// # Errors
/// [`EncodeError::Setup`] for an impossible setup; [`EncodeError::Library`] if the library refuses;
/// [`EncodeError::NotBuilt`] for an encoder that this program lacks.
pub fn video_encoder(choice: EncoderChoice, setup: VideoEncoderSetup) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    setup.check()?;
    #[cfg(feature = "h264")]
    if setup.codec == Codec::H264 {
        return h264::encoder(setup);
    }
    #[cfg(feature = "vpx")]
    if setup.codec == Codec::Vp8 {
        return vp8::encoder(setup);
    }
    match choice {
        EncoderChoice::Auto | EncoderChoice::Aom => aom::encoder(setup),
        #[cfg(feature = "rav1e")]
        EncoderChoice::Rav1e => rav1e::encoder(setup),
        #[cfg(not(feature = "rav1e"))]
        EncoderChoice::Rav1e => Err(EncodeError::NotBuilt),
    }
}

/// A calibration's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Never `Auto`.
    pub choice: EncoderChoice,
    /// What was picked and why, for the log.
    pub reason: String,
}

/// Frames of moving picture a calibration encodes after its keyframe.
const CALIBRATION_FRAMES: u64 = 8;

/// Settles `Auto`: libaom if it encodes a moving test picture within the tick, else whichever is faster. `measure` runs
/// a closure and says how long it took, because this floor reads no clock.
///
/// # Errors
/// As [`video_encoder`].
pub fn choose_video_encoder(
    choice: EncoderChoice,
    setup: VideoEncoderSetup,
    measure: &mut dyn FnMut(&mut dyn FnMut()) -> Duration,
) -> Result<Chosen, EncodeError> {
    if choice == EncoderChoice::Rav1e && !cfg!(feature = "rav1e") {
        return Err(EncodeError::NotBuilt);
    }
    if choice != EncoderChoice::Auto {
        return Ok(Chosen { choice, reason: "named in the configuration".into() });
    }
    let tick = Duration::from_secs(1) / setup.fps.max(1);
    let aom = frame_time(EncoderChoice::Aom, setup, measure)?;
    let figures = |name: &str, time: Duration| {
        let (time, tick) = (time.as_secs_f64() * 1e3, tick.as_secs_f64() * 1e3);
        format!("{name} needs {time:.1} ms of a {tick:.1} ms tick")
    };
    if aom <= tick {
        return Ok(Chosen { choice: EncoderChoice::Aom, reason: figures("libaom", aom) });
    }
    if !cfg!(feature = "rav1e") {
        let reason = format!("{}: ticks will be skipped", figures("libaom", aom));
        return Ok(Chosen { choice: EncoderChoice::Aom, reason });
    }
    let rav1e = frame_time(EncoderChoice::Rav1e, setup, measure)?;
    let choice = if rav1e < aom { EncoderChoice::Rav1e } else { EncoderChoice::Aom };
    let reason = format!(
        "{} and {}: the faster one, but ticks will be skipped",
        figures("libaom", aom),
        figures("rav1e", rav1e)
    );
    Ok(Chosen { choice, reason })
}

/// Mean time of a frame, keyframe not counted.
fn frame_time(
    choice: EncoderChoice,
    setup: VideoEncoderSetup,
    measure: &mut dyn FnMut(&mut dyn FnMut()) -> Duration,
) -> Result<Duration, EncodeError> {
    let mut encoder = video_encoder(choice, setup)?;
    let mut out = Vec::new();
    let mut result = encoder.encode(&moving_picture(&setup, 0), true, &mut out);
    let frames: Vec<ComposedFrame> = (1..=CALIBRATION_FRAMES).map(|n| moving_picture(&setup, n)).collect();
    let whole = measure(&mut || {
        for frame in &frames {
            result = std::mem::replace(&mut result, Ok(())).and_then(|()| encoder.encode(frame, false, &mut out));
        }
        result = std::mem::replace(&mut result, Ok(())).and_then(|()| encoder.finish(&mut out));
    });
    result?;
    debug_assert!(out.iter().all(|unit: &EncodedFrame| !unit.data.is_empty()), "units carry bytes");
    Ok(whole / u32::try_from(CALIBRATION_FRAMES).expect("a handful"))
}

/// A textured picture that drifts, about as costly as a mosaic of cameras.
fn moving_picture(setup: &VideoEncoderSetup, n: u64) -> ComposedFrame {
    let (width, height) = (setup.size.width as usize, setup.size.height as usize);
    let shift = usize::try_from(n).expect("a handful") * 3;
    let mut samples = vec![128_u8; width * height * 3 / 2];
    for (y, row) in samples[..width * height].chunks_exact_mut(width).enumerate() {
        for (x, sample) in row.iter_mut().enumerate() {
            let (u, v) = (x + shift, y + shift / 2);
            let texture = (u * u / 64 + v * v / 96 + (u ^ v)) % 160;
            *sample = 40 + u8::try_from(texture).expect("below 160");
        }
    }
    ComposedFrame::new(setup.size, pts_from_tick(n, setup.fps), samples)
}
