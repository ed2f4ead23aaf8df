//! **The question:** what do these files look like as one room? Floor 5: the scene, kernels and encoders of the live
//! room, with queues that block in place of slots where the newest wins.
//!
//! Doors: [`run`] takes a [`Job`] and writes one MP4. Threads: `decode-n` decode a window of ticks of one file after
//! the other (the decoder's caches stay warm), this thread composes, `encode` encodes and writes, `mix` mixes what the
//! files sound like. Every queue between them is short and blocks, so memory does not grow with the files.

mod decoded_file;
mod muxer;
mod raw;
mod sound;
mod stage;
mod temp_file;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;

use crate::app::offline::decoded_file::{DecodedFile, Seen};
use crate::app::offline::muxer::Film;
use crate::app::offline::raw::Raw;
use crate::app::offline::sound::{Packets, mix};
use crate::app::offline::stage::Stage;
use crate::base::limits;
use crate::base::media::{ComposedFrame, EncodedFrame, Size, pts_from_tick};
use crate::core::scene::Layout;
use crate::engine::compose::{FramePool, cpu_compositor};
use crate::engine::encode::{EncodeError, EncoderChoice, VideoEncoder, VideoEncoderSetup, video_encoder};
use crate::io::demux::{self, Fault};

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Job {
    /// Files in; their order is the order of seats.
    pub files: Vec<PathBuf>,
    /// File out: an MP4, or the unencoded canvas if its name ends in `.y4m`.
    pub out: PathBuf,
    /// The canvas, even.
    pub size: Size,
    /// Ticks a second.
    pub fps: u32,
    /// Bits a second of the picture.
    pub bitrate: u32,
    /// Who encodes; `Auto` is libaom, for no tick waits here.
    pub encoder: EncoderChoice,
    /// Threads of the encoder. The same number gives the same bytes.
    pub encoder_threads: usize,
    /// Threads that decode.
    pub decode_threads: usize,
    /// Who is seen where.
    pub layout: Layout,
    /// Whether the files' names are drawn into their tiles.
    pub names: bool,
    /// What a file that ended leaves behind.
    pub ended: Ended,
    /// Whether the files' sound is mixed.
    pub sound: bool,
}

