//! **The question:** what did the operator type after `tessera steward`?

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app::cli::Failure;
use crate::base::limits;

/// Flags of `tessera steward`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StewardArgs {
    /// Configuration file: its sections fleet, the same as the nodes have, and log
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// TCP address at which it tells how much is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8090")]
    listen: SocketAddr,
    /// Rooms of a hundred people that shall be free: what wanted_nodes is told by
    #[arg(long, value_name = "ROOMS", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(0..=limits::STEWARD_HEADROOM_MAX))]
    headroom: u64,
    /// Seconds between two looks at the pods; what is older than three of them counts no more
    #[arg(long, value_name = "SECONDS", default_value_t = limits::STEWARD_ROUND_SECONDS,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::STEWARD_ROUND_SECONDS_MAX)))]
    every: u32,
    /// Labels of the nodes' pods, as Kubernetes writes a selector; no other pod is ever touched
    #[arg(long, value_name = "SELECTOR", value_parser = selector,
        default_value = "app.kubernetes.io/name=tessera,app.kubernetes.io/component=node")]
    selector: String,
    /// The cluster's API [default: as the environment of a pod says it]
    #[arg(long, value_name = "https://HOST:PORT")]
    api_server: Option<String>,
    /// Folder of the service account: token, ca.crt and namespace
    #[arg(long, value_name = "DIR", default_value = "/var/run/secrets/kubernetes.io/serviceaccount")]
    service_account: PathBuf,
}

const EXAMPLES: &str = "\
A steward runs once beside a fleet on Kubernetes. It watches etcd, marks each node's pod with what its deletion costs
and whether it is safe to evict, and answers how many rooms of a hundred people are free:

  GET /v1/slots             numbers as JSON; 503 while they are old. ?pool=NAME: of one pool alone
  GET /metrics, /healthz

It takes a service account that may list and patch the pods of its namespace. docs/kubernetes.md has the rest.

Example:
  tessera steward --config /etc/tessera/tessera.toml --headroom 2";

/// A text that can be a selector of labels; the cluster judges it.
fn selector(text: &str) -> Result<String, String> {
    let is_of_it = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let fits = (1..=limits::STEWARD_SELECTOR_LEN_MAX).contains(&text.len()) && text.bytes().all(is_of_it);
    if fits { Ok(text.to_owned()) } else { Err("name labels, such as app.kubernetes.io/name=tessera".into()) }
}

/// Runs it.
#[must_use]
pub fn run(args: StewardArgs) -> ExitCode {
    steward(args).map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

#[cfg(not(feature = "fleet"))]
fn steward(_: StewardArgs) -> Result<(), Failure> {
    Err(Failure::Usage(crate::io::fleet::FleetError::NotBuilt.to_string()))
}

#[cfg(feature = "fleet")]
fn steward(args: StewardArgs) -> Result<(), Failure> {
    use crate::app::cli::interrupt::Interrupt;
    use crate::app::cli::terminal::say;
    use crate::app::config::Config;
    use crate::app::steward::{Steward, StewardSetup};

    let StewardArgs { config, listen, headroom, every, selector, api_server, service_account: account } = args;
    let every = std::time::Duration::from_secs(every.into());
    let config = Config::load(Some(&config))?;
    crate::io::telemetry::log::init(config.log.level, config.log.format);
    let fleet = config.fleet.setup("steward").ok_or_else(|| {
        Failure::Usage("[fleet] etcd: name it as the nodes do; without it there is no fleet to look at".into())
    })?;
    let cluster = server(api_server, |name| std::env::var(name).ok())?;
    say!("tessera steward asks the cluster at {cluster} for pods with {selector}");
    let steward = Steward::start(StewardSetup { listen, fleet, cluster, account, selector, headroom, every })?;
    let interrupt = Interrupt::listen()?;
    say!("tessera steward of {} listens at http://{}", steward.namespace(), steward.address());
    interrupt.wait();
    steward.stop();
    Ok(())
}

/// Where the cluster's API is, by what was typed or by what every pod's environment has.
#[cfg(feature = "fleet")]
fn server(
    typed: Option<String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<crate::io::steward::ApiServer, Failure> {
    use crate::io::steward::ApiServer;

    let wrong = |name: &str, error| Failure::Usage(format!("{name}: {error}"));
    if let Some(typed) = typed {
        return typed.parse().map_err(|error| wrong("--api-server", error));
    }
    let port = variable("KUBERNETES_SERVICE_PORT_HTTPS").or_else(|| variable("KUBERNETES_SERVICE_PORT"));
    match variable("KUBERNETES_SERVICE_HOST").zip(port) {
        Some((host, port)) => ApiServer::of(&host, &port).map_err(|error| wrong("KUBERNETES_SERVICE_HOST", error)),
        None => Err(Failure::Usage(
            "this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set): a steward runs in one; to try it \
             elsewhere give --api-server and --service-account"
                .into(),
        )),
    }
}

#[cfg(feature = "fleet")]
impl From<crate::app::steward::StewardError> for Failure {
    fn from(error: crate::app::steward::StewardError) -> Self {
        use crate::app::steward::StewardError;
        match error {
            StewardError::Listen { listen, source } => Self::listen("--listen", listen, &source),
            StewardError::System(_) => Self::Failed(error.to_string()),
            _ => Self::Usage(error.to_string()),
        }
    }
}

#[cfg(all(test, feature = "fleet"))]
mod tests {
    use super::{Failure, selector, server};

    #[test]
    fn the_cluster_is_where_the_environment_says_or_where_it_was_typed() {
        let of = |typed: Option<&str>, host: Option<&str>| {
            let variable = |name: &str| match name {
                "KUBERNETES_SERVICE_HOST" => host.map(str::to_owned),
                "KUBERNETES_SERVICE_PORT" => Some("6443".into()),
                _ => None,
            };
            server(typed.map(str::to_owned), variable).map(|server| server.to_string())
        };
        assert_eq!(of(None, Some("10.96.0.1")), Ok("https://10.96.0.1:6443".into()));
        assert_eq!(of(Some("https://127.0.0.1:1"), Some("10.96.0.1")), Ok("https://127.0.0.1:1".into()));
        let told = |typed, host| match of(typed, host) {
            Err(Failure::Usage(told)) => told,
            other => unreachable!("{other:?}"),
        };
        assert!(told(None, None).contains("--api-server"));
        assert!(told(Some("http://127.0.0.1:1"), None).starts_with("--api-server: the cluster's API is https://"));
        assert!(selector("a=b,c in (d, e)").is_ok() && selector("").is_err() && selector("a\nb").is_err());
    }
}
