//! **The question:** what did the operator type after `tessera bench`? Calls of rising size, each a `tessera demo` of
//! its own, until a bar breaks.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr;
use std::time::Duration;
use std::{fmt, io};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use crate::app::cli::capacity::Search;
use crate::app::cli::interrupt::Ignored;
use crate::app::cli::terminal::say;
use crate::app::cli::{Canvas, Failure, Span};
use crate::app::config::{DefaultLayout, Within};
use crate::app::load::Codecs;
use crate::base::media::RungName;

/// Flags of `tessera bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// The largest call that is tried
    #[arg(
        long, short, value_name = "PEOPLE", default_value = "100",
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    pub max: u32,
    /// How long each call is measured, such as 10s or 1m
    #[arg(long, short, value_name = "TIME", default_value = "10s")]
    pub duration: Span,
    /// Layouts, each of which is searched, such as grid,speaker
    #[arg(long, value_name = "LAYOUTS", value_delimiter = ',', default_value = "grid")]
    pub layouts: Vec<Layout>,
    /// Rungs that people ask for in turn, each such choice searched: 1280x720,1280x720+640x360 are two [default: the
    /// first rung for all]
    #[arg(long, value_name = "RUNGS", value_delimiter = ',')]
    pub rungs: Vec<Rungs>,
    /// The composite's size
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x720")]
    pub size: Canvas,
    /// The composite's frames a second
    #[arg(long, default_value = "30")]
    pub fps: Within<1, 60>,
    /// Codecs that people take pictures in, the preferred one first, in which they send: h264 measures browsers without
    /// AV1 [default: av1,h264]
    #[arg(long, value_name = "CODECS", default_value_t, hide_default_value = true)]
    pub codecs: Codecs,
    /// How many of each call speak
    #[arg(long, value_name = "COUNT", default_value = "5", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub speakers: u32,
    /// What a core costs an hour, in any currency; the table then says what a participant does
    #[arg(long, value_name = "PRICE", value_parser = price)]
    pub core_price: Option<f64>,
    /// Write the table as JSON too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  tessera bench                                   how many people in a grid this machine carries
  tessera bench --core-price 0.04 --json b.json   the same with its cost, 0.04 a core and hour
  tessera bench --layouts grid,speaker --rungs 1280x720,1280x720+640x360
  tessera bench --max 25 --size 1920x1080         up to 25 people in full HD

The simulated people run on the same machine and share its cores: the table says what they took. A call holds when
all are connected and seen, all who speak are heard, at most 1 % of the ticks are skipped, 95 % of all frames are seen
within 200 ms of their sending, and no picture stands still over half a second. A call that does not is tried twice.";

/// Ticks skipped at most, in percent.
const SKIPPED_PERCENT_BAR: f64 = 1.0;
/// Latency that 95 % of the frames do not exceed, milliseconds.
const LATENCY_MS_BAR: f64 = 200.0;

/// The table's columns.
const HEADS: [&str; 11] = [
    "people",
    "layout",
    "rungs",
    "codec",
    "cores node",
    "cores load",
    "MiB node",
    "% ticks skipped",
    "p95 ms",
    "cost",
    "bars",
];

fn price(text: &str) -> Result<f64, String> {
    let price = text.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0);
    price.ok_or_else(|| "give a price such as 0.04".to_owned())
}

/// A layout's name or file, as the configuration takes it.
#[derive(Debug, Clone)]
pub struct Layout(String);

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        DefaultLayout::try_from(text.to_owned()).map(|_| Self(text.to_owned()))
    }
}

/// Rungs that people ask for in turn; none: the room's first for all.
#[derive(Debug, Clone, Default)]
pub struct Rungs(Vec<RungName>);

impl FromStr for Rungs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rung = |name: &str| name.parse().map_err(|_| format!("'{name}' is no rung; give one such as 640x360"));
        text.split('+').map(rung).collect::<Result<_, _>>().map(Self)
    }
}

