//! **The question:** how do one rung's pictures and the viewers' mix become its window? The package thread calls `poll`
//! when a fan or a deadline wakes it; one packager serves everybody who watches the rung.

use std::sync::Arc;
use std::time::Instant;

use crate::base::media::{EncodedFrame, MixTick, pts_from_instant};
use crate::core::hls::{LiveMuxer, Report, Window, media_playlist};
use crate::engine::flow::{FanReader, Read};
use crate::io::live::rooms::LiveRoom;
use crate::io::live::rung::{Edge, LiveRung};

/// Two fan readers, the pure muxer and window, and where requests find what they hold.
#[derive(Debug)]
pub struct LivePackager {
    room: Arc<LiveRoom>,
    /// Which of the room's.
    rung: usize,
    pictures: FanReader<EncodedFrame>,
    sounds: FanReader<MixTick>,
    muxer: LiveMuxer,
    window: Window,
}

impl LivePackager {
    /// One for the room's rung at `rung`.
    #[must_use]
    pub fn new(
        room: Arc<LiveRoom>,
        rung: usize,
        pictures: FanReader<EncodedFrame>,
        sounds: FanReader<MixTick>,
    ) -> Self {
        let (muxer, window) = (LiveMuxer::new(), Window::new(room.window()));
        Self { room, rung, pictures, sounds, muxer, window }
    }

    /// Takes what the fans hold and lays out what it completes. False once there is nothing more to read.
    pub fn poll(&mut self, now: Instant) -> bool {
        let is_open = self.take_pictures();
        self.take_sounds();
        let (at, mut made) = (pts_from_instant(self.room.epoch(), now), 0);
        while let Some(part) = self.muxer.next_part(at) {
            self.window.add(part);
            made += 1;
        }
        if made > 0 {
            self.room.counters.parts.add(made);
            self.publish(now);
        }
        is_open
    }

    /// When `poll` wants to be called even if nothing wakes the thread.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.muxer.deadline().map(|at| self.room.epoch().instant_at(at))
    }

    fn take_pictures(&mut self) -> bool {
        // By now its predecessor, if there was one, is gone.
        self.muxer.begin_from(self.own().unused());
        loop {
            match self.pictures.read() {
                Read::Item(frame) => self.muxer.picture(&frame, false),
                Read::AfterGap(frame) => self.muxer.picture(&frame, true),
                Read::Empty => return true,
                Read::Closed => return false,
            }
        }
    }

    fn take_sounds(&mut self) {
        // Ticks that are missing become silence.
        while let Read::Item(tick) | Read::AfterGap(tick) = self.sounds.read() {
            self.muxer.sound(tick.pts, tick.shared.data.clone());
        }
    }

    fn publish(&self, now: Instant) {
        let others = self.room.offered().filter(|(n, _)| *n != self.rung);
        let report = |(_, rung): (usize, &LiveRung)| {
            Some(Report { uri: format!("../{}/index.m3u8", rung.name), last: rung.last()? })
        };
        let reports: Vec<Report> = others.filter_map(report).collect();
        if let Some(playlist) = media_playlist(&self.window, &reports) {
            self.own().publish(Edge::new(self.window.clone(), playlist));
        }
        self.room.count(self.room.viewers(now));
    }

    fn own(&self) -> &LiveRung {
        &self.room.rungs[self.rung]
    }
}

impl Drop for LivePackager {
    fn drop(&mut self) {
        self.own().clear();
    }
}
