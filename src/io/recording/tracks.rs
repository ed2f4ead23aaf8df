//! **The question:** how do participants' own tracks get from their taps into the room's recording? Readers of the
//! taps, a pure recorder for each, and the sealed objects of their files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::base::media::{Outbox, ParticipantId, Pts, RoomEpoch, TappedFrame, TrackId};
use crate::core::record::{GapReason, TrackInput, TrackOutput, TrackRecorder, TrackSetup};
use crate::engine::flow::{FanReader, KeyframeRequest, Read};
use crate::io::recording::sealed::SealedFiles;

/// A track that is to be recorded.
#[derive(Debug)]
pub struct TrackSource {
    /// Whose, and what it carries.
    pub track: TrackId,
    /// Its frames or packets, behind the jitter buffer.
    pub reader: FanReader<TappedFrame>,
    /// Where keyframes are wished for, of a picture.
    pub keyframe_requests: Option<KeyframeRequest>,
    /// Once this is set, nothing more is taken.
    pub revoked: Arc<AtomicBool>,
}

/// All own tracks of one room's recording.
#[derive(Debug)]
pub(super) struct TrackRecordings {
    tracks: Vec<OwnTrack>,
    out: Outbox<TrackOutput>,
}

#[derive(Debug)]
struct OwnTrack {
    source: TrackSource,
    /// None until the recording has begun.
    recorder: Option<TrackRecorder>,
    /// The file that grows, among those of the recording.
    file: Option<usize>,
}

impl TrackRecordings {
    pub(super) fn new() -> Self {
        Self { tracks: Vec::new(), out: Outbox::new() }
    }

    /// A track is recorded from now on.
    pub(super) fn add(&mut self, source: TrackSource) {
        self.tracks.push(OwnTrack { source, recorder: None, file: None });
    }

    /// A person's tracks are recorded no longer.
    pub(super) fn end_of(&mut self, now: Instant, participant: ParticipantId, files: &mut SealedFiles) {
        for track in self.tracks.iter_mut().filter(|track| track.source.track.participant == participant) {
            track.take(now, TrackInput::Finish, &mut self.out, files);
        }
        self.tracks.retain(|track| track.source.track.participant != participant);
    }

    /// Takes what the taps hold, of a recording whose zero is `zero`; `person` counts participants.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        (epoch, zero): (RoomEpoch, Pts),
        mut person: impl FnMut(ParticipantId) -> u32,
        files: &mut SealedFiles,
    ) {
        for track in &mut self.tracks {
            let id = track.source.track;
            track.recorder.get_or_insert_with(|| {
                TrackRecorder::new(TrackSetup { person: person(id.participant), kind: id.kind, epoch, zero })
            });
        }
        let out = &mut self.out;
        self.tracks.retain_mut(|track| track.poll(now, out, files));
    }

    /// When `poll` wants to be called even if no tap wakes the thread.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.tracks.iter().filter_map(|track| track.recorder.as_ref()?.deadline()).min()
    }

    /// Nothing that is published from now on is taken; what the taps hold still is.
    pub(super) fn stop(&self) {
        self.tracks.iter().for_each(|track| track.source.reader.stop());
    }

    /// Ends every file. The tracks go on in the next recording, pictures with the keyframe that is wished for.
    pub(super) fn finish(&mut self, now: Instant, files: &mut SealedFiles) {
        for track in &mut self.tracks {
            track.take(now, TrackInput::Finish, &mut self.out, files);
            (track.recorder, track.file) = (None, None);
            track.source.request_keyframe();
        }
    }
}

impl TrackSource {
    fn request_keyframe(&self) {
        self.keyframe_requests.iter().for_each(KeyframeRequest::request_keyframe);
    }
}

impl OwnTrack {
    /// False once the track ended.
    fn poll(&mut self, now: Instant, out: &mut Outbox<TrackOutput>, files: &mut SealedFiles) -> bool {
        loop {
            let (lagged, frame) = match self.source.reader.read() {
                Read::Item(frame) => (false, frame),
                Read::AfterGap(frame) => (true, frame),
                Read::Empty => {
                    self.take(now, TrackInput::Time, out, files);
                    return true;
                }
                Read::Closed => {
                    self.take(now, TrackInput::Finish, out, files);
                    return false;
                }
            };
            // Looked at after the read: what was read before it was set was published before.
            if self.source.revoked.load(Ordering::Acquire) {
                continue;
            }
            if lagged {
                self.take(now, TrackInput::Lagged, out, files);
            }
            self.take(now, TrackInput::Frame(TappedFrame::clone(&frame)), out, files);
        }
    }

