//! Rooms that are shown at once, without an encoder, and what requests find of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::base::limits;
use crate::base::media::{Codec, EncodedFrame, MixTick, RoomEpoch, RoomId, RungSpec, Size, Wallclock, pts_from_tick};
use crate::core::bitstream::opus;
use crate::core::hls::{AskedPlaylist, PartId, PlaylistChecker, Wanted};
use crate::engine::encode::EncoderChoice;
use crate::engine::flow::{Counter, Fan, Waker};

/// 640×360 by libaom, as it opens a keyframe.
const SEQUENCE_HEADER: &[u8] = &[0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10];
/// One OBU_FRAME of three bytes.
const FRAME: &[u8] = &[0x32, 0x03, 1, 2, 3];
const FPS: u32 = 10;

fn rooms(len_max: usize) -> (LiveRooms, LiveCounters) {
    let (window, counters) = (Duration::from_secs(60), LiveCounters::default());
    let setup = LiveSetup {
        window,
        len_max,
        any_origin: false,
        encoder: EncoderChoice::Aom,
        threads: 1,
        captions_always: false,
        captions_language: Some("en".into()),
    };
    (LiveRooms::new(setup, counters.clone()), counters)
}

/// A room of one rung, and its packager.
struct Shown {
    name: RoomId,
    live: Arc<LiveRoom>,
    epoch: RoomEpoch,
    video: Fan<EncodedFrame>,
    sound: Fan<MixTick>,
    packager: Option<LivePackager>,
    /// Tenths of a second that were shown.
    tenths: u64,
}

impl Shown {
    fn begin(rooms: &LiveRooms, name: &str) -> Self {
        let epoch = RoomEpoch { instant: Instant::now(), wallclock: Wallclock(1_790_000_000_000_000_000) };
        let spec = RungSpec { codec: Codec::Av1, size: Size::new(640, 360), fps: FPS, bitrate: 500_000 };
        let name: RoomId = name.parse().unwrap();
        let live = rooms.begin(&name, epoch, &[spec]).unwrap();
        let (video, sound) = (Fan::new(Counter::default()), Fan::new(Counter::default()));
        let mut shown = Self { name, live, epoch, video, sound, packager: None, tenths: 0 };
        shown.package();
        shown
    }

    /// Its packager goes, and another one comes.
    fn package(&mut self) {
        self.packager = None;
        let waker = Waker::new().unwrap();
        let pictures = self.video.subscribe(limits::HLS_FAN_LEN, waker.clone());
        let sounds = self.sound.subscribe(limits::HLS_FAN_LEN, waker);
        self.rung().set_on(true);
        self.packager = Some(LivePackager::new(self.live.clone(), 0, pictures, sounds));
    }

    /// So much of a call, at once; it begins with a keyframe, as what is packaged does.
    fn play(&mut self, tenths: u64) {
        for n in self.tenths..self.tenths + tenths {
            for tick in n * 5..(n + 1) * 5 {
                let (pts, data) = (pts_from_tick(tick, 50), Bytes::from_static(opus::SILENCE));
                let shared = EncodedFrame { codec: Codec::Opus, data, pts, keyframe: true };
                let wallclock = self.epoch.wallclock_at(pts);
                let tick = MixTick { pts, wallclock, shared, silent: true, minus: Vec::new(), redacted: None };
                self.sound.publish(&Arc::new(tick));
            }
            let (pts, keyframe) = (pts_from_tick(n, FPS), n == self.tenths || n.is_multiple_of(40));
            let data = if keyframe { [SEQUENCE_HEADER, FRAME].concat() } else { FRAME.to_vec() };
            let frame = EncodedFrame { codec: Codec::Av1, data: data.into(), pts, keyframe };
            self.video.publish(&Arc::new(frame));
            let packager = self.packager.as_mut().expect("it is packaged");
            assert!(packager.poll(self.epoch.instant));
        }
        self.tenths += tenths;
    }

    fn rung(&self) -> &LiveRung {
        &self.live.rungs[0]
    }

    fn full(&self) -> String {
        String::from_utf8(self.rung().edge().unwrap().full.plain().to_vec()).unwrap()
    }

    /// A player at low latency that has all there is.
    fn player(&self) -> PlaylistChecker {
        let mut player = PlaylistChecker::default();
        player.take(&self.full(), AskedPlaylist::default()).unwrap();
        player
    }
}

