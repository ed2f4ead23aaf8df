//! **The question:** what does one room hear at one audio tick? Everything between the Opus queues and the fan, without
//! a thread and without a clock: the mix thread calls [`RoomSound::tick`] every 20 ms for each of its rooms.

mod channel_strip;
mod counters;
mod mix_encoders;
mod redacted;
mod speech;
mod voice;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::{
    AudioLevel, MixTick, ParticipantId, PcmBlock, Pts, ShortBlock, TrackId, TrackKind, Wallclock,
};
use crate::core::mix::{Chosen, Fade, Loudness, Mixer, SoundKind, Voice, VoiceChoice};
use crate::engine::audio::channel_strip::{ChannelStrip, Treatment};
use crate::engine::audio::mix_encoders::{MixEncoders, Packets};
use crate::engine::audio::redacted::RedactedSound;
use crate::engine::audio::speech::SpeechTap;
use crate::engine::audio::voice::VoiceTrack;
use crate::engine::encode::{OpusEncodeError, OpusEncoderConfig};
use crate::engine::flow::{PlayoutCell, SpeechFeed, TrackReceiver};

pub use crate::engine::audio::counters::SoundCounters;

/// How a room sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundConfig {
    /// Voices mixed at once, 1 to `limits::VOICES_MAX`.
    pub voices: usize,
    /// Bits a second of each mix.
    pub bitrate: u32,
    /// The Opus encoders' effort, 0 to 10.
    pub complexity: u8,
    /// Quiet voices are raised, loud ones lowered.
    pub levelling: bool,
    /// Each heard voice goes through RNNoise.
    pub noise_suppression: bool,
    /// Shared screens' sound makes way for speech.
    pub duck_screens: bool,
}

impl Default for SoundConfig {
    fn default() -> Self {
        let opus = OpusEncoderConfig::default();
        Self {
            voices: limits::VOICES_DEFAULT,
            bitrate: opus.bitrate,
            complexity: opus.complexity,
            levelling: true,
            noise_suppression: false,
            duck_screens: false,
        }
    }
}

impl SoundConfig {
    fn opus(&self) -> OpusEncoderConfig {
        OpusEncoderConfig { bitrate: self.bitrate, complexity: self.complexity, ..Default::default() }
    }
}

/// How one voice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaking {
    /// Whose voice.
    pub track: TrackId,
    /// How loud it was at the last tick: what its sender says, or what was measured.
    pub level: AudioLevel,
    /// Whether it is in the mix.
    pub heard: bool,
}

/// All sound of one room.
#[derive(Debug)]
pub struct RoomSound {
    channels: Vec<VoiceChannel>,
    choice: VoiceChoice,
    mixer: Mixer,
    mix_encoders: MixEncoders,
    /// For a recording without some people.
    redacted: Option<RedactedSound>,
    /// For captioners; none: nothing is tapped and nothing is resampled.
    captioned: Option<SpeechTap>,
    config: SoundConfig,
    announcement: Option<Announcement>,
    /// Those of whom a host said something.
    people: Vec<PersonHeard>,
    treatment: Treatment,
    counters: SoundCounters,
}

/// One voice from its queue to the mixer.
#[derive(Debug)]
struct VoiceChannel {
    voice: VoiceTrack,
    strip: ChannelStrip,
    muted: bool,
}

/// How a host wants one person to be heard, whatever tracks they have and will have.
#[derive(Debug, Clone, Copy)]
struct PersonHeard {
    participant: ParticipantId,
    muted: bool,
    volume: f32,
}

/// What is played into the room.
#[derive(Debug)]
struct Announcement {
    blocks: Arc<[ShortBlock]>,
    at: usize,
    /// The one that is heard at this tick.
    now: PcmBlock,
}

impl Announcement {
    fn voice(&mut self) -> Option<Voice<'_>> {
        self.blocks.get(self.at)?.play(&mut self.now);
        let block = &self.now;
        let fade = match self.at {
            0 => Fade::In,
            at if at + 1 == self.blocks.len() => Fade::Out,
            _ => Fade::Hold,
        };
        Some(Voice { participant: None, kind: SoundKind::Announcement, block, fade })
    }
}

