//! **The question:** what did the operator configure? One file, read once at start, parsed into types that cannot hold
//! a wrong value; the annotated example `tessera.example.toml` is its documentation, and a test keeps the two equal.
//!
//! Doors: [`Config::load`], [`Config::parse`]. Flags of the command line are laid over it by `cli/`.

mod access;
mod acme;
mod announcing;
mod branding;
mod captions;
mod file;
mod fleet;
mod hand_over;
mod hls;
mod http;
mod keepers;
mod layout;
mod lifetime;
mod owners;
mod push;
mod tcp;
mod telemetry;
mod tenants;
mod value;
mod webhooks;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::PossibleValue;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::{Codec, CodecPreference, RungSpec, Size};
use crate::core::access::{Policy, Steering};
use crate::core::ladder::Pace;
use crate::core::retention::Retention;
use crate::engine::audio::SoundConfig;
use crate::engine::encode::VideoEncoderSetup;
use crate::io::rtp::{LegNetworks, LegPorts};
use crate::io::store::{ArchivePlace, SpoolPlace};
pub use crate::io::telemetry::log::{Format, Level};
pub use access::{Access, KeyFile};
pub use acme::Acme;
pub use announcing::Announcement;
pub use branding::{BEHIND, Backdrop, Branding, Logo};
pub use captions::{Captions, Language, NoLanguage};
pub use fleet::FleetConfig;
pub use hand_over::HandOver;
pub use hls::Hls;
pub use http::{Http, Tls, TlsError};
pub use keepers::{KeepersError, RemoteKeepers, Retaining};
pub use layout::DefaultLayout;
pub use lifetime::Lifetime;
pub use push::Push;
pub use tcp::{TcpMedia, TcpMediaError};
pub use telemetry::{Collector, NoCollector, Telemetry};
pub use tenants::{Dress, PartnerConfig, TenantConfig};
pub use value::{Side, ValueError, Within};
pub use webhooks::{Hook, Webhooks};

/// Everything an operator can choose. `Config::default()` is what a node does without any file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the pages, WHIP, WHEP and the metrics answer.
    pub http: Http,
    /// Who comes in.
    pub access: Access,
    /// Where the media arrives.
    pub media: Media,
    /// The composite picture.
    pub video: Video,
    /// The mixed sound.
    pub audio: Audio,
    /// What people may do in their rooms.
    pub rooms: Rooms,
    /// How rooms are watched by HLS.
    pub hls: Hls,
    /// What is known of captions beforehand.
    pub captions: Captions,
    /// Where rooms may be sent on to.
    pub push: Push,
    /// Who is told what happens.
    pub webhooks: Webhooks,
    /// What is written to disk.
    pub recording: Recording,
    /// Who holds the keys of what is written.
    pub retention: Retaining,
    /// To which host recordings may leave.
    pub hand_over: HandOver,
    /// Whether it is one of several nodes.
    pub fleet: FleetConfig,
    /// How the process comes to its end.
    pub node: Lifetime,
    /// How many threads do what.
    pub threads: Threads,
    /// Which collector is told what took its time.
    pub telemetry: Telemetry,
    /// What the node tells its operator.
    pub log: Log,
    /// Whose rooms run here beside the operator's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenant: Vec<TenantConfig>,
    /// Who has several of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partner: Vec<PartnerConfig>,
}

/// `[media]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// UDP address of the media sockets, one for each net thread.
    pub listen: SocketAddr,
    /// Addresses written into answers as ICE candidates; empty: the interfaces' own.
    pub advertise: Vec<IpAddr>,
    /// Where media comes in over TCP, for those whose network lets no UDP through.
    pub tcp: TcpMedia,
    /// UDP ports of plain-RTP legs; none: there are no legs.
    pub legs: LegPorts,
    /// Where the other ends of legs may be.
    pub leg_networks: LegNetworks,
    /// Where pictures that come in are decoded.
    pub decoders: Decoders,
}

/// Where pictures that come in are decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decoders {
    /// In a confined process for each decode thread.
    Process,
    /// In the decode threads themselves.
    #[default]
    Thread,
}

