//! **The question:** what is packaged as the calls run? The `package` thread owns every room's recording and live
//! streams, and waits for none of them: keepers, disks and stores are asked, and what they answer is told to the
//! control thread.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError};

use crate::app::workers::event::Event;
use crate::app::workers::live::Packagers;
use crate::app::workers::worker::{Mailbox, Reports, guard};
use crate::base::media::{ParticipantId, RecordingTicket, RoomId, RungId};
use crate::core::record;
use crate::io::live::LivePackager;
use crate::io::recording::{ClosingRecording, Reads, RoomRecording, TrackSource};

/// What the control thread tells the package thread.
pub enum PackageCommand {
    /// A room is recorded.
    Begin {
        /// Which room.
        room: RoomId,
        /// Which of its recordings, from now on.
        ticket: RecordingTicket,
        /// What reads and stores.
        recording: Box<RoomRecording>,
        /// Whether keepers have to agree first: answered by [`Event::RecordingBegan`], and what came before it is not
        /// recorded, or by [`Event::RecordingRefused`]. Otherwise it begins at once and asks them with its first
        /// picture. From then on each change is told of whether anything is stored.
        must_agree: bool,
    },
    /// The recording reads these from now on, and nothing more of what it read so far.
    Read(RecordingTicket, Box<Reads>),
    /// Something began in the room that may be a chapter.
    Event(RecordingTicket, Instant, record::Event),
    /// Record a participant's own track too.
    Track(RecordingTicket, Box<TrackSource>),
    /// Record a participant's own tracks no longer.
    EndTracks(RecordingTicket, ParticipantId),
    /// A rung of a room is packaged as live HLS, until its fan closes.
    Live(RoomId, RungId, Box<LivePackager>),
    /// It is packaged no longer.
    EndLive(RungId),
    /// Nothing that comes from now on is recorded: close it. Answered by [`Event::RecordingFinished`], unless it was
    /// refused.
    Finish(RecordingTicket),
}

/// The body of the `package` thread. When its mailbox closes, every recording is closed first, all side by side.
pub fn run(mailbox: &Mailbox<PackageCommand>, reports: Reports<Event>) {
    let mut package = Package { recordings: HashMap::new(), closing: Vec::new(), live: Packagers::default(), reports };
    loop {
        let step = catch_unwind(AssertUnwindSafe(|| {
            let is_open = package.take_commands(&mailbox.commands);
            if !is_open {
                package.finish_all();
            }
            (is_open, package.advance(Instant::now()))
        }));
        let Ok((is_open, deadline)) = step else {
            tracing::error!("the package worker panicked; what it recorded ends");
            package.fail_all();
            continue;
        };
        if !is_open && package.closing.is_empty() {
            return;
        }
        mailbox.waker.sleep_until(deadline);
    }
}

/// Every recording of the node.
struct Package {
    recordings: HashMap<RecordingTicket, Recorded>,
    closing: Vec<Closing>,
    live: Packagers,
    reports: Reports<Event>,
}

struct Recorded {
    room: RoomId,
    stage: Stage,
    /// Whether it was told last that it is stored.
    storing: bool,
}

enum Stage {
    /// Its keepers have to agree first.
    Asking(Box<RoomRecording>),
    Running(Box<RoomRecording>),
    /// It panicked or was erased, which was told; it waits for its `Finish`.
    Failed,
}

struct Closing {
    room: RoomId,
    ticket: RecordingTicket,
    recording: ClosingRecording,
}

