//! **The question:** what are the next 20 ms of one voice? Its queue, jitter buffer and decoder. A voice that is not heard is
//! advanced without being decoded, and its last packets are kept, so that it starts with a warm decoder when it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::decode::OpusDecoder;
use crate::flow::{OpusReceiver, PlayoutCell};
use crate::jitter::{AudioInput, AudioJitter, AudioPiece, AudioStats};
use crate::limits;
use crate::media::{Outbox, PcmBlock, TrackId};
use crate::mix::{Fade, Loudness};
use crate::node::sound::SoundCounters;

/// Pieces kept of a voice that is not heard: 80 ms of 20 ms packets.
const PREROLL_PIECES: usize = 4;
/// A packet without a level is taken for silence up to this many bytes: 4.8 kb/s carry comfort noise at most.
const QUIET_LEN: usize = 12;
/// One voice of a room.
#[derive(Debug)]
pub(super) struct VoiceTrack {
    track: TrackId,
    receiver: OpusReceiver,
    playout: PlayoutCell,
    jitter: AudioJitter,
    jitter_seen: AudioStats,
    pieces: Outbox<AudioPiece>,
    /// The last pieces of a voice that is not heard.
    recent: VecDeque<AudioPiece>,
    /// Made when the voice is first decoded; most never speak.
    decoder: Option<OpusDecoder>,
    /// Decoded, interleaved, not yet mixed.
    waiting: VecDeque<f32>,
    block: PcmBlock,
    loudness: Loudness,
    /// The loudness is measured, because the sender states none: every tick that is not silent is decoded.
    measured: bool,
    decoded_last_tick: bool,
}

