//! **The question:** which rung does each viewer get, as their links carry? Whoever asked for one keeps it.

use std::cmp::Ordering;
use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::app::workers::counters::NodeCounters;
use crate::base::media::{Outbox, PeerId, RungCodecs};
use crate::core::ladder::{LinkVerdict, Relief, ViewerInput, ViewerOutput, ViewerRung};
use crate::io::webrtc::NetCommand;

/// What follows for somebody who watches, here or at a relay, from what their link carries; it is counted.
pub(in crate::app::control) fn follow(
    now: Instant,
    rung: &mut ViewerRung,
    input: ViewerInput,
    node: &NodeCounters,
) -> Option<ViewerOutput> {
    let (before, mut changes) = (rung.at(), Outbox::new());
    rung.handle(now, input, &mut changes);
    let change = changes.drain().next_back()?;
    match rung.at().cmp(&before) {
        Ordering::Greater => node.rung_downs.add(1),
        Ordering::Less => node.rung_ups.add(1),
        Ordering::Equal => {}
    }
    if matches!(change, ViewerOutput::Hold) {
        node.rung_holds.add(1);
    }
    Some(change)
}

impl Room {
    /// A viewer's link carries less than it is given, or all of it again.
    pub(super) fn link_changed(&mut self, now: Instant, peer: PeerId, verdict: LinkVerdict, out: &mut Outbox<Effect>) {
        self.viewer_input(now, peer, verdict.into(), out);
    }

    /// Viewers whose links were clear for long enough.
    pub(super) fn rungs_due(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        for peer in self.peers.rungs_due(now) {
            self.viewer_input(now, peer, ViewerInput::Due, out);
        }
    }

    fn viewer_input(&mut self, now: Instant, peer: PeerId, input: ViewerInput, out: &mut Outbox<Effect>) {
        let Some(watching) = self.peers.get_mut(peer).and_then(|entry| entry.watching.as_mut()) else { return };
        let (takes, Some(rung)) = (watching.takes, &mut watching.rung) else { return };
        match follow(now, rung, input, &self.setup.counts.node) {
            Some(ViewerOutput::Show { at, at_once }) => self.show(now, peer, (at, at_once), takes, out),
            Some(ViewerOutput::Hold) => out.push(Effect::Net(NetCommand::HoldPictures(peer))),
            None => {}
        }
    }

    /// Viewers whose rung follows their link get another at most, or the largest again.
    pub(super) fn relieve_rungs(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let follow = self.peers.iter().filter_map(|(peer, entry)| {
            let watching = entry.watching.as_ref()?;
            let rung = watching.rung.as_ref().filter(|rung| !rung.is_held())?;
            Some((peer, rung.at(), watching.takes))
        });
        for (peer, at, takes) in follow.collect::<Vec<_>>() {
            self.show(now, peer, (at, false), takes, out);
        }
    }

    /// The largest rung that those get who asked for none, by its place.
    pub(super) fn largest(&self) -> usize {
        usize::from(self.relief >= Relief::Rungs).min(self.setup.rungs.len() - 1)
    }

    fn show(
        &mut self,
        now: Instant,
        peer: PeerId,
        (at, at_once): (usize, bool),
        takes: RungCodecs,
        out: &mut Outbox<Effect>,
    ) {
        let spec = self.in_codec_of(self.setup.rungs[at.max(self.largest())], takes);
        let rung = self.watch(now, peer, spec, out);
        out.push(Effect::Net(NetCommand::WatchRung { peer, rung, at_once }));
    }
}
