//! **The question:** what are the nouns? Floor 1: ids, times and frames, and nothing that acts.
//!
//! Doors: [`ids`] (who and which), [`time`] (the three times), [`frame`] (what flows), [`codec`] (how it is coded),
//! [`colour`] (what samples mean),
//! [`size`] (rasters), [`speech`] (what captioners hear),
//! [`rung`] (what a room sends out), [`Law`] (G.711), [`bitmap`] (stills), [`damage`] (what
//! changed), [`outbox`] (how a pure core answers).

mod bitmap;
mod codec;
mod colour;
mod damage;
mod frame;
mod g711;
mod ids;
mod orientation;
mod outbox;
mod rung;
mod size;
mod speech;
mod time;

pub use bitmap::Bitmap;
pub use codec::{Codec, RungCodecs};
pub use colour::{Colour, Matrix};
pub use damage::{DAMAGE_BLOCK, Damage};
pub use frame::{
    AudioLevel, CodedFrame, ComposedFrame, Content, EncodedFrame, MixTick, PcmBlock, Picture, PlaneRef, ReceivedFrame,
    RedactedMix, ShortBlock, TappedFrame, TemporalLayer, VideoFrame,
};
pub use g711::Law;
pub use ids::{IdError, ParticipantId, PeerId, RecordingTicket, RoomId, TrackId, TrackKind};
pub use orientation::Orientation;
pub use outbox::Outbox;
pub use rung::{CodecPreference, EncodeCosts, NoRungName, RungId, RungName, RungSpec, View};
pub use size::Size;
pub use speech::{Speech, SpeechBlock};
pub use time::{NANOS_PER_SECOND, Pts, RoomEpoch, Wallclock, pts_from_instant, pts_from_tick, rtp_from_pts};
