//! **The question:** what does the node count? One counter a seam, and the events an operator asks for.

use crate::base::limits;
use crate::base::limits::RUNGS_MAX;
use crate::engine::audio::SoundCounters;
use crate::engine::flow::{Counter, Level};
use crate::io::api::{CaptionCounters, DoorCounters, Meters};
use crate::io::fleet::FleetCounters;
use crate::io::live::LiveCounters;
use crate::io::push::PushCounters;
use crate::io::recording::RecordCounters;
use crate::io::rtp::LegCounters;
use crate::io::store::ArchiveCounters;
use crate::io::traces::TraceCounters;
use crate::io::transfer::TransferCounters;
use crate::io::webhook::WebhookCounters;
use crate::io::webrtc::{NetCounters, RelayCounters};

/// How well lips and voices agree; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct LipSyncCounters {
    /// Pictures whose skew against the sound of the same moment was known.
    pub pictures: Counter,
    /// The sum of those skews, either way, microseconds.
    pub skew_us: Counter,
    /// Of those pictures, the ones more than [`limits::LIP_SYNC_SKEW_MAX`] off.
    pub off: Counter,
}

impl LipSyncCounters {
    /// Counts one picture, `skew` nanoseconds behind its sound if that is known.
    pub fn note(&self, skew: Option<i64>) {
        if let Some(skew) = skew {
            self.pictures.add(1);
            self.skew_us.add(skew.unsigned_abs() / 1000);
            self.off.add(u64::from(u128::from(skew.unsigned_abs()) > limits::LIP_SYNC_SKEW_MAX.as_nanos()));
        }
    }
}

/// Processes of decoders by why they are no more; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct DecoderCounters {
    /// It ended: a crash, memory that ran out, somebody who killed it.
    pub ended: Counter,
    /// It did not answer in time.
    pub hung: Counter,
    /// It said what cannot be.
    pub garbled: Counter,
    /// Tracks that are decoded no more because processes kept ending over their frames.
    pub tracks_refused: Counter,
    /// Starts after which the kernel did not grant all of the confinement.
    pub unconfined: Counter,
}

/// What runs on the node, and what more it would take; clones share the numbers.
#[derive(Debug, Clone, Default)]
pub struct StandingLevels {
    /// Rooms.
    pub rooms: Level,
    /// People in them.
    pub people: Level,
    /// 1 while no room begins because the node drains.
    pub draining: Level,
    /// Media units that the machine has.
    pub capacity_units: Level,
    /// Those that its rooms take.
    pub reserved_units: Level,
    /// Rooms of a hundred people that fit beside them.
    pub free_room100_slots: Level,
}

/// Counters of the whole node; clones share them.
#[derive(Debug, Clone, Default)]
pub struct NodeCounters {
    /// How the node stands.
    pub standing: StandingLevels,
    /// Frames discarded between peer and decoder.
    pub ingest_discarded: Counter,
    /// Decoded frames that a newer one replaced before the tick.
    pub frames_superseded: Counter,
    /// Opus packets discarded between peer and mixer.
    pub opus_discarded: Counter,
    /// Wishes replaced by newer ones before they were fulfilled.
    pub wishes_superseded: Counter,
    /// Video ticks whose picture was not encoded.
    pub ticks_skipped: Counter,
    /// How often a room gave up something because its ticks did not keep up.
    pub reliefs: Counter,
    /// Who was refused because this machine carries no more.
    pub turned_away: Counter,
    /// Rooms whose GPU failed and whose pictures the processor draws since.
    pub compositors_replaced: Counter,
    /// Video ticks of all rooms.
    pub ticks: Counter,
    /// Audio ticks of all rooms.
    pub audio_ticks: Counter,
    /// Audio ticks left out because the thread was late.
    pub audio_ticks_skipped: Counter,
    /// Rooms' changes of the codec that those get who take both.
    pub codec_switches: Counter,
    /// Viewers who got a smaller rung because their link did not carry theirs.
    pub rung_downs: Counter,
    /// Viewers who got a larger rung because their link was clear.
    pub rung_ups: Counter,
    /// Viewers whose pictures waited for a queue on their link to drain.
    pub rung_holds: Counter,
    /// Viewers of the canvas' own rung, and of each smaller one.
    pub rung_viewers: [Level; RUNGS_MAX],
    /// Frames encoded, all rungs.
    pub frames_encoded: Counter,
    /// Frames that a slow reader lost.
    pub reader_lagged: Counter,
    /// Commands refused because the control thread was behind.
    pub commands_refused: Counter,
    /// Events that did not fit the control thread's queue.
    pub events_refused: Counter,
    /// Frames decoded.
    pub frames_decoded: Counter,
    /// Frames the decoder refused: a broken or unsupported bitstream.
    pub frames_broken: Counter,
    /// Frames not decoded because the node's decoders hold as many pixels as they may.
    pub frames_unaffordable: Counter,
    /// Processes of decoders that another one took the place of.
    pub decoders_replaced: DecoderCounters,
    /// Threads that panicked.
    pub threads_failed: Counter,
    /// Keyframes requested of senders.
    pub keyframes_requested: Counter,
    /// Rooms ended by a panic in one of their workers.
    pub rooms_failed: Counter,
    /// Lips and voices.
    pub lip_sync: LipSyncCounters,
}

/// Every room's counters together; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// The seams and the workers.
    pub node: NodeCounters,
    /// The HTTP door.
    pub http: DoorCounters,
    /// Captioners.
    pub captions: CaptionCounters,
    /// The wire.
    pub net: NetCounters,
    /// Rooms that are sent on.
    pub push: PushCounters,
    /// The plain-RTP legs together.
    pub legs: LegCounters,
    /// The rooms' sound.
    pub sound: SoundCounters,
    /// What is watched by HLS.
    pub live: LiveCounters,
    /// The recordings.
    pub record: RecordCounters,
    /// The archive they go to.
    pub archive: ArchiveCounters,
    /// Those that leave for another host.
    pub hand_over: TransferCounters,
    /// What is told to the operator's servers.
    pub webhooks: WebhookCounters,
    /// Spans.
    pub traces: TraceCounters,
    /// Where rooms go.
    pub fleet: FleetCounters,
    /// Rooms of other nodes that are watched here.
    pub relay: RelayCounters,
    /// What tenants' rooms use.
    pub meters: Meters,
}
