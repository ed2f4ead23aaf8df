//! **The question:** what does a door count of those who come by it?

use crate::engine::flow::{Counter, Level};
use crate::io::api::certificate::CertificateStanding;

/// What the HTTP door counts; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct DoorCounters {
    /// Connections that stand.
    pub connections: Level,
    /// Connections closed because they had no request: for the next one, or after a while.
    pub connections_closed: Counter,
    /// Connections refused because all others had requests.
    pub connections_refused: Counter,
    /// Requests refused because too many bodies or files were in hand.
    pub requests_refused: Counter,
    /// How its certificate stands.
    pub certificate: CertificateStanding,
}
