//! **The question:** which datagram belongs to which peer, and what is sent next? The loop that a `net-0` thread runs: it owns
//! the media socket, every peer, and what rooms send.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};

use crate::base::media::{Codec, EncodedFrame, MixTick, PeerId, RoomEpoch, RoomId, TrackKind};
use crate::engine::flow::{Counter, FanReader, KeyframeRequest, OpusSender, TrackSender, Waker};
use crate::io::webrtc::OfferError;
use crate::io::webrtc::peer::{CloseReason, IceCredentials, Peer};
use crate::io::webrtc::switch::Switch;
use crate::io::webrtc::udp::{MediaSocket, ReceiveBatch};

/// What the control thread tells the net thread.
pub enum NetCommand {
    /// A room begins to send.
    AddRoom {
        /// Which.
        room: RoomId,
        /// Its media clock.
        epoch: RoomEpoch,
        /// Its composite.
        video: FanReader<EncodedFrame>,
        /// Where keyframes of the composite are wished for.
        rung: KeyframeRequest,
        /// Its mixes.
        audio: FanReader<MixTick>,
    },
    /// A room ended; its peers were removed before.
    RemoveRoom(RoomId),
    /// A connection was answered.
    AddPeer {
        /// The room it hears and sees.
        room: RoomId,
        /// The connection.
        peer: Box<Peer>,
    },
    /// Say goodbye to a connection and forget it; no event follows.
    RemovePeer(PeerId),
    /// Where the frames of a video track go.
    AttachVideo {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
        /// The decoder's queue.
        sink: TrackSender,
        /// What the decoder wishes of the sender.
        keyframe_requests: KeyframeRequest,
    },
    /// Where the packets of a sound track go.
    AttachSound {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
        /// The mixer's queue.
        sink: OpusSender,
    },
    /// Candidates or new credentials of the other side; answered by `NetEvent::Trickled`.
    Trickle {
        /// Whose.
        peer: PeerId,
        /// Credentials, if the fragment had some.
        credentials: Option<IceCredentials>,
        /// Candidates, each from `candidate:` on.
        candidates: Vec<String>,
    },
    /// A new offer of the connection; answered by `NetEvent::Renegotiated`.
    Renegotiate {
        /// Whose.
        peer: PeerId,
        /// SDP.
        offer: String,
    },
    /// Say a text on the data channel.
    Signal {
        /// To whom.
        peer: PeerId,
        /// One message.
        text: Arc<str>,
    },
    /// Say goodbye to all and end.
    Stop,
}

