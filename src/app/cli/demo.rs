//! **The question:** what did the operator type after `tessera demo`?

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{fmt, io};

use clap::Args;
use serde::Serialize;

use crate::app::cli::interrupt::Ignored;
use crate::app::cli::terminal::say;
use crate::app::cli::watched::{CoreFigures, MemoryFigures, Watched};
use crate::app::cli::{Canvas, Failure, Span};
use crate::app::config::{Config, DefaultLayout, Encoder, Within};
use crate::app::load::{
    AudioReport, CameraReport, Codecs, FreezeReport, LatencyReport, PacketReport, ParticipantReport, Report,
};
use crate::app::node::{Node, RoomReport};
use crate::base::media::{CodecPreference, RoomId, RungName};
use crate::io::telemetry;
use crate::io::telemetry::log::{Format, Level};

/// Flags of `tessera demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Simulated people [default: as many as this machine was seen to carry, at least 16]
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub participants: Option<u32>,
    /// How many of them speak
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub speakers: u32,
    /// How long the call lasts once everyone is connected, such as 20s or 2m
    #[arg(long, short, value_name = "TIME", default_value = "20s")]
    pub duration: Span,
    /// The room's name
    #[arg(long, short, default_value = "demo")]
    pub room: RoomId,
    /// Where the recording is written, in the clear; not among the sealed ones of a node that records
    #[arg(long, short, value_name = "FILE", default_value = "demo/demo.mp4")]
    pub out: PathBuf,
    /// Write the summary as JSON too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// TCP address of the node's pages; watch the call there
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// UDP address of the node's media socket
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3478")]
    pub media: SocketAddr,
    /// The composite's size
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x720")]
    pub size: Canvas,
    /// The composite's frames a second
    #[arg(long, default_value = "30")]
    pub fps: Within<1, 60>,
    /// Who encodes the composite
    #[arg(long, value_enum, default_value = "auto")]
    pub encoder: Encoder,
    /// The room's layout: a name, or a layout document, a file that ends in .json
    #[arg(long, default_value = "grid", value_parser = |text: &str| DefaultLayout::try_from(text.to_owned()))]
    pub layout: DefaultLayout,
    /// The rungs that people ask for, in turn, such as 1280x720,640x360 [default: the room's first]
    #[arg(long, value_name = "RUNGS", value_delimiter = ',')]
    pub rungs: Vec<RungName>,
    /// Codecs that people take pictures in, the preferred one first, in which they send [default: av1,h264]
    #[arg(long, value_name = "CODECS", default_value_t, hide_default_value = true)]
    pub codecs: Codecs,
    /// What is sent to those who take AV1 and H.264 alike
    #[arg(long, value_enum, default_value = "auto")]
    pub codec: CodecPreference,
}

const EXAMPLES: &str = "\
Examples:
  tessera demo                                        16 people or more for 20 seconds
  tessera demo --participants 4 --duration 5m         time enough to join from a browser
  tessera demo --layout speaker --codecs h264         browsers without AV1, one person large
  tessera demo --json demo.json --out call.mp4        numbers for a machine, the recording for you";

/// Simulated people for each core: 16 on two cores ran at 30 frames a second with the load beside them
/// (`docs/benchmarks.md`).
const PARTICIPANTS_PER_CORE: u32 = 8;
/// How long the room may take to end, and its recording to close, once the people left.
const ROOM_END: Duration = Duration::from_secs(10);
/// How often the two processes are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs a node and a load process beside it, and tells how it went.
#[must_use]
pub fn run(args: DemoArgs) -> ExitCode {
    match demo(&args) {
        Ok(summary) if summary.load.participants.connected > 0 => ExitCode::SUCCESS,
        Ok(_) => Failure::Failed("nobody could connect; the lines above say why".to_owned()).report(),
        Err(failure) => failure.report(),
    }
}

