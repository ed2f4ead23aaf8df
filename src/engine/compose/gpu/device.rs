//! **The question:** which device composes, and is it still there? One device a process, shared by every room's
//! compositor.

use std::sync::{Arc, OnceLock};

use crate::engine::compose::gpu::kernels::Kernels;

/// Which adapters may compose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::compose) enum Wanted<'a> {
    /// Any but a software one.
    Hardware,
    /// The first whose name contains this, letter case ignored; a software one too, because it was asked for.
    Named(&'a str),
}

/// Why there is no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No adapter of the kind that was asked for.
    #[error("no GPU adapter {wanted} (found: {found}); install its Vulkan driver, or choose another compositor")]
    NoAdapter {
        /// What was looked for.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// The adapter is there but gives no device.
    #[error("the GPU adapter {adapter} gives no device: {reason}")]
    Refused {
        /// Its name.
        adapter: String,
        /// What its driver said.
        reason: String,
    },
}

/// An open device with its kernels compiled.
pub(in crate::engine::compose) struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) kernels: Kernels,
    adapter: String,
    loss: Loss,
}

/// Whether and why a device is gone; written once, by anyone who notices first.
#[derive(Debug, Clone, Default)]
pub(in crate::engine::compose) struct Loss(Arc<OnceLock<String>>);

impl Loss {
    /// Notes why. Only the first reason counts: what follows is its consequence.
    pub(super) fn note(&self, reason: String) {
        let _ = self.0.set(reason);
    }

    /// Why, if it is gone.
    pub(in crate::engine::compose) fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

impl Device {
    /// Opens the best adapter of the wanted kind: discrete before integrated before virtual.
    pub(in crate::engine::compose) fn open(wanted: Wanted<'_>) -> Result<Self, DeviceError> {
        let mut setup = wgpu::InstanceDescriptor::new_without_display_handle();
        setup.backends = wgpu::Backends::VULKAN;
        let adapters = pollster::block_on(wgpu::Instance::new(setup).enumerate_adapters(wgpu::Backends::VULKAN));
        let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
        let fitting = infos.iter().zip(adapters).filter(|(info, _)| wanted.fits(info));
        let Some((info, adapter)) = fitting.min_by_key(|(info, _)| rank(info.device_type)) else {
            let names: Vec<String> = infos.iter().map(describe).collect();
            let found = if names.is_empty() { "none".into() } else { names.join(", ") };
            return Err(DeviceError::NoAdapter { wanted: wanted.told(), found });
        };
        Self::on(&adapter, describe(info))
    }

    fn on(adapter: &wgpu::Adapter, name: String) -> Result<Self, DeviceError> {
        let setup = wgpu::DeviceDescriptor {
            label: Some("tessera"),
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&setup))
            .map_err(|error| DeviceError::Refused { adapter: name.clone(), reason: error.to_string() })?;
        let loss = Loss::default();
        let lost = loss.clone();
        device.set_device_lost_callback(move |reason, told| lost.note(format!("{reason:?}: {told}")));
        let failed = loss.clone();
        // An error of the device is the world's (out of memory, a broken driver): the room goes on without it.
        device.on_uncaptured_error(Arc::new(move |error| failed.note(error.to_string())));
        let kernels = Kernels::new(&device);
        match loss.reason() {
            Some(reason) => Err(DeviceError::Refused { adapter: name, reason: reason.into() }),
            None => Ok(Self { device, queue, kernels, adapter: name, loss }),
        }
    }

    /// For people: name, kind and driver.
    pub(in crate::engine::compose) fn adapter(&self) -> &str {
        &self.adapter
    }

    /// Whether it can no longer be used, and why.
    pub(in crate::engine::compose) fn loss(&self) -> &Loss {
        &self.loss
    }

    /// The most bytes one tick's list and pictures may have.
    pub(super) fn tick_len_max(&self) -> u64 {
        let limits = self.device.limits();
        // Offsets are words of 32 bits in bytes.
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(1 << 31) & !3
    }

    /// Takes the device away, as a driver may.
    #[cfg(test)]
    pub(super) fn destroy(&self) {
        self.device.destroy();
    }

    /// Runs the callbacks of what is finished; never waits.
    pub(super) fn poll(&self) {
        if let Err(error) = self.device.poll(wgpu::PollType::Poll) {
            self.loss.note(error.to_string());
        }
    }

    /// Waits until all that was submitted is finished, for work that has no tick.
    pub(super) fn wait(&self) {
        if let Err(error) = self.device.poll(wgpu::PollType::wait_indefinitely()) {
            self.loss.note(error.to_string());
        }
    }
}

impl Wanted<'_> {
    fn fits(self, info: &wgpu::AdapterInfo) -> bool {
        match self {
            Self::Hardware => info.device_type != wgpu::DeviceType::Cpu,
            Self::Named(name) => info.name.to_lowercase().contains(&name.to_lowercase()),
        }
    }

    fn told(self) -> String {
        match self {
            Self::Hardware => "that is hardware".into(),
            Self::Named(name) => format!("named {name:?}"),
        }
    }
}

fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

fn describe(info: &wgpu::AdapterInfo) -> String {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "unknown kind",
    };
    format!("{} ({kind}, {} {})", info.name, info.driver, info.driver_info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_software_adapter_is_taken_by_name_only() {
        let device = Device::open(Wanted::Named("LLVMpipe")).expect("make setup installs mesa-vulkan-drivers");
        assert!(device.adapter.contains("llvmpipe") && device.adapter.contains("software"), "{}", device.adapter);
        if let Ok(hardware) = Device::open(Wanted::Hardware) {
            assert!(!hardware.adapter.contains("software"), "{}", hardware.adapter);
        }
    }

    #[test]
    fn an_unknown_name_is_told_with_what_is_there() {
        let error = Device::open(Wanted::Named("abacus")).err().expect("nobody makes one");
        let told = error.to_string();
        assert!(told.contains("\"abacus\"") && told.contains("llvmpipe"), "{told}");
    }
}
