//! **The question:** what is seen at this tick, while one scene turns into the next? Everything glides from where it is
//! to where the newest scene wants it; who comes fades in, who leaves fades out. Integers only: the same `Pts` gives
//! the same picture on every machine.

use std::sync::Arc;
use std::time::Duration;

use crate::base::limits;
use crate::base::media::{ParticipantId, Pts};
use crate::core::scene::{Rect, Scene, Tile, TilePicture};

/// Progress is counted in as many steps.
const ONE: u64 = 1 << 16;
/// Who comes or leaves is smaller by one part in this many at the edge of being seen.
const SHRINK: u32 = 8;

/// A scene on its way to the next one.
#[derive(Debug)]
pub struct Motion {
    span: Duration,
    target: Arc<Scene>,
    course: Option<Course>,
    /// The scene between two others; its memory is used again at every tick.
    between: Scene,
}

/// How everything comes to where a scene has it, for those who lay things over its picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passage {
    /// Up to then, everything was where it was before; frames later than this are on the way, or there.
    pub after: Pts,
    /// How long the way takes; zero: all is there at once.
    pub span: Duration,
    /// Where each tile of the scene comes from, in its order; empty at rest.
    pub from: Vec<Rect>,
}

/// Where everything was when the target changed.
#[derive(Debug)]
struct Course {
    begins: Pts,
    /// One for each tile of the target.
    coming: Vec<Stance>,
    /// Tiles that the target has no more, as they stood, newest last.
    leaving: Vec<Tile>,
}

/// What of a tile can glide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stance {
    rect: Rect,
    z: i32,
    corner_radius: u32,
    opacity: u8,
}

impl Motion {
    /// At rest at `scene`; changes will take `span` (at most `limits::MOTION_SPAN_MAX`), none if it is zero.
    #[must_use]
    pub fn new(span: Duration, scene: Arc<Scene>) -> Self {
        let between = Scene { tiles: Vec::new(), ..(*scene).clone() };
        Self { span: span.min(limits::MOTION_SPAN_MAX), target: scene, course: None, between }
    }

    /// From `at` on, everything moves from where it is then to where `scene` wants it. A scene that places everything
    /// as the one before (somebody speaks, a camera came up) disturbs no motion.
    pub fn retarget(&mut self, at: Pts, scene: Arc<Scene>) {
        let same_place = |(old, new): (&Tile, &Tile)| key(old) == key(new) && stance(old) == stance(new);
        let tiles = self.target.tiles.len() == scene.tiles.len();
        if tiles && self.target.tiles.iter().zip(&scene.tiles).all(same_place) {
            self.target = scene;
            return;
        }
        let _ = self.scene_at(at);
        let now = if self.rests_at(at) { &self.target.tiles } else { &self.between.tiles };
        let mut seen: Vec<(Key, &Tile)> = now.iter().map(|tile| (key(tile), tile)).collect();
        seen.sort_unstable_by_key(|(key, _)| *key);
        let mut stays = vec![false; seen.len()];
        let coming = scene.tiles.iter().map(|tile| match seen.binary_search_by_key(&key(tile), |(key, _)| *key) {
            Ok(place) => {
                stays[place] = true;
                stance(seen[place].1)
            }
            Err(_) => Stance { rect: shrunk(tile.rect), opacity: 0, ..stance(tile) },
        });
        let coming = coming.collect();
        let left = seen.iter().zip(&stays).filter(|((_, tile), stays)| !**stays && tile.opacity > 0);
        let mut leaving: Vec<Tile> = left.map(|((_, tile), _)| Tile { speaking: false, ..(*tile).clone() }).collect();
        // More than a room full cannot be looked at: the oldest are let go.
        leaving.drain(..leaving.len().saturating_sub(limits::PARTICIPANTS_MAX));
        self.course = Some(Course { begins: at, coming, leaving });
        self.target = scene;
    }

