//! **The question:** what does the wire count?

use crate::engine::flow::{Counter, Level};

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
    /// Datagrams that came to another net thread than their peer's and were passed on.
    pub datagrams_strayed: Counter,
    /// Of those, the ones for which that thread's inbox had no room.
    pub strays_discarded: Counter,
    /// Peers that moved to the net thread at which their datagrams come in.
    pub peers_moved: Counter,
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
    /// Times that a track sent more than is taken, and was not shown from then on.
    pub tracks_over: Counter,
    /// Frames of the composite handed to viewers.
    pub frames_out: Counter,
    /// Keyframe requests of viewers.
    pub keyframe_requests_in: Counter,
    /// Of those, refused: the viewer asks too often.
    pub keyframe_requests_refused: Counter,
    /// Keyframe requests sent to sources.
    pub keyframe_requests_out: Counter,
    /// Messages to clients that newer ones replaced before they were said.
    pub signals_coalesced: Counter,
    /// Messages to clients that could not even wait.
    pub signals_discarded: Counter,
    /// Messages of clients who said more than is taken.
    pub signals_refused: Counter,
    /// Datagrams that were not sent: their address had not proved that it is the peer's.
    pub datagrams_withheld: Counter,
    /// Rounds of a net thread that took longer than [`limits::LONG_ROUND`](crate::base::limits::LONG_ROUND).
    pub rounds_long: Counter,
    /// TCP connections that carry media.
    pub tcp_streams: Level,
    /// Those that were closed before they belonged to a client.
    pub tcp_refused: Counter,
    /// Datagrams discarded because a client takes its TCP connection's bytes too slowly.
    pub tcp_discarded: Counter,
    /// Events that did not fit the control thread's queue.
    pub events_refused: Counter,
}