impl Package {
    /// False once no more will come.
    fn take_commands(&mut self, commands: &Receiver<PackageCommand>) -> bool {
        loop {
            match commands.try_recv() {
                Ok(command) => self.command(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn command(&mut self, command: PackageCommand) {
        match command {
            PackageCommand::Begin { room, ticket, mut recording, must_agree } => {
                let stage = if must_agree {
                    recording.ask_first();
                    Stage::Asking(recording)
                } else {
                    Stage::Running(recording)
                };
                self.recordings.insert(ticket, Recorded { room, stage, storing: false });
            }
            PackageCommand::Read(ticket, reads) => self.with(ticket, |recording| recording.read(*reads)),
            PackageCommand::Event(ticket, at, event) => self.with(ticket, |recording| recording.event(at, event)),
            PackageCommand::Track(ticket, source) => self.with(ticket, |recording| recording.add_track(*source)),
            PackageCommand::EndTracks(ticket, participant) => {
                self.with(ticket, |recording| recording.end_tracks_of(Instant::now(), participant));
            }
            PackageCommand::Live(room, rung, packager) => self.live.begin(room, rung, packager),
            PackageCommand::EndLive(rung) => self.live.end(rung),
            PackageCommand::Finish(ticket) => self.finish(ticket, Instant::now()),
        }
    }

    fn with(&mut self, ticket: RecordingTicket, act: impl FnOnce(&mut RoomRecording)) {
        let Some(Recorded { room, stage, .. }) = self.recordings.get_mut(&ticket) else { return };
        let (Stage::Asking(recording) | Stage::Running(recording)) = stage else { return };
        if guard(room, || act(recording)).is_none() {
            self.fail(ticket);
        }
    }

    /// A recording that panicked is given up; the room goes on.
    fn fail(&mut self, ticket: RecordingTicket) {
        let Some(recorded) = self.recordings.get_mut(&ticket) else { return };
        let room = recorded.room.clone();
        match std::mem::replace(&mut recorded.stage, Stage::Failed) {
            Stage::Asking(_) => self.refuse(ticket),
            Stage::Running(_) => self.reports.send(Event::RecordingFailed { room, ticket }),
            Stage::Failed => {}
        }
    }

    /// Everything is given up, whatever it was in the middle of.
    fn fail_all(&mut self) {
        let all: Vec<_> = self.recordings.keys().copied().collect();
        all.into_iter().for_each(|ticket| self.fail(ticket));
        for Closing { room, ticket, .. } in self.closing.drain(..) {
            self.reports.send(Event::RecordingFinished { room, ticket, summary: None });
        }
    }

    fn refuse(&mut self, ticket: RecordingTicket) {
        if let Some(Recorded { room, .. }) = self.recordings.remove(&ticket) {
            self.reports.send(Event::RecordingRefused { room, ticket });
        }
    }

    fn finish(&mut self, ticket: RecordingTicket, now: Instant) {
        let Some(Recorded { room, stage, .. }) = self.recordings.remove(&ticket) else { return };
        match stage {
            Stage::Asking(recording) | Stage::Running(recording) => {
                let recording = ClosingRecording::new(now, recording);
                self.closing.push(Closing { room, ticket, recording });
            }
            Stage::Failed => self.reports.send(Event::RecordingFinished { room, ticket, summary: None }),
        }
    }

    fn finish_all(&mut self) {
        let (all, now): (Vec<_>, _) = (self.recordings.keys().copied().collect(), Instant::now());
        all.into_iter().for_each(|ticket| self.finish(ticket, now));
    }

    /// Lets every recording go on; says when one wants to be called again, even if nothing wakes the thread.
    fn advance(&mut self, now: Instant) -> Option<Instant> {
        let all: Vec<_> = self.recordings.keys().copied().collect();
        let running = all.into_iter().filter_map(|ticket| self.advance_one(ticket, now)).min();
        let reports = &self.reports;
        self.closing.retain_mut(|Closing { room, ticket, recording }| {
            let closed = guard(room, || recording.poll(now));
            if matches!(closed, Some(None)) {
                return true;
            }
            reports.send(Event::RecordingFinished { room: room.clone(), ticket: *ticket, summary: closed.flatten() });
            false
        });
        let closing = self.closing.iter().map(|closing| closing.recording.deadline());
        running.into_iter().chain(closing).chain(self.live.advance(now, &self.reports)).min()
    }

    fn advance_one(&mut self, ticket: RecordingTicket, now: Instant) -> Option<Instant> {
        let Recorded { room, stage, storing } = self.recordings.get_mut(&ticket)?;
        let (Stage::Asking(recording) | Stage::Running(recording)) = stage else { return None };
        // One whose fans closed stays until the control thread wants it finished.
        if guard(room, || recording.poll(now)).is_none() {
            self.fail(ticket);
            return None;
        }
        let (deadline, is_stored, is_erased) = (recording.deadline(), recording.is_storing(), recording.is_erased());
        if let Stage::Asking(asking) = stage
            && let Some(agreed) = asking.is_agreed()
        {
            if !agreed {
                self.refuse(ticket);
                return None;
            }
            let Stage::Asking(recording) = std::mem::replace(stage, Stage::Failed) else { unreachable!("it asked") };
            *stage = Stage::Running(recording);
        }
        if matches!(stage, Stage::Asking(_)) {
            return deadline;
        }
        let room = room.clone();
        if is_erased {
            let wanted = matches!(stage, Stage::Running(recording) if recording.is_shredded());
            *stage = Stage::Failed;
            self.reports.send(Event::RecordingErased { room, ticket, wanted });
            return None;
        }
        if std::mem::replace(storing, is_stored) != is_stored {
            let told = if is_stored {
                Event::RecordingBegan { room, ticket }
            } else {
                Event::RecordingStalled { room, ticket }
            };
            self.reports.send(told);
        }
        deadline
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use crossbeam_channel::bounded;
    use object_store::memory::InMemory;
    use tempfile::TempDir;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::app::workers::worker::Worker;
    use crate::base::limits;
    use crate::base::media::{Codec, EncodedFrame, MixTick, RoomEpoch, Wallclock, pts_from_tick};
    use crate::core::bitstream::opus;
    use crate::core::retention::Retention;
    use crate::engine::flow::{Counter, Fan, Waker};
    use crate::io::recording::{RecordCounters, RecordingPlace, RecordingSetup, RecordingSummary, RoomHold};
    use crate::io::store::{Archive, ArchiveCounters, RecordingWish, Vault};
    use crate::io::telemetry::panics::Panics;

    /// 640×360 by libaom, as it opens a keyframe.
    const SEQUENCE_HEADER: &[u8] = &[0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10];
    /// One OBU_FRAME of three bytes.
    const FRAME: &[u8] = &[0x32, 0x03, 1, 2, 3];
    const FPS: u32 = 30;
    /// How soon another room is served while one hangs: it would be never.
    const SOON: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(30);

    /// The package thread, and what it tells.
    struct Thread {
        worker: Worker<PackageCommand>,
        events: Receiver<Event>,
    }

    /// A room with an archive whose keeper and store answer while `runtime` runs, and hang while nobody drives it.
    struct Room {
        ticket: RecordingTicket,
        runtime: Runtime,
        folder: TempDir,
        vault: Vault,
        place: RecordingPlace,
        video: Fan<EncodedFrame>,
        sound: Fan<MixTick>,
        epoch: RoomEpoch,
        counters: RecordCounters,
        seconds: u64,
    }

    impl Thread {
        fn start() -> Self {
            let (sender, events) = bounded(limits::EVENTS_LEN);
            let reports = Reports::new(sender, Waker::new().unwrap(), Counter::default());
            Self {
                worker: Worker::start("package", &Panics::default(), move |mailbox| run(&mailbox, reports)).unwrap(),
                events,
            }
        }

        fn begin(&self, room: &Room, must_agree: bool) {
            let recording = Box::new(room.recording(self.worker.waker()));
            let (ticket, room) = (room.ticket, "room".parse().unwrap());
            self.worker.send(PackageCommand::Begin { room, ticket, recording, must_agree });
        }

        fn told(&self) -> Event {
            self.events.recv_timeout(PATIENCE).expect("it is told")
        }

        fn began(&self, room: &Room) {
            let told = self.told();
            assert!(matches!(told, Event::RecordingBegan { ticket, .. } if ticket == room.ticket), "{told:?}");
        }

        fn finished(&self, room: &Room) -> RecordingSummary {
            match self.told() {
                Event::RecordingFinished { ticket, summary, .. } if ticket == room.ticket => summary.unwrap(),
                told => panic!("{told:?}"),
            }
        }
    }

    impl Room {
        fn new(ticket: u64, runtime: Runtime) -> Self {
            let (folder, vault) = (tempfile::tempdir().unwrap(), Vault::on(Arc::new(InMemory::new()), "memory"));
            let (handle, counters) = (runtime.handle().clone(), ArchiveCounters::default());
            let archive =
                Archive::on_vault(vault.clone(), folder.path(), Retention::default(), handle, counters).unwrap();
            Self {
                ticket: RecordingTicket(ticket),
                runtime,
                folder,
                vault,
                place: RecordingPlace::Sealed(Arc::new(archive)),
                video: Fan::new(Counter::default()),
                sound: Fan::new(Counter::default()),
                epoch: RoomEpoch { instant: Instant::now(), wallclock: Wallclock(0) },
                counters: RecordCounters::default(),
                seconds: 0,
            }
        }

        /// Whose store answers.
        fn live(ticket: u64) -> Self {
            Self::new(ticket, Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
        }

        /// Whose keeper and store hang.
        fn hanging(ticket: u64) -> Self {
            Self::new(ticket, Builder::new_current_thread().enable_all().build().unwrap())
        }

        fn in_file(ticket: u64, file: &Path) -> Self {
            Self { place: RecordingPlace::File(file.to_owned()), ..Self::hanging(ticket) }
        }

        fn recording(&self, waker: Waker) -> RoomRecording {
            let reads = Reads {
                pictures: self.video.subscribe(limits::RECORD_FAN_LEN, waker.clone()),
                sounds: self.sound.subscribe(limits::RECORD_FAN_LEN, waker.clone()),
                view: 0,
                current_generation: Arc::default(),
                generation: 0,
            };
            let setup = RecordingSetup {
                room: "room".parse().unwrap(),
                epoch: self.epoch,
                place: self.place.clone(),
                fps: FPS,
                holds: RoomHold::default(),
                wish: RecordingWish::default(),
                waker,
            };
            RoomRecording::new(self.epoch.instant, setup, reads, self.counters.clone())
        }

        /// Some more seconds of the call, at once.
        fn play(&mut self, seconds: u64) {
            let (from, to) = (self.seconds, self.seconds + seconds);
            self.seconds = to;
            for n in from * 50..to * 50 {
                let (pts, data) = (pts_from_tick(n, 50), Bytes::from_static(opus::SILENCE));
                let shared = EncodedFrame { codec: Codec::Opus, data, pts, keyframe: true };
                let wallclock = self.epoch.wallclock_at(pts);
                let tick = MixTick { pts, wallclock, shared, silent: true, minus: Vec::new(), redacted: None };
                self.sound.publish(&Arc::new(tick));
            }
            for n in from * u64::from(FPS)..to * u64::from(FPS) {
                let (pts, keyframe) = (pts_from_tick(n, FPS), n.is_multiple_of(u64::from(FPS)));
                let data = if keyframe { [SEQUENCE_HEADER, FRAME].concat() } else { FRAME.to_vec() };
                let data = Bytes::from(data);
                self.video.publish(&Arc::new(EncodedFrame { codec: Codec::Av1, data, pts, keyframe }));
            }
        }

        /// How long it takes until something more of the call is stored.
        fn served(&mut self) -> Duration {
            let (before, begun) = (self.counters.bytes.get(), Instant::now());
            self.play(3);
            wait("something is stored", || self.counters.bytes.get() > before);
            let took = begun.elapsed();
            // What is left of these seconds is not to be taken for the next ones.
            std::thread::sleep(Duration::from_millis(20));
            took
        }

        /// How long the slowest of several rounds takes, asserted to be soon.
        fn is_served(&mut self, meanwhile: &str) {
            let slowest = (0..5).map(|_| self.served()).max().unwrap();
            println!("another room is served within {slowest:?} {meanwhile}");
            assert!(slowest < SOON, "{slowest:?} {meanwhile}");
        }

        /// Lets keeper and store answer until it is so.
        fn answers_until(&self, mut so: impl FnMut() -> bool) {
            wait("it answers", || {
                // A runtime that nobody drives but this test: what it was given runs while it is here.
                self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(2)).await });
                so()
            });
        }

        fn objects(&self) -> usize {
            self.runtime.block_on(self.vault.list("rec")).unwrap().len()
        }
    }

    fn wait(what: &str, mut so: impl FnMut() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so() {
            assert!(Instant::now() < until, "never: {what}");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn is_about(span: Duration, seconds: u64) -> bool {
        span.abs_diff(Duration::from_secs(seconds)) < Duration::from_millis(100)
    }

    #[test]
    fn a_recording_whose_keepers_and_store_hang_holds_up_no_other() {
        let (thread, mut other, mut hanging) = (Thread::start(), Room::live(1), Room::hanging(2));
        thread.begin(&other, true);
        thread.began(&other);
        thread.begin(&hanging, true);
        hanging.play(2);
        other.is_served("while keepers hang");
        assert!(thread.events.is_empty() && hanging.counters.bytes.get() == 0);

        hanging.answers_until(|| !thread.events.is_empty());
        thread.began(&hanging);
        hanging.play(5);
        wait("it waits for the store", || hanging.counters.bytes.get() > 0);
        other.is_served("while a store hangs");
        thread.worker.send(PackageCommand::Finish(hanging.ticket));
        other.is_served("while a recording closes");
        assert!(thread.events.is_empty());

        hanging.answers_until(|| !thread.events.is_empty());
        let summary = thread.finished(&hanging);
        assert!(is_about(summary.duration, 5), "what came before the keepers agreed is not recorded: {summary:?}");
        assert_eq!((summary.trouble, summary.gaps), (None, Vec::new()));
        thread.worker.send(PackageCommand::Finish(other.ticket));
        assert_eq!(thread.finished(&other).trouble, None);
    }

    #[test]
    fn what_is_recorded_from_the_first_frame_waits_for_the_keepers_and_lacks_nothing() {
        let (thread, mut room) = (Thread::start(), Room::hanging(1));
        thread.begin(&room, false);
        room.play(7);
        // What came before its end was there to be recorded.
        thread.worker.send(PackageCommand::Finish(room.ticket));
        // Whether the thread has taken the command cannot be seen from outside: what it does not do is tested.
        std::thread::sleep(Duration::from_millis(50));
        room.play(2);
        room.answers_until(|| !thread.events.is_empty());
        let summary = thread.finished(&room);
        assert!(is_about(summary.duration, 7), "{summary:?}");
        assert_eq!((summary.trouble, summary.gaps), (None, Vec::new()));
    }

    #[test]
    fn where_keepers_refuse_nothing_is_recorded_and_it_is_told_once() {
        let (thread, mut room) = (Thread::start(), Room::live(1));
        // The keeper's state cannot be stored where the next start looks for it.
        std::fs::rename(room.folder.path().join("keys"), room.folder.path().join("keys.away")).unwrap();
        thread.begin(&room, true);
        let told = thread.told();
        assert!(matches!(told, Event::RecordingRefused { ticket, .. } if ticket == room.ticket), "{told:?}");
        room.play(3);
        thread.worker.send(PackageCommand::Finish(room.ticket));
        drop(thread.worker);
        assert!(thread.events.is_empty() && room.objects() == 0);
        assert_eq!((room.video.readers(), room.counters.gap_ms.get()), (0, 0), "nothing was to be recorded");
    }

    #[test]
    fn a_disk_that_hangs_holds_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("call.mp4");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (thread, mut other, mut hanging) = (Thread::start(), Room::live(1), Room::in_file(2, &pipe));
        thread.begin(&other, true);
        thread.began(&other);
        // Nobody reads the pipe: whoever opens it to write waits.
        thread.begin(&hanging, false);
        hanging.play(5);
        other.is_served("while a disk hangs");
        thread.worker.send(PackageCommand::Finish(hanging.ticket));
        other.is_served("while its recording closes");
        assert!(thread.events.is_empty());
        let _reader = std::fs::File::open(&pipe).unwrap();
        assert!(thread.finished(&hanging).trouble.is_some(), "a pipe is no disk");
    }

    #[test]
    fn a_recording_that_runs_long_goes_on_as_another_and_waits_for_its_key() {
        let mut room = Room::hanging(1);
        let (mut recording, begun) = (room.recording(Waker::new().unwrap()), room.epoch.instant);
        room.play(3);
        room.answers_until(|| recording.poll(begun) && !recording.is_waiting());
        // So late that it waits for its next part's key; otherwise it goes on until that is granted.
        let rolls = begun + 5 * Retention::default().recording_span();
        // The keyframe at 3 s is the next part's first.
        room.play(3);
        recording.poll(rolls);
        room.play(3);
        assert!(recording.poll(rolls) && recording.is_waiting());
        room.answers_until(|| recording.poll(rolls) && !recording.is_waiting());
        let (mut closing, mut summary) = (ClosingRecording::new(rolls, Box::new(recording)), None);
        room.answers_until(|| {
            summary = summary.take().or_else(|| closing.poll(rolls));
            summary.is_some()
        });
        let summary = summary.unwrap();
        assert!(is_about(summary.duration, 6) && summary.gaps.is_empty(), "{summary:?}");
        let stored = room.runtime.block_on(room.vault.recording()).unwrap();
        assert!(stored.len() == 2 && stored.contains(&summary.sealed.unwrap()), "{stored:?}");
        let ends = room.runtime.block_on(room.vault.list("rec")).unwrap();
        assert_eq!(ends.iter().filter(|object| object.path.ends_with("/fin")).count(), 2, "both are whole");
    }

    #[test]
    fn a_recording_goes_on_as_another_at_the_first_keyframe_after_that_ones_key_was_granted() {
        let (mut room, waker) = (Room::hanging(1), Waker::new().unwrap());
        let (mut recording, begun) = (room.recording(waker.clone()), room.epoch.instant);
        room.play(3);
        room.answers_until(|| recording.poll(begun) && !recording.is_waiting());
        let rolls = begun + Retention::default().recording_span();
        room.play(3);
        assert!(recording.poll(rolls) && recording.is_storing(), "nothing waits for the keeper");
        let stored = |room: &Room| room.runtime.block_on(room.vault.recording()).unwrap().len();
        // Further seconds, for as long as it takes the keeper to answer.
        let until = Instant::now() + PATIENCE;
        while stored(&room) < 2 {
            assert!(Instant::now() < until, "it never goes on as another");
            room.play(1);
            assert!(recording.poll(rolls) && !recording.is_waiting() && recording.is_storing());
            room.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(2)).await });
        }
        assert_eq!(room.counters.gap_ms.get(), 0);
    }

    fn package() -> (Package, Receiver<Event>) {
        let (sender, events) = bounded(limits::EVENTS_LEN);
        let reports = Reports::new(sender, Waker::new().unwrap(), Counter::default());
        (Package { recordings: HashMap::new(), closing: Vec::new(), live: Packagers::default(), reports }, events)
    }

    fn begin(package: &mut Package, room: &Room) {
        let recording = Box::new(room.recording(Waker::new().unwrap()));
        let (ticket, room) = (room.ticket, "room".parse().unwrap());
        package.command(PackageCommand::Begin { room, ticket, recording, must_agree: false });
    }

    #[test]
    fn recordings_close_side_by_side_and_are_given_up_at_their_deadline() {
        let (mut package, events) = package();
        let mut rooms: Vec<Room> = (1..=3).map(Room::hanging).collect();
        for room in &mut rooms {
            begin(&mut package, room);
            room.play(3);
            package.advance(Instant::now());
        }
        // The first one's keeper answers, its store never does; the others' keepers do not either.
        rooms[0].answers_until(|| {
            package.advance(Instant::now());
            rooms[0].counters.bytes.get() > 0
        });
        let now = Instant::now();
        package.finish_all();
        let deadline = package.advance(now).unwrap();
        let began: Vec<_> = events.try_iter().collect();
        assert!(matches!(began[..], [Event::RecordingBegan { ticket, .. }] if ticket == rooms[0].ticket), "{began:?}");
        assert!(deadline <= Instant::now() + limits::RECORDING_CLOSE_SPAN);
        assert_eq!(package.advance(Instant::now() + limits::RECORDING_CLOSE_SPAN), None, "nothing is left");
        let told: Vec<_> = events.try_iter().collect();
        let troubled = |event: &Event| match event {
            Event::RecordingFinished { summary: Some(summary), .. } => summary.trouble.is_some(),
            _ => false,
        };
        assert!(told.len() == 3 && told.iter().all(troubled), "{told:?}");
    }

    #[test]
    fn it_is_told_when_nothing_can_be_stored_and_when_something_is_again() {
        let (mut package, events) = package();
        let mut room = Room::hanging(1);
        // The keeper's state cannot be stored where the next start looks for it.
        let [keys, away] = ["keys", "keys.away"].map(|name| room.folder.path().join(name));
        std::fs::rename(&keys, &away).unwrap();
        begin(&mut package, &room);
        room.play(8);
        let refused = room.counters.refused.clone();
        room.answers_until(|| {
            package.advance(Instant::now());
            refused.get() > 0
        });
        assert!(events.is_empty(), "nobody was told that anything is stored");
        std::fs::rename(&away, &keys).unwrap();
        room.play(8);
        room.answers_until(|| {
            package.advance(Instant::now());
            !events.is_empty()
        });
        assert!(matches!(events.try_recv(), Ok(Event::RecordingBegan { ticket, .. }) if ticket == room.ticket));
        // It is erased while its call runs.
        let RecordingPlace::Sealed(archive) = &room.place else { unreachable!("it is sealed") };
        let stored = || room.runtime.block_on(room.vault.recording()).unwrap();
        room.answers_until(|| !stored().is_empty());
        let name = stored()[0];
        room.runtime.block_on(archive.shred(name)).unwrap();
        package.advance(Instant::now());
        let erased = events.try_recv();
        assert!(matches!(erased, Ok(Event::RecordingErased { ticket, wanted: true, .. }) if ticket == room.ticket));
        package.command(PackageCommand::Finish(room.ticket));
        room.answers_until(|| room.objects() == 0);
    }

    #[test]
    fn a_panic_of_the_worker_itself_ends_what_it_records_and_is_told_of_each() {
        let (mut package, events) = package();
        let (running, asked) = (Room::live(1), Room::hanging(2));
        begin(&mut package, &running);
        let recording = Box::new(asked.recording(Waker::new().unwrap()));
        let (ticket, room) = (asked.ticket, "room".parse().unwrap());
        package.command(PackageCommand::Begin { room, ticket, recording, must_agree: true });
        package.fail_all();
        let mut told: Vec<_> = events.try_iter().map(|event| format!("{event:?}")).collect();
        told.sort();
        assert!(told[0].starts_with("RecordingFailed") && told[1].starts_with("RecordingRefused"), "{told:?}");
        package.fail_all();
        assert!(events.is_empty(), "once");
    }

    #[test]
    fn one_that_panicked_is_told_and_answers_when_it_is_to_finish() {
        let (mut package, events) = package();
        let (room, other) = (Room::live(1), Room::live(2));
        begin(&mut package, &room);
        begin(&mut package, &other);
        package.with(room.ticket, |_| panic!("a panic on purpose"));
        let failed = events.try_recv();
        assert!(matches!(failed, Ok(Event::RecordingFailed { ticket, .. }) if ticket == room.ticket), "{failed:?}");
        package.command(PackageCommand::Event(room.ticket, Instant::now(), record::Event::Layout));
        package.command(PackageCommand::Finish(room.ticket));
        let told = events.try_recv();
        assert!(matches!(told, Ok(Event::RecordingFinished { ticket, summary: None, .. }) if ticket == room.ticket));
        assert!(package.recordings.contains_key(&other.ticket) && package.recordings.len() == 1);
    }
}
