//! **The question:** what did the operator type after `tessera keeper`?

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::app::cli::Failure;
use crate::app::cli::interrupt::Interrupt;
use crate::app::cli::terminal::say;
use crate::app::config::{Format, Level};
use crate::app::keeperd::{KeeperProcess, KeeperSetup, KeeperStartError};
use crate::base::hex::hex;
use crate::base::limits::KEEPERS;
use crate::io::keeper::make_certificates;

/// Flags of `tessera keeper`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct KeeperArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// TCP address that nodes and the other keepers reach
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:7443")]
    listen: SocketAddr,
    /// Folder of its hour keys and its audit log; on a disk of this machine that no backup holds
    #[arg(long, value_name = "DIR", default_value = "keeper")]
    folder: PathBuf,
    /// Keep the keys in memory only (level 3); the folder holds the audit log alone
    #[arg(long)]
    memory: bool,
    /// Folder of ca.pem, cert.pem and key.pem, as `tessera keeper init` makes them
    #[arg(long, value_name = "DIR", default_value = "certificates")]
    certificates: PathBuf,
    /// Another keeper: its clock confirms this one's after a leap; give both
    #[arg(long = "peer", value_name = "HOST:PORT")]
    peers: Vec<String>,
    /// Take this machine's clock as right, though it leads by more than 5 minutes and no other keeper has confirmed it
    #[arg(long)]
    believe_clock: bool,
    /// A clock that this keeper believed was wrong: destroy every key of the hours that it had passed, and go on by
    /// what elapsed time says. Nothing that was refused opens again
    #[arg(long, conflicts_with = "believe_clock")]
    clock_was_wrong: bool,
}

const EXAMPLES: &str = "\
A keeper holds one key for each hour in which recordings expire, and destroys it when the hour comes. Three of them, on
three machines, hold a node's recordings together: any two open one, none does alone. docs/retention.md says what that
promises.

Examples:
  tessera keeper init --out pki a.example:7443 b.example:7443 c.example:7443
  tessera keeper --certificates keeper-1 --folder /var/lib/tessera-keeper --peer b.example:7443 --peer c.example:7443
  tessera keeper --certificates keeper-1 --memory --peer b.example:7443 --peer c.example:7443";

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an authority, and certificates of three keepers and a node
    Init {
        /// Folder for them; nothing in it is overwritten
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The three keepers, as the node will reach them
        #[arg(value_name = "HOST:PORT", num_args = KEEPERS, required = true)]
        keepers: Vec<String>,
    },
}

/// Runs it.
#[must_use]
pub fn run(args: KeeperArgs) -> ExitCode {
    let ended = match args.action {
        Some(Action::Init { out, keepers }) => init(&out, &keepers),
        None => keep(args),
    };
    ended.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

fn keep(args: KeeperArgs) -> Result<(), Failure> {
    crate::io::telemetry::log::init(Level::default(), Format::default());
    let KeeperArgs { listen, folder, memory, certificates, peers, believe_clock, clock_was_wrong, .. } = args;
    let lie = if memory {
        "its keys live in memory only (level 3)".to_owned()
    } else {
        format!("its keys lie in {} (level 2)", folder.display())
    };
    let alone = peers.is_empty();
    let setup = KeeperSetup { listen, folder, in_memory: memory, certificates, peers, believe_clock, clock_was_wrong };
    let keeper = KeeperProcess::start(setup)?;
    let interrupt = Interrupt::listen()?;
    say!("tessera keeper {} listens at {}; {lie}; it holds {}", keeper.id(), keeper.address(), keeper.keys());
    let (log, key) = keeper.audit();
    say!("audit log {}, signed by the Ed25519 key {}", log.display(), hex(key.as_ref()));
    if alone {
        say!(
            "no --peer is given: a clock that leaps ahead destroys keys when the kernel calls it synchronised, or \
             after a day"
        );
    }
    if !keeper.is_locked() {
        say!("the system did not lock the keys' memory (ulimit -l): swap must be off or encrypted");
    }
    interrupt.wait();
    let counters = keeper.counters();
    say!(
        "{} asks answered; {} lines refused, {} frames malformed, {} asks not theirs; {} times the disk refused",
        counters.answered.get(),
        counters.refused.get(),
        counters.malformed.get(),
        counters.not_theirs.get(),
        keeper.disk_errors(),
    );
    Ok(())
}

fn init(out: &std::path::Path, keepers: &[String]) -> Result<(), Failure> {
    let host = |address: &String| {
        let (host, _) = address
            .rsplit_once(':')
            .ok_or_else(|| Failure::Usage(format!("{address} is no HOST:PORT, such as a.example:7443")))?;
        Ok(host.trim_start_matches('[').trim_end_matches(']').to_owned())
    };
    let hosts = keepers.iter().map(host).collect::<Result<Vec<_>, Failure>>()?;
    let folders = make_certificates(out, &hosts).map_err(|error| Failure::Usage(error.to_string()))?;
    let node = folders[0].display();
    for (n, folder) in folders[1..].iter().enumerate() {
        let peers: String = (0..keepers.len()).filter(|m| *m != n).map(|m| format!(" --peer {}", keepers[m])).collect();
        say!("{}: copy it to {} and there start", folder.display(), hosts[n]);
        say!("  tessera keeper --certificates {}{peers}", folder.file_name().unwrap_or_default().display());
    }
    say!("{node}: copy it to the node, and write into its configuration");
    say!("  [retention]\n  keepers = {keepers:?}");
    for name in ["ca", "cert", "key"] {
        say!("  {name} = \"{}/{name}.pem\"", folders[0].file_name().unwrap_or_default().display());
    }
    say!(
        "{}: signs further certificates; keep it off all these machines, or delete it. Delete the copies here too.",
        out.join("ca.key.pem").display()
    );
    Ok(())
}

impl From<KeeperStartError> for Failure {
    fn from(error: KeeperStartError) -> Self {
        match error {
            KeeperStartError::Listen { listen, source } => Self::listen("--listen", listen, &source),
            KeeperStartError::System(_) => Self::Failed(error.to_string()),
            _ => Self::Usage(error.to_string()),
        }
    }
}
