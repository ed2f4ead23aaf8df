//! **The question:** how does OpenH264 encode a tick in real time? Constrained Baseline, one slice a picture, no frame
//! skipped, a keyframe when asked. It stays set up for cameras when a screen is shown: its own set-up for screens costs
//! more than twice the time and 2.5 dB on a page of text, which it does not refine (docs/benchmarks.md).

use std::ffi::c_int;

use bytes::Bytes;
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, RateControlMode,
    UsageType, VuiConfig,
};
use openh264::formats::YUVSource;

use crate::base::media::{Codec, ComposedFrame, EncodedFrame, Matrix};
use crate::engine::encode::video::{EncodeError, VideoEncoder, VideoEncoderSetup, check_bitrate, check_frame};

const NAME: &str = "openh264";

/// Makes an encoder; the setup has been checked.
pub(super) fn encoder(setup: VideoEncoderSetup) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    let effort = Complexity::Low;
    Ok(Box::new(H264Encoder { encoder: open(&setup, effort)?, setup, effort, reopen: false, last_micros: None }))
}

struct H264Encoder {
    encoder: Encoder,
    setup: VideoEncoderSetup,
    /// Low is 15 % faster, and takes 7 % more bits for the same PSNR on a crowded grid.
    effort: Complexity,
    /// A new bitrate waits for the next keyframe.
    reopen: bool,
    last_micros: Option<i64>,
}

fn open(setup: &VideoEncoderSetup, effort: Complexity) -> Result<Encoder, EncodeError> {
    let colours = match Matrix::CANVAS {
        Matrix::Bt601 => VuiConfig::bt601(),
        Matrix::Bt2020 => VuiConfig::bt2020(),
        Matrix::Bt709 | Matrix::Smpte240 => VuiConfig::bt709(),
    };
    let config = EncoderConfig::new()
        .bitrate(BitRate::from_bps(setup.bitrate))
        .max_frame_rate(FrameRate::from_hz(setup.fps as f32))
        .rate_control_mode(RateControlMode::Bitrate)
        .usage_type(UsageType::CameraVideoRealTime)
        .profile(Profile::Baseline)
        .complexity(effort)
        .skip_frames(false)
        .scene_change_detect(false)
        .adaptive_quantization(false)
        // What it takes for background keeps 0.1 dB less, and no less time.
        .background_detection(false)
        .intra_frame_period(IntraFramePeriod::from_num_frames(0))
        .num_threads(u16::try_from(setup.threads).expect("checked: at most 64"))
        .vui(colours);
    let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(|error| failure(&error))?;
    silence(&mut encoder);
    Ok(encoder)
}

/// Without it, each encoder complains on stderr of what is meant so (no skipped frames), until the crate silences it
/// after its first frame.
fn silence(encoder: &mut Encoder) {
    /// `ENCODER_OPTION_TRACE_LEVEL` and `WELS_LOG_QUIET` (codec_app_def.h).
    const TRACE_LEVEL: c_int = 25;
    let mut quiet: c_int = 0;
    // SAFETY: the encoder's own interface is alive as long as it; this option is allowed before it is initialised and
    // takes an int, which is read and not kept.
    unsafe { encoder.raw_api().set_option(TRACE_LEVEL, (&raw mut quiet).cast()) };
}

/// The planes of a composed frame as the library reads them.
struct Planes<'a>(&'a ComposedFrame);

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.size.width as usize, self.0.size.height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let [luma, blue, red] = self.0.planes().map(|plane| plane.stride);
        (luma, blue, red)
    }

    fn y(&self) -> &[u8] {
        self.0.planes()[0].data
    }

    fn u(&self) -> &[u8] {
        self.0.planes()[1].data
    }

    fn v(&self) -> &[u8] {
        self.0.planes()[2].data
    }
}

