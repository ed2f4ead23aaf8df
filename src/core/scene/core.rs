//! **The question:** what is seen from now on, given all that happened? Keeps people, seats, screen, stage and page,
//! and issues a scene whenever the picture changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::{Bitmap, Outbox, ParticipantId, Size, TrackId, TrackKind};
use crate::core::scene::document::Layout;
use crate::core::scene::floor::Floor;
use crate::core::scene::grid::grid_for;
use crate::core::scene::overlay::{Overlays, drawable, drawable_name};
use crate::core::scene::places::{Cast, Place, Plan, keeps_holes, plan};
use crate::core::scene::seats::Seats;
use crate::core::scene::stage::cut_by_cover;
use crate::core::scene::{Background, Fit, Identity, Rgb, Scene, Tile, TilePicture, colour_of, initials_of};

/// What lies behind and between tiles: nearly black, so that pictures stand out.
const BACKGROUND: Rgb = Rgb::new(0x12, 0x14, 0x18);
/// A camera fills its tile when that cuts off at most this share, in millionths: 16:10 in 16:9, but not 4:3.
const CUT_AWAY_UNSEEN: u64 = 120_000;
/// How long pictures of an ended screen may still come out of jitter buffer and decoder.
const SCREEN_ECHO: Duration = Duration::from_millis(limits::PLAYOUT_DELAY_MAX.as_millis() as u64 * 2);

/// What happens to a scene. Inputs about someone who is not here are ignored: they raced with a leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Someone takes a seat. A second `Joined` of the same id only renames.
    Joined {
        /// Who.
        participant: ParticipantId,
        /// Display name, from which initials and label come.
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
    /// A picture of someone's shared screen was decoded; the first one puts the screen on show. A screen without motion
    /// sends little, so it never counts as stalled.
    ScreenFrame {
        /// Whose.
        participant: ParticipantId,
    },
    /// The screen is not shared any more, or its bitstream broke.
    ScreenEnded {
        /// Whose.
        participant: ParticipantId,
    },
    /// The pictures of a camera or screen have this size from now on.
    Shape {
        /// Of which track.
        track: TrackId,
        /// Their extent.
        size: Size,
    },
    /// Someone begins or stops to speak.
    Speaking {
        /// Who.
        participant: ParticipantId,
        /// Whether they speak.
        speaking: bool,
    },
    /// Someone has the word from now on: after a while they come to the front.
    Dominant {
        /// Who; `None` when nobody has it.
        participant: Option<ParticipantId>,
    },
    /// Someone says that there is nothing in their camera or screen, or that there is again: pictures that were under
    /// way are not shown any more.
    Off {
        /// Which track.
        track: TrackId,
        /// Whether it is off.
        off: bool,
    },
    /// Someone muted or unmuted themselves.
    Muted {
        /// Who.
        participant: ParticipantId,
        /// Whether nothing is heard of them.
        muted: bool,
    },
    /// A picture to show while someone's camera is off.
    Avatar {
        /// Whose.
        participant: ParticipantId,
        /// The picture; `None` goes back to the initials.
        avatar: Option<Bitmap>,
    },
    /// Another layout; the first page shows.
    Layout(Layout),
    /// Another page, counted from 0; beyond the last, the last shows.
    Page(usize),
    /// Whether names are drawn into the tiles.
    Labels(bool),
    /// Another background; `None` goes back to the node's own.
    Background(Option<Background>),
    /// Words along the lower edge; empty ones take them away.
    Banner(String),
    /// A picture in the upper right corner.
    Logo(Option<Bitmap>),
    /// Words in the upper left corner, told anew when they change; empty ones take them away.
    Clock(String),
    /// Whether the mark of a recording shows.
    Recorded(bool),
    /// Time passed; due at [`SceneCore::deadline`].
    Tick,
}

/// What a scene core answers.
#[derive(Debug, Clone)]
pub enum Output {
    /// From now on this is what is seen, once [`crate::core::scene::Motion`] has come to rest.
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
    /// Pages that the layout needs for everyone.
    pub pages: usize,
    /// The page shown, from 0.
    pub page: usize,
}

#[derive(Debug)]
struct Person {
    identity: Identity,
    label: Option<Arc<str>>,
    /// When the newest picture came; `None` shows the placeholder.
    camera: Option<Instant>,
    camera_shape: Option<Size>,
    stalled: bool,
    /// The how-manieth screen of the room it is, while it is shared.
    screen: Option<u64>,
    screen_shape: Option<Size>,
    /// Pictures that come until then were on their way when the screen ended.
    screen_over: Option<Instant>,
    speaking: bool,
    spoke: Option<Instant>,
    muted: bool,
    /// They said that their camera is off.
    camera_off: bool,
    /// They said that they share no screen.
    screen_off: bool,
}

