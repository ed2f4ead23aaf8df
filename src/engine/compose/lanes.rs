//! **The question:** how do an axis's weights lie so that a vector of outputs is summed at once? In groups: one window
//! of 64 inputs, and for each pair of taps which inputs every output of the group picks from it, and their weights.

/// Inputs a group sees: two vectors of 32.
pub(super) const WINDOW: usize = 64;
/// Outputs of a group at most.
const WIDEST_GROUP: usize = 16;
/// Pairs of taps at most; more of them are summed one output at a time.
pub(super) const MOST_PAIRS: usize = 4;

/// The weights of one axis, group by group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    /// Outputs of a group; the last one may have fewer.
    pub(super) group: usize,
    /// Pairs of taps of each output.
    pub(super) pairs: usize,
    /// The first input of each group's window, from the first one the axis looks at.
    pub(super) bases: Vec<u32>,
    /// `pairs` for each group: positions in its window, two for each output.
    pub(super) picks: Vec<Lane>,
    /// `pairs` for each group: the weights of what was picked.
    pub(super) weights: Vec<Lane>,
}

/// What one vector register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Lane(pub(super) [i16; 32]);

impl Lanes {
    /// Of an axis whose first input is `left`: where each output's window starts, and its `taps` weights. `None` where
    /// outputs lie so far apart that a window holds fewer than four.
    pub(super) fn of(left: usize, starts: &[u32], weights: &[i16], taps: usize) -> Option<Self> {
        let used = |weights: &[i16]| weights.iter().rposition(|&weight| weight != 0).map_or(1, |last| last + 1);
        let pairs = weights.chunks(taps).map(used).max()?.div_ceil(2);
        let span = |starts: &[u32]| (starts[starts.len() - 1] - starts[0]) as usize + 2 * pairs;
        let fits = |group: &usize| starts.chunks(*group).all(|starts| span(starts) <= WINDOW);
        let group = [WIDEST_GROUP, 8, 4].into_iter().find(fits).filter(|_| pairs <= MOST_PAIRS)?;
        let left = u32::try_from(left).expect("a column");
        let mut lanes = Self { group, pairs, bases: Vec::new(), picks: Vec::new(), weights: Vec::new() };
        for (starts, weights) in starts.chunks(group).zip(weights.chunks(group * taps)) {
            lanes.bases.push(starts[0] - left);
            for pair in 0..pairs {
                let (mut pick, mut weight) = (Lane([0; 32]), Lane([0; 32]));
                for (output, start) in starts.iter().enumerate() {
                    for tap in 2 * pair..2 * pair + 2 {
                        let at = 2 * output + tap % 2;
                        let position = (start - starts[0]) as usize + tap;
                        pick.0[at] = i16::try_from(position).expect("inside the window");
                        weight.0[at] = weights[output * taps + tap];
                    }
                }
                lanes.picks.push(pick);
                lanes.weights.push(weight);
            }
        }
        Some(lanes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::compose::scale::{Axis, HORIZONTAL_BITS};

    proptest! {
        #[test]
        fn every_weight_is_somewhere_and_meets_its_input(
            from in 0_u32..50, length in 1_u32..2000, target in 1_u32..700,
        ) {
            let axis = Axis::new(from, length, target, HORIZONTAL_BITS);
            let Some(lanes) = axis.lanes() else {
                prop_assert!(length > 3 * target, "only far apart");
                return Ok(());
            };
            for (output, (start, weights)) in axis.starts().iter().zip(axis.weights().chunks(axis.taps())).enumerate() {
                let (group, at) = (output / lanes.group, output % lanes.group);
                let mut found = vec![0_i32; length as usize + WINDOW];
                for pair in 0..lanes.pairs {
                    let lane = group * lanes.pairs + pair;
                    for half in 0..2 {
                        let input = lanes.bases[group] as usize + lanes.picks[lane].0[2 * at + half] as usize;
                        found[input] += i32::from(lanes.weights[lane].0[2 * at + half]);
                    }
                }
                for (tap, &weight) in weights.iter().enumerate() {
                    let input = (start - from) as usize + tap;
                    prop_assert_eq!(found.get(input).copied().unwrap_or(0), i32::from(weight));
                }
            }
        }
    }
}