impl VideoEncoder for H264Encoder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(
        &mut self,
        frame: &ComposedFrame,
        keyframe: bool,
        out: &mut Vec<EncodedFrame>,
    ) -> Result<(), EncodeError> {
        let micros = check_frame(&self.setup, frame, self.last_micros)?;
        if keyframe && std::mem::take(&mut self.reopen) {
            self.encoder = open(&self.setup, self.effort)?;
        } else if keyframe && self.last_micros.is_some() {
            self.encoder.force_intra_frame();
        }
        let millis = u64::try_from(micros / 1000).expect("time does not run backwards");
        let time = openh264::Timestamp::from_millis(millis);
        let unit = self.encoder.encode_at(&Planes(frame), time).map_err(|error| failure(&error))?;
        self.last_micros = Some(micros);
        let keyframe = matches!(unit.frame_type(), FrameType::IDR);
        let data = Bytes::from(unit.to_vec());
        if data.is_empty() {
            return Err(EncodeError::Library { encoder: NAME, reason: "a frame was left out".into() });
        }
        out.push(EncodedFrame { codec: Codec::H264, data, pts: frame.pts, keyframe });
        Ok(())
    }

    fn take_time(&mut self) -> Result<(), EncodeError> {
        self.effort = Complexity::Medium;
        self.encoder = open(&self.setup, self.effort)?;
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<EncodedFrame>) -> Result<(), EncodeError> {
        // Every frame came out at once.
        Ok(())
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        check_bitrate(bitrate)?;
        (self.setup.bitrate, self.reopen) = (bitrate, true);
        Ok(())
    }
}

fn failure(error: &openh264::Error) -> EncodeError {
    EncodeError::Library { encoder: NAME, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::{CodedFrame, Pts, Size, pts_from_tick};
    use crate::core::bitstream::h264::{Sps, contents};
    use crate::engine::decode::video_decoder;

    const SETUP: VideoEncoderSetup =
        VideoEncoderSetup { codec: Codec::H264, size: Size::new(320, 180), fps: 30, bitrate: 400_000, threads: 1 };

    /// A grey that grows lighter, with a bar that wanders.
    fn frame(n: u64) -> ComposedFrame {
        let (width, height) = (320, 180);
        let luma = (0..width * height).map(|at| if at % width / 8 == n as usize % 40 { 200 } else { 60 + n as u8 });
        let samples = luma.chain(std::iter::repeat_n(128, width * height / 2)).collect();
        ComposedFrame::new(SETUP.size, pts_from_tick(n, SETUP.fps), samples)
    }

    #[test]
    fn every_tick_is_a_unit_and_keyframes_come_when_asked() {
        let mut encoder = encoder(SETUP).unwrap();
        let (mut units, mut pictures) = (Vec::new(), Vec::new());
        let mut decoder = video_decoder(Codec::H264).unwrap();
        for n in 0..60 {
            encoder.encode(&frame(n), n == 0 || n == 20, &mut units).unwrap();
        }
        let keys: Vec<usize> = (0..units.len()).filter(|at| units[*at].keyframe).collect();
        assert_eq!((units.len(), keys), (60, vec![0, 20]));
        assert!((0..60).all(|n| units[n as usize].pts == pts_from_tick(n, 30)));
        let sps = Sps::find(&units[20].data).expect("parameter sets in each keyframe");
        assert_eq!((sps.profile, sps.size, sps.matrix), (66, SETUP.size, Some(6)));
        assert!(contents(&units[20].data).pps);
        for unit in &units {
            decoder.decode(unit.coded(), &mut pictures).unwrap();
        }
        assert_eq!(pictures.len(), 60);
        let middle = pictures[59].picture.plane(0);
        assert!(middle.data[middle.stride * 90 + 8].abs_diff(60 + 59) < 8, "it looks as it was composed");
    }

    #[test]
    fn one_that_takes_its_time_makes_as_many_units_of_fewer_or_better_bits() {
        let (mut quick, mut slow) = (encoder(SETUP).unwrap(), encoder(SETUP).unwrap());
        slow.take_time().unwrap();
        let (mut quickly, mut slowly) = (Vec::new(), Vec::new());
        for n in 0..30 {
            quick.encode(&frame(n), n == 0, &mut quickly).unwrap();
            slow.encode(&frame(n), n == 0, &mut slowly).unwrap();
        }
        assert_eq!((quickly.len(), slowly.len()), (30, 30));
        assert!(quickly.iter().zip(&slowly).any(|(quick, slow)| quick.data != slow.data), "it looks for more");
    }

    #[test]
    fn a_new_bitrate_holds_from_the_next_keyframe_on() {
        let mut encoder = encoder(SETUP).unwrap();
        let mut units = Vec::new();
        encoder.encode(&frame(0), true, &mut units).unwrap();
        encoder.set_bitrate(200_000).unwrap();
        encoder.encode(&frame(1), true, &mut units).unwrap();
        assert!(units.iter().all(|unit| unit.keyframe));
        assert!(encoder.set_bitrate(0).is_err());
        assert!(matches!(encoder.encode(&frame(1), false, &mut units), Err(EncodeError::Frame(_))));
        let coded: CodedFrame<'_> = units[1].coded();
        assert!(coded.keyframe && units[1].pts > Pts(0));
    }
}
