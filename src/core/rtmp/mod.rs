//! **The question:** what is said to an RTMP server that is to take a stream, and what does it say? Floor 2: Adobe's
//! RTMP 1.0 (2012) as a client that publishes, with the simple handshake and AMF0; Enhanced RTMP (Veovera) adds the
//! codecs that it says at the beginning. Bytes in, bytes out; whatever a server says is bounded.
//!
//! Doors: [`Publisher`], [`Place`] (which application, which stream), [`RtmpError`].

mod chunks;
mod place;
mod publisher;
#[cfg(test)]
mod tests;

pub use place::{Place, RtmpError};
pub use publisher::{HANDSHAKE_RANDOM, Publisher};
