//! **The question:** what did the operator type after `tessera support`? One file for whoever helps, in which nobody is
//! named; each part is told as it is gathered.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use reqwest::{Client, Url};

use crate::app::cli::drain::{own_url, token};
use crate::app::cli::failure::Failure;
use crate::app::cli::terminal::say;
use crate::app::config::Config;
use crate::app::load::{client_builder, node_url};
use crate::app::node::measure;
use crate::app::support::{Bundle, LogLines, ToldConfig, kept_of_metrics, kept_of_node, machine, program};
use crate::base::limits;
use crate::base::media::Wallclock;
use crate::io::egress::body;

/// Flags of `tessera support`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SupportArgs {
    /// The node's configuration file, of which no text is told that somebody typed
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A running node's address [default: this machine, where the configuration has it listen]
    #[arg(long)]
    pub url: Option<String>,
    /// A file that holds the node's log
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Where the bundle is written; nothing is overwritten
    #[arg(long, short, value_name = "FILE", default_value = "tessera-support.tar.gz")]
    pub out: PathBuf,
}

const EXAMPLES: &str = "\
What is in it, as texts: the program's version and features, the machine, which keys of the configuration are set and
of those that name nobody the values, what encoding costs here, and of a running node its health, what it says of
itself, and its metrics; of a log its lines, of which only the program's own words and numbers are kept. Look into it
before you give it away: tar -xzf tessera-support.tar.gz -O | less

Examples:
  tessera support --config /etc/tessera.toml
  journalctl -u tessera -o cat > node.log; tessera support --config /etc/tessera.toml --log node.log
  TESSERA_TOKEN=… tessera support --url https://node.example

Exit codes: 0 the bundle is there, 1 it could not be written, 2 what was asked cannot be done.";

/// What is gathered, part by part.
struct Gathered {
    config: ToldConfig,
    parts: Vec<(&'static str, String)>,
}

impl Gathered {
    fn add(&mut self, name: &'static str, text: &str) {
        self.parts.push((name, self.config.without_removed(text)));
    }
}

/// Gathers, and says where it lies.
#[must_use]
pub fn run(args: SupportArgs) -> ExitCode {
    match gather(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn gather(args: &SupportArgs) -> Result<(), Failure> {
    let unusable = |path: &Path, error: io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    // First of all, so that nothing is gathered in vain.
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.out);
    let mut out = options.map_err(|error| unusable(&args.out, error))?;
    let written = parts(args).and_then(|parts| {
        let packed = pack(&parts).and_then(|packed| out.write_all(&packed).and_then(|()| out.sync_all()));
        packed.map_err(|error| Failure::Failed(format!("{}: {error}", args.out.display())))
    });
    if let Err(failure) = written {
        // What is empty or half is of no use to anybody.
        let _ = std::fs::remove_file(&args.out);
        return Err(failure);
    }
    say!("the bundle is {}; look into it before you give it away", args.out.display());
    Ok(())
}

fn parts(args: &SupportArgs) -> Result<Vec<(&'static str, String)>, Failure> {
    let unusable = |path: &Path, error: io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let text = args.config.as_deref().map(|path| std::fs::read_to_string(path).map_err(|error| unusable(path, error)));
    let text = text.transpose()?.unwrap_or_default();
    let config = ToldConfig::of(&text);
    say!("configuration: {} keys are set, of {} the value is left out", config.lines.len(), config.left_out);
    let lines = config.lines.join("\n");
    let mut gathered = Gathered { config, parts: Vec::new() };
    gathered.parts.push(("configuration.txt", lines));
    gathered.add("program.txt", &program());
    gathered.add("machine.txt", &machine());
    say!("the machine is measured, which takes some seconds");
    let measured = measure().map_or_else(
        |why| format!("it could not be measured: {why}"),
        |facts| serde_json::to_string_pretty(&facts).expect("facts are JSON"),
    );
    gathered.add("measured.json", &measured);
    let loaded = Config::load(args.config.as_deref());
    if let Err(error) = &loaded {
        say!("a node would not start with this configuration: {error}");
        gathered.add("configuration-refused.txt", "a node would not start with it");
    }
    let url = args.url.clone().or_else(|| loaded.as_ref().ok().map(own_url));
    match url {
        Some(url) => ask(&url, loaded.as_ref().ok(), &mut gathered)?,
        None => say!("no node is asked: give --url"),
    }
    if let Some(path) = &args.log {
        let log = end_of(path).map_err(|error| unusable(path, error))?;
        let (kept, left_out) = kept_of_log(&log).map_err(|error| Failure::Failed(format!("this program: {error}")))?;
        say!("log: {} lines are kept, {left_out} of another form are left out", kept.lines().count());
        gathered.add("log.txt", &kept);
    }
    Ok(gathered.parts)
}

fn pack(parts: &[(&'static str, String)]) -> io::Result<Vec<u8>> {
    let mut bundle = Bundle::new(Wallclock::from_system_time(SystemTime::now()).unix_seconds());
    for (name, text) in parts {
        bundle.add(name, text)?;
    }
    bundle.finish()
}

/// The end of a file, as far as it is read; bytes that are no text are replaced.
fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    // What is no file that one can go about in is read from where it stands.
    let _ = file.seek(SeekFrom::Start(len.saturating_sub(limits::SUPPORT_LOG_LEN_MAX)));
    let mut bytes = Vec::new();
    file.take(limits::SUPPORT_LOG_LEN_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines that are kept, and how many are not.
fn kept_of_log(log: &str) -> io::Result<(String, usize)> {
    let mut lines = LogLines::new(&std::fs::read(std::env::current_exe()?)?);
    let (mut kept, mut left_out) = (String::new(), 0);
    for line in log.lines() {
        match lines.kept(line) {
            Some(line) => kept.extend([line.as_str(), "\n"]),
            None => left_out += 1,
        }
    }
    Ok((kept, left_out))
}

/// What a node says. One that is down, or refuses, is no reason to gather nothing: that may be what is to be mended.
fn ask(url: &str, config: Option<&Config>, gathered: &mut Gathered) -> Result<(), Failure> {
    let node = node_url(url).map_err(|error| Failure::Usage(error.to_string()))?;
    let token = config.map_or_else(|| token(&Config::default()), token)?;
    let client = client_builder(&node, None).timeout(limits::SUPPORT_CALL_SPAN).build();
    let client = client.map_err(|error| Failure::Failed(format!("no HTTP client: {error}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the system refused: {error}")))?;
    for (path, name) in
        [("healthz", "health.txt"), ("readyz", "ready.txt"), ("v1/node", "node.json"), ("metrics", "metrics.txt")]
    {
        let told = runtime.block_on(get(&client, &node, path, token.as_deref()));
        let text = match &told {
            Ok((200, body)) if path == "metrics" => kept_of_metrics(body),
            Ok((200, body)) if path == "v1/node" => kept_of_node(body),
            Ok((status, _)) => format!("it answers {status}\n"),
            Err(_) => "it does not answer\n".to_owned(),
        };
        match &told {
            Ok((status, _)) => say!("/{path} of the node: {status}"),
            Err(error) => say!("/{path} of the node: {}", crate::app::load::told(error)),
        }
        gathered.add(name, &text);
    }
    Ok(())
}

/// Status and text of an answer.
async fn get(client: &Client, node: &Url, path: &str, token: Option<&str>) -> Result<(u16, String), reqwest::Error> {
    let mut url = node.clone();
    url.set_path(path);
    let request = token.iter().fold(client.get(url), |request, token| request.bearer_auth(token));
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    let (bytes, _) = body(&mut response, limits::SUPPORT_ANSWER_LEN_MAX).await?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}
