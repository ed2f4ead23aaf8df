//! **The question:** which of the room's rungs are packaged as live HLS? Those that somebody asks for, until nobody has
//! for a while, and the first one where the operator wants it always.

use std::sync::Arc;
use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::app::workers::package::PackageCommand;
use crate::base::limits;
use crate::base::media::{Codec, Outbox, RungId};
use crate::core::ladder::Relief;
use crate::io::api::Refusal;
use crate::io::live::{LivePackager, LiveRoom, LiveRung};

impl Room {
    /// Where the operator wants it, the first rung is packaged from the room's first picture on.
    pub(super) fn package_from_the_start(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        self.offer_codec();
        self.package_what_always_runs(now, out);
    }

    /// Somebody asks for a rung that is not packaged.
    ///
    /// # Errors
    /// When the room has no such rung, or sends it no more.
    pub(super) fn package(&mut self, now: Instant, rung: usize, out: &mut Outbox<Effect>) -> Result<(), Refusal> {
        let Some(live) = self.live.clone() else { return Err(Refusal::RoomNotFound) };
        if !live.offered().any(|(n, _)| n == rung) {
            let names = live.offered().map(|(_, rung)| rung.name.clone()).collect();
            return Err(Refusal::RungNotFound(names));
        }
        self.package_one(now, &live, rung, out);
        // Players go from rung to rung; one that had to begin first would hold them up.
        if self.relief == Relief::default() {
            self.together(&live, rung).into_iter().for_each(|other| self.package_one(now, &live, other, out));
        }
        Ok(())
    }

    fn package_one(&mut self, now: Instant, live: &Arc<LiveRoom>, rung: usize, out: &mut Outbox<Effect>) {
        let asked = &live.rungs[rung];
        let frames = self.counters.frames_encoded.clone();
        let Some(running) = self.outputs.package(now, (asked.spec, rung), (&self.setup, &frames), out) else {
            return;
        };
        let package = &self.setup.package;
        let pictures = running.fan.subscribe(limits::HLS_FAN_LEN, package.clone());
        let sounds = self.audio.subscribe(limits::HLS_FAN_LEN, package.clone());
        asked.set_on(true);
        let packager = Box::new(LivePackager::new(live.clone(), rung, pictures, sounds));
        out.push(Effect::Package(PackageCommand::Live(self.name.clone(), running.id, packager)));
    }

    /// What is packaged while this one is: all of its codec, if the operator did not say otherwise.
    fn together(&self, live: &LiveRoom, rung: usize) -> Vec<usize> {
        let codec = live.rungs[rung].spec.codec;
        let is_with = |n: usize| n == rung || self.setup.config.hls.all_rungs && live.rungs[n].spec.codec == codec;
        live.offered().map(|(n, _)| n).filter(|n| is_with(*n)).collect()
    }

    /// When neither this one nor any that is packaged with it has been asked for in a while.
    fn idle_at(&self, rung: usize) -> Option<Instant> {
        let live = self.live.as_ref()?;
        self.together(live, rung).into_iter().map(|n| live.rungs[n].idle_at()).max()
    }

    /// What nobody asked for in a while is packaged no longer.
    pub(super) fn end_idle_packages(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        for (id, rung) in self.packages_that_may_end().collect::<Vec<_>>() {
            if self.idle_at(rung).is_none_or(|at| at <= now) {
                self.end_package(now, id, out);
            }
        }
        for rung in self.live.iter().flat_map(|live| &live.rungs) {
            if rung.withdrawn_until().is_some_and(|at| at <= now) {
                rung.forget();
            }
        }
    }

    /// When the next one may have been asked for by nobody for too long, or was kept for long enough.
    pub(super) fn package_deadline(&self) -> Option<Instant> {
        let withdrawn = self.live.iter().flat_map(|live| &live.rungs).filter_map(LiveRung::withdrawn_until);
        self.packages_that_may_end().filter_map(|(_, rung)| self.idle_at(rung)).chain(withdrawn).min()
    }

    /// A worker panicked over it: who asks again gets a new one.
    pub(super) fn package_failed(&mut self, now: Instant, id: RungId, out: &mut Outbox<Effect>) {
        self.end_package(now, id, out);
        self.package_what_always_runs(now, out);
    }

