//! **The question:** what do captioners hear of a room? Each voice that is about to be mixed, by itself, mono and at
//! the rate that recognisers of speech want; resampled once, whoever many of them there are.

use crate::base::limits;
use crate::base::media::{PcmBlock, Pts, Speech, SpeechBlock, TrackId};
use crate::core::mix::SpeechDownsampler;
use crate::engine::flow::SpeechFeed;

/// What full scale is in 16 bits.
const FULL: f32 = 32_767.0;

/// The voices that are heard, and who is told.
#[derive(Debug, Default)]
pub(super) struct SpeechTap {
    feeds: Vec<SpeechFeed>,
    voices: Vec<Heard>,
    /// One voice at one tick, before it is given away.
    narrow: Vec<f32>,
}

/// One voice that is heard.
#[derive(Debug)]
struct Heard {
    track: TrackId,
    downsampler: SpeechDownsampler,
    /// At the last tick that was looked at.
    is_heard: bool,
}

impl SpeechTap {
    /// A captioner more.
    pub(super) fn add(&mut self, feed: SpeechFeed) {
        self.feeds.push(feed);
    }

    /// Gives the tick at `pts` of all who are heard to everybody; false once nobody is left.
    pub(super) fn tick<'a>(&mut self, pts: Pts, heard: impl Iterator<Item = (TrackId, &'a PcmBlock)>) -> bool {
        self.feeds.retain(|feed| !feed.is_left());
        if self.feeds.is_empty() {
            return false;
        }
        self.voices.iter_mut().for_each(|voice| voice.is_heard = false);
        for (track, block) in heard {
            let at = self.voices.iter().position(|voice| voice.track == track).unwrap_or_else(|| {
                self.voices.push(Heard { track, downsampler: SpeechDownsampler::default(), is_heard: true });
                self.voices.len() - 1
            });
            self.voices[at].is_heard = true;
            self.narrow.clear();
            let mono = block.samples.chunks_exact(2).map(|pair| (pair[0] + pair[1]) * 0.5);
            self.voices[at].downsampler.push(mono, &mut self.narrow);
            let mut samples = [0; limits::SPEECH_SAMPLES];
            for (sample, narrow) in samples.iter_mut().zip(&self.narrow) {
                *sample = (narrow * FULL).round().clamp(-FULL, FULL) as i16;
            }
            self.tell(Speech::Block(SpeechBlock { track, from: pts, samples }));
        }
        while let Some(at) = self.voices.iter().position(|voice| !voice.is_heard) {
            let ended = self.voices.swap_remove(at);
            self.tell(Speech::Ends(ended.track, pts));
        }
        true
    }

    fn tell(&mut self, speech: Speech) {
        self.feeds.iter_mut().for_each(|feed| feed.give(speech));
    }
}
