//! **The question:** what does each simulated camera send? A loop of real video with its barcode burnt in, encoded once
//! per participant number, extent and rate, and cached.
//!
//! The barcode's frame index is the *moment* of the loop, [`MOMENTS_PER_SECOND`] a second, in every clip alike: whoever
//! changes from one clip to another goes on at the same place of the loop, and no index comes twice at once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::app::load::barcode::{self, Barcode};
use crate::app::load::container;
use crate::base::media::{Codec, CodedFrame, ComposedFrame, EncodedFrame, Size, VideoFrame, pts_from_tick};
use crate::engine::decode;
use crate::engine::encode::{self, EncoderChoice, VideoEncoderSetup};

/// Big Buck Bunny, © Blender Foundation, CC BY 3.0; see `assets/ATTRIBUTION.md`.
const SOURCE: &[u8] = include_bytes!("assets/source.ivf");
/// Seconds until the loop of a voice, and of a small picture, begins again.
pub const LOOP_SECONDS: u32 = 8;
/// The same of larger pictures: half the encoding, and still longer than any delay that is to be measured.
const LARGE_LOOP_SECONDS: u32 = 4;
/// Pictures up to here are small ones.
const SMALL_PIXELS: u32 = 320 * 180;
/// Seconds from keyframe to keyframe. No camera sends them unasked; a loop needs some at which it can be entered.
const KEYFRAME_SECONDS: u32 = 2;
/// Barcode indices of a second.
pub(super) const MOMENTS_PER_SECOND: u32 = 60;
/// Moments of the longest loop.
pub(super) const MOMENTS: usize = (LOOP_SECONDS * MOMENTS_PER_SECOND) as usize;
/// Changes when a clip made before would no longer be what is made now.
const GENERATION: u32 = 3;
/// Encoders at work at once while clips are made.
pub(super) const WORKERS: usize = 2;

const _: () = assert!(MOMENTS <= barcode::HIGHEST_FRAME as usize + 1);

/// What the simulated cameras send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClipSetup {
    /// What its frames are coded in.
    pub codec: Codec,
    /// The picture; even sides.
    pub size: Size,
    /// Frames a second, at most 60.
    pub fps: u32,
    /// Bits a second.
    pub bitrate: u32,
}

impl Default for ClipSetup {
    fn default() -> Self {
        Self { codec: Codec::Av1, size: Size::new(320, 180), fps: 30, bitrate: 200_000 }
    }
}

impl ClipSetup {
    /// Frames of the loop.
    #[must_use]
    pub fn frames(&self) -> usize {
        let is_small = self.size.width * self.size.height <= SMALL_PIXELS;
        let seconds = if is_small { LOOP_SECONDS } else { LARGE_LOOP_SECONDS };
        (seconds * self.fps) as usize
    }

    fn is_keyframe(&self, index: usize) -> bool {
        index.is_multiple_of((KEYFRAME_SECONDS * self.fps) as usize)
    }
}

/// The moment that frame `index` of a clip of `fps` frames a second shows.
pub(super) fn moment(index: usize, fps: u32) -> usize {
    index * MOMENTS_PER_SECOND as usize / fps as usize
}

/// One camera's loop. A keyframe stands at its start and every two seconds.
#[derive(Debug)]
pub struct Clip {
    /// In order; frame `i` carries the barcode of its moment.
    pub frames: Vec<EncodedFrame>,
    /// Frames a second.
    pub fps: u32,
}

/// Where clips are kept: `$XDG_CACHE_HOME/tessera`, else `~/.cache/tessera`, else the system's temporary folder.
#[must_use]
pub fn cache_folder() -> PathBuf {
    let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    xdg.or_else(home).unwrap_or_else(std::env::temp_dir).join("tessera")
}

/// Makes or loads the clips of participants `0..count`. `progress` hears how many are ready, from any thread.
///
/// # Errors
/// When the setup suits no encoder, or memory is out. A cache that cannot be read or written only costs the making.
pub fn prepare(
    count: usize,
    setup: &ClipSetup,
    cache: &Path,
    progress: &(dyn Fn(usize) + Sync),
) -> io::Result<Vec<Arc<Clip>>> {
    let source = SourceVideo::decode()?;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || -> io::Result<Vec<(usize, Arc<Clip>)>> {
        let mut ready = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(ready);
            }
            ready.push((number, Arc::new(load_or_make(number, setup, cache, &source)?)));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let mut clips = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        let results: Vec<_> =
            workers.into_iter().map(|worker| worker.join().expect("making a clip is total")).collect();
        results.into_iter().collect::<io::Result<Vec<_>>>()
    })?
    .concat();
    clips.sort_by_key(|(number, _)| *number);
    Ok(clips.into_iter().map(|(_, clip)| clip).collect())
}

