//! **The question:** how does a keeper's process come up, and what does it do all day? It answers, it ticks every
//! second, and it asks the other keepers how late it is.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::base::limits::WITNESS_SPAN;
use crate::base::media::Wallclock;
use crate::core::retention::KeeperId;
use crate::engine::flow::Counter;
use crate::io::acme::{Purpose, unfit};
use crate::io::keeper::{
    Identity, IdentityError, IdentityFiles, KEEPER_NAME, KeeperClient, KeeperClientError, Request, Response, Role,
    ServerCounters, serve,
};
use crate::io::store::{KeeperFileError, LocalKeeper, LockWatch, StoreError, audit_path, keep_out_of_dumps};

/// What a keeper is started with.
#[derive(Debug, Clone)]
pub struct KeeperSetup {
    /// TCP address.
    pub listen: SocketAddr,
    /// Where its state and its audit log lie.
    pub folder: PathBuf,
    /// Level 3: keys in memory only; the folder holds the audit log.
    pub in_memory: bool,
    /// Folder of `ca.pem`, `cert.pem`, `key.pem`.
    pub certificates: PathBuf,
    /// The other keepers, `HOST:PORT`; they confirm a clock that leads.
    pub peers: Vec<String>,
    /// The operator's word that the wall clock is right.
    pub believe_clock: bool,
    /// The operator's word that a clock was wrong that was believed.
    pub clock_was_wrong: bool,
}

/// Why a keeper did not start.
#[derive(Debug, thiserror::Error)]
pub enum KeeperStartError {
    /// Its folder.
    #[error(transparent)]
    Folder(#[from] KeeperFileError),
    /// Its disk.
    #[error(transparent)]
    Disk(#[from] StoreError),
    /// Its certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Another keeper's address.
    #[error(transparent)]
    Peer(#[from] KeeperClientError),
    /// Its address.
    #[error("cannot listen at {listen}: {source}")]
    Listen {
        /// As it was asked for.
        listen: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Threads or file descriptors.
    #[error("the operating system refused a thread or a file descriptor: {0}")]
    System(#[from] io::Error),
}

/// A keeper that runs; it ends when it is let go.
pub struct KeeperProcess {
    own: Arc<LocalKeeper>,
    address: SocketAddr,
    counters: ServerCounters,
    errors: Counter,
    folder: PathBuf,
    _runtime: Runtime,
}

impl KeeperProcess {
    /// Opens the folder and the door.
    ///
    /// # Errors
    /// A taken port or folder, unusable certificates, a damaged state; each message is one clear line.
    pub fn start(setup: KeeperSetup) -> Result<Self, KeeperStartError> {
        keep_out_of_dumps();
        let files = IdentityFiles::in_folder(&setup.certificates);
        let identity = Identity::load(&files)?;
        for why in faults(&files.cert) {
            tracing::warn!("nodes and other keepers will refuse this keeper: {}: {why}", files.cert.display());
        }
        let peers = setup.peers.iter().map(|peer| KeeperClient::new(peer, &identity)).collect::<Result<Vec<_>, _>>()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(setup.listen));
        let listener = listener.map_err(|source| KeeperStartError::Listen { listen: setup.listen, source })?;
        let address = listener.local_addr()?;
        let errors = Counter::default();
        let open = if setup.in_memory { LocalKeeper::in_memory } else { LocalKeeper::open };
        let own = Arc::new(open(&setup.folder, errors.clone())?);
        if peers.is_empty() {
            own.stand_alone();
        }
        if setup.clock_was_wrong {
            own.clock_was_wrong()?;
        }
        if setup.believe_clock {
            own.believe_clock()?;
        }
        let counters = ServerCounters::default();
        let desk = own.clone();
        let desk = Arc::new(move |ask| desk.answer(ask));
        tracing::debug!(peers = peers.len(), believe_clock = setup.believe_clock, "a keeper asks others for the time");
        runtime.spawn(serve(listener, identity, desk, counters.clone()));
        runtime.spawn(tick(own.clone()));
        runtime.spawn(ask_peers(own.clone(), peers));
        tracing::info!(keeper = %own.id(), keys = own.stats().keys, in_memory = setup.in_memory, "a keeper begins");
        Ok(Self { own, address, counters, errors, folder: setup.folder, _runtime: runtime })
    }

    /// Where it listens, its port never 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> KeeperId {
        self.own.id()
    }

    /// Hour keys it holds.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.own.stats().keys
    }

    /// Whether its keys are kept out of swap and dumps.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.own.stats().locked
    }

    /// Its audit log, and the Ed25519 public key that the log is checked with.
    #[must_use]
    pub fn audit(&self) -> (PathBuf, [u8; 32]) {
        (audit_path(&self.folder, self.id()), self.own.audit_key())
    }

    /// What came to its door.
    #[must_use]
    pub fn counters(&self) -> &ServerCounters {
        &self.counters
    }

    /// How often its state could not be stored.
    #[must_use]
    pub fn disk_errors(&self) -> u64 {
        self.errors.get()
    }
}

/// What is wrong with a keeper's own certificate, though it can be used, and what to do.
fn faults(cert: &Path) -> Vec<String> {
    let now = Wallclock::from_system_time(SystemTime::now());
    let (answers, asks) = (unfit(cert, Purpose::Server, None, now), unfit(cert, Purpose::Client, None, now));
    let other = asks.iter().filter(|why| !answers.contains(why));
    let told = answers.iter().chain(other).map(ToString::to_string);
    let stranger = Role::in_file(cert).is_some_and(|role| role != Some(Role::Keeper)).then(|| {
        format!(
            "it is no keeper's, which names {KEEPER_NAME}; take a folder keeper-1, -2 or -3 of `tessera keeper init`"
        )
    });
    told.chain(stranger).collect()
}

async fn tick(own: Arc<LocalKeeper>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut unsaved, mut locks) = (false, LockWatch::default());
    loop {
        second.tick().await;
        locks.look();
        let ticking = own.clone();
        // It may wait for its disk.
        if tokio::task::spawn_blocking(move || ticking.tick()).await.is_err() {
            tracing::error!("a tick of the keeper failed");
        }
        let told = own.told();
        if told.unsaved && !unsaved {
            tracing::error!("the state cannot be stored: no new keys are made until it can");
        }
        unsaved = told.unsaved;
    }
}

/// What another keeper's clock has come to as well is certain; what it has not is not, whatever the kernel says here.
async fn ask_peers(own: Arc<LocalKeeper>, peers: Vec<KeeperClient>) {
    loop {
        let answered = join_all(peers.iter().map(|peer| peer.try_ask(Request::Time))).await;
        let walls = answered.iter().filter_map(|answered| match answered {
            Ok(Response::Time(told)) if told.keeper != own.id() => Some(told.wall),
            _ => None,
        });
        if let Some(wall) = walls.max() {
            own.witness(wall);
        }
        tokio::time::sleep(WITNESS_SPAN / 2).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::keeper::make_certificates;

    #[test]
    fn a_nodes_certificate_in_a_keepers_place_is_told() {
        let home = tempfile::tempdir().unwrap();
        let hosts = ["127.0.0.1".to_owned()];
        let folders = make_certificates(&home.path().join("pki"), &hosts).unwrap();
        let [node, keeper] = [0, 1].map(|n: usize| faults(&IdentityFiles::in_folder(&folders[n]).cert));
        assert_eq!(keeper, [""; 0]);
        assert!(node.len() == 2 && node[0].contains("serverAuth") && node[1].contains("no keeper's"), "{node:?}");
    }
}
