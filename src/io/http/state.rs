//! **The question:** what may every request use? The way to the control thread, and what the door tells without asking
//! it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::FromRef;
use bytes::Bytes;

use crate::base::media::Size;
use crate::io::api::{CaptionCounters, CertificateStanding, ControlHandle, NodeFacts};
use crate::io::http::admission::Recordings;
use crate::io::http::fleet::Leading;
use crate::io::live::LiveRooms;
use crate::io::telemetry::history::History;

/// What the door tells without asking the control thread.
#[derive(Clone)]
pub struct NodeView {
    /// The extent of the composite, to which background pictures are made.
    pub canvas: Size,
    /// What the node is.
    pub facts: Arc<NodeFacts>,
    /// How the door's certificate stands.
    pub certificate: CertificateStanding,
    /// Renders the metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> Bytes + Send + Sync>,
    /// What it remembers of itself.
    pub history: Arc<History>,
    /// Whether the node takes people in.
    pub ready: Arc<AtomicBool>,
    /// Its rooms, as far as they can be watched by HLS.
    pub live: LiveRooms,
    /// What is counted of captioners.
    pub captions: CaptionCounters,
    /// Who says where rooms are.
    pub leading: Leading,
    /// The node's recordings, if it records.
    pub recordings: Option<Recordings>,
}

/// What every request may use.
#[derive(Clone)]
pub(super) struct ServerState {
    pub(super) control: ControlHandle,
    pub(super) view: NodeView,
}

impl FromRef<ServerState> for ControlHandle {
    fn from_ref(shared: &ServerState) -> Self {
        shared.control.clone()
    }
}

impl FromRef<ServerState> for NodeView {
    fn from_ref(shared: &ServerState) -> Self {
        shared.view.clone()
    }
}

impl FromRef<ServerState> for LiveRooms {
    fn from_ref(shared: &ServerState) -> Self {
        shared.view.live.clone()
    }
}

impl FromRef<ServerState> for CaptionCounters {
    fn from_ref(shared: &ServerState) -> Self {
        shared.view.captions.clone()
    }
}

impl FromRef<ServerState> for Option<Recordings> {
    fn from_ref(shared: &ServerState) -> Self {
        shared.view.recordings.clone()
    }
}
