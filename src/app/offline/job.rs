//! **The question:** what is to be made of which files, how far is it, and what was made?

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::base::media::{Codec, Size};
use crate::core::scene::Layout;
use crate::engine::encode::EncoderChoice;

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
    /// How the picture is coded: AV1 or H.264.
    pub codec: Codec,
    /// Who encodes AV1; `Auto` is libaom, for no tick waits here.
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
