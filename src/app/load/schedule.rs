//! **The question:** what does one simulated person send next, and when? Looped clips, as the node asks for them, and
//! a looped voice on one absolute schedule, whose RTP clocks start at the same instant. How a packet goes out is for
//! another to say: [`super::sender`], or the crowd.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::asked::Asked;
use super::camera::Camera;
use super::library::Library;
use super::reel::{Footage, Reel};
use super::sendlog::{SendLog, lane};
use super::voice::Voice;
use super::wish::KeyframeWish;
use crate::base::limits;
use crate::base::media::{Pts, pts_from_tick, rtp_from_pts};
use crate::core::signal::VideoTrack;

/// Looks for a clip in a second, while there is none yet.
const LOOKS: u32 = 20;
/// Levels (RFC 6464, −dBov) at which a packet is said to carry a voice.
const VOICED_UP_TO: u8 = 60;

/// What one person sends.
pub(super) struct Schedule {
    /// Whose it is.
    pub number: usize,
    start: Instant,
    /// Packets of the voice so far.
    words: u64,
    /// Camera and screen.
    shows: Vec<Show>,
    camera: Camera,
    /// What the node asks for.
    asked: Asked,
    library: Arc<Library>,
    voice: Arc<Voice>,
    log: Arc<SendLog>,
}

/// One track of pictures.
struct Show {
    track: VideoTrack,
    reel: Reel,
    /// The node's PLI or FIR.
    wish: Arc<KeyframeWish>,
    /// When one was heard last.
    heard_at: Option<Instant>,
}

/// What is to be sent now.
pub(super) enum Due {
    /// 20 ms of the voice.
    Word(Word),
    /// A frame of a track.
    Frame(Frame),
    /// Nothing: there is no clip yet.
    Nothing,
}

/// One packet of the voice.
pub(super) struct Word {
    /// On the microphone's clock, from 0; it wraps at 32 bits (RFC 3550 section 5.1).
    pub rtp_time: u64,
    /// Whether it is the first of all.
    pub first: bool,
    /// Opus.
    pub payload: Bytes,
    /// RFC 6464, −dBov.
    pub level: u8,
    /// Whether it carries a voice.
    pub voiced: bool,
}

/// One picture of a track.
pub(super) struct Frame {
    /// Which.
    pub track: VideoTrack,
    /// On its clock, as [`Word::rtp_time`].
    pub rtp_time: u64,
    /// The clip that it is of, and which of its frames.
    pub footage: Arc<Footage>,
    /// Its place in the clip.
    pub at: usize,
}

impl Schedule {
    /// What person `number` sends from `start` on, pictures by these `tracks`; `log` remembers it.
    pub fn new(
        (number, start): (usize, Instant),
        tracks: &[VideoTrack],
        camera: Camera,
        library: Arc<Library>,
        voice: Arc<Voice>,
        log: Arc<SendLog>,
    ) -> Self {
        let show = |track: &VideoTrack| Show {
            track: *track,
            reel: Reel::new(Pts(0)),
            wish: Arc::new(KeyframeWish::new(Arc::clone(&log), lane(number, *track))),
            heard_at: None,
        };
        log.set_alive(number, !tracks.is_empty());
        let (shows, asked) = (tracks.iter().map(show).collect(), Asked::default());
        Self { number, start, words: 0, shows, camera, asked, library, voice, log }
    }

    /// From now on this is asked of the pictures.
    pub fn ask(&mut self, asked: Asked) {
        self.asked = asked;
    }

    /// The note by which a keyframe of `track` is wished for.
    pub fn wish(&self, track: VideoTrack) -> Option<Arc<KeyframeWish>> {
        self.shows.iter().find(|show| show.track == track).map(|show| Arc::clone(&show.wish))
    }

    /// When the next is due.
    pub fn next(&self) -> Instant {
        self.start + Duration::from_nanos(self.due().0.as_nanos())
    }

    /// When, and by which track of pictures, if by one.
    fn due(&self) -> (Pts, Option<usize>) {
        let words_per_second = u32::try_from(1000 / limits::AUDIO_TICK.as_millis()).expect("a tick is below a second");
        let word = pts_from_tick(self.words, words_per_second);
        let pictures = self.shows.iter().enumerate().map(|(at, show)| (show.reel.due(LOOKS), at));
        pictures.min().filter(|(due, _)| *due < word).map_or((word, None), |(due, at)| (due, Some(at)))
    }

    /// Takes what is due next.
    pub fn take(&mut self, now: Instant) -> Due {
        match self.due() {
            (due, Some(at)) => self.show(at, due, now).map_or(Due::Nothing, Due::Frame),
            (due, None) => self.speak(rtp_from_pts(due, limits::SAMPLE_RATE)).map_or(Due::Nothing, Due::Word),
        }
    }

    /// The next frame of a track, due at `due`, or a keyframe if one was asked for.
    fn show(&mut self, at: usize, due: Pts, now: Instant) -> Option<Frame> {
        let show = &mut self.shows[at];
        let asked = self.asked.of(show.track);
        // Nodes that tell nothing get what the camera is set to; this one tells within a moment.
        let is_told = asked.is_some() || !self.camera.obeys || u128::from(due.0) >= limits::LOAD_ASKED_SPAN.as_nanos();
        let setup = self.camera.clip_for(asked);
        let lane = lane(self.number, show.track);
        let clip = is_told.then(|| self.library.want(lane, self.number, setup)).flatten();
        if clip.is_some() {
            self.log.note_clip(self.number, show.track, &setup);
        }
        let is_soon = show.heard_at.is_some_and(|at| now - at < limits::LOAD_KEYFRAMES_APART);
        let wants_keyframe = show.wish.take() && !is_soon;
        if wants_keyframe {
            show.heard_at = Some(now);
        }
        let (footage, at) = show.reel.roll(clip.as_ref(), wants_keyframe, LOOKS)?;
        self.log.note_sent(self.number, show.track, footage.moment(at));
        Some(Frame { track: show.track, rtp_time: rtp_from_pts(due, limits::VIDEO_CLOCK), footage, at })
    }

    /// 20 ms of the voice, its level beside it.
    fn speak(&mut self, rtp_time: u64) -> Option<Word> {
        let word = self.words;
        self.words += 1;
        let length = u64::try_from(self.voice.packets.len()).ok().filter(|length| *length > 0)?;
        let at = usize::try_from(word % length).expect("an index below a length fits");
        let (payload, level) = (self.voice.packets[at].clone(), self.voice.levels[at].0);
        self.log.note_spoken(self.number, at);
        Some(Word { rtp_time, first: word == 0, payload, level, voiced: level <= VOICED_UP_TO })
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.log.set_alive(self.number, false);
    }
}