impl Rungs {
    fn joined(&self, by: &str) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(by)
    }
}

/// One call, and all it came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Row {
    participants: u32,
    layout: String,
    rungs: String,
    connected: u64,
    seen: u64,
    speakers: u64,
    heard: u64,
    ticks_skipped_percent: f64,
    latency_ms_p95: f64,
    freezes: u64,
    codec: String,
    cores_node: f64,
    cores_load: f64,
    rss_mib_node: f64,
    join_s: f64,
    /// What a participant costs an hour.
    cost: Option<f64>,
    /// Bars that it broke.
    broken: Vec<String>,
}

/// The whole answer.
#[derive(Debug, Serialize)]
struct Table {
    machine: String,
    core_price: Option<f64>,
    rows: Vec<Row>,
    capacities: Vec<Capacity>,
}

#[derive(Debug, Serialize)]
struct Capacity {
    layout: String,
    rungs: String,
    participants: u32,
    /// Whether no larger call was tried that did not hold.
    or_more: bool,
}

/// Finds what this machine carries.
#[must_use]
pub fn run(args: BenchArgs) -> ExitCode {
    match bench(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => Failure::Failed("it was stopped before the end".to_owned()).report(),
        Err(failure) => failure.report(),
    }
}

/// Whether it came to its end.
fn bench(args: &BenchArgs) -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("a call could not be run: {error}"));
    let folder = std::env::temp_dir().join(format!("tessera-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    // Ctrl-C reaches the call that runs, which ends early; then this ends too, and tells what it has.
    let interrupts = Ignored::begin().map_err(failed)?;
    let bar = ProgressBar::new(0).with_style(style());
    bar.enable_steady_tick(Duration::from_secs(1));
    let mut table = Table { machine: machine(), core_price: args.core_price, rows: Vec::new(), capacities: Vec::new() };
    let searched = search_all(args, &folder, &bar, &interrupts, &mut table);
    bar.finish_and_clear();
    let _ = std::fs::remove_dir_all(&folder);
    searched?;
    say!("{table}");
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&table).expect("figures and texts are JSON");
        let written = std::fs::write(path, json + "\n");
        written.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    }
    Ok(!interrupts.came())
}

fn search_all(
    args: &BenchArgs,
    folder: &Path,
    bar: &ProgressBar,
    interrupts: &Ignored,
    table: &mut Table,
) -> Result<(), Failure> {
    let usual = [Rungs::default()];
    let rungs = if args.rungs.is_empty() { &usual[..] } else { &args.rungs };
    let choices: Vec<(&Layout, &Rungs)> =
        args.layouts.iter().flat_map(|layout| rungs.iter().map(move |rungs| (layout, rungs))).collect();
    for (n, (layout, rungs)) in choices.iter().copied().enumerate() {
        let mut search = Search::new(args.max);
        while let Some(people) = search.next().filter(|_| !interrupts.came()) {
            let others = (choices.len() - n - 1) as u64 * Search::new(args.max).left();
            bar.set_length(bar.position() + search.left() + others);
            bar.set_message(format!("{people} people, {}", layout.0));
            let row = match call(args, layout, rungs, people, folder) {
                Ok(row) => row,
                // A call too large for the machine may come to nothing at all; one that is the first has another fault.
                Err(failure) if table.rows.is_empty() => return Err(failure),
                Err(failure) => Row { participants: people, broken: vec![failure.to_string()], ..Row::default() },
            };
            if interrupts.came() {
                break;
            }
            let row = Row { layout: layout.0.clone(), rungs: rungs.joined("+"), ..row };
            bar.inc(1);
            bar.println(row.to_string());
            search.tell(people, row.broken.is_empty());
            table.rows.push(row);
        }
        let (layout, rungs) = (layout.0.clone(), rungs.joined("+"));
        let (participants, or_more) = (search.found(), search.found() == args.max);
        table.capacities.push(Capacity { layout, rungs, participants, or_more });
    }
    Ok(())
}

