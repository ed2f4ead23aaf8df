//! **The question:** what does the wire tell the control thread?

use crossbeam_channel::{Sender, TrySendError};

use crate::base::media::{Codec, PeerId, RoomId, TrackKind};
use crate::core::ladder::LinkVerdict;
use crate::engine::flow::{Counter, Waker};
use crate::io::webrtc::life::CloseReason;
use crate::io::webrtc::offer::OfferError;

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
    /// A track sends more than is taken, so nothing of it is; or it is within bounds again.
    Excess {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
        /// More than is taken.
        is_over: bool,
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
    /// How the link to a viewer stands: told while less arrives than is sent, and once when all does again.
    Link {
        /// To whom.
        peer: PeerId,
        /// How it stands.
        verdict: LinkVerdict,
    },
    /// A fragment was taken.
    Trickled {
        /// Whose.
        peer: PeerId,
        /// After an ICE restart: this side's fragment.
        answer: Result<Option<String>, OfferError>,
    },
}

impl NetEvent {
    /// The connection that it is about.
    #[must_use]
    pub const fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Connected(peer)
            | Self::ChannelOpen(peer)
            | Self::Closed { peer, .. }
            | Self::TrackStarted { peer, .. }
            | Self::TrackEnded { peer, .. }
            | Self::Excess { peer, .. }
            | Self::Signal { peer, .. }
            | Self::Renegotiated { peer, .. }
            | Self::Link { peer, .. }
            | Self::Trickled { peer, .. } => Some(*peer),
            Self::SoundLost { .. } => None,
        }
    }

    /// The room that it is about, where it is about all of its listeners.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomId> {
        match self {
            Self::SoundLost { room, .. } => Some(room),
            _ => None,
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
    /// Events go into `events`, whose reader sleeps on `control`; those that do not fit are counted in `refused`.
    pub(super) fn new(events: Sender<NetEvent>, control: Waker, refused: Counter) -> Self {
        Self { events, control, refused }
    }

    /// Tells without waiting; an event that does not fit is counted, and false is returned.
    pub(super) fn tell(&self, event: NetEvent) -> bool {
        let full = matches!(self.events.try_send(event), Err(TrySendError::Full(_)));
        self.refused.add(u64::from(full));
        self.control.wake();
        !full
    }
}