fn demo(args: &DemoArgs) -> Result<Summary, Failure> {
    telemetry::log::init(Level::Warn, Format::Text);
    let node = Node::start_recording_to(configuration(args), Some(args.out.clone()))?;
    let cores = std::thread::available_parallelism().map_or(2, |n| n.get() as u32);
    let participants = args.participants.unwrap_or((PARTICIPANTS_PER_CORE * cores).clamp(16, 100));
    say!("{participants} people meet in room '{}' for {} s", args.room, args.duration.0.as_secs());
    say!("watch them live:  {}?room={}&watch", node.url(), args.room);
    say!("join them:        {}?room={}", node.url(), args.room);
    let figures = std::env::temp_dir().join(format!("tessera-demo-{}.json", std::process::id()));
    let begin = Instant::now();
    let watched = watch(args, &node, participants, &figures);
    let load = std::fs::read_to_string(&figures).map_err(|e| e.to_string());
    let load = load.and_then(|text| serde_json::from_str::<Report>(&text).map_err(|e| e.to_string()));
    // It may never have been written.
    let _ = std::fs::remove_file(&figures);
    let room = node.ended_rooms().recv_timeout(ROOM_END).ok();
    node.stop();
    let watched = watched?;
    let load = load.map_err(|why| Failure::Failed(format!("the load process told nothing: {why}")))?;
    let room = room.ok_or_else(|| Failure::Failed("the room never began".to_owned()))?;
    let summary = Summary::new(load, &room, &watched, begin);
    say!("\n{summary}");
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&summary).expect("figures and texts are JSON");
        let written = std::fs::write(path, json + "\n");
        written.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    }
    Ok(summary)
}

fn configuration(args: &DemoArgs) -> Config {
    let mut config = Config::default();
    config.http.listen = args.http;
    config.media.listen = args.media;
    (config.video.width, config.video.height) = (args.size.width, args.size.height);
    config.video.fps = args.fps;
    config.video.encoder = args.encoder;
    config.video.layout = args.layout.clone();
    config.video.codec = args.codec;
    config
}

/// Runs the load process to its end and looks at both processes meanwhile.
fn watch(args: &DemoArgs, node: &Node, participants: u32, figures: &Path) -> Result<Watched, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("the load process could not be run: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut load = Command::new(program);
    load.arg("load")
        .args(["--url", &format!("http://{}", node.http_address()), "--room", &args.room.to_string()])
        .args(["--participants", &participants.to_string(), "--speakers", &args.speakers.to_string()])
        .args(["--duration", &args.duration.to_string(), "--codecs", &args.codecs.to_string()]);
    if !args.rungs.is_empty() {
        let rungs = args.rungs.iter().map(ToString::to_string).collect::<Vec<_>>();
        load.args(["--rungs", &rungs.join(",")]);
    }
    let mut child = load.arg("--json").arg(figures).arg("--quiet").spawn().map_err(failed)?;
    // Ctrl-C reaches the load process too, which ends early and tells what it has; this process then ends with it.
    let interrupts = Ignored::begin().map_err(failed)?;
    let mut watched = Watched::default();
    while child.try_wait().map_err(failed)?.is_none() {
        std::thread::sleep(LOOK);
        if node.counters().ticks.get() > 0 {
            watched.look(Instant::now(), node, child.id());
        }
    }
    drop(interrupts);
    Ok(watched)
}

/// What the demo tells at its end; the shape of `--json`.
#[derive(Debug, Serialize)]
pub struct Summary {
    participants: ParticipantReport,
    cameras: Vec<CameraReport>,
    composite: CompositeFigures,
    measured: MeasuredFigures,
    latency_ms: LatencyReport,
    freezes: FreezeReport,
    audio: AudioReport,
    packets: PacketReport,
    errors: Vec<String>,
    #[serde(skip)]
    load: Report,
    cpu_cores: CoreFigures,
    rss_mib: MemoryFigures,
    recording: RecordingFigures,
}

#[derive(Debug, Serialize)]
struct CompositeFigures {
    width: u32,
    height: u32,
    fps: f64,
    codec: String,
    ticks: u64,
    ticks_skipped: u64,
    frames_encoded: u64,
    encoder: &'static str,
    compositor: &'static str,
}