    /// The codec of those who take both changed. AV1 that the room gave up goes on for nobody: players that have it
    /// find its playlist gone, and H.264 beside it in the list they have. What it listed they may play meanwhile.
    pub(super) fn live_codec_changed(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let Some(live) = self.live.clone() else { return };
        self.offer_codec();
        let offered: Vec<usize> = live.offered().map(|(n, _)| n).collect();
        for (id, rung) in self.outputs.packaged().collect::<Vec<_>>() {
            if !offered.contains(&rung) {
                live.rungs[rung].withdraw(now + live.kept());
                self.end_package(now, id, out);
            }
        }
        self.package_what_always_runs(now, out);
    }

    fn offer_codec(&self) {
        if let Some(live) = &self.live {
            live.set_av1(self.codec.codec() == Codec::Av1);
        }
    }

    fn package_what_always_runs(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if let (Some(rung), Some(live)) = (self.always_packaged(), self.live.clone()) {
            self.package_one(now, &live, rung, out);
        }
    }

    fn always_packaged(&self) -> Option<usize> {
        let live = self.live.as_ref().filter(|_| self.setup.config.hls.always)?;
        live.offered().next().map(|(n, _)| n)
    }

    fn packages_that_may_end(&self) -> impl Iterator<Item = (RungId, usize)> {
        let always = self.always_packaged();
        self.outputs.packaged().filter(move |(_, rung)| Some(*rung) != always)
    }

