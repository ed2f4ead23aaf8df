//! **The question:** which node shows a room to those for whom its own has no place, and what do both say to each other
//! of it? One that shows it already and has places, the fullest, so that others empty; else a new one, where the room
//! may be, that does not go down, keeps up and has something left of its machine.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::{Codec, RoomId, RungCodecs, RungName, Size};
use crate::core::fleet::{Fleet, Known, Label, NodeRecord, Nowhere};

/// A relay of a room, as its own node knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySeen {
    /// The node that relays.
    pub node: Label,
    /// How many watch there.
    pub viewers: u32,
    /// How many more may.
    pub places: u32,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct RelayNeed<'a> {
    /// The node that has the room, which is none of those to choose from.
    pub owner: &'a Label,
    /// Where the relay has to stand: in all of these, which is nowhere if two differ.
    pub regions: &'a [Label],
    /// Where it had better, if it may stand anywhere.
    pub near: Option<&'a Label>,
    /// Those that relay it already.
    pub known: &'a [RelaySeen],
}

impl RelayNeed<'_> {
    fn may_stand(&self, region: Option<&Label>) -> bool {
        self.regions.iter().all(|bound| region == Some(bound))
    }
}

impl Fleet {
    /// The node to which a viewer is sent.
    ///
    /// # Errors
    /// When there is none; says why.
    pub fn relay(&self, need: &RelayNeed<'_>) -> Result<Label, Nowhere> {
        let all = || self.nodes().filter(|(id, _)| *id != need.owner);
        let there = || all().filter(|(_, node)| need.may_stand(node.value.region.as_ref()));
        let staying = || there().filter(|(_, node)| !node.value.draining);
        let of = |id: &Label| need.known.iter().find(|seen| seen.node == *id);
        let running = staying().filter_map(|(id, _)| of(id)).filter(|seen| seen.places > 0);
        if let Some(fullest) = running.min_by_key(|seen| (seen.places, &seen.node)) {
            return Ok(fullest.node.clone());
        }
        let free = |node: &NodeRecord| node.units.saturating_sub(node.reserved);
        let takes = |(id, node): &(&Label, &Known<NodeRecord>)| {
            of(id).is_none() && !node.value.full && free(&node.value) >= limits::RELAY_UNITS
        };
        let is_far = |node: &NodeRecord| need.near.is_some() && node.region.as_ref() != need.near;
        let best = staying().filter(takes);
        let best = best.min_by_key(|(id, node)| (is_far(&node.value), Reverse(free(&node.value)), *id));
        let best = best.filter(|_| need.known.len() < limits::RELAYS_PER_ROOM_MAX);
        best.map(|(id, _)| id.clone()).ok_or_else(|| {
            let is_any = |mut nodes: Box<dyn Iterator<Item = _> + '_>| nodes.next().is_some();
            match () {
                () if !is_any(Box::new(all())) => Nowhere::Empty,
                () if !is_any(Box::new(there())) => Nowhere::Region,
                () if !is_any(Box::new(staying())) => Nowhere::Draining,
                () => Nowhere::Full,
            }
        })
    }
}

/// What a relay says to the room's own node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum RelayWord {
    /// It relays the room, or wants to; answered by how the room stands.
    Tell {
        /// Which.
        room: RoomId,
        /// Who says so.
        node: Label,
        /// How many watch there.
        viewers: u32,
        /// How many more may.
        places: u32,
    },
    /// It wants to watch; answered by an SDP answer.
    Watch {
        /// Which room.
        room: RoomId,
        /// Who says so.
        node: Label,
        /// Which rung, by its name.
        rung: String,
        /// SDP, of one codec.
        offer: String,
    },
}

/// What the room's own node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum RelayAnswer {
    /// How the room stands.
    Terms(RelayTerms),
    /// A connection is made.
    Watches {
        /// SDP.
        sdp: String,
        /// What names the connection there, from the first slash on.
        location: String,
    },
}

/// How a room stands for those who relay it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayTerms {
    /// When its clock stood at 0, UTC, nanoseconds since 1970: by it one beginning of the room is told from another.
    pub began: u64,
    /// Where that clock stands now, nanoseconds.
    pub now: u64,
    /// Its rungs, the largest first.
    pub rungs: Vec<RelayRung>,
    /// In what those are sent pictures who take both codecs: `av1` or `h264`.
    pub codec: String,
}

/// One rung of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayRung {
    /// What it is chosen by.
    pub name: String,
    /// Frames a second at most.
    pub fps: u32,
    /// Bits a second.
    pub bitrate: u32,
}

impl RelayRung {
    /// Its raster.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        self.name.parse::<RungName>().ok().map(|name| name.0)
    }
}

impl RelayTerms {
    /// Whether they can be gone by.
    #[must_use]
    pub fn are_usable(&self) -> bool {
        let few = (1..=limits::RELAY_RUNGS_MAX).contains(&self.rungs.len());
        few && self.rungs.iter().all(|rung| rung.size().is_some()) && self.codec().is_some()
    }

    /// In what somebody is sent pictures who takes these.
    #[must_use]
    pub fn codec_for(&self, takes: RungCodecs) -> Codec {
        let first = self.codec().unwrap_or(Codec::Av1);
        takes.only().unwrap_or(first)
    }