/// What a file that ended leaves behind while others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ended {
    /// Its initials, as a camera that was switched off.
    #[default]
    Placeholder,
    /// Its last picture.
    Hold,
    /// Nothing: its seat becomes free, as when someone leaves.
    Leave,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Composed so far.
    pub done: Duration,
    /// The longest file, if the files say.
    pub total: Option<Duration>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The file.
    pub out: PathBuf,
    /// Files in.
    pub files: usize,
    /// Of these, files whose sound was mixed.
    pub files_with_sound: usize,
    /// Frames.
    pub frames: u64,
    /// How long it plays.
    pub duration_s: f64,
    /// Its bytes.
    pub bytes: u64,
    /// Bits a second, all tracks.
    pub bitrate: u64,
    /// How long it took.
    pub wall_s: f64,
    /// Times real time.
    pub speed: f64,
    /// Who encoded.
    pub encoder: &'static str,
    /// Who composed.
    pub compositor: &'static str,
    /// Pictures decoded.
    pub decoded: u64,
    /// Whether it was stopped before the files ended.
    pub interrupted: bool,
    /// What the operator should know of single files.
    pub warnings: Vec<String>,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum RecomposeError {
    /// A file in is useless: wrong usage.
    #[error("{} {fault}", path.display())]
    Input {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
    /// More files than a room has seats, or none.
    #[error("{0} files; give 1 to {max}", max = limits::PARTICIPANTS_MAX)]
    Count(usize),
    /// The file out is one of those in.
    #[error("{} is read and cannot be written at the same time; choose another --out", .0.display())]
    Same(PathBuf),
    /// The file out cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Output {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The encoder does not take the job, or failed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The system has no thread left.
    #[error("no thread: {0}")]
    Thread(io::Error),
}

/// Composes `job.files` into `job.out`. `progress` hears of each second composed; once `stop` is set, the file is
/// closed where it is.
///
/// # Errors
/// See [`RecomposeError`]; then `job.out` is as it was before.
pub fn run(job: &Job, stop: &AtomicBool, progress: &dyn Fn(Progress)) -> Result<Summary, RecomposeError> {
    let begun = Instant::now();
    let files = open_all(job)?;
    let setup = VideoEncoderSetup { size: job.size, fps: job.fps, bitrate: job.bitrate, threads: job.encoder_threads };
    let raw = job.out.extension().is_some_and(|extension| extension == "y4m");
    let encoder = (!raw).then(|| video_encoder(job.encoder, setup)).transpose()?;
    let sounds = if job.sound && !raw { sounds(job)? } else { Vec::new() };
    let total = files.iter().filter_map(|source| source.span()).max();
    let compositor = cpu_compositor(job.size);
    let (encoder_name, compositor_name) =
        (encoder.as_ref().map_or("none", |encoder| encoder.name()), compositor.name());
    let files_with_sound = sounds.len();
    let (stage, written) = std::thread::scope(|scope| {
        let (packets, mixing) = if sounds.is_empty() { (None, None) } else { mix(scope, sounds)? };
        let (composed, encoding) = encode(scope, job, encoder, compositor.pool(), packets)?;
        let mut stage = Stage::new(job, files.len(), compositor);
        let windows = decode(scope, job, files)?;
        stage.play(&windows, &composed, stop, &|done| progress(Progress { done, total }));
        // Ends: the decoders' next window finds nobody, the encoder finds no next tick, the mixer no reader.
        drop((windows, composed));
        let written = encoding.join().expect("a thread of ours does not panic")?;
        if let Some(mixing) = mixing {
            mixing.join().expect("a thread of ours does not panic");
        }
        Ok::<_, RecomposeError>((stage, written))
    })?;
    let wall_s = begun.elapsed().as_secs_f64();
    let duration_s = pts_from_tick(written.frames, job.fps).since(pts_from_tick(0, job.fps)).as_secs_f64();
    Ok(Summary {
        out: job.out.clone(),
        files: job.files.len(),
        files_with_sound,
        frames: written.frames,
        duration_s,
        bytes: written.bytes,
        bitrate: if duration_s > 0.0 { (written.bytes as f64 * 8.0 / duration_s) as u64 } else { 0 },
        wall_s,
        speed: duration_s / wall_s,
        encoder: encoder_name,
        compositor: compositor_name,
        decoded: stage.decoded,
        interrupted: stage.interrupted,
        warnings: stage.warnings,
    })
}

fn open_all(job: &Job) -> Result<Vec<DecodedFile>, RecomposeError> {
    if job.files.is_empty() || job.files.len() > limits::PARTICIPANTS_MAX {
        return Err(RecomposeError::Count(job.files.len()));
    }
    let out = job.out.canonicalize().ok();
    let mut files = Vec::with_capacity(job.files.len());
    for path in &job.files {
        if out.is_some() && path.canonicalize().ok() == out {
            return Err(RecomposeError::Same(path.clone()));
        }
        let opened = demux::pictures(path).and_then(|pictures| DecodedFile::new(pictures, job.fps));
        files.push(opened.map_err(|fault| RecomposeError::Input { path: path.clone(), fault })?);
    }
    Ok(files)
}

fn sounds(job: &Job) -> Result<Vec<Box<dyn demux::Track>>, RecomposeError> {
    let mut sounds = Vec::new();
    for path in &job.files {
        let sound = demux::sound(path).map_err(|fault| RecomposeError::Input { path: path.clone(), fault })?;
        sounds.extend(sound);
    }
    Ok(sounds)
}

/// What lies in the file out.
#[derive(Debug, Clone, Copy)]
struct Written {
    frames: u64,
    bytes: u64,
}

/// What one decode thread saw of its files in one window, in the order of the files.
type Window = Vec<Vec<Seen>>;

/// Ticks decoded of one file before the next one's turn. Ten spare the caches; fewer where the pictures are large.
fn window_ticks(files: &[DecodedFile]) -> u64 {
    let bytes: u64 =
        files.iter().map(|file| u64::from(file.size().width) * u64::from(file.size().height) * 3 / 2).sum();
    // One window is composed from while the next is being decoded.
    (limits::RECOMPOSE_BYTES_MAX / 2 / bytes.max(1)).clamp(1, limits::RECOMPOSE_WINDOW_TICKS)
}

/// Where the windows come from: file `n` from thread `n % threads`.
struct Windows {
    ticks: u64,
    threads: Vec<Receiver<Window>>,
}

fn decode<'scope>(
    scope: &'scope Scope<'scope, '_>,
    job: &Job,
    files: Vec<DecodedFile>,
) -> Result<Windows, RecomposeError> {
    let count = job.decode_threads.clamp(1, files.len());
    let ticks = window_ticks(&files);
    let mut shares: Vec<Vec<DecodedFile>> = (0..count).map(|_| Vec::new()).collect();
    for (index, file) in files.into_iter().enumerate() {
        shares[index % count].push(file);
    }
    let mut threads = Vec::with_capacity(count);
    for (number, mut share) in shares.into_iter().enumerate() {
        let (outlet, mailbox) = bounded(0);
        let work = move || {
            for window in 1_u64.. {
                let seen: Window = share.iter_mut().map(|file| file.until(window * ticks)).collect();
                // Nobody listens any more: all ended, or stopped.
                if outlet.send(seen).is_err() {
                    return;
                }
            }
        };
        let builder = std::thread::Builder::new().name(format!("decode-{number}"));
        builder.spawn_scoped(scope, work).map_err(RecomposeError::Thread)?;
        threads.push(mailbox);
    }
    Ok(Windows { ticks, threads })
}

