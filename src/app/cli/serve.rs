//! **The question:** what did the operator type after `tessera serve`?

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::app::cli::failure::Failure;
use crate::app::cli::interrupt::{Interrupt, Woken};
use crate::app::cli::terminal::{complain, say};
use crate::app::config::{Compositor, Config, Encoder, Recording, RecordingStart, Tls};
use crate::app::node::Node;
use crate::base::limits::{self, KEEPERS_AGREEING};
use crate::base::media::CodecPreference;
use crate::core::fleet::{Pod, PodError};
use crate::io::api::{BearerToken, BearerTokenError, HostName};
use crate::io::store::Keepers;

/// Where the token with which rooms are steered may stand too, for those who hand secrets over by the environment.
const TOKEN_VARIABLE: &str = "TESSERA_TOKEN";
/// Where Kubernetes says which pod this is (the downward API): its namespace, then its name.
const POD_VARIABLES: [&str; 2] = ["TESSERA_POD_NAMESPACE", "TESSERA_POD_NAME"];

/// Flags of `tessera serve`; each wins over the configuration file.
#[derive(Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// Configuration file (TOML); tessera.example.toml explains every key.
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// TCP address of pages, WHIP, WHEP and metrics [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
    /// UDP address of the media socket [default: 0.0.0.0:3478]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub media: Option<SocketAddr>,
    /// IP addresses written into answers, where clients reach this node [default: the interfaces' own]
    #[arg(long, value_name = "IP", num_args = 1..)]
    pub advertise: Vec<IpAddr>,
    /// Serve HTTPS with this certificate chain (PEM, leaf first)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve HTTPS with a certificate made at start; browsers warn once
    #[arg(long, conflicts_with = "tls_cert")]
    pub tls_self_signed: bool,
    /// Token with which rooms are steered over HTTP; better in TESSERA_TOKEN or the file, where `ps` does not show it
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<BearerToken>,
    /// Names under which clients reach this node, beside its IP addresses and localhost
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub host: Vec<HostName>,
    /// Record every room
    #[arg(long)]
    pub record: bool,
    /// Folder (or s3://bucket/prefix) for sealed recordings; implies --record [default: recordings]
    #[arg(long, value_name = "FOLDER")]
    pub recordings: Option<PathBuf>,
    /// Who encodes the composite [default: auto]
    #[arg(long, value_enum)]
    pub encoder: Option<Encoder>,
    /// What is sent to those who take AV1 and H.264 alike [default: auto]
    #[arg(long, value_enum)]
    pub codec: Option<CodecPreference>,
    /// Who composes the picture [default: auto]
    #[arg(long, value_enum)]
    pub compositor: Option<Compositor>,
    /// Only say whether file, flags and environment can be used; open nothing
    #[arg(long)]
    pub check: bool,
}

const EXAMPLES: &str = "\
Examples:
  tessera serve                                            plain HTTP, for browsers on this machine
  tessera serve --tls-self-signed --advertise 203.0.113.7  HTTPS, for browsers elsewhere
  tessera serve --config tessera.toml --recordings /srv/recordings
  tessera serve --config tessera.toml --check              exit code 0, or 2 and what is wrong

Join with a browser at /, publish by WHIP at /whip/ROOM, watch by WHEP at /whep/ROOM.";

impl ServeArgs {
    /// The file's configuration with the environment's token and these flags laid over it.
    ///
    /// # Errors
    /// When the file or the token cannot be used.
    pub fn configuration(&self) -> Result<Config, Failure> {
        let mut config = self.over_environment(std::env::var_os(TOKEN_VARIABLE))?;
        if let Some(pod) = own_pod(POD_VARIABLES.map(std::env::var_os))? {
            config.fleet.set_pod(pod);
        }
        Ok(config)
    }

    fn over_environment(&self, token: Option<OsString>) -> Result<Config, Failure> {
        let mut config = Config::load(self.config.as_deref())?;
        config.http.token = given_token(token)?.or(config.http.token);
        config.http.listen = self.http.unwrap_or(config.http.listen);
        config.media.listen = self.media.unwrap_or(config.media.listen);
        if !self.advertise.is_empty() {
            config.media.advertise.clone_from(&self.advertise);
        }
        config.http.token = self.token.clone().or(config.http.token);
        if !self.host.is_empty() {
            config.http.hosts.clone_from(&self.host);
        }
        let typed = Tls::from_keys(self.tls_cert.clone(), self.tls_key.clone(), self.tls_self_signed)?;
        if typed != Tls::Off {
            config.http.tls = typed;
        }
        config.recording.enabled |= self.record || self.recordings.is_some();
        if let Some(folder) = &self.recordings {
            config.recording.path.clone_from(folder);
            // A bucket's keeper stays where the configuration says.
            if !folder.starts_with("s3:") {
                config.recording.keeper = folder.with_added_extension("keeper");
                config.recording.spool = folder.with_added_extension("spool");
            }
        }
        if let Some(why) = config.webhooks.hooks.iter().find_map(|hook| hook.target().err()) {
            return Err(Failure::Usage(format!("webhooks.{why}")));
        }
        config.video.encoder = self.encoder.unwrap_or(config.video.encoder);
        config.video.codec = self.codec.unwrap_or(config.video.codec);
        config.video.compositor = self.compositor.unwrap_or(config.video.compositor);
        Ok(config)
    }
}

