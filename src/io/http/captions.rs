//! **The question:** how does a program hear each voice of a room and say what was said? A WebSocket (RFC 6455): sound
//! goes out, text comes in. A captioner that reads too slowly loses sound, and nobody waits for it.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::base::limits;
use crate::base::media::{ParticipantId, Pts, RoomId, Speech, SpeechBlock, TrackId, pts_from_instant};
use crate::core::access::Caller;
use crate::core::record::utc_ms_text;
use crate::core::room::{Bucket, CaptionerId};
use crate::core::signal::{
    CaptionBounds, CaptionFault, FromCaptioner, SPEECH_HEAD_BYTES, ToCaptioner, ms, speech_head,
};
use crate::engine::flow::Heard;
use crate::io::api::{CaptionCounters, CaptionerSeat, Command, ControlHandle, Refusal};
use crate::io::http::extract::RoomPath;
use crate::io::http::gate::InHand;
use crate::io::http::problem::Problem;
use crate::io::http::state::ServerState;

/// Tries to tell a busy node that a captioner is gone.
const FAREWELLS: u32 = 30;

pub(super) fn routes() -> Router<ServerState> {
    Router::new().route("/v1/rooms/{room}/captions", get(listen))
}

/// 101, and then as `docs/captions.md` has it.
async fn listen(
    State(control): State<ControlHandle>,
    State(counters): State<CaptionCounters>,
    (Extension(caller), Extension(in_hand)): (Extension<Caller>, Extension<Arc<InHand>>),
    RoomPath(room): RoomPath,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| Problem::no_socket())?;
    let of = room.clone();
    let seat = control.request(caller.clone(), |reply| Command::BeginCaptions { room: of, reply }).await?;
    let presence = Presence { control, caller, room, captioner: seat.captioner };
    let len_max = limits::CAPTION_FRAME_LEN_MAX;
    let upgrade = upgrade.max_message_size(len_max).max_frame_size(len_max);
    Ok(upgrade.on_upgrade(move |socket| async move {
        Session::new(presence, counters).run(socket, seat).await;
        // Its connection is one with a request until now.
        drop(in_hand);
    }))
}

/// A captioner's place in a room, which it leaves however it ends.
struct Presence {
    control: ControlHandle,
    caller: Caller,
    room: RoomId,
    captioner: CaptionerId,
}

impl Drop for Presence {
    fn drop(&mut self) {
        let captioner = self.captioner;
        let (control, caller, room) = (self.control.clone(), self.caller.clone(), self.room.clone());
        tokio::spawn(async move {
            for _ in 0..FAREWELLS {
                let end = |reply| Command::EndCaptions { room: room.clone(), captioner, reply };
                match control.request(caller.clone(), end).await {
                    // A room that is over has no captioners.
                    Err(Refusal::Busy) => sleep(limits::HTTP_REPLY_SPAN).await,
                    _ => return,
                }
            }
        });
    }
}

/// One captioner's conversation.
struct Session {
    presence: Presence,
    counters: CaptionCounters,
    /// Voices that are heard, with what was gathered of each and not sent.
    voices: Vec<Gathered>,
    faults: Bucket,
    /// When it was last heard.
    heard: Instant,
}

/// What is sent of a voice next.
struct Gathered {
    track: TrackId,
    from: Pts,
    samples: Vec<i16>,
}

/// Why the conversation ends.
struct Ending {
    code: u16,
    reason: &'static str,
}

/// Nothing can be said any more.
const GONE: Ending = Ending { code: close_code::AWAY, reason: "" };
const ROOM_OVER: Ending = Ending { code: close_code::AWAY, reason: "the room is over" };
const SILENT: Ending = Ending { code: close_code::AWAY, reason: "you answered no ping" };
const TOO_LARGE: Ending = Ending { code: close_code::SIZE, reason: "a message is too large, or is none" };
const TOO_WRONG: Ending = Ending { code: close_code::POLICY, reason: "too many wrong messages" };

impl Session {
    fn new(presence: Presence, counters: CaptionCounters) -> Self {
        Self { presence, counters, voices: Vec::new(), faults: Bucket::default(), heard: Instant::now() }
    }

