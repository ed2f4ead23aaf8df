//! **The question:** how do simulated people follow a room that goes to another node? Each connects there to the seat
//! that they have, sends to both, and leaves the former node once a picture of the new one was decoded.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::asked::Asked;
use super::audience::Audience;
use super::error::LoadError;
use super::participant::Participant;
use super::receiver::{Departure, Ends, Inward, PacketCounts, Way, receive};
use super::report::MoveReport;
use super::sender::{Line, Turn};
use crate::base::limits;

/// What comes of following.
pub(super) enum Step {
    /// Somebody is told that the room goes on elsewhere.
    Told(Departure),
    /// Their connection stands, or none came of it.
    Stands(usize, Result<Box<Participant>, LoadError>),
    /// They see the picture by it.
    Sees(usize, Box<Participant>),
}

/// Those who may have to follow.
pub(super) struct Departures {
    told: mpsc::Receiver<Departure>,
    tell: mpsc::Sender<Departure>,
    people: BTreeMap<usize, Follower>,
    under_way: JoinSet<Step>,
    receiving: JoinSet<()>,
    report: MoveReport,
}

struct Follower {
    /// Connections so far.
    ways: Way,
    senses: Option<Sender<Inward>>,
    shown: watch::Sender<Way>,
    turns: mpsc::Sender<Turn>,
    /// When they were told, while they follow.
    since: Option<Instant>,
}

impl Default for Departures {
    fn default() -> Self {
        let (tell, told) = mpsc::channel(limits::PARTICIPANTS_MAX);
        let (under_way, receiving, report) = (JoinSet::new(), JoinSet::new(), MoveReport::default());
        Self { told, tell, people: BTreeMap::new(), under_way, receiving, report }
    }
}

impl Departures {
    /// One more who may have to follow; by what their sender hears of other connections.
    pub fn admit(
        &mut self,
        number: usize,
        senses: Option<Sender<Inward>>,
        shown: watch::Sender<Way>,
    ) -> mpsc::Receiver<Turn> {
        let (turns, heard) = mpsc::channel(limits::LOAD_TURNS_LEN);
        self.people.insert(number, Follower { ways: 0, senses, shown, turns, since: None });
        heard
    }

    /// Reads what comes by a new connection of theirs; what is to be sent by it.
    pub fn begin(&mut self, person: &mut Participant, counts: &Arc<PacketCounts>) -> Option<Line> {
        let follower = self.people.get_mut(&person.number)?;
        let (senses, moves, shown) = (follower.senses.clone(), self.tell.clone(), follower.shown.clone());
        let ends = Ends { way: follower.ways, senses, moves, shown };
        follower.ways += 1;
        let (asks, asked) = watch::channel(Asked::default());
        let inward = (person.take_tracks(), Arc::clone(&person.channel));
        self.receiving.spawn(receive(person.number, inward, ends, asks, Arc::clone(counts)));
        Some(Line::new(person, asked))
    }

    /// What comes next of it.
    pub async fn next(&mut self) -> Option<Step> {
        let step = tokio::select! {
            Some(departure) = self.told.recv() => Step::Told(departure),
            Some(step) = self.under_way.join_next() => step.ok()?,
            // The sender is its own, so that the queue never ends.
            else => return None,
        };
        self.report.told += usize::from(matches!(step, Step::Told(_)));
        Some(step)
    }

    /// They join there, once at a time.
    pub fn follow(
        &mut self,
        number: usize,
        join: impl Future<Output = Result<Participant, LoadError>> + Send + 'static,
    ) {
        let Some(follower) = self.people.get_mut(&number).filter(|follower| follower.since.is_none()) else { return };
        follower.since = Some(Instant::now());
        self.under_way.spawn(async move { Step::Stands(number, join.await.map(Box::new)) });
    }

    /// They could not.
    pub fn give_up(&mut self, number: usize) {
        if let Some(follower) = self.people.get_mut(&number) {
            follower.since = None;
        }
    }

    /// They send by the new connection too, and wait until they see something by it.
    pub fn see(&mut self, number: usize, person: Box<Participant>, line: Line) {
        let Some(follower) = self.people.get(&number) else { return };
        let (turns, way, mut shown) = (follower.turns.clone(), follower.ways - 1, follower.shown.subscribe());
        self.under_way.spawn(async move {
            // Who sends no more sees no less.
            let _ = turns.send(Turn::Beside(line)).await;
            // What does not come is late all the same, and the former node waits for nobody without end.
            let _ = tokio::time::timeout(limits::CONNECT_SPAN, shown.wait_for(|newest| *newest >= way)).await;
            let _ = turns.send(Turn::LeaveOldest).await;
            Step::Sees(number, person)
        });
    }

    /// They leave the former node.
    pub fn leave(&mut self, number: usize) {
        let Some(follower) = self.people.get_mut(&number) else { return };
        let Some(since) = follower.since.take() else { return };
        if *follower.shown.borrow() >= follower.ways - 1 {
            self.report.followed += 1;
            self.report.longest_ms = self.report.longest_ms.max(since.elapsed().as_millis() as u64);
        }
    }

    /// How that went.
    pub fn report(&self) -> MoveReport {
        self.report
    }
}

/// The next viewer whose connection ended; never, where nobody only watches.
pub(super) async fn next_lost(audience: &mut Option<Audience>) -> Option<usize> {
    audience.as_mut()?.next_lost().await
}
