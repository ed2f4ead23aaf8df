//! **The question:** how does a node come to be one of its fleet, and go from it?

use crossbeam_channel::Receiver;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::app::config::Config;
use crate::app::workers::counters::Counts;
use crate::app::workers::event::Event;
use crate::app::workers::worker::Reports;
use crate::base::limits;
use crate::base::media::{Codec, RungSpec};
use crate::core::ladder::room_units;
use crate::io::fleet::{Alone, FleetError, FleetSetup, Placement};
use crate::io::http::Leading;
use crate::io::telemetry::panics::Panics;

/// The task that speaks with etcd, if this node is not alone.
pub(super) struct FleetTask(Option<(watch::Sender<bool>, Receiver<()>)>);

impl FleetTask {
    /// Takes this node's keys back, so that nobody waits for its lease to end.
    pub(super) fn stop(&mut self) {
        let Some((stop, ended)) = self.0.take() else { return };
        let _ = stop.send(true);
        // Whatever hangs there is over with the lease.
        let _ = ended.recv_timeout(limits::FLEET_CALL_SPAN);
    }
}

/// What the machine calls itself.
#[must_use]
pub fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Makes the node one of its fleet, if it has one; who says where rooms are from now on. Etcd need not answer yet.
pub(super) fn join(
    config: &Config,
    runtime: &Runtime,
    reports: &Reports<Event>,
    (counts, panics): (&Counts, &Panics),
) -> Result<(FleetTask, Leading), FleetError> {
    let (task, placement) = match config.fleet.setup(&machine_name()) {
        None => (None, Placement::Alone(Alone { region: config.fleet.region() })),
        Some(setup) => start(setup, runtime, reports, (counts, panics))?,
    };
    // What a room is sent in is not known before it runs: the dearer of both.
    let canvas = config.video.rung_specs().into_iter().next().map(|canvas| RungSpec { codec: Codec::H264, ..canvas });
    let units = room_units(config.fleet.room_people(), canvas).ceil() as u64;
    let (region, trust, tenants) = (config.fleet.region_kept(), config.fleet.trust(), config.tenants());
    Ok((FleetTask(task), Leading { placement, units, region, tenants, trust }))
}

type Started = (Option<(watch::Sender<bool>, Receiver<()>)>, Placement);

#[cfg(feature = "fleet")]
fn start(
    setup: FleetSetup,
    runtime: &Runtime,
    reports: &Reports<Event>,
    (counts, panics): (&Counts, &Panics),
) -> Result<Started, FleetError> {
    let (reports, counters) = (reports.clone(), counts.fleet.clone());
    let joined = crate::io::fleet::Membership::new(setup, counters, move |room| reports.send(Event::RoomTaken(room)));
    let (membership, placement) = runtime.block_on(joined)?;
    let (stop, stopped) = watch::channel(false);
    let (ended, ending) = crossbeam_channel::bounded(1);
    runtime.spawn(panics.clone().vital_task("fleet", async move {
        membership.run(stopped).await;
        // Nobody waits for it, where the node is gone already.
        let _ = ended.try_send(());
    }));
    Ok((Some((stop, ending)), placement))
}

#[cfg(not(feature = "fleet"))]
fn start(_: FleetSetup, _: &Runtime, _: &Reports<Event>, _: (&Counts, &Panics)) -> Result<Started, FleetError> {
    Err(FleetError::NotBuilt)
}
