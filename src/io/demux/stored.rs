//! **The question:** what do all containers have in common? Samples with their times, tracks that give them, and why a
//! file gives nothing more.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Colour, Matrix, NANOS_PER_SECOND, Pts, Size};
use crate::core::bitstream::av1::TemporalUnit;
use crate::core::bitstream::opus_head::{OpusHead, OpusHeadError};
use crate::engine::decode::Reshape;

/// A file being read.
pub(super) type Reader = BufReader<File>;

/// Bytes read at once.
const BUFFER_BYTES: usize = 32 * 1024;

/// One stored sample of a track.
#[derive(Debug, Clone)]
pub struct Stored {
    /// When it is shown or heard, since the file's zero.
    pub at: Pts,
    /// How much of it lies before that and is decoded only (an edit list or a codec delay says so).
    pub skip: Duration,
    /// How much at its end is not heard (an edit list, padding).
    pub trim: Duration,
    /// For how long, where the container says so.
    pub span: Option<Duration>,
    /// An AV1 temporal unit with OBU sizes, an Opus packet, or the planes Y, U, V.
    pub data: Bytes,
    /// Whether decoding may start here.
    pub keyframe: bool,
}

/// One track of a file, front to back.
pub trait Track: Send {
    /// The next sample; `None` after the last one.
    ///
    /// # Errors
    /// [`Fault::Cut`], [`Fault::Broken`] or [`Fault::Read`]; nothing more comes after any of them.
    fn next(&mut self) -> Result<Option<Stored>, Fault>;
}

/// A matrix that a container states, and whether the range is full, if that is stated too.
pub(super) type Stated = Option<(Matrix, Option<bool>)>;

/// What the samples of a picture track are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// AV1, one temporal unit a sample.
    Av1,
    /// Planes as they are, packed, chroma rounded up.
    Raw {
        /// Whether samples use 0..=255 rather than 16..=235.
        full_range: bool,
    },
}

/// An opened picture track.
pub struct Pictures {
    /// What its samples are.
    pub coding: Coding,
    /// Extent of its first picture.
    pub size: Size,
    /// How long the file says it plays, if it does.
    pub span: Option<Duration>,
    /// For how long a picture is shown where nothing better is known.
    pub nominal: Duration,
    /// How they are to be seen.
    pub reshape: Reshape,
    /// What samples mean, if the container says so.
    pub colour: Option<Colour>,
    /// The same as the container has it, until the bitstream was asked for a range that is not stated.
    pub(super) stated: Stated,
    /// The samples.
    pub track: Box<dyn Track>,
}

/// An opened track of Opus.
pub struct Sound {
    /// What its packets hold.
    pub head: OpusHead,
    /// How long the file says it plays, if it does.
    pub span: Option<Duration>,
    /// The packets.
    pub track: Box<dyn Track>,
}

/// An opened file: pictures, sound, or both.
#[derive(Debug, Default)]
pub struct Media {
    /// The picture track that is shown.
    pub pictures: Option<Pictures>,
    /// The sound track that is heard.
    pub sound: Option<Sound>,
    /// What is left out or not obeyed, one sentence each without the file's name.
    pub notes: Vec<String>,
    /// Its times are not to be moved so that it begins at once.
    pub(super) keeps_time: bool,
}

impl Media {
    /// Of several tracks of a kind only one is taken.
    pub(super) fn note_others(&mut self, count: usize, what: &str, done: &str) {
        if count > 1 {
            let told = format!("of its {count} {what} tracks only the one that players choose by themselves is {done}");
            self.notes.push(told);
        }
    }
}

impl std::fmt::Debug for Pictures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pictures").field("coding", &self.coding).field("size", &self.size).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sound").field("head", &self.head).field("span", &self.span).finish_non_exhaustive()
    }
}

/// What is composed: `limits::INGEST_SIDE_MAX` and `limits::INGEST_PIXELS_MAX`.
const SIZE_RULE: &str = "up to 4K (8,912,896 pixels) is composed; add ffmpeg's -vf scale=1920:-2";
const PLAIN_RULE: &str = "make it plain with: ffmpeg -i IN -pix_fmt yuv420p -c:v libsvtav1 -preset 10 OUT.webm";
const _: () = assert!(limits::INGEST_PIXELS_MAX == 8_912_896);

