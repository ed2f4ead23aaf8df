//! **The question:** what is a captioner given, and what is counted of them?

use std::sync::Arc;

use tokio::sync::watch;

use crate::base::media::RoomEpoch;
use crate::core::room::CaptionerId;
use crate::core::signal::Speaker;
use crate::engine::flow::{Counter, Level, SpeechReader};

/// What a captioner listens by, until it lets go of it or the room is over.
#[derive(Debug)]
pub struct CaptionerSeat {
    /// Under which its captions come, and it leaves.
    pub captioner: CaptionerId,
    /// Where the room's clock stands.
    pub epoch: RoomEpoch,
    /// Each voice that is heard.
    pub speech: SpeechReader,
    /// Who is here: the newest only. Its sender goes with the room.
    pub people: watch::Receiver<Arc<[Speaker]>>,
    /// In which language the operator says that is spoken.
    pub language: Option<String>,
    /// Goes with the seat: by that the room sees whom an answer never reached.
    pub presence: Arc<()>,
}

/// What is counted of captioners; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct CaptionCounters {
    /// Captioners that listen.
    pub captioners: Level,
    /// Captions taken, interim ones too.
    pub taken: Counter,
    /// Messages of captioners that were not taken.
    pub refused: Counter,
    /// Blocks of 20 ms of one voice that a captioner lost because it read too slowly.
    pub lost: Counter,
}
