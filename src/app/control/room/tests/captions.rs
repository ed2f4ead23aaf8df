//! Who is told that a captioner listens, and who reads what it writes.

use super::chat::read;
use super::*;
use crate::core::record::Event;
use crate::core::room::CaptionerId;
use crate::core::signal::CaptionLine;
use crate::io::api::CaptionerSeat;

fn begin(room: &mut Room, now: Instant) -> (Vec<Effect>, Result<CaptionerSeat, Refusal>) {
    let (reply, mut answer) = oneshot::channel();
    let effects = handle(room, now, Input::Ask(Command::BeginCaptions { room: room.name.clone(), reply }));
    (effects, answer.try_recv().expect("it is answered at once"))
}

fn end(room: &mut Room, now: Instant, captioner: CaptionerId) -> Vec<Effect> {
    let (reply, _answer) = oneshot::channel();
    handle(room, now, Input::Ask(Command::EndCaptions { room: room.name.clone(), captioner, reply }))
}

fn caption(
    room: &mut Room,
    now: Instant,
    captioner: CaptionerId,
    of: u64,
    is_final: bool,
) -> (Vec<Effect>, Result<(), Refusal>) {
    let (reply, mut answer) = oneshot::channel();
    let line = CaptionLine {
        participant: ParticipantId(of),
        name: "Mallory".into(),
        from_ms: 1_000,
        to_ms: 2_000,
        text: "hello".into(),
        is_final,
        language: Some("en".into()),
    };
    let effects = handle(room, now, Input::Ask(Command::Caption { room: room.name.clone(), captioner, line, reply }));
    (effects, answer.try_recv().expect("it is answered at once"))
}

/// Who was told that the room is captioned, and who that it is not.
fn told(effects: &[Effect]) -> [Vec<u64>; 2] {
    let states = read(effects, WordKind::State);
    let of = |wanted: bool| {
        let those =
            states.iter().filter(|(_, told)| matches!(told, FromNode::State { captioned, .. } if *captioned == wanted));
        those.map(|(peer, _)| peer.0).collect()
    };
    [of(true), of(false)]
}

#[test]
fn everybody_is_told_that_a_captioner_listens_and_reads_what_it_writes() {
    let (start, setup) = (Instant::now(), setup(None));
    let mut room = room(start, setup.clone());
    come(&mut room, start, 1, true);
    handle(&mut room, start, Input::Join(Box::new(joining(2, PeerRole::Viewer { minus: None }))));
    let (effects, seat) = begin(&mut room, start);
    let seat = seat.unwrap();
    assert_eq!(told(&effects), [vec![1, 2], vec![]], "those too who only watch");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Mix(MixCommand::Caption(..)))), "it hears");
    assert_eq!(setup.counts.captions.captioners.get(), 1);
    let names: Vec<String> = seat.people.borrow().iter().map(|speaker| speaker.name.clone()).collect();
    assert_eq!(names, ["Person 1"]);
    let now = start + Duration::from_secs(3);
    for (is_final, kind) in [(false, WordKind::Interim(ParticipantId(1))), (true, WordKind::Caption)] {
        let (effects, taken) = caption(&mut room, now, seat.captioner, 1, is_final);
        assert_eq!(taken, Ok(()));
        let lines = read(&effects, kind);
        assert_eq!(lines.iter().map(|(peer, _)| peer.0).collect::<Vec<_>>(), [1, 2]);
        let FromNode::Caption(line) = &lines[0].1 else { panic!("{lines:?}") };
        assert_eq!((&*line.name, &*line.text, line.is_final), ("Person 1", "hello", is_final), "the room knows names");
    }
    let (effects, refused) = caption(&mut room, now, seat.captioner, 9, true);
    assert!(effects.is_empty() && matches!(refused, Err(Refusal::BadCaption(_))), "nobody of that name");
    assert_eq!(setup.counts.captions.taken.get(), 2);
    let other = begin(&mut room, now).1.unwrap();
    assert_eq!(told(&end(&mut room, now, seat.captioner)), [vec![1, 2], vec![]], "another one still listens");
    assert_eq!(told(&end(&mut room, now, other.captioner)), [vec![], vec![1, 2]]);
    assert!(caption(&mut room, now, seat.captioner, 1, true).1.is_err(), "it is gone");
    assert_eq!(setup.counts.captions.captioners.get(), 0);
}

