//! **The question:** how does rav1e encode a tick? At its fastest, without reordering, for rungs where cores are
//! plenty.

use std::collections::VecDeque;

use ::rav1e::config::SpeedSettings;
use ::rav1e::prelude as library;
use bytes::Bytes;

use crate::base::media::{Codec, ComposedFrame, EncodedFrame, Matrix, Pts};
use crate::core::bitstream::av1::StrippedUnit;
use crate::engine::encode::video::{EncodeError, VideoEncoder, VideoEncoderSetup, check_bitrate, check_frame};

const NAME: &str = "rav1e";

/// Makes an encoder; the setup has been checked.
pub(super) fn encoder(setup: VideoEncoderSetup) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    let context = open(&setup)?;
    Ok(Box::new(Rav1eEncoder { context, setup, reopen: false, held: VecDeque::new(), last_micros: None }))
}

struct Rav1eEncoder {
    context: library::Context<u8>,
    setup: VideoEncoderSetup,
    /// A new bitrate waits for the next keyframe: rav1e fixes it when it opens.
    reopen: bool,
    /// Times of the frames that went in and did not come out yet; without reordering, first in is first out.
    held: VecDeque<Pts>,
    last_micros: Option<i64>,
}

fn open(setup: &VideoEncoderSetup) -> Result<library::Context<u8>, EncodeError> {
    let mut speed = SpeedSettings::from_preset(10);
    speed.rdo_lookahead_frames = 1;
    speed.scene_detection_mode = library::SceneDetectionSpeed::None;
    let mut encoder = library::EncoderConfig::with_speed_preset(10);
    encoder.speed_settings = speed;
    encoder.width = setup.size.width as usize;
    encoder.height = setup.size.height as usize;
    encoder.time_base = library::Rational::new(1, u64::from(setup.fps));
    encoder.chroma_sampling = library::ChromaSampling::Cs420;
    encoder.pixel_range = library::PixelRange::Limited;
    encoder.color_description = Some(library::ColorDescription {
        color_primaries: library::ColorPrimaries::BT709,
        transfer_characteristics: library::TransferCharacteristics::BT709,
        matrix_coefficients: match Matrix::CANVAS {
            Matrix::Bt601 => library::MatrixCoefficients::BT601,
            Matrix::Bt709 => library::MatrixCoefficients::BT709,
            Matrix::Smpte240 => library::MatrixCoefficients::SMPTE240,
            Matrix::Bt2020 => library::MatrixCoefficients::BT2020NCL,
        },
    });
    encoder.low_latency = true;
    encoder.set_key_frame_interval(0, 0);
    encoder.bitrate = i32::try_from(setup.bitrate).expect("checked: at most 100 Mb/s");
    // Half a second of rate-control reservoir; the default of 256 frames lets keyframes burst.
    encoder.reservoir_frame_delay = Some(i32::try_from(setup.fps / 2).expect("checked").max(12));
    encoder.tiles = setup.threads;
    let config = library::Config::new().with_encoder_config(encoder).with_threads(setup.threads);
    config.new_context().map_err(|error| EncodeError::Setup(error.to_string()))
}

impl Rav1eEncoder {
    fn collect(&mut self, out: &mut Vec<EncodedFrame>) -> Result<(), EncodeError> {
        loop {
            match self.context.receive_packet() {
                Ok(packet) => {
                    let unit = StrippedUnit::copy(&packet.data).map_err(|error| failure(&error.to_string()))?;
                    let keyframe = packet.frame_type == library::FrameType::KEY;
                    if keyframe && !unit.has_sequence_header {
                        return Err(failure("a keyframe without a sequence header"));
                    }
                    let pts = self.held.pop_front().expect("each packet shows one frame that was sent");
                    let data = Bytes::from(unit.data);
                    out.push(EncodedFrame { codec: Codec::Av1, data, pts, keyframe });
                }
                Err(library::EncoderStatus::Encoded) => {}
                Err(library::EncoderStatus::NeedMoreData | library::EncoderStatus::LimitReached) => return Ok(()),
                Err(status) => return Err(failure(&status.to_string())),
            }
        }
    }

    fn flush(&mut self, out: &mut Vec<EncodedFrame>) -> Result<(), EncodeError> {
        self.context.flush();
        self.collect(out)
    }
}

impl VideoEncoder for Rav1eEncoder {
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
        if keyframe && self.reopen {
            self.flush(out)?;
            self.context = open(&self.setup)?;
            self.reopen = false;
        }
        let mut picture = self.context.new_frame();
        for (plane, source) in picture.planes.iter_mut().zip(frame.planes()) {
            plane.copy_from_raw_u8(source.data, source.stride, 1);
        }
        let kind = if keyframe { library::FrameTypeOverride::Key } else { library::FrameTypeOverride::No };
        let parameters = library::FrameParameters { frame_type_override: kind, ..Default::default() };
        self.context.send_frame((picture, parameters)).map_err(|status| failure(&status.to_string()))?;
        self.held.push_back(frame.pts);
        self.last_micros = Some(micros);
        self.collect(out)
    }

    fn finish(&mut self, out: &mut Vec<EncodedFrame>) -> Result<(), EncodeError> {
        self.flush(out)
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        check_bitrate(bitrate)?;
        self.reopen = self.reopen || bitrate != self.setup.bitrate;
        self.setup.bitrate = bitrate;
        Ok(())
    }
}

fn failure(reason: &str) -> EncodeError {
    EncodeError::Library { encoder: NAME, reason: reason.into() }
}
