//! **The question:** which codec does a room send to those who take both? AV1, which needs fewer bits, while its encode
//! is a small share of the machine; H.264, at about a third of the time, above that. A change costs everybody a
//! keyframe and the recording a file, so it waits until the reason has lasted.

use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::{Codec, CodecPreference, EncodeCosts, Outbox, RungCodecs};

/// Share of all cores that the encode of one room's first rung may take as AV1. On two cores that is 0.3 of one: a call
/// of five takes 0.35, one of a hundred 0.55 to 0.7, and what is left has to decode them. On four cores a hundred fit.
const ROOM_SHARE: f64 = 0.15;
/// Share of all cores that the encodes of all rooms may take so.
const NODE_SHARE: f64 = 0.3;
/// AV1 is taken up again where it needs so much of what it may take, not before.
const RETURN_LEVEL: f64 = 0.6;
/// Tiles of the canvas whose cost is known.
const CROWD: f64 = 100.0;
/// What a canvas costs that few large tiles fill, as a share of a crowded one: 14 ms to 18 ms with 16 tiles (measured).
const FEW: f64 = 0.75;
/// For so long the cheaper codec has to be the right one before it is taken.
const CHEAPER_AFTER: Duration = Duration::from_secs(2);
/// And the dearer one; twice as long each time it did not last.
const DEARER_AFTER: Duration = Duration::from_secs(30);

/// What a room's choice depends on and what stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecSetup {
    /// What was measured at start.
    pub costs: EncodeCosts,
    /// What the operator chose.
    pub preference: CodecPreference,
    /// Cores that the node may use.
    pub cores: usize,
}

/// What it depends on and what changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodecLoad {
    /// Tiles seen whose pictures move.
    pub moving: usize,
    /// The share of the canvas that they cover, 0 to 1.
    pub covered: f32,
    /// Whether a screen is seen: it has the most to gain from AV1.
    pub screen: bool,
    /// Ticks a second.
    pub fps: u32,
    /// Rooms that run on the node, this one among them.
    pub rooms: usize,
    /// Codecs that somebody takes who takes no other; each of them runs anyway.
    pub needs: RungCodecs,
    /// Whether anybody watches: nobody minds a change that nobody sees.
    pub watched: bool,
}

/// What a choice hears of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CodecInput {
    /// How the room is now.
    Load(CodecLoad),
    /// The deadline came.
    Due,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CodecStats {
    /// Changes.
    pub switches: u64,
    /// Reasons for one that did not last.
    pub suppressed: u64,
}

/// One room's choice.
#[derive(Debug)]
pub struct CodecChoice {
    setup: CodecSetup,
    load: CodecLoad,
    codec: Codec,
    why: String,
    /// Another codec is the right one, and is taken then if it still is.
    pending: Option<(Codec, Instant)>,
    /// How long AV1 has to be the right one before it is taken.
    patience: Duration,
    stats: CodecStats,
}

impl CodecChoice {
    /// The choice for a room that begins. A room is taken for a small call before anybody is seen: most become one, and
    /// whoever begins with the dearer codec changes as soon as they come.
    #[must_use]
    pub fn new(setup: CodecSetup, fps: u32, rooms: usize) -> Self {
        let needs = RungCodecs::default();
        let load = CodecLoad { moving: 4, covered: 1.0, screen: false, fps, rooms, needs, watched: false };
        let mut choice = Self {
            setup,
            load,
            codec: Codec::Av1,
            why: String::new(),
            pending: None,
            patience: DEARER_AFTER,
            stats: CodecStats::default(),
        };
        (choice.codec, choice.why) = choice.right_one();
        choice
    }

    /// The codec in force.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Why it is that one, in words for an operator.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Takes one input; pushes the codec that is in force from now on, if it changes.
    pub fn handle(&mut self, now: Instant, input: CodecInput, out: &mut Outbox<Codec>) {
        if let CodecInput::Load(load) = input {
            self.load = load;
        }
        let (codec, why) = self.right_one();
        if codec == self.codec {
            self.why = why;
            self.stats.suppressed += u64::from(self.pending.take().is_some());
            return;
        }
        let patience = if codec == Codec::Av1 && !self.load.needs.av1 { self.patience } else { CHEAPER_AFTER };
        let patience = if self.load.watched { patience } else { Duration::ZERO };
        let waits_until = self.pending.filter(|(pending, _)| *pending == codec).map(|(_, at)| at);
        let at = waits_until.unwrap_or(now + patience).min(now + patience);
        if now < at {
            self.pending = Some((codec, at));
            return;
        }
        if codec == Codec::H264 && self.load.watched {
            self.patience = (self.patience * 2).min(limits::CODEC_PATIENCE_MAX);
        }
        (self.codec, self.why, self.pending) = (codec, why, None);
        self.stats.switches += 1;
        out.push(codec);
    }

