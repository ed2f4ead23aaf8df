//! **The question:** what does a steward do every few seconds? It lists the pods, and marks those that are marked
//! otherwise than they should be. Whatever goes wrong is told once, counted, and tried again after a pause that grows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::app::steward::seen::Known;
use crate::base::limits;
use crate::core::backoff::Backoff;
use crate::core::steward::{Change, plan};
use crate::io::steward::{Cluster, ClusterError, StewardCounters};

/// The task that goes round.
pub(super) struct Rounds {
    cluster: Cluster,
    known: Known,
    counters: StewardCounters,
    backoff: Backoff,
    /// What the log says of the cluster.
    told: Option<String>,
}

impl Rounds {
    /// Not yet going.
    pub(super) fn new(cluster: Cluster, known: Known, counters: StewardCounters) -> Self {
        let (first, most) = (limits::STEWARD_RETRY_SPAN, limits::STEWARD_RETRY_SPAN_MAX);
        let backoff = Backoff::new(first, most, std::process::id().into());
        Self { cluster, known, counters, backoff, told: None }
    }

    /// Until `stop` is set; then nothing is vouched for any more.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            self.known.begin();
            let pause = tokio::select! {
                pause = self.round() => pause,
                () = stopped(&mut stop) => break,
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut stop) => break,
            }
        }
        self.withdraw().await;
    }

    /// One round; how long the next one waits.
    async fn round(&mut self) -> Duration {
        let done = timeout(limits::STEWARD_ROUND_SPAN, self.try_round()).await;
        match done.unwrap_or_else(|_| Err(ClusterError::Away("a round took too long".into()))) {
            Ok(is_done) => {
                self.backoff.reset();
                if is_done { self.known.every() } else { limits::STEWARD_HURRY_SPACING }
            }
            Err(why) => {
                self.is_away(&why);
                match why {
                    ClusterError::Busy(span) => span,
                    _ => self.backoff.pause(),
                }
            }
        }
    }

    /// Whether all is marked as it should be.
    async fn try_round(&mut self) -> Result<bool, ClusterError> {
        let pods: Arc<[_]> = self.cluster.pods().await?.into();
        self.counters.pods.set(pods.len() as u64);
        self.known.list(pods.clone());
        // What is known of the fleet is looked at after the pods are: it is at least as new.
        let fleet = self.known.fleet();
        let changes = plan(fleet.as_deref(), self.known.namespace(), &pods);
        let now = &changes[..changes.len().min(limits::STEWARD_MARKS_PER_ROUND_MAX)];
        self.mark(now, fleet.is_some()).await?;
        self.is_back();
        Ok(now.len() == changes.len())
    }

    async fn mark(&mut self, changes: &[Change], known: bool) -> Result<(), ClusterError> {
        for change in changes {
            let Change { pod, marks, .. } = change;
            // What is asked for and not answered may be so all the same, and is to be taken back.
            if marks.safe_to_evict == Some(true) {
                self.known.mark(change);
            }
            let marked = self.cluster.mark(change).await;
            if marked.is_ok() {
                self.known.mark(change);
            }
            match marked {
                Ok(()) => match marks.safe_to_evict {
                    Some(safe_to_evict) => tracing::info!(pod, safe_to_evict, known, "a pod is marked"),
                    None => tracing::debug!(pod, deletion_cost = marks.deletion_cost, "a pod is marked"),
                },
                // The next round sees what is there.
                Err(why @ (ClusterError::Gone | ClusterError::Conflict)) => {
                    tracing::debug!(pod, %why, "a pod is not marked");
                }
                // Of this pod alone: the others shall not wait for it.
                Err(why @ ClusterError::Refused(..)) => {
                    tracing::warn!(pod, %why, "the cluster's API takes no marks for this pod");
                }
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    /// From now on nobody says that a pod may go: whoever takes machines away then leaves those with nodes on them.
    async fn withdraw(&mut self) {
        let changes = plan(None, self.known.namespace(), &self.known.listed());
        let pods = changes.len();
        match timeout(limits::STEWARD_LEAVE_SPAN, self.mark(&changes, false)).await {
            Ok(Ok(())) => tracing::info!(pods, "no pod is said to be safe to evict any more"),
            _ => tracing::warn!(
                pods,
                "the cluster's API was not told in time that nobody vouches for these pods; some of them stay safe to \
                 evict until a steward runs again"
            ),
        }
    }

    fn is_away(&mut self, why: &ClusterError) {
        self.counters.reachable.set(0);
        let why = why.to_string();
        if self.told.as_ref() == Some(&why) {
            tracing::debug!(why, "the cluster's API is asked again");
            return;
        }
        tracing::warn!(
            why,
            "the cluster's API does not do what it is asked: pods stay marked as they are; it is tried again"
        );
        self.told = Some(why);
    }

    fn is_back(&mut self) {
        if self.counters.reachable.set(1) == 0 {
            tracing::info!(pods = self.counters.pods.get(), "the cluster's API answers: pods are marked");
        }
        self.told = None;
    }
}

/// Once it is to end.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever could say so is gone, which is a reason to end too.
    let _ = stop.wait_for(|stop| *stop).await;
}
