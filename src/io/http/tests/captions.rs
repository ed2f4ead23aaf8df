//! A captioner at the door: what it hears, what it may say, and what it loses when it does not listen.

use std::net::TcpStream;
use std::time::Duration;

use tokio::sync::watch;
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

use super::*;
use crate::base::media::{Pts, RoomEpoch, Speech, SpeechBlock, TrackId, TrackKind, Wallclock};
use crate::core::room::CaptionerId;
use crate::core::signal::Speaker;
use crate::engine::flow::{SpeechFeed, speech_feed};
use crate::io::api::CaptionerSeat;

const PATIENCE: Duration = Duration::from_secs(30);
const MICROPHONE: TrackId = TrackId { participant: ADA, kind: TrackKind::Microphone };
/// More than a ring and the sockets' buffers hold.
const FLOOD: u64 = 40_000;

/// What the control thread that is stood in for saw.
#[derive(Debug)]
enum Seen {
    Feed(SpeechFeed, watch::Sender<Arc<[Speaker]>>),
    Said(String),
    Gone,
}

/// A door whose rooms take captioners, and what is asked there.
fn captioned() -> (Fixture, crossbeam_channel::Receiver<Seen>) {
    let (seen, told) = crossbeam_channel::unbounded();
    let door = door(Tls::Off, move |requests| {
        for Request { command, .. } in requests {
            match command {
                Command::BeginCaptions { reply, .. } => {
                    let (feed, speech) = speech_feed(Counter::default());
                    let ada = Speaker { id: ADA, name: "Ada".into(), unrecorded: false };
                    let (sender, people) = watch::channel(Arc::from([ada]));
                    let epoch = RoomEpoch { instant: std::time::Instant::now(), wallclock: Wallclock(0) };
                    let (captioner, language) = (CaptionerId(7), Some("en".to_owned()));
                    seen.send(Seen::Feed(feed, sender)).unwrap();
                    reply
                        .send(Ok(CaptionerSeat {
                            captioner,
                            epoch,
                            speech,
                            people,
                            language,
                            presence: Arc::default(),
                        }))
                        .unwrap();
                }
                Command::Caption { captioner, line, reply, .. } => {
                    assert_eq!(captioner, CaptionerId(7));
                    let known = line.participant == ADA;
                    let refused = || Refusal::BadCaption("'participant' names nobody".into());
                    drop(reply.send(if known { Ok(()) } else { Err(refused()) }));
                    if known {
                        seen.send(Seen::Said(line.text)).unwrap();
                    }
                }
                Command::EndCaptions { captioner, reply, .. } => {
                    assert_eq!(captioner, CaptionerId(7));
                    drop(reply.send(Ok(())));
                    seen.send(Seen::Gone).unwrap();
                }
                other => other.refuse(Refusal::RoomNotFound),
            }
        }
    });
    (door, told)
}

fn listen(door: &Fixture) -> WebSocket<TcpStream> {
    let place = door.url.replace("http://localhost", "127.0.0.1");
    let stream = TcpStream::connect(&place).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("ws://{place}/v1/rooms/daily/captions").into_client_request().unwrap();
    tungstenite::client(request, stream).expect("the door speaks WebSocket").0
}

/// The next message that is text, read as JSON; others are passed over.
fn next(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        if let Message::Text(text) = socket.read().expect("it goes on") {
            return serde_json::from_str(&text).expect("JSON");
        }
    }
}

/// The next one of this type.
fn next_of(socket: &mut WebSocket<TcpStream>, kind: &str) -> Value {
    loop {
        let told = next(socket);
        if told["type"] == kind {
            return told;
        }
    }
}

fn block(n: u64) -> Speech {
    let samples = std::array::from_fn(|at| i16::try_from(at).unwrap());
    Speech::Block(SpeechBlock { track: MICROPHONE, from: Pts(n * 20_000_000), samples })
}

fn feed(told: &crossbeam_channel::Receiver<Seen>) -> (SpeechFeed, watch::Sender<Arc<[Speaker]>>) {
    match told.recv_timeout(PATIENCE) {
        Ok(Seen::Feed(feed, people)) => (feed, people),
        other => panic!("{other:?}"),
    }
}

