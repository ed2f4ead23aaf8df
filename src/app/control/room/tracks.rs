//! **The question:** which tracks are decoded, mixed, and recorded by themselves? Taps are laid when a track begins, if
//! the operator wants tracks at all, and read while the room is recorded.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::app::control::room::effect::{Effect, TrackStart};
use crate::app::control::room::peers::Tapped;
use crate::app::control::room::state::Room;
use crate::app::workers::package::PackageCommand;
use crate::base::limits;
use crate::base::media::{Codec, Outbox, ParticipantId, PeerId, TrackId, TrackKind};
use crate::core::record::Event;
use crate::core::room::RoomInput;
use crate::core::scene;
use crate::core::signal::{FromNode, ProblemKind};
use crate::engine::flow::{Fan, KeyframeRequest, TrackTap};
use crate::io::recording::TrackSource;
use crate::io::telemetry::log::alias;

impl Room {
    /// A track's first packet came.
    pub(super) fn track_started(
        &mut self,
        now: Instant,
        peer: PeerId,
        (kind, codec): (TrackKind, Codec),
        out: &mut Outbox<Effect>,
    ) {
        if let Some(veil) = self.peers.get_mut(peer).and_then(|entry| entry.veil.as_mut()) {
            veil.tracks.retain(|(began, _)| *began != kind);
            return veil.tracks.push((kind, codec));
        }
        let superseded = self.setup.counts.node.wishes_superseded.clone();
        let keyframe_requests = KeyframeRequest::new(self.setup.net.clone(), superseded);
        let tap = self.tap_track(peer, (kind, codec), &keyframe_requests);
        let Some(entry) = self.peers.get_mut(peer) else { return };
        let Some(participant) = entry.role.participant() else { return };
        entry.tracks.insert(kind);
        let track = TrackId { participant, kind };
        let playout = entry.playout_of(kind).clone();
        out.push(Effect::AddTrack(Box::new(TrackStart { peer, track, codec, keyframe_requests, playout, tap })));
        self.record_track(peer, kind, out);
        if kind == TrackKind::Screen {
            self.to_recording_of(now, participant, Event::ScreenBegins, out);
        }
        self.room_input(now, RoomInput::Track(participant, kind, true), out);
    }

    /// A track's pictures are of a kind that is not shown, or are shown again: its sender, the roster and the log learn
    /// of it.
    pub(super) fn pictures_refused(
        &mut self,
        now: Instant,
        track: TrackId,
        why: Option<String>,
        out: &mut Outbox<Effect>,
    ) {
        let TrackId { participant, kind } = track;
        let Some(why) = why else {
            return self.room_input(now, RoomInput::Refused(participant, kind, false), out);
        };
        tracing::warn!(room = %alias(&self.name), ?kind, why, "a track is not shown");
        if kind == TrackKind::Camera {
            out.push(Effect::Scene(scene::Input::CameraEnded { participant }));
        }
        let sender = self.peers.iter().find(|(_, entry)| entry.role.participant() == Some(participant));
        if let Some((peer, _)) = sender {
            Self::send(peer, &FromNode::problem(ProblemKind::NotShown, "Your pictures are not shown", &why), out);
        }
        self.room_input(now, RoomInput::Refused(participant, kind, true), out);
    }

    /// A track sends more than is taken, so nothing of it is shown; or it is within bounds again.
    pub(super) fn track_over(
        &mut self,
        now: Instant,
        peer: PeerId,
        (kind, is_over): (TrackKind, bool),
        out: &mut Outbox<Effect>,
    ) {
        let Some(participant) = self.peers.get(peer).and_then(|entry| entry.role.participant()) else { return };
        let why = format!(
            "They are more than {} a second ({} of the largest), or many times the bits that 'send' asks for. Send \
             less: they are shown again a second later.",
            limits::INGEST_FPS_MAX,
            limits::INGEST_PIXELS_A_SECOND_MAX / u64::from(limits::INGEST_PIXELS_MAX)
        );
        self.pictures_refused(now, TrackId { participant, kind }, is_over.then_some(why), out);
    }

    /// A track was switched off.
    pub(super) fn track_ended(&mut self, now: Instant, peer: PeerId, kind: TrackKind, out: &mut Outbox<Effect>) {
        self.stop_track(now, peer, kind, out);
        if let Some(participant) = self.peers.get(peer).and_then(|entry| entry.role.participant()) {
            self.room_input(now, RoomInput::Track(participant, kind, false), out);
        }
    }

