//! **The question:** who lays a room out, and what follows from it? Layouts and pages that are asked for, what senders are asked for
//! the tiles they fill, and marks on tiles.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use crate::app::control::Control;
use crate::base::limits;
use crate::base::media::{Outbox, ParticipantId, PeerId, RoomId, Size, TrackKind};
use crate::core::access::Act;
use crate::core::ladder::{SendTarget, UplinkInput};
use crate::core::record::Event;
use crate::core::scene::{self, Layout, Scene, Tile, TilePicture};
use crate::core::signal::{FromNode, ProblemKind, TilePlace, VideoTrack};
use crate::io::api::{LayoutShown, Refusal};

/// A screen is read, not looked at: it moves less, and shall be sharp.
const SCREEN_FPS_MAX: u32 = 15;

/// How a room is laid out, as the control thread knows it.
#[derive(Debug, Default)]
pub struct LayoutState {
    /// The layout asked for.
    pub layout: Layout,
    /// The page shown, from 0.
    page: usize,
    /// How many there are; 0 before the first scene.
    pages: usize,
    /// When somebody last asked for another layout or page.
    asked: Option<Instant>,
    /// The minute since the epoch that the room's clock shows; `None`: no clock.
    pub clock: Option<u64>,
    /// Those whose tiles bear the mark of a muted microphone.
    muted: Vec<ParticipantId>,
}

impl LayoutState {
    /// A room that begins.
    pub fn new(layout: Layout) -> Self {
        Self { layout, ..Self::default() }
    }
}

impl Control {
    /// How a room is laid out.
    pub fn layout_shown(&self, name: &RoomId) -> Result<LayoutShown, Refusal> {
        let layout = &self.rooms.get(name).ok_or(Refusal::RoomNotFound)?.layout;
        Ok(LayoutShown { layout: layout.layout.clone(), page: layout.page + 1, pages: layout.pages.max(1) })
    }