    /// What is seen at `pts`: a function of it and of the retargets so far.
    pub fn scene_at(&mut self, pts: Pts) -> &Scene {
        let Some(progress) = self.progress(pts) else { return &self.target };
        let course = self.course.as_ref().expect("there is progress on a course only");
        self.between.background.clone_from(&self.target.background);
        self.between.overlays.clone_from(&self.target.overlays);
        self.between.tiles.clear();
        let leaving = course.leaving.iter().map(|tile| {
            let gone = Stance { rect: shrunk(tile.rect), opacity: 0, ..stance(tile) };
            placed(tile, stance(tile).towards(gone, progress))
        });
        let coming = self.target.tiles.iter().zip(&course.coming);
        let coming = coming.map(|(tile, from)| placed(tile, from.towards(stance(tile), progress)));
        // Who leaves lies below who comes.
        self.between.tiles.extend(leaving.chain(coming));
        &self.between
    }

    /// The scene where everything comes to rest.
    #[must_use]
    pub fn target(&self) -> &Arc<Scene> {
        &self.target
    }

    /// How everything comes to the target.
    #[must_use]
    pub fn passage(&self) -> Passage {
        let Some(course) = &self.course else { return Passage::default() };
        let from = course.coming.iter().map(|stance| stance.rect).collect();
        Passage { after: course.begins, span: self.span, from }
    }

    /// Whether nothing moves at `pts` any more.
    #[must_use]
    pub fn rests_at(&self, pts: Pts) -> bool {
        self.progress(pts).is_none()
    }

    /// How far things are on their way, eased: fast at first and gently to a stop, so that a change in mid-motion does
    /// not stop and start again. `None` at rest.
    fn progress(&self, pts: Pts) -> Option<u64> {
        let begins = self.course.as_ref()?.begins;
        let (passed, span) = (pts.since(begins).as_nanos(), self.span.as_nanos());
        if passed >= span {
            return None;
        }
        let linear = u64::try_from(passed * u128::from(ONE) / span).expect("less than one");
        let left = ONE - linear;
        Some(ONE - left * left / ONE * left / ONE)
    }
}

impl Stance {
    fn towards(self, to: Self, progress: u64) -> Self {
        let between = |from: u32, to: u32| {
            let sum = u64::from(from) * (ONE - progress) + u64::from(to) * progress;
            u32::try_from(sum / ONE).expect("between two of 32 bits")
        };
        // Rounded down one by one: even, never beyond the canvas, and tiles of one size stay so.
        let even = |from: u32, to: u32| between(from, to) & !1;
        Self {
            rect: Rect {
                x: even(self.rect.x, to.rect.x),
                y: even(self.rect.y, to.rect.y),
                width: even(self.rect.width, to.rect.width),
                height: even(self.rect.height, to.rect.height),
            },
            z: self.z.max(to.z),
            corner_radius: between(self.corner_radius, to.corner_radius),
            opacity: u8::try_from(between(self.opacity.into(), to.opacity.into())).expect("between two of 8 bits"),
        }
    }
}

/// Which picture a tile is; nobody's is in a scene twice.
type Key = (ParticipantId, bool);

fn key(tile: &Tile) -> Key {
    (tile.participant, tile.picture == TilePicture::Screen)
}

fn stance(tile: &Tile) -> Stance {
    Stance { rect: tile.rect, z: tile.z, corner_radius: tile.corner_radius, opacity: tile.opacity }
}

fn placed(tile: &Tile, stance: Stance) -> Tile {
    let Stance { rect, z, corner_radius, opacity } = stance;
    Tile { rect, z, corner_radius, opacity, ..tile.clone() }
}