    fn codec(&self) -> Option<Codec> {
        [Codec::Av1, Codec::H264].into_iter().find(|codec| codec.name() == self.codec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    /// A node's id, its region, and its media units and those that are reserved.
    fn fleet(nodes: &[(&str, Option<&str>, (u64, u64))]) -> Fleet {
        let known = |(id, region, (units, reserved)): &(&str, Option<&str>, (u64, u64))| {
            let value = NodeRecord {
                url: format!("https://{id}"),
                region: region.map(label),
                units: *units,
                reserved: *reserved,
                free_room100_slots: 0,
                draining: id.starts_with("draining"),
                full: id.starts_with("full"),
                lease: 1,
                pod: None,
            };
            (label(id), Known { value, created: 1, changed: 1 })
        };
        Fleet::new(nodes.iter().map(known), [])
    }

    fn seen(node: &str, places: u32) -> RelaySeen {
        RelaySeen { node: label(node), viewers: 1, places }
    }

    fn chosen(fleet: &Fleet, regions: &[&str], near: Option<&str>, known: &[RelaySeen]) -> Result<String, Nowhere> {
        let (regions, near): (Vec<Label>, _) = (regions.iter().copied().map(label).collect(), near.map(label));
        let need = RelayNeed { owner: &label("a"), regions: &regions, near: near.as_ref(), known };
        fleet.relay(&need).map(|node| node.to_string())
    }

    #[test]
    fn who_relays_already_and_has_places_comes_first_then_the_emptiest() {
        let fleet = fleet(&[("a", None, (90, 0)), ("b", None, (50, 40)), ("c", None, (50, 10)), ("d", None, (50, 50))]);
        assert_eq!(chosen(&fleet, &[], None, &[]), Ok("c".into()), "never the owner, however empty");
        assert_eq!(chosen(&fleet, &[], None, &[seen("b", 9), seen("d", 3)]), Ok("d".into()), "the fullest of them");
        assert_eq!(chosen(&fleet, &[], None, &[seen("c", 0), seen("gone", 7)]), Ok("b".into()));
        assert_eq!(chosen(&fleet, &[], None, &[seen("b", 0), seen("c", 0)]), Err(Nowhere::Full), "d has nothing left");
    }

    #[test]
    fn a_room_is_relayed_nowhere_that_it_may_not_be() {
        let fleet = fleet(&[
            ("a", Some("eu"), (90, 0)),
            ("b", Some("us"), (90, 0)),
            ("c", Some("eu"), (90, 60)),
            ("d", None, (90, 0)),
        ]);
        assert_eq!(chosen(&fleet, &["eu"], Some("eu"), &[]), Ok("c".into()));
        assert_eq!(chosen(&fleet, &["us"], Some("eu"), &[]), Ok("b".into()));
        assert_eq!(chosen(&fleet, &["ap"], None, &[]), Err(Nowhere::Region));
        assert_eq!(chosen(&fleet, &["eu", "us"], None, &[]), Err(Nowhere::Region), "of two that differ in neither");
        // One that relays it against that is not gone on with.
        assert_eq!(chosen(&fleet, &["eu"], None, &[seen("b", 9)]), Ok("c".into()));
        assert_eq!(chosen(&fleet, &["eu"], None, &[seen("b", 9), seen("c", 0)]), Err(Nowhere::Full));
        assert_eq!(chosen(&fleet, &[], Some("eu"), &[]), Ok("c".into()), "near where it may be anywhere");
        assert_eq!(chosen(&fleet, &[], Some("eu"), &[seen("c", 0)]), Ok("b".into()), "and far rather than not at all");
    }

    #[test]
    fn a_node_that_goes_down_or_does_not_keep_up_begins_no_relay() {
        let two = fleet(&[("a", None, (90, 0)), ("draining-b", None, (90, 0)), ("full-c", None, (90, 0))]);
        assert_eq!(chosen(&two, &[], None, &[]), Err(Nowhere::Full));
        assert_eq!(chosen(&two, &[], None, &[seen("draining-b", 9)]), Err(Nowhere::Full));
        assert_eq!(chosen(&two, &[], None, &[seen("full-c", 9)]), Ok("full-c".into()), "one more costs it little");
        let one = fleet(&[("a", None, (90, 0)), ("draining-b", None, (90, 0))]);
        assert_eq!(chosen(&one, &[], None, &[]), Err(Nowhere::Draining));
        assert_eq!(chosen(&fleet(&[("a", None, (90, 0))]), &[], None, &[]), Err(Nowhere::Empty));
    }

    #[test]
    fn terms_that_make_no_sense_are_not_gone_by() {
        let rung = |name: &str| RelayRung { name: name.into(), fps: 30, bitrate: 1 };
        let terms = |rungs: Vec<RelayRung>, codec: &str| RelayTerms { began: 0, now: 0, rungs, codec: codec.into() };
        assert!(terms(vec![rung("1280x720"), rung("640x360")], "h264").are_usable());
        assert!(!terms(vec![], "h264").are_usable() && !terms(vec![rung("large")], "h264").are_usable());
        assert!(!terms(vec![rung("1280x720")], "opus").are_usable());
        assert!(!terms(vec![rung("1280x720"); limits::RELAY_RUNGS_MAX + 1], "av1").are_usable());
        let both = RungCodecs { av1: true, h264: true, vp8: false };
        let of = |takes| terms(vec![rung("1280x720")], "h264").codec_for(takes);
        assert_eq!(of(both), Codec::H264);
        assert_eq!(of(RungCodecs::default().with(Codec::Av1)), Codec::Av1);
        assert_eq!(of(RungCodecs::default().with(Codec::Vp8)), Codec::Vp8);
    }
}