#[tokio::test]
async fn a_room_that_ended_can_be_played_to_its_end_and_is_gone_then() {
    let (rooms, counters) = rooms(1 << 20);
    let mut shown = Shown::begin(&rooms, "shown");
    let now = shown.epoch.instant;
    shown.live.note_viewer(now, false);
    shown.play(95);
    let (mut player, last) = (shown.player(), shown.rung().last().unwrap());
    let wanted = player.next();
    // Who waits for what would come is answered with the end; the part that was announced never comes.
    let hinted = PartId { msn: last.msn, part: last.part + 1 };
    let (edge, part, ()) =
        tokio::join!(shown.rung().follow(wanted, || Some(())), shown.rung().part(hinted, || Some(())), async {
            rooms.end(&shown.name, &shown.live, now);
        });
    assert_eq!(part.map(|_| ()), Err(Missing::Unknown));
    let text = String::from_utf8(edge.unwrap().full.plain().to_vec()).unwrap();
    let news = player.take(&text, AskedPlaylist { wanted, skips: true }).unwrap();
    assert!(news.is_over && text.ends_with("\n2.m4s\n#EXT-X-ENDLIST\n"), "{text}");
    assert!(!text.contains("PRELOAD") && !text.contains("REPORT"), "{text}");

    assert!(rooms.room(&shown.name).is_none() && rooms.run(&shown.name, "other").is_none());
    let kept = rooms.run(&shown.name, &shown.live.run).expect("who was in it finds it");
    let (rung, edge) = (&kept.rungs[0], kept.rungs[0].edge().unwrap());
    assert!((0..=2).all(|msn| edge.window.segment(msn).unwrap().is_whole) && edge.window.init(0).is_some());
    assert_eq!(rung.part(last, || None::<()>).await.map(|edge| edge.window.last()), Ok(Some(last)));
    for wanted in [Wanted { msn: Some(99), part: None }, Wanted { msn: None, part: Some(1) }, Wanted::default()] {
        assert!(rung.follow(wanted, || None::<()>).await.is_ok(), "{wanted:?}");
    }
    // Its packager may not know yet.
    shown.play(20);
    assert_eq!((shown.rung().last(), counters.viewers.get()), (Some(last), 0));
    drop(shown.packager.take());
    assert!(rung.is_over() && rung.edge().is_some());

    let until = now + kept.kept();
    assert_eq!(rooms.forget(until - Duration::from_millis(1)), Some(until));
    assert_eq!(rooms.forget(until), None);
    assert!(rooms.run(&shown.name, &shown.live.run).is_none());
}

#[test]
fn of_rooms_that_ended_as_many_are_kept_as_memory_allows() {
    let ended = |rooms: &LiveRooms, n: usize| {
        let mut shown = Shown::begin(rooms, &format!("shown-{n}"));
        shown.play(6);
        rooms.end(&shown.name, &shown.live, shown.epoch.instant);
        shown
    };
    let is_kept = |rooms: &LiveRooms, shown: &Shown| rooms.run(&shown.name, &shown.live.run).is_some();
    let (many, _) = rooms(1 << 20);
    let all: Vec<Shown> = (0..=limits::HLS_ENDED_MAX).map(|n| ended(&many, n)).collect();
    assert!(!is_kept(&many, &all[0]) && all[1..].iter().all(|shown| is_kept(&many, shown)));
    let len = all[0].rung().edge().unwrap().window.bytes();
    // All together may hold three of them.
    let (small, _) = rooms((3 * len).div_ceil(limits::HLS_ENDED_WINDOWS));
    let all: Vec<Shown> = (0..4).map(|n| ended(&small, n)).collect();
    let kept: Vec<bool> = all.iter().map(|shown| is_kept(&small, shown)).collect();
    assert_eq!(kept, [false, true, true, true]);
    // One of which nothing is there yet.
    let none = Shown::begin(&many, "none");
    many.end(&none.name, &none.live, none.epoch.instant);
    assert!(!is_kept(&many, &none) && none.rung().is_over());
}