    async fn run(mut self, mut socket: WebSocket, mut seat: CaptionerSeat) {
        let Ending { code, reason } = self.converse(&mut socket, &mut seat).await;
        // It has left before it is told so.
        drop((self, seat));
        // Whoever is gone needs no farewell. What is on the way from others is read and thrown away until they have
        // heard it: a connection that ends while something is unread is reset, and takes with it what they were told.
        let farewell = async {
            socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
            while socket.recv().await.transpose()?.is_some() {}
            Ok::<_, axum::Error>(())
        };
        let _ = timeout(limits::CAPTION_FAREWELL_SPAN, farewell).await;
    }

    async fn converse(&mut self, socket: &mut WebSocket, seat: &mut CaptionerSeat) -> Ending {
        let hello = self.hello(seat);
        if let Err(ending) = say(socket, &hello).await {
            return ending;
        }
        let mut clock = interval(limits::CAPTION_PING_SPACING);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                heard = seat.speech.next() => match heard {
                    Some(heard) => self.hear(socket, seat, heard).await,
                    None => Err(ROOM_OVER),
                },
                changed = seat.people.changed() => match changed {
                    Ok(()) => {
                        let people = seat.people.borrow_and_update().to_vec();
                        say(socket, &ToCaptioner::People { people }).await
                    }
                    Err(_) => Err(ROOM_OVER),
                },
                said = socket.recv() => self.take(socket, said).await,
                _ = clock.tick() => self.tell_time(socket, seat).await,
            };
            if let Err(ending) = step {
                return ending;
            }
        }
    }

    fn hello(&self, seat: &mut CaptionerSeat) -> ToCaptioner {
        let began = utc_ms_text(seat.epoch.wallclock);
        let people = seat.people.borrow_and_update().to_vec();
        ToCaptioner::Hello {
            v: 1,
            room: self.presence.room.clone(),
            rate: limits::SPEECH_RATE,
            channels: 1,
            format: "s16le",
            head_bytes: SPEECH_HEAD_BYTES,
            began,
            now_ms: now_ms(seat),
            language: seat.language.clone(),
            people,
            takes: CaptionBounds::BOUNDS,
            answer: FromCaptioner::example(),
        }
    }

    /// One block, gathered with others of its voice, or the end of a voice.
    async fn hear(
        &mut self,
        socket: &mut WebSocket,
        seat: &CaptionerSeat,
        Heard { lost, speech }: Heard,
    ) -> Result<(), Ending> {
        if lost > 0 {
            self.report_lost(socket, lost).await?;
        }
        match speech {
            Speech::Block(block) => {
                let at = match self.voices.iter().position(|voice| voice.track == block.track) {
                    Some(at) => at,
                    None => self.begin(socket, seat, &block).await?,
                };
                let voice = &mut self.voices[at];
                if voice.samples.is_empty() {
                    voice.from = block.from;
                }
                voice.samples.extend_from_slice(&block.samples);
                if voice.samples.len() >= limits::SPEECH_MESSAGE_TICKS * limits::SPEECH_SAMPLES {
                    voice.send(socket).await?;
                }
                Ok(())
            }
            Speech::Ends(track, at) => self.end(socket, track, at).await,
        }
    }

    /// Sound is missing here: what came before it is whole, and whoever is heard afterwards begins anew.
    async fn report_lost(&mut self, socket: &mut WebSocket, lost: u32) -> Result<(), Ending> {
        while let Some(voice) = self.voices.first() {
            let (track, end) = (voice.track, voice.end());
            self.end(socket, track, end).await?;
        }
        let tick_ms = u64::try_from(limits::AUDIO_TICK.as_millis()).unwrap_or(u64::MAX);
        say(socket, &ToCaptioner::Lost { ms: u64::from(lost) * tick_ms }).await
    }

    async fn begin(
        &mut self,
        socket: &mut WebSocket,
        seat: &CaptionerSeat,
        block: &SpeechBlock,
    ) -> Result<usize, Ending> {
        let SpeechBlock { track, from, .. } = *block;
        let participant = track.participant;
        let name = name_of(seat, participant);
        say(socket, &ToCaptioner::Speaks { participant, name, track: track.kind, at_ms: ms(from) }).await?;
        let samples = Vec::with_capacity(limits::SPEECH_MESSAGE_TICKS * limits::SPEECH_SAMPLES);
        self.voices.push(Gathered { track, from, samples });
        Ok(self.voices.len() - 1)
    }

    async fn end(&mut self, socket: &mut WebSocket, track: TrackId, at: Pts) -> Result<(), Ending> {
        let Some(known) = self.voices.iter().position(|voice| voice.track == track) else { return Ok(()) };
        self.voices.swap_remove(known).send(socket).await?;
        say(socket, &ToCaptioner::Pauses { participant: track.participant, track: track.kind, at_ms: ms(at) }).await
    }

    async fn tell_time(&mut self, socket: &mut WebSocket, seat: &CaptionerSeat) -> Result<(), Ending> {
        if self.heard.elapsed() > limits::CAPTION_SILENCE_SPAN {
            return Err(SILENT);
        }
        say(socket, &ToCaptioner::Time { now_ms: now_ms(seat) }).await?;
        socket.send(Message::Ping(Bytes::new())).await.map_err(|_| GONE)
    }

    /// What the captioner said.
    async fn take(&mut self, socket: &mut WebSocket, said: Option<Result<Message, axum::Error>>) -> Result<(), Ending> {
        let said = said.ok_or(GONE)?.map_err(|_| TOO_LARGE)?;
        self.heard = Instant::now();
        let parsed = match said {
            Message::Text(text) => FromCaptioner::parse(&text),
            Message::Binary(_) => Err(CaptionFault::Bytes),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(GONE),
        };
        let problem = match parsed {
            Err(fault) => ("bad-caption", fault.to_string()),
            Ok(FromCaptioner::Caption(line)) => {
                let Presence { control, caller, room, captioner } = &self.presence;
                let (room, captioner) = (room.clone(), *captioner);
                let asked = control.request(caller.clone(), |reply| Command::Caption { room, captioner, line, reply });
                match asked.await {
                    Ok(()) => return Ok(()),
                    Err(Refusal::RoomNotFound) => return Err(ROOM_OVER),
                    Err(Refusal::BadCaption(why)) => ("bad-caption", why),
                    Err(Refusal::CaptionsTooOften(why)) => ("too-often", why),
                    Err(_) => ("busy", "the node is busy, and the caption is lost".to_owned()),
                }
            }
        };
        self.refuse(socket, problem).await
    }

    async fn refuse(&mut self, socket: &mut WebSocket, (kind, detail): (&str, String)) -> Result<(), Ending> {
        self.counters.refused.add(1);
        say(socket, &ToCaptioner::Problem { kind: kind.to_owned(), detail }).await?;
        // A node that is busy is no fault of theirs.
        let bounds = (limits::CAPTION_FAULTS_MAX, limits::CAPTION_FAULT_SPACING);
        if kind == "busy" || self.faults.pay(Instant::now(), bounds) { Ok(()) } else { Err(TOO_WRONG) }
    }
}

