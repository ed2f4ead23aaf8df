//! **The question:** how does one room's recording get from the fans to the store? The body of the package thread, which calls
//! `poll` when its waker or a deadline wakes it; a store that fails costs the recording a gap, never the call.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::media::{EncodedFrame, MixTick, Outbox, ParticipantId, Pts, RoomEpoch, RoomId, pts_from_instant};
use crate::core::record::{Event, Gap, GapReason, Input, Manifest, Output, Piece, PieceKind, Recorder, Setup, Span};
use crate::core::retention::RecordingName;
use crate::engine::flow::{Counter, FanReader, Read};
use crate::io::recording::sealed::SealedFiles;
use crate::io::recording::tracks::{TrackRecordings, TrackSource};
use crate::io::store::{Archive, DiskFile, DiskStore, Ledger, RecordingWish, StoreError};

/// Where a recording goes.
#[derive(Debug, Clone)]
pub enum RecordingPlace {
    /// Into the node's archive, sealed, with an expiry.
    Sealed(Arc<Archive>),
    /// To exactly this file, in the clear; what stood there is overwritten. Later takes and the manifest stand beside it.
    File(PathBuf),
}

/// What a room's recording is told at its start.
#[derive(Debug, Clone)]
pub struct RecordingSetup {
    /// Which room.
    pub room: RoomId,
    /// Where its clock stands.
    pub epoch: RoomEpoch,
    /// Where it goes.
    pub place: RecordingPlace,
    /// Frames a second of the rung.
    pub fps: u32,
    /// What anyone who began it wished.
    pub wish: RecordingWish,
}

/// What a recording reads.
#[derive(Debug)]
pub struct Reads {
    /// The composite.
    pub pictures: FanReader<EncodedFrame>,
    /// The mix.
    pub sounds: FanReader<MixTick>,
    /// Whose packets of a tick it takes: 0 the shared mix's, otherwise those of the mix apart that carries this number.
    pub mask: u64,
    /// Which readers may take something. From the moment it is another number than `turn`, nothing is taken from these, whatever
    /// is lifted later: it only rises.
    pub current_generation: Arc<AtomicU64>,
    /// The number that these readers have.
    pub generation: u64,
}

/// What recordings count, over all rooms of the node.
#[derive(Debug, Clone, Default)]
pub struct RecordCounters {
    /// Milliseconds of recordings that lack something (`record_gap_ms`).
    pub gap_ms: Counter,
    /// Bytes stored (`record_bytes`).
    pub bytes: Counter,
    /// Writes that failed (`record_errors`).
    pub errors: Counter,
}

/// A recording that was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSummary {
    /// What the archive knows it by, if it was sealed; one that ran long has earlier parts of their own.
    pub sealed: Option<RecordingName>,
    /// The first file in the clear; `None` if nothing could be or was to be written.
    pub path: Option<PathBuf>,
    /// The manifest beside it.
    pub manifest: Option<PathBuf>,
    /// From the first picture to the end.
    pub duration: Duration,
    /// Of all files.
    pub bytes: u64,
    /// What it lacks.
    pub gaps: Vec<Gap>,
    /// The last trouble the disk made, as text for the log.
    pub trouble: Option<String>,
}

/// One room's recording: two fan readers, the pure recorder, and where its output goes.
#[derive(Debug)]
pub struct RoomRecording {
    setup: RecordingSetup,
    video: PeekReader<EncodedFrame>,
    sound: PeekReader<MixTick>,
    mask: u64,
    current_generation: Arc<AtomicU64>,
    generation: u64,
    recorder: Recorder,
    out: Outbox<Output>,
    sink: Sink,
    tracks: TrackRecordings,
    /// From the first keyframe after this on it goes on as another recording, with an expiry of its own.
    roll_at: Option<Instant>,
    counters: RecordCounters,
    gap_ms_told: u64,
}

#[derive(Debug)]
enum Sink {
    Clear(Files),
    Sealed(Box<SealedFiles>),
}