#[tokio::test]
async fn of_a_rung_that_is_withdrawn_the_pieces_stay_for_a_while_and_players_go_elsewhere_at_once() {
    let (rooms, _) = rooms(1 << 20);
    let mut shown = Shown::begin(&rooms, "shown");
    shown.play(95);
    let (next, last, until) = (shown.player().next(), shown.rung().last().unwrap(), Instant::now());
    let (waited, ()) = tokio::join!(shown.rung().follow(next, || Some(())), async { shown.rung().withdraw(until) });
    assert_eq!(waited.map(|_| ()), Err(Missing::Gone));
    assert_eq!(shown.rung().follow(Wanted::default(), || Some(())).await.map(|_| ()), Err(Missing::Gone));
    // Its packager ends a moment later, and may have made another part.
    shown.play(10);
    drop(shown.packager.take());
    assert_eq!(shown.rung().withdrawn_until(), Some(until));
    assert_eq!(shown.rung().part(last, || Some(())).await.map(|edge| edge.window.last()), Ok(Some(last)));
    assert!(shown.rung().edge().unwrap().window.segment(1).is_some());
    shown.rung().forget();
    assert!(shown.rung().edge().is_none() && shown.rung().withdrawn_until().is_none());
    // It comes back.
    shown.package();
    shown.play(90);
    assert!(shown.rung().follow(Wanted::default(), || Some(())).await.is_ok());
    // Again, before what was withdrawn is let go of: who asks waits for it, and no other rung tells how far it was.
    shown.rung().withdraw(until);
    drop(shown.packager.take());
    shown.package();
    assert_eq!(shown.rung().last(), None);
    let live = shown.live.clone();
    let (waited, ()) = tokio::join!(live.rungs[0].follow(Wanted::default(), || Some(())), async { shown.play(190) });
    assert!(waited.is_ok());
}

#[test]
fn a_rung_that_begins_again_uses_no_name_twice() {
    let (rooms, _) = rooms(1 << 20);
    let mut shown = Shown::begin(&rooms, "shown");
    shown.play(93);
    assert_eq!(shown.rung().last(), Some(PartId { msn: 2, part: 2 }));
    shown.package();
    assert!(shown.rung().edge().is_none());
    // Its first keyframe lies in the segment of which parts were named.
    shown.play(27);
    assert!(shown.rung().edge().is_none(), "it waits for the next one");
    shown.play(6);
    let edge = shown.rung().edge().unwrap();
    assert_eq!(edge.window.listed().map(|segment| segment.msn).collect::<Vec<_>>(), [3]);
    assert!(shown.full().contains("URI=\"init-3.mp4\""), "{}", shown.full());
}

#[tokio::test]
async fn only_who_waits_needs_a_place() {
    let (rooms, counters) = rooms(1 << 20);
    let mut shown = Shown::begin(&rooms, "shown");
    let crowded = || rooms.place(None).and(None::<()>);
    assert_eq!(shown.rung().follow(Wanted::default(), crowded).await.map(|_| ()), Err(Missing::Crowded));
    shown.play(93);
    let last = shown.rung().last().unwrap();
    for wanted in [Wanted::default(), Wanted { msn: Some(last.msn), part: Some(last.part) }] {
        assert!(shown.rung().follow(wanted, crowded).await.is_ok(), "{wanted:?}");
    }
    assert!(shown.rung().part(last, crowded).await.is_ok());
    let far = Wanted { msn: Some(99), part: None };
    assert_eq!(shown.rung().follow(far, crowded).await.map(|_| ()), Err(Missing::Unknown));
    let next = PartId { part: last.part + 1, ..last };
    assert_eq!(shown.rung().part(next, crowded).await.map(|_| ()), Err(Missing::Crowded));
    assert_eq!(shown.rung().follow(shown.player().next(), crowded).await.map(|_| ()), Err(Missing::Crowded));
    let places: Vec<_> = std::iter::from_fn(|| rooms.place(None)).collect();
    assert_eq!((places.len(), counters.refused.get()), (limits::HLS_BLOCKED_MAX / 2, 1));
}

#[test]
fn a_playlist_is_packed_once_for_all_who_ask() {
    let (rooms, _) = rooms(1 << 20);
    let mut shown = Shown::begin(&rooms, "shown");
    shown.play(350);
    let (edge, mut count) = (shown.rung().edge().unwrap(), 0);
    for text in [&edge.full, &edge.delta, &edge.full, &edge.delta] {
        let packed = text.packed(|plain| {
            count += 1;
            plain.iter().rev().copied().collect::<Vec<u8>>().into()
        });
        assert!(packed.iter().rev().eq(text.plain()));
    }
    assert_eq!(count, 2);
}