/// Why a file gives nothing, or nothing more. Each says what to do where there is something to do.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system says no.
    #[error("{}", read_reason(.0))]
    Read(#[from] io::Error),
    /// None of the containers that are read here.
    #[error("is no media file known here; give IVF, MP4, WebM, Matroska, Ogg Opus or Y4M")]
    Unknown,
    /// There is neither a picture nor a sound.
    #[error("holds neither pictures nor sound; leave it out")]
    Nothing,
    /// Pictures by another codec.
    #[error("holds {0}, but AV1 is read; make it with: ffmpeg -i IN -c:v libsvtav1 -preset 10 -c:a libopus OUT.webm")]
    Codec(String),
    /// Sound by another codec, and no pictures.
    #[error("holds {0}, but of sound Opus is read; make it with: ffmpeg -i IN -c:a libopus OUT.opus")]
    SoundCodec(String),
    /// Sound whose channels are not understood.
    #[error("cannot be heard: {0}")]
    Channels(#[from] OpusHeadError),
    /// Pictures larger than what is composed.
    #[error("holds pictures of {}x{}, but {SIZE_RULE}", .0.width, .0.height)]
    Large(Size),
    /// Pictures that are not composed.
    #[error("holds {0}, which is not composed; {PLAIN_RULE}")]
    Kind(String),
    /// The file ends within a sample or before its index.
    #[error("is cut off")]
    Cut,
    /// The file contradicts its format.
    #[error("is broken: {0}")]
    Broken(String),
}

fn read_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "is not there; look at its name".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read; look at its permissions".to_owned(),
        io::ErrorKind::IsADirectory => "is a folder; name the files in it".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Nominal spacing of pictures where a file says nothing: 30 a second.
pub(super) const NOMINAL: Duration = Duration::from_nanos(NANOS_PER_SECOND / 30);

/// A temporal unit that decoding can start at: the container's own sequence header goes before a keyframe that lacks
/// one.
pub(super) fn with_sequence(data: Bytes, keyframe: bool, config: &[u8]) -> Bytes {
    let bare = keyframe && !config.is_empty() && TemporalUnit::parse(&data).is_ok_and(|u| u.sequence_header.is_none());
    if bare { [config, &data[..]].concat().into() } else { data }
}

/// `units` of a clock of `per_second` units as a span.
pub(super) fn span(units: u64, per_second: u64) -> Duration {
    let nanos = u128::from(units) * u128::from(NANOS_PER_SECOND) / u128::from(per_second.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2))
}

/// Reads exactly `len` bytes; a file that ends before is cut off.
pub(super) fn read_bytes(file: &mut impl Read, len: usize) -> Result<Bytes, Fault> {
    let mut data = Vec::with_capacity(len);
    file.take(len as u64).read_to_end(&mut data)?;
    if data.len() < len { Err(Fault::Cut) } else { Ok(data.into()) }
}

/// A sample's length as a container gives it, if it is one that is read.
pub(super) fn sample_len(len: u64) -> Result<usize, Fault> {
    let fits = usize::try_from(len).ok().filter(|len| *len <= limits::INGEST_FRAME_LEN_MAX);
    fits.ok_or_else(|| Fault::Broken(format!("a sample of {len} bytes, more than {}", limits::INGEST_FRAME_LEN_MAX)))
}

/// A fault of the file's format.
pub(super) fn broken(what: impl Into<String>) -> Fault {
    Fault::Broken(what.into())
}

/// Whether pictures of this size are composed.
pub(super) fn check_size(size: Size) -> Result<(), Fault> {
    let pixels = u64::from(size.width) * u64::from(size.height);
    let fits = size.width.max(size.height) <= limits::INGEST_SIDE_MAX && pixels <= limits::INGEST_PIXELS_MAX.into();
    if fits { Ok(()) } else { Err(Fault::Large(size)) }
}

/// Opens a file with the buffer that all containers read through.
pub(super) fn reader(path: &Path) -> Result<Reader, Fault> {
    Ok(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?))
}