/// Runs what blocks beside the door.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captioner_hears_who_speaks_and_says_what_was_said() {
    let (door, told) = captioned();
    let plain = door.client.get(format!("{}/v1/rooms/daily/captions", door.url)).send().await.unwrap();
    assert_eq!(plain.status(), 426, "no WebSocket, no captions");
    beside(move || {
        let mut socket = listen(&door);
        let hello = next(&mut socket);
        let of = |name: &str| hello[name].clone();
        assert_eq!([of("type"), of("rate"), of("format")], [json!("hello"), json!(16_000), json!("s16le")], "{hello}");
        assert_eq!((&hello["language"], &hello["people"][0]["name"]), (&json!("en"), &json!("Ada")), "{hello}");
        let (mut feed, people) = feed(&told);
        (50..57).for_each(|n| feed.give(block(n)));
        feed.give(Speech::Ends(MICROPHONE, Pts(57 * 20_000_000)));
        let speaks = next_of(&mut socket, "speaks");
        assert_eq!((&speaks["name"], &speaks["at_ms"]), (&json!("Ada"), &json!(1000)), "{speaks}");
        let mut sound = Vec::new();
        while sound.len() < 2 {
            if let Message::Binary(bytes) = socket.read().unwrap() {
                sound.push(bytes);
            }
        }
        for (bytes, (at, samples)) in sound.iter().zip([(1000_u64, 1600_u16), (1100, 640)]) {
            assert_eq!(bytes.len(), 20 + usize::from(samples) * 2);
            assert_eq!((bytes[0], bytes[1], &bytes[2..4]), (1, 0, &samples.to_le_bytes()[..]));
            assert_eq!((&bytes[4..12], &bytes[12..20]), (&ADA.0.to_le_bytes()[..], &at.to_le_bytes()[..]));
            assert_eq!(&bytes[20..26], [0, 0, 1, 0, 2, 0]);
        }
        assert_eq!(next_of(&mut socket, "pauses")["at_ms"], 1140);
        let said = json!({ "type": "caption", "participant": ADA.to_string(), "from_ms": 1000, "to_ms": 1140,
                           "text": "hello\nthere", "final": true });
        socket.send(Message::text(said.to_string())).unwrap();
        assert!(matches!(told.recv_timeout(PATIENCE), Ok(Seen::Said(text)) if text == "hello there"));
        people.send_replace(Arc::from([]));
        assert_eq!(next_of(&mut socket, "people")["people"], json!([]));
        // The room is over.
        drop((feed, people));
        let farewell = loop {
            match socket.read() {
                Ok(Message::Close(frame)) => break frame,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert!(
            matches!(farewell, Some(CloseFrame { code, reason }) if u16::from(code) == 1001 && reason.contains("over"))
        );
        assert!(matches!(told.recv_timeout(PATIENCE), Ok(Seen::Gone)), "its place is free again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_nonsense_is_told_why_and_at_last_closed() {
    let (door, told) = captioned();
    beside(move || {
        let mut socket = listen(&door);
        let kept = feed(&told);
        let of = |participant: ParticipantId, text: &str| {
            json!({ "type": "caption", "participant": participant.to_string(), "from_ms": 1, "to_ms": 2, "text": text })
        };
        let wrong = [
            Message::text("hello"),
            Message::text(json!({ "type": "chat", "text": "hi" }).to_string()),
            Message::text(of(ADA, "").to_string()),
            Message::text(of(ParticipantId(9), "hi").to_string()),
            Message::text(of(ADA, &"x".repeat(600)).to_string()),
            Message::text(" ".repeat(limits::CAPTION_MESSAGE_LEN_MAX + 1)),
            Message::binary(vec![0; 16]),
        ];
        for message in wrong {
            socket.send(message.clone()).unwrap();
            let problem = next_of(&mut socket, "problem");
            assert_eq!(problem["kind"], "bad-caption", "{message:?}: {problem}");
        }
        socket.send(Message::text(of(ADA, "still taken").to_string())).unwrap();
        assert!(matches!(told.recv_timeout(PATIENCE), Ok(Seen::Said(text)) if text == "still taken"));
        let mut sent = 7;
        let code = loop {
            // Whoever is closed may find that out while sending.
            let _ = socket.send(Message::text("nonsense"));
            sent += 1;
            match socket.read() {
                Ok(Message::Close(Some(frame))) => break u16::from(frame.code),
                Ok(_) => assert!(sent < 1000),
                Err(error) => panic!("closed without a word: {error}"),
            }
        };
        assert_eq!(code, 1008);
        assert!(sent >= limits::CAPTION_FAULTS_MAX, "{sent}");
        assert!(matches!(told.recv_timeout(PATIENCE), Ok(Seen::Gone)));
        // A message too large to be read at all.
        let mut socket = listen(&door);
        let kept = (kept, feed(&told));
        socket.send(Message::text("x".repeat(limits::CAPTION_FRAME_LEN_MAX + 1))).unwrap();
        let code = loop {
            match socket.read() {
                Ok(Message::Close(Some(frame))) => break u16::from(frame.code),
                Ok(_) => {}
                Err(error) => panic!("closed without a word: {error}"),
            }
        };
        assert_eq!(code, 1009);
        assert!(matches!(told.recv_timeout(PATIENCE), Ok(Seen::Gone)));
        drop(kept);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captioner_that_does_not_read_loses_sound_and_is_told_how_much() {
    let (door, told) = captioned();
    beside(move || {
        let mut socket = listen(&door);
        let (mut feed, _people) = feed(&told);
        // Nobody waits for it: each is given at once.
        for n in 0..FLOOD {
            feed.give(block(n));
            if n % 400 == 0 {
                std::thread::yield_now();
            }
        }
        let (mut heard, mut lost) = (0, 0);
        let mut at = None;
        feed.give(Speech::Ends(MICROPHONE, Pts(FLOOD * 20_000_000)));
        // What finds room again says what is missing before it.
        let mut n = FLOOD;
        while lost == 0 {
            match socket.read().unwrap() {
                Message::Binary(bytes) => {
                    let begins = u64::from_le_bytes(bytes[12..20].try_into().unwrap());
                    let samples = u64::from(u16::from_le_bytes([bytes[2], bytes[3]]));
                    assert!(at.is_none_or(|at| at == begins), "no hole without a word");
                    at = Some(begins + samples / 16);
                    heard += samples / 320;
                }
                Message::Text(text) => {
                    let told: Value = serde_json::from_str(&text).unwrap();
                    if told["type"] == "lost" {
                        lost = told["ms"].as_u64().unwrap() / 20;
                    }
                }
                _ => {}
            }
            n += 1;
            feed.give(block(n));
        }
        assert!(lost > 0 && heard > limits::SPEECH_WAITING_MAX as u64 / 2, "{heard} heard, {lost} lost");
    })
    .await;
}
