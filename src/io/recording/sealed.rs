//! **The question:** how does one room's recording become sealed objects? What the recorder wants appended is sealed
//! and queued; what finds no room comes back as a gap. Keepers are asked once while what is read waits for them, then
//! beside what is lost.

use std::sync::Arc;

use crate::core::fmp4::{VIDEO_TIMESCALE, first_picture};
use crate::core::record::{
    Contents, GapReason, Input, Manifest, Object, Output, Piece, PieceKind, SegmentEntry, Span, TrackEntry,
};
use crate::core::retention::Retention;
use crate::engine::flow::Waker;
use crate::io::recording::counters::RecordCounters;
use crate::io::recording::sealed_captions::SealedCaptions;
use crate::io::recording::sealed_tracks::SealedTracks;
use crate::io::store::{Archive, Behind, Reserving, SealedRecording, Storing};

/// Segments between two manifests on the way, so that after a crash little is unknown.
const INDEX_EVERY: u32 = 8;

/// The objects of one recording.
#[derive(Debug)]
pub(super) struct SealedFiles {
    archive: Arc<Archive>,
    retention: Retention,
    stage: Stage,
    takes: Vec<SealedTake>,
    tracks: SealedTracks,
    captions: SealedCaptions,
    index: u32,
    index_due: bool,
    /// Whether the last fragment of the call found no room.
    failing: bool,
    counters: RecordCounters,
    trouble: Option<String>,
    waker: Waker,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was to be stored yet.
    Unasked,
    /// The keepers are asked; what is read waits.
    Asking(Reserving),
    /// They refused.
    Refused,
    /// They refused before and are asked once more; what comes meanwhile is lost, so that a silent keeper does not make
    /// it late.
    AskingAgain(Reserving),
    /// They agreed.
    Begun(SealedRecording),
}

/// One take; its head is kept in the clear in memory, for its duration is known last.
#[derive(Debug)]
struct SealedTake {
    head: Vec<u8>,
    init_stored: bool,
    segments: u32,
    timeline: Vec<SegmentEntry>,
}

impl SealedFiles {
    /// Of a recording that is kept for `retention`; it begins with its first init segment, or with
    /// [`SealedFiles::ask`]. `waker` is woken when keepers or store have answered.
    pub(super) fn new(archive: Arc<Archive>, retention: Retention, counters: RecordCounters, waker: Waker) -> Self {
        Self {
            archive,
            retention,
            stage: Stage::Unasked,
            takes: Vec::new(),
            tracks: SealedTracks::default(),
            captions: SealedCaptions::default(),
            index: 0,
            index_due: false,
            failing: false,
            counters,
            trouble: None,
            waker,
        }
    }

    /// Asks the keepers, unless they were; `ahead`: who was asked already, and may have answered.
    pub(super) fn ask(&mut self, ahead: Option<Reserving>) {
        if matches!(self.stage, Stage::Unasked) {
            self.stage = Stage::Asking(ahead.unwrap_or_else(|| self.reserve()));
            self.poll();
        }
    }

    /// Its next part should begin, and has no key.
    pub(super) fn note_refused(&self) {
        self.counters.refused.add(1);
    }

    /// Asks for a place beforehand.
    pub(super) fn reserve(&self) -> Reserving {
        self.archive.reserve_soon(self.retention, self.waker.clone())
    }