type Encoding<'scope> = ScopedJoinHandle<'scope, Result<Written, RecomposeError>>;

/// Where composed frames go.
enum Outlet {
    /// Encoded into an MP4.
    Film { film: Film, encoder: Box<dyn VideoEncoder>, keyframe_ticks: u64, units: Vec<EncodedFrame> },
    /// As they are.
    Raw(Raw),
}

impl Outlet {
    fn open(job: &Job, encoder: Option<Box<dyn VideoEncoder>>, packets: Option<Packets>) -> io::Result<Self> {
        let Some(encoder) = encoder else { return Raw::create(&job.out, job.size, job.fps).map(Self::Raw) };
        let film = Film::create(&job.out, job.fps, packets)?;
        let keyframe_ticks = limits::KEYFRAME_INTERVAL.as_secs() * u64::from(job.fps);
        Ok(Self::Film { film, encoder, keyframe_ticks, units: Vec::new() })
    }

    fn tick(&mut self, tick: u64, frame: &ComposedFrame) -> Result<(), Fell> {
        match self {
            Self::Raw(raw) => raw.picture(frame)?,
            Self::Film { film, encoder, keyframe_ticks, units } => {
                encoder.encode(frame, tick.is_multiple_of(*keyframe_ticks), units)?;
                units.drain(..).try_for_each(|unit| film.picture(&unit))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Written, Fell> {
        match self {
            Self::Raw(raw) => Ok(raw.finish()?),
            Self::Film { mut film, mut encoder, mut units, .. } => {
                encoder.finish(&mut units)?;
                units.drain(..).try_for_each(|unit| film.picture(&unit))?;
                Ok(film.finish()?)
            }
        }
    }
}

/// Which of the two fell over: the disk or the encoder.
#[derive(Debug, thiserror::Error)]
enum Fell {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Encoder(#[from] EncodeError),
}

fn encode<'scope>(
    scope: &'scope Scope<'scope, '_>,
    job: &Job,
    encoder: Option<Box<dyn VideoEncoder>>,
    pool: FramePool,
    packets: Option<Packets>,
) -> Result<(Sender<ComposedFrame>, Encoding<'scope>), RecomposeError> {
    let (sender, mailbox) = bounded::<ComposedFrame>(limits::COMPOSED_QUEUE_LEN);
    let path = job.out.clone();
    let failed = move |fell| match fell {
        Fell::Disk(error) => RecomposeError::Output { path: path.clone(), error },
        Fell::Encoder(error) => RecomposeError::Encode(error),
    };
    let mut outlet = Outlet::open(job, encoder, packets).map_err(|error| failed(error.into()))?;
    let work = move || {
        for (tick, frame) in (0..).zip(mailbox) {
            outlet.tick(tick, &frame).map_err(&failed)?;
            pool.recycle(frame);
        }
        outlet.finish().map_err(&failed)
    };
    let builder = std::thread::Builder::new().name("encode".to_owned());
    let encoding = builder.spawn_scoped(scope, work).map_err(RecomposeError::Thread)?;
    Ok((sender, encoding))
}