/// The clip of participant `number`, from the cache or made now and put there.
///
/// # Errors
/// As [`prepare`].
pub(super) fn load_or_make(number: usize, setup: &ClipSetup, cache: &Path, source: &SourceVideo) -> io::Result<Clip> {
    let path = cache.join(file_name(number, setup));
    if let Some(clip) = load(&path, setup) {
        return Ok(clip);
    }
    let clip = make(number, source, setup)?;
    store(&path, &clip, setup);
    Ok(clip)
}

fn file_name(number: usize, setup: &ClipSetup) -> String {
    let ClipSetup { codec, size, fps, bitrate } = setup;
    format!("clip-{GENERATION}-{}-{}x{}-{fps}-{bitrate}-{number}.ivf", codec.name(), size.width, size.height)
}

fn load(path: &Path, setup: &ClipSetup) -> Option<Clip> {
    let frames = container::ivf_frames(&std::fs::read(path).ok()?).ok()?;
    (frames.len() == setup.frames()).then(|| Clip::new(frames, setup))
}

/// Written beside and moved into place, so that no reader meets half a clip. A full disk only costs the cache.
fn store(path: &Path, clip: &Clip, setup: &ClipSetup) {
    let frames: Vec<Bytes> = clip.frames.iter().map(|frame| frame.data.clone()).collect();
    let file = container::ivf_file(setup.codec, setup.size, setup.fps, &frames);
    let part = path.with_extension(format!("part{}", std::process::id()));
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&part, file));
    if written.and_then(|()| std::fs::rename(&part, path)).is_err() {
        let _ = std::fs::remove_file(&part);
    }
}

impl Clip {
    fn new(frames: Vec<Bytes>, setup: &ClipSetup) -> Self {
        let frame = |(at, data): (usize, Bytes)| EncodedFrame {
            codec: setup.codec,
            data,
            pts: pts_from_tick(at as u64, setup.fps),
            keyframe: setup.is_keyframe(at),
        };
        Self { frames: frames.into_iter().enumerate().map(frame).collect(), fps: setup.fps }
    }
}

fn make(number: usize, source: &SourceVideo, setup: &ClipSetup) -> io::Result<Clip> {
    let ClipSetup { codec, size, fps, bitrate } = *setup;
    let encoder_setup = VideoEncoderSetup { codec, size, fps, bitrate, threads: 1 };
    let mut encoder = encode::video_encoder(EncoderChoice::Aom, encoder_setup).map_err(io::Error::other)?;
    let mut out = Vec::new();
    for index in 0..setup.frames() {
        let frame = source.frame(number, index, setup);
        encoder.encode(&frame, setup.is_keyframe(index), &mut out).map_err(io::Error::other)?;
    }
    encoder.finish(&mut out).map_err(io::Error::other)?;
    Ok(Clip::new(out.into_iter().map(|frame| frame.data).collect(), setup))
}

/// The shipped video, decoded.
pub(super) struct SourceVideo {
    frames: Vec<VideoFrame>,
}

impl SourceVideo {
    /// Decodes it.
    ///
    /// # Errors
    /// When memory is out.
    pub fn decode() -> io::Result<Self> {
        let mut decoder = decode::video_decoder(Codec::Av1).map_err(io::Error::other)?;
        let mut frames = Vec::new();
        for (at, data) in container::ivf_frames(SOURCE)?.into_iter().enumerate() {
            let frame = CodedFrame { codec: Codec::Av1, data: &data, keyframe: at == 0, arrival: None, colour: None };
            decoder.decode(frame, &mut frames).map_err(io::Error::other)?;
        }
        Ok(Self { frames })
    }

