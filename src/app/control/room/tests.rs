//! A room asked through its three doors, on a clock of the test's own: what it wants done follows from what happened
//! and nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::effect::{Effect, LegShown, RoomEnd, RungStart};
use super::input::{Input, Joining};
use super::setup::RoomSetup;
use super::state::Room;
use crate::app::config::Config;
use crate::app::control::report::RoomCounters;
use crate::app::control::trickling::Trickling;
use crate::app::workers::counters::Counts;
use crate::app::workers::event::Event;
use crate::app::workers::mix::MixCommand;
use crate::app::workers::package::PackageCommand;
use crate::base::hostile::{Mutator, rounds};
use crate::base::limits;
use crate::base::media::{
    Codec, EncodeCosts, Outbox, ParticipantId, PeerId, RoomEpoch, RoomId, RungCodecs, RungId, RungSpec, Size,
    TrackKind, Wallclock,
};
use crate::core::access::Caller;
use crate::core::ladder::{LinkVerdict, Relief};
use crate::core::scene::{self, Passage, Scene};
use crate::core::signal::{FromClient, FromNode, WordKind};
use crate::engine::flow::{Counter, Fan, Waker};
use crate::io::api::{Command, Refusal, ResourceToken, SeatWish};
use crate::io::rtp::{LegCodec, LegSetup, LegWatch};
use crate::io::webrtc::{NetCommand, NetEvent, PeerRole};

mod captions;
mod chat;
mod moving;
mod owned;
mod pushes;
mod seats;
mod standing;
mod upkeep;

fn setup(record_to: Option<&str>) -> Arc<RoomSetup> {
    let wakers = (Waker::new().unwrap(), Waker::new().unwrap());
    let places = (None, record_to.map(Into::into));
    let costs = EncodeCosts { av1: Duration::from_millis(18), h264: Some(Duration::from_micros(6_500)) };
    let mut setup = RoomSetup::new(Config::default(), Counts::default(), wakers, places, ("aom", "cpu"), costs);
    // Whatever this test runs on.
    setup.cores = 4;
    Arc::new(setup)
}

fn room(now: Instant, setup: Arc<RoomSetup>) -> Room {
    let epoch = RoomEpoch { instant: now, wallclock: Wallclock(1_790_000_000_000_000_000) };
    Room::new("tested".parse().unwrap(), setup, epoch, Fan::new(Counter::default()), RoomCounters::default())
}

/// Somebody's connection stands, whose participant has the id `number` too.
fn joining(number: u64, role: PeerRole) -> Joining {
    Joining {
        peer: PeerId(number),
        role,
        standing: None,
        bearer: None,
        region: None,
        display: format!("Person {number}"),
        consents_to_recording: true,
        rung: None,
        seat: SeatWish::Free,
        resource: ResourceToken::random(),
        trickling: Trickling::new("ufrag".into()),
        avatar: None,
        leg: None,
        watches: RungCodecs { av1: true, h264: true, vp8: false },
        relays: false,
    }
}

/// Lets a leg in.
fn join(room: &mut Room, now: Instant, number: u64) -> Vec<Effect> {
    let setup = LegSetup::new(LegCodec::Opus, None, None, None, None).unwrap();
    let leg = LegShown { setup, local: "127.0.0.1:9".parse().unwrap(), watch: LegWatch::default() };
    let joining = Joining { leg: Some(leg), ..joining(number, PeerRole::Participant(ParticipantId(number))) };
    handle(room, now, Input::Join(Box::new(joining)))
}

/// Lets somebody in with a browser, who may mind being recorded.
fn come(room: &mut Room, now: Instant, number: u64, consents_to_recording: bool) -> Vec<Effect> {
    let joining = joining(number, PeerRole::Participant(ParticipantId(number)));
    handle(room, now, Input::Join(Box::new(Joining { consents_to_recording, ..joining })))
}

fn handle(room: &mut Room, now: Instant, input: Input) -> Vec<Effect> {
    let mut out = Outbox::new();
    room.handle(now, input, &mut out);
    out.drain().collect()
}

fn started(effects: &[Effect]) -> Vec<&RungStart> {
    let mut found = Vec::new();
    for effect in effects {
        if let Effect::StartRung(start) = effect {
            found.push(start.as_ref());
        }
    }
    found
}

fn stopped(effects: &[Effect]) -> Vec<RungId> {
    effects.iter().filter_map(|e| if let Effect::StopRung(rung) = e { Some(*rung) } else { None }).collect()
}

