//! **The question:** what do these files look like as one room? Floor 5: the scene, kernels and encoders of the live
//! room, with queues that block in place of slots where the newest wins.
//!
//! Doors: [`run()`] takes a [`Job`] and writes one MP4. Threads: `decode-n` decode a window of ticks of one file after
//! the other (the decoder's caches stay warm), this thread composes, `encode` encodes and writes, `mix` mixes what the
//! files sound like. Every queue between them is short and blocks, so memory does not grow with the files.

mod decoded_file;
mod error;
mod job;
mod muxer;
mod outlet;
mod raw;
mod run;
mod sound;
mod stage;
mod temp_file;
#[cfg(test)]
mod tests;
mod windows;

pub use error::RecomposeError;
pub use job::{Ended, Job, Progress, Summary};
pub use run::run;
