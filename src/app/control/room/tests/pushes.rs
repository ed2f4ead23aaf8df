//! What follows from how a push goes.

use super::*;
use crate::app::control::room::effect::{PushCall, PushOffer};
use crate::app::workers::event::PushLine;
use crate::base::media::SoundCodec;
use crate::core::push::PushId;
use crate::io::api::{PushShown, PushWish, SoundWish};
use crate::io::push::{PushError, PushSession, StreamLine, StreamTold};
use crate::io::webrtc::{Certificate, CloseReason, OwnSocket, Peer, PeerSetup};

fn wish() -> PushWish {
    PushWish { url: "https://live.example/whip".to_owned().into(), token: None, rung: None, codec: None, sound: None }
}

fn begin(room: &mut Room, now: Instant, wish: PushWish) -> (Vec<Effect>, Result<PushShown, Refusal>) {
    let (reply, mut answer) = oneshot::channel();
    let command = Command::Push { room: "tested".parse().unwrap(), wish, reply };
    let effects = handle(room, now, Input::Ask(command));
    (effects, answer.try_recv().expect("it is answered at once"))
}

fn shown(room: &mut Room, now: Instant) -> PushShown {
    room.pushes_shown(now).into_iter().next().expect("there is one")
}

fn called(effects: Vec<Effect>) -> Option<PushCall> {
    effects.into_iter().find_map(|effect| if let Effect::Call(call) = effect { Some(*call) } else { None })
}

/// A connection that another node answered, and where it is counted that its session ended there.
fn line(number: u64, ended: &Counter) -> PushLine {
    let (certificate, socket) = (Certificate::generate(), OwnSocket::bind([127, 0, 0, 1].into(), &[]).unwrap());
    let candidates = socket.candidates().to_vec();
    let setup = |id, role| PeerSetup {
        id: PeerId(id),
        role,
        certificate: &certificate,
        candidates: &candidates,
        tcp_candidates: &[],
        red: false,
    };
    let all = RungCodecs { av1: true, h264: true, vp8: true };
    let viewer = PeerRole::Viewer { minus: None };
    let (mut peer, offer) = Peer::offer(&setup(number, viewer), all, Counter::default(), Instant::now());
    let publisher = PeerRole::Publisher(ParticipantId(9));
    let (_, answer) = Peer::answer(&setup(number + 1, publisher), &offer, Instant::now()).unwrap();
    peer.accept(&answer, Instant::now()).unwrap();
    let ended = ended.clone();
    let session = Some(PushSession::new(move || ended.add(1)));
    PushLine { peer: Box::new(peer), socket: Box::new(socket), session }
}

fn answered(push: PushId, attempt: u64, answer: Result<PushLine, PushError>) -> Input {
    Input::Worker(Event::Push { room: "tested".parse().unwrap(), push, attempt, answer: Box::new(answer) })
}

/// A room with somebody who watches, and a push that is up; the sessions of it that ended.
fn live(now: Instant) -> (Arc<RoomSetup>, Room, PushCall, Counter) {
    let (setup, ended) = (setup(None), Counter::default());
    let mut room = room(now, setup.clone());
    come(&mut room, now, 1, true);
    let (effects, begun) = begin(&mut room, now, wish());
    assert_eq!(begun.unwrap().state, "calling");
    let call = called(effects).expect("the other server is asked");
    let effects = handle(&mut room, now, answered(call.push, call.attempt, Ok(line(70, &ended))));
    assert!(matches!(effects[..], [Effect::Dial(..)]));
    assert_eq!(shown(&mut room, now).state, "connecting");
    let effects = handle(&mut room, now, Input::Net(NetEvent::Connected(PeerId(70))));
    assert!(started(&effects).is_empty(), "it reads what others read");
    let enters = |e: &Effect| matches!(e, Effect::Net(NetCommand::EnterRoom { peer: PeerId(70), rung: Some(_), .. }));
    assert!(effects.iter().any(enters));
    assert_eq!(told(&effects), [["https://live.example"]], "people know that others see them");
    let state = shown(&mut room, now);
    assert_eq!((state.state, state.tries, state.failures, &*state.target), ("live", 1, 0, "https://live.example"));
    assert_eq!((room.stats().viewers, setup.counts.push.live.get(), setup.counts.push.pushes.get()), (1, 1, 1));
    assert_eq!(ended.get(), 0, "it is there");
    (setup, room, call, ended)
}

/// Where everybody was told that the room is sent on to.
fn told(effects: &[Effect]) -> Vec<Vec<String>> {
    let text = |effect: &Effect| match effect {
        Effect::Net(NetCommand::Signal { peer: PeerId(1), kind: WordKind::State, text }) => Some(text.clone()),
        _ => None,
    };
    let pushed = |text: Arc<str>| match FromNode::parse(&text) {
        Ok(Some(FromNode::State { pushed, .. })) => pushed,
        other => panic!("{other:?}"),
    };
    effects.iter().filter_map(text).map(pushed).collect()
}

