//! **The question:** how do the mixes of one tick become packets, so that nobody hears where they change from one to
//! another? One encoder for the shared mix, one for each who is in it; anyone who begins or ends to be heard changes
//! encoders at a joint.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Codec, EncodedFrame, ParticipantId, PcmBlock, Pts};
use crate::core::bitstream::opus::SILENCE;
use crate::core::mix::{LossFollower, Minus, Mixer};
use crate::engine::audio::SoundCounters;
use crate::engine::encode::{OpusEncodeError, OpusEncoder, OpusEncoderConfig};

/// Blocks of the shared mix that a mix-minus' encoder hears before its first packet: 80 ms, until its own state has
/// settled.
const PREROLL_BLOCKS: usize = 4;
/// Ticks of silence after which nothing is encoded any more: 400 ms, the span of one DTX packet.
const SILENT_TICKS: u32 = 20;

/// A room's encoders.
#[derive(Debug)]
pub(super) struct MixEncoders {
    config: OpusEncoderConfig,
    shared: OpusEncoder,
    /// One a slot of the mixer, made when it is first needed.
    minus: [Option<OpusEncoder>; limits::MIX_SLOTS],
    /// Who was heard at the last tick, and so had a mix of their own.
    heard: Vec<ParticipantId>,
    /// The last blocks of the shared mix, the oldest first.
    recent: VecDeque<PcmBlock>,
    silent_ticks: u32,
    loss: LossFollower,
}

/// One tick's packets.
pub(super) struct Packets {
    pub shared: EncodedFrame,
    pub silent: bool,
    pub minus: Vec<(ParticipantId, EncodedFrame)>,
}

impl MixEncoders {
    pub(super) fn new(config: OpusEncoderConfig) -> Result<Self, OpusEncodeError> {
        Ok(Self {
            config,
            shared: OpusEncoder::new(config)?,
            minus: [const { None }; limits::MIX_SLOTS],
            heard: Vec::with_capacity(limits::MIX_SLOTS),
            recent: (0..PREROLL_BLOCKS).map(|_| PcmBlock::silence()).collect(),
            silent_ticks: 0,
            loss: LossFollower::new(config.bitrate),
        })
    }

    /// What nine of ten listeners lose at most, per cent.
    pub(super) fn report_loss(&mut self, percent: f32) {
        let Some(tuning) = self.loss.report(percent) else { return };
        (self.config.bitrate, self.config.loss_percent) = (tuning.bitrate, tuning.loss_percent);
        for encoder in self.minus.iter_mut().flatten().chain([&mut self.shared]) {
            // In range by `LossFollower`.
            let _ = encoder.tune(tuning.bitrate, tuning.loss_percent);
        }
    }

    /// Encodes what `mixer` mixed last.
    pub(super) fn encode(&mut self, mixer: &Mixer, pts: Pts, counters: &SoundCounters) -> Packets {
        let minus: Vec<_> = mixer.minus().filter_map(|minus| self.encode_minus(&minus, pts)).collect();
        counters.minus_encoded.add(minus.len() as u64);
        // Anyone who is no longer heard comes back to the shared mix at this packet, or at the next one. CELT's pitch
        // filter reaches from packet to packet, so both encoders do without prediction on both sides of the joint.
        let returns = self.heard.iter().any(|before| mixer.minus().all(|minus| minus.participant != *before));
        let returns = returns || mixer.minus().any(|minus| minus.last);
        self.heard.clear();
        self.heard.extend(mixer.minus().map(|minus| minus.participant));
        let slept = self.silent_ticks > SILENT_TICKS;
        let quiet = mixer.is_silent() && minus.is_empty();
        self.silent_ticks = if quiet { self.silent_ticks.saturating_add(1) } else { 0 };
        let silent = self.silent_ticks > SILENT_TICKS;
        let shared = if silent { self.silence(pts) } else { self.encode_shared(mixer, pts, returns || slept) };
        counters.shared_encoded.add(u64::from(!silent));
        self.store(mixer.shared());
        Packets { shared, silent, minus }
    }

    fn encode_shared(&mut self, mixer: &Mixer, pts: Pts, joint: bool) -> EncodedFrame {
        let (encoder, block) = (&mut self.shared, mixer.shared());
        let encoded = if joint { encoder.encode_joint(block, pts) } else { encoder.encode(block, pts) };
        encoded.expect("a limited block of 20 ms encodes")
    }

    /// A packet that needs no encoder; the one that slept begins afresh, as its listeners' decoders do at silence.
    fn silence(&mut self, pts: Pts) -> EncodedFrame {
        if self.silent_ticks == SILENT_TICKS + 1 {
            self.shared.reset();
        }
        let data = Bytes::from_static(SILENCE);
        EncodedFrame { codec: Codec::Opus, data, pts, keyframe: true }
    }

    /// `None` only when memory is out; the listener then hears the shared mix for a tick.
    fn encode_minus(&mut self, minus: &Minus<'_>, pts: Pts) -> Option<(ParticipantId, EncodedFrame)> {
        let place = &mut self.minus[minus.slot];
        if place.is_none() {
            *place = OpusEncoder::new(self.config).ok();
        }
        let encoder = place.as_mut()?;
        let encoded = if minus.fresh {
            encoder.reset();
            for block in &self.recent {
                encoder.encode(block, pts).expect("a limited block of 20 ms encodes");
            }
            encoder.encode_joint(minus.block, pts)
        } else if minus.last {
            encoder.encode_joint(minus.block, pts)
        } else {
            encoder.encode(minus.block, pts)
        };
        Some((minus.participant, encoded.expect("a limited block of 20 ms encodes")))
    }

    fn store(&mut self, shared: &PcmBlock) {
        let mut oldest = self.recent.pop_front().expect("as many blocks as at the start");
        oldest.samples.copy_from_slice(&shared.samples[..]);
        self.recent.push_back(oldest);
    }
}
