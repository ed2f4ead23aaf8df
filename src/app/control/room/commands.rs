//! **The question:** what does a door ask of a room or of one of its connections? One function each.

use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::outputs::Rung;
use crate::app::control::room::peers::PeerEntry;
use crate::app::control::room::state::Room;
use crate::base::media::{Outbox, PeerId};
use crate::core::access::Caller;
use crate::core::scene;
use crate::io::api::{Command, LayoutShown, Refusal, Reply, RoomDetail, RungShown, SdpFragment, Trickled};

impl Room {
    /// What is asked of the room. A reply that nobody waits for means the client hung up, and nothing needs undoing.
    pub(super) fn command(&mut self, now: Instant, command: Command, out: &mut Outbox<Effect>) {
        match command {
            Command::Room { reply, .. } => drop(reply.send(Ok(self.detail(now)))),
            Command::Rungs { reply, .. } => drop(reply.send(Ok(self.rungs_shown()))),
            Command::Layout { reply, .. } => drop(reply.send(Ok(self.layout_shown()))),
            Command::SetLayout { layout, reply, .. } => {
                self.set_layout(now, layout, out);
                drop(reply.send(Ok(())));
            }
            Command::SetBranding { branding, reply, .. } => {
                self.set_branding(now, branding, out);
                drop(reply.send(Ok(())));
            }
            Command::TurnPage { page, reply, .. } => {
                out.push(Effect::Scene(scene::Input::Page(page)));
                drop(reply.send(Ok(())));
            }
            Command::Announce { blocks, reply, .. } => {
                self.announce(blocks, out);
                drop(reply.send(Ok(())));
            }
            Command::Moderate { moderation, reply, .. } => {
                drop(reply.send(self.moderate(now, &moderation, out)));
            }
            Command::Package { rung, reply, .. } => drop(reply.send(self.package(now, rung, out))),
            Command::Record { wish, reply, .. } => self.record_for_door(now, wish, reply, out),
            Command::Push { wish, reply, .. } => drop(reply.send(self.begin_push(now, &wish, out))),
            Command::Pushes { reply, .. } => drop(reply.send(Ok(self.pushes_shown(now)))),
            Command::EndPush { push, reply, .. } => drop(reply.send(self.end_push(now, push, out))),
            Command::BeginCaptions { reply, .. } => {
                // Whoever is gone by now has no seat to leave.
                if let Err(Ok(seat)) = reply.send(self.begin_captions(out)) {
                    drop(self.end_captions(seat.captioner, out));
                }
            }
            Command::Caption { captioner, line, reply, .. } => {
                drop(reply.send(self.caption(now, (captioner, line), out)));
            }
            Command::EndCaptions { captioner, reply, .. } => drop(reply.send(self.end_captions(captioner, out))),
            Command::StopRecording { reply, .. } => drop(reply.send(self.stop_recording(now, out))),
            // Commands that are not about a room that is there never come here.
            other => other.refuse(Refusal::RoomNotFound),
        }
    }

    /// What is asked of one of its connections.
    pub(super) fn command_of(&mut self, now: Instant, peer: PeerId, command: Command, out: &mut Outbox<Effect>) {
        match command {
            Command::Trickle { session, fragment, reply, .. } => {
                self.trickle(peer, session.as_deref(), fragment, reply, out);
            }
            Command::Leave { reply, .. } => {
                self.dismiss(now, peer, "the client left", out);
                drop(reply.send(Ok(())));
            }
            Command::Leg { reply, .. } => drop(reply.send(self.leg_state(peer))),
            Command::SetAvatar { avatar, reply, .. } => drop(reply.send(self.set_avatar(peer, avatar, out))),
            other => other.refuse(Refusal::ResourceNotFound),
        }
    }

    /// Who stands behind a connection.
    pub(super) fn caller(&self, peer: PeerId) -> Caller {
        self.peers.get(peer).map_or(Caller::Viewer, PeerEntry::caller)
    }

    fn trickle(
        &mut self,
        peer: PeerId,
        session: Option<&str>,
        fragment: SdpFragment,
        reply: Reply<Trickled>,
        out: &mut Outbox<Effect>,
    ) {
        let Some(entry) = self.peers.get_mut(peer).filter(|entry| entry.leg.is_none()) else {
            return drop(reply.send(Err(Refusal::ResourceNotFound)));
        };
        if let Some(command) = entry.trickling.ask(peer, session, fragment, reply) {
            out.push(Effect::Net(command));
        }
    }

    fn detail(&self, now: Instant) -> RoomDetail {
        RoomDetail {
            room: self.name.clone(),
            participants: self.people(),
            viewers: self.own_viewers(),
            relayed_viewers: self.relayed,
            hls_viewers: self.hls_viewers(now),
            recording: self.recording.is_on(),
            gives_up: self.relief.name(),
            codec: self.codec.codec().name(),
            codec_why: self.codec.why().to_owned(),
        }
    }

    /// What can be watched, and what of it runs.
    fn rungs_shown(&self) -> Vec<RungShown> {
        let shown = |spec: &crate::base::media::RungSpec| {
            let of_size = |rung: &&Rung| rung.spec.size == spec.size && rung.view.is_whole();
            let running = || self.outputs.rungs().iter().filter(of_size);
            RungShown {
                rung: spec.name().to_string(),
                codec: self.codec.codec().name(),
                width: spec.size.width,
                height: spec.size.height,
                fps: spec.fps,
                bitrate: spec.bitrate,
                running: running().next().is_some(),
                viewers: running().map(Rung::viewers).sum(),
            }
        };
        self.setup.rungs.iter().map(shown).collect()
    }

    fn layout_shown(&self) -> LayoutShown {
        let layout = &self.layout;
        LayoutShown { layout: layout.layout.clone(), page: layout.page + 1, pages: layout.pages.max(1) }
    }
}