#[test]
fn an_encode_runs_while_somebody_reads_it_and_a_little_longer() {
    let (now, setup) = (Instant::now(), setup(None));
    let mut room = room(now, setup.clone());
    let frames = Counter::default();
    let (large, small) = (setup.rungs[0], setup.rungs[1]);
    assert_eq!((large.size, small.size), (Size::new(1280, 720), Size::new(640, 360)));
    assert_eq!((setup.rungs[2].size, setup.rungs[2].bitrate), (Size::new(320, 180), 150_000));
    let mut out = Outbox::new();
    let first = room.outputs.watch(now, PeerId(1), large, (&setup, &frames), &mut out);
    let same = room.outputs.watch(now, PeerId(2), large, (&setup, &frames), &mut out);
    let other = room.outputs.watch(now, PeerId(3), small, (&setup, &frames), &mut out);
    assert_eq!(first, same, "one encode for all who read the same");
    assert_ne!(first, other);
    let effects: Vec<_> = out.drain().collect();
    assert_eq!(started(&effects).iter().map(|start| start.spec).collect::<Vec<_>>(), [large, small]);
    room.outputs.unwatch(now, PeerId(1));
    assert_eq!(room.deadline(), None, "somebody still watches");
    room.outputs.unwatch(now, PeerId(2));
    assert_eq!(room.deadline(), Some(now + limits::RUNG_LINGER));
    assert!(stopped(&handle(&mut room, now + limits::RUNG_LINGER / 2, Input::Due)).is_empty());
    // Who comes back meanwhile finds it running.
    let again = room.outputs.watch(now, PeerId(1), large, (&setup, &frames), &mut out);
    assert_eq!((again, out.is_empty(), room.deadline()), (first, true, None));
    room.outputs.unwatch(now, PeerId(1));
    assert_eq!(stopped(&handle(&mut room, now + limits::RUNG_LINGER, Input::Due)), [first]);
    assert_eq!(room.stats().rungs, 1);
}

