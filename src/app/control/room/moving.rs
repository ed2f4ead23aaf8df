//! **The question:** how does the room go to another node, and how does it come from one? What its people would miss
//! goes along; they themselves come by their seats, each when they see the picture there, and only then leave here.

use std::time::{Instant, SystemTime};

use crate::app::control::room::effect::Effect;
use crate::app::control::room::input::MovedTo;
use crate::app::control::room::state::{RecordingState, Room};
use crate::app::workers::mix::MixCommand;
use crate::base::limits;
use crate::base::media::{Outbox, ParticipantId, PeerId, Wallclock};
use crate::core::access;
use crate::core::handover::{Baggage, Recorded, Traveller};
use crate::core::retention::Retention;
use crate::core::room::{Role, RoomInput, Rules};
use crate::core::scene::{self, Layout};
use crate::core::signal::FromNode;
use crate::io::api::BrandingChange;
use crate::io::store::RecordingWish;
use crate::io::webrtc::PeerRole;

impl Room {
    /// Packs what goes along. Another node has the room from now on, so nothing of it is recorded here any more.
    pub(super) fn pack(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let is_recorded = !matches!(self.recording, RecordingState::Off);
        self.kept.resumes = is_recorded;
        out.push(Effect::HandOver(Box::new(self.baggage(is_recorded))));
        self.end_recording(now, out);
    }

    /// It stays after all.
    pub(super) fn stay(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if std::mem::take(&mut self.kept.resumes) {
            let wish = self.kept.wish.clone();
            self.record_on(now, wish, out);
        }
    }

    fn baggage(&self, is_recorded: bool) -> Baggage {
        let Rules { mute_on_entry, push_to_talk, locked, lobby } = self.core.rules();
        let (chat, lines_so_far) = self.chat.kept();
        let RecordingWish { owner, retention } = self.kept.wish.clone();
        let retention_s = retention.map(|retention| retention.span().as_secs());
        let people = self.core.members().iter().filter_map(|member| self.traveller(member.participant)).collect();
        Baggage {
            room: self.name.clone(),
            layout: self.layout.layout.to_value(),
            page: self.layout.page,
            mute_on_entry,
            push_to_talk,
            locked,
            lobby,
            banned: self.seats.banned().collect(),
            bound_to: self.bound_to.clone(),
            banner: self.kept.banner.clone(),
            clock: self.layout.clock.is_some(),
            people,
            chat,
            lines_so_far,
            recording: is_recorded.then_some(Recorded { owner, retention_s }),
            removed: self.seats.removed().map(|(id, token)| (id, token.to_string())).collect(),
        }
    }

    /// Somebody who can follow: who hears where to, or is away and looks for their seat.
    fn traveller(&self, id: ParticipantId) -> Option<Traveller> {
        let member = self.core.members().iter().find(|member| member.participant == id)?;
        let here = self.peers.iter().find(|(_, entry)| entry.role == PeerRole::Participant(id) && entry.hears);
        let (seat, standing, keeps_seat, bearer) = match (here, self.seats.token(id)) {
            (Some((_, entry)), _) => (entry.resource, entry.standing(), entry.keeps_seat, entry.bearer),
            (None, Some(token)) => (token, None, true, self.seats.bearer_of(id)),
            (None, None) => return None,
        };
        let (muted_by_host, waits) = self.core.silenced(id);
        Some(Traveller {
            id,
            name: member.name.clone(),
            seat: seat.to_string(),
            standing,
            bearer,
            keeps_seat,
            hand: self.core.has_hand_up(id),
            muted_by_host,
            waits,
            unrecorded: self.refusers.contains(id),
            volume_percent: self.kept.volumes.get(&id).copied(),
        })
    }

