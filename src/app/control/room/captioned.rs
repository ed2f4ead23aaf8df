//! **The question:** who listens to the room to write down what is said, and what do they know of its people?

use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::watch;

use crate::base::media::ParticipantId;
use crate::core::room::{CaptionerId, Captions};
use crate::core::signal::Speaker;

/// The room's captioners, and what they know of its people.
#[derive(Debug, Default)]
pub struct Captioned {
    pub captions: Captions,
    /// While there are some.
    pub people: Option<watch::Sender<Arc<[Speaker]>>>,
    /// Whoever has a seat.
    pub seats: Vec<(CaptionerId, Weak<()>)>,
}

impl Captioned {
    /// Whether somebody listens.
    pub fn is_on(&self) -> bool {
        self.captions.is_captioned()
    }

    /// Somebody left the room.
    pub fn leaves(&mut self, now: Instant, participant: ParticipantId) {
        let Some(people) = &self.people else { return };
        // As captioners were told last, when they were still here.
        if let Some(speaker) = people.borrow().iter().find(|speaker| speaker.id == participant) {
            self.captions.leaves(now, participant, &speaker.name);
        }
    }
}
