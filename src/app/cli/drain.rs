//! **The question:** what did the operator type after `tessera drain`? It lets a node come to be without rooms and
//! waits for that, as what ends nodes one after another wants to (a `preStop` hook of Kubernetes).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;

use crate::app::cli::failure::Failure;
use crate::app::cli::terminal::say;
use crate::app::cli::typed::Span;
use crate::app::config::{Config, Tls};
use crate::app::load::{LoadError, client_builder, node_url, refusal, told, unreachable};
use crate::base::limits;
use crate::io::api::BearerToken;

/// Where the operator's token may stand, so that no list of processes shows it.
const TOKEN: &str = "TESSERA_TOKEN";

/// Flags of `tessera drain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DrainArgs {
    /// The node's configuration file: where it listens, and its http.token
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The node's address [default: this machine, where the configuration has it listen]
    #[arg(long)]
    pub url: Option<String>,
    /// End the rooms that still run after so long, such as 30m; in a fleet whose nodes share a secret they move to
    /// other nodes then. Without it they end by themselves, and move after node.drain_seconds; of a node that drains
    /// already, no time begins anew without it
    #[arg(long, value_name = "TIME", conflicts_with = "undo")]
    pub within: Option<Span>,
    /// Return once no room is left and no recording waits for its store
    #[arg(long, short, conflicts_with = "undo")]
    pub wait: bool,
    /// Begin rooms again
    #[arg(long)]
    pub undo: bool,
}

const EXAMPLES: &str = "\
A node that drains begins no room; those that run go on and can be joined. It stays so, also when this command is
stopped, until --undo. The token is that of the configuration's [http], or of the environment variable TESSERA_TOKEN.

Examples:
  tessera drain --config /etc/tessera.toml --within 30m --wait   before the node of this machine is ended
  tessera drain --url https://node.example --undo                it was not meant so

Exit codes: 0 it is so (with --wait: the node is empty), 1 it is not, 2 what was asked cannot be done.";

/// Asks the node, and waits if that is wanted.
#[must_use]
pub fn run(args: DrainArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let failed = |error: std::io::Error| Failure::Failed(format!("the system refused: {error}"));
    let done = runtime.map_err(failed).and_then(|runtime| runtime.block_on(drain(&args)));
    done.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

async fn drain(args: &DrainArgs) -> Result<(), Failure> {
    let config = Config::load(args.config.as_deref())?;
    let node = Remote::open(args.url.clone().unwrap_or_else(|| own_url(&config)), token(&config)?)?;
    if args.undo {
        node.ask(Method::DELETE, "v1/node/drain", None).await?;
        say!("rooms begin again");
        return Ok(());
    }
    let asked = args.within.map(|span| json!({ "within_s": span.0.as_secs() }).to_string());
    let standing = node.ask(Method::POST, "v1/node/drain", asked).await?;
    say!("no room begins any more; {standing}");
    if args.wait { wait(&node, standing).await } else { Ok(()) }
}

/// Until nothing is left, saying whenever less is.
async fn wait(node: &Remote, mut before: StandingTold) -> Result<(), Failure> {
    let mut failures = 0;
    while !before.is_empty() {
        tokio::time::sleep(limits::DRAIN_POLL_SPACING).await;
        let now = match node.ask(Method::GET, "v1/node", None).await {
            Ok(now) => now,
            // A busy node or a network that hiccups is no reason to end it.
            Err(_) if failures < limits::DRAIN_POLLS_FAILED_MAX => {
                failures += 1;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        failures = 0;
        if now.drain.is_none() {
            return Err(Failure::Failed("the drain was revoked, or the node restarted: rooms begin again".into()));
        }
        if now.counts() != before.counts() {
            say!("{now}");
        }
        before = now;
    }
    say!("the node is empty");
    Ok(())
}

/// What is read of `GET /v1/node`; a node of another version may say more.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct StandingTold {
    rooms: u64,
    people: u64,
    finishing: u64,
    unsent_bytes: u64,
    drain: Option<DrainTold>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct DrainTold {
    ends_in_s: Option<u64>,
    moves_in_s: Option<u64>,
}

impl StandingTold {
    fn is_empty(&self) -> bool {
        self.rooms == 0 && self.finishing == 0 && self.unsent_bytes == 0
    }

    fn counts(&self) -> (u64, u64, u64, bool) {
        (self.rooms, self.people, self.finishing, self.unsent_bytes > 0)
    }
}

impl fmt::Display for StandingTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        let people = if self.people == 1 { "person" } else { "people" };
        write!(f, "{} room{} with {} {people} left", self.rooms, plural(self.rooms), self.people)?;
        let span = |seconds: u64| format!("{} min {} s", seconds / 60, seconds % 60);
        match self.drain.as_ref().filter(|_| self.rooms > 0) {
            Some(DrainTold { moves_in_s: Some(0), .. }) => f.write_str(", on the way to other nodes")?,
            Some(DrainTold { moves_in_s: Some(seconds), .. }) => {
                write!(f, ", which go to other nodes in {}", span(*seconds))?;
            }
            Some(DrainTold { ends_in_s: Some(seconds), .. }) => write!(f, ", for {} at most", span(*seconds))?,
            Some(DrainTold { moves_in_s: None, ends_in_s: None }) | None => {}
        }
        if self.finishing > 0 {
            write!(f, "; {} room{} to be closed", self.finishing, plural(self.finishing))?;
        }
        if self.unsent_bytes > 0 {
            write!(f, "; {:.1} MiB wait for their store", self.unsent_bytes as f64 / f64::from(1 << 20))?;
        }
        Ok(())
    }
}

/// A node, asked over HTTP.
struct Remote {
    client: Client,
    node: Url,
    token: Option<String>,
}

impl Remote {
    fn open(url: String, token: Option<String>) -> Result<Self, Failure> {
        let wrong = |error: LoadError| Failure::Usage(error.to_string());
        let node = node_url(&url).map_err(wrong)?;
        let unusable = |error: reqwest::Error| wrong(LoadError::Url { url, why: told(&error) });
        let client = client_builder(&node, None).build().map_err(unusable)?;
        Ok(Self { client, node, token })
    }

    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<StandingTold, Failure> {
        let failed = |error: LoadError| Failure::Failed(error.to_string());
        let silent = |error: reqwest::Error| failed(unreachable(&self.node, &error));
        let mut url = self.node.clone();
        url.set_path(path);
        let mut request = self.client.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let response = request.send().await.map_err(silent)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let why = format!("the node takes no such token: set {TOKEN}, or give its configuration with --config");
            return Err(Failure::Failed(why));
        }
        if !response.status().is_success() {
            return Err(failed(refusal(response).await));
        }
        response.json().await.map_err(silent)
    }
}