    /// When `handle` must be called again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.map(|(_, at)| at)
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> CodecStats {
        self.stats
    }

    /// The right codec as things are, and why.
    fn right_one(&self) -> (Codec, String) {
        let (setup, load) = (&self.setup, &self.load);
        let Some(h264) = setup.costs.h264 else {
            return (Codec::Av1, "this build encodes no other".into());
        };
        match setup.preference {
            CodecPreference::Av1 => return (Codec::Av1, "named in the configuration".into()),
            CodecPreference::H264 => return (Codec::H264, "named in the configuration".into()),
            CodecPreference::Auto => {}
        }
        match (load.needs.av1, load.needs.h264) {
            // Both run whatever is chosen.
            (true, true) => return (self.codec, self.why.clone()),
            (true, false) => return (Codec::Av1, "somebody takes nothing else, and one encode costs less".into()),
            _ => {}
        }
        let moves = load.moving > 0 || load.screen;
        if !moves && self.codec == Codec::H264 && !self.why.is_empty() {
            // A canvas that stands still costs neither time nor bits: there is nothing to gain.
            return (Codec::H264, self.why.clone());
        }
        let cores = setup.cores as f64;
        let may = cores * ROOM_SHARE.min(NODE_SHARE / load.rooms.max(1) as f64);
        let both = if load.needs.h264 { share(h264, load) } else { 0.0 };
        let needs = share(setup.costs.av1, load) + both;
        let returns = self.codec == Codec::H264 && !self.why.is_empty();
        let may = may * if returns { RETURN_LEVEL } else { 1.0 };
        let beside = if load.needs.h264 { " beside the H.264 that somebody needs" } else { "" };
        let bar = if returns { "comes back at" } else { "may take" };
        let figures = format!("{needs:.2} of {} cores and {bar} {may:.2}", setup.cores);
        if needs <= may {
            (Codec::Av1, format!("AV1 takes{beside} {figures}"))
        } else {
            let own = share(h264, load);
            (Codec::H264, format!("AV1 would take{beside} {figures}; H.264 takes {own:.2}"))
        }
    }
}