/// `[video]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Video {
    /// Columns of the composite.
    pub width: Side,
    /// Rows of the composite.
    pub height: Side,
    /// Ticks a second.
    pub fps: Within<1, 60>,
    /// Frames a second of the small tiles of a crowded grid, whose people do not speak.
    pub crowd_fps: Within<1, 60>,
    /// Target of the composite, bits a second.
    pub bitrate: Within<100_000, 50_000_000>,
    /// Who encodes AV1.
    pub encoder: Encoder,
    /// What rooms send to viewers that take AV1 and H.264 alike.
    pub codec: CodecPreference,
    /// Threads inside one encoder; 0: one for every two cores, at most four.
    pub encoder_threads: Within<0, 64>,
    /// Who composes.
    pub compositor: Compositor,
    /// How a room is laid out until somebody chooses.
    pub layout: DefaultLayout,
    /// How long a change of the layout moves, milliseconds; 0: it jumps.
    pub motion_ms: Within<0, { limits::MOTION_SPAN_MAX.as_millis() as u32 }>,
    /// Whether names are drawn into the picture.
    pub labels: bool,
    /// The picture in the upper right corner of every room.
    pub logo: Logo,
    /// What lies behind the tiles of every room.
    pub background: Backdrop,
    /// Whether every room shows a clock.
    pub clock: bool,
    /// A part of the name of the GPU adapter to take; empty: the best that is hardware.
    pub adapter: String,
}

impl Video {
    /// The canvas.
    #[must_use]
    pub fn size(&self) -> Size {
        Size::new(self.width.get(), self.height.get())
    }

    /// How long a change of the layout moves.
    #[must_use]
    pub fn motion(&self) -> Duration {
        Duration::from_millis(self.motion_ms.get().into())
    }

    /// How often tiles are renewed.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::new(self.fps.get(), self.crowd_fps.get())
    }

    /// What rooms can send: the canvas itself, half and a quarter of each side for a share of its bits.
    #[must_use]
    pub fn rung_specs(&self) -> Vec<RungSpec> {
        let (size, fps, bitrate) = (self.size(), self.fps.get(), self.bitrate.get());
        let part = |of: u32| Size::new((size.width / of).next_multiple_of(2), (size.height / of).next_multiple_of(2));
        // A quarter of the pixels, whose every bit counts for more; and what a link of 300 kb/s carries beside sound.
        let specs: [(Size, u32); limits::RUNGS_MAX] =
            [(size, bitrate), (part(2), bitrate / 10 * 3), (part(4), (bitrate / 50 * 3).max(20_000))];
        let specs = specs.into_iter().filter(|(size, _)| size.width >= 16 && size.height >= 16);
        let specs = specs.map(|(size, bitrate)| RungSpec { codec: Codec::Av1, size, fps, bitrate });
        specs.collect()
    }

    /// How every room is dressed, its pictures scaled down to what the canvas needs. Takes tens of milliseconds for
    /// large ones.
    #[must_use]
    pub fn branding(&self) -> Branding {
        let (logo, background) = (self.logo.picture(self.size()), self.background.background(self.size()));
        Branding { logo, background, clock: self.clock }
    }

    /// What every rung is set up with.
    #[must_use]
    pub fn encoder_setup(&self) -> VideoEncoderSetup {
        VideoEncoderSetup {
            codec: Codec::Av1,
            size: self.size(),
            fps: self.fps.get(),
            bitrate: self.bitrate.get(),
            threads: self.encoder_threads(),
        }
    }

    /// Threads inside one encoder on this machine.
    #[must_use]
    pub fn encoder_threads(&self) -> usize {
        match self.encoder_threads.get() {
            0 => (cores() / 2).clamp(1, 4),
            chosen => chosen as usize,
        }
    }
}

/// `[audio]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audio {
    /// Voices mixed at once; the loudest win.
    pub voices: Within<1, { limits::VOICES_MAX as u32 }>,
    /// Target of each mix, bits a second; half as much again while listeners lose packets.
    pub bitrate: Within<6_000, 256_000>,
    /// Effort of the Opus encoders.
    pub complexity: Within<0, 10>,
    /// Whether quiet voices are raised and loud ones lowered.
    pub levelling: bool,
    /// Whether each heard voice goes through RNNoise; it becomes mono.
    pub noise_suppression: bool,
    /// Whether a shared screen's sound makes way for speech.
    pub duck_screens: bool,
    /// Whether microphones are asked to send each packet twice (RED, RFC 2198), the second time with the next one.
    pub red: bool,
}

impl Audio {
    /// How rooms sound.
    #[must_use]
    pub fn sound(&self) -> SoundConfig {
        SoundConfig {
            voices: self.voices.get() as usize,
            bitrate: self.bitrate.get(),
            complexity: u8::try_from(self.complexity.get()).expect("at most 10"),
            levelling: self.levelling,
            noise_suppression: self.noise_suppression,
            duck_screens: self.duck_screens,
        }
    }
}

