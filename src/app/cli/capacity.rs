//! **The question:** how many people does this machine carry, and of how many is that known? Pure: which call is tried
//! next, given how those before went.

/// Calls tried first, one after the other: the rows of a sizing table.
const LADDER: [u32; 4] = [10, 25, 50, 100];
/// Tries of one size before it is believed that a bar breaks: something else may have run on the machine.
const TRIES: u32 = 2;

/// A search for the largest call that holds all bars.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// Sizes of the ladder still to be tried.
    ladder: Vec<u32>,
    holds: u32,
    /// The smallest that broke a bar.
    breaks: Option<u32>,
    /// The size that broke a bar once, and how often.
    doubted: Option<(u32, u32)>,
}

impl Search {
    /// For calls of at most `max` people.
    pub fn new(max: u32) -> Self {
        let mut ladder: Vec<u32> = LADDER.into_iter().filter(|size| *size < max).chain([max]).collect();
        ladder.reverse();
        Self { ladder, holds: 0, breaks: None, doubted: None }
    }

    /// How many people the next call is to have; `None` when the answer is known, to a tenth.
    pub fn next(&self) -> Option<u32> {
        if let Some((size, _)) = self.doubted {
            return Some(size);
        }
        let Some(breaks) = self.breaks else { return self.ladder.last().copied() };
        let precision = (breaks / 10).max(1);
        (breaks - self.holds > precision).then(|| self.holds + (breaks - self.holds).div_ceil(2))
    }

    /// A call of `size` was tried, and held all bars or not.
    pub fn tell(&mut self, size: u32, holds: bool) {
        if holds {
            self.doubted = None;
            self.holds = self.holds.max(size);
            self.ladder.retain(|rung| *rung > size);
            return;
        }
        let broken = self.doubted.map_or(0, |(_, times)| times) + 1;
        self.doubted = (broken < TRIES).then_some((size, broken));
        if self.doubted.is_none() {
            self.breaks = Some(self.breaks.map_or(size, |breaks| breaks.min(size)));
            self.ladder.clear();
        }
    }

    /// The largest call that held; 0: none did.
    pub fn found(&self) -> u32 {
        self.holds
    }

    /// How many calls may still be needed.
    pub fn left(&self) -> u64 {
        let span = self.breaks.map_or(self.ladder.first().copied().unwrap_or(0), |breaks| breaks - self.holds);
        let halvings = u64::from(span.max(1).ilog2().min(4));
        self.ladder.len() as u64 + if self.next().is_some() { halvings } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found on a machine that carries `capacity`, and which calls that takes.
    fn search(max: u32, capacity: u32) -> (u32, Vec<u32>) {
        let (mut search, mut tried) = (Search::new(max), Vec::new());
        while let Some(size) = search.next() {
            assert!(tried.len() < 30, "it ends: {tried:?}");
            tried.push(size);
            search.tell(size, size <= capacity);
        }
        assert_eq!(search.left(), 0);
        (search.found(), tried)
    }

    #[test]
    fn what_a_machine_carries_is_found_to_a_tenth_in_few_calls() {
        for capacity in 0..=100 {
            let (found, tried) = search(100, capacity);
            assert!(found <= capacity && capacity - found <= (capacity / 10).max(1) + 1, "{found} of {capacity}");
            assert!(tried.len() <= 14, "{tried:?}");
        }
        assert_eq!(search(100, 100), (100, vec![10, 25, 50, 100]));
        assert_eq!(search(30, 100), (30, vec![10, 25, 30]));
        assert_eq!(search(4, 100), (4, vec![4]));
    }

    #[test]
    fn a_bar_that_breaks_once_is_tried_again() {
        let mut search = Search::new(25);
        search.tell(10, false);
        assert_eq!(search.next(), Some(10));
        search.tell(10, true);
        assert_eq!((search.next(), search.found()), (Some(25), 10));
        search.tell(25, false);
        search.tell(25, false);
        assert_eq!(search.next(), Some(18));
    }
}
