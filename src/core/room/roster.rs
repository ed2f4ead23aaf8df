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
    /// How their tracks stand, by `track_index`.
    tracks: [Track; 4],
}

/// What is known of one track, from two sides that know nothing of each other: whichever comes last, both hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Track {
    /// It comes in, and can be shown or heard.
    runs: bool,
    /// Its sender says that there is nothing in it.
    said_off: bool,
    /// What comes in is of a kind, or an amount, that is not shown.
    refused: bool,
}

impl Track {
    const fn is_on(self) -> bool {
        self.runs && !self.said_off && !self.refused
    }
}

impl Member {
    /// Whether this track of theirs is on.
    #[must_use]
    pub fn has(&self, kind: TrackKind) -> bool {
        self.tracks[track_index(kind)].is_on()
    }

    /// Whether they say that there is nothing in this track of theirs.
    #[must_use]
    pub fn says_off(&self, kind: TrackKind) -> bool {
        self.tracks[track_index(kind)].said_off
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
        self.members.push(Member { participant, name: shown(name), role, away: false, tracks: [Track::default(); 4] });
        Ok(())
    }

    /// Whether they were here.
    pub(super) fn remove(&mut self, participant: ParticipantId) -> bool {
        let before = self.members.len();
        self.members.retain(|m| m.participant != participant);
        self.members.len() < before
    }

    /// Whether that changed anything. Nothing comes of somebody who is away, and who is back begins anew.
    pub(super) fn set_away(&mut self, participant: ParticipantId, away: bool) -> bool {
        self.change(participant, |member| {
            member.away = away;
            member.tracks = [Track::default(); 4];
        })
    }

    /// Whether that changed anything. A screen that begins is another one than that of which its owner said it is off.
    pub(super) fn set_runs(&mut self, participant: ParticipantId, kind: TrackKind, runs: bool) -> bool {
        self.change(participant, |member| {
            let track = &mut member.tracks[track_index(kind)];
            track.said_off &= kind != TrackKind::Screen || !runs || track.runs;
            track.refused &= track.runs == runs;
            track.runs = runs;
        })
    }

    /// Whether that changed anything.
    pub(super) fn set_said_off(&mut self, participant: ParticipantId, kind: TrackKind, said_off: bool) -> bool {
        self.change(participant, |member| member.tracks[track_index(kind)].said_off = said_off)
    }

    /// Whether that changed anything.
    pub(super) fn set_refused(&mut self, participant: ParticipantId, kind: TrackKind, refused: bool) -> bool {
        self.change(participant, |member| member.tracks[track_index(kind)].refused = refused)
    }

    /// Whether anything of them changed.
    fn change(&mut self, participant: ParticipantId, change: impl FnOnce(&mut Member)) -> bool {
        let Some(member) = self.members.iter_mut().find(|m| m.participant == participant) else { return false };
        let before = (member.away, member.tracks);
        change(member);
        (member.away, member.tracks) != before
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