    /// Takes a track out of its workers.
    pub(super) fn stop_track(&mut self, now: Instant, peer: PeerId, kind: TrackKind, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        let Some(participant) = entry.role.participant() else { return };
        entry.veil.iter_mut().for_each(|veil| veil.tracks.retain(|(began, _)| *began != kind));
        entry.taps.remove(&kind);
        let ran = entry.tracks.remove(&kind);
        if kind == TrackKind::Screen {
            entry.reset_screen();
        }
        if !ran {
            return;
        }
        if kind == TrackKind::Screen {
            self.to_recording_of(now, participant, Event::ScreenEnds, out);
        }
        out.push(Effect::RemoveTrack(TrackId { participant, kind }));
    }

    /// Lays a tap for a track that begins. `None` where tracks are never recorded by themselves.
    fn tap_track(
        &mut self,
        peer: PeerId,
        (kind, codec): (TrackKind, Codec),
        keyframe_requests: &KeyframeRequest,
    ) -> Option<TrackTap> {
        if !self.setup.config.recording.tracks || self.setup.archive.is_none() {
            return None;
        }
        // Tracks of their own are written as they came, and the recorder's files have no form for VP8 and VP9.
        if !matches!(codec, Codec::Av1 | Codec::H264 | Codec::Opus) {
            let codec = codec.name();
            tracing::warn!(room = %alias(&self.name), codec, "a track is not recorded: AV1, H.264 and Opus are");
            return None;
        }
        let fan = Fan::new(self.setup.counts.node.reader_lagged.clone());
        let keyframe_requests = kind.is_video().then(|| keyframe_requests.clone());
        let tapped = Tapped { fan: fan.clone(), keyframe_requests, revoked: Arc::default() };
        self.peers.get_mut(peer)?.taps.insert(kind, tapped);
        Some(TrackTap::new(self.epoch, fan))
    }

    /// The recording began while people were in the room: their tracks are recorded from now on, pictures from the
    /// keyframe that is asked for.
    pub(super) fn record_tracks(&self, out: &mut Outbox<Effect>) {
        self.record_taps(|_| true, out);
    }

    /// Somebody's will changed: their tracks are recorded from now on, or no longer. What was recorded stays.
    pub(super) fn record_tracks_of(&mut self, participant: ParticipantId, recorded: bool, out: &mut Outbox<Effect>) {
        if !recorded {
            if let Some(ticket) = self.recording.ticket() {
                out.push(Effect::Package(PackageCommand::EndTracks(ticket, participant)));
            }
            return;
        }
        for (_, entry) in self.peers.iter_mut() {
            if entry.role.participant() == Some(participant) {
                // What was revoked stays revoked: who reads it may not have looked yet.
                entry.taps.values_mut().for_each(|tapped| tapped.revoked = Arc::default());
            }
        }
        self.record_taps(|theirs| theirs == Some(participant), out);
    }

    /// From the moment this returns nothing more is taken from somebody's taps by anyone who reads them now.
    pub(super) fn revoke_tracks_of(&self, participant: ParticipantId) {
        let theirs = self.peers.iter().filter(|(_, entry)| entry.role.participant() == Some(participant));
        for tapped in theirs.flat_map(|(_, entry)| entry.taps.values()) {
            tapped.revoked.store(true, Ordering::Release);
        }
    }

    fn record_taps(&self, whose: impl Fn(Option<ParticipantId>) -> bool, out: &mut Outbox<Effect>) {
        for (peer, entry) in self.peers.iter().filter(|(_, entry)| whose(entry.role.participant())) {
            for (kind, tapped) in &entry.taps {
                self.record_track(peer, *kind, out);
                tapped.keyframe_requests.iter().for_each(KeyframeRequest::request_keyframe);
            }
        }
    }

    fn record_track(&self, peer: PeerId, kind: TrackKind, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get(peer) else { return };
        let (Some(tapped), Some(participant)) = (entry.taps.get(&kind), entry.role.participant()) else { return };
        let Some(ticket) = self.recording.running() else { return };
        if self.refusers.contains(participant) {
            return;
        }
        let source = TrackSource {
            track: TrackId { participant, kind },
            reader: tapped.fan.subscribe(limits::TRACK_FAN_LEN, self.setup.package.clone()),
            keyframe_requests: tapped.keyframe_requests.clone(),
            revoked: tapped.revoked.clone(),
        };
        out.push(Effect::Package(PackageCommand::Track(ticket, Box::new(source))));
    }
}