impl Sink {
    fn begin(setup: &RecordingSetup, counters: &RecordCounters) -> Self {
        match &setup.place {
            RecordingPlace::File(path) => Self::Clear(Files::new(path.clone(), counters.clone())),
            RecordingPlace::Sealed(archive) => {
                let retention = setup.wish.retention.unwrap_or(archive.retention());
                Self::Sealed(Box::new(SealedFiles::new(archive.clone(), retention, counters.clone())))
            }
        }
    }

    fn apply(&mut self, output: Output) -> Option<Input> {
        match self {
            Self::Clear(files) => files.apply(output),
            Self::Sealed(files) => files.apply(output),
        }
    }

    fn finish(self, manifest: Manifest) -> RecordingSummary {
        match self {
            Self::Clear(files) => files.finish(manifest),
            Self::Sealed(files) => {
                let (sealed, trouble) = files.finish(&manifest);
                RecordingSummary {
                    sealed,
                    path: None,
                    manifest: None,
                    duration: Duration::from_millis(manifest.duration_ms),
                    bytes: manifest.bytes,
                    gaps: manifest.gaps,
                    trouble,
                }
            }
        }
    }
}

impl RoomRecording {
    /// A recording that begins at the rung's next keyframe. The first file is made with its first bytes, so that a disk in trouble
    /// cannot keep a call from beginning.
    #[must_use]
    pub fn new(now: Instant, setup: RecordingSetup, reads: Reads, counters: RecordCounters) -> Self {
        Self {
            video: PeekReader::new(reads.pictures),
            sound: PeekReader::new(reads.sounds),
            mask: reads.mask,
            current_generation: reads.current_generation,
            generation: reads.generation,
            recorder: recorder(&setup),
            out: Outbox::new(),
            sink: Sink::begin(&setup, &counters),
            tracks: TrackRecordings::new(),
            roll_at: roll_at(now, &setup),
            setup,
            counters,
            gap_ms_told: 0,
        }
    }

    /// Asks the keepers now instead of when the first frame comes, which may wait for them. False if they do not agree.
    pub fn begin(&mut self) -> bool {
        match &mut self.sink {
            Sink::Clear(_) => true,
            Sink::Sealed(files) => files.begin(),
        }
    }

    /// Takes what the fans hold, writes what is due. False once both fans are closed and empty: then `finish`.
    pub fn poll(&mut self, now: Instant) -> bool {
        loop {
            self.video.fill();
            self.sound.fill();
            // What is in sight now was published before this look.
            if self.current_generation.load(Ordering::Acquire) != self.generation {
                break;
            }
            // In the order of the room's clock, so that a backlog of one track is not taken for a gap in the other.
            let video_first = match (self.video.pts(), self.sound.pts()) {
                (None, None) => break,
                (video, sound) => sound.is_none_or(|sound| video.is_some_and(|video| video <= sound)),
            };
            let (after_gap, gap, input) = if video_first {
                let (after_gap, frame) = self.video.take();
                if after_gap && !frame.keyframe {
                    // Other pictures than those before, which only a keyframe can follow.
                    self.video.misses = true;
                    continue;
                }
                if frame.keyframe && self.roll_at.is_some_and(|at| at <= now) {
                    self.roll(now);
                }
                (after_gap, Input::VideoGap, Input::Video(EncodedFrame::clone(&frame)))
            } else {
                let (after_gap, tick) = self.sound.take();
                let Some(packet) = packet_of(&tick, self.mask) else {
                    self.sound.misses = true;
                    continue;
                };
                (after_gap, Input::SoundGap, Input::Sound(packet.clone()))
            };
            if after_gap {
                self.handle(now, gap);
            }
            self.handle(now, input);
        }
        self.poll_tracks(now);
        self.handle(now, Input::Time);
        !(self.video.closed && self.sound.closed)
    }

