//! **The question:** what does the recording read of those who do not want to be in it? While there are any, a view
//! that hides them, made anew every few seconds at most for all who said so meanwhile. Until it is made, what the
//! recording read before is barred, or those who said it before they came stay unseen, so that nothing in it can hold
//! somebody who had already said no.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::peers::Veil;
use crate::app::control::room::state::Room;
use crate::app::workers::package::PackageCommand;
use crate::base::media::{Outbox, ParticipantId, PeerId, RecordingTicket};

impl Room {
    /// A participant does not want to be recorded from now on: when this returns, nothing of theirs that comes from now
    /// on reaches a recording. Or they do again, after a while.
    pub(super) fn set_recordable(
        &mut self,
        now: Instant,
        participant: ParticipantId,
        recordable: bool,
        out: &mut Outbox<Effect>,
    ) {
        if recordable {
            return self.refusers.let_go(now, participant);
        }
        // Before they are one of those of whom nothing is told.
        if !self.refusers.contains(participant) {
            self.note_absence(now, participant, out);
        }
        if self.refusers.add(participant) {
            self.revoke_tracks_of(participant);
            self.bar_what_is_read();
            self.remake_view(now, out);
            self.record_tracks_of(participant, false, out);
            self.roster_changed(now, out);
        }
    }

    /// Somebody comes who does not want to be recorded. Where a view was made a moment ago nobody sees or hears them
    /// before the next one is, and the recording goes on meanwhile.
    pub(super) fn refuse_from_the_start(
        &mut self,
        now: Instant,
        peer: PeerId,
        participant: ParticipantId,
        out: &mut Outbox<Effect>,
    ) {
        self.refusers.add(participant);
        let waits = self.recording.ticket().is_some() && self.view.next().is_some_and(|at| now < at);
        if let Some(entry) = self.peers.get_mut(peer).filter(|_| waits) {
            entry.veil = Some(Veil::default());
        }
        self.remake_view(now, out);
    }

    /// Those who left or no longer mind are hidden no longer.
    pub(super) fn lift_refusers(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let gone = self.refusers.lift(now);
        if gone.is_empty() {
            return;
        }
        self.remake_view(now, out);
        for participant in gone {
            if self.core.members().iter().any(|member| member.participant == participant) {
                self.note_presence(now, participant, out);
            }
            self.record_tracks_of(participant, true, out);
        }
        self.roster_changed(now, out);
    }

    /// The people changed who are hidden: the recording goes on with what is made without them, now or soon.
    pub(super) fn remake_view(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let Some(ticket) = self.recording.ticket() else { return };
        if self.view.next().is_some_and(|at| now < at) {
            self.view.is_stale = true;
            return;
        }
        self.view.made = Some(now);
        self.read_anew(now, ticket, out);
    }

    /// The recording goes on with what is made from now on: of the same people in another codec, or without others.
    pub(super) fn read_anew(&mut self, now: Instant, ticket: RecordingTicket, out: &mut Outbox<Effect>) {
        let mut begun = Outbox::new();
        let reads = self.read_without_refusers(now, &mut begun);
        // Before anything is made of the new view.
        out.push(Effect::Package(PackageCommand::Read(ticket, Box::new(reads))));
        begun.drain().for_each(|effect| out.push(effect));
        self.unveil(now, out);
    }

    /// From now on the recording takes nothing more of what it reads. A number of its own each time: what was barred
    /// stays barred.
    pub(super) fn bar_what_is_read(&mut self) -> u64 {
        self.generations += 1;
        self.current_generation.store(self.generations, Ordering::Release);
        self.generations
    }

    /// Whoever waited for the view without them is seen and heard.
    pub(super) fn unveil(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let veiled = self.peers.iter_mut().filter_map(|(peer, entry)| Some((peer, entry.veil.take()?)));
        let veiled: Vec<(PeerId, Veil)> = veiled.collect();
        for (peer, Veil { tracks, avatar }) in veiled {
            self.appear(now, peer, avatar, out);
            for track in tracks {
                self.track_started(now, peer, track, out);
            }
        }
    }
}
