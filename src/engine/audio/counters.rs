//! **The question:** what does a room's sound count?

use crate::engine::flow::Counter;

/// What a room's sound counts; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct SoundCounters {
    /// Opus packets discarded by the jitter buffers: late, repeated, malformed or surplus. What the queue before them
    /// discards, because the mix thread is behind, is counted at the queue.
    pub jitter_discarded: Counter,
    /// Sample pairs that were concealed or restored from FEC, in voices that were decoded.
    pub pcm_concealed: Counter,
    /// Ticks times voices decoded.
    pub voices_decoded: Counter,
    /// Packets that libopus refused; they are concealed.
    pub opus_malformed: Counter,
    /// Sample pairs put in or left out to follow networks and clocks, in voices that were decoded.
    pub pcm_stretched: Counter,
    /// Ticks of voices whose stated level was not believed.
    pub levels_corrected: Counter,
    /// Packets of shared mixes encoded.
    pub shared_encoded: Counter,
    /// Packets of mixes-minus encoded.
    pub minus_encoded: Counter,
    /// Ticks mixed.
    pub ticks: Counter,
    /// Ticks in which nobody was heard, and nothing was encoded.
    pub silent_ticks: Counter,
    /// Announcements begun.
    pub announcements: Counter,
}
