//! **The question:** who is let in by a host alone, and what are they told meanwhile? A room with a lobby lets in whom
//! a host lets in; so does one of the operator's choice that has not begun yet, for which its host is waited.

use std::time::Instant;

use rand::Rng as _;

use crate::app::control::room::Input;
use crate::app::control::thread::Control;
use crate::app::control::waiting::{Wanted, network};
use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::access::Role;
use crate::core::room::{KnockId, KnockKey, Lobby, Outside};
use crate::core::signal::Knocker;
use crate::io::api::{Moderation, Refusal, SeatWish};

impl Control {
    /// Whether somebody may come in whom nobody has let in, or was let in by a host. Who waits is told so each time.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn pass_lobby(&mut self, now: Instant, wanted: &Wanted) -> Result<(), Refusal> {
        let is_host = matches!(wanted.who.standing, Some(Role::Host | Role::Admin));
        let has_place = matches!(wanted.seat, SeatWish::Resume(_)) || wanted.who.publishes;
        if is_host || has_place || !self.has_lobby(&wanted.room) {
            return Ok(());
        }
        if !self.lobbies.contains_key(&wanted.room) && self.lobbies.len() >= limits::LOBBIES_MAX {
            return Err(Refusal::LobbyFull);
        }
        let key = match wanted.who.bearer {
            Some(bearer) => KnockKey::Bearer(bearer),
            None => KnockKey::Stranger(network(wanted.from), wanted.display.clone()),
        };
        let lobby = self.lobbies.entry(wanted.room.clone()).or_default();
        let told = lobby.ask(now, &key, &wanted.display, KnockId(rand::rng().random()));
        self.tell_lobby(now, &wanted.room);
        told.map_err(|outside| match outside {
            Outside::Waits(waited_s) => Refusal::InLobby { waited_s, hosts: self.hosts(&wanted.room) },
            Outside::Refused => Refusal::NotLetIn,
            Outside::Over => Refusal::LobbyOver,
            Outside::Full => Refusal::LobbyFull,
        })
    }

    /// Whether hosts alone let people into this room.
    fn has_lobby(&self, room: &RoomId) -> bool {
        match self.rooms.get(room) {
            Some(entry) => entry.room.has_lobby(),
            None => self.setup.config.rooms.lobby,
        }
    }

    fn hosts(&self, room: &RoomId) -> usize {
        self.rooms.get(room).map_or(0, |entry| entry.room.hosts())
    }

    /// A host lets people in, or not; the room's own part of what they ask for follows.
    ///
    /// # Errors
    /// When one of them does not wait any more.
    pub(super) fn decide(&mut self, room: &RoomId, moderation: &Moderation) -> Result<(), Refusal> {
        let now = Instant::now();
        let mut wanted = moderation.lobby_people.iter();
        let all_waited =
            wanted.all(|(id, admits)| self.lobbies.get_mut(room).is_some_and(|lobby| lobby.decide(now, *id, *admits)));
        // Those before one who does not wait any more are decided, and hosts see it.
        if !moderation.lobby_people.is_empty() {
            self.tell_lobby(now, room);
        }
        if all_waited { Ok(()) } else { Err(Refusal::NobodyWaits) }
    }

    /// Those who wait for a room.
    pub(super) fn in_lobby(&mut self, room: &RoomId) -> Vec<Knocker> {
        let now = Instant::now();
        self.lobbies.get_mut(room).map_or_else(Vec::new, |lobby| {
            lobby.sweep(now);
            lobby.waiting(now)
        })
    }

    /// The room's hosts are told who waits.
    fn tell_lobby(&mut self, now: Instant, room: &RoomId) {
        let waiting = self.lobbies.get(room).map_or_else(Vec::new, |lobby| lobby.waiting(now));
        self.input(room, Input::Lobby(waiting));
    }

    /// Those go who ask no more, and lobbies that nobody needs.
    pub(super) fn sweep_lobbies(&mut self, now: Instant) {
        let due = self.lobbies.iter().filter(|(_, lobby)| lobby.deadline().is_some_and(|at| at <= now));
        let due: Vec<RoomId> = due.map(|(room, _)| room.clone()).collect();
        for room in due {
            if let Some(lobby) = self.lobbies.get_mut(&room) {
                lobby.sweep(now);
            }
            self.tell_lobby(now, &room);
        }
        self.lobbies.retain(|_, lobby| !lobby.is_empty());
    }

    /// When the next of them is gone.
    pub(super) fn lobby_deadline(&self) -> Option<Instant> {
        self.lobbies.values().filter_map(Lobby::deadline).min()
    }
}