/// Cores that an encode takes.
fn share(cost: Duration, load: &CodecLoad) -> f64 {
    let crowd = (load.moving as f64 / CROWD).min(1.0);
    cost.as_secs_f64() * f64::from(load.fps) * f64::from(load.covered.clamp(0.0, 1.0)) * (FEW + (1.0 - FEW) * crowd)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COSTS: EncodeCosts = EncodeCosts { av1: Duration::from_millis(20), h264: Some(Duration::from_micros(6_500)) };

    fn setup(cores: usize) -> CodecSetup {
        CodecSetup { costs: COSTS, preference: CodecPreference::Auto, cores }
    }

    fn load(moving: usize, covered: f32) -> CodecLoad {
        let needs = RungCodecs::default();
        CodecLoad { moving, covered, screen: false, fps: 30, rooms: 1, needs, watched: true }
    }

    /// Says the same for so many seconds, ten times each; the codecs that were pushed.
    fn say(choice: &mut CodecChoice, start: Instant, (from, to): (u64, u64), load: CodecLoad) -> Vec<(u64, Codec)> {
        let (mut out, mut all) = (Outbox::new(), Vec::new());
        for tenth in from * 10..to * 10 {
            choice.handle(start + Duration::from_millis(tenth * 100), CodecInput::Load(load), &mut out);
            all.extend(out.drain().map(|codec| (tenth / 10, codec)));
        }
        all
    }

    #[test]
    fn two_cores_send_h264_to_crowds_and_sixteen_cores_av1() {
        for (cores, moving, right) in [(2, 100, Codec::H264), (2, 16, Codec::H264), (16, 100, Codec::Av1)] {
            let mut choice = CodecChoice::new(setup(cores), 30, 1);
            say(&mut choice, Instant::now(), (0, 100), load(moving, 1.0));
            assert_eq!(choice.codec(), right, "{moving} tiles on {cores} cores: {}", choice.why());
            assert_eq!(choice.stats().switches, 0, "it began with the right one");
        }
    }

    #[test]
    fn a_screen_with_few_cameras_goes_back_to_av1_after_a_while_and_not_twice_as_soon() {
        let start = Instant::now();
        let mut choice = CodecChoice::new(setup(2), 30, 1);
        let shared = CodecLoad { screen: true, ..load(4, 0.2) };
        assert_eq!(say(&mut choice, start, (0, 60), shared), [(30, Codec::Av1)]);
        assert_eq!(say(&mut choice, start, (60, 120), load(16, 1.0)), [(62, Codec::H264)]);
        assert_eq!(say(&mut choice, start, (120, 240), shared), [(180, Codec::Av1)]);
        // A minute of neither changes nothing.
        for n in 0..30 {
            let load = if n % 2 == 0 { load(16, 1.0) } else { shared };
            assert_eq!(say(&mut choice, start, (240 + n, 241 + n), load), []);
        }
        assert!(choice.stats().suppressed >= 14, "{:?}", choice.stats());
    }

    #[test]
    fn those_who_take_one_codec_decide_for_the_others() {
        let start = Instant::now();
        let needs = |codec| CodecLoad { needs: RungCodecs::default().with(codec), ..load(16, 1.0) };
        let mut choice = CodecChoice::new(setup(2), 30, 1);
        assert_eq!(say(&mut choice, start, (0, 10), needs(Codec::Av1)), [(2, Codec::Av1)], "one encode, not two");
        assert_eq!(say(&mut choice, start, (10, 20), load(16, 1.0)), [(12, Codec::H264)]);
        // On four cores AV1 alone fits, and beside an H.264 it does not.
        let mut choice = CodecChoice::new(setup(4), 30, 1);
        assert_eq!(choice.codec(), Codec::Av1);
        assert_eq!(say(&mut choice, start, (0, 10), needs(Codec::H264)), [(2, Codec::H264)]);
        let both = CodecLoad { needs: RungCodecs { av1: true, h264: true, vp8: false }, ..load(16, 1.0) };
        assert_eq!(say(&mut choice, start, (10, 100), both), [], "both run anyway");
    }

    #[test]
    fn what_nobody_sees_changes_at_once_and_an_operators_word_is_kept() {
        let start = Instant::now();
        let mut choice = CodecChoice::new(setup(2), 30, 1);
        let load =
            CodecLoad { watched: false, needs: RungCodecs { av1: true, h264: false, vp8: false }, ..load(4, 1.0) };
        assert_eq!(say(&mut choice, start, (0, 1), load), [(0, Codec::Av1)]);
        for (preference, codec) in [(CodecPreference::Av1, Codec::Av1), (CodecPreference::H264, Codec::H264)] {
            let mut choice = CodecChoice::new(CodecSetup { preference, ..setup(2) }, 30, 1);
            assert_eq!((choice.codec(), say(&mut choice, start, (0, 99), load)), (codec, vec![]));
        }
        let alone = EncodeCosts { h264: None, ..COSTS };
        assert_eq!(CodecChoice::new(CodecSetup { costs: alone, ..setup(1) }, 30, 9).codec(), Codec::Av1);
    }

    #[test]
    fn rooms_share_what_all_may_take_and_a_still_canvas_changes_nothing() {
        let rooms = |rooms| CodecChoice::new(setup(8), 30, rooms).codec();
        assert_eq!((rooms(1), rooms(20)), (Codec::Av1, Codec::H264));
        let mut choice = CodecChoice::new(setup(2), 30, 1);
        assert_eq!(say(&mut choice, Instant::now(), (0, 600), load(0, 0.0)), []);
    }

    proptest! {
        #[test]
        fn no_two_changes_come_within_two_seconds(
            loads in prop::collection::vec((0_usize..120, 0.0_f32..1.0, 0_usize..8), 1..200), cores in 1_usize..64
        ) {
            let (start, mut out, mut last) = (Instant::now(), Outbox::new(), None::<u64>);
            let mut choice = CodecChoice::new(setup(cores), 30, 1);
            for (at, (moving, covered, bits)) in (0_u64..).zip(loads) {
                let needs = RungCodecs { av1: bits & 1 != 0, h264: bits & 2 != 0, vp8: false };
                let load = CodecLoad { screen: bits & 4 != 0, needs, ..load(moving, covered) };
                choice.handle(start + Duration::from_millis(at * 300), CodecInput::Load(load), &mut out);
                for codec in out.drain() {
                    prop_assert_eq!(codec, choice.codec());
                    prop_assert!(last.is_none_or(|last| (at - last) * 300 >= 2_000));
                    last = Some(at);
                }
                prop_assert!(choice.deadline().is_none_or(|due| due > start + Duration::from_millis(at * 300)));
            }
        }
    }
}
