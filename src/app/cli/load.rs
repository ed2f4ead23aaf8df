//! **The question:** what did the operator type after `tessera load`?

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::app::cli::terminal::{complain, say};
use crate::app::cli::{Failure, Span};
use crate::app::config::{Side, Within};
use crate::app::load::{self, Codecs, HlsOptions, LinkPlan, LoadError, LoadOptions, Stack, Stage, StagePlan};
use crate::base::limits;
use crate::base::media::{RoomId, RungName, Size};
use crate::io::telemetry::log::Redacted;

/// Flags of `tessera load`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LoadArgs {
    /// The node's address
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The room's name
    #[arg(long, short, default_value = "load")]
    pub room: RoomId,
    /// The access token that a locked node asks for: `tessera token --room ROOM` makes one
    #[arg(long, value_name = "TOKEN", value_parser = redacted)]
    pub token: Option<Redacted<String>>,
    /// Simulated people
    #[arg(
        long, short, value_name = "COUNT", default_value = "16",
        value_parser = clap::value_parser!(u32).range(0..=100)
    )]
    pub participants: u32,
    /// How many more only watch, by WHEP; with -p 0, of a room where others are
    #[arg(
        long, value_name = "COUNT", default_value = "0",
        value_parser = clap::value_parser!(u32).range(0..=limits::VIEWERS_MAX as i64)
    )]
    pub viewers: u32,
    /// How long they stay once everyone is connected, such as 20s or 2m
    #[arg(long, short, value_name = "TIME", default_value = "20s")]
    pub duration: Span,
    /// How many of them decode the composite and read its barcodes [default: one in ten, 1 to 4]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub decoders: Option<u32>,
    /// How many of them speak
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub speakers: u32,
    /// How many of them share a screen, which shows what their camera does
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub screens: u32,
    /// The number that the first one's barcode and voice bear: several loads in one room need numbers apart, 0 to 127
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = clap::value_parser!(u32).range(0..=127))]
    pub first: u32,
    /// How many of them, from the first on, do not want to be recorded
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub unrecorded: u32,
    /// The rungs that people and viewers ask for, in turn, such as 1280x720,640x360 [default: the room's first]
    #[arg(long, value_name = "RUNGS", value_delimiter = ',', conflicts_with = "no_video")]
    pub rungs: Vec<RungName>,
    /// Nobody sends or takes pictures: voices and the mix alone
    #[arg(long, conflicts_with_all = ["decoders", "screens", "width", "height", "fps", "heedless", "codecs"])]
    pub no_video: bool,
    /// Codecs that they take pictures in, the preferred one first, in which they send [default: av1,h264]
    #[arg(long, value_name = "CODECS", default_value_t, hide_default_value = true)]
    pub codecs: Codecs,
    /// Columns of each camera until the node says what it needs
    #[arg(long, value_name = "PIXELS", default_value = "320")]
    pub width: Side,
    /// Rows of each camera until the node says what it needs
    #[arg(long, value_name = "PIXELS", default_value = "180")]
    pub height: Side,
    /// Frames a second of each camera until the node says what it needs, and at most
    #[arg(long, default_value = "30")]
    pub fps: Within<1, 60>,
    /// Cameras and screens send --width, --height and --fps whatever the node says it needs
    #[arg(long)]
    pub heedless: bool,
    /// By which WebRTC those come who could by either, who neither decode nor listen, share no screen and have no bad
    /// link: webrtc (the crate, independent of the node), own (the node's, all on one thread, cheap), or auto: own for
    /// more than 24 people
    #[arg(long, value_name = "STACK", default_value_t)]
    pub stack: Stack,
    /// A bad link between them and the node, and what becomes of it TIME after measuring began:
    /// loss=5%, delay=50ms, jitter=20ms, rate=300k, queue=1s; up- or down- before one is for that way alone
    #[arg(long, value_name = "[TIME:]LINK")]
    pub link: Vec<StagePlan>,
    /// How many of them, from the last on, are behind that link [default: all]
    #[arg(long, value_name = "COUNT", requires = "link", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub linked: Option<u32>,
    /// Seed of everything random, so that a run can be repeated
    #[arg(long, default_value = "1")]
    pub seed: u64,
    /// Nobody joins: so many watch the room by HLS, and read every part and playlist
    #[arg(
        long, value_name = "COUNT", conflicts_with_all = ["participants", "viewers", "no_video", "decoders"],
        value_parser = clap::value_parser!(u32).range(1..=5_000)
    )]
    pub hls: Option<u32>,
    /// What those watch, as the room's playlist names it, such as h264-640x360 [default: the first]
    #[arg(long, value_name = "RUNG", requires = "hls")]
    pub hls_rung: Option<String>,
    /// Write what was measured as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print no table at the end
    #[arg(long, short)]
    pub quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  tessera load                                            16 people for the node on this machine
  tessera load --url https://node.example --room standup  into a room where others are
  tessera load --participants 40 --decoders 2 --json load.json
  tessera load --codecs h264                              people whose browsers have no AV1
  tessera load --heedless --width 640 --height 360        cameras that send more than their tile needs
  tessera load --participants 100 --speakers 5 --no-video  what sound alone costs the node
  tessera load --link loss=10%,delay=50ms,jitter=20ms --linked 1       the last of them over a bad radio link
  tessera load --link down-rate=3M --link 10s:down-rate=300k --link 20s:down-rate=3M  a link that narrows for 10 s
  tessera load --viewers 50                               and fifty who only watch, by WHEP
  tessera load -p 0 --viewers 200 --room standup          only those, of a room where others are
  tessera load --hls 500 --room standup                   people who only watch, by HLS";

