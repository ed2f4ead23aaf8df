//! **The question:** which peers does this frame go to? The rooms of one net thread: their rungs, their mixes, and who
//! of a room is here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::base::media::{EncodedFrame, MixTick, PeerId, RoomEpoch, RoomId, RungId};
use crate::engine::flow::{Counter, Fan, KeyframeRequest, Waker};
use crate::io::webrtc::entry::{Entries, Entry};
use crate::io::webrtc::feed::{RungFeed, SoundFeed, SoundTick};
use crate::io::webrtc::payload::Packetised;

/// Every room that was begun and not ended.
pub(super) struct Rooms {
    rooms: HashMap<RoomId, Room>,
    /// This thread's, for the fans it reads.
    waker: Waker,
    /// Frames of the composite handed to viewers.
    frames_out: Counter,
}

struct Room {
    epoch: RoomEpoch,
    rungs: HashMap<RungId, RungFeed>,
    sound: SoundFeed,
    members: Vec<PeerId>,
}

impl Rooms {
    /// No room yet; `waker` is the calling thread's, `frames_out` counts frames handed to viewers.
    pub(super) fn new(waker: Waker, frames_out: Counter) -> Self {
        Self { rooms: HashMap::new(), waker, frames_out }
    }

    /// A room begins. Somebody may have entered it before: where another thread told of that, it need not come later.
    pub(super) fn add(&mut self, name: RoomId, epoch: RoomEpoch, audio: Fan<MixTick>, entries: &Entries) {
        let sound = SoundFeed::new(audio);
        let here = entries.iter().filter(|(_, entry)| entry.room.as_ref() == Some(&name)).map(|(id, _)| *id);
        let mut room = Room { epoch, rungs: HashMap::new(), sound, members: here.collect() };
        room.assign(entries, &self.waker);
        self.rooms.insert(name, room);
    }

    /// A room ends. Peers of it that are still here hear and see nothing more, not even of a later room of that name.
    pub(super) fn remove(&mut self, name: &RoomId, entries: &mut Entries) {
        for id in self.rooms.remove(name).into_iter().flat_map(|room| room.members) {
            if let Some(entry) = entries.get_mut(&id) {
                entry.room = None;
            }
        }
    }

