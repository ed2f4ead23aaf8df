//! **The question:** what do a room's listeners lose of the mix, those of all net threads together?

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::base::media::RoomId;

/// What each worker said last of each room it has listeners of; looked at every
/// [`crate::base::limits::LOSS_REPORT_INTERVAL`].
#[derive(Default)]
pub(super) struct Losses(Mutex<HashMap<RoomId, BTreeMap<usize, Vec<f32>>>>);

impl Losses {
    /// Takes what the listeners of `room` at `worker` lost, per cent each. Returns what nine of ten of all its
    /// listeners lose at most, so that one bad line does not cost all the others; `None` while there are none.
    pub(super) fn report(&self, worker: usize, room: &RoomId, losses: Vec<f32>) -> Option<f32> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = rooms.entry(room.clone()).or_default();
        told.insert(worker, losses);
        let mut all: Vec<f32> = told.values().flatten().copied().collect();
        all.sort_by(f32::total_cmp);
        all.get((all.len() * 9 / 10).min(all.len().saturating_sub(1))).copied()
    }

    /// The room has no listeners at `worker` any more.
    pub(super) fn forget(&self, worker: usize, room: &RoomId) {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = rooms.get_mut(room) {
            told.remove(&worker);
            if told.is_empty() {
                rooms.remove(room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_are_counted_over_all_workers() {
        let (losses, room) = (Losses::default(), "room".parse().unwrap());
        assert_eq!(losses.report(0, &room, Vec::new()), None);
        assert_eq!(losses.report(0, &room, vec![1.0; 9]), Some(1.0));
        assert_eq!(losses.report(1, &room, vec![30.0]), Some(30.0));
        assert_eq!(losses.report(1, &room, vec![2.0, 30.0]), Some(2.0));
        losses.forget(0, &room);
        assert_eq!(losses.report(1, &room, vec![5.0]), Some(5.0));
        losses.forget(1, &room);
        assert!(losses.0.lock().unwrap().is_empty());
    }
}