/// What is typed and printed nowhere.
fn redacted(text: &str) -> Result<Redacted<String>, Infallible> {
    Ok(Redacted::new(text.to_owned()))
}

/// Brings simulated people to a node and tells what they saw and heard.
#[must_use]
pub fn run(args: LoadArgs) -> ExitCode {
    if let Some(viewers) = args.hls {
        return watch(args, viewers as usize);
    }
    if args.participants + args.viewers == 0 {
        let told = "nobody is to come: give a number to --participants or --viewers";
        return Failure::Usage(told.to_owned()).report();
    }
    if args.participants + args.first > u32::from(load::barcode::HIGHEST_NUMBER) + 1 {
        let highest = load::barcode::HIGHEST_NUMBER;
        let told = format!("people are told apart by numbers up to {highest}: give a smaller one to --first");
        return Failure::Usage(told).report();
    }
    let options = LoadOptions {
        url: args.url,
        token: args.token,
        room: args.room,
        participants: args.participants as usize,
        viewers: args.viewers as usize,
        duration: args.duration.0,
        decoders: args.decoders.map(|count| count as usize),
        speakers: args.speakers as usize,
        screens: args.screens as usize,
        first: args.first as usize,
        unrecorded: args.unrecorded as usize,
        rungs: args.rungs,
        video: !args.no_video,
        size: Size::new(args.width.get(), args.height.get()),
        fps: args.fps.get(),
        obeys: !args.heedless,
        codecs: args.codecs,
        stack: args.stack,
        link: LinkPlan::new(args.link),
        linked: args.linked.map(|count| count as usize),
        seed: args.seed,
    };
    let bar = ProgressBar::new(0).with_style(style());
    let (quiet, begun) = (args.quiet, AtomicBool::new(false));
    let report = load::run(&options, &|stage| {
        // Who reads this in a pipe sees no bar.
        let begins = matches!(stage, Stage::Measuring(_)) && !begun.swap(true, Ordering::Relaxed);
        if begins && bar.is_hidden() && !quiet {
            complain!("measuring");
        }
        show(&bar, &options, stage);
    });
    bar.finish_and_clear();
    let report = match report {
        Ok(report) => report,
        Err(error @ LoadError::Url { .. }) => return Failure::Usage(error.to_string()).report(),
        Err(error) => return Failure::Failed(error.to_string()).report(),
    };
    if !args.quiet {
        say!("{}", report.to_string().trim_end());
    }
    match args.json.map(|path| write_json(&path, &report)) {
        Some(Err(failure)) => failure.report(),
        _ => ExitCode::SUCCESS,
    }
}

fn watch(args: LoadArgs, viewers: usize) -> ExitCode {
    let LoadArgs { url, room, hls_rung, quiet, json, .. } = args;
    let (token, duration) = (args.token, args.duration.0);
    let report = load::watch(&HlsOptions { url, token, room, viewers, duration, rung: hls_rung });
    let report = match report {
        Ok(report) => report,
        Err(error @ LoadError::Url { .. }) => return Failure::Usage(error.to_string()).report(),
        Err(error) => return Failure::Failed(error.to_string()).report(),
    };
    if !quiet {
        say!("{}", report.to_string().trim_end());
    }
    match json.map(|path| write_json(&path, &report)) {
        Some(Err(failure)) => failure.report(),
        _ => ExitCode::SUCCESS,
    }
}

fn write_json(path: &Path, report: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(report).expect("a report has string keys and finite numbers");
    std::fs::write(path, json + "\n").map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{msg:12} [{bar:40}] {pos}/{len}{prefix}");
    style.expect("the template is well formed").progress_chars("=> ")
}

fn show(bar: &ProgressBar, options: &LoadOptions, stage: Stage) {
    let people = options.participants as u64;
    let (message, unit, done, of) = match stage {
        Stage::Preparing(done) => ("making clips", "", done as u64, people),
        Stage::Connecting(done) => ("connecting", "", done as u64, people),
        Stage::Gathering(done) => ("viewers", "", done as u64, options.viewers as u64),
        Stage::Measuring(span) => ("measuring", " s", span.as_secs(), options.duration.as_secs()),
        Stage::Leaving => ("leaving", "", people, people),
    };
    bar.set_message(message);
    bar.set_prefix(unit);
    bar.set_length(of);
    bar.set_position(done);
}
