//! **The question:** what does a recording hear of a room in which somebody does not want to be recorded? A mix and an encode of its own,
//! made of everybody else's voices alone.

use std::collections::BTreeSet;

use crate::encode::{OpusEncodeError, OpusEncoderConfig};
use crate::media::{ApartMix, ParticipantId, Pts};
use crate::mix::{Mixer, Voice};
use crate::node::sound::SoundCounters;
use crate::node::sound::outlets::Outlets;

/// The mix without some people.
#[derive(Debug)]
pub(super) struct Apart {
    people: BTreeSet<ParticipantId>,
    mask: u64,
    mixer: Mixer,
    outlets: Outlets,
    /// Counted by nobody: these packets are not the room's.
    counters: SoundCounters,
}

impl Apart {
    /// Without `people`; `mask` stands in each packet, so that its reader knows who is left out.
    pub(super) fn new(
        people: BTreeSet<ParticipantId>,
        mask: u64,
        duck_screens: bool,
        config: OpusEncoderConfig,
    ) -> Result<Self, OpusEncodeError> {
        let (mixer, outlets) = (Mixer::new(duck_screens), Outlets::new(config)?);
        Ok(Self { people, mask, mixer, outlets, counters: SoundCounters::default() })
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
    pub(super) fn encode(&mut self, pts: Pts) -> ApartMix {
        let packet = self.outlets.encode(&self.mixer, pts, &self.counters).shared;
        ApartMix { mask: self.mask, packet }
    }
}
