//! **The question:** how does this node stay one of its fleet? One task: it takes a lease and keeps it, tells how the
//! node stands, watches what others tell, and places what is asked for. What goes wrong with one member of etcd is
//! tried with the next, for as long as it takes; no call ends by that.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::{Answer, Batch, Load, Need, NodeRecord, Outcome};
use crate::io::fleet::counters::FleetCounters;
use crate::io::fleet::etcd::{Etcd, EtcdError, Seen, check};
use crate::io::fleet::placement::{Ask, FleetHandle, Placement, ShiftAsk, Unmoved};
use crate::io::fleet::setup::{FleetError, FleetSetup};
use crate::io::fleet::state::Shared;
use crate::io::telemetry::log::alias;

/// The task that speaks with etcd; [`Membership::run`] is its body.
pub struct Membership {
    setup: FleetSetup,
    shared: Arc<Shared>,
    asks: mpsc::Receiver<Ask>,
    /// Rooms that are to move.
    shifts: mpsc::Receiver<ShiftAsk>,
    /// What was taken out of the queue and is not answered yet.
    pending: VecDeque<Ask>,
    load: watch::Receiver<Load>,
    /// Ends a room here that another node has.
    end: Box<dyn Fn(RoomId) + Send + Sync>,
    counters: FleetCounters,
    lease: Option<i64>,
    /// The log says that this node is not registered, and whether for its name.
    told_away: Option<bool>,
    /// Until when many are thought to place rooms at once.
    crowded_until: Option<Instant>,
    /// When rooms were last placed.
    placed: Option<Instant>,
}

impl Membership {
    /// The task, not yet running, and the way to it. `end` is called for each room that another node has by a newer
    /// fence.
    ///
    /// # Errors
    /// When what is written of etcd cannot be used. Whether it answers is not asked here: a node starts without.
    pub async fn new(
        setup: FleetSetup,
        counters: FleetCounters,
        end: impl Fn(RoomId) + Send + Sync + 'static,
    ) -> Result<(Self, Placement), FleetError> {
        check(&setup).await?;
        let shared = Arc::new(Shared::new(setup.member.clone()));
        let (asks, queue) = mpsc::channel(limits::FLEET_ASKS_LEN);
        let (load_sender, load) = watch::channel(Load::default());
        let (shifts, moving) = mpsc::channel(limits::FLEET_SHIFTS_LEN);
        let load_sender = Arc::new(load_sender);
        let handle =
            FleetHandle { shared: shared.clone(), asks, shifts, load: load_sender, counters: counters.clone() };
        let (pending, end) = (VecDeque::new(), Box::new(end));
        let (lease, told_away, crowded_until, placed) = (None, None, None, None);
        let own = Self {
            setup,
            shared,
            asks: queue,
            shifts: moving,
            pending,
            load,
            end,
            counters,
            lease,
            told_away,
            crowded_until,
            placed,
        };
        Ok((own, Placement::Fleet(handle)))
    }

