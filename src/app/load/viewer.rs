//! **The question:** what does one simulated person see? The composite is decoded, and every tile's barcode read.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::barcode;
use super::gauge::Gauge;
use super::places::{Places, Told};
use super::receiver::Way;
use super::sendlog::{SendLog, lane};
use crate::base::limits;
use crate::base::media::{Codec, ParticipantId, ReceivedFrame, Size, VideoFrame};
use crate::core::signal::VideoTrack;
use crate::engine::decode::{DecodeError, VideoDecoder, video_decoder};

/// What was seen while it was measured.
#[derive(Debug)]
pub(super) struct Sights {
    /// Numbers whose barcode was read.
    pub seen: BTreeSet<usize>,
    /// From sending to having been decoded, of each new frame in each tile.
    pub latency: Gauge,
    /// Extent of the newest composite.
    pub size: Size,
    /// The codecs it came in, in the order of their coming.
    pub codecs: Vec<Codec>,
    /// Composites decoded.
    pub pictures: u64,
    /// Composites that no decoder could read.
    pub broken: u64,
    /// Standstills over [`limits::LOAD_FREEZE_AFTER`].
    pub freezes: u64,
    /// The longest time without anything new, in a tile or in all.
    pub longest_gap: Duration,
    /// Standstills of each person's camera, and the longest time without a new frame of it.
    pub faces: Vec<Face>,
    /// The longest time without a new composite.
    pub longest_picture_gap: Duration,
    /// The longest from the last one by a connection to the first by the next.
    pub longest_move_gap: Duration,
    /// The composite's extents, each with how long had been measured when it came; the newest ones are left out where
    /// there are too many.
    pub rungs: Vec<(Duration, Size)>,
}

/// How one person's camera was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Face {
    /// New frames.
    pub frames: u64,
    /// Standstills over [`limits::LOAD_FREEZE_AFTER`].
    pub freezes: u64,
    /// The longest time without a new frame.
    pub longest_gap: Duration,
}

impl Face {
    fn gap(&mut self, gap: Duration) {
        self.longest_gap = self.longest_gap.max(gap);
        self.freezes += u64::from(gap > limits::LOAD_FREEZE_AFTER);
    }
}

impl Sights {
    fn new(people: usize) -> Self {
        Self {
            seen: BTreeSet::new(),
            latency: Gauge::new(),
            size: Size::new(0, 0),
            codecs: Vec::new(),
            pictures: 0,
            broken: 0,
            freezes: 0,
            longest_gap: Duration::ZERO,
            faces: vec![Face::default(); people],
            longest_picture_gap: Duration::ZERO,
            longest_move_gap: Duration::ZERO,
            rungs: Vec::new(),
        }
    }
}

/// Whose tile it is, as the node says.
type Owner = (ParticipantId, VideoTrack);

/// One tile's newest frame.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    owner: Owner,
    frame: u16,
    at: Instant,
    delay: Duration,
}

/// Decodes one composite. Owned by one thread.
pub(super) struct Viewer {
    /// By which connection it comes.
    way: Way,
    /// The codec that came last, and its decoder.
    codec: Codec,
    decoder: Box<dyn VideoDecoder>,
    /// A connection that was made since, of which nothing was seen yet.
    next: Option<Next>,
    pictures: Vec<VideoFrame>,
    places: Places,
    newest: Vec<Option<Sighting>>,
    picture_at: Option<Instant>,
    /// When measuring began.
    begun: Option<Instant>,
    sights: Sights,
}

/// What is known of a connection that will take the place of the one before with its first picture.
struct Next {
    way: Way,
    codec: Codec,
    decoder: Box<dyn VideoDecoder>,
    places: Places,
}

impl Next {
    fn of(way: Way, codec: Codec) -> Option<Self> {
        Some(Self { way, codec, decoder: video_decoder(codec).ok()?, places: Places::default() })
    }
}

impl Viewer {
    /// A viewer of `people` barcodes.
    ///
    /// # Errors
    /// When no decoder can be opened.
    pub fn new(people: usize) -> Result<Self, DecodeError> {
        Ok(Self {
            way: 0,
            codec: Codec::Av1,
            decoder: video_decoder(Codec::Av1)?,
            next: None,
            pictures: Vec::new(),
            places: Places::default(),
            newest: vec![None; lane(people, VideoTrack::Camera)],
            picture_at: None,
            begun: None,
            sights: Sights::new(people),
        })
    }