impl RoomSound {
    /// A room without voices.
    ///
    /// # Errors
    /// When memory is out, or the bitrate or complexity is out of range.
    pub fn new(config: SoundConfig, counters: SoundCounters) -> Result<Self, OpusEncodeError> {
        let opus = config.opus();
        let treatment = Treatment { levelling: config.levelling, noise_suppression: config.noise_suppression };
        Ok(Self {
            channels: Vec::new(),
            choice: VoiceChoice::new(config.voices),
            mixer: Mixer::new(config.duck_screens),
            mix_encoders: MixEncoders::new(opus)?,
            redacted: None,
            captioned: None,
            config,
            announcement: None,
            people: Vec::new(),
            treatment,
            counters,
        })
    }

    /// A microphone or a screen's sound begins; one that is here already is replaced.
    pub fn add_voice(&mut self, track: TrackId, receiver: TrackReceiver, playout: PlayoutCell) {
        self.remove_voice(track);
        self.choice.join(track);
        let voice = VoiceTrack::new(track, receiver, playout);
        self.channels.push(VoiceChannel { voice, strip: ChannelStrip::new(track.kind), muted: false });
        self.apply_people();
    }

    /// It ends. Unknown ones are ignored.
    pub fn remove_voice(&mut self, track: TrackId) {
        self.choice.leave(track);
        self.channels.retain(|channel| channel.voice.track() != track);
    }

    /// Nobody hears a muted person's microphone, and it does not speak, whatever its sender says. Holds for tracks to
    /// come.
    pub fn mute(&mut self, participant: ParticipantId, muted: bool) {
        self.person(participant).muted = muted;
        self.apply_people();
    }

    /// How loud a participant is in every mix, a factor from 0 to 4; 1 as levelled. Holds for tracks to come.
    pub fn set_volume(&mut self, participant: ParticipantId, volume: f32) {
        self.person(participant).volume = volume;
        self.apply_people();
    }

    /// A person left for good.
    pub fn forget_person(&mut self, participant: ParticipantId) {
        self.people.retain(|person| person.participant != participant);
    }

    /// Plays blocks into every mix, the voices lowered meanwhile. One that plays already is replaced.
    pub fn announce(&mut self, blocks: Arc<[ShortBlock]>) {
        self.counters.announcements.add(1);
        self.announcement = Some(Announcement { blocks, at: 0, now: PcmBlock::silence() });
    }

    /// From the next tick on there is a mix without `people` besides, whose packets carry `mask`; nobody: no such mix.
    ///
    /// # Errors
    /// When memory is out; there is no such mix then.
    pub fn leave_out(&mut self, people: BTreeSet<ParticipantId>, mask: u64) -> Result<(), OpusEncodeError> {
        self.redacted = None;
        if !people.is_empty() {
            self.redacted = Some(RedactedSound::new(people, mask, self.config.duck_screens, self.config.opus())?);
        }
        Ok(())
    }

    /// A captioner hears whoever is heard from the next tick on, until it is gone.
    pub fn caption(&mut self, feed: SpeechFeed) {
        self.captioned.get_or_insert_default().add(feed);
    }

    /// What nine of ten listeners lose at most, per cent: bitrate and FEC follow it.
    pub fn report_loss(&mut self, percent: f32) {
        self.mix_encoders.report_loss(percent);
    }

    /// Every voice, and how it stands since the last tick.
    pub fn speaking(&self) -> impl Iterator<Item = Speaking> {
        self.channels.iter().map(|channel| {
            let track = channel.voice.track();
            Speaking { track, level: channel.voice.loudness().level(), heard: self.is_heard(track) }
        })
    }