#[test]
fn a_push_reads_what_others_read_and_is_tried_again_when_it_breaks() {
    let now = Instant::now();
    let (setup, mut room, first, ended) = live(now);
    let lost = NetEvent::Closed { peer: PeerId(70), reason: CloseReason::Lost };
    let effects = handle(&mut room, now, Input::Net(lost));
    assert!(ended.get() == 1 && effects.iter().any(|e| matches!(e, Effect::Forget(PeerId(70), _))));
    assert_eq!(told(&effects), [[""; 0]]);
    let state = shown(&mut room, now);
    assert_eq!((state.state, state.failures), ("waiting", 1));
    assert!(state.last_error.is_some_and(|why| why.contains("nothing was heard")));
    assert_eq!((room.stats().viewers, setup.counts.push.live.get()), (0, 0));
    let due = room.pushes.deadline().expect("another try comes");
    assert!(room.deadline().is_some_and(|at| at <= due));
    let again = called(handle(&mut room, due, Input::Due)).expect("it comes");
    assert_eq!((again.push, again.attempt), (first.push, 2));
    // What comes of an earlier try changes nothing, and is ended where it was made.
    handle(&mut room, due, answered(first.push, first.attempt, Ok(line(80, &ended))));
    assert_eq!(ended.get(), 2);
    assert_eq!(shown(&mut room, due).state, "calling");
    let refused = PushError::Refused("503 Service Unavailable".into());
    handle(&mut room, due, answered(again.push, again.attempt, Err(refused)));
    let state = shown(&mut room, due);
    assert_eq!((state.state, state.tries, state.failures), ("waiting", 2, 2));
    assert_eq!((setup.counts.push.tries.get(), setup.counts.push.failures.get()), (2, 2));
}

#[test]
fn a_push_ends_when_it_is_told_to_and_with_its_room() {
    let now = Instant::now();
    for with_room in [false, true] {
        let (setup, mut room, call, ended) = live(now);
        let effects = if with_room {
            handle(&mut room, now, Input::End("a test"))
        } else {
            let (reply, mut answer) = oneshot::channel();
            let command = Command::EndPush { room: "tested".parse().unwrap(), push: call.push, reply };
            let effects = handle(&mut room, now, Input::Ask(command));
            assert_eq!((answer.try_recv().unwrap(), told(&effects)), (Ok(()), vec![vec![]]));
            effects
        };
        let removed = |e: &Effect| matches!(e, Effect::Net(NetCommand::RemovePeer(PeerId(70))));
        assert!(ended.get() == 1 && effects.iter().any(removed));
        assert!(effects.iter().any(|e| matches!(e, Effect::Forget(PeerId(70), _))));
        assert_eq!((setup.counts.push.pushes.get(), setup.counts.push.live.get()), (0, 0));
        assert!(room.pushes_shown(now).is_empty());
        // An answer that was still on its way is ended where it was made, and nothing else follows.
        assert!(handle(&mut room, now, answered(call.push, 2, Ok(line(90, &ended)))).is_empty());
        assert_eq!(ended.get(), 2);
    }
}

#[test]
fn pushes_are_bounded_and_one_that_cannot_be_takes_no_place() {
    let now = Instant::now();
    let setup = setup(None);
    let mut room = room(now, setup.clone());
    come(&mut room, now, 1, true);
    let of = |url: &str| PushWish { url: url.to_owned().into(), ..wish() };
    for url in ["http://live.example/whip", "https://127.0.0.1/whip", "whip"] {
        assert!(matches!(begin(&mut room, now, of(url)).1, Err(Refusal::BadPush(_))), "{url}");
    }
    let huge = PushWish { rung: Some("1920x1080".parse().unwrap()), ..wish() };
    assert!(matches!(begin(&mut room, now, huge).1, Err(Refusal::RungNotFound(_))));
    for _ in 0..limits::PUSHES_PER_ROOM_MAX {
        begin(&mut room, now, wish()).1.unwrap();
    }
    assert_eq!(begin(&mut room, now, wish()).1, Err(Refusal::PushesFull));
    assert_eq!(setup.counts.push.pushes.get(), limits::PUSHES_PER_ROOM_MAX as u64);
    // And those of all rooms.
    drop(room);
    assert_eq!(setup.counts.push.pushes.get(), 0);
    setup.counts.push.pushes.raise(limits::PUSHES_MAX);
    let mut room = super::room(now, setup);
    come(&mut room, now, 1, true);
    assert_eq!(begin(&mut room, now, wish()).1, Err(Refusal::PushesFull));
}

fn told_of(call: &PushCall, told: StreamTold) -> Input {
    let room = "tested".parse().unwrap();
    Input::Worker(Event::PushStream { room, push: call.push, attempt: call.attempt, told })
}

