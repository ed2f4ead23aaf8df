//! **The question:** whose connection broke, until when is their seat theirs alone, and who may not come back to one?
//! What names a connection to its client alone (its resource) names the seat too, so nobody else can take it.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use crate::base::limits;
use crate::base::media::ParticipantId;
use crate::core::access::BearerId;
use crate::io::api::ResourceToken;

/// A seat whose person is away.
#[derive(Debug)]
struct Seat {
    participant: ParticipantId,
    token: ResourceToken,
    until: Instant,
    /// By what they are known again, if they showed a token.
    bearer: Option<BearerId>,
}

/// The seats that are kept, and those that were taken away.
#[derive(Debug, Default)]
pub struct Seats {
    away: Vec<Seat>,
    /// Those whom a host banned: they do not come in while the room lasts.
    banned: HashSet<BearerId>,
    removed: VecDeque<(ParticipantId, ResourceToken)>,
    /// Until when a room that came without anybody waits for somebody.
    vacant_until: Option<Instant>,
}

impl Seats {
    /// When the next one is kept no longer.
    pub fn deadline(&self) -> Option<Instant> {
        self.away.iter().map(|seat| seat.until).chain(self.vacant_until).min()
    }

    /// Somebody is away whose seat is kept.
    pub fn keep(&mut self, now: Instant, participant: ParticipantId, token: ResourceToken, bearer: Option<BearerId>) {
        self.away.push(Seat { participant, token, until: now + limits::SEAT_SPAN, bearer });
    }

    /// By what somebody is known again whose seat is kept.
    pub fn bearer_of(&self, participant: ParticipantId) -> Option<BearerId> {
        self.away.iter().find(|seat| seat.participant == participant)?.bearer
    }

    /// Whose seat a token names.
    pub fn of(&self, token: ResourceToken) -> Option<ParticipantId> {
        self.away.iter().find(|seat| seat.token == token).map(|seat| seat.participant)
    }

    /// Somebody is back, or gone: what named their seat.
    pub fn take(&mut self, participant: ParticipantId) -> Option<ResourceToken> {
        let at = self.away.iter().position(|seat| seat.participant == participant)?;
        Some(self.away.remove(at).token)
    }

    /// Somebody has to come by then.
    pub fn wait_for_anybody(&mut self, now: Instant) {
        self.vacant_until = Some(now + limits::SEAT_SPAN);
    }

    /// Whether somebody had to come by now; said once.
    pub fn is_vacant(&mut self, now: Instant) -> bool {
        self.vacant_until.take_if(|until| *until <= now).is_some()
    }

    /// What names the seat of somebody who is away.
    pub fn token(&self, participant: ParticipantId) -> Option<ResourceToken> {
        self.away.iter().find(|seat| seat.participant == participant).map(|seat| seat.token)
    }

    /// Those whom a host removed, and what named their seats.
    pub fn removed(&self) -> impl Iterator<Item = (ParticipantId, ResourceToken)> {
        self.removed.iter().copied()
    }

    /// Those who did not come back in time; their seats are free.
    pub fn expired(&mut self, now: Instant) -> Vec<ParticipantId> {
        self.away.extract_if(.., |seat| seat.until <= now).map(|seat| seat.participant).collect()
    }

    /// Whether so many more may be banned.
    pub fn may_ban(&self, more: usize) -> bool {
        self.banned.len() + more <= limits::BANS_MAX
    }

    /// Somebody does not come in any more.
    pub fn ban(&mut self, bearer: BearerId) {
        self.banned.insert(bearer);
    }

    /// All whom hosts banned.
    pub fn banned(&self) -> impl Iterator<Item = BearerId> {
        self.banned.iter().copied()
    }

    /// Whether a host banned them.
    pub fn is_banned(&self, bearer: BearerId) -> bool {
        self.banned.contains(&bearer)
    }

    /// Whether a host removed whoever shows this token.
    pub fn is_barred(&self, token: ResourceToken) -> bool {
        self.removed.iter().any(|(_, barred)| *barred == token)
    }

    /// Whether a host removed this person: a return that was under way by then ends at the door.
    pub fn is_removed(&self, participant: ParticipantId) -> bool {
        self.removed.iter().any(|(removed, _)| *removed == participant)
    }

    /// A token of somebody who was removed names nothing any more, and whoever shows it is told why.
    pub fn bar(&mut self, participant: ParticipantId, token: ResourceToken) {
        self.removed.push_back((participant, token));
        if self.removed.len() > limits::SEATS_REMOVED_MAX {
            self.removed.pop_front();
        }
    }
}
