//! **The question:** which way up is a picture? Containers say it in degrees or by a matrix; quarter turns and mirrors
//! are what is composed.

use crate::base::media::Orientation;

/// Degrees by which an angle may miss a quarter turn: writers round, and nobody sees it.
const SLACK: f64 = 1.0;

/// Degrees clockwise as quarter turns; `None` for what lies between.
pub(super) fn quarter_turns(degrees: f64) -> Option<u8> {
    let turns = (degrees / 90.0).round();
    let is_quarter = (degrees - turns * 90.0).abs() <= SLACK;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the remainder lies within 0 and 3")]
    is_quarter.then(|| turns.rem_euclid(4.0) as u8)
}

/// The upper left part of a matrix as MP4 has it: a point at (x, y), y down, comes to lie at (a x + c y, b x + d y).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transform {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) c: f64,
    pub(super) d: f64,
}

impl Transform {
    /// This one, then `next`.
    pub(super) fn then(self, next: Self) -> Self {
        let point = |x: f64, y: f64| (next.a * x + next.c * y, next.b * x + next.d * y);
        let ((a, b), (c, d)) = (point(self.a, self.b), point(self.c, self.d));
        Self { a, b, c, d }
    }

    /// Its turn, and how much wider than high it makes a square before that; `None` for what is neither a quarter turn
    /// nor a mirror.
    pub(super) fn orientation(self) -> Option<(Orientation, f64)> {
        let Self { a, b, c, d } = self;
        let (across, down) = (a.hypot(b), c.hypot(d));
        if !(across > 0.0 && down > 0.0 && across.is_finite() && down.is_finite()) {
            return None;
        }
        let mirrored = a * d - b * c < 0.0;
        let (a, b) = if mirrored { (-a, -b) } else { (a, b) };
        // Columns and rows have to stay at right angles.
        let skew = (a * c + b * d) / (across * down);
        let turns = quarter_turns(b.atan2(a).to_degrees()).filter(|_| skew.abs() < 0.02)?;
        Some((Orientation { mirrored, turns }, across / down))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_33_every_matrix_of_a_phone_is_a_turn() {
        let seen = |a, b, c, d| Transform { a, b, c, d }.orientation();
        let turned = |mirrored, turns| Some((Orientation { mirrored, turns }, 1.0));
        assert_eq!(seen(1.0, 0.0, 0.0, 1.0), turned(false, 0));
        assert_eq!(seen(0.0, 1.0, -1.0, 0.0), turned(false, 1));
        assert_eq!(seen(-1.0, 0.0, 0.0, -1.0), turned(false, 2));
        assert_eq!(seen(0.0, -1.0, 1.0, 0.0), turned(false, 3));
        assert_eq!(seen(-1.0, 0.0, 0.0, 1.0), turned(true, 0));
        assert_eq!(seen(1.0, 0.0, 0.0, -1.0), turned(true, 2), "upside down is mirrored and half a turn");
        assert_eq!(seen(0.0, 1.0, 1.0, 0.0), turned(true, 3));
        assert_eq!(seen(2.0, 0.0, 0.0, 1.0), Some((Orientation::default(), 2.0)));
        assert_eq!(seen(0.7, 0.7, -0.7, 0.7), None, "an eighth of a turn");
        assert_eq!(seen(0.0, 0.0, 0.0, 0.0), None);
        let quarter = Transform { a: 0.0, b: 1.0, c: -1.0, d: 0.0 };
        assert_eq!(quarter.then(quarter).orientation(), turned(false, 2));
        let mirror = Transform { a: -1.0, b: 0.0, c: 0.0, d: 1.0 };
        assert_eq!(mirror.then(quarter).orientation(), turned(true, 1));
    }
}
