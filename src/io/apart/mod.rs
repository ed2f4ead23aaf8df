//! **The question:** how are pictures decoded in another process? Hostile bit streams meet C code there, which may do
//! nothing but decode; whatever becomes of it costs the pictures of its tracks until the next one has a keyframe.
//!
//! A socket of whole messages (`SOCK_SEQPACKET`) carries small [`words`]; coded frames and pictures lie in one sealed
//! file in memory that both map. Doors: [`Line`] is the node's end, [`DecoderSide`] the process's, which [`confine`]s
//! itself before it serves.

mod line;
mod memory;
mod pulse;
mod sandbox;
mod serve;
#[cfg(test)]
mod tests;
mod words;

pub use line::{Heard, Line, LineError};
pub use pulse::Pulse;
pub use sandbox::{DecoderSide, confine};
pub use words::Confinement;
