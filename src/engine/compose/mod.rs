//! **The question:** Scene + VideoFrames → ComposedFrame. Floor 3.
//!
//! Doors: [`Compositors`] opens what the configuration chooses (`selection`) and makes a [`Compositor`] for each room:
//! the GPU's (`gpu/`, which wgpu's types never leave) or its twin, the processor's ([`cpu_compositor`], `cpu/`). `plan`
//! compares a scene with what the canvas shows and lists the operations (`draw`) that bring it up to date; a compositor
//! executes them. The CPU's kernels stand in `cpu/`: `scale` does pictures, `place` fills, copies and blends. What is
//! drawn once and shown often (names, initials, pictures) comes from [`overlays`]; `history` spares copying the canvas.

mod colour;
mod compositor;
mod cpu;
mod draw;
#[cfg(all(test, feature = "gpu"))]
#[path = "goldens/tests.rs"]
mod goldens;
#[cfg(feature = "gpu")]
mod gpu;
mod history;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(not(feature = "gpu"))]
mod no_gpu;
pub mod overlays;
mod plan;
mod pool;
mod scale;
mod selection;
mod shapes;
#[cfg(test)]
mod tests;

pub use compositor::{Compositor, Loss, Sources};
pub use cpu::cpu_compositor;
#[cfg(feature = "gpu")]
pub use gpu::DeviceError;
#[cfg(not(feature = "gpu"))]
pub use no_gpu::DeviceError;
pub use pool::FramePool;
pub use selection::{CompositorChoice, Compositors};
