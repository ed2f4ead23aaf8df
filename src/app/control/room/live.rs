//! **The question:** which of the room's rungs are packaged as live HLS? Those that somebody asks for, until nobody has
//! for a while, and the first one where the operator wants it always.

use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::app::workers::package::PackageCommand;
use crate::base::limits;
use crate::base::media::{Codec, Outbox, RungId};
use crate::io::api::Refusal;
use crate::io::live::LivePackager;

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
        let Some((_, asked)) = live.offered().find(|(n, _)| *n == rung) else {
            let names = live.offered().map(|(_, rung)| rung.name.clone()).collect();
            return Err(Refusal::RungNotFound(names));
        };
        let frames = self.counters.frames_encoded.clone();
        let Some(running) = self.outputs.package(now, (asked.spec, rung), (&self.setup, &frames), out) else {
            return Ok(());
        };
        let package = &self.setup.package;
        let pictures = running.fan.subscribe(limits::HLS_FAN_LEN, package.clone());
        let sounds = self.audio.subscribe(limits::HLS_FAN_LEN, package.clone());
        asked.set_on(true);
        let packager = Box::new(LivePackager::new(live.clone(), rung, pictures, sounds));
        out.push(Effect::Package(PackageCommand::Live(self.name.clone(), running.id, packager)));
        Ok(())
    }

    /// What nobody asked for in a while is packaged no longer.
    pub(super) fn end_idle_packages(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        for (id, rung) in self.packages_that_may_end().collect::<Vec<_>>() {
            if self.live.as_ref().is_some_and(|live| live.rungs[rung].idle_at() <= now) {
                self.end_package(now, id, out);
            }
        }
    }

    /// When the next one may have been asked for by nobody for too long.
    pub(super) fn package_deadline(&self) -> Option<Instant> {
        let live = self.live.as_ref()?;
        self.packages_that_may_end().map(|(_, rung)| live.rungs[rung].idle_at()).min()
    }

    /// A worker panicked over it: who asks again gets a new one.
    pub(super) fn package_failed(&mut self, now: Instant, id: RungId, out: &mut Outbox<Effect>) {
        self.end_package(now, id, out);
        self.package_what_always_runs(now, out);
    }

    /// The codec of those who take both changed. AV1 that the room gave up goes on for nobody: players that have it
    /// find it gone, and H.264 beside it in the list they have.
    pub(super) fn live_codec_changed(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let Some(live) = self.live.clone() else { return };
        self.offer_codec();
        let offered: Vec<usize> = live.offered().map(|(n, _)| n).collect();
        for (id, rung) in self.outputs.packaged().collect::<Vec<_>>() {
            if !offered.contains(&rung) {
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
        if let Some(rung) = self.always_packaged() {
            // It is offered, so nothing can be wrong with it.
            let _ = self.package(now, rung, out);
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