#[test]
fn a_viewer_who_changes_the_rung_is_counted_once() {
    let (now, setup) = (Instant::now(), setup(None));
    let mut room = room(now, setup.clone());
    let (frames, mut out) = (Counter::default(), Outbox::new());
    let large = room.outputs.watch(now, PeerId(1), setup.rungs[0], (&setup, &frames), &mut out);
    room.outputs.watch(now, PeerId(1), setup.rungs[1], (&setup, &frames), &mut out);
    assert_eq!(room.outputs.rungs().iter().map(super::outputs::Rung::viewers).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(stopped(&handle(&mut room, now + limits::RUNG_LINGER, Input::Due)), [large]);
}

#[test]
fn a_viewer_whose_link_carries_less_gets_less_and_who_asked_for_a_rung_keeps_it() {
    let (now, setup) = (Instant::now(), setup(None));
    let mut room = room(now, setup.clone());
    come(&mut room, now, 1, true);
    let asked = Joining { rung: Some(setup.rungs[0].name()), ..joining(2, PeerRole::Viewer { minus: None }) };
    handle(&mut room, now, Input::Join(Box::new(asked)));
    let told = |room: &mut Room, peer: u64, now: Instant, verdict: LinkVerdict| {
        let effects = handle(room, now, Input::Net(NetEvent::Link { peer: PeerId(peer), verdict }));
        let sizes: Vec<_> = room.outputs.watched().map(|(peer, spec)| (peer.0, spec.size.width)).collect();
        (effects.iter().any(|e| matches!(e, Effect::Net(NetCommand::WatchRung { .. }))), sizes)
    };
    let congested = LinkVerdict::Congested { arrives: 0.12, queue: Duration::ZERO };
    assert_eq!(told(&mut room, 2, now, congested), (false, vec![(1, 1280), (2, 1280)]));
    assert_eq!(told(&mut room, 1, now, congested), (true, vec![(2, 1280), (1, 320)]));
    let levels = || setup.counts.node.rung_viewers.clone().map(|level| level.get());
    assert_eq!(levels(), [1, 0, 1]);
    assert!(!told(&mut room, 1, now + Duration::from_secs(1), LinkVerdict::Clear).0);
    let due = room.deadline().unwrap();
    assert!(due <= now + Duration::from_secs(4), "it is tried again soon");
    handle(&mut room, due, Input::Due);
    assert_eq!(levels(), [1, 1, 0]);
    assert_eq!((setup.counts.node.rung_downs.get(), setup.counts.node.rung_ups.get()), (1, 1));
    handle(&mut room, due, Input::End("it is over"));
    drop(room);
    assert_eq!(levels(), [0; 3]);
}

#[test]
fn a_viewer_whose_link_has_a_queue_gets_no_picture_until_it_has_drained() {
    let (now, setup) = (Instant::now(), setup(None));
    let mut room = room(now, setup.clone());
    come(&mut room, now, 1, true);
    let told = |room: &mut Room, now, verdict| {
        let effects = handle(room, now, Input::Net(NetEvent::Link { peer: PeerId(1), verdict }));
        effects.iter().any(|e| matches!(e, Effect::Net(NetCommand::HoldPictures(PeerId(1)))))
    };
    let queue = Duration::from_millis(900);
    assert!(told(&mut room, now, LinkVerdict::Congested { arrives: 0.12, queue }));
    let relief = |relief| Input::Worker(Event::Relief { room: "tested".parse().unwrap(), relief });
    let shown = |effects: &[Effect]| {
        let shown = |e: &Effect| matches!(e, Effect::Net(NetCommand::WatchRung { at_once: true, .. }));
        effects.iter().any(shown)
    };
    for step in [Relief::Rungs, Relief::None] {
        assert!(!shown(&handle(&mut room, now, relief(step))), "nothing comes between");
    }
    assert!(!told(&mut room, now + Duration::from_secs(1), LinkVerdict::Clear));
    let due = room.deadline().unwrap();
    assert!(due < now + Duration::from_millis(1_500), "{:?}", due - now);
    assert!(shown(&handle(&mut room, due, Input::Due)));
    let widths: Vec<_> = room.outputs.watched().map(|(_, spec)| spec.size.width).collect();
    assert_eq!((widths, setup.counts.node.rung_holds.get()), (vec![320], 1));
}

#[test]
fn who_comes_while_the_largest_rung_is_given_up_gets_the_next_unless_they_ask_for_it() {
    let (now, setup) = (Instant::now(), setup(None));
    let mut room = room(now, setup.clone());
    come(&mut room, now, 1, true);
    let relief = |relief| Input::Worker(Event::Relief { room: "tested".parse().unwrap(), relief });
    handle(&mut room, now, relief(Relief::Rungs));
    come(&mut room, now, 2, true);
    let asked = Joining { rung: Some(setup.rungs[0].name()), ..joining(3, PeerRole::Viewer { minus: None }) };
    handle(&mut room, now, Input::Join(Box::new(asked)));
    let widths = |room: &Room| {
        let mut widths: Vec<_> = room.outputs.watched().map(|(peer, spec)| (peer.0, spec.size.width)).collect();
        widths.sort_unstable();
        widths
    };
    assert_eq!(widths(&room), [(1, 640), (2, 640), (3, 1280)]);
    handle(&mut room, now, relief(Relief::None));
    assert_eq!(widths(&room), [(1, 1280), (2, 1280), (3, 1280)]);
}

#[test]
fn when_one_comes_who_takes_h264_alone_all_who_can_share_their_encode_and_the_recording_with_them() {
    let (now, setup) = (Instant::now(), setup(Some("/nowhere/call.mp4")));
    let mut room = room(now, setup.clone());
    let begun = handle(&mut room, now, Input::Begin(None));
    let event = began(&room);
    handle(&mut room, now, Input::Worker(event));
    for number in [1, 2] {
        come(&mut room, now, number, true);
    }
    let with = |codec| RungSpec { codec, ..setup.rungs[0] };
    assert_eq!(started(&begun).iter().map(|start| start.spec).collect::<Vec<_>>(), [with(Codec::Av1)]);
    assert_eq!(room.outputs.watched().map(|(_, spec)| *spec).collect::<Vec<_>>(), [with(Codec::Av1); 2]);
    // A hundred faces: AV1 fits four cores, and beside an H.264 it does not.
    room.scene = Some(Arc::new(faces(100)));
    let joining = joining(3, PeerRole::Viewer { minus: None });
    let watches = RungCodecs { av1: false, h264: true, vp8: false };
    let effects = handle(&mut room, now, Input::Join(Box::new(Joining { watches, ..joining })));
    let h264 = started(&effects)[0].rung;
    assert_eq!(started(&effects)[0].spec, with(Codec::H264));
    let due = now + Duration::from_secs(2);
    assert!(room.deadline().is_some_and(|at| at <= due), "it is a matter of time");
    let effects = handle(&mut room, due, Input::Due);
    let follow = effects.iter().filter_map(|e| match e {
        Effect::Net(NetCommand::WatchRung { peer, rung, .. }) => Some((*peer, *rung)),
        _ => None,
    });
    assert_eq!(follow.collect::<Vec<_>>(), [(PeerId(1), h264), (PeerId(2), h264)]);
    assert!(started(&effects).is_empty(), "it runs already");
    assert!(effects.iter().any(|e| matches!(e, Effect::Package(PackageCommand::Read(..)))), "the recording too");
    assert!(matches!(room.state_message(&Caller::Viewer), FromNode::State { codec, .. } if codec == "h264"));
    assert_eq!(room.setup.counts.node.codec_switches.get(), 1);
    let ends = stopped(&handle(&mut room, due + limits::RUNG_LINGER, Input::Due));
    assert_eq!(ends, [started(&begun)[0].rung], "nobody reads the AV1 any more");
}

/// So many cameras that fill a canvas.
fn faces(count: u64) -> Scene {
    let (mut core, mut out, now) = (scene::SceneCore::new(Size::new(1280, 720)), Outbox::new(), Instant::now());
    for participant in (1..=count).map(ParticipantId) {
        core.handle(now, scene::Input::Joined { participant, name: String::new() }, &mut out);
        core.handle(now, scene::Input::CameraFrame { participant }, &mut out);
    }
    (*core.scene()).clone()
}

#[test]
fn a_recording_reads_a_view_without_those_who_refuse_and_what_was_read_is_barred_at_once() {
    let (now, mut room) = (Instant::now(), room(Instant::now(), setup(Some("/nowhere/call.mp4"))));
    let begun = handle(&mut room, now, Input::Begin(None));
    let reads = begun.iter().find_map(|e| match e {
        Effect::Package(PackageCommand::Begin { must_agree, .. }) => Some(*must_agree),
        _ => None,
    });
    assert_eq!(reads, Some(false), "what goes into one file asks no keeper");
    assert!(started(&begun)[0].view.is_whole() && started(&begun)[0].recorded.load(Ordering::Relaxed));
    assert!(!room.stats().recording, "nothing is stored yet");
    let event = began(&room);
    handle(&mut room, now, Input::Worker(event));
    assert!(room.stats().recording);
    join(&mut room, now, 1);
    join(&mut room, now, 2);
    let before = room.current_generation.load(Ordering::Acquire);
    let mut out = Outbox::new();
    room.set_recordable(now, ParticipantId(2), false, &mut out);
    let after = room.current_generation.load(Ordering::Acquire);
    assert!(after > before, "when this returns, the readers that were take nothing more");
    let effects: Vec<_> = out.drain().collect();
    let place = |wanted: fn(&Effect) -> bool| effects.iter().position(wanted).expect("it is among the effects");
    let read = place(|e| matches!(e, Effect::Package(PackageCommand::Read(..))));
    let start = place(|e| matches!(e, Effect::StartRung(_)));
    let mix = place(|e| matches!(e, Effect::Mix(MixCommand::LeaveOut(..))));
    assert!(read < start && read < mix, "it is read before it is made");
    let hidden = started(&effects)[0];
    assert_eq!(hidden.view.hidden, [ParticipantId(2)].into());
    assert_eq!(hidden.spec, room.setup.rungs[0]);
    // Nobody else watches, so what the recording read before idles now, and the hidden view ends as soon as it is left.
    let (hidden, now) = (hidden.rung, now + limits::VIEW_SPACING);
    room.set_recordable(now, ParticipantId(1), false, &mut out);
    let effects: Vec<_> = out.drain().collect();
    assert_eq!(started(&effects)[0].view.hidden, [ParticipantId(1), ParticipantId(2)].into());
    assert!(stopped(&effects).contains(&hidden));
    // Whoever no longer minds stays hidden for a while, so that nobody can have a recording cut to pieces.
    room.set_recordable(now, ParticipantId(1), true, &mut out);
    room.set_recordable(now, ParticipantId(2), true, &mut out);
    assert!(out.is_empty());
    let lifted = handle(&mut room, now + limits::UNRECORDED_LINGER, Input::Due);
    assert!(started(&lifted).iter().all(|start| start.view.is_whole()));
    assert!(lifted.iter().any(|e| matches!(e, Effect::Package(PackageCommand::Read(..)))));
}

#[test]
fn a_room_ends_with_its_last_and_says_what_is_left_to_finish() {
    let (now, mut room) = (Instant::now(), room(Instant::now(), setup(Some("/nowhere/call.mp4"))));
    handle(&mut room, now, Input::Begin(None));
    let joined = join(&mut room, now, 1);
    assert!(joined.iter().any(|e| matches!(e, Effect::AddLeg(start) if start.peer == PeerId(1))));
    let (reply, _) = oneshot::channel();
    let leave = Command::Leave { resource: ResourceToken::random(), reply };
    let effects = handle(&mut room, now, Input::AskOf(PeerId(1), leave));
    assert!(effects.iter().any(|e| matches!(e, Effect::RemoveLeg(PeerId(1)))));
    assert!(effects.iter().any(|e| matches!(e, Effect::Forget(PeerId(1), _))));
    let Some(Effect::End(end)) = effects.last() else { panic!("the end comes last") };
    let RoomEnd { rungs, recording, .. } = &**end;
    assert_eq!((rungs.len(), recording.is_some()), (1, true));
    let (reply, mut answer) = oneshot::channel();
    let late = handle(&mut room, now, Input::Ask(Command::Room { room: "tested".parse().unwrap(), reply }));
    assert!(late.is_empty());
    assert_eq!(answer.try_recv().unwrap(), Err(Refusal::RoomNotFound));
}

#[test]
fn a_recording_that_a_worker_gave_up_ends_and_everyone_learns() {
    let (now, mut room) = (Instant::now(), room(Instant::now(), setup(Some("/nowhere/call.mp4"))));
    handle(&mut room, now, Input::Begin(None));
    join(&mut room, now, 1);
    let event = began(&room);
    handle(&mut room, now, Input::Worker(event));
    let (room_name, ticket) = ("tested".parse().unwrap(), room.recording.ticket().unwrap());
    let failed = Event::RecordingFailed { room: room_name, ticket };
    let effects = handle(&mut room, now, Input::Worker(failed));
    assert!(effects.iter().any(|e| matches!(e, Effect::Package(PackageCommand::Finish(_)))));
    assert!(!room.stats().recording);
    assert!(effects.iter().any(|e| matches!(e, Effect::Scene(scene::Input::Recorded(false)))));
}

fn began(room: &Room) -> Event {
    let ticket = room.recording.ticket().expect("it is to be recorded");
    Event::RecordingBegan { room: "tested".parse().unwrap(), ticket }
}

#[test]
fn everybody_is_told_of_a_recording_only_while_something_is_stored() {
    let (now, mut room) = (Instant::now(), room(Instant::now(), setup(Some("/nowhere/call.mp4"))));
    handle(&mut room, now, Input::Begin(None));
    join(&mut room, now, 1);
    let mark = |effects: &[Effect]| {
        let marks = effects.iter().filter_map(|e| match e {
            Effect::Scene(scene::Input::Recorded(marked)) => Some(*marked),
            _ => None,
        });
        marks.collect::<Vec<_>>()
    };
    let says = |room: &Room| matches!(room.state_message(&Caller::Viewer), FromNode::State { recording: true, .. });
    assert!(!room.stats().recording && !says(&room));
    let (name, ticket) = ("tested".parse::<RoomId>().unwrap(), room.recording.ticket().unwrap());
    let event = began(&room);
    let effects = handle(&mut room, now, Input::Worker(event));
    assert!(mark(&effects) == [true] && says(&room) && room.stats().recording);
    let stalled = || Input::Worker(Event::RecordingStalled { room: name.clone(), ticket });
    let effects = handle(&mut room, now, stalled());
    assert!(mark(&effects) == [false] && !says(&room) && !room.stats().recording);
    assert_eq!(room.setup.counts.record.stalled.get(), 1);
    assert!(handle(&mut room, now, stalled()).is_empty(), "told once");
    let event = began(&room);
    let effects = handle(&mut room, now, Input::Worker(event));
    assert!(mark(&effects) == [true] && says(&room), "it was tried on");
    let lost = Event::RecordingErased { room: name.clone(), ticket, wanted: false };
    assert_eq!(mark(&handle(&mut room, now, Input::Worker(lost))), [false]);
    let next = room.recording.ticket().expect("another one is asked for");
    assert!(next != ticket && !says(&room));
    let event = began(&room);
    handle(&mut room, now, Input::Worker(event));
    let erased = Event::RecordingErased { room: name, ticket: next, wanted: true };
    assert_eq!(mark(&handle(&mut room, now, Input::Worker(erased))), [false]);
    assert!(room.recording.ticket().is_none());
}

#[test]
fn a_recording_that_failed_late_does_not_end_the_one_that_came_after_it() {
    let (now, mut room) = (Instant::now(), room(Instant::now(), setup(Some("/nowhere/call.mp4"))));
    handle(&mut room, now, Input::Begin(None));
    let first = room.recording.ticket().unwrap();
    let mut out = Outbox::new();
    room.end_recording(now, &mut out);
    room.record_from_the_start(now, &mut out);
    let event = began(&room);
    handle(&mut room, now, Input::Worker(event));
    let name: RoomId = "tested".parse().unwrap();
    for late in [
        Event::RecordingFailed { room: name.clone(), ticket: first },
        Event::RecordingStalled { room: name.clone(), ticket: first },
        Event::RecordingErased { room: name.clone(), ticket: first, wanted: false },
        Event::RungFailed { room: name, rung: RungId(12_345) },
    ] {
        assert!(handle(&mut room, now, Input::Worker(late)).is_empty());
    }
    assert!(room.stats().recording);
    assert_eq!(room.setup.counts.record.failed.get(), 0);
}

#[test]
fn an_encode_that_cannot_begin_ends_the_room() {
    let (now, setup) = (Instant::now(), setup(None));
    let mut room = room(now, setup.clone());
    join(&mut room, now, 1);
    let (frames, mut out) = (Counter::default(), Outbox::new());
    let rung = room.outputs.watch(now, PeerId(1), setup.rungs[0], (&setup, &frames), &mut out);
    let effects = handle(&mut room, now, Input::RungFailed(rung, "no threads left".into()));
    assert!(matches!(effects.last(), Some(Effect::End(_))));
}

#[test]
fn a_clock_is_set_at_each_minute() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    let (reply, _) = oneshot::channel();
    let name = "tested".parse().unwrap();
    let branding = crate::io::api::BrandingChange::Clock(true);
    handle(&mut room, now, Input::Ask(Command::SetBranding { room: name, branding, reply }));
    let due = room.deadline().expect("the minute ends");
    assert!(due > now && due <= now + Duration::from_secs(60));
    assert!(handle(&mut room, due - Duration::from_millis(1), Input::Due).is_empty());
    let effects = handle(&mut room, due, Input::Due);
    assert!(matches!(effects[..], [Effect::Scene(scene::Input::Clock(_))]));
    assert_eq!(room.deadline(), Some(due + Duration::from_secs(60)));
}

