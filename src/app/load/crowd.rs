//! **The question:** how do people come who neither look nor listen? Many on one thread, each with a connection that
//! sends what is due ([`Schedule`]) and counts what comes; a round a millisecond at most, which is how exact the timers
//! of the others are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use reqwest::Url;
use tokio::sync::watch;

use super::asked::{Asked, may_ask};
use super::codecs::Codecs;
use super::error::LoadError;
use super::http::Door;
use super::receiver::{PacketCounts, Round};
use super::schedule::{Due, Schedule};
use super::wants::Wants;
use crate::base::limits;
use crate::base::media::{Codec, RoomId, TrackKind};
use crate::core::signal::{FromNode, VideoTrack};
use crate::engine::flow::Waker;
use crate::io::webrtc::{self, Certificate, Guest, GuestError, GuestPacket, GuestSetup, Heard};

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is not there yet.
    Coming,
    Connected,
    /// It was, and nothing is heard of the node for the moment.
    Silent,
    Gone,
}

/// The thread of those who came so, and its door.
pub(super) struct Crowd {
    commands: Sender<Command>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    certificate: Certificate,
}

/// One who came so, as the run knows them.
pub(super) struct Attendee {
    /// Their number among the load's people.
    pub number: usize,
    /// What the node takes their pictures in, of those who send any.
    pub codec: Option<Codec>,
    standing: watch::Receiver<Standing>,
    resource: Url,
}

enum Command {
    /// A connection that was answered.
    Enter(usize, Box<Guest>, watch::Sender<Standing>),
    /// Sends this from now on.
    Begin(Box<Schedule>),
    /// Nobody sends any more.
    Rest,
    /// Everyone says goodbye.
    Close,
}

impl Crowd {
    /// A thread without anybody; what comes is counted in `counts`.
    ///
    /// # Errors
    /// When threads or file descriptors are out.
    pub fn open(counts: Arc<PacketCounts>) -> Result<Self, LoadError> {
        let system = |error: io::Error| LoadError::System(format!("a crowd's thread: {error}"));
        let (commands, mailbox) = bounded(limits::LOAD_COMMANDS_LEN);
        let waker = Waker::new().map_err(system)?;
        let crowd = webrtc::Crowd::new().map_err(system)?;
        let stage = Stage {
            crowd,
            people: People { members: BTreeMap::new(), counts },
            due: BinaryHeap::new(),
            commands: mailbox,
            waker: waker.clone(),
        };
        let thread = thread::Builder::new().name("crowd".to_owned()).spawn(move || stage.run()).map_err(system)?;
        Ok(Self { commands, waker, thread: Some(thread), certificate: Certificate::generate() })
    }

    /// Joins `room` as person `number`, who speaks these `codecs` and wants this of the call, and waits until media
    /// flows.
    ///
    /// # Errors
    /// As [`super::participant::Participant::join`].
    pub async fn join(
        &self,
        door: &Door,
        room: &RoomId,
        number: usize,
        codecs: &Codecs,
        wants: Wants,
    ) -> Result<Attendee, LoadError> {
        let pictures: Vec<Codec> = codecs.iter().filter(|_| wants.pictures.camera).collect();
        let (certificate, is_near) = (&self.certificate, door.is_loopback());
        let setup = GuestSetup { number, pictures: &pictures, certificate, is_near };
        let (mut guest, offer) = Guest::offer(&setup, Instant::now())?;
        let admission = door.join(room, (&format!("Load {number}"), None), wants, offer).await?;
        let resource = admission.resource;
        let settled = match guest.accept(&admission.answer) {
            Ok(()) => self.settle(number, guest).await,
            Err(error) => Err(error.into()),
        };
        match settled {
            Ok((codec, standing)) => Ok(Attendee { number, codec, standing, resource }),
            Err(error) => {
                let _ = door.leave(&resource).await;
                Err(error)
            }
        }
    }

    /// Has the thread take a connection, and waits until it stands.
    async fn settle(
        &self,
        number: usize,
        guest: Guest,
    ) -> Result<(Option<Codec>, watch::Receiver<Standing>), LoadError> {
        let codec = guest.camera();
        let (state, mut standing) = watch::channel(Standing::Coming);
        self.say(Command::Enter(number, Box::new(guest), state));
        let settled = standing.wait_for(|standing| *standing != Standing::Coming);
        match tokio::time::timeout(limits::CONNECT_SPAN, settled).await.map(|settled| settled.map(|state| *state)) {
            Ok(Ok(Standing::Connected)) => Ok((codec, standing)),
            Ok(_) => Err(LoadError::NotConnected("the connection failed".to_owned())),
            Err(_) => Err(LoadError::no_connection(limits::CONNECT_SPAN)),
        }
    }

    /// Has one who joined send this from now on.
    pub fn begin(&self, schedule: Schedule) {
        self.say(Command::Begin(Box::new(schedule)));
    }

    /// Nobody sends any more.
    pub fn rest(&self) {
        self.say(Command::Rest);
    }