    /// Goes on with what the room took along: everybody has their seat, and is away until they come. What is wished of
    /// its recording, if it is recorded.
    pub(super) fn settle(&mut self, now: Instant, baggage: Baggage, out: &mut Outbox<Effect>) -> Option<RecordingWish> {
        let rules = baggage.rules();
        if let Ok(layout) = Layout::from_value(&baggage.layout) {
            self.layout.layout = layout.clone();
            out.push(Effect::Scene(scene::Input::Layout(layout)));
        }
        if let Some(banner) = baggage.banner {
            self.set_branding(now, BrandingChange::Banner(banner), out);
        }
        if baggage.clock != self.layout.clock.is_some() {
            self.set_branding(now, BrandingChange::Clock(baggage.clock), out);
        }
        self.bound_to.extend(baggage.bound_to);
        baggage.banned.into_iter().for_each(|bearer| self.seats.ban(bearer));
        self.chat.go_on(baggage.chat, baggage.lines_so_far);
        for traveller in baggage.people {
            self.seat_traveller(now, traveller, out);
        }
        out.push(Effect::Scene(scene::Input::Page(baggage.page)));
        self.room_input(now, RoomInput::Rules(rules), out);
        for (participant, token) in baggage.removed {
            if let Ok(token) = token.parse() {
                self.seats.bar(participant, token);
            }
        }
        self.seats.wait_for_anybody(now);
        let Recorded { owner, retention_s } = baggage.recording?;
        let span = retention_s.map(std::time::Duration::from_secs);
        Some(RecordingWish { owner, retention: span.and_then(|span| Retention::new(span).ok()) })
    }

    fn seat_traveller(&mut self, now: Instant, traveller: Traveller, out: &mut Outbox<Effect>) {
        let Traveller { id, name, seat, bearer, hand, muted_by_host, waits, unrecorded, volume_percent, .. } =
            traveller;
        // Somebody without a seat that could be theirs comes as anybody does.
        let Ok(token) = seat.parse() else { return };
        if unrecorded {
            // Before anything of theirs is here.
            self.refusers.add(id);
        }
        // Who was muted on entry and has not asked to talk is so again.
        self.room_input(now, RoomInput::Rules(Rules { mute_on_entry: waits, ..Rules::default() }), out);
        self.room_input(now, RoomInput::Join(id, name.clone(), Role::Participant), out);
        if !self.core.members().iter().any(|member| member.participant == id) {
            return;
        }
        out.push(Effect::Scene(scene::Input::Joined { participant: id, name }));
        if muted_by_host {
            self.room_input(now, RoomInput::Mute(id, true), out);
        }
        if hand {
            self.room_input(now, RoomInput::Hand(id, true), out);
        }
        if let Some(percent) = volume_percent {
            self.kept.volumes.insert(id, percent);
            out.push(Effect::Mix(MixCommand::Volume(self.name.clone(), id, f32::from(percent) / 100.0)));
        }
        self.seats.keep(now, id, token, bearer);
        self.room_input(now, RoomInput::Away(id, true), out);
    }

    /// Everybody is told where the room goes on. Those who hear no such word (by WHIP, WHEP or a leg) are sent off:
    /// when they ask again they are led there.
    pub(super) fn moved(&mut self, now: Instant, to: MovedTo, out: &mut Outbox<Effect>) {
        self.moved = Some((to, now + limits::MOVE_FOLLOW_SPAN));
        // Or they would be tried again from here.
        self.end_pushes(now, out);
        let (hear, deaf): (Vec<_>, Vec<_>) =
            self.peers.iter().map(|(id, entry)| (id, entry.hears)).partition(|of| of.1);
        hear.into_iter().for_each(|(peer, _)| self.tell_moved(peer, out));
        for (peer, _) in deaf {
            self.dismiss(now, peer, "the room goes on at another node", out);
        }
        // Those who are away, or only watched, keep nothing open here.
        let is_anybody_here = self.peers.iter().next().is_some();
        if !is_anybody_here {
            self.end(now, "it goes on at another node", out);
        }
    }

    /// Tells one who hears it where the room goes on, if it does elsewhere.
    pub(super) fn tell_moved(&self, peer: PeerId, out: &mut Outbox<Effect>) {
        let (Some((to, _)), Some(entry)) = (&self.moved, self.peers.get(peer)) else { return };
        let role = match entry.role {
            PeerRole::Viewer { .. } => access::Role::Viewer,
            _ => entry.standing().unwrap_or(access::Role::Speaker),
        };
        let now = Wallclock::from_system_time(SystemTime::now()).unix_seconds();
        let trust = to.trust.as_ref().filter(|_| self.setup.policy.is_locked);
        let pass = trust.and_then(|trust| trust.pass(now, &self.name, role));
        Self::send(peer, &FromNode::Moved { url: to.url.clone(), pass }, out);
    }
}
