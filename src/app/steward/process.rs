//! **The question:** how does a steward come up and go down?

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::steward::metrics::rendering;
use crate::app::steward::rounds::Rounds;
use crate::app::steward::seen::Known;
use crate::base::limits;
use crate::io::fleet::{FleetCounters, FleetError, FleetSetup, Observer};
use crate::io::http::{StewardDoor, StewardView};
use crate::io::steward::{Account, AccountError, ApiServer, Cluster, ClusterSetup, StewardCounters};

/// What a steward is started with.
#[derive(Debug, Clone)]
pub struct StewardSetup {
    /// Where it tells how much is free.
    pub listen: SocketAddr,
    /// Where etcd answers, and what the fleet's keys begin with there.
    pub fleet: FleetSetup,
    /// Where the cluster's API answers.
    pub cluster: ApiServer,
    /// The folder of the service account.
    pub account: PathBuf,
    /// The labels that nodes' pods have, as Kubernetes writes a selector.
    pub selector: String,
    /// Rooms of a hundred people that shall be free.
    pub headroom: u64,
    /// How often pods are looked at.
    pub every: Duration,
}

/// Why a steward did not start.
#[derive(Debug, thiserror::Error)]
pub enum StewardError {
    /// What it is known by in the cluster.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// What the cluster is known by.
    #[error("{0}")]
    Authority(String),
    /// The fleet.
    #[error(transparent)]
    Fleet(#[from] FleetError),
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

/// A steward that runs.
pub struct Steward {
    address: SocketAddr,
    namespace: String,
    runtime: Runtime,
    stop: watch::Sender<bool>,
    rounds: JoinHandle<()>,
}

impl Steward {
    /// Opens the door and begins. Neither etcd nor the cluster need answer yet.
    ///
    /// # Errors
    /// A taken port, a pod without a service account, an etcd that cannot be named; each message is one clear line.
    pub fn start(setup: StewardSetup) -> Result<Self, StewardError> {
        let StewardSetup { listen, fleet, cluster: server, account, selector, headroom, every } = setup;
        let account = Account::open(&account)?;
        let namespace = account.namespace()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (etcd, counters) = (FleetCounters::default(), StewardCounters::default());
        let setup = ClusterSetup { server, namespace: namespace.clone(), selector };
        let cluster = Cluster::new(setup, account, counters.clone()).map_err(StewardError::Authority)?;
        let (observer, observed) = runtime.block_on(Observer::new(fleet, etcd.clone()))?;
        let opened = StewardDoor::open(listen);
        let door = opened.map_err(|source| StewardError::Listen { listen, source })?;
        let address = door.address();

        let known = Known::new(observed, namespace.clone(), headroom, every);
        let metrics = rendering(known.clone(), &counters, &etcd);
        let (asked, living) = (known.clone(), known.clone());
        let view = StewardView {
            slots: Arc::new(move |pool| asked.told(pool)),
            metrics: Arc::new(metrics),
            is_alive: Arc::new(move || living.is_alive()),
        };
        runtime.spawn(async move {
            if let Err(error) = door.serve(view).await {
                tracing::error!(%error, "nobody is told any more how much is free; pods are marked still");
            }
        });
        runtime.spawn(observer.run());
        let (stop, stopped) = watch::channel(false);
        let rounds = runtime.spawn(Rounds::new(cluster, known, counters).run(stopped));
        tracing::info!(namespace, headroom, "a steward begins");
        Ok(Self { address, namespace, runtime, stop, rounds })
    }

    /// Where it tells how much is free, its port never 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The namespace whose pods it marks.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Says of no pod any more that it may go, and ends.
    pub fn stop(self) {
        let Self { runtime, stop, rounds, .. } = self;
        let _ = stop.send(true);
        // A round that hangs is over with the process.
        let _ = runtime.block_on(async { tokio::time::timeout(limits::STEWARD_LEAVE_SPAN * 2, rounds).await });
        runtime.shutdown_background();
    }
}
