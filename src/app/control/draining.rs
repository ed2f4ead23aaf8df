//! **The question:** how do a node's rooms come to an end without being cut off, and who is told? No room begins while
//! it drains; those that run are waited for, their people told until when, and what is left then ends as at a stop.

use std::time::{Duration, Instant};

use crate::app::control::room::Input;
use crate::app::control::thread::Control;
use crate::base::media::RoomId;
use crate::core::drain::DrainDue;
use crate::core::webhook::Happening;
use crate::io::api::{NodeState, Refusal};

impl Control {
    /// The operator wants the node to be without rooms; those that run after `span` end then. Asked again without one,
    /// nothing begins anew: who asks learns what is left.
    pub(super) fn begin_drain(&mut self, span: Option<Duration>) -> NodeState {
        let now = Instant::now();
        let (rooms, people) = self.census();
        if span.is_none() && self.drain.is_on() {
            let left_s = self.left(now).map(|left| left.as_secs());
            tracing::info!(rooms, people, left_s, "asked once more to drain: the node does, and its time goes on");
            return self.node_state(now);
        }
        // Rooms that can go to other nodes do after a while; others may run on.
        let span = span.or_else(|| self.mover.is_able().then(|| self.setup.config.node.drain_span()));
        self.drain.begin(now, span);
        let within_s = span.map(|span| span.as_secs());
        tracing::info!(rooms, people, within_s, "the node drains: no room begins, those that run may go on");
        self.webhooks.tell(&Happening::DrainBegan { leaving: false, rooms, within_s });
        self.tell_ends();
        self.node_state(now)
    }

    /// The process was asked to end, and goes with its last room.
    pub(super) fn leave(&mut self, span: Duration) {
        let now = Instant::now();
        self.drain.leave(now, span);
        let (rooms, people) = self.census();
        let within_s = self.left(now).map(|left| left.as_secs());
        self.webhooks.tell(&Happening::DrainBegan { leaving: true, rooms, within_s });
        if rooms > 0 {
            tracing::info!(
                rooms,
                people,
                within_s,
                "asked to end: no room begins, those that run may end by themselves; another SIGTERM, or Ctrl-C, ends \
                 them now"
            );
        }
        self.tell_ends();
    }

    /// Rooms begin again.
    pub(super) fn revoke_drain(&mut self) -> Result<NodeState, Refusal> {
        let now = Instant::now();
        let was_on = self.drain.is_on();
        self.drain.revoke().map_err(|_| Refusal::Leaving)?;
        if was_on {
            tracing::info!("the drain is revoked: rooms begin again");
            self.webhooks.tell(&Happening::DrainRevoked {});
            self.revoke_moves();
            self.tell_ends();
        }
        Ok(self.node_state(now))
    }

    /// Does what is due of a drain; whether the process ends now.
    pub(super) fn drain_due(&mut self, now: Instant) -> bool {
        let waited_for = self.rooms.len() + self.endings.len() + usize::from(self.moves.lingers(now));
        let Some(due) = self.drain.due(now, waited_for) else { return false };
        let (rooms, people) = self.census();
        match due {
            DrainDue::Word(left) => {
                let left_s = left.map(|left| left.as_secs());
                tracing::info!(rooms, people, left_s, "the node drains and waits for its rooms");
                false
            }
            DrainDue::Moves => {
                tracing::info!(
                    rooms,
                    people,
                    "the time of the drain is over: the rooms that are left go to other nodes"
                );
                false
            }
            DrainDue::Left => {
                tracing::info!("no room is left; the node ends");
                true
            }
            DrainDue::Over => {
                if rooms > 0 {
                    tracing::warn!(rooms, people, "the time of the drain is over: the rooms that are left end now");
                }
                if !self.drain.is_leaving() {
                    self.end_all("the node drains");
                }
                self.drain.is_leaving()
            }
        }
    }

    /// Ends every room.
    pub(super) fn end_all(&mut self, reason: &'static str) {
        let names: Vec<RoomId> = self.rooms.keys().cloned().collect();
        for name in names {
            self.input(&name, Input::End(reason));
        }
    }

    /// How long the rooms that are left may still run.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let until = self.drain.moves_at().or(self.drain.until());
        until.map(|until| until.saturating_duration_since(now))
    }

    /// Tells everyone when the rooms end, or that they do not any more.
    fn tell_ends(&mut self) {
        // Where rooms go to other nodes nobody has to go.
        let until = self.drain.until().filter(|_| !self.mover.is_able());
        let (until, names) = (until, self.rooms.keys().cloned().collect::<Vec<RoomId>>());
        for name in names {
            self.input(&name, Input::NodeEnds(until));
        }
    }
}