    fn end_package(&mut self, now: Instant, id: RungId, out: &mut Outbox<Effect>) {
        if let Some(rung) = self.outputs.unpackage(now, id) {
            if let Some(live) = &self.live {
                live.rungs[rung].set_on(false);
            }
            out.push(Effect::Package(PackageCommand::EndLive(id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;
    use crate::app::config::Config;
    use crate::app::control::report::RoomCounters;
    use crate::app::control::room::Input;
    use crate::app::control::room::setup::RoomSetup;
    use crate::app::workers::counters::Counts;
    use crate::base::media::{CodecPreference, EncodeCosts, EncodedFrame, Pts, RoomEpoch, Wallclock};
    use crate::engine::encode::EncoderChoice;
    use crate::engine::flow::{Counter, Fan, Waker};
    use crate::io::api::Command;
    use crate::io::live::{LiveCounters, LiveRooms, LiveSetup};

    fn room(always: bool) -> Room {
        room_of(CodecPreference::Av1, always)
    }

    fn room_of(codec: CodecPreference, always: bool) -> Room {
        let mut config = Config::default();
        (config.video.codec, config.hls.always) = (codec, always);
        let wakers = (Waker::new().unwrap(), Waker::new().unwrap());
        let costs = EncodeCosts { av1: Duration::from_millis(18), h264: Some(Duration::from_millis(6)) };
        let mut setup = RoomSetup::new(config, Counts::default(), wakers, (None, None), ("aom", "cpu"), costs);
        let (window, len_max) = (Duration::from_secs(60), 1 << 20);
        let of_live = LiveSetup {
            window,
            len_max,
            any_origin: false,
            encoder: EncoderChoice::Aom,
            threads: 1,
            captions_always: false,
            captions_language: None,
        };
        setup.live = LiveRooms::new(of_live, LiveCounters::default());
        let epoch = RoomEpoch { instant: Instant::now(), wallclock: Wallclock(0) };
        let name = "shown".parse().unwrap();
        Room::new(name, Arc::new(setup), epoch, Fan::new(Counter::default()), RoomCounters::default())
    }

    /// Encodes that began, packagers that began, packagers that ended, encodes that ended.
    fn after(room: &mut Room, now: Instant, input: Input) -> [usize; 4] {
        let (mut out, mut counts) = (Outbox::new(), [0; 4]);
        room.handle(now, input, &mut out);
        for effect in out.drain() {
            match effect {
                Effect::StartRung(_) => counts[0] += 1,
                Effect::Package(PackageCommand::Live(..)) => counts[1] += 1,
                Effect::Package(PackageCommand::EndLive(_)) => counts[2] += 1,
                Effect::StopRung(_) => counts[3] += 1,
                _ => {}
            }
        }
        counts
    }

    fn ask(room: &mut Room, now: Instant, rung: usize) -> ([usize; 4], Result<(), Refusal>) {
        let (reply, mut answer) = oneshot::channel();
        let command = Command::Package { room: room.name.clone(), rung, reply };
        let counts = after(room, now, Input::Ask(command));
        (counts, answer.try_recv().expect("it is answered at once"))
    }

    #[test]
    fn rungs_are_packaged_while_somebody_asks_and_a_little_longer() {
        let mut room = room(false);
        assert_eq!(after(&mut room, Instant::now(), Input::Begin(None)), [0; 4], "nobody watches");
        let now = Instant::now();
        let live = room.live.clone().unwrap();
        assert!(!live.rungs[1].ask(now));
        assert_eq!(ask(&mut room, now, 1), ([3, 3, 0, 0], Ok(())), "and the others of its codec");
        assert!(live.rungs[1].ask(now) && live.rungs[0].ask(now) && !live.rungs[3].ask(now));
        assert_eq!(ask(&mut room, now, 1), ([0; 4], Ok(())), "there is one for all");
        assert!(matches!(ask(&mut room, now, 99).1, Err(Refusal::RungNotFound(_))));
        let later = now + limits::HLS_IDLE_SPAN - Duration::from_secs(1);
        assert!(live.rungs[2].ask(later));
        assert_eq!(
            after(&mut room, later + Duration::from_secs(2), Input::Due),
            [0; 4],
            "somebody went to another one"
        );
        let idle = room.deadline().expect("they may be idle");
        assert_eq!(after(&mut room, idle, Input::Due), [0, 0, 3, 0]);
        assert!(!live.rungs[1].ask(idle));
        assert_eq!(after(&mut room, idle + limits::RUNG_LINGER, Input::Due), [0, 0, 0, 3]);
    }

    #[test]
    fn where_it_always_runs_the_first_rung_begins_with_the_room_and_stays() {
        let mut room = room(true);
        assert_eq!(after(&mut room, Instant::now(), Input::Begin(None)), [1, 1, 0, 0]);
        let late = Instant::now() + 10 * limits::HLS_IDLE_SPAN;
        assert_eq!(after(&mut room, late, Input::Due), [0; 4]);
        let live = room.live.clone().unwrap();
        assert!(room.setup.live.room(&room.name).is_some());
        assert_eq!(after(&mut room, late, Input::End("the last one left"))[3], 1);
        assert!(room.setup.live.room(&room.name).is_none() && !live.rungs[0].ask(late));
    }

    /// A keyframe of AV1, by libaom.
    const KEYFRAME: &[u8] =
        &[0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10, 0x32, 0x03, 1, 2, 3];

    #[test]
    fn av1_that_the_room_gives_up_is_withdrawn_and_kept_for_a_while() {
        let (mut room, now, mut out) = (room(false), Instant::now(), Outbox::new());
        let live = room.live.clone().unwrap();
        let at = live.rungs.iter().position(|rung| rung.spec.codec == Codec::Av1).unwrap();
        room.package(now, at, &mut out).unwrap();
        let (mut fans, mut packagers) = (Vec::new(), Vec::new());
        for effect in out.drain() {
            match effect {
                Effect::StartRung(start) => fans.push(start.fan),
                Effect::Package(PackageCommand::Live(_, _, packager)) => packagers.push(packager),
                _ => {}
            }
        }
        let frame = EncodedFrame { codec: Codec::Av1, data: KEYFRAME.into(), pts: Pts(0), keyframe: true };
        fans[0].publish(&Arc::new(frame));
        // What is late is not waited for.
        packagers[0].poll(now + Duration::from_secs(9));
        assert!(live.rungs[at].edge().is_some());
        room.codec = room_of(CodecPreference::H264, false).codec;
        room.live_codec_changed(now, &mut out);
        drop(packagers);
        let until = now + live.kept();
        assert!(live.offered().all(|(_, rung)| rung.spec.codec == Codec::H264));
        assert!(live.rungs[at].edge().is_some() && live.rungs[at].withdrawn_until() == Some(until));
        assert_eq!(room.package_deadline(), Some(until));
        room.end_idle_packages(until, &mut out);
        assert!(live.rungs[at].edge().is_none() && room.package_deadline().is_none());
    }
}
