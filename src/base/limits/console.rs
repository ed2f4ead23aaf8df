//! **The question:** how much of its own past does a node remember?

use std::time::Duration;

/// Points of each series that a node remembers of itself: a quarter of an hour.
pub const HISTORY_POINTS_MAX: usize = 900;
/// Between two of them.
pub const HISTORY_SPACING: Duration = Duration::from_secs(1);
