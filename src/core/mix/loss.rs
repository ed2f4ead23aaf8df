//! **The question:** how are the mixes encoded for the loss that listeners report? Quickly up, slowly down.

/// Loss that is always prepared for, per cent: the first packets are lost before anybody reports.
const LEAST: f32 = 3.0;
/// Loss beyond which no more is spent, per cent; libopus gains nothing from more.
const MOST: f32 = 30.0;
/// Share of a worse report that counts at once.
const UP: f32 = 0.5;
/// Share of a better one: reports come once a second, so trust returns within half a minute.
const DOWN: f32 = 0.1;

/// What an encoder is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusTuning {
    /// Bits a second.
    pub bitrate: u32,
    /// Loss to lay the in-band FEC out for, per cent.
    pub loss_percent: u8,
}

/// Follows the listeners of one room.
#[derive(Debug, Clone, Copy)]
pub struct LossFollower {
    bitrate: u32,
    percent: f32,
}

impl LossFollower {
    /// Nobody has reported; `bitrate` is what a mix costs without loss.
    #[must_use]
    pub fn new(bitrate: u32) -> Self {
        Self { bitrate, percent: LEAST }
    }

    /// What nine of ten listeners lose at most, per cent. Returns the new set-up if it changed.
    pub fn report(&mut self, percent: f32) -> Option<OpusTuning> {
        let before = self.tuning();
        let percent = if percent.is_finite() { percent.clamp(0.0, 100.0) } else { 0.0 };
        let share = if percent > self.percent { UP } else { DOWN };
        self.percent += (percent - self.percent) * share;
        Some(self.tuning()).filter(|tuning| *tuning != before)
    }

    /// The set-up for now. FEC takes bits from the words themselves, so it gets its own: half as much again at 20 %
    /// loss. In steps, so that an encoder is not asked anew for each report.
    #[must_use]
    pub fn tuning(&self) -> OpusTuning {
        let percent = self.percent.clamp(LEAST, MOST).round();
        let steps = (percent.min(20.0) / 5.0).floor() as u32;
        OpusTuning { bitrate: self.bitrate + self.bitrate * steps / 8, loss_percent: percent as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_followed_up_quickly_and_down_slowly() {
        let mut follower = LossFollower::new(48_000);
        assert_eq!(follower.tuning(), OpusTuning { bitrate: 48_000, loss_percent: 3 });
        let up = (0..4).filter_map(|_| follower.report(20.0)).last().unwrap();
        assert!(up.loss_percent >= 18 && up.bitrate > 60_000, "{up:?}");
        let soon = (0..4).filter_map(|_| follower.report(0.0)).last().unwrap();
        assert!(soon.loss_percent > 8, "{soon:?}");
        (0..60).for_each(|_| _ = follower.report(0.0));
        assert_eq!(follower.tuning(), OpusTuning { bitrate: 48_000, loss_percent: 3 });
        assert_eq!(follower.report(0.0), None, "nothing new");
    }

    #[test]
    fn senseless_reports_are_bounded() {
        let mut follower = LossFollower::new(48_000);
        for report in [f32::NAN, f32::INFINITY, -5.0, 1e9, 100.0, 100.0, 100.0] {
            follower.report(report);
            assert!((3..=30).contains(&follower.tuning().loss_percent));
            assert!((48_000..=72_000).contains(&follower.tuning().bitrate));
        }
    }
}