/// A little smaller in the same middle, even.
fn shrunk(rect: Rect) -> Rect {
    let less = |extent: u32| (extent / SHRINK) & !3;
    let (width, height) = (less(rect.width), less(rect.height));
    Rect { x: rect.x + width / 2, y: rect.y + height / 2, width: rect.width - width, height: rect.height - height }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::base::media::{Outbox, Size};
    use crate::core::scene::{Input, Layout, LayoutName, Output, SceneCore};

    const SPAN: Duration = Duration::from_millis(400);
    const HD: Size = Size::new(1280, 720);

    struct Stage {
        core: SceneCore,
        motion: Motion,
        now: Instant,
    }

    impl Stage {
        fn new(span: Duration) -> Self {
            let core = SceneCore::new(HD);
            let motion = Motion::new(span, core.scene());
            Self { core, motion, now: Instant::now() }
        }

        fn takes(&mut self, at: Pts, input: Input) {
            let mut out = Outbox::new();
            self.core.handle(self.now, input, &mut out);
            for Output::Scene(scene) in out.drain() {
                self.motion.retarget(at, scene);
            }
        }

        fn joins(&mut self, at: Pts, id: u64) {
            self.takes(at, Input::Joined { participant: ParticipantId(id), name: "Ada".into() });
        }
    }

    fn millis(n: u64) -> Pts {
        Pts(n * 1_000_000)
    }

    #[test]
    fn a_second_face_glides_in_and_the_first_makes_room() {
        let mut stage = Stage::new(SPAN);
        stage.joins(millis(0), 1);
        stage.joins(millis(1000), 2);
        let (start, rest) = (stage.motion.scene_at(millis(1000)).clone(), stage.core.scene());
        assert_eq!(start.tiles[0].rect, Rect { x: 0, y: 0, width: 1280, height: 720 });
        assert_eq!(start.tiles[1].opacity, 0);
        let widths: Vec<u32> =
            (0..=40).map(|n| stage.motion.scene_at(millis(1000 + n * 10)).tiles[0].rect.width).collect();
        assert!(widths.windows(2).all(|pair| pair[0] >= pair[1]), "{widths:?}");
        assert!(widths[10] < (1280 + rest.tiles[0].rect.width) / 2, "most of the way is made early");
        assert_eq!(*stage.motion.scene_at(millis(1400)), *rest);
        assert!(stage.motion.rests_at(millis(1400)) && !stage.motion.rests_at(millis(1399)));
    }

    #[test]
    fn who_leaves_fades_and_who_comes_back_turns_round() {
        let mut stage = Stage::new(SPAN);
        stage.joins(millis(0), 1);
        stage.joins(millis(0), 2);
        stage.takes(millis(1000), Input::Left { participant: ParticipantId(2) });
        let mid = stage.motion.scene_at(millis(1100)).clone();
        assert_eq!(mid.tiles[0].participant, ParticipantId(2), "below the others");
        assert!((1..255).contains(&mid.tiles[0].opacity));
        stage.joins(millis(1100), 2);
        let turned = stage.motion.scene_at(millis(1100)).clone();
        let of = |scene: &Scene, id| scene.tiles.iter().find(|tile| tile.participant == ParticipantId(id)).map(stance);
        assert_eq!(of(&turned, 2), of(&mid, 2));
        assert_eq!(of(&turned, 1), of(&mid, 1));
        assert_eq!(stage.motion.scene_at(millis(1500)).tiles.len(), 2);
    }

    #[test]
    fn a_voice_disturbs_no_motion_and_no_span_means_none() {
        let mut stage = Stage::new(SPAN);
        stage.joins(millis(0), 1);
        stage.takes(millis(300), Input::Speaking { participant: ParticipantId(1), speaking: true });
        assert!(stage.motion.scene_at(millis(350)).tiles[0].speaking);
        assert!(stage.motion.rests_at(millis(400)), "the clock of the join goes on");
        let mut stage = Stage::new(Duration::ZERO);
        stage.joins(millis(0), 1);
        assert_eq!(*stage.motion.scene_at(millis(0)), *stage.core.scene());
        let told = stage.motion.passage();
        stage.takes(millis(90), Input::Speaking { participant: ParticipantId(1), speaking: true });
        assert_eq!((told.span, stage.motion.passage()), (Duration::ZERO, told), "and no new passage");
    }

    /// Where a tile lies by what people are told of it, as `docs/signalling.md` has it.
    fn along(from: Rect, to: Rect, passage: &Passage, at: Pts) -> [f64; 4] {
        let part = (at.since(passage.after).as_secs_f64() / passage.span.as_secs_f64()).min(1.0);
        let progress = 1.0 - (1.0 - part).powi(3);
        let sides = [(from.x, to.x), (from.y, to.y), (from.width, to.width), (from.height, to.height)];
        sides.map(|(from, to)| f64::from(from) + (f64::from(to) - f64::from(from)) * progress)
    }

    fn any_input() -> impl Strategy<Value = Input> {
        let id = (0_u64..12).prop_map(ParticipantId);
        let names =
            [LayoutName::Grid, LayoutName::Speaker, LayoutName::Presentation, LayoutName::Pip, LayoutName::Single];
        prop_oneof![
            4 => id.clone().prop_map(|participant| Input::Joined { participant, name: "Ada".into() }),
            2 => id.clone().prop_map(|participant| Input::Left { participant }),
            1 => id.clone().prop_map(|participant| Input::ScreenFrame { participant }),
            1 => id.prop_map(|participant| Input::ScreenEnded { participant }),
            1 => (0_usize..3).prop_map(Input::Page),
            2 => prop::sample::select(names.to_vec()).prop_map(|name| Input::Layout(Layout::from(name))),
        ]
    }

    proptest! {
        #[test]
        fn motion_is_continuous_even_inside_and_ends_at_the_target(
            steps in prop::collection::vec((any_input(), 0_u64..700), 1..40),
        ) {
            let (mut stage, mut again) = (Stage::new(SPAN), Stage::new(SPAN));
            let mut at = 0;
            for (input, wait) in steps {
                at += wait;
                let before = stage.motion.scene_at(millis(at)).clone();
                stage.takes(millis(at), input.clone());
                again.takes(millis(at), input);
                let after = stage.motion.scene_at(millis(at)).clone();
                for tile in &before.tiles {
                    let then = after.tiles.iter().find(|other| key(other) == key(tile));
                    prop_assert!(then.is_some() || tile.opacity == 0, "nobody vanishes");
                    if let Some(then) = then {
                        prop_assert_eq!((then.rect, then.opacity), (tile.rect, tile.opacity), "nobody jumps");
                    }
                }
                // Asked in another order, or twice, the answer is the same.
                let times = [at + 399, at + 17, at + 200, at + 17];
                let passage = stage.motion.passage();
                for time in times {
                    for (tile, from) in stage.motion.target().tiles.clone().iter().zip(&passage.from) {
                        let seen = stage.motion.scene_at(millis(time)).tiles.iter().find(|at| key(at) == key(tile));
                        let told = along(*from, tile.rect, &passage, millis(time));
                        let seen = seen.expect("who comes is seen all the way").rect;
                        let seen = [seen.x, seen.y, seen.width, seen.height].map(f64::from);
                        let is_near = seen.iter().zip(told).all(|(seen, told)| (told - seen).abs() < 2.5);
                        prop_assert!(is_near, "{seen:?} is seen where {told:?} was told");
                    }
                    let scene = stage.motion.scene_at(millis(time)).clone();
                    prop_assert_eq!(&scene, again.motion.scene_at(millis(time)));
                    for tile in &scene.tiles {
                        let Rect { x, y, width, height } = tile.rect;
                        prop_assert!([x, y, width, height].iter().all(|v| v % 2 == 0) && width >= 2 && height >= 2);
                        prop_assert!(x + width <= HD.width && y + height <= HD.height);
                    }
                }
                prop_assert_eq!(stage.motion.scene_at(millis(at + 400)), &*stage.core.scene());
            }
        }
    }
}
