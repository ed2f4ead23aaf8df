//! **The question:** who sits on which seat, and does the seat show a camera?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::limits;
use crate::media::{Outbox, ParticipantId, Size};
use crate::scene::{Background, Fit, Identity, Rgb, Scene, Tile, TilePicture, colour_of, grid_for, initials_of};

/// What lies behind and between tiles: nearly black, so that pictures stand out.
const BACKGROUND: Rgb = Rgb::new(0x12, 0x14, 0x18);

/// What happens to a scene. Inputs about someone who is not here are ignored: they raced with a leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Someone takes a seat. A second `Joined` of the same id only renames.
    Joined {
        /// Who.
        participant: ParticipantId,
        /// Display name, from which the initials come.
        name: String,
    },
    /// Someone's seat becomes free.
    Left {
        /// Who.
        participant: ParticipantId,
    },
    /// A picture of someone's camera was decoded; the first one brings the camera up.
    CameraFrame {
        /// Whose.
        participant: ParticipantId,
    },
    /// The camera was switched off, or its bitstream broke: the placeholder shows until the next `CameraFrame`.
    CameraEnded {
        /// Whose.
        participant: ParticipantId,
    },
    /// Someone begins or stops to speak.
    Speaking {
        /// Who.
        participant: ParticipantId,
        /// Whether they speak.
        speaking: bool,
    },
    /// Time passed; due at [`SceneCore::deadline`].
    Tick,
}

/// What a scene core answers.
#[derive(Debug, Clone)]
pub enum Output {
    /// From now on this is what is seen.
    Scene(Arc<Scene>),
}

/// Figures for the metrics page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// People with a seat.
    pub seated: usize,
    /// Of these, how many show their camera.
    pub cameras: usize,
    /// Scenes issued since the start.
    pub scenes: u64,
    /// Cameras that turned to placeholders because nothing new came.
    pub cameras_stale: u64,
}

#[derive(Debug)]
struct Person {
    identity: Identity,
    /// When the newest picture came; `None` shows the placeholder.
    camera: Option<Instant>,
    speaking: bool,
}

/// The layout policy of one room: a grid with stable seats. A join takes the first free seat; a leave frees one, and only
/// when the grid itself shrinks do those beyond its end move into the holes.
#[derive(Debug)]
pub struct SceneCore {
    canvas: Size,
    people: BTreeMap<ParticipantId, Person>,
    seats: Vec<Option<ParticipantId>>,
    scenes: u64,
    cameras_stale: u64,
}

impl SceneCore {
    /// An empty room on `canvas`, whose sides are even.
    #[must_use]
    pub fn new(canvas: Size) -> Self {
        assert!(canvas.width.is_multiple_of(2) && canvas.height.is_multiple_of(2), "the canvas has even sides");
        Self { canvas, people: BTreeMap::new(), seats: Vec::new(), scenes: 0, cameras_stale: 0 }
    }

    /// The scene as it stands; before the first `handle`, an empty one.
    #[must_use]
    pub fn scene(&self) -> Arc<Scene> {
        let tiles = self.tiles();
        let background = Background { colour: BACKGROUND, image: None };
        Arc::new(Scene { canvas: self.canvas, background, tiles, overlays: Vec::new() })
    }