    /// Until `stop` is set; then this node's keys are taken back.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        // Not all nodes at the same member.
        let mut at = self.setup.member.id.as_str().bytes().map(usize::from).sum::<usize>();
        loop {
            let endpoint = self.setup.endpoints[at % self.setup.endpoints.len()].clone();
            let ended = tokio::select! {
                ended = self.session(&endpoint) => ended,
                () = stopped(&mut stop) => return self.leave(&endpoint).await,
            };
            let Err(why) = ended else { continue };
            self.is_away(&endpoint, &why);
            if matches!(why, EtcdError::LeaseOver) {
                self.counters.leases_lost.add(1);
                self.lease = None;
                continue;
            }
            at += 1;
            tokio::select! {
                () = sleep(limits::FLEET_RETRY_SPACING) => {}
                () = stopped(&mut stop) => return self.leave(&endpoint).await,
            }
        }
    }

    /// As long as one member is of use.
    async fn session(&mut self, endpoint: &str) -> Result<(), EtcdError> {
        let etcd = Etcd::connect(endpoint, &self.setup, &self.counters).await?;
        let (fleet, revision) = etcd.read().await?;
        if let Some(known) = fleet.node(&self.setup.member.id) {
            self.check_name(&known.value)?;
        }
        let lease = match self.lease {
            Some(lease) => {
                etcd.keep(lease).await?;
                lease
            }
            None => etcd.grant().await?,
        };
        self.lease = Some(lease);
        let mut watched = etcd.watch(revision + 1).await?;
        {
            let mut state = self.shared.lock();
            state.fleet = fleet;
            state.member.set_lease(Some(lease));
            state.member.set_whole();
            state.member.set_load(Instant::now(), self.load.borrow_and_update().clone());
        }
        self.see_all();
        self.tell(&etcd).await?;
        self.is_back(endpoint);
        let mut kept = interval(limits::FLEET_KEEP_SPACING);
        kept.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if !self.pending.is_empty() {
                self.place(&etcd).await?;
            }
            tokio::select! {
                told = watched.message() => {
                    let told = told?.ok_or_else(|| EtcdError::WatchOver("it ended".into()))?;
                    self.see(etcd.changes(&told)?)?;
                }
                _ = kept.tick() => {
                    etcd.keep(lease).await?;
                    // What runs here stays asked for.
                    let load = self.load.borrow().clone();
                    self.shared.lock().member.set_load(Instant::now(), load);
                }
                Some(asked) = self.asks.recv() => {
                    self.pending.push_back(asked);
                    while self.pending.len() < limits::FLEET_BATCH_LEN_MAX && let Ok(ask) = self.asks.try_recv() {
                        self.pending.push_back(ask);
                    }
                }
                Some(asked) = self.shifts.recv() => self.shift(&etcd, asked).await?,
                Ok(()) = self.load.changed() => {
                    let load = self.load.borrow_and_update().clone();
                    self.shared.lock().member.set_load(Instant::now(), load);
                }
            }
            self.tell(&etcd).await?;
        }
    }

    /// Two nodes of one name would each write over what the other told, for ever.
    fn check_name(&self, told: &NodeRecord) -> Result<(), EtcdError> {
        let own = &self.setup.member;
        match told.url == own.url || Some(told.lease) == self.lease {
            true => Ok(()),
            // What this node itself told before it was called otherwise ends with its lease.
            false => Err(EtcdError::NameTaken { name: own.id.clone(), url: told.url.clone() }),
        }
    }

    /// Takes in what others told, and what follows from it for the rooms that are here.
    fn see(&self, all: Vec<Seen>) -> Result<(), EtcdError> {
        let mut lost = Vec::new();
        let own = &self.setup.member.id;
        let mut named = all.iter().filter_map(|seen| match seen {
            Seen::Node(id, Some(known), _) if id == own => Some(&known.value),
            Seen::Node(..) | Seen::Room(..) => None,
        });
        named.try_for_each(|told| self.check_name(told))?;
        {
            let (state, now) = (&mut *self.shared.lock(), Instant::now());
            for seen in all {
                let room = match &seen {
                    Seen::Room(room, Some(_), _) => Some(room.clone()),
                    Seen::Node(..) | Seen::Room(_, None, _) => None,
                };
                seen.apply(&mut state.fleet);
                lost.extend(room.filter(|room| state.member.see_room(now, &state.fleet, room)));
            }
        }
        self.end_all(lost);
        Ok(())
    }

    /// Compares all that is here with all that is known.
    fn see_all(&self) {
        let lost = {
            let state = &mut *self.shared.lock();
            state.member.see(Instant::now(), &state.fleet)
        };
        self.end_all(lost);
    }

    fn end_all(&self, lost: Vec<RoomId>) {
        for room in lost {
            tracing::warn!(room = %alias(&room), "another node has this room by now; it ends here");
            self.counters.rooms_lost.add(1);
            (self.end)(room);
        }
    }

    /// Tells what is not told yet.
    async fn tell(&self, etcd: &Etcd) -> Result<(), EtcdError> {
        for _ in 0..limits::FLEET_ROUNDS_MAX {
            let asked = {
                let state = &mut *self.shared.lock();
                self.counters.see(state.fleet.counts());
                state.member.tell(Instant::now(), &state.fleet)
            };
            let Some(asked) = asked else { break };
            let answer = etcd.commit(&asked).await?;
            self.shared.lock().fleet.hear(&asked, &answer);
            let told = asked.rooms.into_iter().map(|told| told.room).collect();
            self.see_rooms(told);
        }
        Ok(())
    }

    /// Compares what is here with what is known of these rooms.
    fn see_rooms(&self, rooms: Vec<RoomId>) {
        let lost = {
            let (state, now) = (&mut *self.shared.lock(), Instant::now());
            rooms.into_iter().filter(|room| state.member.see_room(now, &state.fleet, room)).collect()
        };
        self.end_all(lost);
    }

    /// Places what is asked for, as much as goes together; who asks for a room that stands in it already is next.
    async fn place(&mut self, etcd: &Etcd) -> Result<(), EtcdError> {
        self.pending.retain(|ask| !ask.reply.is_closed());
        let mut needs: Vec<Need> = Vec::new();
        let mut names: BTreeSet<RoomId> = BTreeSet::new();
        for ask in &self.pending {
            if needs.len() < limits::FLEET_BATCH_LEN_MAX && names.insert(ask.need.room.clone()) {
                needs.push(ask.need.clone());
            }
        }
        let now = Instant::now();
        let is_crowded = self.crowded_until.is_some_and(|until| now < until);
        // As long as so many are asked for, nobody tries whether the others are gone: whoever does is too late again.
        if is_crowded && self.placed.is_some_and(|placed| now < placed + limits::FLEET_RUSH_SPACING) {
            self.crowded_until = Some(now + limits::FLEET_CROWD_SPAN);
        }
        self.placed = Some(now);
        let mut batch = Batch::new(needs).by(self.setup.member.id.clone(), is_crowded);
        loop {
            let asked = batch.ask(&self.shared.lock().fleet);
            let Some(asked) = asked else { break };
            let answer = etcd.commit(&asked).await?;
            batch.hear(&mut self.shared.lock().fleet, asked, answer);
        }
        self.counters.retries.add(batch.conflicts().into());
        if batch.conflicts() > 0 {
            self.crowded_until = Some(Instant::now() + limits::FLEET_CROWD_SPAN);
        }
        // What came here is held before anybody is told so.
        self.see_rooms(names.into_iter().collect());
        for (room, outcome) in batch.outcomes() {
            self.answer(&room, outcome);
        }
        Ok(())
    }

    /// Has a room move, unless nobody waits for that any more.
    async fn shift(&self, etcd: &Etcd, ShiftAsk { shift, reply }: ShiftAsk) -> Result<(), EtcdError> {
        let mut outcome = Err(Unmoved::Conflict);
        for _ in 0..limits::FLEET_TRIES_MAX {
            if reply.is_closed() {
                return Ok(());
            }
            let asked = shift.ask(&self.shared.lock().fleet);
            let (asked, fence) = match asked {
                Ok(asked) => asked,
                Err(why) => {
                    outcome = Err(Unmoved::Stays(why));
                    break;
                }
            };
            let answer = etcd.commit(&asked).await?;
            self.shared.lock().fleet.hear(&asked, &answer);
            if matches!(answer, Answer::Done(_)) {
                outcome = Ok(fence);
                break;
            }
        }
        if outcome.is_ok() {
            // Before anybody follows it: from now on whoever asks for it is sent on. That it goes is no news here.
            let state = &mut *self.shared.lock();
            state.member.see_room(Instant::now(), &state.fleet, &shift.room);
        } else {
            self.see_rooms(vec![shift.room]);
        }
        // Whoever waited for too long finds it in what is known.
        let _ = reply.send(outcome);
        Ok(())
    }

    /// Answers the first who asked for a room; whoever asked too finds it in what is known.
    fn answer(&mut self, room: &RoomId, outcome: Outcome) {
        let first = self.pending.iter().position(|ask| ask.need.room == *room);
        if let Some(ask) = first.and_then(|at| self.pending.remove(at)) {
            // Whoever waited for too long is gone.
            let _ = ask.reply.send(outcome);
        }
    }

    fn is_away(&mut self, endpoint: &str, why: &EtcdError) {
        self.shared.lock().away_since.get_or_insert_with(Instant::now);
        self.counters.registered.set(0);
        let is_named = matches!(why, EtcdError::NameTaken { .. });
        if self.told_away.replace(is_named) == Some(is_named) {
            tracing::debug!(endpoint, %why, "this member of etcd is of no use");
        } else if is_named {
            tracing::error!(%why, "this node is not registered in its fleet: no room begins by it");
        } else {
            tracing::warn!(
                endpoint,
                %why,
                "etcd does not answer: rooms that run go on and are joined, new ones wait or are refused; other \
                 members are asked"
            );
        }
    }

    fn is_back(&mut self, endpoint: &str) {
        let away = {
            let mut state = self.shared.lock();
            let away = state.away(Instant::now());
            state.away_since = None;
            away
        };
        self.told_away = None;
        self.counters.registered.set(1);
        if let Some(away) = away {
            let after_ms = away.as_millis() as u64;
            tracing::info!(endpoint, after_ms, "this node is registered in its fleet: rooms begin");
        }
    }

    /// Takes this node's keys back, so that nobody waits for its lease to end.
    async fn leave(self, endpoint: &str) {
        let Some(lease) = self.lease else { return };
        let left = async {
            Etcd::connect(endpoint, &self.setup, &self.counters).await?.revoke(lease).await?;
            Ok::<_, EtcdError>(())
        };
        if let Err(why) = left.await {
            tracing::warn!(%why, "etcd was not told that this node is gone; it finds out in a few seconds");
        }
    }
}

/// Once it is to end.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the node itself is gone, which is a reason to end too.
    let _ = stop.wait_for(|stop| *stop).await;
}
