//! **The question:** who lays the room out, and what follows from it? Layouts and pages that are asked for, what
//! senders are asked for the tiles they fill, and marks on tiles.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::{Room, Wanted};
use crate::base::limits;
use crate::base::media::{Outbox, ParticipantId, PeerId, Size, TrackId, TrackKind, rtp_from_pts};
use crate::core::access::{Act, Caller};
use crate::core::ladder::{Relief, SendTarget, UplinkInput};
use crate::core::record::Event;
use crate::core::room::Member;
use crate::core::scene::{self, Layout, Passage, Rect, Scene, Tile, TilePicture};
use crate::core::signal::{FromNode, ProblemKind, TilePlace, VideoTrack};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::NetCommand;

impl Room {
    /// Lays the room out anew; its first page shows.
    pub(super) fn set_layout(&mut self, now: Instant, layout: Layout, out: &mut Outbox<Effect>) {
        self.layout.layout = layout.clone();
        // Older wishes have had their day.
        self.layout.wanted = Wanted::default();
        out.push(Effect::Scene(scene::Input::Layout(layout)));
        self.to_recording(now, Event::Layout, out);
        self.broadcast_each(|caller| self.layout_message(caller), out);
    }

    /// A participant asks for another layout, another page, or both. Whoever asks a moment after somebody asked has
    /// their turn soon; of those who wait, the last one's wish holds.
    pub(super) fn choose_layout(
        &mut self,
        now: Instant,
        peer: PeerId,
        layout: Option<Value>,
        page: Option<u32>,
        out: &mut Outbox<Effect>,
    ) {
        let layout = match layout.map(|document| Layout::from_value(&document)).transpose() {
            Ok(layout) => layout,
            Err(error) => {
                let problem = FromNode::problem(ProblemKind::BadLayout, "This is no layout", &error.to_string());
                return Self::send(peer, &problem, out);
            }
        };
        self.layout.wanted.choose(layout, page);
        self.choices_due(now, out);
    }

    /// What was asked for holds now, unless the room was laid out a moment ago.
    pub(super) fn choices_due(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if self.layout.wanted.is_nothing() || self.layout.due().is_some_and(|at| now < at) {
            return;
        }
        self.layout.asked = Some(now);
        let Wanted { layout, page } = std::mem::take(&mut self.layout.wanted);
        if let Some(layout) = layout {
            self.set_layout(now, layout, out);
        }
        if let Some(page) = page {
            out.push(Effect::Scene(scene::Input::Page(page.saturating_sub(1) as usize)));
        }
    }

    /// How the room is laid out, as `caller` is told.
    pub(super) fn layout_message(&self, caller: &Caller) -> FromNode {
        let layout = &self.layout;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        FromNode::Layout {
            layout: layout.layout.to_value(),
            page: number(layout.page + 1),
            pages: number(layout.pages.max(1)),
            may_choose: self.setup.policy.judge(caller, Act::Arrange, Some(&self.name)).is_ok(),
        }
    }

    /// The room is laid out anew: everyone learns where the tiles lie, and each sender what their tile deserves. Who
    /// speaks or stands still changes the picture and moves no tile: nobody is told the same places again.
    pub(super) fn scene_changed(
        &mut self,
        now: Instant,
        (scene, passage): (Arc<Scene>, Passage),
        page: usize,
        pages: usize,
        out: &mut Outbox<Effect>,
    ) {
        let tiles_before = self.scene.replace(scene.clone()).map_or(0, |before| before.tiles.len());
        let is_fuller = scene.tiles.len() > tiles_before;
        let turned = (page, pages) != (self.layout.page, self.layout.pages.max(1));
        (self.layout.page, self.layout.pages) = (page, pages);
        (self.places.passage, self.places.is_stale) = (passage, true);
        if self.places.due().is_none_or(|at| at <= now) {
            self.tell_places(now, out);
        }
        if turned {
            self.broadcast_each(|caller| self.layout_message(caller), out);
        }
        // Who came stays, for all that is known; who has the floor may lose it again.
        let patience = if is_fuller { limits::CROWDED_AFTER } else { limits::SHRINK_AFTER };
        self.ask_senders(now, &scene, patience, out);
        self.consider_codec(now, out);
    }