/// The layout policy of one room. Seats are stable: a join takes the first free one, a leave moves one person at most,
/// and who comes to the front changes places with one who is there.
#[derive(Debug)]
pub struct SceneCore {
    canvas: Size,
    layout: Layout,
    page: usize,
    people: BTreeMap<ParticipantId, Person>,
    seats: Seats,
    floor: Floor,
    screens: u64,
    labels: bool,
    background: Background,
    overlays: Overlays,
    shown: Arc<Scene>,
    plan: Plan,
    scenes: u64,
    cameras_stale: u64,
}

impl SceneCore {
    /// An empty room on `canvas`, whose sides are even, laid out as a grid.
    #[must_use]
    pub fn new(canvas: Size) -> Self {
        Self::with_layout(canvas, Layout::default())
    }

    /// An empty room on `canvas`, whose sides are even.
    #[must_use]
    pub fn with_layout(canvas: Size, layout: Layout) -> Self {
        assert!(canvas.width.is_multiple_of(2) && canvas.height.is_multiple_of(2), "the canvas has even sides");
        let background = Background { colour: BACKGROUND, image: None };
        let empty = Scene { canvas, background: background.clone(), tiles: Vec::new(), overlays: Vec::new() };
        Self {
            canvas,
            layout,
            page: 0,
            people: BTreeMap::new(),
            seats: Seats::default(),
            floor: Floor::default(),
            screens: 0,
            labels: false,
            background,
            overlays: Overlays::default(),
            shown: Arc::new(empty),
            plan: Plan { pages: 1, ..Plan::default() },
            scenes: 0,
            cameras_stale: 0,
        }
    }

    /// The scene as it stands; before the first `handle`, an empty one.
    #[must_use]
    pub fn scene(&self) -> Arc<Scene> {
        self.shown.clone()
    }

