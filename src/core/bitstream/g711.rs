//! **The question:** what does a packet of G.711 say of itself? Only its length: a byte a sample at 8 kHz (ITU-T
//! G.711).

use crate::base::limits;

/// Samples at 48 kHz that `packet` stands for; `None` when it is shorter or longer than what is taken for a voice.
#[must_use]
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let whole = (limits::G711_LEN_MIN..=limits::G711_LEN_MAX).contains(&packet.len());
    let bytes = u32::try_from(packet.len()).ok().filter(|_| whole)?;
    Some(bytes * (limits::SAMPLE_RATE / limits::TELEPHONE_RATE))
}
