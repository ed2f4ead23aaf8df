//! **The question:** which files of own tracks does a sealed recording have, and what does each hold so far?

use crate::base::limits;
use crate::core::record::TrackEntry;

/// The files of own tracks, as their objects are stored.
#[derive(Debug, Default)]
pub(super) struct SealedTracks {
    files: Vec<SealedTrack>,
}

/// One of them; its head is kept in the clear in memory, for its duration is known last.
#[derive(Debug)]
pub(super) struct SealedTrack {
    pub head: Vec<u8>,
    pub init_stored: bool,
    pub segments: u32,
    entry: TrackEntry,
}

impl SealedTracks {
    /// Takes in a file with this head; `None` beyond the bound.
    pub(super) fn begin(&mut self, head: &[u8], entry: TrackEntry) -> Option<usize> {
        if self.files.len() == limits::RECORD_TRACKS_MAX {
            return None;
        }
        self.files.push(SealedTrack { head: head.to_vec(), init_stored: false, segments: 0, entry: entry.clone() });
        let n = self.files.len() - 1;
        self.tell(n, &entry);
        Some(n)
    }

    /// A file.
    pub(super) fn file(&mut self, n: usize) -> &mut SealedTrack {
        &mut self.files[n]
    }

    /// What a file holds so far.
    pub(super) fn tell(&mut self, n: usize, entry: &TrackEntry) {
        self.files[n].entry = TrackEntry { file: format!("track.mp4?take={n}"), ..entry.clone() };
    }

    /// What all files hold.
    pub(super) fn entries(&self) -> Vec<TrackEntry> {
        self.files.iter().map(|file| file.entry.clone()).collect()
    }

    /// How many segments each has.
    pub(super) fn segments(&self) -> Vec<u32> {
        self.files.iter().map(|file| file.segments).collect()
    }
}
