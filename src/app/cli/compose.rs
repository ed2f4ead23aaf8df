//! **The question:** what did the operator type after `tessera compose`?

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::cli::terminal::{complain, say};
use crate::app::cli::{Canvas, Failure};
use crate::app::config::{Encoder, Within};
use crate::app::offline::{self, Ended, Job, Progress, RecomposeError, Summary};
use crate::base::media::Codec;
use crate::core::scene::{Layout, LayoutName};
use crate::engine::encode::{EncodeError, EncoderChoice};

/// Flags of `tessera compose`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub struct ComposeArgs {
    /// Media files, one a tile, in the order of the tiles
    #[arg(value_name = "IN", required = true)]
    pub files: Vec<PathBuf>,
    /// Who is seen where: grid, speaker, presentation, pip, single, or the file of a layout document
    #[arg(long, value_name = "NAME|FILE", default_value = "grid")]
    pub layout: LayoutChoice,
    /// Draw each file's name into its tile
    #[arg(long)]
    pub names: bool,
    /// The composite's size; even sides, 160 to 3840
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x720")]
    pub size: Canvas,
    /// The composite's frames a second
    #[arg(long, default_value = "30")]
    pub fps: Within<1, 60>,
    /// Bits a second of its picture, such as 2500k or 4M
    #[arg(long, value_name = "RATE", default_value = "2500k")]
    pub bitrate: Bitrate,
    /// How the picture is coded
    #[arg(long, value_enum, default_value = "av1")]
    pub codec: FilmCodec,
    /// Who encodes AV1; auto is aom here, for a file keeps no clock waiting
    #[arg(long, value_enum, default_value = "auto")]
    pub encoder: Encoder,
    /// The MP4 to write (or unencoded Y4M, if its name ends so); what stood there is replaced once the new one is whole
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// What a file that ended leaves behind while others go on
    #[arg(long, value_enum, default_value = "placeholder")]
    pub ended: EndedChoice,
    /// Mix no sound, although files have some
    #[arg(long)]
    pub no_sound: bool,
    /// Threads of the encoder; the same number gives the same bytes [default: half the cores, at most 4]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: Option<u32>,
    /// Print the summary as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Show no progress and no summary
    #[arg(long, short)]
    pub quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  tessera compose --out call.mp4 ann.webm bob.webm
  tessera compose --layout grid --size 1920x1080 --bitrate 4M --out wall.mp4 cameras/*.ivf
  tessera compose --json --quiet --out call.mp4 *.mp4 | jq .speed

'tessera compose --help' tells what is read and how files of different kinds meet.";

const LONG_HELP: &str = "\
What is read: AV1 of any depth in IVF, MP4 (fragmented or not), WebM or Matroska, Opus of any channels in MP4, WebM,
Matroska or Ogg, and raw 8-bit 4:2:0 in Y4M; told apart by content, not by name, whole, still growing or cut off.
1 to 100 files with pictures, sound or both, pictures up to 4K. Anything else becomes readable with
  ffmpeg -i IN -pix_fmt yuv420p -c:v libsvtav1 -preset 10 -c:a libopus OUT.webm

What is written: one MP4 with AV1 (or H.264), and Opus if a file has Opus sound: all of it mixed. Other sound is left
out, with a warning. A name that ends in .y4m gets the unencoded canvas, to measure encoders by.

Layouts: grid shows all alike; speaker and pip show the first file large, single shows it alone. docs/layout.md tells
how to write a document of regions.

How files meet: each begins with what it holds first, picture or sound; only a recording's own tracks keep its
timeline. A tick shows each file's newest picture, so frame rates may differ. Pictures keep their shape, and are turned,
cut and stretched as their file says; a file without pictures shows initials. Of several tracks of a kind the one that
players choose is taken. Broken frames leave their tile as it was until a keyframe heals it; a file that is cut off ends
there, with a warning. The result is as long as the longest file, pictures or sound.

The same files and flags give the same bytes. Ctrl-C closes the file where it is; it plays.

Examples:
  tessera compose --out call.mp4 ann.webm bob.webm
  tessera compose --layout grid --size 1920x1080 --bitrate 4M --out wall.mp4 cameras/*.ivf
  tessera compose --json --quiet --out call.mp4 *.mp4 | jq .speed

Exit codes: 0 it is made, 1 it failed or was stopped, 2 what was asked cannot be done.";

/// A layout as typed: its name, or the file of its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutChoice(pub Layout);

impl FromStr for LayoutChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const NAMES: [LayoutName; 5] =
            [LayoutName::Grid, LayoutName::Speaker, LayoutName::Presentation, LayoutName::Pip, LayoutName::Single];
        let name_of = |name: &LayoutName| serde_json::to_value(name).is_ok_and(|value| value == text);
        if let Some(name) = NAMES.iter().find(|name| name_of(name)) {
            return Ok(Self(Layout::from(*name)));
        }
        let document = std::fs::read_to_string(text).map_err(|_| {
            "give grid, speaker, presentation, pip, single, or the file of a layout document (docs/layout.md)"
                .to_owned()
        })?;
        Layout::parse(&document).map(Self).map_err(|error| error.to_string())
    }
}

/// How a film is coded, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FilmCodec {
    /// AV1: fewer bits.
    Av1,
    /// H.264: less work, and every player's.
    H264,
}

/// What a file that ended leaves behind, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EndedChoice {
    /// Its initials, as a camera that was switched off.
    Placeholder,
    /// Its last picture.
    Hold,
    /// Nothing; the others close up.
    Leave,
}

/// Bits a second as typed: `2500000`, `2500k` or `2.5M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bitrate(pub u32);

impl FromStr for Bitrate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, factor) = match text.chars().last() {
            Some('k' | 'K') => (&text[..text.len() - 1], 1e3),
            Some('m' | 'M') => (&text[..text.len() - 1], 1e6),
            _ => (text, 1.0),
        };
        let rate = digits.parse::<f64>().map(|value| (value * factor).round());
        match rate {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in the range")]
            Ok(rate) if (10_000.0..=100e6).contains(&rate) => Ok(Self(rate as u32)),
            _ => Err("give bits a second, 10k to 100M, such as 2500k".to_owned()),
        }
    }
}

/// Composes files into one.
#[must_use]
pub fn run(args: ComposeArgs) -> ExitCode {
    match compose(&args) {
        Ok(summary) if summary.interrupted => {
            let at = summary.duration_s;
            Failure::Failed(format!("stopped; {} holds the first {at:.1} s", summary.out.display())).report()
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn compose(args: &ComposeArgs) -> Result<Summary, Failure> {
    let job = job(args);
    let stop = Interrupt::begin().map_err(|error| Failure::Failed(format!("cannot wait for Ctrl-C: {error}")))?;
    let bar = if args.quiet { ProgressBar::hidden() } else { ProgressBar::new(0).with_style(style()) };
    let result = offline::run(&job, &stop.asked, &|progress| show(&bar, progress));
    bar.finish_and_clear();
    let summary = result?;
    for warning in &summary.warnings {
        complain!("tessera: {warning}");
    }
    if args.json {
        say!("{}", serde_json::to_string_pretty(&summary).expect("a summary has finite numbers"));
    } else if !args.quiet {
        print_summary(&summary);
    }
    Ok(summary)
}

fn job(args: &ComposeArgs) -> Job {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Job {
        files: args.files.clone(),
        out: args.out.clone(),
        size: args.size.size(),
        fps: args.fps.get(),
        bitrate: args.bitrate.0,
        codec: match args.codec {
            FilmCodec::Av1 => Codec::Av1,
            FilmCodec::H264 => Codec::H264,
        },
        encoder: match args.encoder {
            Encoder::Auto => EncoderChoice::Auto,
            Encoder::Aom => EncoderChoice::Aom,
            Encoder::Rav1e => EncoderChoice::Rav1e,
        },
        encoder_threads: args.threads.map_or((cores / 2).clamp(1, 4), |count| count as usize),
        decode_threads: cores,
        layout: args.layout.0.clone(),
        names: args.names,
        ended: match args.ended {
            EndedChoice::Placeholder => Ended::Placeholder,
            EndedChoice::Hold => Ended::Hold,
            EndedChoice::Leave => Ended::Leave,
        },
        sound: !args.no_sound,
    }
}

/// Hears Ctrl-C and SIGTERM while it lives.
struct Interrupt {
    asked: Arc<AtomicBool>,
    _runtime: tokio::runtime::Runtime,
}

impl Interrupt {
    fn begin() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let guard = runtime.enter();
        let (mut interrupts, mut ends) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        drop(guard);
        let asked = Arc::new(AtomicBool::new(false));
        let heard = asked.clone();
        runtime.spawn(async move {
            tokio::select! { _ = interrupts.recv() => {}, _ = ends.recv() => {} }
            heard.store(true, Ordering::Relaxed);
        });
        Ok(Self { asked, _runtime: runtime })
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("composing [{bar:40}] {prefix}, {msg}");
    style.expect("the template is well formed").progress_chars("=> ")
}

fn show(bar: &ProgressBar, progress: Progress) {
    let seconds = |span: Duration| span.as_secs();
    let elapsed = bar.elapsed().as_secs_f64().max(0.01);
    let total = progress.total.map_or_else(String::new, |total| format!(" of {} s", seconds(total)));
    bar.set_prefix(format!("{}{total}", seconds(progress.done)));
    bar.set_message(format!("{:.1} times real time", progress.done.as_secs_f64() / elapsed));
    bar.set_length(progress.total.map_or(0, seconds));
    bar.set_position(seconds(progress.done));
}

fn print_summary(summary: &Summary) {
    let Summary { frames, duration_s, bytes, bitrate, wall_s, speed, encoder, compositor, .. } = summary;
    say!(
        "{}: {frames} frames, {duration_s:.1} s, {:.1} MB, {} kb/s",
        summary.out.display(),
        *bytes as f64 / 1e6,
        bitrate / 1000
    );
    let sound = match summary.files_with_sound {
        0 => "silent".to_owned(),
        count => format!("sound of {count} mixed"),
    };
    say!(
        "{} files, {sound}; {wall_s:.1} s, {speed:.1} times real time; encoder {encoder}, compositor {compositor}",
        summary.files
    );
}

impl From<RecomposeError> for Failure {
    fn from(error: RecomposeError) -> Self {
        match error {
            RecomposeError::Input { .. }
            | RecomposeError::Count(_)
            | RecomposeError::Same(_)
            | RecomposeError::Output { .. }
            | RecomposeError::Encode(EncodeError::Setup(_)) => Self::Usage(error.to_string()),
            RecomposeError::Encode(_) | RecomposeError::Thread(_) => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::app::cli::{Cli, Command};

    fn parse(line: &str) -> Result<Job, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| match cli.command {
            Command::Compose(args) => job(&args),
            _ => unreachable!("the line says compose"),
        })
    }

    #[test]
    fn the_line_of_the_manual_is_understood() {
        let job = parse(
            "tessera compose --layout grid --size 1280x720 --fps 30 --bitrate 2500k --encoder auto --out out.mp4 a b",
        )
        .unwrap();
        assert_eq!((job.size.width, job.size.height, job.fps, job.bitrate), (1280, 720, 30, 2_500_000));
        assert_eq!(
            (job.files.len(), job.encoder, job.ended, job.sound),
            (2, EncoderChoice::Auto, Ended::Placeholder, true)
        );
        assert_eq!((job.out, job.codec), (PathBuf::from("out.mp4"), Codec::Av1));
        assert_eq!(parse("tessera compose --codec h264 --out out.mp4 a").unwrap().codec, Codec::H264);
    }

    #[test]
    fn wrong_arguments_are_told_in_words() {
        let told = |line: &str| {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            error.to_string()
        };
        assert!(told("tessera compose --out o.mp4").contains("<IN>"));
        assert!(told("tessera compose a.ivf").contains("--out"));
        assert!(told("tessera compose --layout mosaic --out o.mp4 a").contains("layout document"));
        assert!(told("tessera compose --size 1281x720 --out o.mp4 a").contains("1281 is odd"));
        assert!(told("tessera compose --bitrate fast --out o.mp4 a").contains("such as 2500k"));
        assert!(told("tessera compose --encoder x264 --out o.mp4 a").contains("rav1e"));
        assert!(told("tessera compose --fps 0 --out o.mp4 a").contains("fps"));
    }

    #[test]
    fn rates_are_parsed_with_their_unit() {
        for (text, rate) in [("2500k", 2_500_000), ("2.5M", 2_500_000), ("90000", 90_000), ("1m", 1_000_000)] {
            assert_eq!(text.parse(), Ok(Bitrate(rate)), "{text}");
        }
        for text in ["", "k", "0", "-1k", "1G", "9k", "101M", "NaN", "inf"] {
            assert!(text.parse::<Bitrate>().is_err(), "{text}");
        }
    }
}
