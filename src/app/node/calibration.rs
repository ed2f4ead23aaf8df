//! **The question:** who encodes and who composes on this machine? The encoder's calibration, which needs a clock, and
//! the choice of the compositor.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::app::config::{Compositor, Config, Encoder};
use crate::base::media::{Codec, CodecPreference, EncodeCosts};
use crate::engine::compose::{CompositorChoice, Compositors, DeviceError};
use crate::engine::encode::{self, Chosen, EncodeError, EncoderChoice, Spent};
use crate::io::api::{CodecFacts, NodeFacts};

/// The encoder of every AV1 rung, by name, and what encoding costs in either codec. Takes about half a second.
///
/// # Errors
/// When the configured size, rate or bitrate suits no encoder, or the codec was not built.
pub fn choose_encoder(config: &Config) -> Result<Chosen, EncodeError> {
    if config.video.codec == CodecPreference::H264 && !encode::encodes(Codec::H264) {
        return Err(EncodeError::NoH264);
    }
    let choice = match config.video.encoder {
        Encoder::Auto => EncoderChoice::Auto,
        Encoder::Aom => EncoderChoice::Aom,
        Encoder::Rav1e => EncoderChoice::Rav1e,
    };
    let mut measure = |work: &mut dyn FnMut()| {
        let (start, busy_before) = (Instant::now(), busy());
        work();
        Spent { wall: start.elapsed(), processor: busy().saturating_sub(busy_before) }
    };
    let chosen = encode::choose_video_encoder(choice, config.video.encoder_setup(), &mut measure)?;
    tracing::info!(encoder = %chosen.choice, reason = chosen.reason, "encoder chosen");
    let CodecFacts { policy, av1_ms, h264_ms, reason } = codec_facts(config.video.codec, chosen.costs);
    tracing::info!(codec = ?policy, av1_ms, h264_ms, reason, "codecs measured");
    Ok(chosen)
}

/// Processor time of this thread so far.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What `GET /v1/node` tells.
#[must_use]
pub fn facts(config: &Config, chosen: &Chosen, compositors: &Compositors) -> NodeFacts {
    NodeFacts {
        version: env!("CARGO_PKG_VERSION"),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        encoder: chosen.choice.library(),
        encoder_reason: chosen.reason.clone(),
        compositor: compositors.name(),
        compositor_reason: compositors.reason().to_owned(),
        codec: codec_facts(config.video.codec, chosen.costs),
    }
}

/// What a node with the defaults would tell of this machine. Takes about half a second.
///
/// # Errors
/// When nothing can be encoded or composed here; says why.
pub fn measure() -> Result<NodeFacts, String> {
    let config = Config::default();
    let chosen = choose_encoder(&config).map_err(|error| error.to_string())?;
    let compositors = choose_compositor(&config).map_err(|error| error.to_string())?;
    Ok(facts(&config, &chosen, &compositors))
}

fn codec_facts(policy: CodecPreference, EncodeCosts { av1, h264 }: EncodeCosts) -> CodecFacts {
    // Hundredths of a millisecond: the rest is noise.
    let ms = |time: Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
    let reason = match (policy, h264) {
        (CodecPreference::Av1 | CodecPreference::H264, _) => "named in the configuration".to_owned(),
        (CodecPreference::Auto, None) => "this program encodes no H.264".to_owned(),
        (CodecPreference::Auto, Some(h264)) => format!(
            "each room decides by what it may cost: a crowded tick as H.264 takes {:.2} of the time as AV1",
            h264.as_secs_f64() / av1.as_secs_f64().max(1e-6)
        ),
    };
    CodecFacts { policy, av1_ms: ms(av1), h264_ms: h264.map(ms), reason }
}

/// The makers of canvases: a GPU's or the processor's.
///
/// # Errors
/// When the configuration asks for a GPU that is not there.
pub fn choose_compositor(config: &Config) -> Result<Compositors, DeviceError> {
    let choice = match config.video.compositor {
        Compositor::Auto => CompositorChoice::Auto,
        Compositor::Cpu => CompositorChoice::Cpu,
        Compositor::Gpu => CompositorChoice::Gpu,
    };
    let looks_for_any = choice == CompositorChoice::Auto && config.video.adapter.is_empty();
    let compositors = if looks_for_any && !is_a_gpu_there() {
        Compositors::processor("this machine has no device of a GPU's driver".into())
    } else {
        Compositors::open(choice, &config.video.adapter)?
    };
    tracing::info!(compositor = compositors.name(), reason = compositors.reason(), "compositor chosen");
    Ok(compositors)
}

/// Whether a driver for a GPU has made its device. Without one, asking Vulkan would only load Mesa with all of LLVM,
/// and have it look for a desktop and complain that there is none. Where `/dev` cannot be read, Vulkan is asked.
fn is_a_gpu_there() -> bool {
    // Of the kernel's own drivers; NVIDIA's, WSL's, Mali's, Adreno's and Tegra's.
    let starts = [("/dev/dri", "renderD"), ("/dev", "nvidia"), ("/dev", "dxg"), ("/dev", "mali")];
    let starts = starts.into_iter().chain([("/dev", "kgsl"), ("/dev", "nvgpu"), ("/dev", "nvhost")]);
    let is_there = |(folder, start): (&str, &str)| match std::fs::read_dir(folder) {
        Ok(devices) => devices.flatten().any(|device| device.file_name().to_string_lossy().starts_with(start)),
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    starts.into_iter().any(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_told_with_its_reason() {
        let costs = EncodeCosts { av1: Duration::from_micros(18_004), h264: Some(Duration::from_micros(6_000)) };
        let facts = codec_facts(CodecPreference::Auto, costs);
        assert_eq!((facts.av1_ms, facts.h264_ms), (18.0, Some(6.0)));
        assert!(facts.reason.contains("takes 0.33 of the time"), "{}", facts.reason);
        let without = codec_facts(CodecPreference::Auto, EncodeCosts { h264: None, ..costs });
        assert_eq!((without.h264_ms, &*without.reason), (None, "this program encodes no H.264"));
        assert_eq!(codec_facts(CodecPreference::Av1, costs).reason, "named in the configuration");
    }

    #[test]
    fn both_codecs_are_measured() {
        let Chosen { choice, costs, .. } = choose_encoder(&Config::default()).unwrap();
        assert_ne!(choice, EncoderChoice::Auto);
        assert!(costs.av1 > Duration::ZERO && costs.h264.is_none_or(|h264| h264 > Duration::ZERO));
        assert_eq!(costs.h264.is_some(), encode::encodes(Codec::H264));
    }
}
