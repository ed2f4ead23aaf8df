//! **The question:** what are the next 20 ms of one voice? Its queue, jitter buffer and decoder. A voice that is not
//! heard is advanced without being decoded, and its last packets are kept, so that it starts with a warm decoder when
//! it is.

mod level;
mod pcm;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::{Outbox, PcmBlock, TrackId};
use crate::core::bitstream::opus::DTX_BYTES;
use crate::core::jitter::{AudioInput, AudioJitter, AudioPiece, AudioStats};
use crate::core::mix::{Fade, Loudness};
use crate::engine::audio::SoundCounters;
use crate::engine::flow::{PlayoutCell, Side, TrackReceiver};
use level::LevelCheck;
use pcm::{Decoded, VoicePcm};

/// Pieces kept of a voice that is not heard: 80 ms of 20 ms packets.
const PREROLL_PIECES: usize = 4;
/// A packet without a level is taken for silence up to this many bits a second: they carry comfort noise at most.
const QUIET_BITRATE: usize = 4_800;
/// A packet that states silence and has more bits a second than this may be a lie: they carry speech.
const SUSPECT_BITRATE: usize = 16_000;
/// Such ticks until the voice is probed: 5 s.
const PROBE_TICKS: u32 = 250;
/// What states less than this says that nobody speaks: −60 dBov.
const AUDIBLE: Loudness = Loudness(67.0);
/// A voice that was silent for so many ticks does not hold up its person's picture: 1 s, longer than a pause in speech.
const LIPS_TICKS: u32 = 50;
/// From then on the picture waits so much less at each tick, so that people move a tenth faster, which nobody sees.
const LIPS_STEP: Duration = Duration::from_millis(2);

/// One voice of a room.
#[derive(Debug)]
pub(super) struct VoiceTrack {
    track: TrackId,
    receiver: TrackReceiver,
    playout: PlayoutCell,
    jitter: AudioJitter,
    jitter_seen: AudioStats,
    pieces: Outbox<AudioPiece>,
    /// The last pieces of a voice that is not heard.
    recent: VecDeque<AudioPiece>,
    pcm: VoicePcm,
    check: LevelCheck,
    /// What the sender states, if it does.
    stated: Option<Loudness>,
    loudness: Loudness,
    /// The loudness is measured, because the sender states none or a wrong one: every tick that is not silent is
    /// decoded.
    measured: bool,
    decoded_last_tick: bool,
    /// This tick's block is there before anybody was chosen.
    made_block: bool,
    suspect_ticks: u32,
    silent_ticks: u32,
    /// How much of the wish for delay the picture waits for too.
    shared: Duration,
    /// Something of the last tick was made up, whose level nobody stated.
    concealed_last_tick: bool,
}

/// Whether a packet of `len` bytes that lasts `samples` is more than `bitrate`, and more than DTX sends at all.
fn exceeds(bitrate: usize, len: usize, samples: u32) -> bool {
    len > DTX_BYTES && len * 8 * limits::SAMPLE_RATE as usize > bitrate * samples as usize
}

impl VoiceTrack {
    pub(super) fn new(track: TrackId, receiver: TrackReceiver, playout: PlayoutCell) -> Self {
        Self {
            track,
            receiver,
            playout,
            jitter: AudioJitter::new(),
            jitter_seen: AudioStats::default(),
            pieces: Outbox::new(),
            recent: VecDeque::with_capacity(PREROLL_PIECES + 1),
            pcm: VoicePcm::new(),
            check: LevelCheck::new(),
            stated: None,
            loudness: Loudness::SILENCE,
            measured: false,
            decoded_last_tick: false,
            made_block: false,
            suspect_ticks: 0,
            silent_ticks: 0,
            shared: Duration::ZERO,
            concealed_last_tick: false,
        }
    }

    pub(super) fn track(&self) -> TrackId {
        self.track
    }

    pub(super) fn loudness(&self) -> Loudness {
        self.loudness
    }

    /// The samples of the last tick rendered.
    pub(super) fn block(&self) -> &PcmBlock {
        self.pcm.block()
    }