/// Encodes that begin, by codec and size, and those that end.
fn encodes(effects: &[Effect]) -> (Vec<(Codec, u32)>, usize) {
    let begun = effects.iter().filter_map(|effect| match effect {
        Effect::StartRung(start) => Some((start.spec.codec, start.spec.size.width)),
        _ => None,
    });
    (begun.collect(), effects.iter().filter(|effect| matches!(effect, Effect::StopRung(_))).count())
}

#[test]
fn a_stream_reads_its_rung_once_a_server_takes_it_and_until_it_does_no_more() {
    let now = Instant::now();
    let setup = setup(None);
    let mut room = room(now, setup.clone());
    come(&mut room, now, 1, true);
    let url = "rtmps://live.example/app/s3cret".to_owned().into();
    let rung = setup.rungs[1].name();
    let (effects, begun) = begin(&mut room, now, PushWish { url, rung: Some(rung), ..wish() });
    let begun = begun.unwrap();
    assert_eq!(
        (&*begun.target, begun.state, begun.sound, begun.codec),
        ("rtmps://live.example", "calling", "aac", None)
    );
    assert_eq!(encodes(&effects), (vec![], 0), "nothing is encoded for a server that is not there");
    let call = called(effects).expect("the server is asked");
    let stream = PushOffer::Stream { pictures: Codec::H264, sound: Some(SoundCodec::Aac), fps: setup.rungs[1].fps };
    assert_eq!(call.offer, stream);

    let (line, mut fed, mut end) = StreamLine::unfed();
    let effects = handle(&mut room, now, told_of(&call, StreamTold::Up(line)));
    assert_eq!(encodes(&effects), (vec![(Codec::H264, rung.0.width)], 0));
    assert_eq!(told(&effects), [["rtmps://live.example"]]);
    assert!(fed.try_recv().is_ok() && end.try_recv() == Err(oneshot::error::TryRecvError::Empty));
    let state = shown(&mut room, now);
    assert_eq!((state.state, state.codec, room.stats().viewers), ("live", Some("h264"), 0));

    // It breaks: its encode idles a while, and ends when no try helps.
    let effects = handle(&mut room, now, told_of(&call, StreamTold::Ended(PushError::Gone)));
    assert_eq!((encodes(&effects), told(&effects)), ((vec![], 0), vec![vec![]]));
    assert_eq!(end.try_recv(), Err(oneshot::error::TryRecvError::Closed), "its task is told");
    assert_eq!(shown(&mut room, now).last_error.as_deref(), Some("it ended the connection"));
    let due = room.pushes.deadline().expect("another try comes");
    let again = called(handle(&mut room, due, Input::Due)).expect("it comes");
    // What is told of the try before changes nothing.
    let (late, _fed, mut late_end) = StreamLine::unfed();
    handle(&mut room, due, told_of(&call, StreamTold::Up(late)));
    handle(&mut room, due, told_of(&call, StreamTold::Ended(PushError::Late)));
    assert_eq!(late_end.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert_eq!(shown(&mut room, due).state, "calling");
    let (line, _fed, mut end) = StreamLine::unfed();
    let effects = handle(&mut room, due, told_of(&again, StreamTold::Up(line)));
    assert_eq!(encodes(&effects), (vec![], 0), "the encode still ran");

    let (reply, mut answer) = oneshot::channel();
    handle(&mut room, due, Input::Ask(Command::EndPush { room: "tested".parse().unwrap(), push: call.push, reply }));
    assert_eq!((answer.try_recv().unwrap(), end.try_recv()), (Ok(()), Err(oneshot::error::TryRecvError::Closed)));
    assert_eq!(encodes(&handle(&mut room, due + limits::RUNG_LINGER, Input::Due)).1, 1, "nobody reads it");
    assert_eq!((setup.counts.push.pushes.get(), setup.counts.push.live.get()), (0, 0));
}

#[test]
fn what_no_stream_carries_is_refused_before_anything_is_asked() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    come(&mut room, now, 1, true);
    let of = |url: &str, codec, sound| PushWish { url: url.to_owned().into(), codec, sound, ..wish() };
    let (rtmp, srt, whip) = ("rtmp://live.example/app/key", "srt://live.example:9000", "https://live.example/whip");
    for wish in [
        of(rtmp, Some(Codec::Vp8), None),
        of(srt, Some(Codec::Av1), None),
        of(whip, None, Some(SoundWish::Aac)),
        of("rtmp://10.0.0.1/app/key", None, None),
    ] {
        assert!(matches!(begin(&mut room, now, wish).1, Err(Refusal::BadPush(_))));
    }
    for (wish, offered) in [
        (of(rtmp, Some(Codec::Av1), Some(SoundWish::Opus)), (Codec::Av1, Some(SoundCodec::Opus))),
        (of(srt, None, Some(SoundWish::None)), (Codec::H264, None)),
    ] {
        let call = called(begin(&mut room, now, wish).0).unwrap();
        assert!(matches!(call.offer, PushOffer::Stream { pictures, sound, .. } if (pictures, sound) == offered));
    }
}
