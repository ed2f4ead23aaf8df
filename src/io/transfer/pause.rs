//! **The question:** how long does a failed try wait for the next one?

use std::time::Duration;

use crate::base::limits;

/// How long to wait after so many tries.
pub(super) fn pause(tries: u32) -> Duration {
    let doubled = limits::HAND_OVER_RETRY.saturating_mul(1 << (tries.saturating_sub(1)).min(16));
    doubled.min(limits::HAND_OVER_RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let pauses: Vec<_> = (1..5).map(|tries| pause(tries).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000]);
        assert_eq!(pause(u32::MAX), limits::HAND_OVER_RETRY_MAX);
    }
}
