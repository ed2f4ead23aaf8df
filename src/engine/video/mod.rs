//! **The question:** what does one room show at this tick? The newest pictures of its tracks, its scene in motion, and
//! one canvas for each output: whole or without some people, at each rung's size.
//!
//! Doors: [`Canvas`] (`arrange`, `tick_if_due`), whose [`CanvasEvent`]s tell what follows.

mod canvas;
mod frames;
mod output;
#[cfg(test)]
mod tests;

pub use canvas::{Canvas, CanvasEvent, CanvasSetup};
pub use output::OutputSetup;
