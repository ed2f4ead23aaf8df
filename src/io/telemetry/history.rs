//! **The question:** how did the node fare in the last quarter of an hour? A ring of points in memory, gone with the
//! process, for a console that was not open before.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::limits;

/// What is drawn in one chart.
#[derive(Debug, Clone, Copy)]
pub struct Chart {
    /// What it is about.
    pub name: &'static str,
    /// Of all its lines.
    pub unit: &'static str,
    /// What each line is, in the order of a point's values.
    pub lines: &'static [&'static str],
}

/// The last `limits::HISTORY_POINTS_MAX` points of every line.
#[derive(Debug)]
pub struct History {
    charts: &'static [Chart],
    points: Mutex<Points>,
}

#[derive(Debug, Default)]
struct Points {
    /// How many there were before the first that is kept.
    forgotten: u64,
    /// One value a line.
    kept: VecDeque<Box<[f32]>>,
}

/// What `GET /v1/node/history` tells.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HistoryTold {
    /// Milliseconds between two points.
    pub spacing_ms: u64,
    /// Which point the first values are, counted from the node's start.
    pub first: u64,
    /// Which one comes next: ask for those `after` it.
    pub next: u64,
    /// What there is to draw.
    pub charts: Vec<ChartTold>,
}

/// One chart.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ChartTold {
    /// What it is about.
    pub name: &'static str,
    /// Of all its lines.
    pub unit: &'static str,
    /// What it draws.
    pub lines: Vec<LineTold>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LineTold {
    /// What it is.
    pub name: &'static str,
    /// The oldest first.
    pub values: Vec<f64>,
}

impl History {
    /// Of these charts, without a point.
    #[must_use]
    pub fn new(charts: &'static [Chart]) -> Self {
        Self { charts, points: Mutex::default() }
    }

    /// Adds a point: one value for each line of each chart, in their order. What lacks is 0, what is too much is left
    /// out; the oldest point makes way.
    pub fn push(&self, values: &[f64]) {
        let lines = self.charts.iter().map(|chart| chart.lines.len()).sum();
        let value = |n: usize| values.get(n).copied().filter(|value| value.is_finite()).unwrap_or(0.0) as f32;
        let mut points = self.points();
        if points.kept.len() == limits::HISTORY_POINTS_MAX {
            points.kept.pop_front();
            points.forgotten += 1;
        }
        points.kept.push_back((0..lines).map(value).collect());
    }

    /// The points from number `after` on, as far as they are kept.
    #[must_use]
    pub fn since(&self, after: u64) -> HistoryTold {
        let points = self.points();
        let next = points.forgotten + points.kept.len() as u64;
        let first = after.clamp(points.forgotten, next);
        let skipped = (first - points.forgotten) as usize;
        let mut line = 0;
        let mut values = || {
            let of = points.kept.iter().skip(skipped).map(|point| thousandths(point[line])).collect();
            line += 1;
            of
        };
        let charts = self.charts.iter().map(|chart| ChartTold {
            name: chart.name,
            unit: chart.unit,
            lines: chart.lines.iter().map(|name| LineTold { name, values: values() }).collect(),
        });
        let spacing_ms = limits::HISTORY_SPACING.as_millis() as u64;
        HistoryTold { spacing_ms, first, next, charts: charts.collect() }
    }

    fn points(&self) -> MutexGuard<'_, Points> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Short in JSON, and finer than a plot.
fn thousandths(value: f32) -> f64 {
    (f64::from(value) * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHARTS: &[Chart] =
        &[Chart { name: "a", unit: "x", lines: &["one", "two"] }, Chart { name: "b", unit: "y", lines: &["three"] }];

    #[test]
    fn the_last_quarter_of_an_hour_is_kept_and_told_from_where_one_left_off() {
        let history = History::new(CHARTS);
        assert_eq!((history.since(0).next, history.since(7).first), (0, 0));
        let points = limits::HISTORY_POINTS_MAX as u64 + 10;
        for n in 0..points {
            history.push(&[n as f64, f64::NAN, 0.123_456]);
        }
        let all = history.since(0);
        assert_eq!((all.first, all.next), (10, points));
        let [one, two] = &all.charts[0].lines[..] else { panic!("two lines: {all:?}") };
        assert_eq!((one.values.len(), one.values[0], two.values[5]), (limits::HISTORY_POINTS_MAX, 10.0, 0.0));
        assert_eq!(all.charts[1].lines[0].values[899], 0.123);
        let rest = history.since(points - 3);
        assert_eq!((rest.first, &rest.charts[0].lines[0].values), (points - 3, &vec![907.0, 908.0, 909.0]));
        assert_eq!(history.since(u64::MAX).charts[0].lines[0].values, [0.0; 0]);
    }

    #[test]
    fn a_point_that_lacks_values_or_has_too_many_moves_no_line() {
        let history = History::new(CHARTS);
        history.push(&[1.0]);
        history.push(&[1.0, 2.0, 3.0, 4.0]);
        let told = history.since(0);
        assert_eq!(told.charts[0].lines[1].values, [0.0, 2.0]);
        assert_eq!(told.charts[1].lines[0].values, [0.0, 3.0]);
    }
}