/// The token of the environment; empty, as an orchestrator sets what it has not, is none.
fn given_token(given: Option<OsString>) -> Result<Option<BearerToken>, Failure> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
    // What it is stays untold: a token that is nearly right opens something elsewhere.
    let token = given.to_str().unwrap_or_default().parse();
    token.map(Some).map_err(|error: BearerTokenError| Failure::Usage(format!("{TOKEN_VARIABLE}: {error}")))
}

/// The pod of the environment, if it says one.
fn own_pod(given: [Option<OsString>; 2]) -> Result<Option<Pod>, Failure> {
    let [namespace, name] = given.map(|given| given.unwrap_or_default());
    if namespace.is_empty() && name.is_empty() {
        return Ok(None);
    }
    let pod = format!("{}/{}", namespace.to_string_lossy(), name.to_string_lossy()).parse();
    pod.map(Some).map_err(|error: PodError| Failure::Usage(format!("{}: {error}", POD_VARIABLES.join(" and "))))
}

/// Runs a node until Ctrl-C, or until its rooms have ended after SIGTERM.
#[must_use]
pub fn run(args: ServeArgs) -> ExitCode {
    match serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let config = args.configuration()?;
    if args.check {
        // A configuration is checked on other machines too, where no secret lies.
        if let Some(absent) = config.http.tls.absent() {
            say!("the configuration can be used where {} is, which is not here", absent.display());
            return Ok(());
        }
        for notice in Node::check(&config)? {
            complain!("tessera: warning: {notice}");
        }
        say!("the configuration can be used");
        return Ok(());
    }
    crate::io::telemetry::log::init(config.log.level, config.log.format);
    let recording = config.recording.enabled.then(|| config.recording.clone());
    let drain_span = config.node.drain_span();
    // Where rooms go to other nodes they begin to by then.
    let patience = drain_span + config.fleet.trust().map_or(Duration::ZERO, |_| limits::MOVE_SPAN);
    let node = Node::start(config)?;
    let mut interrupt = Interrupt::listen()?;
    say!("tessera listens at {} (media on UDP {})", node.url(), node.media_address());
    if let Some(recording) = recording {
        print_recording(&recording, &node);
    }
    let woken = match interrupt.wait_or(node.lost(), std::future::pending()) {
        Woken::Terminate if !drain_span.is_zero() => wait_for_rooms(&node, &mut interrupt, (drain_span, patience)),
        woken => woken,
    };
    end_in_time()?;
    node.stop();
    match woken {
        Woken::Interrupt | Woken::Terminate | Woken::Done => Ok(()),
        Woken::Lost(name) => {
            Err(Failure::Failed(format!("{name} panicked, and a node cannot go on without it; the log says where")))
        }
    }
}

/// Whoever runs many processes asks them to end by SIGTERM, and waits: rooms may end by themselves meanwhile. Asked
/// once more, or by Ctrl-C, the node ends at once, and after `patience` in any case.
fn wait_for_rooms(node: &Node, interrupt: &mut Interrupt, (span, patience): (Duration, Duration)) -> Woken {
    node.leave(span);
    let (left, hangs) = (node.left(), node.hangs());
    interrupt.wait_or(node.lost(), async move {
        tokio::select! {
            () = left => {}
            () = hangs => tracing::error!("the node hangs; its rooms are not waited for"),
            // The node says and does so itself by then, unless it cannot.
            () = tokio::time::sleep(patience + limits::DRAIN_OVERTIME) => {}
        }
    })
}

/// Ends the process if the node takes too long to end, so that whoever waits for that need not kill it.
fn end_in_time() -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("no thread is left to end by: {error}"));
    let watch = || {
        std::thread::sleep(limits::STOP_SPAN);
        tracing::error!(after_s = limits::STOP_SPAN.as_secs(), "the node did not end in time; the process ends now");
        std::process::exit(1);
    };
    std::thread::Builder::new().name("end".into()).spawn(watch).map(drop).map_err(failed)
}

