//! Long runs with cuts at random, held against the rules by the checker; and what the checker would not let pass.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::base::limits;
use crate::base::media::{Codec, EncodedFrame, NANOS_PER_SECOND, Pts, RoomEpoch, Wallclock};

/// 640×360 by libaom, as it opens a keyframe.
const SEQUENCE_HEADER: &[u8] = &[0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10];
/// One OBU_FRAME of three bytes.
const FRAME: &[u8] = &[0x32, 0x03, 1, 2, 3];
const FPS: u64 = 30;

fn frame(tick: u64, keyframe: bool) -> EncodedFrame {
    let data: Bytes = if keyframe { [SEQUENCE_HEADER, FRAME].concat().into() } else { Bytes::from_static(FRAME) };
    EncodedFrame { codec: Codec::Av1, data, pts: Pts(tick * NANOS_PER_SECOND / FPS), keyframe }
}

fn window(seconds: u64, len_max: usize) -> Window {
    let epoch = RoomEpoch { instant: std::time::Instant::now(), wallclock: Wallclock(1_790_000_000_000_000_000) };
    Window::new(WindowSetup { span: std::time::Duration::from_secs(seconds), len_max, epoch })
}

/// A rung and the one who watches it.
struct Run {
    muxer: LiveMuxer,
    window: Window,
    whole: PlaylistChecker,
    delta: PlaylistChecker,
    parts: Vec<MadePart>,
}

impl Run {
    fn new(seconds: u64) -> Self {
        let (whole, delta) = Default::default();
        Self { muxer: LiveMuxer::new(), window: window(seconds, 1 << 20), whole, delta, parts: Vec::new() }
    }

    /// A tick of pictures, perhaps lost, and the sound that belongs to it.
    fn tick(&mut self, tick: u64, keyframe: bool, picture: bool, sound: bool) {
        let pts = frame(tick, false).pts;
        if sound {
            for packet in (pts.0 / 20_000_000)..(frame(tick + 1, false).pts.0 / 20_000_000) {
                self.muxer.sound(Pts(packet * 20_000_000), Bytes::from_static(b"sound"));
            }
        }
        if picture {
            self.muxer.picture(&frame(tick, keyframe), false);
        }
        while let Some(part) = self.muxer.next_part(pts) {
            self.window.add(part.clone());
            self.parts.push(part);
            self.watch();
        }
    }

    fn watch(&mut self) {
        let reports = [Report { uri: "../av1-320x180/index.m3u8".into(), last: self.window.last().unwrap() }];
        let playlist = media_playlist(&self.window, &reports).unwrap();
        for (checker, text, skips) in
            [(&mut self.whole, &playlist.full, false), (&mut self.delta, &playlist.delta, true)]
        {
            let asked = AskedPlaylist { wanted: checker.next(), skips: skips && checker.last().is_some() };
            // A player that knows nothing asks for all.
            let text = if checker.last().is_some() { text } else { &playlist.full };
            checker.take(text, asked).unwrap_or_else(|broken| panic!("{broken}\n{text}"));
        }
        assert_eq!(self.whole.last(), self.window.last());
    }