    /// Frame `index` of participant `number`: the video forth and back, begun elsewhere and tinted for each.
    fn frame(&self, number: usize, index: usize, setup: &ClipSetup) -> ComposedFrame {
        let (count, start) = (self.frames.len(), number * 37);
        let step = (start + index * 30 / setup.fps as usize) % (2 * count);
        let at = if step < count { step } else { 2 * count - 1 - step };
        let mut samples = scaled(&self.frames[at], setup.size);
        let (width, height) = (setup.size.width as usize, setup.size.height as usize);
        let (luma, chroma) = samples.split_at_mut(width * height);
        let (u, v) = chroma.split_at_mut(width * height / 4);
        let tint = |n: usize| (n % 7) as i16 * 8 - 24;
        shift(u, tint(number));
        shift(v, tint(number / 7 + number));
        let frame = moment(index, setup.fps) as u16;
        barcode::draw([luma, u, v], (width, height), Barcode { number: number as u16, frame });
        ComposedFrame::new(setup.size, pts_from_tick(index as u64, setup.fps), samples)
    }
}

fn shift(plane: &mut [u8], by: i16) {
    for sample in plane {
        *sample = (i16::from(*sample) + by).clamp(16, 240) as u8;
    }
}

/// I420 of `size`, by the nearest sample.
fn scaled(picture: &VideoFrame, size: Size) -> Vec<u8> {
    let mut samples = Vec::with_capacity((size.width * size.height * 3 / 2) as usize);
    for index in 0..3 {
        let half = if index == 0 { 1 } else { 2 };
        let plane = picture.picture.plane(index);
        let (from, to) = (picture.size, Size::new(size.width / half, size.height / half));
        let columns: Vec<usize> = (0..to.width).map(|x| (x * from.width.div_ceil(half) / to.width) as usize).collect();
        for y in 0..to.height {
            let row = &plane.data[(y * from.height.div_ceil(half) / to.height) as usize * plane.stride..];
            samples.extend(columns.iter().map(|x| row[*x]));
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn clips_are_made_once_and_every_frame_says_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let setup = ClipSetup { fps: 10, ..ClipSetup::default() };
        let heard = AtomicUsize::new(0);
        let progress = |done| heard.store(done, Ordering::Relaxed);
        let clips = prepare(2, &setup, folder.path(), &progress).unwrap();
        assert_eq!((clips.len(), heard.load(Ordering::Relaxed)), (2, 2));
        let mut decoder = decode::video_decoder(Codec::Av1).unwrap();
        let mut pictures = Vec::new();
        for (index, frame) in clips[1].frames.iter().enumerate() {
            decoder.decode(frame.coded(), &mut pictures).unwrap();
            let picture = pictures.pop().unwrap();
            let code = barcode::read(picture.picture.plane(0), (0, 0, 320, 180));
            assert_eq!(code, Some(Barcode { number: 1, frame: index as u16 * 6 }), "the moment, 60 a second");
        }
        let again = prepare(2, &setup, folder.path(), &progress).unwrap();
        assert_eq!(again[0].frames[7].data, clips[0].frames[7].data);
        std::fs::write(folder.path().join(file_name(0, &setup)), b"DKIF broken").unwrap();
        assert_eq!(prepare(1, &setup, folder.path(), &progress).unwrap()[0].frames.len(), setup.frames());
        let keyframes: Vec<usize> = (0..80).filter(|at| clips[0].frames[*at].keyframe).collect();
        assert_eq!(keyframes, [0, 20, 40, 60]);
    }

    /// Whatever a camera can be asked for: each tile is read again, in either codec.
    #[test]
    fn every_extent_and_codec_carries_its_barcode() {
        let source = SourceVideo::decode().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (size, codec) in [
            (Size::new(160, 90), Codec::Av1),
            (Size::new(480, 270), Codec::Av1),
            (Size::new(160, 90), Codec::H264),
            (Size::new(640, 360), Codec::H264),
        ] {
            if !encode::encodes(codec) {
                continue;
            }
            let setup = ClipSetup { codec, size, fps: 5, bitrate: 100_000 };
            let clip = load_or_make(101, &setup, folder.path(), &source).unwrap();
            let (mut decoder, mut pictures) = (decode::video_decoder(codec).unwrap(), Vec::new());
            let place = (0, 0, size.width as usize, size.height as usize);
            for (index, frame) in clip.frames.iter().enumerate() {
                decoder.decode(frame.coded(), &mut pictures).unwrap();
                let picture = pictures.pop().unwrap();
                let code = barcode::read(picture.picture.plane(0), place);
                let told = Some(Barcode { number: 101, frame: index as u16 * 12 });
                assert_eq!(code, told, "{size:?} as {}", codec.name());
            }
            assert_eq!(clip.frames.len(), setup.frames());
        }
    }
}