/// Where the node of this machine is reached that has this configuration.
pub(super) fn own_url(config: &Config) -> String {
    let listen = config.http.listen;
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let scheme = if config.http.tls == Tls::Off { "http" } else { "https" };
    format!("{scheme}://{}", SocketAddr::new(ip, listen.port()))
}

/// The environment's, which wins, or the configuration's.
pub(super) fn token(config: &Config) -> Result<Option<String>, Failure> {
    let given = std::env::var(TOKEN).ok().filter(|given| !given.is_empty());
    let given = given.map(|given| given.parse::<BearerToken>()).transpose();
    let given = given.map_err(|error| Failure::Usage(format!("{TOKEN}: {error}")))?;
    Ok(given.or_else(|| config.http.token.clone()).map(String::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_of_this_machine_is_found_by_its_configuration() {
        let mut config = Config::default();
        assert_eq!(own_url(&config), "http://127.0.0.1:8080");
        config.http.tls = Tls::SelfSigned;
        config.http.listen = "[::]:443".parse().unwrap();
        assert_eq!(own_url(&config), "https://[::1]:443");
        config.http.listen = "192.0.2.7:80".parse().unwrap();
        assert_eq!(own_url(&config), "https://192.0.2.7:80");
    }

    #[test]
    fn what_is_left_is_told_in_words_and_nothing_is_nothing() {
        let told = |text: &str| serde_json::from_str::<StandingTold>(text).unwrap();
        let some = told(
            r#"{"state":"draining","rooms":3,"people":12,"finishing":1,"unsent_bytes":1572864,
                "drain":{"since_s":9,"ends_in_s":471},"new":[]}"#,
        );
        let words = "3 rooms with 12 people left, for 7 min 51 s at most; 1 room to be closed; \
                     1.5 MiB wait for their store";
        assert_eq!((some.to_string().as_str(), some.is_empty()), (words, false));
        let one = told(r#"{"rooms":1,"people":1,"drain":{"since_s":9}}"#);
        assert_eq!(one.to_string(), "1 room with 1 person left");
        let moves = told(r#"{"rooms":1,"people":6,"drain":{"since_s":9,"moves_in_s":471,"ends_in_s":531}}"#);
        assert_eq!(moves.to_string(), "1 room with 6 people left, which go to other nodes in 7 min 51 s");
        let moving = told(r#"{"rooms":1,"people":6,"drain":{"moves_in_s":0}}"#);
        assert_eq!(moving.to_string(), "1 room with 6 people left, on the way to other nodes");
        for left in [r#"{"rooms":1}"#, r#"{"finishing":1}"#, r#"{"unsent_bytes":1}"#] {
            assert!(!told(left).is_empty(), "{left}");
        }
        assert!(told(r#"{"rooms":0,"people":0,"drain":{"since_s":9}}"#).is_empty());
    }
}