fn is_shown(effects: &[Effect], number: u64) -> bool {
    let shown =
        |e: &Effect| matches!(e, Effect::Scene(scene::Input::Joined { participant, .. }) if participant.0 == number);
    effects.iter().any(shown)
}

fn reads(effects: &[Effect]) -> usize {
    effects.iter().filter(|e| matches!(e, Effect::Package(PackageCommand::Read(..)))).count()
}

#[test]
fn a_view_is_made_once_for_all_who_come_within_seconds_and_nobody_is_seen_before() {
    let now = Instant::now();
    let mut room = room(now, setup(Some("/nowhere/call.mp4")));
    handle(&mut room, now, Input::Begin(None));
    let first = come(&mut room, now, 1, false);
    assert_eq!((reads(&first), is_shown(&first, 1)), (1, true), "the first one comes in at once");
    let read = first.iter().position(|e| matches!(e, Effect::Package(PackageCommand::Read(..)))).unwrap();
    let entered = first.iter().position(|e| matches!(e, Effect::Net(NetCommand::EnterRoom { .. }))).unwrap();
    assert!(read < entered, "the recording reads on without them before anything of theirs is there");
    let barred = room.current_generation.load(Ordering::Acquire);
    let mut later = now;
    for number in 2..=50 {
        later += Duration::from_millis(20);
        let effects = come(&mut room, later, number, false);
        assert_eq!((reads(&effects), is_shown(&effects, number)), (0, false), "{number}");
        let started = NetEvent::TrackStarted { peer: PeerId(number), kind: TrackKind::Camera, codec: Codec::Av1 };
        let effects = handle(&mut room, later, Input::Net(started));
        assert!(!effects.iter().any(|e| matches!(e, Effect::AddTrack(_))), "{number} is not decoded either");
    }
    assert_eq!(room.current_generation.load(Ordering::Acquire), barred, "the recording goes on meanwhile");
    let consenting = come(&mut room, later, 51, true);
    assert!(is_shown(&consenting, 51), "who minds nothing waits for nothing");
    let due = room.deadline().expect("the view is to be made");
    let effects = handle(&mut room, now + limits::VIEW_SPACING, Input::Due);
    assert!(due <= now + limits::VIEW_SPACING);
    assert_eq!((reads(&effects), started(&effects).len()), (1, 1), "one for all of them");
    assert_eq!(started(&effects)[0].view.hidden.len(), 50);
    assert!((2..=50).all(|number| is_shown(&effects, number)));
    let tracks = effects.iter().filter(|e| matches!(e, Effect::AddTrack(_))).count();
    assert_eq!(tracks, 49, "what they sent meanwhile is decoded from now on");
}

