//! **The question:** what stands where a GPU would, in a program that was built without the feature `gpu`? A device
//! that never opens; its doors are those of `gpu`.

use std::sync::Arc;

use crate::base::media::Size;
use crate::engine::compose::Compositor;

/// Which adapters may compose.
pub(super) enum Wanted<'a> {
    /// Any but a software one.
    Hardware,
    /// One that was named.
    Named(#[expect(dead_code, reason = "nobody looks for it")] &'a str),
}

/// Why there is no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// What would draw on it was left out.
    #[error("this tessera was built without GPUs; build it with 'cargo build --release', which has them")]
    NotBuilt,
}

/// There is none.
pub(super) enum Device {}

impl Device {
    pub(super) fn open(_: Wanted<'_>) -> Result<Self, DeviceError> {
        Err(DeviceError::NotBuilt)
    }

    pub(super) fn adapter(&self) -> &str {
        match *self {}
    }

    pub(super) fn loss(&self) -> &Self {
        self
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match *self {}
    }
}

pub(super) const NAME: &str = "gpu";

pub(super) fn compositor(device: Arc<Device>, _: Size) -> Box<dyn Compositor> {
    match *device {}
}