    /// The node tells by one of several connections where the tiles will lie.
    pub fn rearrange_by(&mut self, way: Way, told: Told) {
        match way.cmp(&self.way) {
            Ordering::Less => {}
            Ordering::Equal => self.places.tell(told),
            Ordering::Greater => {
                let codec = self.codec;
                if self.next.as_ref().is_none_or(|next| next.way < way) {
                    self.next = Next::of(way, codec);
                }
                if let Some(next) = &mut self.next {
                    next.places.tell(told);
                }
            }
        }
    }

    /// Who has no tile any more does not stand still.
    fn forget_who_went(&mut self) {
        let Some(told) = self.places.now() else { return };
        for newest in &mut self.newest {
            let is_owner = |of: Owner| told.tiles.iter().any(|tile| (tile.participant, tile.track) == of);
            *newest = newest.filter(|sighting| is_owner(sighting.owner));
        }
    }

    /// Forgets what was measured; the measured span begins at `now`.
    pub fn begin(&mut self, now: Instant) {
        self.sights = Sights::new(self.sights.faces.len());
        self.begun = Some(now);
        self.picture_at = self.picture_at.map(|_| now);
        self.newest.iter_mut().flatten().for_each(|sighting| sighting.at = now);
    }

    /// Decodes one frame of the composite, of one of several connections, and reads it; by which of them is looked from
    /// now on: the newest of which a picture was decoded. Frames are counted as shown when they have been decoded.
    pub fn look(&mut self, (way, frame): (Way, &ReceivedFrame), log: &SendLog) -> Way {
        if way > self.way {
            self.try_next(way, frame, log);
        } else if way == self.way {
            self.look_on(frame, log);
        }
        self.way
    }

    /// A frame of a connection of which nothing was seen yet.
    fn try_next(&mut self, way: Way, frame: &ReceivedFrame, log: &SendLog) {
        if self.next.as_ref().is_none_or(|next| next.way < way) {
            self.next = Next::of(way, frame.codec);
        }
        let Some(next) = &mut self.next else { return };
        if next.codec != frame.codec {
            let places = std::mem::take(&mut next.places);
            self.next = Next::of(way, frame.codec).map(|next| Next { places, ..next });
        }
        let Some(next) = &mut self.next else { return };
        let mut pictures = std::mem::take(&mut self.pictures);
        let decoded = next.decoder.decode(frame.coded(), &mut pictures);
        if decoded.is_ok() && !pictures.is_empty() {
            let Next { codec, decoder, places, .. } = self.next.take().expect("it was there a moment ago");
            (self.way, self.codec, self.decoder) = (way, codec, decoder);
            // Until the new node tells its own, what the old one told is the best guess.
            if places.now().is_some() {
                self.places = places;
                self.forget_who_went();
            }
            let now = Instant::now();
            if let Some(before) = self.picture_at {
                let gap = now.saturating_duration_since(before);
                self.sights.longest_move_gap = self.sights.longest_move_gap.max(gap);
            }
            for picture in pictures.drain(..) {
                self.show(&picture, frame.rtp_time as u32, now, log);
            }
        }
        pictures.clear();
        self.pictures = pictures;
    }

    fn look_on(&mut self, frame: &ReceivedFrame, log: &SendLog) {
        if frame.codec != self.codec {
            let Ok(decoder) = video_decoder(frame.codec) else {
                self.sights.broken += 1;
                return;
            };
            (self.codec, self.decoder) = (frame.codec, decoder);
        }
        let mut pictures = std::mem::take(&mut self.pictures);
        match self.decoder.decode(frame.coded(), &mut pictures) {
            Ok(()) | Err(DecodeError::AwaitingKeyframe) => {}
            Err(_) => self.sights.broken += 1,
        }
        let now = Instant::now();
        for picture in pictures.drain(..) {
            self.show(&picture, frame.rtp_time as u32, now, log);
        }
        self.pictures = pictures;
    }