    /// Tells everyone where the tiles lie, unless that is what they know: who speaks changes no place.
    pub(super) fn tell_places(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        self.places.is_stale = false;
        let Some(scene) = &self.scene else { return };
        let message = Self::scene_message(scene, &self.places.passage);
        if self.places.told.as_ref().is_none_or(|(_, told)| *told != message) {
            self.broadcast(&message, out);
            self.places.told = Some((now, message));
        }
    }

    /// The room's ticks do not keep up, or do again: what is asked of senders follows.
    pub(super) fn relieve(&mut self, now: Instant, relief: Relief, out: &mut Outbox<Effect>) {
        let (room, node) = (alias(&self.name), &self.setup.counts.node);
        if relief > self.relief {
            node.reliefs.add(1);
            tracing::warn!(
                %room,
                gives_up = relief.name(),
                "ticks or decoders do not keep up: this machine is too small, or busy"
            );
        } else {
            tracing::info!(%room, gives_up = relief.name(), "ticks and decoders keep up again");
        }
        let was_relieved = self.relief >= Relief::Rungs;
        self.relief = relief;
        if was_relieved != (relief >= Relief::Rungs) {
            self.relieve_rungs(now, out);
        }
        self.strained_since = (relief == Relief::OutputRate).then(|| self.strained_since.unwrap_or(now));
        if let Some(scene) = self.scene.clone() {
            self.ask_senders(now, &scene, Duration::ZERO, out);
        }
    }

    /// Each is asked for what their tile deserves; for less only once that has lasted for `patience`. Who is not seen
    /// needs to send hardly anything, enough to come back at once.
    fn ask_senders(&mut self, now: Instant, scene: &Scene, patience: Duration, out: &mut Outbox<Effect>) {
        let (pace, fps, relief) = (self.setup.config.video.pace(), self.setup.config.video.fps.get(), self.relief);
        let people = self
            .peers
            .iter()
            .filter_map(|(peer, entry)| {
                Some((peer, entry.role.participant()?, entry.tracks.contains(&TrackKind::Screen)))
            })
            .collect::<Vec<_>>();
        for (at, (peer, participant, shares)) in (0_u32..).zip(people) {
            // One after the other: each who changes their picture sends a keyframe.
            let patience = patience + limits::ASKS_APART * at;
            let tile_of = |track: VideoTrack| {
                scene.tiles.iter().find(|tile| tile.participant == participant && track_of(tile) == track)
            };
            let camera = tile_of(VideoTrack::Camera).map(Tile::paced);
            let camera_fps = camera.map_or(fps, |tile| pace.fps(scene.canvas, tile, relief));
            let size = camera.map(|tile| if relief >= Relief::TileSize { half(tile.size) } else { tile.size });
            self.ask_sender(now, peer, VideoTrack::Camera, UplinkInput::Tile { size, fps: camera_fps, patience }, out);
            if shares {
                // An eighth more than the tile, which is what a camera's step may fall short by: letters never do.
                let sharp = |size: Size| Size::new(size.width + size.width / 8, size.height + size.height / 8);
                let size = tile_of(VideoTrack::Screen).map(|tile| sharp(tile.paced().size));
                let screen = UplinkInput::Tile { size, fps: fps.min(limits::SCREEN_FPS_MAX), patience };
                self.ask_sender(now, peer, VideoTrack::Screen, screen, out);
            }
        }
    }

    /// Takes what the layout or the clock says about one sender's target.
    pub(super) fn ask_sender(
        &mut self,
        now: Instant,
        peer: PeerId,
        track: VideoTrack,
        input: UplinkInput,
        out: &mut Outbox<Effect>,
    ) {
        let mut targets = Outbox::new();
        let Some(entry) = self.peers.get_mut(peer) else { return };
        entry.ask_mut(track).handle(now, input, &mut targets);
        let kind = match track {
            VideoTrack::Camera => TrackKind::Camera,
            VideoTrack::Screen => TrackKind::Screen,
        };
        for target in targets.drain() {
            let SendTarget { size: Size { width, height }, fps, bitrate } = target;
            out.push(Effect::Net(NetCommand::Aim { peer, kind, target }));
            Self::send(peer, &FromNode::Send { track, width, height, fps, bitrate }, out);
        }
    }