    /// Takes everything from elsewhere from now on; what was published and not read yet is never read.
    pub fn read(&mut self, reads: Reads) {
        self.video = PeekReader { misses: true, ..PeekReader::new(reads.pictures) };
        self.sound = PeekReader { misses: true, ..PeekReader::new(reads.sounds) };
        (self.mask, self.current_generation, self.generation) =
            (reads.mask, reads.current_generation, reads.generation);
    }

    /// Something began in the room at `at`: a chapter, perhaps.
    pub fn event(&mut self, at: Instant, event: Event) {
        let pts = pts_from_instant(&self.setup.epoch, at);
        self.handle(at, Input::Event(pts, event));
    }

    /// A participant's own track is recorded too, from now on; in a recording in the clear it is not.
    pub fn add_track(&mut self, source: TrackSource) {
        if matches!(self.sink, Sink::Sealed(_)) {
            self.tracks.add(source);
        }
    }

    /// A participant's own tracks are recorded no longer.
    pub fn end_tracks_of(&mut self, now: Instant, participant: ParticipantId) {
        if let Sink::Sealed(files) = &mut self.sink {
            self.tracks.end_of(now, participant, files);
        }
    }

    /// When `poll` wants to be called even if no fan wakes the thread.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.recorder.deadline().into_iter().chain(self.tracks.deadline()).min()
    }

    /// Takes what the fans still hold, closes the files and waits for the disk.
    #[must_use]
    pub fn finish(mut self, now: Instant) -> RecordingSummary {
        self.poll(now);
        self.finish_tracks(now);
        self.handle(now, Input::Finish);
        let manifest = self.recorder.manifest().clone();
        self.sink.finish(manifest)
    }

    // Ends this recording and begins the next one, whose first frame is the keyframe that comes now.
    fn roll(&mut self, now: Instant) {
        self.finish_tracks(now);
        self.handle(now, Input::Finish);
        let sink = std::mem::replace(&mut self.sink, Sink::begin(&self.setup, &self.counters));
        let ended = std::mem::replace(&mut self.recorder, recorder(&self.setup));
        let summary = sink.finish(ended.manifest().clone());
        if let Some(trouble) = summary.trouble {
            tracing::warn!(trouble, "a recording that ran long was not closed whole");
        }
        self.roll_at = roll_at(now, &self.setup);
        self.gap_ms_told = 0;
    }

    // What came before the recording's zero waits in the taps' rings.
    fn poll_tracks(&mut self, now: Instant) {
        if let (Sink::Sealed(files), Some(zero)) = (&mut self.sink, self.recorder.zero()) {
            let person = |participant| self.recorder.person(participant);
            self.tracks.poll(now, (self.setup.epoch, zero), person, files);
        }
    }

    fn finish_tracks(&mut self, now: Instant) {
        if let Sink::Sealed(files) = &mut self.sink {
            self.tracks.finish(now, files);
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            self.recorder.handle(now, input, &mut self.out);
            for output in self.out.drain() {
                // At most one fragment leaves at a time for a file that is still open.
                if let Some(lost) = self.sink.apply(output) {
                    next = Some(lost);
                }
            }
        }
        if let Sink::Sealed(files) = &mut self.sink
            && files.index_due()
        {
            files.store_index(self.recorder.manifest());
        }
        let gap_ms = self.recorder.stats().gap_ms;
        // A gap that is found to be part of a greater one is taken back in the manifest; a counter never falls.
        self.counters.gap_ms.add(gap_ms.saturating_sub(self.gap_ms_told));
        self.gap_ms_told = self.gap_ms_told.max(gap_ms);
    }
}

/// The packet of a tick for a reader with this mask, if it has one.
fn packet_of(tick: &MixTick, mask: u64) -> Option<&EncodedFrame> {
    if mask == 0 {
        return Some(&tick.shared);
    }
    tick.redacted.as_ref().filter(|redacted| redacted.mask == mask).map(|redacted| &redacted.packet)
}

fn recorder(setup: &RecordingSetup) -> Recorder {
    let (room, owner) = (setup.room.clone(), setup.wish.owner.clone());
    Recorder::new(Setup { room, owner, epoch: setup.epoch, fps: setup.fps })
}