    /// How late the newest picture of person `number` was.
    pub fn delay(&self, number: usize) -> Option<Duration> {
        self.newest.get(lane(number, VideoTrack::Camera)).copied().flatten().map(|sighting| sighting.delay)
    }

    /// The measured span ends at `now`.
    pub fn end(mut self, now: Instant, log: &SendLog) -> Sights {
        for number in 0..log.people() {
            for track in [VideoTrack::Camera, VideoTrack::Screen] {
                if let Some(sighting) = self.newest[lane(number, track)].filter(|_| log.is_alive(number)) {
                    self.tile_gap(number, track, now.saturating_duration_since(sighting.at));
                }
            }
        }
        if let Some(at) = self.picture_at {
            self.picture_gap(now.saturating_duration_since(at));
        }
        self.sights
    }

    /// `time` is its RTP timestamp.
    fn show(&mut self, picture: &VideoFrame, time: u32, now: Instant, log: &SendLog) {
        let rungs = &mut self.sights.rungs;
        if rungs.last().is_none_or(|(_, size)| *size != picture.size) && rungs.len() < limits::LOAD_SWITCHES_MAX {
            let begun = self.begun.unwrap_or(now);
            rungs.push((now.saturating_duration_since(begun), picture.size));
        }
        self.sights.size = picture.size;
        if !self.sights.codecs.contains(&self.codec) {
            self.sights.codecs.push(self.codec);
        }
        self.sights.pictures += 1;
        if let Some(before) = self.picture_at.replace(now) {
            self.picture_gap(now.saturating_duration_since(before));
        }
        if self.places.come_to(time) {
            self.forget_who_went();
        }
        for at in 0..self.places.now().map_or(0, |told| told.tiles.len()) {
            let Some(told) = self.places.now() else { break };
            let tile = &told.tiles[at];
            let (owner, [x, y, width, height]) = ((tile.participant, tile.track), told.place(tile, time));
            let along = |at: u32, of: u32, on: u32| at as usize * on as usize / (of as usize).max(1);
            let wide = |at| along(at, told.canvas.width, picture.size.width);
            let high = |at| along(at, told.canvas.height, picture.size.height);
            let (x, y, width, height) = (wide(x), high(y), wide(width), high(height));
            if !barcode::fits(width, height) {
                // Nobody knows of a face of so few pixels whether it stands still.
                self.newest.iter_mut().for_each(|newest| *newest = newest.filter(|before| before.owner != owner));
                continue;
            }
            if let Some(code) = barcode::read(picture.picture.plane(0), (x, y, width, height)) {
                self.sight(code, owner, now, log);
            }
        }
    }

    fn sight(&mut self, code: barcode::Barcode, owner: Owner, now: Instant, log: &SendLog) {
        // A lower or a higher one is borne by somebody of another load.
        let Some(number) = usize::from(code.number).checked_sub(log.first()) else { return };
        let (_, track) = owner;
        let lane = lane(number, track);
        let Some(before) = self.newest.get(lane).copied() else { return };
        self.sights.seen.insert(number);
        if before.is_some_and(|before| before.frame == code.frame) {
            return;
        }
        let Some(sent) = log.frame_sent(number, track, usize::from(code.frame)) else { return };
        let delay = now.saturating_duration_since(sent);
        self.sights.latency.add(delay);
        if let Some(face) = self.sights.faces.get_mut(number).filter(|_| track == VideoTrack::Camera) {
            face.frames += 1;
        }
        if let Some(before) = before {
            self.tile_gap(number, track, now.saturating_duration_since(before.at));
        }
        self.newest[lane] = Some(Sighting { owner, frame: code.frame, at: now, delay });
    }

    fn tile_gap(&mut self, number: usize, track: VideoTrack, gap: Duration) {
        if let Some(face) = self.sights.faces.get_mut(number).filter(|_| track == VideoTrack::Camera) {
            face.gap(gap);
        }
        self.gap(gap);
    }

    fn picture_gap(&mut self, gap: Duration) {
        self.sights.longest_picture_gap = self.sights.longest_picture_gap.max(gap);
        self.gap(gap);
    }