    /// Whose microphone is off bears a mark, and nothing is seen of a camera or screen whose owner says that it is off;
    /// only changes are told.
    pub(super) fn mark_off(&mut self, out: &mut Outbox<Effect>) {
        let members = || self.core.members().iter();
        let is_muted = |member: &&Member| !member.has(TrackKind::Microphone);
        let muted = members().filter(is_muted).map(|member| member.participant).collect();
        let said_off = |member: &Member| {
            let (participant, said) = (member.participant, [TrackKind::Camera, TrackKind::Screen]);
            said.map(|kind| member.says_off(kind).then_some(TrackId { participant, kind }))
        };
        let off = members().flat_map(said_off).flatten().collect();
        for (participant, muted) in changes(&mut self.layout.muted, muted) {
            out.push(Effect::Scene(scene::Input::Muted { participant, muted }));
        }
        for (track, off) in changes(&mut self.layout.said_off, off) {
            out.push(Effect::Scene(scene::Input::Off { track, off }));
        }
    }

    /// A tile that just came to be learns what was told before it.
    pub(super) fn mark_newcomer(&self, participant: ParticipantId, out: &mut Outbox<Effect>) {
        if self.layout.muted.contains(&participant) {
            out.push(Effect::Scene(scene::Input::Muted { participant, muted: true }));
        }
        for track in self.layout.said_off.iter().copied().filter(|track| track.participant == participant) {
            out.push(Effect::Scene(scene::Input::Off { track, off: true }));
        }
    }

    /// Where each tile lies, and how it comes there, in the grammar's words.
    pub(super) fn scene_message(scene: &Scene, passage: &Passage) -> FromNode {
        let from = |at: usize, to: Rect| passage.from.get(at).copied().filter(|from| *from != to);
        let place = |(at, tile): (usize, &Tile)| TilePlace {
            participant: tile.participant,
            track: track_of(tile),
            x: tile.rect.x,
            y: tile.rect.y,
            width: tile.rect.width,
            height: tile.rect.height,
            z: u32::try_from(tile.z).unwrap_or(0),
            from: from(at, tile.rect).map(|Rect { x, y, width, height }| [x, y, width, height]),
        };
        let tiles = scene.tiles.iter().enumerate().map(place).collect();
        let Size { width, height } = scene.canvas;
        // As on the wire, where the composite's time is the room's.
        let after = rtp_from_pts(passage.after, limits::VIDEO_CLOCK) as u32;
        let motion_ms = u32::try_from(passage.span.as_millis()).unwrap_or(u32::MAX);
        FromNode::Scene { width, height, after, motion_ms, tiles }
    }
}

/// Puts `now` in the place of `before`; who left it or came to it, and whether they are in it now.
fn changes<T: Copy + PartialEq>(before: &mut Vec<T>, now: Vec<T>) -> Vec<(T, bool)> {
    let gone = before.iter().filter(|id| !now.contains(id)).map(|id| (*id, false));
    let come = now.iter().filter(|id| !before.contains(id)).map(|id| (*id, true));
    let all = gone.chain(come).collect();
    *before = now;
    all
}

fn half(size: Size) -> Size {
    Size::new((size.width / 2).max(2), (size.height / 2).max(2))
}

fn track_of(tile: &Tile) -> VideoTrack {
    if tile.picture == TilePicture::Screen { VideoTrack::Screen } else { VideoTrack::Camera }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::media::Pts;
    use crate::core::scene::SceneCore;

    #[test]
    fn a_scene_says_from_which_frame_on_it_holds_and_where_tiles_come_from() {
        let (mut core, mut out, now) = (SceneCore::new(Size::new(1280, 720)), Outbox::new(), Instant::now());
        for (id, name) in [(1, "Ada"), (2, "Grace")] {
            core.handle(now, scene::Input::Joined { participant: ParticipantId(id), name: name.into() }, &mut out);
        }
        let scene = core.scene();
        let earlier = Rect { x: 0, y: 0, width: 1280, height: 720 };
        // Room time of a day, which 32 bits of 90 kHz do not hold.
        let after = Pts(86_400_500_000_000);
        let from = vec![earlier, scene.tiles[1].rect];
        let told = Room::scene_message(&scene, &Passage { after, span: Duration::from_millis(300), from });
        let FromNode::Scene { after, motion_ms, tiles, .. } = told else { panic!("{told:?} is no scene") };
        assert_eq!((u64::from(after), motion_ms), (86_400_500 * 90 % (1 << 32), 300));
        assert_eq!(tiles[0].from, Some([0, 0, 1280, 720]));
        assert_eq!(tiles[1].from, None, "it lies there already");
    }
}
