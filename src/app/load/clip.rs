//! **The question:** what does each simulated camera send? A loop of real video with its barcode burnt in, encoded once
//! per participant number and cached.

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
/// Seconds until the loop begins again.
pub const LOOP_SECONDS: u32 = 8;
/// Changes when a clip made before would no longer be what is made now.
const GENERATION: u32 = 1;
/// Encoders at work at once while clips are made.
const WORKERS: usize = 2;

/// What the simulated cameras send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipSetup {
    /// The picture; even sides.
    pub size: Size,
    /// Frames a second, at most 60.
    pub fps: u32,
    /// Bits a second.
    pub bitrate: u32,
}

impl Default for ClipSetup {
    fn default() -> Self {
        Self { size: Size::new(320, 180), fps: 30, bitrate: 200_000 }
    }
}

impl ClipSetup {
    /// Frames of the loop.
    #[must_use]
    pub fn frames(&self) -> usize {
        (LOOP_SECONDS * self.fps) as usize
    }
}

/// One camera's loop. A keyframe stands at the start of each second.
#[derive(Debug)]
pub struct Clip {
    /// In order; frame `i` carries barcode index `i`.
    pub frames: Vec<EncodedFrame>,
    /// Frames a second.
    pub fps: u32,
}

impl Clip {
    /// The index of the first keyframe at or after `index`, which may be 0 again.
    #[must_use]
    pub fn keyframe_from(&self, index: usize) -> usize {
        let fps = self.fps as usize;
        index.next_multiple_of(fps) % self.frames.len()
    }
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
    let paths: Vec<PathBuf> = (0..count).map(|number| cache.join(file_name(number, setup))).collect();
    let mut clips: Vec<Option<Arc<Clip>>> = paths.iter().map(|path| load(path, setup).map(Arc::new)).collect();
    let missing: Vec<usize> = (0..count).filter(|number| clips[*number].is_none()).collect();
    progress(count - missing.len());
    if !missing.is_empty() {
        let source = SourceVideo::decode(setup)?;
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(count - missing.len()));
        let work = || -> io::Result<Vec<(usize, Clip)>> {
            let mut made = Vec::new();
            while let Some(number) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                let clip = make(*number, &source, setup)?;
                store(&paths[*number], &clip, setup);
                made.push((*number, clip));
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            }
            Ok(made)
        };
        let made = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
            let results: Vec<_> =
                workers.into_iter().map(|worker| worker.join().expect("making a clip is total")).collect();
            results.into_iter().collect::<io::Result<Vec<_>>>()
        })?;
        for (number, clip) in made.into_iter().flatten() {
            clips[number] = Some(Arc::new(clip));
        }
    }
    Ok(clips.into_iter().map(|clip| clip.expect("made or loaded above")).collect())
}

fn file_name(number: usize, setup: &ClipSetup) -> String {
    let ClipSetup { size, fps, bitrate } = setup;
    format!("clip-{GENERATION}-{}x{}-{fps}-{bitrate}-{number}.ivf", size.width, size.height)
}

fn load(path: &Path, setup: &ClipSetup) -> Option<Clip> {
    let frames = container::ivf_frames(&std::fs::read(path).ok()?).ok()?;
    (frames.len() == setup.frames()).then(|| Clip::new(frames, setup.fps))
}

/// Written beside and moved into place, so that no reader meets half a clip. A full disk only costs the cache.
fn store(path: &Path, clip: &Clip, setup: &ClipSetup) {
    let frames: Vec<Bytes> = clip.frames.iter().map(|frame| frame.data.clone()).collect();
    let file = container::ivf_file(setup.size.width as u16, setup.size.height as u16, setup.fps, &frames);
    let part = path.with_extension(format!("part{}", std::process::id()));
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&part, file));
    if written.and_then(|()| std::fs::rename(&part, path)).is_err() {
        let _ = std::fs::remove_file(&part);
    }
}

impl Clip {
    fn new(frames: Vec<Bytes>, fps: u32) -> Self {
        let frame = |(at, data): (usize, Bytes)| EncodedFrame {
            codec: Codec::Av1,
            data,
            pts: pts_from_tick(at as u64, fps),
            keyframe: at.is_multiple_of(fps as usize),
        };
        Self { frames: frames.into_iter().enumerate().map(frame).collect(), fps }
    }
}

