//! **The question:** what does somebody see of a fleet who is no node of it? All that nodes tell, as they tell it, and
//! how long ago etcd was last known to be there. It writes nothing, and has no lease.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::base::limits;
use crate::core::fleet::Fleet;
use crate::io::fleet::counters::FleetCounters;
use crate::io::fleet::etcd::{Etcd, EtcdError, Seen, check};
use crate::io::fleet::setup::{FleetError, FleetSetup};

/// What was seen; clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Observed(Arc<Mutex<Sight>>);

#[derive(Debug, Default)]
struct Sight {
    /// Copied only where somebody still reads it as something changes.
    fleet: Arc<Fleet>,
    /// When etcd last said that this is how it is.
    as_of: Option<Instant>,
}

impl Observed {
    /// All that was seen last, and for how long nobody has confirmed it; `None`: nothing was seen yet.
    #[must_use]
    pub fn look(&self) -> Option<(Arc<Fleet>, Duration)> {
        let sight = self.lock();
        sight.as_of.map(|as_of| (sight.fleet.clone(), as_of.elapsed()))
    }

    fn lock(&self) -> MutexGuard<'_, Sight> {
        // What was seen stays seen, whoever panicked over it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that looks on; [`Observer::run`] is its body.
pub struct Observer {
    setup: FleetSetup,
    observed: Observed,
    counters: FleetCounters,
    /// The log says that etcd is away.
    is_told: bool,
}

impl Observer {
    /// The task, not yet running, and what it sees.
    ///
    /// # Errors
    /// When what is written of etcd cannot be used. Whether it answers is not asked here.
    pub async fn new(setup: FleetSetup, counters: FleetCounters) -> Result<(Self, Observed), FleetError> {
        check(&setup).await?;
        let observed = Observed::default();
        Ok((Self { setup, observed: observed.clone(), counters, is_told: false }, observed))
    }

    /// For ever: what goes wrong with one member of etcd is tried with the next.
    pub async fn run(mut self) {
        for endpoint in self.setup.endpoints.clone().iter().cycle() {
            if let Err(why) = self.session(endpoint).await {
                self.is_away(endpoint, &why);
            }
            sleep(limits::FLEET_RETRY_SPACING).await;
        }
    }

    /// As long as one member is of use.
    async fn session(&mut self, endpoint: &str) -> Result<(), EtcdError> {
        let etcd = Etcd::connect(endpoint, &self.setup, &self.counters).await?;
        let asked = Instant::now();
        let (fleet, revision) = etcd.read().await?;
        let mut watched = etcd.watch(revision + 1).await?;
        *self.observed.lock() = Sight { fleet: Arc::new(fleet), as_of: Some(asked) };
        self.is_back(endpoint);
        let mut probed = interval(limits::STEWARD_PROBE_SPACING);
        probed.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                told = watched.message() => {
                    let told = told?.ok_or_else(|| EtcdError::WatchOver("it ended".into()))?;
                    self.see(etcd.changes(&told)?);
                }
                _ = probed.tick() => {
                    let asked = Instant::now();
                    etcd.probe().await?;
                    self.observed.lock().as_of = Some(asked);
                }
            }
        }
    }

    fn see(&self, all: Vec<Seen>) {
        let mut sight = self.observed.lock();
        let fleet = Arc::make_mut(&mut sight.fleet);
        for seen in all {
            seen.apply(fleet);
        }
        self.counters.see(fleet.counts());
    }

    fn is_away(&mut self, endpoint: &str, why: &EtcdError) {
        self.counters.registered.set(0);
        if std::mem::replace(&mut self.is_told, true) {
            tracing::debug!(endpoint, %why, "this member of etcd is of no use");
        } else {
            tracing::warn!(
                endpoint,
                %why,
                "etcd does not answer: for a few seconds what was seen last counts, then nothing is known of any node; \
                 other members are asked. Look at etcd and the way there"
            );
        }
    }

    fn is_back(&mut self, endpoint: &str) {
        self.is_told = false;
        self.counters.registered.set(1);
        let (nodes, rooms) = self.observed.lock().fleet.counts();
        self.counters.see((nodes, rooms));
        tracing::info!(endpoint, nodes, rooms, "the fleet is seen");
    }
}