    /// Each part holds the samples that it should.
    fn check_media(&self) {
        let (mut sound, mut picture) = (None, None);
        for part in &self.parts {
            let mut rest = &part.bytes[..];
            let moof = <mp4_atom::Moof as mp4_atom::Decode>::decode(&mut rest).unwrap();
            for traf in &moof.traf {
                let start = traf.tfdt.as_ref().unwrap().base_media_decode_time;
                let samples: Vec<_> = traf.trun[0].samples.iter().collect();
                if traf.tfhd.track_id == crate::core::fmp4::SOUND_TRACK {
                    assert!(sound.is_none_or(|end| end == start), "no packet of sound is missing");
                    sound = Some(start + samples.len() as u64 * 960);
                } else {
                    assert!(picture.is_none_or(|end: u64| end.abs_diff(start) <= 1), "no hole between pictures");
                    let span: u64 = samples.iter().map(|sample| u64::from(sample.duration.unwrap())).sum();
                    picture = Some(start + span);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Pictures and sound are lost at random, viewers ask for keyframes at random, stalls happen.
    #[test]
    fn whatever_is_lost_playlists_keep_the_rules_and_nothing_jumps(
        start in 1..2_000_u64,
        window in 16..80_u64,
        seed in proptest::collection::vec((0..100_u8, 0..100_u8, 0..100_u8), 64),
    ) {
        let mut run = Run::new(window);
        let (mut pending, mut stalled) = (true, 0_u32);
        for n in 0..FPS * 150 {
            let tick = start + n;
            let (picture, sound, asks) = seed[(n * 7 % 61) as usize];
            let crosses = tick * 1000 / FPS / 4000 != (tick - 1) * 1000 / FPS / 4000;
            pending |= crosses || n == 0 || asks > 97;
            if n % 971 == 970 {
                stalled = 20;
            }
            stalled = stalled.saturating_sub(1);
            let comes = (picture < 90 && stalled == 0) || n == 0;
            run.tick(tick, pending, comes, sound < 95);
            pending &= !comes;
        }
        prop_assert!(run.parts.len() > 360, "{}", run.parts.len());
        run.check_media();
    }
}

#[test]
fn rungs_that_begin_at_different_times_have_parts_and_segments_at_the_same() {
    let spans = |start: u64| {
        let mut run = Run::new(60);
        for n in 0..FPS * 20 {
            let tick = start + n;
            run.tick(tick, n == 0 || tick.is_multiple_of(4 * FPS), true, true);
        }
        let parts = run.parts.into_iter().skip(1);
        parts.map(|part| (part.msn, part.from, part.span, part.is_last)).collect::<Vec<_>>()
    };
    let (early, late) = (spans(100), spans(217));
    let from = early.iter().position(|part| *part == late[0]).expect("on one grid");
    assert!(early[from..].iter().zip(&late).all(|(early, late)| early == late));
    assert!(late.iter().all(|(_, _, span, _)| *span == limits::HLS_PART_SPAN));
}

#[test]
fn a_part_waits_for_what_is_late_and_not_for_ever() {
    let mut run = Run::new(60);
    for tick in 0..30 {
        run.tick(tick, tick == 0, true, false);
    }
    assert!(run.parts.is_empty(), "its sound is missing");
    let until = run.muxer.deadline().unwrap();
    assert_eq!(until, Pts(0) + limits::HLS_PART_SPAN + limits::HLS_PATIENCE_SPAN);
    assert!(run.muxer.next_part(Pts(until.0 - 1)).is_none());
    assert!(run.muxer.next_part(until).is_some(), "silence fills it");
}

#[test]
fn requests_wait_for_what_is_near_and_are_refused_what_is_far() {
    let mut run = Run::new(60);
    for tick in 0..FPS * 9 {
        run.tick(tick, tick.is_multiple_of(4 * FPS), true, true);
    }
    let last = run.window.last().unwrap();
    assert_eq!(last, PartId { msn: 2, part: 1 });
    let judge = |msn, part| Wanted { msn, part }.judge(&run.window);
    assert_eq!(judge(None, None), Reload::Now);
    assert_eq!(judge(None, Some(0)), Reload::NoSegment);
    assert_eq!((judge(Some(1), None), judge(Some(2), None)), (Reload::Now, Reload::Later));
    assert_eq!((judge(Some(2), Some(1)), judge(Some(2), Some(2))), (Reload::Now, Reload::Later));
    // Beyond a segment's last part it is the next segment's first.
    assert_eq!(judge(Some(1), Some(99)), Reload::Now);
    assert_eq!((judge(Some(4), Some(0)), judge(Some(5), None)), (Reload::Later, Reload::TooFar));
    assert_eq!((judge(Some(2), Some(9)), judge(Some(2), Some(10))), (Reload::Later, Reload::TooFar));
    assert_eq!(judge(Some(u64::MAX), Some(u64::MAX)), Reload::TooFar);
    assert_eq!(run.window.judge(PartId { msn: 2, part: 2 }), Reload::Later);
    assert_eq!(run.window.judge(PartId { msn: 2, part: 3 }), Reload::TooFar);
    assert_eq!(run.window.judge(PartId { msn: 1, part: 9 }), Reload::Now);
    assert_eq!(run.window.judge(PartId { msn: 1, part: 10 }), Reload::TooFar);
    assert_eq!(Wanted { msn: Some(7), part: None }.judge(&window(60, 1)), Reload::Later, "nothing is there yet");
    let mut young = window(60, 1 << 20);
    young.add(run.parts[0].clone());
    assert_eq!(Wanted::default().judge(&young), Reload::Later, "who knows no parts would find nothing");
}

#[test]
fn what_leaves_the_list_stays_as_long_as_lists_that_name_it_and_memory_is_bounded() {
    let mut run = Run::new(20);
    for tick in 0..FPS * 120 {
        run.tick(tick, tick.is_multiple_of(4 * FPS), true, true);
    }
    let first = run.window.listed().next().unwrap().msn;
    assert!((24..=26).contains(&first), "{first}");
    assert!(run.window.segment(first - 6).is_some(), "a player may have read the old list just now");
    assert!(run.window.segment(first - 8).is_none());
    let mut tight = window(600, 50_000);
    for part in &run.parts {
        tight.add(part.clone());
    }
    assert!(tight.bytes() <= 50_000, "{}", tight.bytes());
    assert!(tight.listed().count() >= 4);
}

#[test]
fn a_playlist_that_is_over_says_so_and_promises_nothing() {
    let mut run = Run::new(60);
    for tick in 0..FPS * 41 {
        run.tick(tick, tick.is_multiple_of(4 * FPS), true, true);
    }
    let reports = [Report { uri: "../av1-320x180/index.m3u8".into(), last: run.window.last().unwrap() }];
    let wanted = run.whole.next();
    run.window.end();
    let MediaPlaylist { full, delta } = media_playlist(&run.window, &reports).unwrap();
    assert!(full == delta && full.ends_with("\n10.m4s\n#EXT-X-ENDLIST\n"), "{full}");
    for wanted in [wanted, Wanted { msn: Some(99), part: None }, Wanted { msn: None, part: Some(1) }] {
        assert_eq!(wanted.judge(&run.window), Reload::Now);
        for mut player in [run.whole.clone(), run.delta.clone(), PlaylistChecker::default()] {
            let news = player.take(&full, AskedPlaylist { wanted, skips: true }).unwrap();
            assert!(news.is_over && news.parts.len() < 40);
            assert!(player.take(&full.replace("#EXT-X-ENDLIST\n", ""), AskedPlaylist::default()).is_err());
        }
    }
    assert_eq!(run.window.judge(PartId { msn: 10, part: 3 }), Reload::TooFar);
    for broken in [
        full.replace("#EXT-X-ENDLIST", "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"10.3.m4s\"\n#EXT-X-ENDLIST"),
        full.replace("\n10.m4s\n", "\n"),
    ] {
        assert!(PlaylistChecker::default().take(&broken, AskedPlaylist::default()).is_err(), "{broken}");
    }
}

#[test]
fn a_run_that_does_not_follow_begins_anew() {
    let mut run = Run::new(60);
    for tick in 0..FPS * 6 {
        run.tick(tick, tick.is_multiple_of(4 * FPS), true, true);
    }
    let mut later = run.parts[0].clone();
    later.msn = 9;
    run.window.add(later);
    assert_eq!((run.window.listed().count(), run.window.last()), (1, Some(PartId { msn: 9, part: 0 })));
}

#[test]
fn the_checker_lets_no_broken_rule_pass() {
    let mut run = Run::new(60);
    for tick in 0..FPS * 90 {
        run.tick(tick, tick.is_multiple_of(4 * FPS), true, true);
    }
    let MediaPlaylist { full, delta } = media_playlist(&run.window, &[]).unwrap();
    let broken = |text: &str| run.whole.clone().take(text, AskedPlaylist::default()).is_err();
    assert!(!broken(&full) && broken(&delta), "nobody asked it to skip");
    assert!(PlaylistChecker::default().take(&delta, AskedPlaylist { skips: true, ..Default::default() }).is_err());
    for (from, to) in [
        ("#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:3"),
        ("HOLD-BACK=12.0,", "HOLD-BACK=11.9,"),
        ("PART-HOLD-BACK=1.2", "PART-HOLD-BACK=0.7"),
        ("CAN-SKIP-UNTIL=24.0", "CAN-SKIP-UNTIL=23.0"),
        ("PART-TARGET=0.4", "PART-TARGET=0.3"),
        ("DURATION=0.40000,", "DURATION=0.33000,"),
        ("#EXTINF:4.00000,\n21.m4s", "#EXTINF:3.90000,\n21.m4s"),
        ("#EXT-X-MAP:URI=\"init-0.mp4\"\n", ""),
        (",INDEPENDENT=YES", ""),
        ("#EXT-X-PRELOAD-HINT", "#EXT-X-PRELOADHINT"),
        ("#EXT-X-MEDIA-SEQUENCE:", "#EXT-X-MEDIA-SEQUENCE:9"),
    ] {
        assert!(full.contains(from), "{from}\n{full}");
        assert!(broken(&full.replace(from, to)), "{to}");
    }
}

#[test]
fn a_multivariant_playlist_names_each_rung_with_its_codecs() {
    let variant = Variant {
        uri: "1f/av1-1280x720/index.m3u8".into(),
        codecs: "av01.0.05M.08,Opus".into(),
        size: crate::base::media::Size::new(1280, 720),
        fps: 30,
        peak: 3_221_000,
        score: Some(6),
    };
    let text = multivariant_playlist(&[variant], None);
    assert!(text.ends_with(
        "#EXT-X-STREAM-INF:BANDWIDTH=3221000,CODECS=\"av01.0.05M.08,Opus\",RESOLUTION=1280x720,\
         FRAME-RATE=30.000,SCORE=6.0\n\
         1f/av1-1280x720/index.m3u8\n"
    ));
}