    fn take(&mut self, now: Instant, input: TrackInput, out: &mut Outbox<TrackOutput>, files: &mut SealedFiles) {
        let Some(recorder) = &mut self.recorder else { return };
        let mut next = Some(input);
        while let Some(input) = next.take() {
            recorder.handle(now, input, out);
            let mut lost = None;
            for output in out.drain() {
                match output {
                    TrackOutput::Begin { head, entry } => self.file = files.begin_track(&head, *entry),
                    TrackOutput::Fragment { bytes, from, to } => {
                        let stored = self.file.is_some_and(|file| files.append_track(file, &bytes));
                        // Beyond the bound on files there is nothing to say a gap in.
                        if !stored && self.file.is_some() {
                            lost = Some((from, to, bytes.len()));
                        } else if let (Some(file), Some(entry)) = (self.file, recorder.entry()) {
                            files.describe_track(file, entry);
                        }
                    }
                    TrackOutput::End { mut entry, offset, bytes } => {
                        // Its last fragment: the recorder has let go of the file already.
                        if let Some((from, to, len)) = lost.take() {
                            entry.lacks((from, to), len, GapReason::StoreBehind);
                        }
                        if let Some(file) = self.file.take() {
                            files.end_track(file, &entry, offset, &bytes);
                        }
                    }
                    TrackOutput::RequestKeyframe => self.source.request_keyframe(),
                }
            }
            let reason = GapReason::StoreBehind;
            next = lost.map(|(from, to, len)| TrackInput::Lost { from, to, len, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use object_store::memory::InMemory;

    use super::*;
    use crate::base::limits;
    use crate::base::media::{Codec, ReceivedFrame, TrackKind, Wallclock};

    use crate::core::record::TrackSetup;
    use crate::core::retention::Retention;
    use crate::engine::flow::{Counter, Fan, Waker};
    use crate::io::recording::counters::RecordCounters;
    use crate::io::store::{Archive, ArchiveCounters, Vault};

    #[test]
    fn what_a_track_lost_last_is_told_of_the_file_that_lost_it() {
        let home = tempfile::tempdir().unwrap();
        // Nothing drives it once the keeper has answered: no object ever leaves the queue.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let vault = Vault::on(Arc::new(InMemory::new()), "memory");
        let handle = runtime.handle().clone();
        let archive =
            Archive::on_vault(vault, home.path(), Retention::default(), handle, ArchiveCounters::default()).unwrap();
        let (archive, waker) = (Arc::new(archive), Waker::new().unwrap());
        let mut files = SealedFiles::new(archive, Retention::default(), RecordCounters::default(), waker);
        files.ask(None);
        let until = Instant::now() + Duration::from_secs(30);
        while !files.poll() {
            assert!(Instant::now() < until, "the keeper never answered");
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        }
        assert!(files.has_begun());

        let (now, zero) = (Instant::now(), Pts(0));
        let epoch = RoomEpoch { instant: now, wallclock: Wallclock(0) };
        let track = TrackId { participant: ParticipantId(7), kind: TrackKind::Microphone };
        let reader = Fan::new(Counter::default()).subscribe(limits::TRACK_FAN_LEN, Waker::new().unwrap());
        let setup = TrackSetup { person: 1, kind: track.kind, epoch, zero };
        let source = TrackSource { track, reader, keyframe_requests: None, revoked: Arc::default() };
        let mut own = OwnTrack { source, recorder: Some(TrackRecorder::new(setup)), file: None };
        let mut out = Outbox::new();
        for n in 0..10 {
            // 20 ms of silence.
            let data = Bytes::from_static(&[0xf8, 0xff, 0xfe]);
            let pts = zero + Duration::from_millis(20 * n);
            let packet =
                TappedFrame { pts, received: ReceivedFrame::of_one_packet(Codec::Opus, data, n, 960 * n, now) };
            own.take(now, TrackInput::Frame(packet), &mut out, &mut files);
        }
        let before = own.recorder.as_ref().and_then(TrackRecorder::entry).unwrap().clone();
        let file = own.file.unwrap();
        // Until there is no place for the smallest either.
        while files.append_track(file, &[0]) {}
        own.take(now, TrackInput::Finish, &mut out, &mut files);
        let told = files.track_entries().remove(file);
        assert_eq!((told.bytes, told.gaps.len()), (before.bytes, 1), "{told:?}");
        assert_eq!((told.gaps[0].from_ms, told.gaps[0].reason), (0, GapReason::StoreBehind), "{told:?}");
        assert!(told.gaps[0].to_ms >= 190, "{told:?}");
    }
}
