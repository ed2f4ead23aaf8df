//! **The question:** what does a recording hear of a room in which somebody does not want to be recorded? A mix and an
//! encode of its own, made of everybody else's voices alone.

use std::collections::BTreeSet;

use crate::base::media::{ParticipantId, Pts, RedactedMix};
use crate::core::mix::{Mixer, Voice};
use crate::engine::audio::SoundCounters;
use crate::engine::audio::mix_encoders::MixEncoders;
use crate::engine::encode::{OpusEncodeError, OpusEncoderConfig};

/// The mix without some people.
#[derive(Debug)]
pub(super) struct RedactedSound {
    people: BTreeSet<ParticipantId>,
    mask: u64,
    mixer: Mixer,
    mix_encoders: MixEncoders,
    /// Counted by nobody: these packets are not the room's.
    counters: SoundCounters,
}

impl RedactedSound {
    /// Without `people`; `mask` stands in each packet, so that its reader knows who is left out.
    pub(super) fn new(
        people: BTreeSet<ParticipantId>,
        mask: u64,
        duck_screens: bool,
        config: OpusEncoderConfig,
    ) -> Result<Self, OpusEncodeError> {
        let (mixer, mix_encoders) = (Mixer::new(duck_screens), MixEncoders::new(config)?);
        Ok(Self { people, mask, mixer, mix_encoders, counters: SoundCounters::default() })
    }

    /// Mixes a tick of those of `parts` that may be heard.
    pub(super) fn mix(&mut self, parts: &[Voice<'_>]) {
        let may = |voice: &&Voice<'_>| voice.participant.is_none_or(|person| !self.people.contains(&person));
        // Nobody listens to themselves in a recording: without owners there are no mixes-minus.
        let parts: Vec<Voice<'_>> =
            parts.iter().filter(may).map(|voice| Voice { participant: None, ..*voice }).collect();
        self.mixer.mix(&parts);
    }

    /// Encodes what was mixed last.
    pub(super) fn encode(&mut self, pts: Pts) -> RedactedMix {
        let packet = self.mix_encoders.encode(&self.mixer, pts, &self.counters).shared;
        RedactedMix { mask: self.mask, packet }
    }
}