    /// Whether the keepers agreed.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.stage, Stage::Begun(_))
    }

    /// Whether the keepers agreed and what came last was taken.
    pub(super) fn is_storing(&self) -> bool {
        self.has_begun() && !self.failing
    }

    /// Whether it was erased while it was made.
    pub(super) fn is_erased(&self) -> bool {
        matches!(&self.stage, Stage::Begun(recording) if recording.is_erased())
    }

    /// Whether somebody wanted it erased.
    pub(super) fn is_shredded(&self) -> bool {
        matches!(&self.stage, Stage::Begun(recording) if recording.is_shredded())
    }

    /// Whether nothing may be put until the keepers have answered.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Asking(_))
    }

    /// Takes in what the keepers answered. False while it has to be waited for.
    pub(super) fn poll(&mut self) -> bool {
        let (Stage::Asking(reserving) | Stage::AskingAgain(reserving)) = &mut self.stage else { return true };
        if reserving.look().is_none() {
            return !self.is_waiting();
        }
        let (Stage::Asking(reserving) | Stage::AskingAgain(reserving)) =
            std::mem::replace(&mut self.stage, Stage::Refused)
        else {
            unreachable!("it was asked a moment ago")
        };
        match reserving.take() {
            Ok(Ok(reserved)) => {
                self.stage = Stage::Begun(self.archive.begin(reserved, self.waker.clone()));
                if !self.takes.is_empty() {
                    // If it finds no room the first fragment tries again.
                    let _ = self.store_init();
                }
            }
            Ok(Err(error)) => {
                self.counters.errors.add(1);
                self.counters.refused.add(1);
                tracing::error!(%error, "a recording cannot begin");
                self.trouble = Some(error.to_string());
            }
            Err(_) => unreachable!("its answer was in sight"),
        }
        true
    }

    /// A fragment that could not be queued comes back as the recorder's next input.
    pub(super) fn apply(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Append(Piece { kind: PieceKind::Init { .. }, bytes }) => {
                self.takes.push(SealedTake {
                    head: bytes.to_vec(),
                    init_stored: false,
                    segments: 0,
                    timeline: Vec::new(),
                });
                self.ask(None);
                if self.has_begun() {
                    // If it finds no room the first fragment tries again.
                    let _ = self.store_init();
                }
                None
            }
            Output::Append(Piece { kind: PieceKind::Fragment(span), bytes }) => self.append(span, &bytes),
            Output::Patch { take, offset, bytes } => {
                let offset = usize::try_from(offset).expect("a head is small");
                self.takes[take].head[offset..offset + bytes.len()].copy_from_slice(&bytes);
                None
            }
            Output::Caption(caption) => {
                self.captions.take(caption);
                if self.captions.are_many() {
                    self.store_captions();
                }
                None
            }
            Output::Manifest(manifest) => {
                self.index_due = true;
                if self.index_due() {
                    self.store_index(&manifest);
                }
                None
            }
        }
    }

    /// Whether the manifest so far is to be stored, and can be.
    pub(super) fn index_due(&self) -> bool {
        self.index_due && self.has_begun()
    }

    /// Stores the manifest so far.
    pub(super) fn store_index(&mut self, manifest: &Manifest) {
        self.index_due = false;
        self.store_captions();
        let object = Object::Index { number: self.index };
        if self.put(object, &self.contents(manifest, false)).is_ok() {
            self.index += 1;
        }
    }

    /// Has heads stored with their durations, and the manifest of the whole. What is on its way then, and the last
    /// trouble.
    pub(super) fn close(mut self, manifest: &Manifest) -> (Option<Storing>, Option<String>) {
        if !self.has_begun() && self.takes.is_empty() {
            // It ended before there was anything to record.
            return (None, self.trouble);
        }
        for take in 0..self.takes.len() {
            let head = std::mem::take(&mut self.takes[take].head);
            // Without it players have to find the duration out.
            let _ = self.put(Object::Head { take: number(take) }, &head);
        }
        let _ = self.put(Object::Fin, &self.contents(manifest, true));
        let storing = match self.stage {
            Stage::Begun(recording) => Some(recording.finish()),
            _ => None,
        };
        (storing, self.trouble)
    }

    /// A file of an own track begins; `None` when there are too many.
    pub(super) fn begin_track(&mut self, head: &[u8], entry: TrackEntry) -> Option<usize> {
        self.index_due = true;
        self.tracks.begin(head, entry)
    }

    /// Seals and queues a fragment of an own track; false if it found no room.
    pub(super) fn append_track(&mut self, file: usize, bytes: &[u8]) -> bool {
        let track = number(file);
        if !self.tracks.file(file).init_stored {
            let head = self.tracks.file(file).head.clone();
            if self.put(Object::TrackInit { track }, &head).is_err() {
                return false;
            }
            self.tracks.file(file).init_stored = true;
        }
        let segment = Object::TrackSegment { track, number: self.tracks.file(file).segments };
        let stored = self.put(segment, bytes).is_ok();
        self.tracks.file(file).segments += u32::from(stored);
        stored
    }

    /// What all own tracks' files hold by now.
    pub(super) fn track_entries(&self) -> Vec<TrackEntry> {
        self.tracks.entries()
    }

    /// What an own track's file holds by now.
    pub(super) fn describe_track(&mut self, file: usize, entry: &TrackEntry) {
        self.tracks.tell(file, entry);
    }

    /// An own track's file is complete.
    pub(super) fn end_track(&mut self, file: usize, entry: &TrackEntry, offset: u64, bytes: &[u8]) {
        self.describe_track(file, entry);
        let offset = usize::try_from(offset).expect("a head is small");
        let mut head = std::mem::take(&mut self.tracks.file(file).head);
        head[offset..offset + bytes.len()].copy_from_slice(bytes);
        // Without it players have to find the duration out.
        let _ = self.put(Object::TrackHead { track: number(file) }, &head);
        self.index_due = true;
    }

    /// What finds no room goes with the next ones, or with the manifest of the whole.
    fn store_captions(&mut self) {
        let Some(plain) = self.captions.waiting() else { return };
        if self.put(Object::Captions { number: self.captions.objects() }, &plain).is_ok() {
            self.captions.are_stored();
        }
    }

    fn append(&mut self, span: Span, bytes: &[u8]) -> Option<Input> {
        if matches!(self.stage, Stage::Refused) {
            self.stage = Stage::AskingAgain(self.reserve());
        }
        let take = self.takes.len() - 1;
        let object = Object::Segment { take: number(take), number: self.takes[take].segments };
        self.failing = self.store_init().and_then(|()| self.put(object, bytes)).is_err();
        if self.failing {
            return Some(Input::Lost { span, len: bytes.len(), reason: GapReason::StoreBehind });
        }
        self.takes[take].segments += 1;
        let ms = u32::try_from(span.to.saturating_sub(span.from).as_millis()).unwrap_or(u32::MAX);
        let picture = first_picture(bytes);
        let sync = picture.as_ref().is_some_and(|picture| picture.sync);
        let per_ms = u64::from(VIDEO_TIMESCALE) / 1000;
        let at_ms = picture.map(|picture| (picture.time + per_ms / 2) / per_ms);
        self.takes[take].timeline.push(SegmentEntry { ms, sync, at_ms });
        self.index_due |= self.takes[take].segments.is_multiple_of(INDEX_EVERY);
        None
    }

    // The init segment of the newest take, before its first fragment.
    fn store_init(&mut self) -> Result<(), Behind> {
        let take = self.takes.len() - 1;
        if !self.takes[take].init_stored {
            let head = self.takes[take].head.clone();
            self.put(Object::Init { take: number(take) }, &head)?;
            self.takes[take].init_stored = true;
        }
        Ok(())
    }

    fn put(&mut self, object: Object, plain: &[u8]) -> Result<(), Behind> {
        let put = match &self.stage {
            Stage::Begun(recording) => recording.put(object, plain),
            _ => Err(Behind),
        };
        match put {
            Ok(len) => self.counters.bytes.add(len as u64),
            Err(behind) => {
                self.counters.errors.add(1);
                self.trouble.get_or_insert_with(|| behind.to_string());
            }
        }
        put.map(|_| ())
    }

    fn contents(&self, manifest: &Manifest, whole: bool) -> Vec<u8> {
        let mut manifest = manifest.clone();
        for (n, entry) in manifest.takes.iter_mut().enumerate() {
            entry.file = if n == 0 { "video.mp4".to_owned() } else { format!("video.mp4?take={n}") };
        }
        manifest.tracks = self.track_entries();
        let track_segments = self.tracks.segments();
        let segments = self.takes.iter().map(|take| take.segments).collect();
        // A day has 43,200 segments: listed once, at the end, not in every manifest on the way.
        let timeline = if whole { self.takes.iter().map(|take| take.timeline.clone()).collect() } else { Vec::new() };
        let caption_objects = self.captions.objects();
        let captions = if whole { self.captions.left() } else { Vec::new() };
        let contents = Contents { manifest, segments, track_segments, caption_objects, captions, timeline };
        serde_json::to_vec(&contents).expect("a manifest is plain data")
    }
}

fn number(take: usize) -> u32 {
    u32::try_from(take).expect("a call has few takes")
}