/// Of the span in which all were there; the composite's own are of the room's whole life.
#[derive(Debug, Clone, Copy, Serialize)]
struct MeasuredFigures {
    /// How long it took until then, seconds.
    joined_s: f64,
    span_s: f64,
    ticks: u64,
    ticks_skipped: u64,
}

#[derive(Debug, Serialize)]
struct RecordingFigures {
    path: Option<PathBuf>,
    duration_s: f64,
    bytes: u64,
    room_duration_s: f64,
}

impl Summary {
    /// Of a load that was started at `begin`.
    fn new(load: Report, room: &RoomReport, watched: &Watched, begin: Instant) -> Self {
        let (joined, span) = (seconds(load.joined_s), seconds(load.measured_s));
        let (ticks, ticks_skipped) = watched.ticks(begin + joined, span);
        let measured = MeasuredFigures { joined_s: load.joined_s, span_s: load.measured_s, ticks, ticks_skipped };
        let composite = CompositeFigures {
            width: room.size.width,
            height: room.size.height,
            fps: load.composite.fps,
            codec: load.composite.codec.clone(),
            ticks: room.counters.ticks.get(),
            ticks_skipped: room.counters.ticks_skipped.get(),
            frames_encoded: room.counters.frames_encoded.get(),
            encoder: room.encoder,
            compositor: room.compositor,
        };
        let recording = RecordingFigures {
            path: room.recording.as_ref().and_then(|recording| recording.path.clone()),
            duration_s: room.recording.as_ref().map_or(0.0, |recording| recording.duration.as_secs_f64()),
            bytes: room.recording.as_ref().map_or(0, |recording| recording.bytes),
            room_duration_s: room.duration_s,
        };
        let (cpu_cores, rss_mib) = (watched.cores(begin + joined, span), watched.memory());
        Self {
            participants: load.participants,
            cameras: load.cameras.clone(),
            composite,
            measured,
            latency_ms: load.latency_ms,
            freezes: load.freezes,
            audio: load.audio,
            packets: load.packets,
            errors: load.errors.clone(),
            load,
            cpu_cores,
            rss_mib,
            recording,
        }
    }
}

/// A span that another process told.
fn seconds(told: f64) -> Duration {
    Duration::try_from_secs_f64(told).unwrap_or_default()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.load)?;
        let mut row = |name: &str, text: String| writeln!(f, "  {name:<14}{text}");
        let CompositeFigures { encoder, compositor, ticks: of, ticks_skipped: all, .. } = self.composite;
        let MeasuredFigures { ticks, ticks_skipped, .. } = self.measured;
        let share = 100.0 * ticks_skipped as f64 / ticks.max(1) as f64;
        let skipped = format!("{ticks_skipped} skipped ({share:.1} %), {all} of {of} with joining and leaving");
        row("ticks", format!("{ticks}, {skipped}; encoder {encoder}, compositor {compositor}"))?;
        let cores = &self.cpu_cores;
        row("cores", format!("{:.2} node, {:.2} load", cores.node, cores.load))?;
        let threads = cores.by_thread.groups().map(|(name, used)| format!("{name} {used:.2}")).join(", ");
        row("by thread", threads)?;
        row("memory", format!("{:.0} MiB node, {:.0} MiB load", self.rss_mib.node, self.rss_mib.load))?;
        let recording = &self.recording;
        match &recording.path {
            Some(path) => {
                let mib = recording.bytes as f64 / (1024.0 * 1024.0);
                row("recording", format!("{} ({:.1} s, {mib:.1} MiB)", path.display(), recording.duration_s))
            }
            None => row("recording", "nothing was written".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        args: DemoArgs,
    }

    #[test]
    fn a_demo_writes_nothing_in_the_clear_where_a_node_keeps_what_is_sealed() {
        let Typed { args } = Typed::parse_from(["demo"]);
        let recording = Config::default().recording;
        for sealed in [&recording.path, &recording.keeper, &recording.spool] {
            assert!(!args.out.starts_with(sealed), "{} lies in {}", args.out.display(), sealed.display());
        }
    }
}
