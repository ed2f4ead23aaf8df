//! **The question:** who speaks for long enough to come to the front? The word passes within a third of a second; a
//! picture that jumped as often could not be looked at.

use std::time::{Duration, Instant};

use crate::base::media::ParticipantId;

/// Who has the word for so long comes to the front.
const COMES_AFTER: Duration = Duration::from_secs(1);
/// Anyone who came to the front stays there for so long at least.
const STAYS_FOR: Duration = Duration::from_secs(3);

/// Who has the word, and when somebody last came to the front.
#[derive(Debug, Default)]
pub(super) struct Floor {
    holder: Option<(ParticipantId, Instant)>,
    changed: Option<Instant>,
}

impl Floor {
    /// The word passes.
    pub(super) fn passes_to(&mut self, now: Instant, holder: Option<ParticipantId>) {
        if self.holder.map(|(who, _)| who) != holder {
            self.holder = holder.map(|who| (who, now));
        }
    }

    /// Somebody left.
    pub(super) fn forget(&mut self, who: ParticipantId) {
        self.holder = self.holder.filter(|(holder, _)| *holder != who);
    }

    /// Who has the word, and from when on they may come to the front.
    pub(super) fn comer(&self) -> Option<(ParticipantId, Instant)> {
        let (who, since) = self.holder?;
        let earliest = self.changed.map_or(since, |changed| changed + STAYS_FOR);
        Some((who, earliest.max(since + COMES_AFTER)))
    }

    /// Somebody came to the front.
    pub(super) fn came(&mut self, now: Instant) {
        self.changed = Some(now);
    }
}