/// Where recordings go, until when, and what the keepers do not cover.
fn print_recording(recording: &Recording, node: &Node) {
    let (place, keeper) = (recording.path.display(), recording.keeper.display());
    let which = match recording.start {
        RecordingStart::Automatic => "every room is recorded",
        RecordingStart::Asked => "rooms are recorded when somebody asks",
    };
    say!("{which}, sealed, to {place}; nobody opens a recording {} h after its start", recording.retention_hours.get());
    match node.keepers() {
        None => say!(
            "one keeper holds the keys, in {keeper} (level 1): whoever copied that folder before a recording expired \
             can open it; docs/retention.md"
        ),
        Some(keepers) => print_keepers(keepers),
    }
    if let Some(token) = node.told_token() {
        say!("recordings are read with: Authorization: Bearer {token}");
    }
}

fn print_keepers(keepers: &Keepers) {
    let told = keepers.told();
    let level = if !told.is_empty() && told.iter().all(|told| told.in_memory) { 3 } else { 2 };
    say!(
        "{} of {} keepers answer (level {level}): any two open a recording, none does alone; docs/retention.md",
        told.len(),
        keepers.len()
    );
    for address in keepers.silent() {
        say!("the keeper {address} does not answer: see whether it runs, and is reached from here");
    }
    if told.len() < KEEPERS_AGREEING {
        say!("no recording begins before {KEEPERS_AGREEING} keepers answer; calls go on");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::app::cli::{Cli, Command};

    fn configuration(line: &str) -> Config {
        let Command::Serve(args) = Cli::parse_from(line.split(' ')).command else {
            unreachable!("the line says serve")
        };
        args.configuration().unwrap()
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        assert_eq!(configuration("tessera serve"), Config::default());
    }

    #[test]
    fn flags_win_over_the_configuration() {
        let config = configuration(
            "tessera serve --http 127.0.0.1:1 --media 127.0.0.1:2 --advertise 203.0.113.7 ::1 --tls-self-signed \
             --recordings /r --encoder rav1e --codec h264 --compositor cpu \
             --token 0123456789abcdef --host call.example",
        );
        assert_eq!(config.http.listen, SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(config.http.tls, Tls::SelfSigned);
        assert_eq!(config.media.listen, SocketAddr::from(([127, 0, 0, 1], 2)));
        assert_eq!(config.media.advertise.len(), 2);
        assert!(config.recording.enabled && config.recording.path.to_str() == Some("/r"));
        assert!(config.http.token.is_some_and(|token| token.is("0123456789abcdef")));
        assert_eq!(config.http.hosts.len(), 1);
        assert_eq!((config.video.encoder, config.video.compositor), (Encoder::Rav1e, Compositor::Cpu));
        assert_eq!(config.video.codec, CodecPreference::H264);
    }

    #[test]
    fn the_environments_token_wins_over_the_file_and_a_flag_over_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tessera.toml");
        std::fs::write(&path, "[http]\ntoken = \"of-the-file-long-enough\"\n").unwrap();
        let token = |flag: Option<&str>, environment: Option<&str>| {
            let token = flag.map(|token| token.parse().unwrap());
            let args = ServeArgs { config: Some(path.clone()), token, ..ServeArgs::default() };
            args.over_environment(environment.map(OsString::from)).map(|config| config.http.token)
        };
        let is = |told: Result<Option<BearerToken>, Failure>, wanted: &str| told.unwrap().unwrap().is(wanted);
        assert!(is(token(None, None), "of-the-file-long-enough"));
        assert!(is(token(None, Some("")), "of-the-file-long-enough"), "what an orchestrator has not");
        assert!(is(token(None, Some("of-the-environment")), "of-the-environment"));
        assert!(is(token(Some("0123456789abcdef"), Some("of-the-environment")), "0123456789abcdef"));
        let Err(Failure::Usage(told)) = token(None, Some("short secret")) else { unreachable!("it is too short") };
        assert!(told.starts_with("TESSERA_TOKEN: ") && !told.contains("short secret"), "{told}");
    }

    #[test]
    fn the_environment_of_a_pod_says_which_one_it_is() {
        let pod = |namespace: &str, name: &str| own_pod([namespace, name].map(|text| Some(OsString::from(text))));
        assert_eq!(
            pod("calls", "tessera-cpu-3").unwrap().map(|pod| pod.to_string()).as_deref(),
            Some("calls/tessera-cpu-3")
        );
        assert_eq!((own_pod([None, None]), pod("", "")), (Ok(None), Ok(None)));
        let Err(Failure::Usage(told)) = own_pod([None, Some("a".into())]) else {
            unreachable!("half of it says nothing")
        };
        assert!(told.starts_with("TESSERA_POD_NAMESPACE and TESSERA_POD_NAME: "), "{told}");
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        assert!(Cli::try_parse_from(["tessera", "serve", "--tls-cert", "a"]).is_err());
        assert!(Cli::try_parse_from(["tessera", "serve", "--tls-key", "a"]).is_err());
        let both = ["tessera", "serve", "--tls-self-signed", "--tls-cert", "a", "--tls-key", "b"];
        assert!(Cli::try_parse_from(both).is_err());
    }
}
