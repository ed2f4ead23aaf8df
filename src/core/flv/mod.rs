//! **The question:** which bytes say in FLV what a coded picture or a packet of sound is? Tags of Adobe's Flash Video
//! File Format 10.1 (annex E) for H.264 and AAC, of Enhanced RTMP (Veovera, v1 for AV1, v2 for Opus) for what came
//! later; RTMP carries their bodies as messages.
//!
//! Doors: [`Tag`], [`FlvHead`] (what decoders are set up by), [`Amf`] (words and numbers as AMF0 writes them).

mod amf;
mod tag;
#[cfg(test)]
mod tests;

pub use amf::{Amf, AmfError};
pub use tag::{FlvHead, Tag, TagKind, is_carried};
