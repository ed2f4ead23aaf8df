//! **The question:** what follows from what the wire saw? The net workers' events, one function each.

use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::app::workers::mix::MixCommand;
use crate::base::media::{Outbox, ParticipantId, PeerId, TrackKind};
use crate::core::access::Act;
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
            NetEvent::ChannelOpen(peer) => {
                if let Some(entry) = self.peers.get_mut(peer) {
                    entry.hears = true;
                }
                self.welcome(now, peer, out);
            }
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
        let message = match FromClient::parse(text) {
            Ok(Some(message)) => message,
            // A type of a later version; `docs/signalling.md` promises that it is ignored.
            Ok(None) => return,
            Err(error) => return Self::send(peer, &refused_message(&error), out),
        };
        let act = message.act();
        if self.setup.policy.judge(&self.caller(peer), act, Some(&self.name)).is_err() {
            return Self::send(peer, &denied_message(act), out);
        }
        match message {
            FromClient::Offer { sdp } => out.push(Effect::Net(NetCommand::Renegotiate { peer, offer: sdp })),
            FromClient::State { muted, camera, screen } => {
                if let Some(participant) = participant {
                    self.stated(now, participant, (muted, camera, screen), out);
                }
            }
            FromClient::Layout { layout, page } => self.choose_layout(now, peer, layout, page, out),
            FromClient::Hand { raised } => {
                if let Some(id) = participant {
                    self.room_input(now, RoomInput::Hand(id, raised), out);
                }
            }
            FromClient::Talk { talking } => {
                if let Some(id) = participant {
                    self.room_input(now, RoomInput::Talk(id, talking), out);
                }
            }
            FromClient::Record { recording } => self.participant_records(now, peer, recording, out),
            FromClient::Recordable { recordable } => {
                if let Some(id) = participant {
                    self.set_recordable(now, id, recordable, out);
                }
            }
            FromClient::Chat { text, to } => self.chat(now, peer, (text, to), out),
            FromClient::Reaction { reaction } => self.react(now, peer, reaction, out),
            FromClient::Leave => self.dismiss(now, peer, "the client left", out),
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

pub(in crate::app::control) fn denied_message(act: Act) -> FromNode {
    let (title, detail) = match act {
        Act::Arrange => {
            ("Participants do not choose the layout here", "Ask whoever runs this node to lay the room out, or a host.")
        }
        Act::Record => ("Participants do not record here", "Ask whoever runs this node, or a host who may."),
        _ => ("You only watch", "Only those who take part write and are heard; join the room to do so."),
    };
    FromNode::problem(ProblemKind::NotAllowed, title, detail)
}

pub(in crate::app::control) fn refused_message(error: &SignalError) -> FromNode {
    FromNode::problem(ProblemKind::BadMessage, "The message cannot be read", &error.to_string())
}
