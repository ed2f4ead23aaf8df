//! **The question:** what does one net thread hand to another? Datagrams that strayed, peers that move, commands that
//! follow them.

use std::net::SocketAddr;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::base::limits;
use crate::base::media::PeerId;
use crate::engine::flow::Waker;
use crate::io::webrtc::command::NetCommand;
use crate::io::webrtc::entry::Entry;
use crate::io::webrtc::tcp::connection::Connection;

/// A datagram that came to another worker than its peer's.
pub(super) struct Stray {
    /// The worker whose socket it came by.
    pub(super) from: usize,
    /// Times it was handed on before.
    pub(super) hops: u32,
    /// Who sent it.
    pub(super) source: SocketAddr,
    /// The candidate it came in by.
    pub(super) destination: SocketAddr,
    /// Its bytes.
    pub(super) datagram: Box<[u8]>,
}

/// What has to arrive, unlike a stray.
pub(super) enum Pass {
    /// A peer lives here from now on.
    Adopt(Box<Entry>),
    /// A command for a peer that lives here, from the worker it was added at.
    Command(NetCommand),
    /// A peer that was added here and lived elsewhere is gone.
    Gone(PeerId),
    /// An address belongs to a peer of another worker now.
    AddressTaken(SocketAddr),
    /// A TCP connection that named a peer.
    Stream {
        /// That one's `ice-ufrag`.
        ufrag: String,
        connection: Box<Connection>,
    },
}

/// One worker's door for the others.
pub(super) struct Siblings {
    /// Strays; those that do not fit are discarded.
    pub(super) strays: Sender<Stray>,
    /// All else; the sender keeps what does not fit and tries again.
    pub(super) passes: Sender<Pass>,
    /// The worker's.
    pub(super) waker: Waker,
}

/// The inside of that door.
pub(super) struct Inbox {
    strays: Receiver<Stray>,
    passes: Receiver<Pass>,
}

/// Both sides of one worker's door.
pub(super) fn inbox(waker: Waker) -> (Siblings, Inbox) {
    let (strays, strays_in) = bounded(limits::STRAYS_LEN);
    let (passes, passes_in) = bounded(limits::PASSES_LEN);
    (Siblings { strays, passes, waker }, Inbox { strays: strays_in, passes: passes_in })
}

impl Inbox {
    /// What lies there now. Strays are looked at first and are to be handled last, commands of the control thread in
    /// between: a stray then never comes before its peer, and a peer never before its room.
    pub(super) fn take(&self) -> (Vec<Pass>, Vec<Stray>) {
        let strays = self.strays.try_iter().take(limits::STRAYS_LEN).collect();
        let passes = self.passes.try_iter().take(limits::PASSES_LEN).collect();
        (passes, strays)
    }
}