fn roll_at(now: Instant, setup: &RecordingSetup) -> Option<Instant> {
    match &setup.place {
        RecordingPlace::Sealed(archive) => {
            Some(now + setup.wish.retention.unwrap_or(archive.retention()).recording_span())
        }
        RecordingPlace::File(_) => None,
    }
}

/// A fan's reader with its next item in sight.
#[derive(Debug)]
struct PeekReader<T> {
    reader: FanReader<T>,
    next: Option<(bool, Arc<T>)>,
    closed: bool,
    /// Something was left out before the next item that is taken.
    misses: bool,
}

impl<T: Timed> PeekReader<T> {
    fn new(reader: FanReader<T>) -> Self {
        Self { reader, next: None, closed: false, misses: false }
    }

    fn fill(&mut self) {
        if self.next.is_some() {
            return;
        }
        match self.reader.read() {
            Read::Item(item) => self.next = Some((false, item)),
            Read::AfterGap(item) => self.next = Some((true, item)),
            Read::Empty => {}
            Read::Closed => self.closed = true,
        }
    }

    fn pts(&self) -> Option<Pts> {
        self.next.as_ref().map(|(_, item)| item.pts())
    }

    fn take(&mut self) -> (bool, Arc<T>) {
        let (after_gap, item) = self.next.take().expect("only a source with an item in sight is taken from");
        (std::mem::take(&mut self.misses) | after_gap, item)
    }
}

trait Timed {
    fn pts(&self) -> Pts;
}

impl Timed for EncodedFrame {
    fn pts(&self) -> Pts {
        self.pts
    }
}

impl Timed for MixTick {
    fn pts(&self) -> Pts {
        self.pts
    }
}

/// The files of one recording in the clear.
#[derive(Debug)]
struct Files {
    first: PathBuf,
    /// Every take so far, in order; the last one grows.
    takes: Vec<TakeFile>,
    ledger: Option<Ledger>,
    counters: RecordCounters,
    trouble: Option<StoreError>,
}

#[derive(Debug)]
enum TakeFile {
    /// Its head waits for a disk that takes it.
    Unmade(Bytes),
    Open(DiskFile),
    Closed(PathBuf),
    /// Nothing of it was ever stored.
    Lost,
}

impl Files {
    fn new(first: PathBuf, counters: RecordCounters) -> Self {
        Self { first, takes: Vec::new(), ledger: None, counters, trouble: None }
    }

