//! **The question:** whose own tracks are recorded beside the composite? Taps are laid when a track begins, if the operator wants
//! tracks at all, and read while the room is recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::control::Control;
use crate::app::workers::package::PackageCommand;
use crate::base::limits;
use crate::base::media::{EncodedFrame, ParticipantId, PeerId, RoomId, TrackId, TrackKind};
use crate::engine::flow::{Fan, KeyframeRequest, TrackTap};
use crate::io::recording::TrackSource;

/// What is known of a track that may be recorded.
#[derive(Debug)]
pub struct Tapped {
    fan: Fan<EncodedFrame>,
    keyframe_requests: Option<KeyframeRequest>,
    revoked: Arc<AtomicBool>,
}

impl Control {
    /// Lays a tap for a track that begins, and has it recorded if its room is. `None` where tracks never are.
    pub(super) fn tap_track(
        &mut self,
        peer: PeerId,
        kind: TrackKind,
        keyframe_requests: Option<KeyframeRequest>,
    ) -> Option<TrackTap> {
        if !self.config.recording.tracks || self.archive.is_none() {
            return None;
        }
        let entry = self.peers.get_mut(peer)?;
        let room = entry.room.clone();
        let epoch = self.rooms.get(&room)?.epoch;
        let fan = Fan::new(self.counts.node.reader_lagged.clone());
        entry.taps.insert(kind, Tapped { fan: fan.clone(), keyframe_requests, revoked: Arc::default() });
        self.record_track(&room, peer, kind);
        Some(TrackTap::new(epoch, fan))
    }

    /// A room's recording began while people were in it: their tracks are recorded from now on, pictures from the keyframe that is
    /// asked for.
    pub(super) fn record_tracks(&self, room: &RoomId) {
        self.record_taps(room, |_| true);
    }

    /// Somebody's wish changed: their tracks are recorded from now on, or no longer. What was recorded stays.
    pub(super) fn record_tracks_of(&mut self, room: &RoomId, participant: ParticipantId, recorded: bool) {
        if !recorded {
            if let Some(room) = self.rooms.get(room) {
                self.workers.package.send(PackageCommand::EndTracks(room.ticket, participant));
            }
            return;
        }
        let is_theirs = |theirs| theirs == Some(participant);
        let peers: Vec<PeerId> = self.peers.of_room(room).map(|(peer, _)| peer).collect();
        for peer in peers {
            let Some(entry) = self.peers.get_mut(peer).filter(|entry| is_theirs(entry.role.participant())) else {
                continue;
            };
            // What was barred stays barred: who reads it may not have looked yet.
            entry.taps.values_mut().for_each(|tapped| tapped.revoked = Arc::default());
        }
        self.record_taps(room, is_theirs);
    }

    /// From the moment this returns nothing more is taken from somebody's taps by anyone who reads them now.
    pub(super) fn bar_tracks_of(&self, room: &RoomId, participant: ParticipantId) {
        let theirs = self.peers.of_room(room).filter(|(_, entry)| entry.role.participant() == Some(participant));
        for tapped in theirs.flat_map(|(_, entry)| entry.taps.values()) {
            tapped.revoked.store(true, Ordering::Release);
        }
    }

    fn record_taps(&self, room: &RoomId, whose: impl Fn(Option<ParticipantId>) -> bool) {
        for (peer, entry) in self.peers.of_room(room).filter(|(_, entry)| whose(entry.role.participant())) {
            for (kind, tapped) in &entry.taps {
                self.record_track(room, peer, *kind);
                tapped.keyframe_requests.iter().for_each(KeyframeRequest::request_keyframe);
            }
        }
    }

    /// Whether a participant's own tracks may be recorded. The one place where that is asked.
    fn may_record_tracks_of(&self, room: &RoomId, participant: ParticipantId) -> bool {
        self.rooms.get(room).is_some_and(|room| !room.unrecorded.contains(&participant))
    }

    fn record_track(&self, room: &RoomId, peer: PeerId, kind: TrackKind) {
        let Some(entry) = self.peers.get(peer) else { return };
        let (Some(tapped), Some(participant)) = (entry.taps.get(&kind), entry.role.participant()) else { return };
        let Some(ticket) = self.rooms.get(room).filter(|room| room.recording).map(|room| room.ticket) else { return };
        if !self.may_record_tracks_of(room, participant) {
            return;
        }
        let package = &self.workers.package;
        let reader = tapped.fan.subscribe(limits::TRACK_FAN_LEN, package.waker());
        let track = TrackId { participant, kind };
        let source = TrackSource {
            track,
            reader,
            keyframe_requests: tapped.keyframe_requests.clone(),
            revoked: tapped.revoked.clone(),
        };
        package.send(PackageCommand::Track(ticket, Box::new(source)));
    }
}