fn make(number: usize, source: &SourceVideo, setup: &ClipSetup) -> io::Result<Clip> {
    let ClipSetup { size, fps, bitrate } = *setup;
    let encoder_setup = VideoEncoderSetup { codec: Codec::Av1, size, fps, bitrate, threads: 1 };
    let mut encoder = encode::video_encoder(EncoderChoice::Aom, encoder_setup).map_err(io::Error::other)?;
    let mut out = Vec::new();
    for index in 0..setup.frames() {
        let frame = source.frame(number, index, setup);
        let keyframe = index.is_multiple_of(fps as usize);
        encoder.encode(&frame, keyframe, &mut out).map_err(io::Error::other)?;
    }
    encoder.finish(&mut out).map_err(io::Error::other)?;
    Ok(Clip::new(out.into_iter().map(|frame| frame.data).collect(), fps))
}

/// The shipped video, decoded and scaled to the clip's size.
struct SourceVideo {
    frames: Vec<Vec<u8>>,
}

impl SourceVideo {
    fn decode(setup: &ClipSetup) -> io::Result<Self> {
        let mut decoder = decode::video_decoder(Codec::Av1).map_err(io::Error::other)?;
        let mut pictures = Vec::new();
        for (at, data) in container::ivf_frames(SOURCE)?.into_iter().enumerate() {
            let frame = CodedFrame { codec: Codec::Av1, data: &data, keyframe: at == 0, arrival: None, colour: None };
            decoder.decode(frame, &mut pictures).map_err(io::Error::other)?;
        }
        Ok(Self { frames: pictures.iter().map(|picture| scaled(picture, setup.size)).collect() })
    }

    /// Frame `index` of participant `number`: the video forth and back, begun elsewhere and tinted for each.
    fn frame(&self, number: usize, index: usize, setup: &ClipSetup) -> ComposedFrame {
        let (count, start) = (self.frames.len(), number * 37);
        let step = (start + index * 30 / setup.fps as usize) % (2 * count);
        let at = if step < count { step } else { 2 * count - 1 - step };
        let mut samples = self.frames[at].clone();
        let (width, height) = (setup.size.width as usize, setup.size.height as usize);
        let (luma, chroma) = samples.split_at_mut(width * height);
        let (u, v) = chroma.split_at_mut(width * height / 4);
        let tint = |n: usize| (n % 7) as i16 * 8 - 24;
        shift(u, tint(number));
        shift(v, tint(number / 7 + number));
        let frame = index as u16;
        barcode::draw([luma, u, v], (width, height), Barcode { number: number as u16, frame });
        ComposedFrame::new(setup.size, pts_from_tick(index as u64, setup.fps), samples)
    }
}

fn shift(plane: &mut [u8], by: i16) {
    for sample in plane {
        *sample = (i16::from(*sample) + by).clamp(16, 240) as u8;
    }
}

/// I420 of `size`, by the nearest sample: the source has the usual size already.
fn scaled(picture: &VideoFrame, size: Size) -> Vec<u8> {
    let mut samples = Vec::with_capacity((size.width * size.height * 3 / 2) as usize);
    for index in 0..3 {
        let half = if index == 0 { 1 } else { 2 };
        let plane = picture.picture.plane(index);
        let (from, to) = (picture.size, Size::new(size.width / half, size.height / half));
        for y in 0..to.height {
            let row = (y * from.height.div_ceil(half) / to.height) as usize * plane.stride;
            for x in 0..to.width {
                samples.push(plane.data[row + (x * from.width.div_ceil(half) / to.width) as usize]);
            }
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
            assert_eq!(code, Some(Barcode { number: 1, frame: index as u16 }));
        }
        let again = prepare(2, &setup, folder.path(), &progress).unwrap();
        assert_eq!(again[0].frames[7].data, clips[0].frames[7].data);
        std::fs::write(folder.path().join(file_name(0, &setup)), b"DKIF broken").unwrap();
        assert_eq!(prepare(1, &setup, folder.path(), &progress).unwrap()[0].frames.len(), setup.frames());
        assert_eq!(clips[0].keyframe_from(1), 10);
        assert_eq!(clips[0].keyframe_from(71), 0);
    }
}
