//! **The question:** who encodes and who composes on this machine? The encoder's calibration, which needs a clock, and
//! the choice of the compositor.

use std::io::ErrorKind;
use std::time::Instant;

use crate::app::config::{Compositor, Config, Encoder};
use crate::engine::compose::{CompositorChoice, Compositors, DeviceError};
use crate::engine::encode::{self, Chosen, EncodeError, EncoderChoice};

/// The encoder of every rung, by name.
///
/// # Errors
/// When the configured size, rate or bitrate suits no encoder.
pub fn choose_encoder(config: &Config) -> Result<EncoderChoice, EncodeError> {
    let choice = match config.video.encoder {
        Encoder::Auto => EncoderChoice::Auto,
        Encoder::Aom => EncoderChoice::Aom,
        Encoder::Rav1e => EncoderChoice::Rav1e,
    };
    let mut measure = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let Chosen { choice, reason } = encode::choose_video_encoder(choice, config.video.encoder_setup(), &mut measure)?;
    tracing::info!(encoder = %choice, reason, "encoder chosen");
    Ok(choice)
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
