//! **The question:** who sits on which seat? A join or a leave moves as few people as possible.

use crate::base::media::ParticipantId;

/// The room's seats in order; a seat may be free, the last one never is.
#[derive(Debug, Default)]
pub(super) struct Seats(Vec<Option<ParticipantId>>);

impl Seats {
    /// All seats, free ones included.
    pub(super) fn all(&self) -> &[Option<ParticipantId>] {
        &self.0
    }

    /// Those who sit, in seat order.
    pub(super) fn people(&self) -> impl Iterator<Item = ParticipantId> {
        self.0.iter().flatten().copied()
    }

    /// Seats up to the last taken one.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A newcomer takes the first free seat.
    pub(super) fn take(&mut self, newcomer: ParticipantId) {
        match self.0.iter_mut().find(|seat| seat.is_none()) {
            Some(seat) => *seat = Some(newcomer),
            None => self.0.push(Some(newcomer)),
        }
    }

    /// Somebody's seat becomes free; tells which. Nobody moves.
    pub(super) fn free(&mut self, who: ParticipantId) -> usize {
        let seat = self.seat_of(who);
        self.0[seat] = None;
        self.trim();
        seat
    }

    /// Two people change places; `to` may be free.
    pub(super) fn swap(&mut self, who: ParticipantId, to: usize) {
        let seat = self.seat_of(who);
        self.0.swap(seat, to);
        self.trim();
    }

    /// Those beyond the end of the people move into the holes, last first into the first hole; nobody else moves.
    pub(super) fn close_holes(&mut self) {
        let count = self.people().count();
        let mut hole = 0;
        while self.0.len() > count {
            if let Some(mover) = self.0.pop().expect("longer than count, so not empty") {
                while self.0[hole].is_some() {
                    hole += 1;
                }
                self.0[hole] = Some(mover);
            }
        }
    }

    /// Where somebody sits, who has a seat.
    pub(super) fn seat_of(&self, who: ParticipantId) -> usize {
        self.0.iter().position(|seat| *seat == Some(who)).expect("each person has a seat")
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&None) {
            self.0.pop();
        }
    }
}
