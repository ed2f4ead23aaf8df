//! **The question:** how much does this machine carry, how much of that is taken, and how many rooms of a hundred fit
//! into the rest? In media units, which are the same on every machine: a room takes as many wherever it runs, and a
//! faster machine has more of them. A plan for who adds nodes; what a machine really carries its ticks tell.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::media::{Codec, Outbox, RungCodecs, RungSpec};
use crate::core::ladder::codec::{CodecChoice, CodecInput, CodecLoad, CodecSetup};

/// Units that one core of the reference (`docs/benchmarks.md`) has: one is a hundredth of it.
const CORE: f64 = 100.0;
/// Share of all cores that may be taken (`docs/sizing.md`): a core busier than that skips ticks as soon as anything
/// else runs.
const USABLE: f64 = 0.7;
/// What one tick of a crowded 1280×720 takes to encode on the reference.
const AV1: Duration = Duration::from_millis(18);
/// The same as H.264; VP8 takes about as much.
const H264: Duration = Duration::from_millis(6);
/// Pixels of the canvas by which that was measured.
const PIXELS: f64 = 1280.0 * 720.0;
/// People of the room whose places are counted.
const CROWD: usize = 100;
/// What a canvas takes that few large tiles fill, as a share of a crowded one.
const FEW: f64 = 0.75;
/// What a room takes beside its encodes (decode, network, sound, composing), by its people: cores of the reference with
/// a recorder running, `docs/benchmarks.md`, less the encode. Fifty were seen to take less than twenty-five; who plans
/// counts on no gain by others coming. One alone is an estimate.
const BESIDE: [(usize, f64); 7] = [(0, 0.0), (1, 20.0), (10, 37.0), (16, 50.0), (25, 66.0), (50, 66.0), (CROWD, 77.0)];

/// How much a machine carries, and how much of that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Capacity {
    /// Media units that it has.
    pub units: u64,
    /// Of those, what its rooms take with the people and encodes that they have now.
    pub reserved_units: u64,
    /// Rooms of a hundred people that fit beside them; none while no room begins at all.
    pub free_room100_slots: u64,
}

/// What a machine has to give.
#[derive(Debug)]
pub struct Budget {
    units: f64,
    /// What a room of a hundred would take, beside so many others.
    crowds: Vec<f64>,
}

impl Budget {
    /// Of a machine on which encoding takes what was measured at its start, whose rooms have such a canvas, and of
    /// which so many may run.
    #[must_use]
    pub fn new(now: Instant, setup: CodecSetup, canvas: RungSpec, rooms_max: usize) -> Self {
        let codec = |rooms| codec_of_crowd(now, setup, canvas.fps, rooms);
        let crowd = |rooms| room_units(CROWD, [RungSpec { codec: codec(rooms), ..canvas }]);
        let units = setup.cores as f64 * CORE * USABLE * speed(setup);
        Self { units, crowds: (0..rooms_max).map(crowd).collect() }
    }

    /// How things stand with so many rooms that take `reserved` together. `admits`: a new room would begin.
    #[must_use]
    pub fn capacity(&self, rooms: usize, reserved: f64, admits: bool) -> Capacity {
        let left = (self.units - reserved).max(0.0);
        // Beyond the last place there is none.
        let places = self.crowds.len().saturating_sub(rooms);
        let fit = self.crowds.get(rooms).map_or(0.0, |crowd| (left / crowd).floor());
        Capacity {
            units: self.units.round() as u64,
            reserved_units: reserved.round() as u64,
            free_room100_slots: if admits { (fit as u64).min(places as u64) } else { 0 },
        }
    }
}

/// What a room takes of so many people and with these encodes.
#[must_use]
pub fn room_units(people: usize, encodes: impl IntoIterator<Item = RungSpec>) -> f64 {
    let crowd = (people as f64 / CROWD as f64).min(1.0);
    let encode = |spec: RungSpec| {
        let cost = if spec.codec == Codec::Av1 { AV1 } else { H264 };
        let area = f64::from(spec.size.width) * f64::from(spec.size.height) / PIXELS;
        cost.as_secs_f64() * f64::from(spec.fps) * CORE * area * (FEW + (1.0 - FEW) * crowd)
    };
    beside(people) + encodes.into_iter().map(encode).sum::<f64>()
}

/// Between what was measured lies what a straight line says.
fn beside(people: usize) -> f64 {
    let steps = BESIDE.windows(2).find(|pair| people <= pair[1].0);
    steps.map_or(BESIDE[BESIDE.len() - 1].1, |pair| {
        let [(from, low), (to, high)] = [pair[0], pair[1]];
        low + (high - low) * (people - from) as f64 / (to - from) as f64
    })
}

