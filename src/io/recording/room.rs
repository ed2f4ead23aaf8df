//! **The question:** how does one room's recording get from the fans to the store? The package thread calls `poll` when
//! its waker or a deadline wakes it, and never waits: while keepers or a disk are asked, what is read waits in the
//! fans' rings; a store that fails costs the recording a gap, never the call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::base::limits;
use crate::base::media::{EncodedFrame, MixTick, Outbox, ParticipantId, pts_from_instant};
use crate::core::record::{Event, Input, Output, Recorder, Setup};
use crate::io::recording::counters::RecordCounters;
use crate::io::recording::peek::PeekReader;
use crate::io::recording::rolling::Rolling;
use crate::io::recording::setup::{Reads, RecordingSetup};
use crate::io::recording::sink::{ClosingSink, Sink};
use crate::io::recording::tracks::{TrackRecordings, TrackSource};

/// One room's recording: two fan readers, the pure recorder, and where its output goes.
#[derive(Debug)]
pub struct RoomRecording {
    setup: RecordingSetup,
    video: PeekReader<EncodedFrame>,
    sound: PeekReader<MixTick>,
    view: u64,
    current_generation: Arc<AtomicU64>,
    generation: u64,
    recorder: Recorder,
    out: Outbox<Output>,
    sink: Sink,
    tracks: TrackRecordings,
    agreement: Agreement,
    /// What began in the room while nothing could be given to the sink.
    events: VecDeque<(Instant, Event)>,
    rolling: Option<Rolling>,
    /// Parts of a recording that ran long, on their way to the store.
    earlier: Vec<ClosingSink>,
    ended: bool,
    /// Another node has the room.
    is_ousted: bool,
    counters: RecordCounters,
    gap_ms_told: u64,
}

/// Whether something may be recorded before the keepers have agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreement {
    /// It may.
    NotNeeded,
    Awaited,
    Given,
    Refused,
}

impl RoomRecording {
    /// A recording that begins at the rung's next keyframe. The first file is made with its first bytes, so that a disk
    /// in trouble cannot keep a call from beginning.
    #[must_use]
    pub fn new(now: Instant, setup: RecordingSetup, reads: Reads, counters: RecordCounters) -> Self {
        Self {
            video: PeekReader::new(reads.pictures),
            sound: PeekReader::new(reads.sounds),
            view: reads.view,
            current_generation: reads.current_generation,
            generation: reads.generation,
            recorder: recorder(&setup),
            out: Outbox::new(),
            sink: Sink::new(&setup, &counters),
            tracks: TrackRecordings::new(),
            agreement: Agreement::NotNeeded,
            events: VecDeque::new(),
            rolling: Rolling::of(now, &setup),
            earlier: Vec::new(),
            ended: false,
            is_ousted: false,
            setup,
            counters,
            gap_ms_told: 0,
        }
    }

    /// Asks the keepers now, and records only what comes once they agreed: see [`RoomRecording::is_agreed`]. Without
    /// this they are asked when there is something to store, which waits for them.
    pub fn ask_first(&mut self) {
        self.sink.ask(None);
        self.agreement = Agreement::Awaited;
    }

    /// Whether the keepers that are asked first agreed; `None` while they are asked. Once they refused nothing is
    /// recorded.
    #[must_use]
    pub fn is_agreed(&self) -> Option<bool> {
        match self.agreement {
            Agreement::NotNeeded | Agreement::Given => Some(true),
            Agreement::Awaited => None,
            Agreement::Refused => Some(false),
        }
    }

    /// Whether what is read is stored: keepers agreed, and the store or disk took what it was given last.
    #[must_use]
    pub fn is_storing(&self) -> bool {
        self.sink.is_storing()
    }