/// Holds one call, in processes of its own, so that each begins with fresh memory.
fn call(args: &BenchArgs, layout: &Layout, rungs: &Rungs, people: u32, folder: &Path) -> Result<Row, Failure> {
    let failed = |why: String| Failure::Failed(format!("a call of {people} people told nothing: {why}"));
    let figures = folder.join("call.json");
    // The one before must not answer for this one.
    let _ = std::fs::remove_file(&figures);
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut demo = Command::new(program);
    demo.arg("demo")
        .args(["--participants", &people.to_string(), "--duration", &args.duration.to_string()])
        .args(["--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--layout", &layout.0])
        .args(["--size", &args.size.to_string(), "--fps", &args.fps.get().to_string()])
        .args(["--codecs", &args.codecs.to_string(), "--speakers", &args.speakers.min(people).to_string()]);
    if !rungs.0.is_empty() {
        demo.args(["--rungs", &rungs.joined(",")]);
    }
    let ended = demo
        .arg("--out")
        .arg(folder.join("call.mp4"))
        .arg("--json")
        .arg(&figures)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let told = std::fs::read(&figures).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let Some(told) = told else {
        let words = String::from_utf8_lossy(&ended.stderr);
        return Err(failed(words.lines().last().unwrap_or("it ended without a word").to_owned()));
    };
    Ok(Row::read(&told, people, args.core_price))
}

impl Row {
    /// What a demo's summary says of a call of so many `people`.
    fn read(told: &Value, people: u32, core_price: Option<f64>) -> Self {
        let number = |path: &str| told.pointer(path).and_then(Value::as_f64).unwrap_or(0.0);
        let count = |path: &str| told.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        let cores = number("/cpu_cores/node");
        let skipped = count("/measured/ticks_skipped") as f64 / count("/measured/ticks").max(1) as f64;
        let mut row = Self {
            participants: people,
            connected: count("/participants/connected"),
            seen: count("/participants/seen"),
            speakers: count("/audio/expected"),
            heard: count("/audio/heard"),
            ticks_skipped_percent: 100.0 * skipped,
            latency_ms_p95: number("/latency_ms/p95"),
            freezes: count("/freezes/count"),
            codec: told.pointer("/composite/codec").and_then(Value::as_str).unwrap_or_default().to_owned(),
            cores_node: cores,
            cores_load: number("/cpu_cores/load"),
            rss_mib_node: number("/rss_mib/node"),
            join_s: number("/measured/joined_s"),
            cost: core_price.map(|price| price * cores / f64::from(people)),
            ..Self::default()
        };
        row.broken = row.judge();
        row
    }

    /// The bars that it breaks, in words.
    fn judge(&self) -> Vec<String> {
        let people = u64::from(self.participants);
        let bars = [
            (self.connected < people, format!("{} of {people} connected", self.connected)),
            (self.seen < people, format!("{} of {people} seen", self.seen)),
            // Nobody is heard by themselves: one who is alone has nobody to hear them.
            (self.heard < self.speakers && people > 1, format!("{} of {} heard", self.heard, self.speakers)),
            (self.ticks_skipped_percent > SKIPPED_PERCENT_BAR, format!("{:.1} % skipped", self.ticks_skipped_percent)),
            (self.latency_ms_p95 > LATENCY_MS_BAR, format!("p95 {:.0} ms", self.latency_ms_p95)),
            (self.freezes > 0, format!("{} freezes", self.freezes)),
        ];
        bars.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, words)| words).collect()
    }
}