#[test]
fn who_says_no_a_moment_after_another_is_barred_at_once_and_hidden_soon() {
    let now = Instant::now();
    let mut room = room(now, setup(Some("/nowhere/call.mp4")));
    handle(&mut room, now, Input::Begin(None));
    (1..=3).for_each(|number| drop(come(&mut room, now, number, true)));
    let mut out = Outbox::new();
    room.set_recordable(now, ParticipantId(1), false, &mut out);
    assert_eq!(reads(&out.drain().collect::<Vec<_>>()), 1);
    let before = room.current_generation.load(Ordering::Acquire);
    let soon = now + Duration::from_millis(100);
    room.set_recordable(soon, ParticipantId(2), false, &mut out);
    room.set_recordable(soon, ParticipantId(3), false, &mut out);
    assert_eq!(reads(&out.drain().collect::<Vec<_>>()), 0);
    assert!(room.current_generation.load(Ordering::Acquire) > before, "what was read takes nothing more");
    let effects = handle(&mut room, now + limits::VIEW_SPACING, Input::Due);
    assert_eq!((reads(&effects), started(&effects)[0].view.hidden.len()), (1, 3));
    // With the recording ends what it waited for, too.
    let effects = come(&mut room, now + limits::VIEW_SPACING, 4, false);
    assert!(!is_shown(&effects, 4));
    let ticket = room.recording.ticket().expect("it is recorded");
    let failed = Event::RecordingFailed { room: "tested".parse().unwrap(), ticket };
    let effects = handle(&mut room, now + limits::VIEW_SPACING, Input::Worker(failed));
    assert!(is_shown(&effects, 4));
}

