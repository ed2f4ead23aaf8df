//! **The question:** what did the operator type after `tessera demo`?

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{fmt, io};

use clap::Args;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::cli::terminal::say;
use crate::app::cli::{Canvas, Failure, Span};
use crate::app::config::{Config, Encoder, Within};
use crate::app::load::{AudioReport, FreezeReport, LatencyReport, PacketReport, ParticipantReport, Report};
use crate::app::node::{Node, RoomReport};
use crate::base::media::{CodecPreference, RoomId};
use crate::io::telemetry;
use crate::io::telemetry::log::{Format, Level};
use crate::io::telemetry::threads::{ByThread, Usage};

/// Flags of `tessera demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Simulated people [default: as many as this machine was seen to carry, at least 16]
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub participants: Option<u32>,
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
    /// What is sent to those who take AV1 and H.264 alike
    #[arg(long, value_enum, default_value = "auto")]
    pub codec: CodecPreference,
}

const EXAMPLES: &str = "\
Examples:
  tessera demo                                        16 people or more for 20 seconds
  tessera demo --participants 4 --duration 5m         time enough to join from a browser
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
    let watched = watch(args, &node, participants, &figures);
    let load = std::fs::read_to_string(&figures).map_err(|e| e.to_string());
    let load = load.and_then(|text| serde_json::from_str::<Report>(&text).map_err(|e| e.to_string()));
    // It may never have been written.
    let _ = std::fs::remove_file(&figures);
    let room = node.ended_rooms().recv_timeout(ROOM_END).ok();
    node.stop();
    let usage = watched?;
    let load = load.map_err(|why| Failure::Failed(format!("the load process told nothing: {why}")))?;
    let room = room.ok_or_else(|| Failure::Failed("the room never began".to_owned()))?;
    let summary = Summary::new(load, &room, usage);
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
    config.video.codec = args.codec;
    config
}

/// Runs the load process to its end and looks at both processes meanwhile.
fn watch(args: &DemoArgs, node: &Node, participants: u32, figures: &Path) -> Result<Watched, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("the load process could not be run: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg("load")
        .args(["--url", &format!("http://{}", node.http_address()), "--room", &args.room.to_string()])
        .args(["--participants", &participants.to_string()])
        .args(["--duration", &format!("{}s", args.duration.0.as_secs())])
        .arg("--json")
        .arg(figures)
        .arg("--quiet")
        .spawn()
        .map_err(failed)?;
    // Ctrl-C reaches the load process too, which ends early and tells what it has; this process then ends with it.
    let interrupts = IgnoredInterrupts::begin().map_err(failed)?;
    let mut watched = Watched::default();
    while child.try_wait().map_err(failed)?.is_none() {
        std::thread::sleep(LOOK);
        if node.counters().ticks.get() > 0 {
            watched.look(Instant::now(), child.id());
        }
    }
    drop(interrupts);
    Ok(watched)
}

/// While it lives, Ctrl-C does not end this process.
struct IgnoredInterrupts {
    _runtime: tokio::runtime::Runtime,
}

impl IgnoredInterrupts {
    fn begin() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let guard = runtime.enter();
        let mut interrupts = signal(SignalKind::interrupt())?;
        drop(guard);
        runtime.spawn(async move { while interrupts.recv().await.is_some() {} });
        Ok(Self { _runtime: runtime })
    }
}

/// What the two processes used while the room lived.
#[derive(Debug, Default)]
struct Watched {
    first: Option<(Instant, Usage, Usage)>,
    last: Option<(Instant, Usage, Usage)>,
    resident_mib_max: (f64, f64),
}

impl Watched {
    fn look(&mut self, now: Instant, load: u32) {
        // The load process may just have ended.
        let (Ok(node), Ok(load)) = (Usage::own(), Usage::of(load)) else { return };
        let (node_mib, load_mib) = self.resident_mib_max;
        self.resident_mib_max = (node_mib.max(node.resident_mib()), load_mib.max(load.resident_mib()));
        if self.first.is_none() {
            self.first = Some((now, node, load));
        }
        // Threads that ended take their time with them: the last look is the last one at a whole room.
        let whole = self.last.as_ref().is_none_or(|(_, before, _)| node.seconds.encode >= before.seconds.encode);
        if whole {
            self.last = Some((now, node, load));
        }
    }

    fn cores(&self) -> CoreFigures {
        let (Some(first), Some(last)) = (&self.first, &self.last) else { return CoreFigures::default() };
        let span_s = (last.0 - first.0).as_secs_f64().max(LOOK.as_secs_f64());
        let by_thread = last.1.seconds.cores_since(&first.1.seconds, span_s);
        let load = last.2.seconds.cores_since(&first.2.seconds, span_s).total();
        CoreFigures { node: by_thread.total(), load, by_thread }
    }
}

/// What the demo tells at its end; the shape of `--json`.
#[derive(Debug, Serialize)]
pub struct Summary {
    participants: ParticipantReport,
    composite: CompositeFigures,
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
    ticks: u64,
    ticks_skipped: u64,
    frames_encoded: u64,
    encoder: &'static str,
    compositor: &'static str,
}

#[derive(Debug, Default, Serialize)]
struct CoreFigures {
    node: f64,
    load: f64,
    by_thread: ByThread,
}

#[derive(Debug, Serialize)]
struct MemoryFigures {
    node: f64,
    load: f64,
}

#[derive(Debug, Serialize)]
struct RecordingFigures {
    path: Option<PathBuf>,
    duration_s: f64,
    bytes: u64,
    room_duration_s: f64,
}

impl Summary {
    fn new(load: Report, room: &RoomReport, watched: Watched) -> Self {
        let composite = CompositeFigures {
            width: room.size.width,
            height: room.size.height,
            fps: load.composite.fps,
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
        let (node, load_mib) = watched.resident_mib_max;
        let (cpu_cores, rss_mib) = (watched.cores(), MemoryFigures { node, load: load_mib });
        Self {
            participants: load.participants,
            composite,
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

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.load)?;
        let mut row = |name: &str, text: String| writeln!(f, "  {name:<14}{text}");
        let CompositeFigures { ticks, ticks_skipped, encoder, compositor, .. } = self.composite;
        let share = 100.0 * ticks_skipped as f64 / ticks.max(1) as f64;
        row(
            "ticks",
            format!("{ticks}, {ticks_skipped} skipped ({share:.1} %), encoder {encoder}, compositor {compositor}"),
        )?;
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