/// `[recording]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// Whether rooms are recorded.
    pub enabled: bool,
    /// Which rooms.
    pub start: RecordingStart,
    /// Whether every participant may begin and end their room's recording.
    pub participants_may_record: bool,
    /// Whether the composite of a recorded room shows a mark.
    pub mark: bool,
    /// What everybody hears when a recording begins.
    pub announcement: Announcement,
    /// Where sealed recordings lie: a folder, made if it is missing, or `s3://bucket/prefix`.
    pub path: PathBuf,
    /// The folder of the node's own keeper, made if it is missing. Its hour keys open the recordings.
    pub keeper: PathBuf,
    /// Whether each participant's own tracks are recorded too, as they were sent.
    pub tracks: bool,
    /// How long recordings are kept, hours; nothing is kept longer than 7 days.
    pub retention_hours: Within<2, 168>,
    /// Where the store is; empty: nowhere in particular, so nothing that is bound to a region is recorded.
    pub region: String,
    /// Whether a bucket may be used although it keeps versions of deleted objects.
    pub allow_versions: bool,
    /// The folder in which sealed objects wait while the store is slow or down, made if it is missing.
    pub spool: PathBuf,
    /// How many MiB may wait there; 0: none, and no folder.
    pub spool_mib: Within<0, 16_777_216>,
}

/// Which rooms are recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingStart {
    /// Every one, from its first participant to its last.
    #[default]
    Automatic,
    /// Those that somebody asks for.
    Asked,
}

impl Recording {
    /// How long a recording is kept.
    ///
    /// # Panics
    /// Never: the bounds of `retention_hours` are those of a retention.
    #[must_use]
    pub fn retention(&self) -> Retention {
        let span = Duration::from_secs(u64::from(self.retention_hours.get()) * 3600);
        Retention::new(span).expect("2 to 168 hours are a retention")
    }

    /// Where the archive lies.
    #[must_use]
    pub fn place(&self) -> ArchivePlace {
        ArchivePlace { vault: self.path.to_string_lossy().into_owned(), keeper: self.keeper.clone() }
    }

    /// Where objects wait while the archive's store is down, if anywhere.
    #[must_use]
    pub fn spool_place(&self) -> Option<SpoolPlace> {
        let bytes_max = u64::from(self.spool_mib.get()) * 1024 * 1024;
        (bytes_max > 0).then(|| SpoolPlace { folder: self.spool.clone(), bytes_max })
    }
}

/// `[threads]`; 0: as many as the machine has cores, of net threads half as many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Threads {
    /// `net-n`: sockets on the one media port, and the peers whose datagrams come by them.
    pub net: Within<0, 256>,
    /// `decode-n`: jitter buffers and decoders.
    pub decode: Within<0, 256>,
    /// `compose-n`: rooms are spread over them.
    pub compose: Within<0, 256>,
    /// `mix-n`: rooms are spread over them.
    pub mix: Within<0, 256>,
    /// tokio's workers for HTTP and signalling.
    pub http: Within<1, 64>,
}

impl Threads {
    /// Net threads on this machine.
    #[must_use]
    pub fn net(&self) -> usize {
        match self.net.get() {
            0 => (cores() / 2).max(1),
            chosen => chosen as usize,
        }
    }

    /// Decode threads on this machine.
    #[must_use]
    pub fn decode(&self) -> usize {
        or_cores(self.decode.get())
    }

    /// Compose threads on this machine.
    #[must_use]
    pub fn compose(&self) -> usize {
        or_cores(self.compose.get())
    }

    /// Mix threads on this machine.
    #[must_use]
    pub fn mix(&self) -> usize {
        or_cores(self.mix.get())
    }
}

/// `[log]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least level that is written.
    pub level: Level,
    /// Lines for people, or JSON for machines.
    pub format: Format,
}

/// `[rooms]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rooms {
    /// Whether every participant may change their room's layout.
    pub participants_choose_layout: bool,
    /// Whether who comes without a host's right waits until a host lets them in.
    pub lobby: bool,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { participants_choose_layout: true, lobby: false }
    }
}

/// Who encodes the composite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Encoder {
    /// A short calibration at start picks; the log says what and why.
    #[default]
    Auto,
    /// libaom in its real-time set-up.
    Aom,
    /// rav1e; slower, written in Rust.
    Rav1e,
}

impl clap::ValueEnum for CodecPreference {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Av1, Self::H264]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Auto => ("auto", "AV1 while its encode is a small share of the machine, else H.264"),
            Self::Av1 => ("av1", "AV1: fewer bits"),
            Self::H264 => ("h264", "H.264: less work"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// Who composes the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Compositor {
    /// A hardware GPU if there is one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A GPU; without one the node does not start.
    Gpu,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 3478)),
            advertise: Vec::new(),
            tcp: TcpMedia::default(),
            legs: LegPorts::default(),
            leg_networks: LegNetworks::default(),
            decoders: Decoders::default(),
        }
    }
}