/// What one connection is told of who is here.
fn rosters(effects: &[Effect], to: u64) -> Vec<usize> {
    let mut told = Vec::new();
    for effect in effects {
        if let Effect::Net(NetCommand::Signal { peer, kind: WordKind::Room, text }) = effect
            && *peer == PeerId(to)
            && let Ok(Some(FromNode::Room { participants })) = FromNode::parse(text)
        {
            told.push(participants.iter().filter(|person| person.hand).count());
        }
    }
    told
}

#[test]
fn the_roster_is_told_ten_times_a_second_and_the_last_change_always() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    (1..=2).for_each(|number| drop(come(&mut room, now, number, true)));
    let (mut told, mut at) = (Vec::new(), now);
    for n in 0..7_000_u64 {
        at = now + Duration::from_micros(n * 1_000_000 / 7_000);
        if room.deadline().is_some_and(|deadline| deadline <= at) {
            told.extend(rosters(&handle(&mut room, at, Input::Due), 2));
        }
        let text = format!(r#"{{"v":1,"type":"hand","raised":{}}}"#, n % 2 == 0);
        told.extend(rosters(&handle(&mut room, at, Input::Net(NetEvent::Signal { peer: PeerId(1), text })), 2));
    }
    assert!((9..=11).contains(&told.len()), "{}", told.len());
    let text = r#"{"v":1,"type":"hand","raised":true}"#.to_owned();
    told.extend(rosters(&handle(&mut room, at, Input::Net(NetEvent::Signal { peer: PeerId(1), text })), 2));
    let due = room.deadline().expect("the last change is told");
    assert!(due <= at + limits::SIGNAL_SPACING);
    told.extend(rosters(&handle(&mut room, due, Input::Due), 2));
    assert_eq!(told.last(), Some(&1), "the newest state is never lost");
}

