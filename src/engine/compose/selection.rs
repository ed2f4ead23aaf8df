//! **The question:** which compositor draws a room's canvas: a GPU's, or the processor's?

use std::sync::Arc;

use crate::base::media::Size;
#[cfg(feature = "gpu")]
use crate::engine::compose::gpu::{self, Device, DeviceError, Wanted};
#[cfg(not(feature = "gpu"))]
use crate::engine::compose::no_gpu::{self as gpu, Device, DeviceError, Wanted};
use crate::engine::compose::{Compositor, cpu_compositor};

/// Who is to compose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompositorChoice {
    /// A hardware GPU if there is one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A GPU; without one, an error.
    Gpu,
}

/// Makes the compositors of a process: opens the device once, shares it among rooms.
pub struct Compositors {
    device: Option<Arc<Device>>,
    reason: String,
}

impl Compositors {
    /// Settles `choice`. `adapter`, if not empty, is a part of the name of the adapter to take (letter case ignored);
    /// only so is a software adapter such as Mesa's llvmpipe taken.
    ///
    /// # Errors
    /// When a GPU is asked for, by choice or by name, and none that fits gives a device.
    pub fn open(choice: CompositorChoice, adapter: &str) -> Result<Self, DeviceError> {
        let wanted = if adapter.is_empty() { Wanted::Hardware } else { Wanted::Named(adapter) };
        let opened = match choice {
            CompositorChoice::Cpu => return Ok(Self::processor("named in the configuration".into())),
            CompositorChoice::Auto | CompositorChoice::Gpu => Device::open(wanted),
        };
        match opened {
            Ok(device) => {
                let asked =
                    if choice == CompositorChoice::Gpu { "named in the configuration" } else { "a GPU is there" };
                let reason = format!("{asked}: {}", device.adapter());
                Ok(Self { device: Some(Arc::new(device)), reason })
            }
            Err(error) if choice == CompositorChoice::Auto && adapter.is_empty() => {
                Ok(Self::processor(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// The processor's compositors, without looking for a GPU; `reason` is for the log.
    #[must_use]
    pub fn processor(reason: String) -> Self {
        Self { device: None, reason }
    }

    /// As after [`open`](Self::open) gave `device`.
    #[cfg(all(test, feature = "gpu"))]
    pub(super) fn on(device: Arc<Device>) -> Self {
        Self { device: Some(device), reason: String::new() }
    }

    /// `cpu` or `gpu`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.device.is_some() { gpu::NAME } else { "cpu" }
    }

    /// Why, and on which adapter, for the log.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// A compositor for one room on `canvas`, whose sides are even. After the device was lost it is the processor's.
    #[must_use]
    pub fn make(&self, canvas: Size) -> Box<dyn Compositor> {
        match &self.device {
            Some(device) if device.loss().reason().is_none() => gpu::compositor(device.clone(), canvas),
            _ => cpu_compositor(canvas),
        }
    }
}