    /// Takes what came and what plays now, and learns how loud it is. Nothing is decoded unless no level is stated.
    pub(super) fn pull(&mut self, now: Instant, counters: &SoundCounters) {
        while let Some(packet) = self.receiver.pop() {
            let told = packet.capture();
            self.jitter.handle(now, AudioInput::Packet(packet), &mut self.pieces);
            if let Some((rtp_time, captured)) = told
                && let Some(at) = self.jitter.expected(rtp_time)
            {
                self.playout.expect(Side::Sound, at, captured);
            }
        }
        let wish = self.jitter.wanted_delay();
        self.shared =
            if self.silent_ticks < LIPS_TICKS { wish } else { wish.min(self.shared.saturating_sub(LIPS_STEP)) };
        self.playout.want_apart(Side::Sound, wish, self.shared);
        let delay = self.playout.delay(Side::Sound);
        self.jitter.handle(now, AudioInput::Tick(delay), &mut self.pieces);
        self.report_played(delay);
        self.give_to_tap(delay);
        let suspicious = self.learn_loudness();
        self.made_block = self.measured || self.is_probed(suspicious);
        if self.made_block {
            self.make_block(now, counters);
            let loudness = Loudness::of_samples(&self.block().samples[..]);
            if !self.measured && self.check.probe(self.loudness, loudness) {
                self.measured = true;
            }
            if let (true, Some(stated)) = (self.measured, self.stated) {
                self.check.compare(stated, loudness);
            }
            if self.measured {
                counters.levels_corrected.add(u64::from(self.check.is_lying()));
                self.loudness = loudness;
            }
        }
        self.silent_ticks = if self.loudness < AUDIBLE { self.silent_ticks.saturating_add(1) } else { 0 };
    }

    /// Tells the camera's side what plays now, for the skew of lips and voice.
    fn report_played(&self, delay: Duration) {
        let told = self.pieces.as_slice().iter().find_map(|piece| match piece {
            AudioPiece::Play { packet, .. } => packet.capture(),
            _ => None,
        });
        let Some((rtp_time, captured)) = told else { return };
        if let Some(at) = self.plays_at(rtp_time, delay) {
            self.playout.played(Side::Sound, at, captured);
        }
    }

    /// Gives the packets that play now to anyone who records them.
    fn give_to_tap(&self, delay: Duration) {
        let Some(tap) = self.receiver.tap() else { return };
        for piece in self.pieces.as_slice() {
            if let AudioPiece::Play { packet, .. } = piece
                && let Some(at) = self.plays_at(packet.rtp_time, delay)
            {
                tap.give(at, packet);
            }
        }
    }

    fn plays_at(&self, rtp_time: u64, delay: Duration) -> Option<Instant> {
        let due = self.jitter.expected(rtp_time)? + delay;
        let late = self.jitter.stats().late_samples * 1_000_000_000 / i64::from(limits::SAMPLE_RATE);
        let late_by = Duration::from_nanos(late.unsigned_abs());
        Some(if late < 0 { due.checked_sub(late_by).unwrap_or(due) } else { due + late_by })
    }

    /// Makes this tick's block if the voice is in the mix; otherwise only remembers its packets.
    pub(super) fn render(&mut self, now: Instant, fade: Option<Fade>, counters: &SoundCounters) {
        if !self.made_block {
            if fade.is_none() {
                self.store(now);
            } else {
                self.make_block(now, counters);
                self.check_level();
            }
        }
        let stats = self.jitter.stats();
        let seen = std::mem::replace(&mut self.jitter_seen, stats);
        counters.jitter_discarded.add(stats.discarded - seen.discarded);
        let stretched = |stats: AudioStats| stats.shrunk_samples + stats.grown_samples;
        if self.decoded_last_tick {
            counters.pcm_stretched.add(stretched(stats) - stretched(seen));
        }
    }