/// What the net thread tells the control thread.
#[derive(Debug)]
pub enum NetEvent {
    /// ICE and DTLS are up.
    Connected(PeerId),
    /// A connection ended by itself and is forgotten.
    Closed {
        /// Which.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// The data channel can be used.
    ChannelOpen(PeerId),
    /// A track's first packet came: attach it.
    TrackStarted {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
        /// How it is coded, as long as it lasts.
        codec: Codec,
    },
    /// A track was switched off by renegotiation.
    TrackEnded {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
    },
    /// A text came on the data channel.
    Signal {
        /// From whom.
        peer: PeerId,
        /// At most `limits::SIGNAL_LEN_MAX` bytes.
        text: String,
    },
    /// A new offer was answered.
    Renegotiated {
        /// Whose.
        peer: PeerId,
        /// The answer's SDP.
        answer: Result<String, OfferError>,
    },
    /// What a room's listeners lose of the mix.
    SoundLost {
        /// Which room.
        room: RoomId,
        /// Nine of ten lose at most so much, per cent.
        percent: f32,
    },
    /// A fragment was taken.
    Trickled {
        /// Whose.
        peer: PeerId,
        /// After an ICE restart: this side's fragment.
        answer: Result<Option<String>, OfferError>,
    },
}

/// What the net thread counts; clones share it.
#[derive(Debug, Clone, Default)]
pub struct NetCounters {
    /// Datagrams received.
    pub datagrams_in: Counter,
    /// Datagrams sent.
    pub datagrams_out: Counter,
    /// Sends the kernel refused.
    pub sends_refused: Counter,
    /// Datagrams of no known peer.
    pub datagrams_unknown: Counter,
    /// Datagrams a peer could not read.
    pub datagrams_malformed: Counter,
    /// Frames and packets received whole.
    pub frames_in: Counter,
    /// Sounds whose packets were lost and whose copies came with later ones (RED).
    pub sounds_restored: Counter,
    /// Gaps in incoming pictures that no repair filled in time.
    pub gaps_skipped: Counter,
    /// Incoming frames and packets whose bytes were malformed.
    pub frames_malformed: Counter,
    /// Frames of the composite handed to viewers.
    pub frames_out: Counter,
    /// Keyframe requests of viewers.
    pub keyframe_requests_in: Counter,
    /// Of those, refused: the viewer asks too often.
    pub keyframe_requests_refused: Counter,
    /// Keyframe requests sent to sources.
    pub keyframe_requests_out: Counter,
    /// Messages that did not fit a data channel.
    pub signals_discarded: Counter,
    /// Events that did not fit the control thread's queue.
    pub events_refused: Counter,
}

/// The net thread's ends of its channels.
pub struct NetWiring {
    /// From the control thread.
    pub commands: Receiver<NetCommand>,
    /// To the control thread.
    pub events: Sender<NetEvent>,
    /// The control thread's.
    pub control: Waker,
    /// This thread's.
    pub waker: Waker,
    /// What is counted.
    pub counters: NetCounters,
}

/// The socket, and everything behind it.
pub struct Net {
    socket: MediaSocket,
    wiring: NetWiring,
    switch: Switch,
}

/// Batches received before commands, rooms and timers get their turn.
const BATCHES_PER_ROUND: usize = 8;

impl Net {
    /// A net thread's state around its socket.
    #[must_use]
    pub fn new(socket: MediaSocket, wiring: NetWiring) -> Self {
        let events = NetEvents::new(&wiring);
        let switch = Switch::new(events, wiring.counters.clone());
        Self { socket, wiring, switch }
    }

    /// Serves until told to stop.
    pub fn run(mut self) {
        let mut batch = ReceiveBatch::new(&self.socket);
        loop {
            self.receive(&mut batch);
            loop {
                match self.wiring.commands.try_recv() {
                    Ok(NetCommand::Stop) | Err(TryRecvError::Disconnected) => {
                        return self.switch.stop(&self.socket, Instant::now());
                    }
                    Ok(command) => self.switch.command(&self.socket, Instant::now(), command),
                    Err(TryRecvError::Empty) => break,
                }
            }
            let deadline = self.switch.advance(&self.socket, Instant::now());
            self.wiring.waker.sleep_until_readable(self.socket.as_fd(), Some(deadline));
        }
    }

    fn receive(&mut self, batch: &mut ReceiveBatch) {
        for _ in 0..BATCHES_PER_ROUND {
            let now = Instant::now();
            let (socket, switch) = (&self.socket, &mut self.switch);
            let count = batch.receive(socket, |source, destination, datagram| {
                switch.datagram(socket, now, source, destination, datagram);
            });
            if count == 0 {
                break;
            }
        }
    }
}

/// How the control thread learns of events.
pub(super) struct NetEvents {
    events: Sender<NetEvent>,
    control: Waker,
    refused: Counter,
}

impl NetEvents {
    pub(super) fn new(wiring: &NetWiring) -> Self {
        let refused = wiring.counters.events_refused.clone();
        Self { events: wiring.events.clone(), control: wiring.control.clone(), refused }
    }

    /// Tells without waiting; an event that does not fit is counted, and false is returned.
    pub(super) fn tell(&self, event: NetEvent) -> bool {
        let full = matches!(self.events.try_send(event), Err(TrySendError::Full(_)));
        self.refused.add(u64::from(full));
        self.control.wake();
        !full
    }
}