#[test]
fn captioners_know_who_is_here_until_the_room_is_over() {
    let (start, setup) = (Instant::now(), setup(None));
    let mut room = room(start, setup.clone());
    come(&mut room, start, 1, true);
    let mut seat = begin(&mut room, start).1.unwrap();
    let now = start + Duration::from_secs(3);
    come(&mut room, now, 2, true);
    // What changes within a tenth of a second is told together.
    handle(&mut room, now + limits::SIGNAL_SPACING, Input::Due);
    assert!(seat.people.has_changed().unwrap());
    let people = seat.people.borrow_and_update().clone();
    assert_eq!(people.iter().map(|speaker| &*speaker.name).collect::<Vec<_>>(), ["Person 1", "Person 2"]);
    let later = now + Duration::from_secs(1);
    handle(&mut room, later, Input::Net(NetEvent::Signal { peer: PeerId(2), text: FromClient::Leave.encode() }));
    let (effects, taken) = caption(&mut room, later, seat.captioner, 2, true);
    let lines = read(&effects, WordKind::Caption);
    assert!(taken.is_ok() && lines.len() == 1, "what they said last");
    let FromNode::Caption(line) = &lines[0].1 else { panic!("{lines:?}") };
    assert_eq!(line.name, "Person 2");
    let others: Vec<_> = (1..limits::CAPTIONERS_PER_ROOM_MAX).map(|_| begin(&mut room, later).1.unwrap()).collect();
    assert!(matches!(begin(&mut room, later).1, Err(Refusal::CaptionersFull)));
    drop(others);
    let last = begin(&mut room, later).1.unwrap();
    assert_eq!(setup.counts.captions.captioners.get(), 2, "those who went without a word have no seats");
    handle(&mut room, later, Input::End("tested"));
    assert!(seat.people.has_changed().is_err(), "it learns that the room is over");
    drop(last);
    assert_eq!(setup.counts.captions.captioners.get(), 0);
}

#[test]
fn whoever_does_not_want_to_be_recorded_is_captioned_in_the_call_alone() {
    let start = Instant::now();
    let mut room = room(start, setup(Some("kept.mp4")));
    handle(&mut room, start, Input::Begin(None));
    come(&mut room, start, 1, true);
    come(&mut room, start, 2, false);
    let seat = begin(&mut room, start).1.unwrap();
    let now = start + Duration::from_secs(3);
    let is_said = |e: &&Effect| match e {
        Effect::Package(PackageCommand::Event(_, _, Event::Said(line))) => line.text == "hello",
        _ => false,
    };
    for (of, is_final, recorded) in [(1, true, 1), (1, false, 0), (2, true, 0)] {
        let (effects, taken) = caption(&mut room, now, seat.captioner, of, is_final);
        let kind = if is_final { WordKind::Caption } else { WordKind::Interim(ParticipantId(of)) };
        assert!(taken.is_ok() && read(&effects, kind).len() == 2, "both read it");
        assert_eq!(effects.iter().filter(is_said).count(), recorded, "of {of}, final: {is_final}");
    }
    // Slow ears: what they said while they were hidden comes when they no longer are.
    handle(&mut room, now, Input::Net(NetEvent::Signal { peer: PeerId(2), text: FromClient::Leave.encode() }));
    let later = now + limits::UNRECORDED_LINGER + Duration::from_secs(1);
    handle(&mut room, later, Input::Due);
    let (effects, taken) = caption(&mut room, later, seat.captioner, 2, true);
    assert!(taken.is_ok() && read(&effects, WordKind::Caption).len() == 1, "who is left reads it");
    assert_eq!(effects.iter().filter(is_said).count(), 0, "said before, written down after");
}
