//! **The question:** who is connected to the room, by what, and what is asked of them?

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::app::control::room::effect::LegShown;
use crate::app::control::trickling::Trickling;
use crate::base::media::{Bitmap, Codec, PeerId, RungCodecs, TappedFrame, TrackKind};
use crate::core::access::{BearerId, Caller, Role};
use crate::core::ladder::{UplinkTarget, ViewerRung};
use crate::core::signal::VideoTrack;
use crate::engine::flow::{Fan, KeyframeRequest, PlayoutCell};
use crate::io::api::ResourceToken;
use crate::io::webrtc::PeerRole;

/// One connection.
pub struct PeerEntry {
    /// What it is for.
    pub role: PeerRole,
    /// What the token that they came in by made of them, if they did.
    standing: Option<Role>,
    /// By what they are known again, if they showed one.
    pub bearer: Option<BearerId>,
    /// The capability in its Location.
    pub resource: ResourceToken,
    /// How its ICE stands.
    pub trickling: Trickling,
    /// It is no WebRTC connection but a plain-RTP leg.
    pub leg: Option<LegShown>,
    /// Its person's place is kept for a while when it breaks.
    pub keeps_seat: bool,
    /// Its data channel is open: it hears what the room is told.
    pub hears: bool,
    /// It is a node, which shows the room to others and tells them what it is told.
    pub relays: bool,
    /// Shared by its camera and its microphone.
    pub playout: PlayoutCell,
    /// Shared by its screen and that screen's sound.
    pub screen_playout: PlayoutCell,
    /// What it is sent of the pictures; `None` where it receives none.
    pub watching: Option<Watching>,
    /// Nobody sees or hears them before the recording's view without them is made: what is shown and heard then.
    pub veil: Option<Veil>,
    /// Its tracks that are decoded or mixed.
    pub tracks: BTreeSet<TrackKind>,
    /// Its tracks that may be recorded by themselves.
    pub taps: HashMap<TrackKind, Tapped>,
    /// What is asked of its camera.
    ask_camera: UplinkTarget,
    /// What is asked of its screen.
    ask_screen: UplinkTarget,
}

/// What a connection is sent of the pictures.
#[derive(Debug)]
pub struct Watching {
    /// The codecs it takes.
    pub takes: RungCodecs,
    /// Which rung its link carries; `None` where it asked for one, which it keeps.
    pub rung: Option<ViewerRung>,
}

/// What somebody would show who is not shown yet.
#[derive(Debug, Default)]
pub struct Veil {
    /// Tracks that began, and how they are coded.
    pub tracks: Vec<(TrackKind, Codec)>,
    /// What is shown while their camera is off.
    pub avatar: Option<Bitmap>,
}

/// What is known of a track that may be recorded by itself.
#[derive(Debug)]
pub struct Tapped {
    /// What it sends.
    pub fan: Fan<TappedFrame>,
    /// Where its sender is asked for keyframes; sound needs none.
    pub keyframe_requests: Option<KeyframeRequest>,
    /// Nothing more is taken by those who read it now.
    pub revoked: Arc<AtomicBool>,
}

impl PeerEntry {
    /// A connection that comes in.
    pub fn new((role, standing): (PeerRole, Option<Role>), resource: ResourceToken, trickling: Trickling) -> Self {
        Self {
            role,
            standing,
            bearer: None,
            resource,
            trickling,
            leg: None,
            keeps_seat: false,
            hears: false,
            relays: false,
            watching: None,
            veil: None,
            playout: PlayoutCell::default(),
            screen_playout: PlayoutCell::default(),
            tracks: BTreeSet::new(),
            taps: HashMap::new(),
            ask_camera: UplinkTarget::new(),
            ask_screen: UplinkTarget::new(),
        }
    }

    /// Who stands behind it.
    pub const fn caller(&self) -> Caller {
        match self.role {
            PeerRole::Participant(participant) => Caller::Participant(participant, self.standing),
            PeerRole::Publisher(_) => Caller::Publisher,
            PeerRole::Viewer { .. } => Caller::Viewer,
        }
    }