    /// What the packets of this tick say of their loudness; a tick in the middle of a long packet, or of a loss, keeps
    /// what the last packet said. True when one states silence and is too large for it.
    fn learn_loudness(&mut self) -> bool {
        let mut stated: Option<Loudness> = None;
        let mut suspicious = false;
        // Of a tick's packets, which may be eight of 2.5 ms, any may be what is heard.
        let mut measured: Option<bool> = None;
        for piece in self.pieces.as_slice() {
            match piece {
                AudioPiece::Play { packet, begins, samples } => {
                    if *begins {
                        self.check.forget();
                    }
                    let level = packet.audio_level;
                    let loudness = level.map(Loudness::from);
                    let len = packet.data.len();
                    let has = |bitrate: usize| exceeds(bitrate, len, *samples);
                    let doubtful = level.is_none() || self.check.is_lying();
                    measured = Some(measured == Some(true) || (doubtful && has(QUIET_BITRATE)));
                    suspicious |= loudness.is_some_and(|loudness| loudness < AUDIBLE) && has(SUSPECT_BITRATE);
                    self.stated = loudness;
                    let loudness = loudness.unwrap_or(Loudness::SILENCE);
                    stated = Some(stated.map_or(loudness, |other| Loudness(other.0.max(loudness.0))));
                }
                AudioPiece::Silence { .. } | AudioPiece::Comfort { .. } => {
                    measured = measured.or(Some(false));
                    stated = stated.or(Some(Loudness::SILENCE));
                }
                AudioPiece::Conceal { .. } => {}
            }
        }
        self.measured = measured.unwrap_or(self.measured);
        self.loudness = stated.unwrap_or(self.loudness);
        suspicious
    }

    /// Whether this tick is decoded to find out if its sender lies. Once in five seconds, so that it costs next to
    /// nothing.
    fn is_probed(&mut self, suspicious: bool) -> bool {
        self.suspect_ticks += u32::from(suspicious);
        let due = suspicious && !self.decoded_last_tick && self.suspect_ticks >= PROBE_TICKS;
        if due {
            self.suspect_ticks = 0;
        }
        due
    }

    fn store(&mut self, now: Instant) {
        self.pcm.pause();
        self.decoded_last_tick = false;
        for piece in self.pieces.drain() {
            if self.recent.len() == PREROLL_PIECES {
                self.recent.pop_front();
            }
            self.recent.push_back(piece);
        }
        let stretched = self.jitter.advice().unheard();
        self.jitter.handle(now, AudioInput::Stretched(stretched), &mut self.pieces);
    }

    /// The block of this tick: decoded, stretched as advised.
    fn make_block(&mut self, now: Instant, counters: &SoundCounters) {
        if !self.decoded_last_tick {
            self.preroll();
        }
        self.decode_pieces(counters);
        let after = self.jitter.samples_ahead() as usize;
        let stretched = self.pcm.stretch(self.jitter.advice(), after);
        self.jitter.handle(now, AudioInput::Stretched(stretched), &mut self.pieces);
        self.pcm.take_block(self.jitter.samples_ahead() as usize);
    }

    /// Compares what is heard with what was stated, and turns down what is much louder.
    fn check_level(&mut self) {
        let Some(stated) = self.stated.filter(|_| !self.concealed_last_tick) else { return };
        let measured = Loudness::of_samples(&self.block().samples[..]);
        let (from, to) = self.check.compare(stated, measured);
        if from < 1.0 || to < 1.0 {
            for (n, pair) in self.pcm.block_mut().samples.chunks_exact_mut(2).enumerate() {
                let gain = from + (to - from) * n as f32 / limits::PCM_FRAMES as f32;
                pair[0] *= gain;
                pair[1] *= gain;
            }
        }
    }

    /// Runs the remembered packets through a fresh decoder, so that its prediction is warm when the first sample is
    /// heard.
    fn preroll(&mut self) {
        self.pcm.reset();
        while let Some(piece) = self.recent.pop_front() {
            // Counted when it is heard, if at all.
            let _ = self.pcm.decode(&piece);
        }
    }

    fn decode_pieces(&mut self, counters: &SoundCounters) {
        self.decoded_last_tick = true;
        self.concealed_last_tick = self.pieces.as_slice().iter().any(|p| matches!(p, AudioPiece::Conceal { .. }));
        let mut pieces = std::mem::take(&mut self.pieces);
        for piece in pieces.drain() {
            if self.pcm.decode(&piece) == Decoded::Malformed {
                counters.opus_malformed.add(1);
            }
            if let AudioPiece::Conceal { samples, .. } = piece {
                counters.pcm_concealed.add(u64::from(samples));
            }
        }
        self.pieces = pieces;
        counters.voices_decoded.add(1);
    }
}

impl Drop for VoiceTrack {
    fn drop(&mut self) {
        // A voice that is gone no longer delays its person's picture.
        self.playout.want(Side::Sound, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests;