    /// Takes one input; pushes a scene if what is seen changed.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox<Output>) {
        if self.apply(now, input) {
            self.scenes += 1;
            out.push(Output::Scene(self.scene()));
        }
    }

    /// When the next camera goes stale; a `Tick` is due then.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let oldest = self.people.values().filter_map(|person| person.camera).min()?;
        Some(oldest + limits::SOURCE_STALE_AFTER)
    }

    /// Figures since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            seated: self.people.len(),
            cameras: self.people.values().filter(|person| person.camera.is_some()).count(),
            scenes: self.scenes,
            cameras_stale: self.cameras_stale,
        }
    }

    /// Whether what is seen changed.
    fn apply(&mut self, now: Instant, input: Input) -> bool {
        match input {
            Input::Joined { participant, name } => self.join(participant, &name),
            Input::Left { participant } => self.leave(participant),
            Input::CameraFrame { participant } => {
                self.people.get_mut(&participant).is_some_and(|person| person.camera.replace(now).is_none())
            }
            Input::CameraEnded { participant } => {
                self.people.get_mut(&participant).is_some_and(|person| person.camera.take().is_some())
            }
            Input::Speaking { participant, speaking } => self
                .people
                .get_mut(&participant)
                .is_some_and(|person| std::mem::replace(&mut person.speaking, speaking) != speaking),
            Input::Tick => self.expire(now),
        }
    }

    fn join(&mut self, participant: ParticipantId, name: &str) -> bool {
        let identity = Identity { initials: initials_of(name).into(), colour: colour_of(participant), avatar: None };
        if let Some(person) = self.people.get_mut(&participant) {
            let changed = person.identity != identity;
            person.identity = identity;
            return changed;
        }
        self.people.insert(participant, Person { identity, camera: None, speaking: false });
        match self.seats.iter_mut().find(|seat| seat.is_none()) {
            Some(seat) => *seat = Some(participant),
            None => self.seats.push(Some(participant)),
        }
        // On odd canvases the grid for one more may have fewer seats (3x3 becomes 4x2).
        if grid_for(self.canvas, self.people.len()).capacity() < self.seats.len() {
            self.close_holes();
        }
        true
    }

    fn leave(&mut self, participant: ParticipantId) -> bool {
        if self.people.remove(&participant).is_none() {
            return false;
        }
        let before = grid_for(self.canvas, self.people.len() + 1);
        let seat = self.seats.iter_mut().find(|seat| **seat == Some(participant)).expect("each person has a seat");
        *seat = None;
        if !self.people.is_empty() && grid_for(self.canvas, self.people.len()) != before {
            self.close_holes();
        }
        while self.seats.last() == Some(&None) {
            self.seats.pop();
        }
        true
    }

    /// Those beyond the end of the smaller grid move into the holes, last first into the first hole; nobody else moves.
    fn close_holes(&mut self) {
        let count = self.people.len();
        let mut hole = 0;
        while self.seats.len() > count {
            if let Some(mover) = self.seats.pop().expect("longer than count, so not empty") {
                while self.seats[hole].is_some() {
                    hole += 1;
                }
                self.seats[hole] = Some(mover);
            }
        }
    }

    fn expire(&mut self, now: Instant) -> bool {
        let mut changed = false;
        for person in self.people.values_mut() {
            let due = person.camera.is_some_and(|seen| now >= seen + limits::SOURCE_STALE_AFTER);
            if due {
                person.camera = None;
                self.cameras_stale += 1;
                changed = true;
            }
        }
        changed
    }

    fn tiles(&self) -> Vec<Tile> {
        if self.people.is_empty() {
            return Vec::new();
        }
        let grid = grid_for(self.canvas, self.people.len());
        let seats = self.seats.len();
        debug_assert!(seats <= grid.capacity(), "holes are closed when the grid shrinks");
        let place = |(index, seat): (usize, &Option<ParticipantId>)| {
            let participant = (*seat)?;
            let person = &self.people[&participant];
            Some(Tile {
                participant,
                rect: grid.rect(index, seats),
                z: 0,
                picture: if person.camera.is_some() { TilePicture::Camera } else { TilePicture::Placeholder },
                fit: Fit::Contain,
                corner_radius: 0,
                border: None,
                opacity: 255,
                identity: person.identity.clone(),
                label: None,
                speaking: person.speaking,
                muted: false,
                stalled: false,
            })
        };
        self.seats.iter().enumerate().filter_map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const HD: Size = Size::new(1280, 720);

    fn run(core: &mut SceneCore, now: Instant, input: Input) -> Option<Arc<Scene>> {
        let mut out = Outbox::new();
        core.handle(now, input, &mut out);
        let mut scenes = out.drain();
        let Output::Scene(scene) = scenes.next()?;
        assert!(scenes.next().is_none(), "one input, at most one scene");
        Some(scene)
    }

    fn join(id: u64) -> Input {
        Input::Joined { participant: ParticipantId(id), name: format!("Person {id}") }
    }

    fn seat_ids(core: &SceneCore) -> Vec<Option<u64>> {
        core.seats.iter().map(|seat| seat.map(|id| id.0)).collect()
    }

    #[test]
    fn a_leave_moves_only_the_last_when_the_grid_shrinks() {
        let now = Instant::now();
        let mut core = SceneCore::new(HD);
        for id in 1..=5 {
            run(&mut core, now, join(id)).expect("a join is seen");
        }
        run(&mut core, now, Input::Left { participant: ParticipantId(2) }).expect("a leave is seen");
        assert_eq!(seat_ids(&core), [Some(1), Some(5), Some(3), Some(4)], "3x2 became 2x2: the last fills the hole");
        run(&mut core, now, join(6)).unwrap();
        run(&mut core, now, join(7)).unwrap();
        run(&mut core, now, Input::Left { participant: ParticipantId(1) }).unwrap();
        assert_eq!(seat_ids(&core), [None, Some(5), Some(3), Some(4), Some(6), Some(7)], "still 3x2: nobody moves");
        run(&mut core, now, join(8)).unwrap();
        assert_eq!(seat_ids(&core)[0], Some(8), "the first free seat is taken");
    }

    #[test]
    fn a_camera_comes_up_goes_stale_and_comes_back() {
        let start = Instant::now();
        let camera = Input::CameraFrame { participant: ParticipantId(1) };
        let mut core = SceneCore::new(HD);
        let scene = run(&mut core, start, join(1)).unwrap();
        assert_eq!(scene.tiles[0].picture, TilePicture::Placeholder);
        assert_eq!(&*scene.tiles[0].identity.initials, "P1");
        assert_eq!(core.deadline(), None);
        let scene = run(&mut core, start, camera.clone()).expect("the first frame is seen");
        assert_eq!(scene.tiles[0].picture, TilePicture::Camera);
        let later = start + Duration::from_secs(1);
        assert!(run(&mut core, later, camera.clone()).is_none(), "later frames change no scene");
        assert_eq!(core.deadline(), Some(later + limits::SOURCE_STALE_AFTER));
        assert!(run(&mut core, start + limits::SOURCE_STALE_AFTER, Input::Tick).is_none());
        let scene = run(&mut core, later + limits::SOURCE_STALE_AFTER, Input::Tick).expect("now it is stale");
        assert_eq!(scene.tiles[0].picture, TilePicture::Placeholder);
        assert_eq!(core.stats().cameras_stale, 1);
        assert!(run(&mut core, later + Duration::from_secs(9), camera).is_some(), "and back");
        let ended = Input::CameraEnded { participant: ParticipantId(1) };
        assert!(run(&mut core, later, ended.clone()).is_some());
        assert!(run(&mut core, later, ended).is_none());
    }

    #[test]
    fn strangers_and_repetitions_change_nothing() {
        let now = Instant::now();
        let mut core = SceneCore::new(HD);
        let stranger = ParticipantId(9);
        assert!(run(&mut core, now, Input::Left { participant: stranger }).is_none());
        assert!(run(&mut core, now, Input::CameraFrame { participant: stranger }).is_none());
        run(&mut core, now, join(1)).unwrap();
        assert!(run(&mut core, now, join(1)).is_none());
        let speaks = Input::Speaking { participant: ParticipantId(1), speaking: true };
        assert!(run(&mut core, now, speaks.clone()).unwrap().tiles[0].speaking);
        assert!(run(&mut core, now, speaks).is_none());
        assert!(run(&mut core, now, Input::Left { participant: ParticipantId(1) }).unwrap().tiles.is_empty());
    }

    proptest! {
        #[test]
        fn seats_are_stable(
            steps in prop::collection::vec((0_u64..40, any::<bool>()), 1..200),
            canvas in prop::sample::select(vec![HD, Size::new(720, 1280), Size::new(1280, 600), Size::new(640, 640)]),
        ) {
            let now = Instant::now();
            let mut core = SceneCore::new(canvas);
            for (id, joins) in steps {
                let before = seat_ids(&core);
                let input = if joins { join(id) } else { Input::Left { participant: ParticipantId(id) } };
                let _ = run(&mut core, now, input);
                let after = seat_ids(&core);
                let people = core.people.len();
                let moved = (0..before.len())
                    .filter(|&seat| before[seat].is_some_and(|who| who != id && after.get(seat) != Some(&Some(who))))
                    .count();
                if joins {
                    let fits = people == 0 || grid_for(canvas, people).capacity() >= before.len();
                    prop_assert!(moved == 0 || !fits, "a join moves nobody who still has a seat");
                } else {
                    let beyond = before.iter().skip(people).filter(|seat| seat.is_some_and(|who| who != id)).count();
                    prop_assert!(moved <= beyond, "only those beyond the new end move");
                }
                prop_assert_eq!(after.iter().flatten().count(), people);
                let scene = core.scene();
                prop_assert_eq!(scene.tiles.len(), people);
                for (index, tile) in scene.tiles.iter().enumerate() {
                    prop_assert!(tile.rect.right() <= canvas.width && tile.rect.bottom() <= canvas.height);
                    prop_assert!(scene.tiles[..index].iter().all(|other| !other.rect.overlaps(&tile.rect)));
                }
            }
        }
    }
}
