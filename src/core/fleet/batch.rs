//! **The question:** how do several rooms come to a node each, in as few transactions as can be?

use std::collections::BTreeMap;

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::view::Plan;
use crate::core::fleet::{
    Answer, Fence, Fleet, Known, Label, Need, NodeWrite, Nowhere, RoomRecord, RoomWrite, Transaction,
};

/// What became of a room that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has a node, by this very request or since before.
    Lives {
        /// What is said of it.
        record: RoomRecord,
        /// Since when.
        fence: Fence,
        /// Whether it was placed just now.
        is_new: bool,
    },
    /// It lives, and not in the region that was asked for.
    OtherRegion,
    /// No node takes it.
    Nowhere(Nowhere),
    /// Others were faster each time.
    Conflict,
}

/// Rooms that are being placed together. A room stands in it once.
#[derive(Debug)]
pub struct Batch {
    open: Vec<Need>,
    done: Vec<(RoomId, Outcome)>,
    tries: u32,
    /// Answers that said that others were faster.
    conflicts: u32,
    /// The node that asks, whose record few others change.
    own: Option<Label>,
    /// Many place rooms at this moment, so that the node that suits best is everybody's.
    is_crowded: bool,
}

impl Batch {
    /// Those rooms.
    #[must_use]
    pub fn new(needs: Vec<Need>) -> Self {
        Self { open: needs, done: Vec::new(), tries: 0, conflicts: 0, own: None, is_crowded: false }
    }

    /// Asked by this node. Where all place on one node at once, all but one are too late each time; who was too late
    /// would then rather have its rooms itself, or by name on any node that takes them. Where that was so a moment ago
    /// (`is_crowded`), it is so from the first try on.
    #[must_use]
    pub fn by(self, own: Label, is_crowded: bool) -> Self {
        Self { own: Some(own), is_crowded, ..self }
    }

    /// How often others were faster.
    #[must_use]
    pub const fn conflicts(&self) -> u32 {
        self.conflicts
    }

    /// What is to be asked next by what is known; `None`: every room has its outcome.
    pub fn ask(&mut self, fleet: &Fleet) -> Option<Transaction> {
        // What this transaction itself reserves counts for the rooms after.
        let mut planned = Plan::new(fleet);
        let mut nodes: BTreeMap<Label, NodeWrite> = BTreeMap::new();
        let mut rooms = Vec::new();
        let gives_up = self.tries >= limits::FLEET_TRIES_MAX;
        let is_crowded = self.is_crowded || self.tries >= limits::FLEET_TRIES_ELSEWHERE_MAX;
        let own = self.own.clone().filter(|_| is_crowded);
        self.tries += 1;
        for mut need in std::mem::take(&mut self.open) {
            need.prefers = need.prefers.or_else(|| own.clone());
            let chosen = if is_crowded { planned.choose_apart(&need) } else { planned.choose(&need) };
            let reserve = match (fleet.room(&need.room), chosen) {
                (Some(known), _) => Err(lives(&need, known)),
                (None, _) if gives_up => Err(Outcome::Conflict),
                (None, Err(why)) => Err(Outcome::Nowhere(why)),
                (None, Ok(reserve)) => Ok(reserve),
            };
            let reserve = match reserve {
                Ok(reserve) => reserve,
                Err(outcome) => {
                    self.done.push((need.room, outcome));
                    continue;
                }
            };
            let record = planned.reserve(&reserve).expect("it was chosen among them");
            let room = RoomRecord {
                owner: reserve.node.clone(),
                url: record.url.clone(),
                region: record.region.clone(),
                units: reserve.units,
                fence: None,
            };
            rooms.push(RoomWrite { room: need.room.clone(), seen: None, record: Some((room, record.lease)) });
            let seen = fleet.node(&reserve.node).map(|known| known.changed);
            nodes.insert(reserve.node.clone(), NodeWrite { id: reserve.node, seen, record });
            self.open.push(need);
        }
        (!rooms.is_empty()).then(|| Transaction { nodes: nodes.into_values().collect(), rooms })
    }

    /// What was answered: by it what is known changes, and either a room has its outcome or is asked for again.
    pub fn hear(&mut self, fleet: &mut Fleet, asked: Transaction, answer: Answer) {
        fleet.hear(&asked, &answer);
        let Answer::Done(revision) = answer else {
            self.conflicts += 1;
            return;
        };
        for RoomWrite { room, record, .. } in asked.rooms {
            let Some((record, _)) = record else { continue };
            self.open.retain(|need| need.room != room);
            self.done.push((room, Outcome::Lives { record, fence: Fence(revision), is_new: true }));
        }
    }

    /// What became of each room, once nothing more is asked.
    #[must_use]
    pub fn outcomes(self) -> Vec<(RoomId, Outcome)> {
        self.done
    }
}

fn lives(need: &Need, known: &Known<RoomRecord>) -> Outcome {
    if need.region.is_some() && need.region != known.value.region {
        return Outcome::OtherRegion;
    }
    Outcome::Lives { record: known.value.clone(), fence: known.fence(), is_new: false }
}
