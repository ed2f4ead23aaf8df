//! **The question:** how many requests wait, and whose are they? Once half of the places are taken no network has more
//! than its share, so nobody alone keeps all others out, and a proxy in front of many may have as many as nobody needs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::limits;

/// From so many places taken on the rest are shared.
const SCARCE: usize = limits::HLS_BLOCKED_MAX / 2;
/// Places that one network has at most then.
const SHARE: usize = limits::HLS_BLOCKED_MAX / limits::HTTP_ADDRESS_SHARE;

/// Requests that wait for what is about to come; clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Waits(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    all: usize,
    /// By network; those that are not known are one.
    of: HashMap<Option<IpAddr>, usize>,
}

/// One request's place, until it goes.
#[derive(Debug)]
pub struct Place {
    waits: Waits,
    network: Option<IpAddr>,
}

impl Waits {
    /// One more of this network waits, if it may.
    pub(super) fn place(&self, network: Option<IpAddr>) -> Option<Place> {
        let mut table = self.table();
        let has_its_share = table.of.get(&network).is_some_and(|count| *count >= SHARE);
        if table.all >= limits::HLS_BLOCKED_MAX || (table.all >= SCARCE && has_its_share) {
            return None;
        }
        table.all += 1;
        *table.of.entry(network).or_default() += 1;
        Some(Place { waits: self.clone(), network })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.waits.table();
        table.all = table.all.saturating_sub(1);
        if let Some(count) = table.of.get_mut(&self.network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.of.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_has_half_of_the_places_and_leaves_the_others_theirs() {
        let (waits, network) = (Waits::default(), |n: u8| Some(IpAddr::from([192, 0, 2, n])));
        let mut all: Vec<Place> = (0..SCARCE).map(|_| waits.place(network(1)).unwrap()).collect();
        assert!(waits.place(network(1)).is_none());
        for n in [2, 3] {
            all.extend((0..SHARE).map(|_| waits.place(network(n)).unwrap()));
        }
        assert!(waits.place(network(9)).is_none(), "all are taken");
        drop(all.pop());
        assert!(waits.place(network(9)).is_some());
        drop(all);
        let table = waits.table();
        assert_eq!((table.all, table.of.len()), (0, 0), "nobody is remembered who waits no more");
    }
}