    /// The layout asked for.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Takes one input; pushes a scene if what is seen, or the number of pages, changed.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox<Output>) {
        if !self.apply(now, input) {
            return;
        }
        let pages = (self.plan.pages, self.plan.page);
        self.plan_anew();
        let tiles: Vec<Tile> = self.plan.places.iter().map(|place| self.tile(place)).collect();
        let overlays = self.overlays.on(self.canvas);
        let scene = Scene { canvas: self.canvas, background: self.background.clone(), tiles, overlays };
        if scene != *self.shown || pages != (self.plan.pages, self.plan.page) {
            self.shown = Arc::new(scene);
            self.scenes += 1;
            out.push(Output::Scene(self.shown.clone()));
        }
    }

    /// When the next camera counts as stalled or stale, or somebody may come to the front; a `Tick` is due then.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let stalls = self.people.values().filter_map(|person| {
            let wait = if person.stalled { limits::SOURCE_STALE_AFTER } else { limits::SOURCE_STALLED_AFTER };
            person.camera.map(|seen| seen + wait)
        });
        stalls.chain(self.comer().map(|(_, at)| at)).min()
    }

    /// Figures since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            seated: self.people.len(),
            cameras: self.people.values().filter(|person| person.camera.is_some()).count(),
            scenes: self.scenes,
            cameras_stale: self.cameras_stale,
            pages: self.plan.pages,
            page: self.plan.page,
        }
    }

    /// Whether what is seen may have changed.
    fn apply(&mut self, now: Instant, input: Input) -> bool {
        match input {
            Input::Joined { participant, name } => self.join(participant, &name),
            Input::Left { participant } => self.leave(participant),
            Input::CameraFrame { participant } => self.change(participant, |person| {
                if person.camera_off {
                    return false;
                }
                let first = person.camera.replace(now).is_none();
                std::mem::take(&mut person.stalled) | first
            }),
            Input::CameraEnded { participant } => self.change(participant, |person| {
                person.stalled = false;
                person.camera.take().is_some()
            }),
            Input::Off { track, off } => self.say_off(now, track, off),
            Input::ScreenFrame { participant } => self.screen_frame(now, participant),
            Input::ScreenEnded { participant } => self.screen_ended(now, participant),
            Input::Shape { track, size } => self.change(track.participant, |person| match track.kind {
                TrackKind::Camera => person.camera_shape.replace(size) != Some(size),
                TrackKind::Screen => person.screen_shape.replace(size) != Some(size),
                TrackKind::Microphone | TrackKind::ScreenSound => false,
            }),
            Input::Speaking { participant, speaking } => self.change(participant, |person| {
                person.spoke = Some(now);
                std::mem::replace(&mut person.speaking, speaking) != speaking
            }),
            Input::Dominant { participant } => {
                self.floor.passes_to(now, participant);
                self.tick(now)
            }
            Input::Muted { participant, muted } => {
                self.change(participant, |person| std::mem::replace(&mut person.muted, muted) != muted)
            }
            Input::Avatar { participant, avatar } => self.change(participant, |person| {
                let changed = person.identity.avatar != avatar;
                person.identity.avatar = avatar;
                changed
            }),
            Input::Layout(layout) => self.choose(layout),
            Input::Page(page) => {
                self.page = page;
                true
            }
            Input::Tick => self.tick(now),
            look => self.look(look),
        }
    }

    /// Inputs that concern no person and no place.
    fn look(&mut self, input: Input) -> bool {
        match input {
            Input::Labels(labels) => self.labels = labels,
            Input::Background(background) => {
                self.background = background.unwrap_or(Background { colour: BACKGROUND, image: None });
            }
            Input::Banner(text) => self.overlays.banner = drawable(&text, limits::OVERLAY_TEXT_LEN_MAX),
            Input::Logo(logo) => self.overlays.logo = logo,
            Input::Clock(text) => self.overlays.clock = drawable(&text, limits::OVERLAY_TEXT_LEN_MAX),
            Input::Recorded(recorded) => self.overlays.recorded = recorded,
            _ => return false,
        }
        true
    }

    fn change(&mut self, participant: ParticipantId, change: impl FnOnce(&mut Person) -> bool) -> bool {
        self.people.get_mut(&participant).is_some_and(change)
    }

    fn join(&mut self, participant: ParticipantId, name: &str) -> bool {
        let label = drawable_name(name);
        let initials: Arc<str> = initials_of(label.as_deref().unwrap_or_default()).into();
        if let Some(person) = self.people.get_mut(&participant) {
            let changed = person.label != label;
            person.identity.initials = initials;
            person.label = label;
            return changed;
        }
        let person = Person {
            identity: Identity { initials, colour: colour_of(participant), avatar: None },
            label,
            camera: None,
            camera_shape: None,
            stalled: false,
            screen: None,
            screen_shape: None,
            screen_over: None,
            speaking: false,
            spoke: None,
            muted: false,
            camera_off: false,
            screen_off: false,
        };
        self.people.insert(participant, person);
        self.seats.take(participant);
        self.settle_seats(None);
        true
    }

    fn leave(&mut self, participant: ParticipantId) -> bool {
        if self.people.remove(&participant).is_none() {
            return false;
        }
        self.floor.forget(participant);
        let led = self.plan.front == [participant];
        let seat = self.seats.free(participant);
        if led
            && seat < self.seats.len()
            && let Some(successor) = self.last_to_speak()
        {
            self.seats.swap(successor, seat);
        }
        self.settle_seats(Some(self.people.len() + 1));
        true
    }

    /// Closes holes where the layout keeps none, and where the grid for the people of `before` had another shape.
    fn settle_seats(&mut self, before: Option<usize>) {
        let count = self.people.len();
        if count == 0 {
            return;
        }
        let holes = keeps_holes(&self.layout, self.newest_screen().is_some(), count);
        let grid = grid_for(self.canvas, count);
        // On odd canvases the grid for one more may have fewer seats (3x3 becomes 4x2).
        let too_few = grid.capacity() < self.seats.len();
        if !holes || too_few || before.is_some_and(|before| grid_for(self.canvas, before) != grid) {
            self.seats.close_holes();
        }
    }

    fn screen_frame(&mut self, now: Instant, participant: ParticipantId) -> bool {
        let number = self.screens;
        let first = self.change(participant, |person| {
            let is_over = person.screen_off || person.screen_over.is_some_and(|until| now < until);
            let first = person.screen.is_none() && !is_over;
            if first {
                person.screen = Some(number);
            }
            first
        });
        if first {
            self.screens += 1;
            self.settle_seats(None);
        }
        first
    }

    fn say_off(&mut self, now: Instant, track: TrackId, off: bool) -> bool {
        match track.kind {
            TrackKind::Camera => self.change(track.participant, |person| {
                person.camera_off = off;
                person.stalled &= !off;
                off && person.camera.take().is_some()
            }),
            TrackKind::Screen => {
                self.change(track.participant, |person| {
                    person.screen_off = off;
                    false
                });
                off && self.screen_ended(now, track.participant)
            }
            TrackKind::Microphone | TrackKind::ScreenSound => false,
        }
    }

    fn screen_ended(&mut self, now: Instant, participant: ParticipantId) -> bool {
        let ended = self.change(participant, |person| {
            let ended = person.screen.take().is_some();
            if ended {
                person.screen_over = Some(now + SCREEN_ECHO);
            }
            ended
        });
        if ended {
            self.settle_seats(None);
        }
        ended
    }

    fn choose(&mut self, layout: Layout) -> bool {
        self.layout = layout;
        self.page = 0;
        self.settle_seats(None);
        // Who has the word is on the new stage at once: everything moves anyway.
        self.plan_anew();
        if let Some((comer, _)) = self.comer() {
            self.bring_to_front(comer);
        }
        true
    }

    fn tick(&mut self, now: Instant) -> bool {
        let mut changed = false;
        for person in self.people.values_mut() {
            let Some(seen) = person.camera else { continue };
            if now >= seen + limits::SOURCE_STALE_AFTER {
                (person.camera, person.stalled) = (None, false);
                self.cameras_stale += 1;
                changed = true;
            } else if !person.stalled && now >= seen + limits::SOURCE_STALLED_AFTER {
                person.stalled = true;
                changed = true;
            }
        }
        if let Some((comer, at)) = self.comer()
            && now >= at
        {
            self.floor.came(now);
            self.bring_to_front(comer);
            changed = true;
        }
        changed
    }

    /// Who has the word but is not at the front, and when they come there.
    fn comer(&self) -> Option<(ParticipantId, Instant)> {
        let (who, at) = self.floor.comer()?;
        let there = self.plan.front.contains(&who) || self.plan.pinned.contains(&who);
        (!there && !self.plan.front.is_empty() && self.people.contains_key(&who)).then_some((who, at))
    }

    /// Changes places with anyone who at the front has been silent for longest; the last of equals goes.
    fn bring_to_front(&mut self, comer: ParticipantId) {
        let silent = |who: &&ParticipantId| {
            let person = &self.people[who];
            (person.speaking, person.spoke)
        };
        // `min_by_key` keeps the first of equals.
        let goes = self.plan.front.iter().rev().min_by_key(silent);
        if let Some(goes) = goes {
            self.seats.swap(comer, self.seats.seat_of(*goes));
        }
    }

    fn last_to_speak(&self) -> Option<ParticipantId> {
        let spoke = |who: &ParticipantId| {
            let person = &self.people[who];
            (person.speaking, person.spoke)
        };
        let free = self.seats.people().filter(|who| !self.plan.pinned.contains(who));
        // `max_by_key` keeps the last of equals: reversed, anyone who sits first.
        free.collect::<Vec<_>>().into_iter().rev().max_by_key(spoke)
    }

    fn newest_screen(&self) -> Option<(ParticipantId, Option<Size>)> {
        let shared = self.people.iter().filter(|(_, person)| person.screen.is_some());
        shared.max_by_key(|(_, person)| person.screen).map(|(who, person)| (*who, person.screen_shape))
    }

    fn plan_anew(&mut self) {
        let cast = Cast { seats: self.seats.all(), screen: self.newest_screen(), page: self.page };
        self.plan = plan(self.canvas, &self.layout, cast);
        self.page = self.plan.page;
    }

    fn tile(&self, place: &Place) -> Tile {
        let person = &self.people[&place.who];
        let shape = if place.screen { person.screen_shape } else { person.camera_shape };
        let picture = match (place.screen, person.camera) {
            (true, _) => TilePicture::Screen,
            (false, Some(_)) => TilePicture::Camera,
            (false, None) => TilePicture::Placeholder,
        };
        let camera = !place.screen;
        Tile {
            participant: place.who,
            rect: place.rect,
            z: place.z,
            picture,
            fit: place.fit.unwrap_or_else(|| whole_face(shape, Size::new(place.rect.width, place.rect.height))),
            corner_radius: place.corner_radius,
            border: place.border,
            opacity: place.opacity,
            identity: person.identity.clone(),
            label: person.label.clone().filter(|_| self.labels && camera),
            speaking: camera && person.speaking,
            muted: camera && person.muted,
            stalled: camera && person.stalled,
        }
    }
}

/// Fills the tile where that cuts off little; else all of the picture is seen.
fn whole_face(shape: Option<Size>, tile: Size) -> Fit {
    match shape {
        Some(shape) if cut_by_cover(shape, tile) <= CUT_AWAY_UNSEEN => Fit::Cover,
        _ => Fit::Contain,
    }
}

#[cfg(test)]
mod tests;