impl Gathered {
    /// When what was gathered ends.
    fn end(&self) -> Pts {
        self.from + limits::AUDIO_TICK * u32::try_from(self.samples.len() / limits::SPEECH_SAMPLES).unwrap_or(0)
    }

    /// Sends what was gathered.
    async fn send(&mut self, socket: &mut WebSocket) -> Result<(), Ending> {
        if self.samples.is_empty() {
            return Ok(());
        }
        let count = u16::try_from(self.samples.len()).expect("a message has 1,600 samples at most");
        let mut bytes = Vec::with_capacity(SPEECH_HEAD_BYTES + self.samples.len() * 2);
        bytes.extend_from_slice(&speech_head(self.track, self.from, count));
        bytes.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        self.samples.clear();
        socket.send(Message::Binary(bytes.into())).await.map_err(|_| GONE)
    }
}

async fn say(socket: &mut WebSocket, word: &ToCaptioner) -> Result<(), Ending> {
    socket.send(Message::Text(word.encode().into())).await.map_err(|_| GONE)
}

fn name_of(seat: &CaptionerSeat, participant: ParticipantId) -> String {
    let people = seat.people.borrow();
    people.iter().find(|person| person.id == participant).map(|person| person.name.clone()).unwrap_or_default()
}

fn now_ms(seat: &CaptionerSeat) -> u64 {
    ms(pts_from_instant(&seat.epoch, Instant::now()))
}
