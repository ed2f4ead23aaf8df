//! The room, its people and the queue of everything that is going to happen.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tessera::base::limits;
use tessera::base::media::{Outbox, ParticipantId, ReceivedFrame, Size, TrackKind};
use tessera::core::jitter::AudioPiece;
use tessera::core::ladder::{KeyframeInput, UplinkInput};
use tessera::core::mix::{Fade, VoiceChoice};
use tessera::core::room::{Role, RoomCore, RoomInput, RoomOutput};
use tessera::core::scene::{self, Scene, SceneCore};

use super::network::Random;
use super::person::{Person, microphone_of};

const CANVAS: Size = Size::new(1280, 720);
const FPS: u32 = 30;

/// What a run came to; equal for equal seeds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub joined: u64,
    pub refused: u64,
    pub frames_released: u64,
    pub frames_late: u64,
    pub frames_discarded: u64,
    pub waited_us: u128,
    pub packets_played: u64,
    pub packets_discarded: u64,
    pub concealed_samples: u64,
    pub keyframes_asked: u64,
    pub speaking_changes: u64,
    pub scenes: u64,
    /// Keyframe requests that a person's cores made and the world has not sent yet; empty at the end.
    pub keyframe_requests_due: Vec<Instant>,
}

#[derive(Debug)]
enum Event {
    Captures(u64),
    Speaks(u64),
    FrameArrives(u64, ReceivedFrame),
    PacketArrives(u64, ReceivedFrame),
    KeyframeRequestArrives(u64),
    VideoDue(u64),
    PacerDue(u64),
    AskDue(u64),
    AudioTick(u64),
    RoomDue,
    Fate,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    start: Instant,
    now: Duration,
    random: Random,
    /// By time, then by order of creation.
    events: BTreeMap<(Duration, u64), Event>,
    created: u64,
    people: BTreeMap<u64, Person>,
    /// The model that the roster must agree with: who, in order of joining.
    here: Vec<u64>,
    next_id: u64,
    room: RoomCore,
    scene: SceneCore,
    choice: VoiceChoice,
    heard: BTreeMap<u64, Fade>,
    pieces: Outbox<AudioPiece>,
    digest: Digest,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            start: Instant::now(),
            now: Duration::ZERO,
            random: Random::new(seed),
            events: BTreeMap::new(),
            created: 0,
            people: BTreeMap::new(),
            here: Vec::new(),
            next_id: 1,
            room: RoomCore::new(),
            scene: SceneCore::new(CANVAS),
            choice: VoiceChoice::default(),
            heard: BTreeMap::new(),
            pieces: Outbox::new(),
            digest: Digest::default(),
        };
        for _ in 0..limits::PARTICIPANTS_MAX {
            world.join();
        }
        world.schedule(Duration::ZERO, Event::AudioTick(0));
        world.schedule(Duration::from_millis(500), Event::Fate);
        world
    }

    pub fn run(&mut self, span: Duration) {
        while let Some(entry) = self.events.first_entry() {
            let at = entry.key().0;
            if at > span {
                return;
            }
            assert!(at >= self.now, "time does not run back");
            self.now = at;
            let event = entry.remove();
            self.happen(event);
        }
    }

    pub fn finish(mut self) -> Digest {
        for person in self.people.values() {
            person.settle(&mut self.digest);
        }
        let stats = self.room.stats();
        assert_eq!(stats.joined, stats.left + stats.participants as u64, "people are conserved");
        self.digest.joined = stats.joined;
        self.digest.refused = stats.refused;
        self.digest
    }

    fn instant(&self) -> Instant {
        self.start + self.now
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        self.created += 1;
        self.events.insert((at.max(self.now), self.created), event);
    }

    fn schedule_instant(&mut self, at: Option<Instant>, event: Event) {
        if let Some(at) = at {
            self.schedule(at.saturating_duration_since(self.start), event);
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.instant();
        match event {
            Event::Captures(id) => self.capture(id),
            Event::Speaks(id) => self.speak(id),
            Event::FrameArrives(id, frame) => {
                self.with(id, |p, digest| p.frame_arrives(now, frame, digest));
                self.show(scene::Input::CameraFrame { participant: ParticipantId(id) });
            }
            Event::PacketArrives(id, packet) => self.with(id, |p, _| p.packet_arrives(now, packet)),
            Event::KeyframeRequestArrives(id) => self.with(id, |p, _| p.camera.keyframe_next = true),
            Event::VideoDue(id) => self.with(id, |p, digest| p.video_due(now, digest)),
            Event::PacerDue(id) => self.with(id, |p, digest| p.pace(now, KeyframeInput::Due, digest)),
            Event::AskDue(id) => self.with(id, |p, _| p.ask(now, UplinkInput::Due)),
            Event::AudioTick(n) => self.audio_tick(n),
            Event::RoomDue => self.tell_room(RoomInput::Due),
            Event::Fate => self.fate(),
        }
    }

    /// Lets something happen to a person who is still here, then heeds their cores' deadlines.
    fn with(&mut self, id: u64, act: impl FnOnce(&mut Person, &mut Digest)) {
        let Some(person) = self.people.get_mut(&id) else { return };
        let before = (person.video_deadline(), person.pacer_deadline(), person.ask_deadline());
        act(person, &mut self.digest);
        let after = (person.video_deadline(), person.pacer_deadline(), person.ask_deadline());
        let back = person.path.back();
        if after.0 != before.0 {
            self.schedule_instant(after.0, Event::VideoDue(id));
        }
        if after.1 != before.1 {
            self.schedule_instant(after.1, Event::PacerDue(id));
        }
        if after.2 != before.2 {
            self.schedule_instant(after.2, Event::AskDue(id));
        }
        for _ in std::mem::take(&mut self.digest.keyframe_requests_due) {
            self.schedule(self.now + back, Event::KeyframeRequestArrives(id));
        }
    }

    fn capture(&mut self, id: u64) {
        let Some(person) = self.people.get_mut(&id) else { return };
        let captured = person.camera.capture(self.now, self.start, &person.path, &mut self.random);
        self.schedule(self.now + frame_interval(id), Event::Captures(id));
        if let Some((arrival, frame)) = captured {
            self.schedule(arrival, Event::FrameArrives(id, frame));
        }
    }

    fn speak(&mut self, id: u64) {
        let Some(person) = self.people.get_mut(&id) else { return };
        let packets = person.microphone.speak(self.now, self.start, &person.path, &mut self.random);
        self.schedule(self.now + packet_interval(id), Event::Speaks(id));
        for (arrival, packet) in packets {
            self.schedule(arrival, Event::PacketArrives(id, packet));
        }
    }

    fn audio_tick(&mut self, n: u64) {
        let now = self.instant();
        for (id, person) in &mut self.people {
            let loudness = person.audio_tick(now, &mut self.pieces, &mut self.digest);
            self.choice.report(microphone_of(*id), loudness);
        }
        self.choose_voices();
        if self.scene.deadline().is_some_and(|at| at <= now) {
            self.show(scene::Input::Tick);
        }
        if self.choice.take_speech_changed() {
            let dominance = self.choice.dominance();
            let (speaking, dominant) = (dominance.speaking().collect(), dominance.dominant());
            self.tell_room(RoomInput::Speech { speaking, dominant });
        }
        self.schedule(limits::AUDIO_TICK * u32::try_from(n + 1).expect("a short run"), Event::AudioTick(n + 1));
    }

    fn choose_voices(&mut self) {
        let chosen = self.choice.choose();
        assert!(chosen.len() <= limits::VOICES_MAX, "as many voices as the mix takes");
        let mut heard = BTreeMap::new();
        for choice in chosen {
            let id = choice.track.participant.0;
            assert!(self.people.contains_key(&id), "only people who are here are heard");
            assert!(heard.insert(id, choice.fade).is_none(), "each once");
            let before = self.heard.get(&id).copied();
            let was_heard = matches!(before, Some(Fade::In | Fade::Hold));
            assert_eq!(was_heard, choice.fade != Fade::In, "a voice fades in first, and out last");
        }
        for (id, fade) in &self.heard {
            let gone = *fade == Fade::Out || !self.people.contains_key(id);
            assert!(gone || heard.contains_key(id), "nobody is cut off without a fade");
        }
        self.heard = heard;
    }

    fn tell_room(&mut self, input: RoomInput) {
        let mut out = Outbox::new();
        let before = self.room.deadline();
        self.room.handle(self.instant(), input, &mut out);
        for output in out.drain() {
            match output {
                RoomOutput::SpeakingChanged => self.speaking_changed(),
                RoomOutput::Ended => assert!(self.here.is_empty(), "a room ends empty"),
                _ => {}
            }
        }
        let members = self.room.members();
        assert!(members.iter().map(|m| m.participant.0).eq(self.here.iter().copied()), "the roster is who is here");
        assert!(self.room.speaking().chain(self.room.dominant()).all(|id| self.here.contains(&id.0)));
        let after = self.room.deadline();
        if after != before {
            self.schedule_instant(after, Event::RoomDue);
        }
    }

    /// Twice a second fate has somebody join, leave, or begin to talk.
    fn fate(&mut self) {
        match self.random.below(4) {
            0 => self.join(),
            1 => self.leave(),
            _ => self.begin_to_talk(),
        }
        if self.random.chance(5_000) {
            self.join();
        }
        self.schedule(self.now + Duration::from_millis(500), Event::Fate);
    }

    fn join(&mut self) {
        let id = self.next_id;
        self.next_id += 1;
        let full = self.here.len() == limits::PARTICIPANTS_MAX;
        if !full {
            self.here.push(id);
            self.people.insert(id, Person::new(&mut self.random));
            self.choice.join(microphone_of(id));
            let phase = Duration::from_micros(self.random.below(33_000));
            self.schedule(self.now + phase, Event::Captures(id));
            self.schedule(self.now + phase / 2, Event::Speaks(id));
            self.show(scene::Input::Joined { participant: ParticipantId(id), name: format!("Person {id}") });
        }
        self.tell_room(RoomInput::Join(ParticipantId(id), format!("Person {id}"), Role::Participant));
        if !full {
            self.tell_room(RoomInput::Track(ParticipantId(id), TrackKind::Camera, true));
            self.tell_room(RoomInput::Track(ParticipantId(id), TrackKind::Microphone, true));
        }
    }

    fn leave(&mut self) {
        if self.here.len() < 60 {
            return;
        }
        let at = usize::try_from(self.random.below(self.here.len() as u64)).expect("an index");
        let id = self.here.remove(at);
        self.people.remove(&id).expect("who is here has cores").settle(&mut self.digest);
        self.choice.leave(microphone_of(id));
        self.show(scene::Input::Left { participant: ParticipantId(id) });
        self.tell_room(RoomInput::Leave(ParticipantId(id)));
    }

    fn begin_to_talk(&mut self) {
        let at = usize::try_from(self.random.below(self.here.len() as u64)).expect("an index");
        let id = self.here[at];
        let until = self.now + Duration::from_millis(500 + self.random.below(8_000));
        self.people.get_mut(&id).expect("who is here has cores").microphone.talks_until = until;
    }

    fn speaking_changed(&mut self) {
        self.digest.speaking_changes += 1;
        let speaking: Vec<_> = self.room.speaking().collect();
        for id in self.here.clone() {
            let participant = ParticipantId(id);
            self.show(scene::Input::Speaking { participant, speaking: speaking.contains(&participant) });
        }
    }

    /// Tells the layout, and asks of each camera what its tile deserves.
    fn show(&mut self, input: scene::Input) {
        let mut out = Outbox::new();
        self.scene.handle(self.instant(), input, &mut out);
        for scene::Output::Scene(scene) in out.drain() {
            self.digest.scenes += 1;
            self.check_scene(&scene);
            let now = self.instant();
            for tile in &scene.tiles {
                let size = Size::new(tile.rect.width, tile.rect.height);
                self.with(tile.participant.0, |person, _| person.tile(now, size, FPS));
            }
        }
    }

    fn check_scene(&self, scene: &Scene) {
        let mut shown: Vec<_> = scene.tiles.iter().map(|tile| tile.participant.0).collect();
        shown.sort_unstable();
        let mut here = self.here.clone();
        here.sort_unstable();
        assert_eq!(shown, here, "each who is here has one tile");
        for (n, tile) in scene.tiles.iter().enumerate() {
            let rect = tile.rect;
            let inside = rect.right() <= CANVAS.width && rect.bottom() <= CANVAS.height;
            assert!(inside && rect.width > 0 && rect.height > 0, "tiles lie on the canvas");
            let mut later = scene.tiles[n + 1..].iter();
            assert!(later.all(|other| !rect.overlaps(&other.rect)), "tiles do not overlap");
        }
    }
}

/// 30 frames a second by the sender's own clock, up to 100 ppm off.
fn frame_interval(id: u64) -> Duration {
    Duration::from_nanos(33_333_333 + 33 * (id % 201) - 3_300)
}

/// 50 packets a second by the same clock.
fn packet_interval(id: u64) -> Duration {
    Duration::from_nanos(20_000_000 + 20 * (id % 201) - 2_000)
}
