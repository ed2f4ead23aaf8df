//! **The question:** what are the nouns? Floor 0: ids, times and frames, and nothing that acts.
//!
//! Doors: [`ids`] (who and which), [`time`] (the three times), [`frame`] (what flows), [`Law`] (G.711), [`bitmap`] (stills), [`damage`] (what changed), [`outbox`] (how a pure core answers).

mod bitmap;
mod damage;
mod frame;
mod g711;
mod ids;
mod outbox;
mod rung;
mod time;

pub use bitmap::Bitmap;
pub use damage::{DAMAGE_BLOCK, Damage};
pub use frame::{
    AudioLevel, Codec, ComposedFrame, EncodedFrame, Ingest, Matrix, MixTick, PcmBlock, Picture, PlaneRef, RedactedMix,
    Size, VideoFrame,
};
pub use g711::Law;
pub use ids::{IdError, ParticipantId, PeerId, RecordingTicket, RoomId, TrackId, TrackKind};
pub use outbox::Outbox;
pub use rung::{NoRungName, RungId, RungName, RungSpec, View};
pub use time::{NANOS_PER_SECOND, Pts, RoomEpoch, Wallclock, pts_from_instant, pts_from_tick, rtp_from_pts};