impl fmt::Display for Row {
    /// A row of the table, as Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rungs = if self.rungs.is_empty() { "first" } else { &self.rungs };
        write!(f, "| {} | {} | {rungs} | {} | ", self.participants, self.layout, self.codec)?;
        write!(f, "{:.2} | {:.2} | {:.0} | ", self.cores_node, self.cores_load, self.rss_mib_node)?;
        write!(f, "{:.1} | {:.0} | ", self.ticks_skipped_percent, self.latency_ms_p95)?;
        let cost = self.cost.map_or_else(|| "-".to_owned(), |cost| format!("{cost:.5}"));
        let bars = if self.broken.is_empty() { "holds".to_owned() } else { self.broken.join(", ") };
        write!(f, "{cost} | {bars} |")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        writeln!(f, "| {} |", HEADS.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(HEADS.len()))?;
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by(|a, b| (&a.layout, &a.rungs, a.participants).cmp(&(&b.layout, &b.rungs, b.participants)));
        rows.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        if let Some(price) = self.core_price {
            writeln!(f, "\nCost: of one participant for an hour, at {price} a core and hour.")?;
        }
        writeln!(f)?;
        self.capacities.iter().try_for_each(|found| {
            let Capacity { layout, rungs, participants, or_more } = found;
            let rungs = if rungs.is_empty() { String::new() } else { format!(", rungs {rungs}") };
            writeln!(f, "{layout}{rungs}: {participants} people{}", if *or_more { " or more" } else { "" })
        })
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{msg:24} [{bar:30}] call {pos} of at most {len}, {elapsed}");
    style.expect("the template is well formed").progress_chars("=> ")
}

/// Cores, processor and memory, as the kernel tells them.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unnamed processor".to_owned());
    let memory =
        field("/proc/meminfo", "MemTotal").and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    let memory = memory.map_or_else(String::new, |kib| format!(", {} GiB", (kib + (1 << 19)) >> 20));
    format!("{cores} cores of {model}{memory}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(connected: u64, skipped: u64, p95: f64, freezes: u64) -> Value {
        serde_json::json!({
            "participants": { "asked": 10, "connected": connected, "seen": connected },
            "composite": { "codec": "av1" },
            "latency_ms": { "p95": p95 },
            "freezes": { "count": freezes },
            "audio": { "expected": 5, "heard": 5 },
            "measured": { "ticks": 300, "ticks_skipped": skipped, "joined_s": 1.5 },
            "cpu_cores": { "node": 0.5, "load": 0.25 },
            "rss_mib": { "node": 200.0 },
        })
    }

    #[test]
    fn a_call_holds_when_no_bar_breaks_and_says_what_a_participant_costs() {
        let row = Row::read(&told(10, 3, 200.0, 0), 10, Some(0.04));
        assert_eq!(row.broken, Vec::<String>::new());
        assert!((row.cost.unwrap() - 0.002).abs() < 1e-12);
        let layout = Row { layout: "grid".into(), ..row };
        assert_eq!(layout.to_string(), "| 10 | grid | first | av1 | 0.50 | 0.25 | 200 | 1.0 | 200 | 0.00200 | holds |");
    }

    #[test]
    fn each_bar_breaks_by_itself_and_is_named() {
        for (told, word) in [
            (told(9, 0, 100.0, 0), "9 of 10 connected"),
            (told(10, 4, 100.0, 0), "1.3 % skipped"),
            (told(10, 0, 201.0, 0), "p95 201 ms"),
            (told(10, 0, 100.0, 2), "2 freezes"),
        ] {
            let row = Row::read(&told, 10, None);
            assert_eq!((row.broken.first().map(String::as_str), row.cost), (Some(word), None));
        }
        let nothing = Row::read(&Value::Null, 10, None);
        assert!(nothing.broken.iter().any(|bar| bar.contains("0 of 10 seen")), "what tells nothing holds nothing");
    }

    #[test]
    fn rungs_and_prices_are_typed() {
        assert_eq!("1280x720+640x360".parse::<Rungs>().unwrap().joined(","), "1280x720,640x360");
        assert!("1280x720+small".parse::<Rungs>().is_err() && "mosaic".parse::<Layout>().is_err());
        assert!(price("0.04").is_ok() && price("-1").is_err() && price("NaN").is_err() && price("inf").is_err());
    }
}
