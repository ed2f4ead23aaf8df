//! **The question:** which encoder encodes this rung?

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::media::{Codec, ComposedFrame, EncodeCosts, EncodedFrame, Size};
use crate::engine::encode::aom;
#[cfg(feature = "h264")]
use crate::engine::encode::h264;
use crate::engine::encode::mosaic::Mosaic;
#[cfg(feature = "rav1e")]
use crate::engine::encode::rav1e;
use crate::engine::encode::video::{EncodeError, VideoEncoder, VideoEncoderSetup, encodes};
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
    /// What one tick of a crowded canvas costs by it, and as H.264.
    pub costs: EncodeCosts,
}

/// Frames of moving picture a calibration encodes after its keyframe.
const CALIBRATION_FRAMES: u64 = 8;
/// The crowded canvas by which costs are measured: 10×10 tiles, all of them moving.
const CROWD: VideoEncoderSetup =
    VideoEncoderSetup { codec: Codec::Av1, size: Size::new(1280, 720), fps: 30, bitrate: 2_500_000, threads: 1 };
const CROWD_SIDE: usize = 10;

/// What a piece of work took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// From its beginning to its end.
    pub wall: Duration,
    /// Processor time of the thread that did it.
    pub processor: Duration,
}

/// Runs a closure and says what it took, because this floor reads no clock.
pub type Measure<'a> = &'a mut dyn FnMut(&mut dyn FnMut()) -> Spent;

/// Measures what encoding costs on this machine, and settles `Auto`: libaom if it encodes a crowded canvas of the
/// setup's size within the tick, else whichever is faster. Whoever encodes in the end, the cost of AV1 is libaom's:
/// rav1e is taken where cores are plenty.
///
/// # Errors
/// As [`video_encoder`].
pub fn choose_video_encoder(
    choice: EncoderChoice,
    setup: VideoEncoderSetup,
    measure: Measure<'_>,
) -> Result<Chosen, EncodeError> {
    let crowd = Mosaic::new(CROWD.size, CROWD_SIDE);
    if choice == EncoderChoice::Rav1e && !cfg!(feature = "rav1e") {
        return Err(EncodeError::NotBuilt);
    }
    let mut spent = |codec| frame_time(EncoderChoice::Aom, VideoEncoderSetup { codec, ..CROWD }, &crowd, measure);
    let av1 = spent(Codec::Av1)?;
    let h264 = encodes(Codec::H264).then(|| spent(Codec::H264)).transpose()?;
    let costs = EncodeCosts { av1: av1.processor, h264: h264.map(|spent| spent.processor) };
    if choice != EncoderChoice::Auto {
        return Ok(Chosen { choice, reason: "named in the configuration".into(), costs });
    }
    // Not by the wall's clock: a neighbour at that moment is no reason to look for another encoder.
    let (choice, reason) = settle(setup, av1.processor, measure)?;
    Ok(Chosen { choice, reason, costs })
}

/// Which AV1 encoder fits a tick of `setup`, if libaom takes `crowd` for one of the crowded canvas.
fn settle(
    setup: VideoEncoderSetup,
    crowd: Duration,
    measure: Measure<'_>,
) -> Result<(EncoderChoice, String), EncodeError> {
    let tick = Duration::from_secs(1) / setup.fps.max(1);
    let figures = |name: &str, time: Duration| {
        let (time, tick) = (time.as_secs_f64() * 1e3, tick.as_secs_f64() * 1e3);
        format!("{name} needs {time:.1} ms of a {tick:.1} ms tick")
    };
    let area = |size: Size| f64::from(size.width) * f64::from(size.height);
    let guess = crowd.mul_f64(area(setup.size) / area(CROWD.size));
    if guess <= tick {
        return Ok((EncoderChoice::Aom, figures("libaom", guess)));
    }
    let mosaic = Mosaic::new(setup.size, CROWD_SIDE);
    let aom = frame_time(EncoderChoice::Aom, setup, &mosaic, measure)?.wall;
    if aom <= tick {
        return Ok((EncoderChoice::Aom, figures("libaom", aom)));
    }
    if !cfg!(feature = "rav1e") {
        return Ok((EncoderChoice::Aom, format!("{}: ticks will be skipped", figures("libaom", aom))));
    }
    let rav1e = frame_time(EncoderChoice::Rav1e, setup, &mosaic, measure)?.wall;
    let choice = if rav1e < aom { EncoderChoice::Rav1e } else { EncoderChoice::Aom };
    let (aom, rav1e) = (figures("libaom", aom), figures("rav1e", rav1e));
    Ok((choice, format!("{aom} and {rav1e}: the faster one, but ticks will be skipped")))
}

/// Mean time of a frame, keyframe not counted.
fn frame_time(
    choice: EncoderChoice,
    setup: VideoEncoderSetup,
    mosaic: &Mosaic,
    measure: Measure<'_>,
) -> Result<Spent, EncodeError> {
    let mut encoder = video_encoder(choice, setup)?;
    let mut out = Vec::new();
    let mut result = encoder.encode(&mosaic.frame(0, setup.fps), true, &mut out);
    let frames: Vec<ComposedFrame> = (1..=CALIBRATION_FRAMES).map(|n| mosaic.frame(n, setup.fps)).collect();
    let whole = measure(&mut || {
        for frame in &frames {
            result = std::mem::replace(&mut result, Ok(())).and_then(|()| encoder.encode(frame, false, &mut out));
        }
        result = std::mem::replace(&mut result, Ok(())).and_then(|()| encoder.finish(&mut out));
    });
    result?;
    debug_assert!(out.iter().all(|unit: &EncodedFrame| !unit.data.is_empty()), "units carry bytes");
    let frames = u32::try_from(CALIBRATION_FRAMES).expect("a handful");
    Ok(Spent { wall: whole.wall / frames, processor: whole.processor / frames })
}