#[test]
fn where_tiles_lie_is_told_when_it_changes_and_not_when_somebody_speaks() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    come(&mut room, now, 1, true);
    let (mut core, mut out) = (scene::SceneCore::new(Size::new(1280, 720)), Outbox::new());
    let mut at = now;
    let mut told = |input: scene::Input| {
        at += limits::SIGNAL_SPACING;
        core.handle(at, input, &mut out);
        let shown = Event::SceneChanged {
            room: room.name.clone(),
            scene: core.scene(),
            passage: Passage::default(),
            page: 0,
            pages: 1,
        };
        let effects = handle(&mut room, at, Input::Worker(shown));
        let scenes = |effect: &&Effect| matches!(effect, Effect::Net(NetCommand::Signal { kind: WordKind::Scene, .. }));
        effects.iter().filter(scenes).count()
    };
    let participant = ParticipantId(1);
    told(scene::Input::Joined { participant, name: "Anna".into() });
    assert_eq!(told(scene::Input::Joined { participant: ParticipantId(2), name: "Bert".into() }), 1);
    for speaking in [true, false, true] {
        assert_eq!(told(scene::Input::Speaking { participant, speaking }), 0, "no tile moved");
    }
    assert_eq!(told(scene::Input::Left { participant: ParticipantId(2) }), 1);
}

#[test]
fn a_full_room_takes_nobody_and_says_so_before() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    for number in 0..limits::PARTICIPANTS_MAX as u64 {
        assert_eq!(room.takes(PeerRole::Publisher(ParticipantId(number))), Ok(()));
        join(&mut room, now, number);
    }
    let one_more = PeerRole::Participant(ParticipantId(1_000));
    assert_eq!(room.takes(one_more), Err(Refusal::RoomFull));
    assert_eq!(room.takes(PeerRole::Viewer { minus: None }), Ok(()));
    assert_eq!(room.takes(PeerRole::Viewer { minus: one_more.participant() }), Err(Refusal::ParticipantNotFound));
    come(&mut room, now, 1_000, true);
    assert!(!room.has(PeerId(1_000)), "whoever comes too late stays outside");
}

#[test]
fn hostile_texts_of_a_guest_are_obeyed_or_refused() {
    let mut now = Instant::now();
    let mut room = room(now, setup(None));
    join(&mut room, now, 1);
    let layout = serde_json::json!({"preset": "custom", "regions": [{"x": 0, "y": 0, "width": 0.5, "height": 1}]});
    let right = [
        FromClient::State { muted: true, camera: false, screen: true },
        FromClient::Layout { layout: Some(layout), page: Some(2) },
        FromClient::Hand { raised: true },
        FromClient::Talk { talking: true },
        FromClient::Record { recording: true },
        FromClient::Recordable { recordable: false },
        FromClient::Offer { sdp: "v=0".into() },
    ]
    .map(|message| message.encode());
    let (mut mutator, mut effects) = (Mutator::new(4), 0);
    for _ in 0..rounds() {
        now += Duration::from_millis(20);
        let text = mutator.text(&right);
        effects += handle(&mut room, now, Input::Net(NetEvent::Signal { peer: PeerId(1), text })).len();
        if room.deadline().is_some_and(|deadline| deadline <= now) {
            handle(&mut room, now, Input::Due);
        }
        // One of the messages is that they leave.
        if room.stats().participants == 0 {
            room = self::room(now, setup(None));
            join(&mut room, now, 1);
        }
    }
    assert!(effects > 0, "not one was obeyed");
}

/// What camera senders are asked for, by connection: columns and frames a second.
fn asked(effects: &[Effect]) -> Vec<(PeerId, u32, u32)> {
    let words = effects.iter().filter_map(|effect| match effect {
        Effect::Net(NetCommand::Signal { peer, text, .. }) => Some((*peer, text)),
        _ => None,
    });
    let asks = words.filter_map(|(peer, text)| match serde_json::from_str(text).ok()? {
        FromNode::Send { width, fps, .. } => Some((peer, width, fps)),
        _ => None,
    });
    asks.collect()
}

