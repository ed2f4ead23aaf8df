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
#[cfg(test)]
#[path = "goldens/tests.rs"]
mod goldens;
mod gpu;
mod history;
#[cfg(target_arch = "x86_64")]
mod lanes;
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
pub use gpu::DeviceError;
pub use pool::FramePool;
pub use selection::{CompositorChoice, Compositors};