    // A fragment that could not be stored comes back as the recorder's next input.
    fn apply(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Append(Piece { kind: PieceKind::Init { .. }, bytes }) => {
                self.close_newest();
                self.takes.push(TakeFile::Unmade(bytes));
                let made = self.make_newest();
                self.note(made);
                None
            }
            Output::Append(Piece { kind: PieceKind::Fragment(span), bytes }) => self.append(span, &bytes),
            Output::Patch { take, offset, bytes } => {
                let patched = self.patch(take, offset, &bytes);
                self.note(patched);
                None
            }
            Output::Manifest(manifest) => {
                let written = self.write_manifest(*manifest);
                self.note(written);
                None
            }
        }
    }

    fn append(&mut self, span: Span, bytes: &Bytes) -> Option<Input> {
        let appended = self.make_newest().and_then(|()| match self.takes.last_mut() {
            Some(TakeFile::Open(file)) => file.append(bytes),
            _ => unreachable!("a fragment follows its file's head"),
        });
        if appended.is_ok() {
            self.counters.bytes.add(bytes.len() as u64);
            return None;
        }
        let full = appended.as_ref().is_err_and(StoreError::is_full);
        let reason = if full { GapReason::DiskFull } else { GapReason::DiskFailed };
        self.note(appended);
        Some(Input::Lost { span, len: bytes.len(), reason })
    }

    // Makes the newest take's file with its head, unless that was done.
    fn make_newest(&mut self) -> Result<(), StoreError> {
        let Some(TakeFile::Unmade(head)) = self.takes.last() else { return Ok(()) };
        let head = head.clone();
        let number = self.takes.len();
        let store = DiskStore::open(self.first.parent().unwrap_or(Path::new("")))?;
        let name = self.first.file_name().unwrap_or_default().to_string_lossy();
        let mut file = if number == 1 { store.replace(&name)? } else { store.replace(&take_name(&name, number))? };
        if let Err(error) = file.append(&head) {
            // An empty file would be no recording; the next fragment tries again.
            let _ = std::fs::remove_file(file.path());
            return Err(error);
        }
        self.counters.bytes.add(head.len() as u64);
        *self.takes.last_mut().expect("the newest take was just looked at") = TakeFile::Open(file);
        Ok(())
    }

    fn patch(&mut self, take: usize, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        match self.takes.get_mut(take) {
            Some(TakeFile::Open(file)) => file.patch(offset, bytes),
            // The duration in the head of a closed file is a help to players, not needed.
            _ => Ok(()),
        }
    }

    fn close_newest(&mut self) {
        let Some(newest) = self.takes.last_mut() else { return };
        let closed = match std::mem::replace(newest, TakeFile::Lost) {
            TakeFile::Open(file) => {
                *newest = TakeFile::Closed(file.path().to_owned());
                file.finish().map(|_| ())
            }
            TakeFile::Closed(path) => {
                *newest = TakeFile::Closed(path);
                Ok(())
            }
            TakeFile::Unmade(_) | TakeFile::Lost => Ok(()),
        };
        self.note(closed);
    }

    fn write_manifest(&mut self, manifest: Manifest) -> Result<(), StoreError> {
        let Some(path) = self.manifest_path() else { return Ok(()) };
        let text = self.manifest_text(manifest);
        if self.ledger.is_none() {
            self.ledger = Some(Ledger::create(&path)?);
        }
        self.ledger.as_ref().map_or(Ok(()), |ledger| ledger.write(&text))
    }

    fn finish(mut self, manifest: Manifest) -> RecordingSummary {
        self.close_newest();
        let (duration, bytes, gaps) =
            (Duration::from_millis(manifest.duration_ms), manifest.bytes, manifest.gaps.clone());
        let text = self.manifest_text(manifest);
        let path = self.manifest_path();
        let ledger = self.ledger.take().map(Ok).or_else(|| path.as_deref().map(Ledger::create)).transpose();
        let written = ledger.and_then(|ledger| ledger.map(|ledger| ledger.finish(&text)).transpose());
        self.note(written.map(|_| ()));
        RecordingSummary {
            sealed: None,
            path: self.takes.iter().find_map(TakeFile::path).map(Path::to_owned),
            manifest: path.filter(|path| path.exists()),
            duration,
            bytes,
            gaps,
            trouble: self.trouble.map(|trouble| trouble.to_string()),
        }
    }

    // Beside the first file that could be made.
    fn manifest_path(&self) -> Option<PathBuf> {
        self.takes.iter().find_map(TakeFile::path).map(|path| path.with_extension("json"))
    }

    fn manifest_text(&self, mut manifest: Manifest) -> String {
        for (entry, file) in manifest.takes.iter_mut().zip(&self.takes) {
            let name = file.path().and_then(Path::file_name);
            entry.file = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        }
        serde_json::to_string_pretty(&manifest).expect("a manifest is plain data")
    }

    fn note(&mut self, outcome: Result<(), StoreError>) {
        if let Err(error) = outcome {
            self.counters.errors.add(1);
            self.trouble = Some(error);
        }
    }
}

impl TakeFile {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Open(file) => Some(file.path()),
            Self::Closed(path) => Some(path),
            Self::Unmade(_) | Self::Lost => None,
        }
    }
}

// `call.mp4` → `call-take2.mp4`.
fn take_name(first: &str, number: usize) -> String {
    match first.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-take{number}.{extension}"),
        None => format!("{first}-take{number}"),
    }
}
