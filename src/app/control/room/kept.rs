//! **The question:** what was asked of a room and stands nowhere else in it? It goes along to another node.

use std::collections::BTreeMap;

use crate::base::media::ParticipantId;
use crate::io::store::RecordingWish;

/// What was asked of a room.
#[derive(Debug, Default)]
pub struct Kept {
    /// Words along the lower edge, where somebody set them.
    pub banner: Option<String>,
    /// How loud others hear somebody, where a host said so.
    pub volumes: BTreeMap<ParticipantId, u16>,
    /// What was wished of the newest recording.
    pub wish: RecordingWish,
    /// A recording was ended because the room goes; it is made on where the room stays.
    pub resumes: bool,
}
