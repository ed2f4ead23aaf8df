//! **The question:** what does everybody hear when a recording begins? A sound file, read and checked together with the
//! configuration.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::config::file::CheckedFile;
use crate::base::limits;
use crate::base::media::ShortBlock;
use crate::engine::decode;

/// `recording.announcement`: the path of a WAV file, or of Opus in Ogg; empty: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Announcement {
    written: String,
    file: Option<CheckedFile>,
}

impl Announcement {
    /// Its sound, decoded anew: some milliseconds of work for each second of it.
    #[must_use]
    pub fn blocks(&self) -> Option<Arc<[ShortBlock]>> {
        let file = self.file.as_ref()?;
        Some(decode::announcement(file.bytes()).expect("it was decoded when the configuration was read").into())
    }
}

impl TryFrom<String> for Announcement {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let file = (!written.is_empty()).then(|| read(&written)).transpose()?;
        Ok(Self { written, file })
    }
}

impl From<Announcement> for String {
    fn from(announcement: Announcement) -> Self {
        announcement.written
    }
}

fn read(path: &str) -> Result<CheckedFile, String> {
    CheckedFile::read(path, limits::ANNOUNCEMENT_LEN_MAX, |bytes| {
        if bytes.len() > limits::ANNOUNCEMENT_LEN_MAX {
            return Err(format!("longer than {} KiB", limits::ANNOUNCEMENT_LEN_MAX / 1024));
        }
        decode::announcement(bytes).map(|_| ()).map_err(|error| error.to_string())
    })
}
