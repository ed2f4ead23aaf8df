//! **The question:** what follows from what the wire saw? The net workers' events, one function each.

use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::app::workers::mix::MixCommand;
use crate::base::media::{Outbox, ParticipantId, PeerId, TrackKind};
use crate::core::room::RoomInput;
use crate::core::signal::{FromClient, FromNode, ProblemKind, SignalError};
use crate::io::webrtc::{NetCommand, NetEvent, OfferError};

impl Room {
    /// One event of a net worker. Events about a connection that is gone meanwhile are ignored.
    pub(super) fn net_event(&mut self, now: Instant, event: NetEvent, out: &mut Outbox<Effect>) {
        match event {
            NetEvent::Closed { peer, reason } => {
                self.lose_peer(now, peer, &reason.to_string(), out);
                self.push_lost(now, peer, reason, out);
            }
            NetEvent::ChannelOpen(peer) => self.welcome(now, peer, out),
            NetEvent::TrackStarted { peer, kind, codec } => self.track_started(now, peer, (kind, codec), out),
            NetEvent::TrackEnded { peer, kind } => self.track_ended(now, peer, kind, out),
            NetEvent::Excess { peer, kind, is_over } => self.track_over(now, peer, (kind, is_over), out),
            NetEvent::Signal { peer, text } => self.signal(now, peer, &text, out),
            NetEvent::Renegotiated { peer, answer } => Self::renegotiated(peer, answer, out),
            // The encoders of the room's mixes follow what its listeners lose.
            NetEvent::SoundLost { percent, .. } => out.push(Effect::Mix(MixCommand::Loss(self.name.clone(), percent))),
            NetEvent::Trickled { peer, answer } => {
                if let Some(entry) = self.peers.get_mut(peer) {
                    entry.trickling.answered(answer);
                }
            }
            NetEvent::Link { peer, verdict } => self.link_changed(now, peer, verdict, out),
            // That is how all others came in.
            NetEvent::Connected(peer) => self.push_connected(now, peer, out),
        }
    }

    fn signal(&mut self, now: Instant, peer: PeerId, text: &str, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get(peer) else { return };
        let participant = entry.role.participant();
        match FromClient::parse(text) {
            Ok(Some(FromClient::Offer { sdp })) => out.push(Effect::Net(NetCommand::Renegotiate { peer, offer: sdp })),
            Ok(Some(FromClient::State { muted, camera, screen })) => {
                if let Some(participant) = participant {
                    self.stated(now, participant, (muted, camera, screen), out);
                }
            }
            Ok(Some(FromClient::Layout { layout, page })) => self.choose_layout(now, peer, layout, page, out),
            Ok(Some(FromClient::Hand { raised })) => {
                if let Some(id) = participant {
                    self.room_input(now, RoomInput::Hand(id, raised), out);
                }
            }
            Ok(Some(FromClient::Talk { talking })) => {
                if let Some(id) = participant {
                    self.room_input(now, RoomInput::Talk(id, talking), out);
                }
            }
            Ok(Some(FromClient::Record { recording })) => self.participant_records(now, peer, recording, out),
            Ok(Some(FromClient::Recordable { recordable })) => {
                if let Some(id) = participant {
                    self.set_recordable(now, id, recordable, out);
                }
            }
            Ok(Some(FromClient::Chat { text, to })) => self.chat(now, peer, (text, to), out),
            Ok(Some(FromClient::Reaction { reaction })) => self.react(now, peer, reaction, out),
            Ok(Some(FromClient::Leave)) => self.dismiss(now, peer, "the client left", out),
            // A type of a later version; `docs/signalling.md` promises that it is ignored.
            Ok(None) => {}
            Err(error) => Self::send(peer, &refused_message(&error), out),
        }
    }

    /// A person muted themself, or switched camera or screen off without ending the track.
    fn stated(
        &mut self,
        now: Instant,
        participant: ParticipantId,
        (muted, camera, screen): (bool, bool, bool),
        out: &mut Outbox<Effect>,
    ) {
        self.room_input(now, RoomInput::Stated(participant, TrackKind::Microphone, !muted), out);
        self.room_input(now, RoomInput::Stated(participant, TrackKind::Camera, camera), out);
        self.room_input(now, RoomInput::Stated(participant, TrackKind::Screen, screen), out);
    }

    fn renegotiated(peer: PeerId, answer: Result<String, OfferError>, out: &mut Outbox<Effect>) {
        let message = match answer {
            Ok(sdp) => FromNode::Answer { sdp },
            Err(error) => FromNode::problem(ProblemKind::BadOffer, "The offer cannot be answered", &error.to_string()),
        };
        Self::send(peer, &message, out);
    }
}

fn refused_message(error: &SignalError) -> FromNode {
    FromNode::problem(ProblemKind::BadMessage, "The message cannot be read", &error.to_string())
}
