//! **The question:** what do recordings hold of one participant? Picture and sound of a call are one for all who were
//! in it and cannot be taken apart; what is of one person alone is named here.

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::media::ParticipantId;
use crate::core::record::{ChapterKind, Presence, RecordedCaption, TrackEntry};
use crate::core::retention::RecordingName;
use crate::io::store::archive::{Archive, RecordingDetail};
use crate::io::store::read_error::ReadError;

/// What one recording holds of a participant. Times are milliseconds since its zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HeldOf {
    /// Its name: `{hour}-{id}`.
    pub recording: String,
    /// Until when it can be opened, UTC, RFC 3339.
    pub expires_at: String,
    /// From when on they were in it: from then on its picture and sound hold them, with all others.
    pub from_ms: u64,
    /// Until when; absent: to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// What chapters, captions and tracks call them; absent: there are none of theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<u32>,
    /// When they had the word, as far as chapters say.
    pub spoke_at_ms: Vec<u64>,
    /// What they said, as far as it was written down.
    pub captions: Vec<HeldCaption>,
    /// Their own tracks, each with its number among all of the recording: `track.mp4?take=n`.
    pub tracks: Vec<HeldTrack>,
}

/// A caption of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HeldCaption {
    /// When it begins.
    pub from_ms: u64,
    /// When it ends.
    pub to_ms: u64,
    /// The words.
    pub text: String,
}

/// A track of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HeldTrack {
    /// Its number among all of the recording, from 0.
    pub number: u32,
    /// What it is.
    #[serde(flatten)]
    pub entry: TrackEntry,
}

impl Archive {
    /// What recordings that `wanted` wants hold of a participant, in the order of their expiry.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn held_of(
        &self,
        participant: ParticipantId,
        wanted: impl Fn(&RecordingDetail) -> bool,
    ) -> Result<Vec<HeldOf>, ReadError> {
        let mut held = Vec::new();
        for detail in self.list(wanted).await? {
            let Ok(recording) = detail.recording.parse::<RecordingName>() else { continue };
            match self.held_in(recording, detail, participant).await {
                Ok(one) => held.extend(one),
                Err(error @ (ReadError::Store(_) | ReadError::Doubt)) => return Err(error),
                // Its hour came meanwhile, or it does not open.
                Err(_) => {}
            }
        }
        Ok(held)
    }

    async fn held_in(
        &self,
        recording: RecordingName,
        detail: RecordingDetail,
        participant: ParticipantId,
    ) -> Result<Option<HeldOf>, ReadError> {
        let manifest = self.manifest(recording).await?;
        let Some(presence) = manifest.people.iter().find(|here| here.participant == participant) else {
            return Ok(None);
        };
        let Presence { person, from_ms, to_ms, .. } = presence.clone();
        let spoke = |kind: ChapterKind| matches!(kind, ChapterKind::Speaker { person: of } if Some(of) == person);
        let spoke_at_ms = manifest.chapters.iter().filter(|chapter| spoke(chapter.kind)).map(|chapter| chapter.at_ms);
        let captions = if manifest.captions > 0 { self.captions(recording).await? } else { Vec::new() };
        let own = captions.into_iter().filter(|caption| Some(caption.person) == person);
        let told = |RecordedCaption { from_ms, to_ms, text, .. }| HeldCaption { from_ms, to_ms, text };
        let tracks = (0..).zip(&manifest.tracks).filter(|(_, entry)| Some(entry.person) == person);
        Ok(Some(HeldOf {
            recording: detail.recording,
            expires_at: detail.expires_at,
            from_ms,
            to_ms,
            person,
            spoke_at_ms: spoke_at_ms.collect(),
            captions: own.map(told).collect(),
            tracks: tracks.map(|(number, entry)| HeldTrack { number, entry: entry.clone() }).collect(),
        }))
    }
}