impl Default for Video {
    fn default() -> Self {
        Self {
            width: Side(1280),
            height: Side(720),
            fps: Within(30),
            crowd_fps: Within(15),
            bitrate: Within(2_500_000),
            encoder: Encoder::Auto,
            codec: CodecPreference::Auto,
            encoder_threads: Within(1),
            compositor: Compositor::Auto,
            layout: DefaultLayout::default(),
            motion_ms: Within(300),
            labels: false,
            logo: Logo::default(),
            background: Backdrop::default(),
            clock: false,
            adapter: String::new(),
        }
    }
}

impl Default for Audio {
    fn default() -> Self {
        Self {
            voices: Within(limits::VOICES_DEFAULT as u32),
            bitrate: Within(48_000),
            complexity: Within(5),
            levelling: true,
            noise_suppression: false,
            duck_screens: false,
            red: true,
        }
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            enabled: false,
            start: RecordingStart::Automatic,
            participants_may_record: false,
            mark: true,
            announcement: Announcement::default(),
            path: PathBuf::from("recordings"),
            keeper: PathBuf::from("recordings.keeper"),
            tracks: false,
            retention_hours: Within(168),
            region: String::new(),
            allow_versions: false,
            spool: PathBuf::from("recordings.spool"),
            spool_mib: Within(1024),
        }
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self { net: Within(0), decode: Within(0), compose: Within(0), mix: Within(0), http: Within(2) }
    }
}

/// Why a configuration cannot be used: one line that says where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: {reason}; give --config the path of a TOML file, see tessera.example.toml", path.display())]
    Unreadable {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A key or a value is wrong.
    #[error("{place}: {reason}")]
    Wrong {
        /// File, line and key.
        place: Place,
        /// What is wrong and what would be right.
        reason: String,
    },
}

/// Where in a file something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Its line, counted from 1.
    pub line: usize,
    /// `section.key`, if the line has one.
    pub key: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)?;
        self.key.iter().try_for_each(|key| write!(f, ": {key}"))
    }
}

impl Config {
    /// Who may do what.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            participants_may_record: self.recording.participants_may_record,
            participants_choose_layout: self.rooms.participants_choose_layout,
            steering: Steering::new(self.http.token.is_some(), self.http.is_reached_by_others()),
            is_locked: self.access.is_locked() || !self.tenant.is_empty(),
            streams_are_open: self.hls.open,
        }
    }

    /// The configuration of the file at `path`, or the defaults without one.
    ///
    /// # Errors
    /// When the file cannot be read, or holds a key or value the node does not know.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let unreadable = |e: std::io::Error| ConfigError::Unreadable { path: path.into(), reason: e.to_string() };
        Self::parse(path, &std::fs::read_to_string(path).map_err(unreadable)?)
    }

    /// The configuration that `text` holds; `path` only names it in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            // A parser's message may span lines; an operator gets one.
            let reason = error.message().lines().collect::<Vec<_>>().join(" ");
            ConfigError::Wrong { place: place(path, text, at), reason }
        })?;
        config.check_tenants().map_err(|(section, nth, reason)| {
            let at = text.match_indices(section).nth(nth).map_or(0, |(at, _)| at);
            ConfigError::Wrong { place: place(path, text, at), reason }
        })?;
        Ok(config)
    }
}

fn or_cores(chosen: u32) -> usize {
    if chosen == 0 { cores() } else { chosen as usize }
}

/// Cores this process may use; one if the system does not say.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Line and key around byte `at` of `text`.
fn place(path: &Path, text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count();
    let content = text.lines().nth(line).unwrap_or_default();
    let section = text.lines().take(line + 1).filter_map(header).last();
    let own = content.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.starts_with('#'));
    let key = match (section, own) {
        (Some(section), Some(own)) => Some(format!("{section}.{own}")),
        (one, other) => one.or(other).map(str::to_owned),
    };
    Place { path: path.into(), line: line + 1, key }
}

fn header(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.trim_start_matches('[').split(']').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_threads_mean_the_machine_and_a_number_means_itself() {
        let path = Path::new("tessera.toml");
        let chosen = Config::parse(path, "[threads]\ndecode = 7\n[video]\nencoder_threads = 3\n").unwrap();
        assert_eq!((chosen.threads.decode(), chosen.video.encoder_threads()), (7, 3));
        assert_eq!((chosen.threads.mix(), chosen.threads.compose()), (cores(), cores()));
        assert_eq!(chosen.threads.net(), (cores() / 2).max(1));
        let auto = Config::parse(path, "[video]\nencoder_threads = 0\n").unwrap();
        assert!((1..=4).contains(&auto.video.encoder_threads()));
    }
}
