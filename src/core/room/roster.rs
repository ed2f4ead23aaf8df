//! **The question:** who is here? Members in the order in which they joined.

use crate::base::limits;
use crate::base::media::{ParticipantId, TrackKind};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends, sees and hears.
    Participant,
    /// Only sends (WHIP).
    Publisher,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many participants as a room takes.
    #[error("the room is full: it takes {} participants", limits::PARTICIPANTS_MAX)]
    ParticipantsFull,
    /// As many viewers as a room takes on this node.
    #[error("the room has all the {} viewers it takes", limits::VIEWERS_MAX)]
    ViewersFull,
    /// This id is here already.
    #[error("already in the room")]
    Present,
    /// The last participant left.
    #[error("the room has ended")]
    Ended,
}

/// One person in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub participant: ParticipantId,
    /// The name to show: trimmed, without control characters, at most `limits::DISPLAY_NAME_LEN_MAX` bytes; may be
    /// empty.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their connection broke; they may come back.
    pub away: bool,
    /// Which of their tracks are on, by `track_index`.
    tracks: [bool; 4],
}

impl Member {
    /// Whether this track of theirs is on.
    #[must_use]
    pub fn has(&self, kind: TrackKind) -> bool {
        self.tracks[track_index(kind)]
    }
}

/// The members.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: Vec<Member>,
}

impl Roster {
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn get(&self, participant: ParticipantId) -> Option<&Member> {
        self.members.iter().find(|m| m.participant == participant)
    }

    pub(super) fn admit(&mut self, participant: ParticipantId, name: &str, role: Role) -> Result<(), Refused> {
        if self.get(participant).is_some() {
            return Err(Refused::Present);
        }
        if self.members.len() >= limits::PARTICIPANTS_MAX {
            return Err(Refused::ParticipantsFull);
        }
        self.members.push(Member { participant, name: shown(name), role, away: false, tracks: [false; 4] });
        Ok(())
    }

    /// Whether they were here.
    pub(super) fn remove(&mut self, participant: ParticipantId) -> bool {
        let before = self.members.len();
        self.members.retain(|m| m.participant != participant);
        self.members.len() < before
    }

    /// Whether that changed anything. Nothing comes of somebody who is away.
    pub(super) fn set_away(&mut self, participant: ParticipantId, away: bool) -> bool {
        let Some(member) = self.members.iter_mut().find(|m| m.participant == participant) else { return false };
        if away {
            member.tracks = [false; 4];
        }
        std::mem::replace(&mut member.away, away) != away
    }

    /// Whether that changed anything.
    pub(super) fn set_track(&mut self, participant: ParticipantId, kind: TrackKind, on: bool) -> bool {
        let Some(member) = self.members.iter_mut().find(|m| m.participant == participant) else { return false };
        std::mem::replace(&mut member.tracks[track_index(kind)], on) != on
    }
}

fn track_index(kind: TrackKind) -> usize {
    match kind {
        TrackKind::Camera => 0,
        TrackKind::Microphone => 1,
        TrackKind::Screen => 2,
        TrackKind::ScreenSound => 3,
    }
}

fn shown(name: &str) -> String {
    let mut shown: String = name.trim().chars().filter(|c| !c.is_control()).collect();
    let mut end = shown.len().min(limits::DISPLAY_NAME_LEN_MAX);
    while !shown.is_char_boundary(end) {
        end -= 1;
    }
    shown.truncate(end);
    shown
}
