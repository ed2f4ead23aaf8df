//! **The question:** which hour keys does a keeper hold, and which of them does its file not hold yet as they are?

use zeroize::Zeroize;

use crate::base::limits::HOUR_SLOTS;
use crate::core::retention::secret::{KEY_BYTES, Secret};

/// A place for every hour key a keeper may hold at one time, all zero where there is none.
pub(super) struct HourKeys {
    keys: Vec<Secret>,
    /// Which differ from what the file holds.
    changed: [bool; HOUR_SLOTS],
}

impl HourKeys {
    pub(super) fn new() -> Self {
        Self { keys: (0..HOUR_SLOTS).map(|_| Secret::zero()).collect(), changed: [false; HOUR_SLOTS] }
    }

    pub(super) fn get(&self, slot: usize) -> &[u8; KEY_BYTES] {
        self.keys[slot].expose()
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> &mut [u8; KEY_BYTES] {
        self.changed[slot] = true;
        self.keys[slot].expose_mut()
    }

    pub(super) fn erase(&mut self, slot: usize) {
        self.get_mut(slot).zeroize();
    }

    /// As it was read from the file.
    pub(super) fn read(&mut self, slot: usize, key: &[u8]) {
        self.keys[slot].expose_mut().copy_from_slice(key);
    }

    /// What the file holds there is none of ours.
    pub(super) fn overwrite(&mut self, slot: usize) {
        self.changed[slot] = true;
    }

    pub(super) fn changed(&self) -> impl Iterator<Item = usize> + '_ {
        (0..HOUR_SLOTS).filter(|slot| self.changed[*slot])
    }

    pub(super) fn saved(&mut self) {
        self.changed = [false; HOUR_SLOTS];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_apart_and_are_erased() {
        let mut keys = HourKeys::new();
        keys.get_mut(0).fill(7);
        keys.get_mut(HOUR_SLOTS - 1).fill(9);
        assert_eq!((keys.get(0), keys.get(1)), (&[7; KEY_BYTES], &[0; KEY_BYTES]));
        keys.saved();
        keys.erase(0);
        assert_eq!((keys.get(0), keys.get(HOUR_SLOTS - 1)), (&[0; KEY_BYTES], &[9; KEY_BYTES]));
        assert_eq!(keys.changed().collect::<Vec<_>>(), [0]);
    }
}