/// A picture of `people` of whom one speaks, as the room's canvas tells it.
fn laid_out(people: u64, speaker: u64) -> Event {
    let mut core = scene::SceneCore::new(Size::new(1280, 720));
    let (now, mut out) = (Instant::now(), Outbox::new());
    for number in 1..=people {
        let participant = ParticipantId(number);
        core.handle(now, scene::Input::Joined { participant, name: String::new() }, &mut out);
        core.handle(now, scene::Input::CameraFrame { participant }, &mut out);
    }
    core.handle(now, scene::Input::Speaking { participant: ParticipantId(speaker), speaking: true }, &mut out);
    Event::SceneChanged {
        room: "tested".parse().unwrap(),
        scene: core.scene(),
        passage: Passage::default(),
        page: 0,
        pages: 1,
    }
}

#[test]
fn a_crowd_is_asked_for_half_the_frames_and_who_speaks_for_all() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    for number in 1..=100 {
        come(&mut room, now, number, true);
    }
    let told = handle(&mut room, now, Input::Worker(laid_out(100, 7)));
    let told = asked(&told);
    assert_eq!(told.len(), 100);
    for (peer, width, fps) in told {
        assert_eq!((width, fps), (160, if peer == PeerId(7) { 30 } else { 15 }), "{peer:?}");
    }
    let told = handle(&mut room, now, Input::Worker(laid_out(100, 8)));
    assert_eq!(asked(&told), [(PeerId(8), 160, 30)], "at once; less is asked for after a while");
    let signals = told.iter().filter(|effect| matches!(effect, Effect::Net(NetCommand::Signal { .. }))).count();
    assert_eq!(signals, 1, "no tile moved, so nobody hears of it");
}

#[test]
fn what_a_room_gives_up_is_asked_of_its_senders_and_told_to_who_asks() {
    let now = Instant::now();
    let mut room = room(now, setup(None));
    for number in 1..=4 {
        come(&mut room, now, number, true);
    }
    let told = handle(&mut room, now, Input::Worker(laid_out(4, 1)));
    assert!(asked(&told).iter().all(|(_, width, fps)| (*width, *fps) == (640, 30)));
    let relieve = |room: &mut Room, now: Instant, relief: Relief| {
        // Nobody waits to see whether that lasts.
        let mut told = handle(room, now, Input::Worker(Event::Relief { room: "tested".parse().unwrap(), relief }));
        told.extend(handle(room, now + 2 * limits::SIGNAL_SPACING, Input::Due));
        asked(&told)
    };
    let told = relieve(&mut room, now, Relief::TileRate);
    assert_eq!(told, [2, 3, 4].map(|peer| (PeerId(peer), 640, 15)));
    let later = now + Duration::from_secs(10);
    let told = relieve(&mut room, later, Relief::TileSize);
    assert_eq!(told[0], (PeerId(1), 320, 30));
    assert_eq!(told[1..], [2, 3, 4].map(|peer| (PeerId(peer), 320, 15)));
    assert_eq!(room.setup.counts.node.reliefs.get(), 2);
    let (reply, mut answer) = oneshot::channel();
    handle(&mut room, later, Input::Ask(Command::Room { room: "tested".parse().unwrap(), reply }));
    assert_eq!(answer.try_recv().unwrap().unwrap().gives_up, "tile size");
}

#[test]
fn who_sends_too_much_is_told_and_off_in_the_roster_until_it_sends_less() {
    let (mut at, setup) = (Instant::now(), setup(None));
    let mut room = room(at, setup);
    (1..=2).for_each(|number| drop(come(&mut room, at, number, true)));
    let (peer, kind) = (PeerId(1), TrackKind::Camera);
    let began = NetEvent::TrackStarted { peer, kind, codec: Codec::Vp8 };
    let _ = handle(&mut room, at, Input::Net(began));
    for is_over in [true, false] {
        at += 2 * limits::SIGNAL_SPACING;
        let mut effects = handle(&mut room, at, Input::Net(NetEvent::Excess { peer, kind, is_over }));
        at += 2 * limits::SIGNAL_SPACING;
        effects.extend(handle(&mut room, at, Input::Due));
        let said = |to: u64, kind: WordKind| {
            let mut texts = effects.iter().filter_map(|effect| match effect {
                Effect::Net(NetCommand::Signal { peer, kind: said, text }) => {
                    (*peer == PeerId(to) && *said == kind).then_some(text)
                }
                _ => None,
            });
            texts.next_back().map(ToString::to_string).unwrap_or_default()
        };
        assert_eq!(said(1, WordKind::Problem).contains("not-shown"), is_over);
        assert!(said(2, WordKind::Problem).is_empty(), "nobody else is bothered");
        let Ok(Some(FromNode::Room { participants })) = FromNode::parse(&said(2, WordKind::Room)) else {
            panic!("the roster is told")
        };
        assert_eq!(participants.iter().map(|person| person.camera).collect::<Vec<_>>(), [!is_over, false]);
    }
}