/// How many times as fast as the reference one core is, by all that was measured.
fn speed(setup: CodecSetup) -> f64 {
    let of = |reference: Duration, own: Duration| reference.as_secs_f64() / own.as_secs_f64().max(1e-6);
    let av1 = of(AV1, setup.costs.av1);
    setup.costs.h264.map_or(av1, |h264| (av1 * of(H264, h264)).sqrt())
}

/// What a hundred people would be sent in a room beside so many others.
fn codec_of_crowd(now: Instant, setup: CodecSetup, fps: u32, others: usize) -> Codec {
    let (rooms, needs) = (others + 1, RungCodecs::default());
    let load = CodecLoad { moving: CROWD, covered: 1.0, screen: false, fps, rooms, needs, watched: false };
    let mut choice = CodecChoice::new(setup, fps, rooms);
    // Nobody watches, so it changes at once or not at all.
    choice.handle(now, CodecInput::Load(load), &mut Outbox::new());
    choice.codec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::media::{CodecPreference, EncodeCosts, Size};

    const CANVAS: RungSpec = RungSpec { codec: Codec::H264, size: Size::new(1280, 720), fps: 30, bitrate: 2_500_000 };

    fn setup(cores: usize, slower: u32) -> CodecSetup {
        let costs = EncodeCosts { av1: AV1 * slower, h264: Some(H264 * slower) };
        CodecSetup { costs, preference: CodecPreference::Auto, cores }
    }

    fn budget(cores: usize, slower: u32) -> Budget {
        Budget::new(Instant::now(), setup(cores, slower), CANVAS, 64)
    }

    #[test]
    fn rooms_take_what_was_measured_of_them() {
        for (people, cores) in [(10, 0.51), (16, 0.64), (25, 0.81), (100, 0.95)] {
            let units = room_units(people, [CANVAS]);
            assert!((units - cores * CORE).abs() < 1.0, "{people} people: {units}");
        }
        let small = RungSpec { size: Size::new(640, 360), ..CANVAS };
        assert!((room_units(100, [CANVAS, small]) - 95.0 - 4.5).abs() < 0.1, "a quarter of the pixels");
        assert!((room_units(100, [RungSpec { codec: Codec::Av1, ..CANVAS }]) - 77.0 - 54.0).abs() < 0.1);
        assert_eq!((room_units(0, []), room_units(200, [])), (0.0, 77.0));
    }

    #[test]
    fn two_cores_hold_a_hundred_people_and_no_more() {
        let budget = budget(2, 1);
        assert_eq!(budget.capacity(0, 0.0, true), Capacity { units: 140, reserved_units: 0, free_room100_slots: 1 });
        let taken = budget.capacity(1, room_units(100, [CANVAS]), true);
        assert_eq!(taken, Capacity { units: 140, reserved_units: 95, free_room100_slots: 0 });
        assert_eq!(budget.capacity(0, 0.0, false).free_room100_slots, 0, "no room begins");
        assert_eq!(budget.capacity(3, 900.0, true).free_room100_slots, 0, "more is taken than there is");
    }

    #[test]
    fn a_machine_half_as_fast_has_half_and_one_of_many_cores_is_bound_by_places() {
        assert_eq!(budget(4, 2).capacity(0, 0.0, true).units, 140);
        let alone = CodecSetup { costs: EncodeCosts { av1: AV1, h264: None }, ..setup(2, 1) };
        assert_eq!(Budget::new(Instant::now(), alone, CANVAS, 64).capacity(0, 0.0, true).units, 140);
        let large = budget(1_000, 1);
        assert_eq!(large.capacity(60, 0.0, true).free_room100_slots, 4);
        assert_eq!(large.capacity(64, 0.0, true).free_room100_slots, 0);
        assert_eq!(large.capacity(65, 0.0, true).free_room100_slots, 0);
    }

    #[test]
    fn many_cores_send_a_hundred_people_av1_and_count_what_that_takes() {
        // 1,120 units: eight rooms of 131 in AV1.
        assert_eq!(budget(16, 1).capacity(0, 0.0, true).free_room100_slots, 8);
    }

    proptest! {
        #[test]
        fn more_people_and_more_encodes_never_take_less(people in 0_usize..120, encodes in 0_usize..6) {
            let units = |people, encodes| room_units(people, std::iter::repeat_n(CANVAS, encodes));
            prop_assert!(units(people + 1, encodes) >= units(people, encodes));
            prop_assert!(units(people, encodes + 1) > units(people, encodes));
        }
    }
}