    fn gap(&mut self, gap: Duration) {
        self.sights.longest_gap = self.sights.longest_gap.max(gap);
        self.sights.freezes += u64::from(gap > limits::LOAD_FREEZE_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::load::barcode::Barcode;
    use crate::base::media::{Matrix, Picture, PlaneRef};
    use crate::core::signal::TilePlace;

    const WIDTH: usize = 640;
    const HEIGHT: usize = 180;

    struct Luma(Vec<u8>);

    impl Picture for Luma {
        fn plane(&self, _index: usize) -> PlaneRef<'_> {
            PlaneRef { data: &self.0, stride: WIDTH }
        }
    }

    /// Two tiles side by side, each with its person's frame.
    fn composite(frames: [u16; 2]) -> VideoFrame {
        let mut canvas = vec![16; WIDTH * HEIGHT];
        for (number, frame) in frames.into_iter().enumerate() {
            let (mut luma, mut chroma) = (vec![90; 320 * 180], vec![128; 160 * 90]);
            let mut other = chroma.clone();
            let code = Barcode { number: number as u16, frame };
            barcode::draw([&mut luma, &mut chroma, &mut other], (320, 180), code);
            for (row, line) in luma.chunks_exact(320).enumerate() {
                canvas[row * WIDTH + number * 320..][..320].copy_from_slice(line);
            }
        }
        let size = Size::new(WIDTH as u32, HEIGHT as u32);
        VideoFrame {
            size,
            full_range: false,
            matrix: Matrix::default(),
            arrival: None,
            picture: Arc::new(Luma(canvas)),
        }
    }

    fn viewer() -> Viewer {
        let mut viewer = Viewer::new(2).unwrap();
        let tile = |x| TilePlace {
            participant: ParticipantId(u64::from(x)),
            track: VideoTrack::Camera,
            x,
            y: 0,
            width: 320,
            height: 180,
            z: 0,
            from: None,
        };
        let (tiles, canvas) = (vec![tile(0), tile(320)], Size::new(WIDTH as u32, HEIGHT as u32));
        viewer.places.tell(Told { after: 0, motion_ms: 0, canvas, tiles });
        viewer
    }

    #[test]
    fn who_is_not_shown_any_more_does_not_stand_still() {
        let log = SendLog::new(Instant::now(), 2, 1);
        for number in 0..2 {
            (0..8).for_each(|frame| log.note_sent(number, VideoTrack::Camera, frame));
            log.set_alive(number, true);
        }
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut viewer = viewer();
        viewer.show(&composite([0, 1]), 1, at(0), &log);
        let all = viewer.places.now().unwrap().clone();
        // Each is told before it holds.
        viewer.rearrange_by(0, Told { after: 1, tiles: all.tiles[..1].to_vec(), ..all.clone() });
        viewer.rearrange_by(0, Told { after: 8, ..all });
        (1..8).for_each(|step| {
            viewer.show(&composite([step, 1]), 1 + u32::from(step), at(u64::from(step) * 100), &log);
        });
        viewer.show(&composite([7, 2]), 9, at(750), &log);
        let sights = viewer.end(at(800), &log);
        assert_eq!((sights.freezes, sights.longest_gap), (0, Duration::from_millis(100)));
    }

    #[test]
    fn each_new_frame_of_each_tile_counts_once_with_its_latency() {
        let log = SendLog::new(Instant::now(), 2, 1);
        log.note_sent(0, VideoTrack::Camera, 3);
        log.note_sent(1, VideoTrack::Camera, 5);
        let sent = log.frame_sent(0, VideoTrack::Camera, 3).unwrap();
        let mut viewer = viewer();
        let at = |ms| sent + Duration::from_millis(ms);
        viewer.show(&composite([3, 5]), 1, at(80), &log);
        viewer.show(&composite([3, 5]), 2, at(100), &log);
        assert_eq!(viewer.delay(0), Some(Duration::from_millis(80)));
        let sights = viewer.end(at(100), &log);
        assert_eq!((sights.pictures, sights.freezes), (2, 0));
        assert_eq!(sights.seen, BTreeSet::from([0, 1]));
        assert!((sights.latency.max_ms() - 80.0).abs() < 0.001);
    }

    #[test]
    fn a_sender_that_changes_its_clip_is_neither_late_nor_a_freeze() {
        use crate::app::load::clip::Clip;
        use crate::app::load::reel::{Footage, Reel};
        use crate::base::media::{EncodedFrame, Pts};

        let footage = |fps: u32, seconds: u32| {
            let data: Vec<u8> = [0x32, 20].into_iter().chain([1; 20]).collect();
            let frame = |at| EncodedFrame {
                codec: Codec::Av1,
                data: data.clone().into(),
                pts: Pts(0),
                keyframe: at % (2 * fps) == 0,
            };
            Arc::new(Footage::cut(&Clip { frames: (0..fps * seconds).map(frame).collect(), fps }).unwrap())
        };
        let clips = [footage(30, 8), footage(15, 8), footage(30, 4)];
        let (epoch, mut reel, mut viewer) = (Instant::now(), Reel::new(Pts(0)), viewer());
        let log = SendLog::new(epoch, 2, 1);
        // Each picture is seen 90 ms after it was sent, while the next ones are under way.
        let mut under_way = std::collections::VecDeque::new();
        for step in 0..400_usize {
            let sent = epoch + Duration::from_nanos(reel.due(30).0);
            let (clip, frame) = reel.roll(Some(&clips[step / 50 % 3]), step == 75, 30).unwrap();
            while under_way.front().is_some_and(|(at, _)| *at + Duration::from_millis(90) <= sent) {
                let (at, moment): (Instant, u16) = under_way.pop_front().unwrap();
                let code = Barcode { number: 0, frame: moment };
                viewer.sight(code, (ParticipantId(0), VideoTrack::Camera), at + Duration::from_millis(90), &log);
            }
            log.note_sent_at(0, VideoTrack::Camera, clip.moment(frame), sent);
            under_way.push_back((sent, clip.moment(frame) as u16));
        }
        let sights = viewer.sights;
        assert!(sights.latency.count() > 390 && sights.freezes == 0, "{}", sights.latency.count());
        assert!(
            (sights.latency.percentile_ms(1) - 90.0).abs() <= 0.25 && (sights.latency.max_ms() - 90.0).abs() < 0.01
        );
        assert!(sights.longest_gap < Duration::from_millis(140), "{:?}", sights.longest_gap);
    }

    #[test]
    fn a_tile_that_stands_still_while_its_sender_sends_is_a_freeze() {
        let log = SendLog::new(Instant::now(), 2, 1);
        for frame in 0..8 {
            log.note_sent(0, VideoTrack::Camera, frame);
            log.note_sent(1, VideoTrack::Camera, frame);
        }
        log.set_alive(0, true);
        let start = Instant::now();
        let mut viewer = viewer();
        // Person 0 stands still from the second picture on, person 1 goes on.
        for step in 0..7_u16 {
            let now = start + Duration::from_millis(u64::from(step) * 100);
            viewer.show(&composite([step.min(1), step]), u32::from(step), now, &log);
        }
        let sights = viewer.end(start + Duration::from_millis(610), &log);
        assert_eq!((sights.freezes, sights.longest_gap), (1, Duration::from_millis(510)));
        let of = |number: usize| (sights.faces[number].freezes, sights.faces[number].longest_gap.as_millis());
        assert_eq!([of(0), of(1)], [(1, 510), (0, 100)]);
    }

    #[test]
    fn a_face_of_too_few_pixels_to_be_read_does_not_stand_still() {
        let log = SendLog::new(Instant::now(), 2, 1);
        (0..8).for_each(|frame| log.note_sent(0, VideoTrack::Camera, frame));
        log.set_alive(0, true);
        let start = Instant::now();
        let mut viewer = viewer();
        viewer.show(&composite([0, 0]), 0, start, &log);
        viewer.show(&composite([1, 1]), 1, start + Duration::from_millis(100), &log);
        // The same places on a canvas of ten times the sides: tiles of 32 by 18.
        let told = viewer.places.now().unwrap().clone();
        let canvas = Size::new(told.canvas.width * 10, told.canvas.height * 10);
        viewer.places.tell(Told { after: 1, canvas, ..told });
        for step in 2..20_u32 {
            viewer.show(&composite([1, 1]), step, start + Duration::from_millis(u64::from(step) * 100), &log);
        }
        let sights = viewer.end(start + Duration::from_millis(2_000), &log);
        assert_eq!((sights.freezes, sights.longest_gap), (0, Duration::from_millis(100)));
    }
}
