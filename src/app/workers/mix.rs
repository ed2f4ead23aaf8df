//! **The question:** when is each room's audio tick due? A `mix-n` thread serves many rooms and pulls at each tick.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use crate::app::workers::counters::NodeCounters;
use crate::app::workers::event::Event;
use crate::app::workers::worker::{Mailbox, Reports, earlier, guard};
use crate::base::limits;
use crate::base::media::{MixTick, ParticipantId, Pts, RoomEpoch, RoomId, ShortBlock, TrackId};
use crate::engine::audio::RoomSound;
use crate::engine::flow::{Fan, PlayoutCell, SpeechFeed, TrackReceiver};
use crate::io::telemetry::log::alias;

/// Ticks a late thread catches up with in a burst; what lies further back is skipped and filled by readers.
const CATCH_UP_TICKS: u64 = 10;

/// A room's sound, from its voices to everyone who listens.
pub struct SoundWork {
    /// Which room.
    pub room: RoomId,
    /// Its media clock.
    pub epoch: RoomEpoch,
    /// Its voices and encoders.
    pub sound: RoomSound,
    /// To everyone who listens.
    pub fan: Fan<MixTick>,
}

/// What the control thread tells a mix thread.
pub enum MixCommand {
    /// A room begins.
    AddRoom(Box<SoundWork>),
    /// A room ends.
    RemoveRoom(RoomId),
    /// A track's packets come through this queue from now on.
    AddVoice(RoomId, TrackId, TrackReceiver, PlayoutCell),
    /// A track ended.
    RemoveVoice(RoomId, TrackId),
    /// Nobody hears a person's microphone, or everybody again.
    Mute(RoomId, ParticipantId, bool),
    /// How loud a person is in every mix, a factor.
    Volume(RoomId, ParticipantId, f32),
    /// A person left.
    ForgetPerson(RoomId, ParticipantId),
    /// What nine of ten listeners lose at most, per cent.
    Loss(RoomId, f32),
    /// There is a mix without these people besides, whose packets carry this number; nobody: no longer.
    LeaveOut(RoomId, BTreeSet<ParticipantId>, u64),
    /// A captioner hears whoever is heard, until it is gone.
    Caption(RoomId, SpeechFeed),
    /// Play this into the room.
    Announce(RoomId, Arc<[ShortBlock]>),
}

struct Channel {
    work: Box<SoundWork>,
    /// The next tick's number.
    tick: u64,
}

/// The body of a `mix-n` thread.
pub fn run(mailbox: &Mailbox<MixCommand>, reports: &Reports<Event>, counters: &NodeCounters) {
    let mut rooms: HashMap<RoomId, Channel> = HashMap::new();
    while mailbox.drain(|command| apply(&mut rooms, command)) {
        let mut deadline = None;
        let mut panicked = Vec::new();
        for (room, channel) in &mut rooms {
            match guard(room, || channel.tick_if_due(Instant::now(), reports, counters)) {
                Some(next) => deadline = earlier(deadline, Some(next)),
                None => panicked.push(room.clone()),
            }
        }
        for room in panicked {
            rooms.remove(&room);
            reports.send(Event::RoomFailed(room));
        }
        mailbox.waker.sleep_until(deadline);
    }
}

fn apply(rooms: &mut HashMap<RoomId, Channel>, command: MixCommand) {
    match command {
        MixCommand::AddRoom(work) => {
            rooms.insert(work.room.clone(), Channel { work, tick: 0 });
        }
        MixCommand::RemoveRoom(room) => {
            if let Some(channel) = rooms.remove(&room) {
                channel.work.fan.close();
            }
        }
        MixCommand::AddVoice(room, track, packets, playout) => {
            with(rooms, &room, |sound| sound.add_voice(track, packets, playout));
        }
        MixCommand::RemoveVoice(room, track) => with(rooms, &room, |sound| sound.remove_voice(track)),
        MixCommand::Mute(room, person, muted) => with(rooms, &room, |sound| sound.mute(person, muted)),
        MixCommand::Volume(room, person, volume) => with(rooms, &room, |sound| sound.set_volume(person, volume)),
        MixCommand::ForgetPerson(room, person) => with(rooms, &room, |sound| sound.forget_person(person)),
        MixCommand::Loss(room, percent) => with(rooms, &room, |sound| sound.report_loss(percent)),
        MixCommand::LeaveOut(room, people, mask) => with(rooms, &room, |sound| {
            if let Err(error) = sound.leave_out(people, mask) {
                // Without that mix the recording has no sound: a gap, and no leak.
                tracing::error!(room = %alias(&room), %error, "a mix for a recording could not begin");
            }
        }),
        MixCommand::Caption(room, feed) => with(rooms, &room, |sound| sound.caption(feed)),
        MixCommand::Announce(room, blocks) => with(rooms, &room, |sound| sound.announce(blocks)),
    }
}

/// A room that ended meanwhile needs nothing.
fn with(rooms: &mut HashMap<RoomId, Channel>, room: &RoomId, act: impl FnOnce(&mut RoomSound)) {
    if let Some(channel) = rooms.get_mut(room) {
        act(&mut channel.work.sound);
    }
}

impl Channel {
    fn tick_if_due(&mut self, now: Instant, reports: &Reports<Event>, counters: &NodeCounters) -> Instant {
        let epoch = self.work.epoch;
        let due = |tick: u64| epoch.instant_at(pts_of(tick));
        if now >= due(self.tick + CATCH_UP_TICKS) {
            let late = now.saturating_duration_since(due(self.tick));
            let behind =
                u64::try_from(late.as_nanos() / limits::AUDIO_TICK.as_nanos()).expect("late by less than 584 years");
            counters.audio_ticks_skipped.add(behind);
            self.tick += behind;
        }
        while now >= due(self.tick) {
            let pts = pts_of(self.tick);
            let mixed = self.work.sound.tick(now, pts, epoch.wallclock_at(pts));
            self.work.fan.publish(&Arc::new(mixed));
            counters.audio_ticks.add(1);
            self.tick += 1;
        }
        if let Some((speaking, dominant)) = self.work.sound.take_speech() {
            reports.send(Event::Speech { room: self.work.room.clone(), speaking, dominant });
        }
        due(self.tick)
    }
}

fn pts_of(tick: u64) -> Pts {
    Pts(tick * u64::try_from(limits::AUDIO_TICK.as_nanos()).expect("20 ms"))
}
