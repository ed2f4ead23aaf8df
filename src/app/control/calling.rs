//! **The question:** how does a room's push reach another server? A connection of this node's own making is offered
//! there; what is answered comes back as an event.

use std::time::Instant;

use crate::app::control::room::Input;
use crate::app::control::room::effect::{PushCall, PushOffer};
use crate::app::control::thread::Control;
use crate::app::workers::event::{Event, PushLine};
use crate::base::media::{RoomId, RungCodecs};
use crate::io::push::{PushError, StreamCall};
use crate::io::webrtc::{NetCommand, OwnSocket, Peer, PeerRole, PeerSetup};

impl Control {
    /// Offers a connection or a stream to another server.
    pub(super) fn call(&mut self, name: &RoomId, call: PushCall) {
        match call.offer {
            PushOffer::Peer(codecs) => self.offer_peer(name, call, codecs),
            PushOffer::Stream { pictures, sound, fps } => {
                let PushCall { push, attempt, target, sent, .. } = call;
                let (reports, room) = (self.reports.clone(), name.clone());
                self.pusher.stream(StreamCall { target, pictures, sound, fps, sent }, move |told| {
                    reports.send(Event::PushStream { room: room.clone(), push, attempt, told });
                });
            }
        }
    }

    fn offer_peer(&mut self, name: &RoomId, call: PushCall, codecs: RungCodecs) {
        let PushCall { push, attempt, target, sent, .. } = call;
        let media = &self.setup.config.media;
        let mut socket = match OwnSocket::bind(media.listen.ip(), &media.advertise) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "no socket for a push");
                let answer = Box::new(Err(PushError::Unreachable("this node has no socket left".into())));
                return self.input(name, Input::Worker(Event::Push { room: name.clone(), push, attempt, answer }));
            }
        };
        let setup = PeerSetup {
            id: self.next_peer(),
            role: PeerRole::Viewer { minus: None },
            certificate: &self.certificate,
            candidates: socket.candidates(),
            tcp_candidates: &[],
            red: false,
        };
        let (mut peer, offer) = Peer::offer(&setup, codecs, sent, Instant::now());
        let (reports, room) = (self.reports.clone(), name.clone());
        self.pusher.call(target, offer, move |answered| {
            let line = answered.and_then(|answer| {
                let accepted = peer.accept(&answer.sdp, Instant::now());
                accepted.map_err(|why| PushError::BadAnswer(why.to_string()))?;
                socket.expect(&answer.sdp);
                Ok(PushLine { peer: Box::new(peer), socket: Box::new(socket), session: answer.session })
            });
            reports.send(Event::Push { room, push, attempt, answer: Box::new(line) });
        });
    }

    /// A connection that was answered comes up from now on.
    pub(super) fn dial(&mut self, name: &RoomId, peer: Box<Peer>, socket: Box<OwnSocket>) {
        self.peers.insert(peer.id(), name.clone());
        self.workers.net.send(NetCommand::AddCaller { peer, socket });
    }
}