    /// Lays a room out anew; its first page shows.
    pub fn set_layout(&mut self, name: &RoomId, layout: Layout) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        room.layout.layout = layout.clone();
        self.to_scene(name, scene::Input::Layout(layout));
        self.to_recording(name, Event::Layout);
        self.broadcast_layout(name);
        Ok(())
    }

    /// Turns a room's page, from 0.
    pub fn turn_page(&mut self, name: &RoomId, page: usize) -> Result<(), Refusal> {
        if !self.rooms.contains_key(name) {
            return Err(Refusal::RoomNotFound);
        }
        self.to_scene(name, scene::Input::Page(page));
        Ok(())
    }

    /// A participant asks for another layout, another page, or both.
    pub fn choose_layout(&mut self, peer: PeerId, layout: Option<Value>, page: Option<u32>) {
        if let Err(problem) = self.chosen(Instant::now(), peer, layout, page) {
            self.send(peer, &problem);
        }
    }

    fn chosen(&mut self, now: Instant, peer: PeerId, layout: Option<Value>, page: Option<u32>) -> Result<(), FromNode> {
        let Some(entry) = self.peers.get(peer) else { return Ok(()) };
        if self.policy.judge(self.caller(peer), Act::Arrange).is_err() {
            let detail = "Ask whoever runs this node to lay the room out.";
            return Err(FromNode::problem(
                ProblemKind::NotAllowed,
                "Participants do not choose the layout here",
                detail,
            ));
        }
        let layout = layout.map(|document| Layout::from_value(&document)).transpose();
        let layout = layout
            .map_err(|error| FromNode::problem(ProblemKind::BadLayout, "This is no layout", &error.to_string()))?;
        let name = entry.room.clone();
        let Some(room) = self.rooms.get_mut(&name) else { return Ok(()) };
        let asked = room.layout.asked.replace(now);
        if asked.is_some_and(|asked| now < asked + limits::LAYOUT_SPACING) {
            room.layout.asked = asked;
            let detail = "The room was laid out anew a moment ago; try again.";
            return Err(FromNode::problem(ProblemKind::TooOften, "The layout changes too often", detail));
        }
        // The room exists, so nothing is refused.
        let _ = layout.map(|layout| self.set_layout(&name, layout));
        let _ = page.map(|page| self.turn_page(&name, page.saturating_sub(1) as usize));
        Ok(())
    }

    /// Tells one connection how its room is laid out.
    pub fn greet_with_layout(&self, peer: PeerId) {
        let Some(entry) = self.peers.get(peer) else { return };
        if let Some(message) = self.layout_message(&entry.room) {
            self.send(peer, &message);
        }
    }

    fn broadcast_layout(&self, name: &RoomId) {
        if let Some(message) = self.layout_message(name) {
            self.broadcast(name, &message);
        }
    }

    fn layout_message(&self, name: &RoomId) -> Option<FromNode> {
        let layout = &self.rooms.get(name)?.layout;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Some(FromNode::Layout {
            layout: layout.layout.to_value(),
            page: number(layout.page + 1),
            pages: number(layout.pages.max(1)),
            may_choose: self.policy.participants_choose_layout,
        })
    }

    /// The room is laid out anew: everyone learns where the tiles lie, and each sender what their tile deserves.
    pub fn scene_changed(&mut self, name: &RoomId, scene: Arc<Scene>, page: usize, pages: usize) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.scene = Some(scene.clone());
        let turned = (page, pages) != (room.layout.page, room.layout.pages.max(1));
        (room.layout.page, room.layout.pages) = (page, pages);
        self.broadcast(name, &scene_message(&scene));
        if turned {
            self.broadcast_layout(name);
        }
        self.ask_senders(name, &scene);
    }

    /// Who is not seen needs to send hardly anything, enough to come back at once.
    fn ask_senders(&mut self, name: &RoomId, scene: &Scene) {
        let (now, fps) = (Instant::now(), self.config.video.fps.get());
        let connected = self.peers.of_room(name).filter(|(_, entry)| entry.connected);
        let people = connected.filter_map(|(peer, entry)| Some((peer, entry.role.participant()?)));
        for (peer, participant) in people.collect::<Vec<_>>() {
            let tile_of = |track: VideoTrack| {
                scene.tiles.iter().find(|tile| tile.participant == participant && track_of(tile) == track)
            };
            let size_of = |tile: &Tile| Size::new(tile.rect.width, tile.rect.height);
            self.ask_sender(
                now,
                peer,
                VideoTrack::Camera,
                UplinkInput::Tile(tile_of(VideoTrack::Camera).map(size_of), fps),
            );
            let shares = self.peers.get(peer).is_some_and(|entry| entry.decoded_by.contains_key(&TrackKind::Screen));
            if shares {
                // An eighth more than the tile, which is what a camera's step may fall short by: letters never do.
                let sharp = |size: Size| Size::new(size.width + size.width / 8, size.height + size.height / 8);
                let size = tile_of(VideoTrack::Screen).map(size_of).map(sharp);
                self.ask_sender(now, peer, VideoTrack::Screen, UplinkInput::Tile(size, fps.min(SCREEN_FPS_MAX)));
            }
        }
    }

    /// Takes what the layout or the clock says about one sender's target.
    pub fn ask_sender(&mut self, now: Instant, peer: PeerId, track: VideoTrack, input: UplinkInput) {
        let mut out = Outbox::new();
        let Some(entry) = self.peers.get_mut(peer) else { return };
        entry.ask_mut(track).handle(now, input, &mut out);
        for SendTarget { size, fps, bitrate } in out.drain() {
            let (width, height) = (size.width, size.height);
            self.send(peer, &FromNode::Send { track, width, height, fps, bitrate });
        }
    }

    /// Whose microphone is off bears a mark; only changes are told.
    pub fn mark_muted(&mut self, name: &RoomId) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let off = |member: &&crate::core::room::Member| !member.has(TrackKind::Microphone);
        let now: Vec<ParticipantId> = room.core.members().iter().filter(off).map(|member| member.participant).collect();
        let before = std::mem::replace(&mut room.layout.muted, now.clone());
        for participant in before.iter().filter(|id| !now.contains(id)).copied() {
            self.to_scene(name, scene::Input::Muted { participant, muted: false });
        }
        for participant in now.iter().filter(|id| !before.contains(id)).copied() {
            self.to_scene(name, scene::Input::Muted { participant, muted: true });
        }
    }

    /// A tile that just came to be learns what was told before it.
    pub fn mark_newcomer(&self, name: &RoomId, participant: ParticipantId) {
        let Some(room) = self.rooms.get(name) else { return };
        if room.layout.muted.contains(&participant) {
            self.to_scene(name, scene::Input::Muted { participant, muted: true });
        }
    }
}

/// Where each tile lies, in the grammar's words.
pub fn scene_message(scene: &Scene) -> FromNode {
    let place = |tile: &Tile| TilePlace {
        participant: tile.participant,
        track: track_of(tile),
        x: tile.rect.x,
        y: tile.rect.y,
        width: tile.rect.width,
        height: tile.rect.height,
        z: u32::try_from(tile.z).unwrap_or(0),
    };
    let tiles = scene.tiles.iter().map(place).collect();
    FromNode::Scene { width: scene.canvas.width, height: scene.canvas.height, tiles }
}

fn track_of(tile: &Tile) -> VideoTrack {
    if tile.picture == TilePicture::Screen { VideoTrack::Screen } else { VideoTrack::Camera }
}
