//! **The question:** which connection belongs to whom?

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::app::control::legs::LegShown;
use crate::app::control::tracks::Tapped;
use crate::base::media::{PeerId, RoomId, TrackKind};
use crate::core::ladder::UplinkTarget;
use crate::core::signal::VideoTrack;
use crate::engine::flow::PlayoutCell;
use crate::io::api::{Refusal, ResourceToken, Trickled};
use crate::io::webrtc::PeerRole;

/// One connection.
pub struct PeerEntry {
    /// Its room.
    pub room: RoomId,
    /// What it is for.
    pub role: PeerRole,
    /// The capability in its Location.
    pub resource: ResourceToken,
    /// This side's ICE generation, the ETag of its resource.
    pub ufrag: String,
    /// Trickled fragments that wait for the net thread's answer.
    pub trickles: VecDeque<oneshot::Sender<Result<Trickled, Refusal>>>,
    /// ICE and DTLS are up.
    pub connected: bool,
    /// It is no WebRTC connection but a plain-RTP leg.
    pub leg: Option<LegShown>,
    /// Shared by its camera and its microphone.
    pub playout: PlayoutCell,
    /// The decode lane of each of its video tracks.
    pub decoded_by: HashMap<TrackKind, usize>,
    /// Its tracks that may be recorded.
    pub taps: HashMap<TrackKind, Tapped>,
    /// Shared by its screen and that screen's sound.
    pub screen_playout: PlayoutCell,
    /// What is asked of its camera.
    ask_camera: UplinkTarget,
    /// What is asked of its screen.
    ask_screen: UplinkTarget,
}

impl PeerEntry {
    /// A connection that was just answered.
    pub fn new(room: RoomId, role: PeerRole, resource: ResourceToken, ufrag: String) -> Self {
        Self {
            room,
            role,
            resource,
            ufrag,
            trickles: VecDeque::new(),
            connected: false,
            leg: None,
            playout: PlayoutCell::default(),
            decoded_by: HashMap::new(),
            taps: HashMap::new(),
            screen_playout: PlayoutCell::default(),
            ask_camera: UplinkTarget::new(),
            ask_screen: UplinkTarget::new(),
        }
    }

    /// What is asked of one of its tracks.
    pub fn ask_mut(&mut self, track: VideoTrack) -> &mut UplinkTarget {
        match track {
            VideoTrack::Camera => &mut self.ask_camera,
            VideoTrack::Screen => &mut self.ask_screen,
        }
    }

    /// What a new share of the screen begins with.
    pub fn forget_screen(&mut self) {
        (self.ask_screen, self.screen_playout) = (UplinkTarget::new(), PlayoutCell::default());
    }

    fn asks(&self) -> [(VideoTrack, &UplinkTarget); 2] {
        [(VideoTrack::Camera, &self.ask_camera), (VideoTrack::Screen, &self.ask_screen)]
    }
}

/// All connections of the node.
#[derive(Default)]
pub struct Peers {
    entries: HashMap<PeerId, PeerEntry>,
    next: u64,
}

impl Peers {
    /// A fresh id.
    pub fn next_id(&mut self) -> PeerId {
        self.next += 1;
        PeerId(self.next)
    }

    /// Takes in a connection.
    pub fn insert(&mut self, id: PeerId, entry: PeerEntry) {
        self.entries.insert(id, entry);
    }

    /// A connection.
    pub fn get(&self, id: PeerId) -> Option<&PeerEntry> {
        self.entries.get(&id)
    }

    /// A connection, to change.
    pub fn get_mut(&mut self, id: PeerId) -> Option<&mut PeerEntry> {
        self.entries.get_mut(&id)
    }

    /// Forgets a connection.
    pub fn remove(&mut self, id: PeerId) -> Option<PeerEntry> {
        self.entries.remove(&id)
    }

    /// The connections of a room.
    pub fn of_room<'a>(&'a self, room: &'a RoomId) -> impl Iterator<Item = (PeerId, &'a PeerEntry)> {
        self.entries.iter().filter(move |(_, entry)| entry.room == *room).map(|(id, entry)| (*id, entry))
    }

    /// The tracks whose senders are to be asked now.
    pub fn asks_due(&self, now: Instant) -> Vec<(PeerId, VideoTrack)> {
        let asks = self.entries.iter().flat_map(|(id, entry)| entry.asks().map(|(track, ask)| (*id, track, ask)));
        let due = asks.filter(|(.., ask)| ask.deadline().is_some_and(|at| at <= now));
        due.map(|(id, track, _)| (id, track)).collect()
    }

    /// When the next sender is to be asked.
    pub fn ask_deadline(&self) -> Option<Instant> {
        self.entries.values().flat_map(PeerEntry::asks).filter_map(|(_, ask)| ask.deadline()).min()
    }
}