    /// Who speaks, and who has the word; only if that changed since it was asked last.
    pub fn take_speech(&mut self) -> Option<(Vec<ParticipantId>, Option<ParticipantId>)> {
        let changed = self.choice.take_speech_changed();
        let dominance = self.choice.dominance();
        changed.then(|| (dominance.speaking().collect(), dominance.dominant()))
    }

    /// One tick: takes what came, chooses, decodes the chosen, mixes, encodes.
    pub fn tick(&mut self, now: Instant, pts: Pts, wallclock: Wallclock) -> MixTick {
        for channel in &mut self.channels {
            channel.voice.pull(now, &self.counters);
            let loudness = if channel.muted { Loudness::SILENCE } else { channel.voice.loudness() };
            self.choice.report(channel.voice.track(), loudness);
        }
        self.choice.choose();
        self.render(now);
        self.tell_captioners(pts);
        self.mix();
        let Packets { shared, silent, minus } = self.mix_encoders.encode(&self.mixer, pts, &self.counters);
        self.counters.silent_ticks.add(u64::from(silent));
        let redacted = self.redacted.as_mut().map(|redacted| redacted.encode(pts));
        MixTick { pts, wallclock, shared, silent, minus, redacted }
    }

    /// Decodes and treats the chosen; the others only remember their packets.
    fn render(&mut self, now: Instant) {
        for channel in &mut self.channels {
            let track = channel.voice.track();
            let fade = self.choice.chosen().iter().find(|c| c.track == track).map(|c| c.fade);
            channel.voice.render(now, fade, &self.counters);
            let Some(fade) = fade else { continue };
            let activity = *self.choice.activity(track).expect("every line has joined the choice");
            channel.strip.treat(channel.voice.block(), &activity, fade == Fade::In, self.treatment);
        }
    }

    /// Hands captioners what is about to be mixed, but nothing of those whom a host mutes, not even what fades.
    fn tell_captioners(&mut self, pts: Pts) {
        let Some(tap) = &mut self.captioned else { return };
        let chosen = self.choice.chosen();
        let is_chosen = |track: TrackId| chosen.iter().any(|c| c.track == track);
        let heard = self.channels.iter().filter(|channel| !channel.muted && is_chosen(channel.voice.track()));
        if !tap.tick(pts, heard.map(|channel| (channel.voice.track(), channel.strip.block()))) {
            self.captioned = None;
        }
    }

    fn person(&mut self, participant: ParticipantId) -> &mut PersonHeard {
        let found = self.people.iter().position(|person| person.participant == participant);
        let at = found.unwrap_or_else(|| {
            self.people.push(PersonHeard { participant, muted: false, volume: 1.0 });
            self.people.len() - 1
        });
        &mut self.people[at]
    }

    fn apply_people(&mut self) {
        for channel in &mut self.channels {
            let track = channel.voice.track();
            let Some(person) = self.people.iter().find(|p| p.participant == track.participant) else { continue };
            channel.muted = person.muted && track.kind == TrackKind::Microphone;
            channel.strip.set_volume(person.volume);
        }
    }

    fn is_heard(&self, track: TrackId) -> bool {
        self.choice.chosen().iter().any(|c| c.track == track && c.fade != Fade::Out)
    }

    fn mix(&mut self) {
        let chosen = self.choice.chosen();
        let part = |c: &Chosen| {
            let strip = &self.channels.iter().find(|channel| channel.voice.track() == c.track)?.strip;
            let participant = Some(c.track.participant);
            Some(Voice { participant, kind: strip.kind(), block: strip.block(), fade: c.fade })
        };
        let mut parts: smallvec::SmallVec<[Voice<'_>; limits::VOICES_MAX + 1]> =
            chosen.iter().filter_map(part).collect();
        parts.extend(self.announcement.as_mut().and_then(Announcement::voice));
        self.mixer.mix(&parts);
        if let Some(redacted) = &mut self.redacted {
            redacted.mix(&parts);
        }
        drop(parts);
        if let Some(announcement) = &mut self.announcement {
            announcement.at += 1;
            if announcement.at >= announcement.blocks.len() {
                self.announcement = None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
