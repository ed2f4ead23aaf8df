//! **The question:** what do all rooms of a node have in common? Settled once, when the node starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::app::config::{Branding, Config, RecordingStart};
use crate::app::control::room::owner::Tenancy;
use crate::app::workers::counters::Counts;

use crate::base::media::{Codec, CodecPreference, EncodeCosts, RecordingTicket, RungId, RungSpec, ShortBlock};
use crate::core::access::Policy;
use crate::core::ladder::{CodecChoice, CodecSetup};
use crate::engine::flow::Waker;
use crate::io::fleet::Placement;
use crate::io::live::LiveRooms;
use crate::io::store::Archive;

/// What a room is told at its beginning; shared by all.
pub struct RoomSetup {
    /// What the operator chose.
    pub config: Config,
    /// Who may do what.
    pub policy: Policy,
    /// What rooms can send, the canvas' own rung first.
    pub rungs: Vec<RungSpec>,
    /// How rooms look when they begin.
    pub branding: Branding,
    /// What is played when a recording begins.
    pub announcement: Option<Arc<[ShortBlock]>>,
    /// Where rooms are recorded to, if they are.
    pub archive: Option<Arc<Archive>>,
    /// Where the one recording of a demo goes, in place of the archive.
    pub record_to: Option<PathBuf>,
    /// Where rooms can be watched by HLS.
    pub live: LiveRooms,
    /// Who says where rooms are.
    pub placement: Placement,
    /// What is counted.
    pub counts: Counts,
    /// Of whoever asks senders and encoders for keyframes.
    pub net: Waker,
    /// Of the package worker.
    pub package: Waker,
    /// What a tick costs to encode here, measured at start.
    pub encode_costs: EncodeCosts,
    /// Which codec those get who take both, as the operator chose.
    pub codec: CodecPreference,
    /// Cores that the node may use.
    pub cores: usize,
    /// Rooms that run.
    pub rooms_running: AtomicUsize,
    /// Whose rooms run here.
    pub tenancy: Tenancy,
    /// Who encodes and who composes, by name.
    pub engines: (&'static str, &'static str),
    /// Numbers of rungs, pushes and recordings given out so far.
    numbers: AtomicU64,
}

impl RoomSetup {
    /// What follows from the configuration `config` and the rest.
    #[must_use]
    pub fn new(
        config: Config,
        counts: Counts,
        (net, package): (Waker, Waker),
        (archive, record_to): (Option<Arc<Archive>>, Option<PathBuf>),
        engines: (&'static str, &'static str),
        encode_costs: EncodeCosts,
    ) -> Self {
        let tenancy = Tenancy::new(&config);
        counts.meters.begin(&tenancy.tenants);
        Self {
            tenancy,
            policy: config.policy(),
            rungs: config.video.rung_specs(),
            branding: config.video.branding(),
            announcement: config.recording.announcement.blocks(),
            archive,
            record_to,
            live: LiveRooms::default(),
            placement: Placement::default(),
            codec: config.video.codec,
            config,
            counts,
            net,
            package,
            engines,
            encode_costs,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            rooms_running: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
        }
    }

    /// What can be watched by HLS: every rung, in both codecs where both are encoded.
    #[must_use]
    pub fn live_rungs(&self) -> Vec<RungSpec> {
        let h264 = self.encode_costs.h264.map(|_| Codec::H264);
        let codecs = [Codec::Av1].into_iter().chain(h264);
        codecs.flat_map(|codec| self.rungs.iter().map(move |spec| RungSpec { codec, ..*spec })).collect()
    }

    /// What viewers may choose.
    #[must_use]
    pub fn rung_names(&self) -> Vec<String> {
        self.rungs.iter().map(|spec| spec.name().to_string()).collect()
    }

    /// What the choice of a codec depends on and what stays.
    #[must_use]
    pub fn codec_setup(&self) -> CodecSetup {
        CodecSetup { costs: self.encode_costs, preference: self.codec, cores: self.cores }
    }

    /// What a room that begins sends to those who take both codecs.
    pub fn first_codec(&self) -> CodecChoice {
        CodecChoice::new(self.codec_setup(), self.config.video.fps.get(), self.rooms_running.load(Ordering::Relaxed))
    }

    /// A rung's id.
    pub fn next_rung(&self) -> RungId {
        RungId(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// A captioner's id, of no other room either: one that is slow to end must not end another's.
    pub fn next_captioner(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A push's id.
    pub fn next_push(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A recording's ticket.
    pub fn next_ticket(&self) -> RecordingTicket {
        RecordingTicket(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether rooms are recorded by themselves.
    #[must_use]
    pub fn records_by_itself(&self) -> bool {
        self.config.recording.start == RecordingStart::Automatic
    }

    /// Whether recordings can begin and end while a room runs. What goes into one file is recorded from beginning to
    /// end.
    #[must_use]
    pub fn records_on_request(&self) -> bool {
        self.archive.is_some() && self.record_to.is_none()
    }
}