    /// What the token that they came in by made of them.
    pub const fn standing(&self) -> Option<Role> {
        self.standing
    }

    /// What is asked of one of its tracks.
    pub fn ask_mut(&mut self, track: VideoTrack) -> &mut UplinkTarget {
        match track {
            VideoTrack::Camera => &mut self.ask_camera,
            VideoTrack::Screen => &mut self.ask_screen,
        }
    }

    /// The delay that a track shares with its companion.
    pub fn playout_of(&self, kind: TrackKind) -> &PlayoutCell {
        match kind {
            TrackKind::Camera | TrackKind::Microphone => &self.playout,
            TrackKind::Screen | TrackKind::ScreenSound => &self.screen_playout,
        }
    }

    /// Whether it hears whatever everybody is told.
    pub const fn is_told(&self) -> bool {
        self.leg.is_none() && (self.relays || !matches!(self.role, PeerRole::Viewer { .. }))
    }

    fn viewer_rung(&self) -> Option<&ViewerRung> {
        self.watching.as_ref()?.rung.as_ref()
    }

    /// What a new share of the screen begins with.
    pub fn reset_screen(&mut self) {
        (self.ask_screen, self.screen_playout) = (UplinkTarget::new(), PlayoutCell::default());
    }

    fn asks(&self) -> [(VideoTrack, &UplinkTarget); 2] {
        [(VideoTrack::Camera, &self.ask_camera), (VideoTrack::Screen, &self.ask_screen)]
    }
}

/// All connections of a room, in the order in which they came.
#[derive(Default)]
pub struct Peers(BTreeMap<PeerId, PeerEntry>);

impl Peers {
    /// Takes in a connection.
    pub fn insert(&mut self, id: PeerId, entry: PeerEntry) {
        self.0.insert(id, entry);
    }

    /// A connection.
    pub fn get(&self, id: PeerId) -> Option<&PeerEntry> {
        self.0.get(&id)
    }

    /// A connection, to change.
    pub fn get_mut(&mut self, id: PeerId) -> Option<&mut PeerEntry> {
        self.0.get_mut(&id)
    }

    /// Forgets a connection.
    pub fn remove(&mut self, id: PeerId) -> Option<PeerEntry> {
        self.0.remove(&id)
    }

    /// Every connection.
    pub fn iter(&self) -> impl Iterator<Item = (PeerId, &PeerEntry)> {
        self.0.iter().map(|(id, entry)| (*id, entry))
    }

    /// Every connection, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PeerId, &mut PeerEntry)> {
        self.0.iter_mut().map(|(id, entry)| (*id, entry))
    }

    /// The tracks whose senders are to be asked now.
    pub fn asks_due(&self, now: Instant) -> Vec<(PeerId, VideoTrack)> {
        let asks = self.iter().flat_map(|(id, entry)| entry.asks().map(|(track, ask)| (id, track, ask)));
        let due = asks.filter(|(.., ask)| ask.deadline().is_some_and(|at| at <= now));
        due.map(|(id, track, _)| (id, track)).collect()
    }

    /// The viewers whose rungs are to be looked at now.
    pub fn rungs_due(&self, now: Instant) -> Vec<PeerId> {
        let due = |entry: &PeerEntry| entry.viewer_rung().and_then(ViewerRung::deadline).is_some_and(|at| at <= now);
        self.iter().filter(|(_, entry)| due(entry)).map(|(id, _)| id).collect()
    }

    /// When the next viewer's rung is to be looked at.
    pub fn rung_deadline(&self) -> Option<Instant> {
        self.0.values().filter_map(|entry| entry.viewer_rung()?.deadline()).min()
    }

    /// When the next sender is to be asked.
    pub fn ask_deadline(&self) -> Option<Instant> {
        self.0.values().flat_map(PeerEntry::asks).filter_map(|(_, ask)| ask.deadline()).min()
    }
}