impl VoiceTrack {
    pub(super) fn new(track: TrackId, receiver: OpusReceiver, playout: PlayoutCell) -> Self {
        Self {
            track,
            receiver,
            playout,
            jitter: AudioJitter::new(),
            jitter_seen: AudioStats::default(),
            pieces: Outbox::new(),
            recent: VecDeque::with_capacity(PREROLL_PIECES + 1),
            decoder: None,
            waiting: VecDeque::new(),
            block: PcmBlock::silence(),
            loudness: Loudness::SILENCE,
            measured: false,
            decoded_last_tick: false,
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
        &self.block
    }

    /// Takes what came and what plays now, and learns how loud it is. Nothing is decoded unless no level is stated.
    pub(super) fn pull(&mut self, now: Instant, counters: &SoundCounters) {
        while let Some(packet) = self.receiver.pop() {
            self.jitter.handle(now, AudioInput::Packet(packet), &mut self.pieces);
        }
        self.playout.want_audio(self.jitter.wanted_delay());
        self.jitter.handle(now, AudioInput::Tick(self.playout.delay()), &mut self.pieces);
        let stats = self.jitter.stats();
        counters.opus_discarded.add(stats.discarded - self.jitter_seen.discarded);
        self.jitter_seen = stats;
        self.learn_loudness();
        if self.measured {
            if !self.decoded_last_tick {
                self.preroll();
            }
            self.decode_pieces(counters);
            self.take_block();
            self.loudness = Loudness::of_samples(&self.block.samples[..]);
        }
    }

    /// Makes this tick's block if the voice is in the mix; otherwise only remembers its packets.
    pub(super) fn render(&mut self, fade: Option<Fade>, counters: &SoundCounters) {
        if self.measured {
            return;
        }
        if fade.is_none() {
            self.remember();
            return;
        }
        if !self.decoded_last_tick {
            self.preroll();
        }
        self.decode_pieces(counters);
        self.take_block();
    }

    /// What the packets of this tick say of their loudness; a tick in the middle of a long packet, or of a loss, keeps what the
    /// last packet said.
    fn learn_loudness(&mut self) {
        let mut stated: Option<Loudness> = None;
        for piece in self.pieces.as_slice() {
            match piece {
                AudioPiece::Play { packet, .. } => {
                    let level = packet.ingest.as_ref().and_then(|ingest| ingest.audio_level);
                    self.measured = level.is_none() && packet.data.len() > QUIET_LEN;
                    let loudness = level.map_or(Loudness::SILENCE, Loudness::from);
                    stated = Some(stated.map_or(loudness, |other| Loudness(other.0.max(loudness.0))));
                }
                AudioPiece::Silence { .. } => {
                    self.measured = false;
                    stated = stated.or(Some(Loudness::SILENCE));
                }
                AudioPiece::Conceal { .. } => {}
            }
        }
        self.loudness = stated.unwrap_or(self.loudness);
    }

    fn remember(&mut self) {
        self.waiting.clear();
        self.decoded_last_tick = false;
        for piece in self.pieces.drain() {
            if self.recent.len() == PREROLL_PIECES {
                self.recent.pop_front();
            }
            self.recent.push_back(piece);
        }
    }

    /// Runs the remembered packets through a fresh decoder, so that its prediction is warm when the first sample is heard.
    fn preroll(&mut self) {
        if let Some(decoder) = &mut self.decoder {
            decoder.reset();
        }
        while let Some(piece) = self.recent.pop_front() {
            self.decode(&piece);
        }
    }

    fn decode_pieces(&mut self, counters: &SoundCounters) {
        self.decoded_last_tick = true;
        let mut pieces = std::mem::take(&mut self.pieces);
        for piece in pieces.drain() {
            if !self.decode(&piece) {
                counters.opus_malformed.add(1);
            }
            if let AudioPiece::Conceal { samples, .. } = piece {
                counters.pcm_concealed.add(u64::from(samples));
            }
        }
        self.pieces = pieces;
        counters.voices_decoded.add(1);
    }

    /// Appends what `piece` sounds like, silence where libopus refuses it; false if it does.
    fn decode(&mut self, piece: &AudioPiece) -> bool {
        let values = values_of(piece);
        if self.decoder.is_none() && !matches!(piece, AudioPiece::Silence { .. }) {
            self.decoder = OpusDecoder::new().ok();
        }
        let decoded = match (piece, &mut self.decoder) {
            (AudioPiece::Silence { .. }, _) | (_, None) => Ok(&[][..]),
            (AudioPiece::Play { packet, .. }, Some(decoder)) => decoder.decode(&packet.data),
            (AudioPiece::Conceal { next: Some(next), .. }, Some(decoder)) => decoder.restore(next, values / 2),
            (AudioPiece::Conceal { next: None, .. }, Some(decoder)) => decoder.conceal(values / 2),
        };
        let accepted = decoded.is_ok();
        // Whatever libopus gave, the piece lasts as long as the jitter buffer said.
        let pcm = decoded.unwrap_or_default();
        let heard = &pcm[..pcm.len().min(values)];
        self.waiting.extend(heard);
        self.waiting.extend(std::iter::repeat_n(0.0, values - heard.len()));
        accepted
    }

    /// The next 20 ms. The jitter buffer knows how much belongs after them, so a surplus (pre-roll) goes from the front, and what
    /// is missing (the begin of a long packet that was not decoded) is silence there.
    fn take_block(&mut self) {
        let after = self.jitter.samples_ahead() as usize * 2;
        let surplus = self.waiting.len().saturating_sub(after + limits::PCM_SAMPLES);
        self.waiting.drain(..surplus);
        let ready = self.waiting.len().saturating_sub(after).min(limits::PCM_SAMPLES);
        let missing = limits::PCM_SAMPLES - ready;
        self.block.samples[..missing].fill(0.0);
        for (target, value) in self.block.samples[missing..].iter_mut().zip(self.waiting.drain(..ready)) {
            *target = value;
        }
    }
}

impl Drop for VoiceTrack {
    fn drop(&mut self) {
        // A voice that is gone no longer delays its person's picture.
        self.playout.want_audio(Duration::ZERO);
    }
}

/// Values, both channels, that a piece lasts.
fn values_of(piece: &AudioPiece) -> usize {
    let (AudioPiece::Play { samples, .. } | AudioPiece::Conceal { samples, .. } | AudioPiece::Silence { samples }) =
        piece;
    *samples as usize * 2
}