    /// A rung begins. Peers that chose it already wait for its first keyframe.
    pub(super) fn add_rung(
        &mut self,
        name: &RoomId,
        rung: RungId,
        video: Fan<EncodedFrame>,
        keyframe_requests: KeyframeRequest,
        entries: &Entries,
    ) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.rungs.insert(rung, RungFeed::new(video, keyframe_requests));
        room.assign(entries, &self.waker);
        let Some(feed) = room.rungs.get(&rung) else { return };
        if feed.viewers().iter().filter_map(|id| entries.get(id)).any(|entry| entry.peer.wants_video()) {
            feed.request_keyframe();
        }
    }

    /// A rung ends.
    pub(super) fn remove_rung(&mut self, name: &RoomId, rung: RungId, entries: &mut Entries) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.rungs.remove(&rung);
        for id in &room.members {
            if let Some(entry) = entries.get_mut(id) {
                entry.watching.forget(rung);
            }
        }
    }

    /// A peer of the room is here.
    pub(super) fn join(&mut self, id: PeerId, entries: &Entries) {
        let name = entries.get(&id).and_then(|entry| entry.room.as_ref());
        let Some(room) = name.and_then(|name| self.rooms.get_mut(name)) else { return };
        room.members.push(id);
        room.assign(entries, &self.waker);
    }

    /// A peer of the room is here no more; `entries` lack it already.
    pub(super) fn leave(&mut self, name: &RoomId, id: PeerId, entries: &Entries) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.members.retain(|member| *member != id);
        room.assign(entries, &self.waker);
    }

    /// A peer connected, or takes other tracks than before.
    pub(super) fn changed(&mut self, now: Instant, id: PeerId, entries: &mut Entries) {
        let Some(name) = entries.get(&id).and_then(|entry| entry.room.clone()) else { return };
        self.reassign(&name, entries);
        if let Some(entry) = entries.get_mut(&id) {
            self.welcome(now, entry);
        }
    }

    fn reassign(&mut self, name: &RoomId, entries: &Entries) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.assign(entries, &self.waker);
        }
    }

    /// A peer chose a rung: it gets it from the next keyframe on, which is asked for, and nothing until then if that is
    /// wished.
    pub(super) fn watch(&mut self, now: Instant, id: PeerId, (rung, at_once): (RungId, bool), entries: &mut Entries) {
        let Some(entry) = entries.get_mut(&id) else { return };
        entry.watching.choose(rung);
        if at_once && entry.watching.next.is_some() {
            entry.watching.halted = true;
            entry.peer.forget_sent();
        }
        // The rung is read before its keyframe is requested, so that the keyframe cannot come too soon.
        self.changed(now, id, entries);
    }

    /// A newcomer sees the picture at once: everything since a young keyframe, or the next frame is made one. Whoever
    /// watches another rung already is not given what is past: its timestamps would run backwards.
    fn welcome(&self, now: Instant, entry: &mut Entry) {
        if !entry.peer.wants_video() {
            return;
        }
        let Some(rung) = entry.watching.next else { return };
        let Some(room) = entry.room.as_ref().and_then(|name| self.rooms.get(name)) else { return };
        let Some(feed) = room.rungs.get(&rung) else { return };
        if entry.watching.current.is_some() {
            return feed.request_keyframe();
        }
        for packetised in feed.replay_for_newcomer(now) {
            write_video(entry, rung, packetised, &room.epoch);
        }
    }

    /// A viewer lost the picture.
    pub(super) fn request_keyframe(&self, entry: &Entry) {
        let Some(rung) = entry.watching.wants() else { return };
        let room = entry.room.as_ref().and_then(|name| self.rooms.get(name));
        if let Some(feed) = room.and_then(|room| room.rungs.get(&rung)) {
            feed.request_keyframe();
        }
    }

    /// Writes what each room has made to all who take it; returns those who have something to send now. All are written
    /// to before one sends: one run of datagrams a peer.
    pub(super) fn feed(&mut self, now: Instant, entries: &mut Entries) -> Vec<PeerId> {
        let mut unsent = Vec::new();
        for room in self.rooms.values_mut() {
            let mut switched = false;
            for (rung, feed) in &mut room.rungs {
                while let Some(packetised) = feed.next_video(now) {
                    for id in feed.viewers() {
                        let Some(entry) = entries.get_mut(id) else { continue };
                        let before = entry.watching.current;
                        if write_video(entry, *rung, &packetised, &room.epoch) {
                            self.frames_out.add(1);
                            unsent.push(*id);
                        }
                        switched |= before.is_some() && entry.watching.current != before;
                    }
                }
            }
            while let Some(tick) = room.sound.next_sound() {
                write_sound(&tick, room, entries, &mut unsent);
            }
            if switched {
                room.assign(entries, &self.waker);
            }
        }
        unsent
    }

    /// What the listeners of each room that has some here lost of the mix.
    pub(super) fn losses<'a>(&'a self, entries: &'a Entries) -> impl Iterator<Item = (&'a RoomId, Vec<f32>)> {
        self.rooms.iter().filter(|(_, room)| !room.sound.listeners().is_empty()).map(|(name, room)| {
            let listeners = room.sound.listeners().iter().filter_map(|id| entries.get(id));
            (name, listeners.filter(|entry| entry.peer.wants_sound()).map(|entry| entry.sound_lost).collect())
        })
    }
}

impl Room {
    /// Finds out again who takes what, so that each rung and the mix are read exactly while somebody does.
    fn assign(&mut self, entries: &Entries, waker: &Waker) {
        let members = || self.members.iter().filter_map(|id| entries.get(id).map(|entry| (*id, entry)));
        for (rung, feed) in &mut self.rungs {
            let viewers = members().filter(|(_, entry)| entry.peer.may_take_video() && entry.watching.needs(*rung));
            feed.set_viewers(viewers.map(|(id, _)| id).collect(), waker);
        }
        let listeners = members().filter(|(_, entry)| entry.peer.wants_sound());
        self.sound.set_listeners(listeners.map(|(id, _)| id).collect(), waker);
    }
}

fn write_video(entry: &mut Entry, rung: RungId, packetised: &Arc<Packetised>, epoch: &RoomEpoch) -> bool {
    let taken = entry.peer.wants_video() && entry.watching.takes(rung, packetised.frame.keyframe);
    if taken {
        entry.peer.write_video(packetised, epoch);
        entry.unsent = true;
    }
    taken
}

fn write_sound(tick: &SoundTick, room: &Room, entries: &mut Entries, unsent: &mut Vec<PeerId>) {
    if tick.may_be_left_out() {
        return;
    }
    for id in room.sound.listeners() {
        let Some(entry) = entries.get_mut(id).filter(|entry| entry.peer.wants_sound()) else { continue };
        let (frame, payload) = tick.for_listener(entry.peer.role.minus());
        entry.peer.write_sound(frame, payload, &room.epoch);
        entry.unsent = true;
        unsent.push(*id);
    }
}