    /// Whether it was erased, or its hour came, while it was made: nothing more of it is stored.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.sink.is_erased()
    }

    /// Whether that was somebody's will.
    #[must_use]
    pub fn is_shredded(&self) -> bool {
        self.sink.is_shredded()
    }

    /// Whether keepers or a disk have to answer before anything more is read.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.sink.is_waiting()
    }

    /// Takes what the fans hold, has stored what is due. False once both fans are closed and empty: then it may be
    /// closed.
    pub fn poll(&mut self, now: Instant) -> bool {
        self.earlier.retain_mut(|part| !part.poll());
        if !self.take_answers(now) {
            return true;
        }
        if !self.is_ousted && self.setup.holds.is_over() {
            // Another node has the room by a newer fence: what it shows and says from now on is that one's to record.
            self.is_ousted = true;
            self.stop();
        }
        if let (Some(rolling), Sink::Sealed(files)) = (&mut self.rolling, &self.sink) {
            rolling.ask_ahead(now, files);
        }
        while !self.sink.is_waiting()
            && let Some((after_gap, input)) = self.next_input(now)
        {
            if after_gap {
                self.handle(now, if matches!(input, Input::Video(_)) { Input::VideoGap } else { Input::SoundGap });
            }
            self.handle(now, input);
        }
        if !self.sink.is_waiting() {
            self.poll_tracks(now);
            self.handle(now, Input::Time);
        }
        !(self.video.closed && self.sound.closed)
    }

    /// Takes everything from elsewhere from now on; what was published and not read yet is never read.
    pub fn read(&mut self, reads: Reads) {
        self.video = PeekReader::after_gap(reads.pictures);
        self.sound = PeekReader::after_gap(reads.sounds);
        (self.view, self.current_generation, self.generation) =
            (reads.view, reads.current_generation, reads.generation);
    }

    /// Something began in the room at `at`: a chapter, perhaps.
    pub fn event(&mut self, at: Instant, event: Event) {
        if self.agreement == Agreement::Awaited {
            // It was before the recording.
        } else if !self.sink.is_waiting() {
            self.handle_event(at, event);
        } else if self.events.len() < limits::RECORD_EVENTS_WAITING_MAX {
            self.events.push_back((at, event));
        }
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

    /// When `poll` wants to be called even if nothing wakes the thread.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.sink.is_waiting() || matches!(self.agreement, Agreement::Awaited | Agreement::Refused) {
            return None;
        }
        self.recorder.deadline().into_iter().chain(self.tracks.deadline()).min()
    }

    /// Nothing that is published from now on is recorded; what is there still is.
    pub(super) fn stop(&self) {
        self.video.stop();
        self.sound.stop();
        self.tracks.stop();
    }

    /// Takes what the fans still hold and ends the recording. False while keepers or a disk have to answer first.
    pub(super) fn end(&mut self, now: Instant) -> bool {
        if matches!(self.agreement, Agreement::Awaited | Agreement::Refused) {
            return true;
        }
        if !self.ended {
            self.poll(now);
            if self.sink.is_waiting() {
                return false;
            }
            self.finish_recorder(now);
            self.ended = true;
        }
        self.take_answers(now)
    }

    /// What is left to be stored, of this recording and of earlier parts of it.
    pub(super) fn into_closing(mut self, now: Instant) -> (ClosingSink, Vec<ClosingSink>) {
        if !self.ended {
            // It was given up: what waits in the fans is lost, what was taken is not.
            self.finish_recorder(now);
        }
        (self.sink.close(self.recorder.manifest().clone()), self.earlier)
    }

    /// Takes in what keepers or the disk answered. False while an answer has to be waited for, or nothing is to be
    /// recorded.
    fn take_answers(&mut self, now: Instant) -> bool {
        loop {
            let Some(lost) = self.sink.poll() else { return false };
            lost.into_iter().for_each(|lost| self.handle(now, lost));
            if !self.sink.is_waiting() {
                match self.events.pop_front() {
                    Some((at, event)) => self.handle_event(at, event),
                    None => break,
                }
            }
        }
        if self.agreement == Agreement::Awaited {
            self.agreement = if self.sink.has_begun() { Agreement::Given } else { Agreement::Refused };
            // Nobody was told yet while these were made.
            self.video.discard();
            self.sound.discard();
        }
        self.agreement != Agreement::Refused
    }

    /// The next frame or packet in the order of the room's clock, so that a backlog of one track is not taken for a gap
    /// in the other; and whether something was left out before it.
    fn next_input(&mut self, now: Instant) -> Option<(bool, Input)> {
        loop {
            self.video.fill();
            self.sound.fill();
            // What is in sight now was published before this look.
            if self.current_generation.load(Ordering::Acquire) != self.generation {
                return None;
            }
            let video_first = match (self.video.pts(), self.sound.pts()) {
                (None, None) => return None,
                (video, sound) => sound.is_none_or(|sound| video.is_some_and(|video| video <= sound)),
            };
            if !video_first {
                let (after_gap, tick) = self.sound.take();
                if let Some(packet) = packet_of(&tick, self.view) {
                    return Some((after_gap, Input::Sound(packet.clone())));
                }
                self.sound.misses = true;
                continue;
            }
            let (after_gap, frame) = self.video.take();
            if after_gap && !frame.keyframe {
                // Other pictures than those before, which only a keyframe can follow.
                self.video.misses = true;
                continue;
            }
            if frame.keyframe && self.rolling.as_mut().is_some_and(|rolling| rolling.is_due(now)) {
                self.roll(now);
            }
            return Some((after_gap, Input::Video(EncodedFrame::clone(&frame))));
        }
    }

    // Ends this recording and begins the next one, whose first frame is the keyframe that comes now.
    fn roll(&mut self, now: Instant) {
        self.finish_recorder(now);
        let sink = std::mem::replace(&mut self.sink, Sink::new(&self.setup, &self.counters));
        let ended = std::mem::replace(&mut self.recorder, recorder(&self.setup));
        if self.earlier.len() == limits::RECORDING_PARTS_CLOSING_MAX {
            // It is tried on all the same.
            self.earlier.remove(0);
        }
        self.earlier.push(sink.close(ended.manifest().clone()));
        self.sink.ask(self.rolling.take().and_then(Rolling::into_asked));
        self.rolling = Rolling::of(now, &self.setup);
        self.gap_ms_told = 0;
    }

    fn finish_recorder(&mut self, now: Instant) {
        if let Sink::Sealed(files) = &mut self.sink {
            self.tracks.finish(now, files);
        }
        self.handle(now, Input::Finish);
    }

    // What came before the recording's zero waits in the taps' rings.
    fn poll_tracks(&mut self, now: Instant) {
        if let (Sink::Sealed(files), Some(zero)) = (&mut self.sink, self.recorder.zero()) {
            let person = |participant| self.recorder.person(participant);
            self.tracks.poll(now, (self.setup.epoch, zero), person, files);
        }
    }

    fn handle_event(&mut self, at: Instant, event: Event) {
        let pts = pts_from_instant(&self.setup.epoch, at);
        self.handle(at, Input::Event(pts, event));
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
        self.sink.flush(self.recorder.manifest());
        let gap_ms = self.recorder.stats().gap_ms;
        // A gap that is found to be part of a greater one is taken back in the manifest; a counter never falls.
        self.counters.gap_ms.add(gap_ms.saturating_sub(self.gap_ms_told));
        self.gap_ms_told = self.gap_ms_told.max(gap_ms);
    }
}

/// The packet of a tick for a reader of this view, if it has one.
fn packet_of(tick: &MixTick, view: u64) -> Option<&EncodedFrame> {
    if view == 0 {
        return Some(&tick.shared);
    }
    tick.redacted.as_ref().filter(|redacted| redacted.mask == view).map(|redacted| &redacted.packet)
}

fn recorder(setup: &RecordingSetup) -> Recorder {
    let (room, owner) = (setup.room.clone(), setup.wish.owner.clone());
    Recorder::new(Setup { room, owner, fence: setup.holds.fence(), epoch: setup.epoch, fps: setup.fps })
}
