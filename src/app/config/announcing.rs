//! **The question:** what does everybody hear when a recording begins? A sound file, read and checked together with the
//! configuration.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::config::read_at_most;
use crate::base::limits;
use crate::base::media::PcmBlock;
use crate::engine::decode;

/// `recording.announcement`: the path of a WAV file, or of Opus in Ogg; empty: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Announcement {
    written: String,
    file: Option<SoundFile>,
}

impl Announcement {
    /// Its sound, decoded anew: some milliseconds of work for each second of it.
    #[must_use]
    pub fn blocks(&self) -> Option<Arc<[PcmBlock]>> {
        let SoundFile(bytes) = self.file.as_ref()?;
        Some(decode::announcement(bytes).expect("it was decoded when the configuration was read").into())
    }
}

impl TryFrom<String> for Announcement {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let file = (!written.is_empty()).then(|| SoundFile::read(&written)).transpose()?;
        Ok(Self { written, file })
    }
}

impl From<Announcement> for String {
    fn from(announcement: Announcement) -> Self {
        announcement.written
    }
}

/// A file that could be decoded when the configuration was read.
#[derive(Clone, PartialEq, Eq)]
struct SoundFile(Arc<[u8]>);

impl fmt::Debug for SoundFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a sound of {} bytes", self.0.len())
    }
}

impl SoundFile {
    fn read(path: &str) -> Result<Self, String> {
        let bytes = read_at_most(path, limits::ANNOUNCEMENT_LEN_MAX)?;
        if bytes.len() > limits::ANNOUNCEMENT_LEN_MAX {
            return Err(format!("{path}: longer than {} KiB", limits::ANNOUNCEMENT_LEN_MAX / 1024));
        }
        decode::announcement(&bytes).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self(bytes.into()))
    }
}
