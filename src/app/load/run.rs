//! **The question:** how does a load go, from the first clip to the report?

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::audience::{Audience, Guests};
use super::camera::Camera;
use super::clip;
use super::codecs::Codecs;
use super::crowd::{Attendee, Crowd};
use super::departures::{Departures, Step, next_lost};
use super::error::LoadError;
use super::http::Door;
use super::library::Library;
use super::link::LinkPlan;
use super::participant::{Participant, Path};
use super::receiver::{Departure, PacketCounts};
use super::reception::ViewersReport;
use super::relay::{Links, Relay};
use super::repair::RepairCounts;
use super::report::{CameraReport, Report, StackReport};
use super::schedule::Schedule;
use super::sender::Sender;
use super::sendlog::SendLog;
use super::stack::Stack;
use super::summary::{self, summarise};
use super::voice::{self, LOOP_PACKETS, Voice};
use super::wants::{Pictures, Wants};
use super::witness::{Phase, Testimony, Witness};
use crate::base::limits;
use crate::base::media::{Codec, RoomId, RungName, Size};
use crate::core::signal::VideoTrack;
use crate::io::telemetry::log::Redacted;

/// What is to be brought to which node.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The node's address, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// The access token that a locked node asks for.
    pub token: Option<Redacted<String>>,
    /// The room to join.
    pub room: RoomId,
    /// Simulated people, up to 100.
    pub participants: usize,
    /// How many more only watch, by WHEP; without people they need a room that runs.
    pub viewers: usize,
    /// How long they stay once everyone is connected.
    pub duration: Duration,
    /// How many decode the composite; `None` is one in ten, 1 to 4.
    pub decoders: Option<usize>,
    /// How many speak.
    pub speakers: usize,
    /// How many share a screen, which shows what their camera does.
    pub screens: usize,
    /// The number that the first one's pictures and voice bear, by which they are known again: loads in one room need
    /// numbers apart.
    pub first: usize,
    /// How many of them, from the first on, do not want to be recorded.
    pub unrecorded: usize,
    /// The rungs that people and viewers ask for, in turn; none: the room's first for all.
    pub rungs: Vec<RungName>,
    /// Whether anyone sends or takes pictures; without, there are only voices and the mix.
    pub video: bool,
    /// Extent of each camera's picture while the node asks for nothing.
    pub size: Size,
    /// Frames a second of each camera while the node asks for nothing, and at most.
    pub fps: u32,
    /// Whether cameras and screens send what the node asks of them.
    pub obeys: bool,
    /// In what they take pictures; they send them in the first.
    pub codecs: Codecs,
    /// Which implementation of WebRTC those have who could do with either.
    pub stack: Stack,
    /// The bad link that people are behind, if they are.
    pub link: Option<LinkPlan>,
    /// How many are, from the last on; `None`: all.
    pub linked: Option<usize>,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for LoadOptions {
    /// Sixteen people for 20 s in room `load` of the node on this machine, three of whom speak.
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8080".into(),
            token: None,
            room: "load".parse().expect("four letters are a room's name"),
            participants: 16,
            viewers: 0,
            duration: Duration::from_secs(20),
            decoders: None,
            speakers: 3,
            screens: 0,
            first: 0,
            unrecorded: 0,
            rungs: Vec::new(),
            video: true,
            size: Size::new(320, 180),
            fps: 30,
            obeys: true,
            codecs: Codecs::default(),
            stack: Stack::default(),
            link: None,
            linked: None,
            seed: 1,
        }
    }
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// So many people have joined, or failed to.
    Connecting(usize),
    /// All have joined, and so many tracks have the clip that is asked of them.
    Preparing(usize),
    /// So many viewers have come, or failed to.
    Gathering(usize),
    /// Measuring for so long.
    Measuring(Duration),
    /// Everyone leaves.
    Leaving,
}