    fn say(&self, command: Command) {
        // A thread that is gone needs no word: its people are gone with it.
        let _ = self.commands.send(command);
        self.waker.wake();
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.say(Command::Close);
        // A panic was printed by the thread itself, and its people count as lost.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Attendee {
    /// Whether the connection stands, as far as this side knows.
    pub fn is_connected(&self) -> bool {
        self.standing.has_changed().is_ok() && *self.standing.borrow() == Standing::Connected
    }

    /// Leaves the room: DELETE.
    ///
    /// # Errors
    /// When the node does not take it.
    pub async fn leave(&self, door: &Door) -> Result<(), LoadError> {
        door.leave(&self.resource).await
    }
}

impl From<GuestError> for LoadError {
    fn from(error: GuestError) -> Self {
        match error {
            GuestError::Socket(error) => Self::System(format!("a socket: {error}")),
            GuestError::Answer(_) => Self::Connection(error.to_string()),
        }
    }
}

/// What the thread has.
struct Stage {
    crowd: webrtc::Crowd,
    people: People,
    /// When each who sends is due next.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    commands: Receiver<Command>,
    waker: Waker,
}

/// Who is there.
struct People {
    members: BTreeMap<usize, Member>,
    counts: Arc<PacketCounts>,
}

struct Member {
    standing: watch::Sender<Standing>,
    asked: Asked,
    schedule: Option<Schedule>,
    /// Composite and mix.
    rounds: [Round; 2],
}

impl Stage {
    fn run(mut self) {
        let mut is_open = true;
        while is_open {
            let began = Instant::now();
            is_open = self.obey();
            let Self { crowd, people, .. } = &mut self;
            crowd.receive(began, &mut |number, heard| people.hear(number, heard));
            self.send_due(Instant::now());
            let Self { crowd, people, .. } = &mut self;
            crowd.advance(Instant::now(), &mut |number, heard| people.hear(number, heard));
            // Whatever comes or is due meanwhile is one round's work.
            thread::sleep(limits::TIMER_GRAIN.saturating_sub(began.elapsed()));
            let next = [self.due.peek().map(|Reverse((at, _))| *at), self.crowd.deadline()];
            let next = next.into_iter().flatten().fold(began + limits::IDLE_ROUND, Instant::min);
            self.waker.sleep_until_readable(self.crowd.as_fd(), Some(next));
        }
        self.crowd.close();
    }

    /// Takes what the run said; false at the end.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Enter(number, guest, standing)) => {
                    // One who finds no room is gone, and the other end of `standing` sees it.
                    if self.crowd.enter(number, *guest).is_ok() {
                        self.people.members.insert(number, Member::new(standing));
                    }
                }
                Ok(Command::Begin(schedule)) => {
                    if let Some(member) = self.people.members.get_mut(&schedule.number) {
                        self.due.push(Reverse((schedule.next(), schedule.number)));
                        member.schedule = Some(*schedule);
                    }
                }
                Ok(Command::Rest) => {
                    self.due.clear();
                    self.people.members.values_mut().for_each(|member| member.schedule = None);
                }
                Ok(Command::Close) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    /// Sends all that is due.
    fn send_due(&mut self, now: Instant) {
        while let Some(Reverse((at, number))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            let Some(member) = self.people.members.get_mut(&number) else { continue };
            let (asked, Some(schedule)) = (member.asked, member.schedule.as_mut()) else { continue };
            schedule.ask(asked);
            let due = schedule.take(now);
            self.due.push(Reverse((schedule.next(), number)));
            packets(at, due, |packet| self.crowd.write(number, packet));
        }
    }
}

/// What was due at `at` as packets, in their order.
fn packets(at: Instant, due: Due, mut write: impl FnMut(GuestPacket)) {
    match due {
        Due::Word(word) => write(GuestPacket {
            line: TrackKind::Microphone,
            at,
            time: word.rtp_time,
            marker: word.first,
            level: Some((word.level, word.voiced)),
            payload: Arc::from(&word.payload[..]),
        }),
        Due::Frame(frame) => {
            let line = match frame.track {
                VideoTrack::Camera => TrackKind::Camera,
                VideoTrack::Screen => TrackKind::Screen,
            };
            let payloads = &frame.footage.shot(frame.at).payloads;
            for (n, payload) in payloads.iter().enumerate() {
                let (time, marker, payload) = (frame.rtp_time, n + 1 == payloads.len(), Arc::from(&payload[..]));
                write(GuestPacket { line, at, time, marker, level: None, payload });
            }
        }
        Due::Nothing => {}
    }
}

impl Member {
    fn new(standing: watch::Sender<Standing>) -> Self {
        Self { standing, asked: Asked::default(), schedule: None, rounds: <[Round; 2]>::default() }
    }
}

impl People {
    fn hear(&mut self, number: usize, heard: Heard) {
        let Some(member) = self.members.get_mut(&number) else { return };
        match heard {
            Heard::Packet { is_picture, sequence } => {
                let round = &mut member.rounds[usize::from(is_picture)];
                round.extend(sequence);
                round.count(&self.counts);
            }
            Heard::Connected => _ = member.standing.send_replace(Standing::Connected),
            Heard::Silent => _ = member.standing.send_replace(Standing::Silent),
            Heard::Gone => {
                member.standing.send_replace(Standing::Gone);
                self.members.remove(&number);
            }
            Heard::KeyframeWanted => {
                let wish = member.schedule.as_ref().and_then(|schedule| schedule.wish(VideoTrack::Camera));
                wish.into_iter().for_each(|wish| wish.ask());
            }
            // Of what the node tells, that is a small part, and nobody here looks at the rest.
            Heard::Told(text) if may_ask(&text) => {
                if let Ok(Some(told)) = FromNode::parse(&text) {
                    member.asked.hear(&told);
                }
            }
            Heard::Told(_) => {}
        }
    }
}