/// Brings simulated people to a node, and tells what they saw and heard. Ends early, with a report, on Ctrl-C; `told`
/// hears how far it is, from any thread.
///
/// # Errors
/// When the address is none, nobody could join or watch, or this machine lacks memory or threads.
pub fn run(options: &LoadOptions, told: &(dyn Fn(Stage) + Sync)) -> Result<Report, LoadError> {
    let begin = Instant::now();
    let door = Door::open(&options.url, options.token.as_ref())?;
    let material = Material::prepare(options)?;
    let system = |error: std::io::Error| LoadError::System(error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(system)?;
    let stop = async {
        // Without a handler for Ctrl-C the process ends at once, which is what was asked.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let report = runtime.block_on(Call::new(options, door, material, begin).hold(stop, told));
    runtime.shutdown_timeout(limits::LOAD_PROGRESS_SPACING);
    report
}

/// What everyone sends.
struct Material {
    library: Arc<Library>,
    voices: Vec<Arc<Voice>>,
    /// Numbers of those who speak.
    speakers: Vec<usize>,
}

impl Material {
    fn prepare(options: &LoadOptions) -> Result<Self, LoadError> {
        let wrong = |error: std::io::Error| LoadError::Clip(error.to_string());
        let speakers: Vec<usize> = (0..options.speakers.min(options.participants)).collect();
        let silence = voice::silence().map_err(wrong)?;
        let spoken = speakers.iter().map(|number| voice::speech(options.first + number)).collect::<Result<Vec<_>, _>>();
        let mut voices = spoken.map_err(wrong)?;
        voices.resize(options.participants, silence);
        Ok(Self { library: Arc::new(Library::open(clip::cache_folder(), options.first)?), voices, speakers })
    }
}

/// One who joined.
enum Person {
    /// By the crate `webrtc`.
    Apart(Box<Participant>),
    /// On the crowd's thread.
    OfCrowd(Attendee),
}

impl Person {
    fn link(&self) -> Option<&Relay> {
        match self {
            Self::Apart(person) => person.link.as_ref(),
            Self::OfCrowd(_) => None,
        }
    }

    fn is_connected(&self) -> bool {
        match self {
            Self::Apart(person) => person.is_connected(),
            Self::OfCrowd(person) => person.is_connected(),
        }
    }

    async fn leave(&self, door: &Door) -> Result<(), LoadError> {
        match self {
            Self::Apart(person) => person.leave(door).await,
            Self::OfCrowd(person) => person.leave(door).await,
        }
    }
}

/// One load under way.
struct Call<'a> {
    options: &'a LoadOptions,
    /// When the load began.
    start: Instant,
    door: Door,
    material: Material,
    log: Arc<SendLog>,
    phase: Arc<Phase>,
    counts: Arc<PacketCounts>,
    repairs: Arc<RepairCounts>,
    links: Option<Links>,
    stop_senders: watch::Sender<bool>,
    tasks: JoinSet<()>,
    people: Vec<Person>,
    /// The thread of those who have no stack to themselves, once there is one.
    crowd: Option<Arc<Crowd>>,
    audience: Option<Audience>,
    witnesses: Vec<Witness>,
    /// Who was told that the room goes on elsewhere.
    departures: Departures,
    errors: Vec<LoadError>,
}

impl<'a> Call<'a> {
    fn new(options: &'a LoadOptions, door: Door, material: Material, start: Instant) -> Self {
        let log = SendLog::new(Instant::now(), options.participants, LOOP_PACKETS).numbered_from(options.first);
        Self {
            options,
            start,
            door,
            material,
            log: Arc::new(log),
            phase: Arc::new(Phase::default()),
            counts: Arc::new(PacketCounts::default()),
            repairs: Arc::new(RepairCounts::default()),
            links: options.link.clone().map(|plan| Links {
                plan: Arc::new(plan),
                begun: Arc::default(),
                seed: options.seed,
            }),
            stop_senders: watch::Sender::new(false),
            tasks: JoinSet::new(),
            people: Vec::new(),
            crowd: None,
            audience: None,
            witnesses: Vec::new(),
            departures: Departures::default(),
            errors: Vec::new(),
        }
    }

    async fn hold(
        mut self,
        stop: impl Future<Output = ()>,
        told: &(dyn Fn(Stage) + Sync),
    ) -> Result<Report, LoadError> {
        tokio::pin!(stop);
        let is_stopped = tokio::select! {
            () = &mut stop => true,
            ready = self.make_ready(told) => ready.map(|()| false)?,
        };
        if self.people.is_empty() && self.audience.as_ref().is_none_or(Audience::is_empty) {
            let none = LoadError::NotConnected("it was stopped before anyone had joined".to_owned());
            return Err(self.errors.into_iter().next().unwrap_or(none));
        }
        let begin = Instant::now();
        self.phase.begin();
        self.log.forget_asked();
        self.audience.iter().for_each(Audience::begin);
        if let Some(links) = &self.links {
            let _ = links.begun.set(begin);
        }
        let mut ticks = tokio::time::interval(limits::LOAD_PROGRESS_SPACING);
        while !is_stopped && begin.elapsed() < self.options.duration {
            tokio::select! {
                () = &mut stop => break,
                _ = ticks.tick() => told(Stage::Measuring(begin.elapsed())),
                Some(step) = self.departures.next() => self.follow(step),
                Some(at) = next_lost(&mut self.audience) => self.seek(at),
            }
        }
        let measured = begin.elapsed();
        let viewers = match &self.audience {
            Some(audience) => Some(ViewersReport::of(self.options.viewers, &audience.end().await, measured)),
            None => None,
        };
        let (testimonies, packets) = (self.take_testimonies().await, self.counts.report());
        let (repairs, links) = (self.repairs.report(), self.people.iter().filter_map(Person::link));
        let links = summary::links(links.map(|link| link.counts()));
        let camera = |(Size { width, height }, fps, count)| CameraReport { count, width, height, fps };
        let cameras = self.log.cameras().into_iter().map(camera).collect();
        let asked: Vec<u64> = (0..self.log.people()).map(|number| self.log.asked(number, VideoTrack::Camera)).collect();
        told(Stage::Leaving);
        let connected = self.people.len();
        let own = self.people.iter().filter(|one| matches!(one, Person::OfCrowd(_))).count();
        self.leave_all().await;
        let mut report = summarise(&testimonies, &self.material.speakers, measured);
        report.participants.asked = self.options.participants;
        report.participants.connected = connected;
        report.stacks = StackReport { webrtc: connected - own, own };
        report.faces.iter_mut().for_each(|face| face.keyframes_asked = asked[face.number]);
        (report.packets, report.repairs, report.links) = (packets, repairs, links);
        (report.cameras, report.viewers) = (cameras, viewers);
        report.joined_s = (begin - self.start).as_secs_f64();
        report.moves = self.departures.report();
        let discarded = self.counts.discarded();
        if discarded > 0 {
            report.errors.push(format!("{discarded} frames came faster than this load could decode them"));
        }
        report.errors.extend(self.errors.iter().map(ToString::to_string));
        report.errors.dedup();
        Ok(report)
    }

    /// Everyone comes: those who take part, and once they send what they are to send, those who only watch.
    async fn make_ready(&mut self, told: &(dyn Fn(Stage) + Sync)) -> Result<(), LoadError> {
        self.join_all(told).await?;
        if self.people.is_empty() && self.options.participants > 0 {
            return Ok(());
        }
        self.prepare_clips(told).await?;
        if self.options.viewers == 0 {
            return Ok(());
        }
        let LoadOptions { room, codecs, rungs, viewers, .. } = self.options;
        let guests = Guests { door: &self.door, room, codecs, rungs, count: *viewers };
        let audience = self.audience.insert(Audience::open()?);
        let errors = audience.gather(&guests, |done| told(Stage::Gathering(done))).await;
        self.errors.extend(errors);
        Ok(())
    }

    /// Waits until each camera has the clip that is asked of it: making them takes time from the node, once a machine.
    async fn prepare_clips(&self, told: &(dyn Fn(Stage) + Sync)) -> Result<(), LoadError> {
        let mut ticks = tokio::time::interval(limits::LOAD_PHASE_SPACING);
        let begin = Instant::now();
        while begin.elapsed() < limits::LOAD_CLIPS_SPAN {
            let waiting = self.material.library.waiting()?;
            let cameras = if self.options.video { self.people.len() } else { 0 };
            let sending: usize = self.log.cameras().into_iter().map(|(_, _, count)| count).sum();
            // Who joined last may not have asked for a clip yet; who sends nothing for long never will.
            if waiting == 0 && (sending >= cameras || begin.elapsed() >= limits::LOAD_ASKED_SPAN * 5) {
                return Ok(());
            }
            told(Stage::Preparing(self.options.participants.saturating_sub(waiting)));
            ticks.tick().await;
        }
        Ok(())
    }

    /// Everyone joins, a few at a time; who has joined begins to send.
    async fn join_all(&mut self, told: &(dyn Fn(Stage) + Sync)) -> Result<(), LoadError> {
        let permits = Arc::new(Semaphore::new(limits::LOAD_JOINS_AT_ONCE));
        let mut joins = JoinSet::new();
        for number in 0..self.options.participants {
            let wants = self.wants(number);
            let (door, room, permits) = (self.door.clone(), self.options.room.clone(), Arc::clone(&permits));
            let codecs = self.options.codecs.clone();
            let path = self.path(number);
            let crowd = self.crowd_for(number, path.links.is_some() || wants.pictures.screen)?;
            joins.spawn(async move {
                let _permit = permits.acquire().await;
                if let Some(crowd) = crowd {
                    return crowd.join(&door, &room, number, &codecs, wants).await.map(Person::OfCrowd);
                }
                let joined = Participant::join(&door, &room, number, &codecs, (wants, &path), None).await;
                joined.map(|person| Person::Apart(Box::new(person)))
            });
        }
        let mut random = rand::rngs::StdRng::seed_from_u64(self.options.seed);
        let mut done = 0;
        while let Some(joined) = joins.join_next().await {
            done += 1;
            told(Stage::Connecting(done));
            match joined {
                Ok(Ok(person)) => self.admit(person, random.random_range(0.0..1.0))?,
                Ok(Err(error)) => self.errors.push(error),
                Err(panic) => self.errors.push(LoadError::System(panic.to_string())),
            }
        }
        Ok(())
    }

    fn wants(&self, number: usize) -> Wants {
        let LoadOptions { video, screens, unrecorded, rungs, .. } = self.options;
        let pictures = Pictures { camera: *video, screen: *video && number < *screens };
        let rung = (!rungs.is_empty()).then(|| rungs[number % rungs.len()]);
        Wants { pictures, unrecorded: number < *unrecorded, rung }
    }

    fn path(&self, number: usize) -> Path {
        let linked = self.options.linked.unwrap_or(self.options.participants);
        let links = self.links.clone().filter(|_| number + linked >= self.options.participants);
        Path { links, repairs: Arc::clone(&self.repairs) }
    }

    /// Somebody is told that their room goes on elsewhere: they come there to the seat that they have.
    fn depart(&mut self, departure: &Departure) {
        let number = departure.number;
        let person = self.people.iter().find_map(|person| match person {
            Person::Apart(person) if person.number == number => Some(person),
            _ => None,
        });
        let Some(seat) = person.and_then(|person| person.seat()) else { return };
        let door = match self.door.beside(&departure.url, departure.pass.as_deref()) {
            Ok(door) => door,
            Err(error) => return self.errors.push(error),
        };
        let (room, codecs) = (self.options.room.clone(), self.options.codecs.clone());
        let (wants, path) = (self.wants(number), self.path(number));
        self.departures.follow(number, async move {
            Participant::join(&door, &room, number, &codecs, (wants, &path), Some(&seat)).await
        });
    }

    /// Somebody is told that their room goes on elsewhere, stands there, or sees it: then they leave the former node.
    fn follow(&mut self, step: Step) {
        match step {
            Step::Told(departure) => self.depart(&departure),
            Step::Stands(number, Err(error)) => {
                self.departures.give_up(number);
                self.errors.push(error);
            }
            Step::Stands(number, Ok(mut person)) => {
                let Some(line) = self.departures.begin(&mut person, &self.counts) else { return };
                self.departures.see(number, person, line);
            }
            Step::Sees(number, person) => {
                let seat = self.people.iter_mut().find(|one| matches!(one, Person::Apart(one) if one.number == number));
                let Some(seat) = seat else { return };
                let Person::Apart(former) = std::mem::replace(seat, Person::Apart(person)) else { return };
                self.departures.leave(number);
                let door = self.door.clone();
                self.tasks.spawn(async move {
                    // A node that is gone by now needs no goodbye.
                    let _ = former.leave(&door).await;
                });
            }
        }
    }

    /// One who only watched was sent off, and asks again where they asked at first.
    fn seek(&mut self, at: usize) {
        let LoadOptions { room, codecs, rungs, .. } = self.options;
        let (door, room, codecs) = (self.door.clone(), room.clone(), codecs.clone());
        let rung = (!rungs.is_empty()).then(|| rungs[at % rungs.len()]);
        if let Some(audience) = &mut self.audience {
            audience.seek(at, (door, room, codecs, rung));
        }
    }

    /// The crowd that person `number` is of; `None`: they come by the crate `webrtc`, as whoever `needs` it does.
    fn crowd_for(&mut self, number: usize, needs: bool) -> Result<Option<Arc<Crowd>>, LoadError> {
        let is_apart = needs || self.looks(number) || self.listens(number);
        if is_apart || !self.options.stack.is_crowd(self.options.participants) {
            return Ok(None);
        }
        if self.crowd.is_none() {
            self.crowd = Some(Arc::new(Crowd::open(Arc::clone(&self.counts))?));
        }
        Ok(self.crowd.clone())
    }

    /// `person` has joined: they send from now on, begun `part` of a frame later, and anyone who looks or listens does.
    fn admit(&mut self, mut person: Person, part: f64) -> Result<(), LoadError> {
        let start = Instant::now() + (Duration::from_secs(1) / self.options.fps).mul_f64(part);
        match &mut person {
            Person::Apart(person) => self.admit_apart(person, start)?,
            Person::OfCrowd(person) => {
                // Without a camera that is taken nothing is shown.
                let tracks = person.codec.map(|_| VideoTrack::Camera);
                let schedule = self.schedule((person.number, start), tracks.as_slice(), person.codec);
                if let Some(crowd) = &self.crowd {
                    crowd.begin(schedule);
                }
            }
        }
        self.people.push(person);
        Ok(())
    }

    fn admit_apart(&mut self, person: &mut Participant, start: Instant) -> Result<(), LoadError> {
        let number = person.number;
        let looks = self.looks(number);
        let witness = (looks || self.listens(number))
            .then(|| {
                let (log, phase) = (Arc::clone(&self.log), Arc::clone(&self.phase));
                Witness::open(number, looks, &self.material.speakers, log, phase)
            })
            .transpose()?;
        let senses = witness.as_ref().map(|witness| witness.senses.clone());
        let shown = witness.as_ref().map_or_else(|| watch::Sender::new(0), |witness| witness.shown.clone());
        self.witnesses.extend(witness);
        let pictures: Vec<VideoTrack> = person.tracks_of_pictures().map(|(track, _)| track).collect();
        let schedule = self.schedule((number, start), &pictures, person.codec);
        let turns = self.departures.admit(number, senses, shown);
        let Some(line) = self.departures.begin(person, &self.counts) else { return Ok(()) };
        self.tasks.spawn(Sender::new(line, schedule, turns).run(self.stop_senders.subscribe()));
        Ok(())
    }

    /// What person `number` sends from `start` on, pictures by these tracks in `codec`.
    fn schedule(&self, (number, start): (usize, Instant), tracks: &[VideoTrack], codec: Option<Codec>) -> Schedule {
        let LoadOptions { size, fps, obeys, .. } = *self.options;
        let camera = Camera { codec: codec.unwrap_or(Codec::Av1), size, fps, obeys };
        let (library, voice) = (Arc::clone(&self.material.library), Arc::clone(&self.material.voices[number]));
        Schedule::new((number, start), tracks, camera, library, voice, Arc::clone(&self.log))
    }

    /// Whether person `number` decodes the composite.
    fn looks(&self, number: usize) -> bool {
        number >= self.options.participants - self.decoders()
    }

    /// Whether they are one of the speakers whose mix is decoded.
    fn listens(&self, number: usize) -> bool {
        self.material.speakers.iter().take(limits::LOAD_LISTENERS_MAX).any(|speaker| *speaker == number)
    }

    fn decoders(&self) -> usize {
        if !self.options.video {
            return 0;
        }
        let one_in_ten = (self.options.participants / 10).clamp(1, limits::LOAD_DECODERS_MAX);
        self.options.decoders.unwrap_or(one_in_ten).min(self.options.participants)
    }

    /// The measured span is over: the witnesses tell while everyone still sends.
    async fn take_testimonies(&mut self) -> Vec<Testimony> {
        self.phase.end();
        let witnesses = std::mem::take(&mut self.witnesses);
        let closing = move || witnesses.into_iter().filter_map(Witness::close).collect();
        tokio::task::spawn_blocking(closing).await.unwrap_or_default()
    }

    async fn leave_all(&mut self) {
        // With its last person the room would end, and turn them away.
        if let Some(audience) = self.audience.take() {
            self.errors.extend(audience.leave(&self.door).await);
        }
        self.stop_senders.send_replace(true);
        self.crowd.iter().for_each(|crowd| crowd.rest());
        let mut leaving = JoinSet::new();
        for person in self.people.drain(..) {
            if !person.is_connected() {
                self.errors.push(LoadError::Lost);
            }
            let door = self.door.clone();
            leaving.spawn(async move { person.leave(&door).await });
        }
        while let Some(left) = leaving.join_next().await {
            if let Ok(Err(error)) = left {
                self.errors.push(error);
            }
        }
        self.tasks.abort_all();
    }
}
