//! **The question:** what is told to whom a room's host, or whoever the room is of, does not have?

use axum::http::StatusCode;

use crate::base::limits;
use crate::core::access::{OverQuota, QuotaOf};
use crate::io::api::Refusal;
use crate::io::http::problem::{LOBBY, Problem, TENANT_FULL};

impl Problem {
    /// What a host of the room has a say in.
    pub(super) fn of_host(refusal: &Refusal) -> Self {
        use StatusCode as S;
        let minutes = limits::LOBBY_SPAN.as_secs() / 60;
        match refusal {
            Refusal::Removed => {
                let detail = "A host of the room removed you; your place is not kept.";
                Self::new(S::FORBIDDEN, "removed", "You were removed from the call", detail)
            }
            Refusal::RoomLocked => {
                let detail = "A host of the room lets nobody else in; ask them to open it, then try again.";
                Self::new(S::FORBIDDEN, "room-locked", "The room is locked", detail)
            }
            Refusal::Banned => {
                let detail = "A host of the room banned you from it for as long as it lasts; ask them for another way.";
                Self::new(S::FORBIDDEN, "banned", "You were banned from this call", detail)
            }
            Refusal::BansFull => {
                let detail = format!("A room has at most {} bans; lock it instead.", limits::BANS_MAX);
                Self::new(S::CONFLICT, "bans-full", "There are as many bans as may be", detail)
            }
            Refusal::InLobby { waited_s, hosts } => {
                let who = match hosts {
                    0 => "No host is in the room now; when one comes, they see your name",
                    _ => "A host of the room sees your name and can let you in",
                };
                let detail = format!(
                    "{who}. You have waited {waited_s} s of at most {minutes} min; ask again in a few seconds to wait \
                     on."
                );
                Self::new(S::SERVICE_UNAVAILABLE, LOBBY, "You wait to be let in", detail)
            }
            Refusal::NotLetIn => {
                let detail = "A host of the room did not let you in; ask them for an invitation.";
                Self::new(S::FORBIDDEN, "not-let-in", "You were not let in", detail)
            }
            Refusal::LobbyOver => {
                let detail = format!("Nobody let you in within {minutes} min; try again when a host is there.");
                Self::new(S::FORBIDDEN, "not-let-in", "Nobody let you in", detail)
            }
            Refusal::LobbyFull => {
                let detail = "As many people wait to be let in as may; try again in a few seconds.";
                Self::new(S::SERVICE_UNAVAILABLE, "lobby-full", "Too many wait to be let in", detail)
            }
            _ => {
                let detail = "They were let in, refused, or went away; GET the room's lobby for those who wait.";
                Self::new(S::NOT_FOUND, "nobody-waits", "Nobody of that id waits", detail)
            }
        }
    }
}

impl Problem {
    /// What whoever has the room may not have here.
    pub(super) fn of_tenant(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::OutsideRegion(region) => {
                let detail = format!(
                    "It runs in the region {region} and nowhere else, and this node is not there; ask a node that is."
                );
                Self::new(StatusCode::CONFLICT, "other-region", "The room is bound to another region", detail)
            }
            Refusal::StoredOutside(region) => {
                let detail = format!(
                    "It is bound to the region {region}, and recordings of this node do not lie there, as far as \
                     [recording] region says; whoever runs the node can say so, or record it elsewhere."
                );
                Self::new(StatusCode::CONFLICT, "stored-elsewhere", "This room is not recorded here", detail)
            }
            Refusal::OverQuota(OverQuota { of, most }) => {
                let (title, what) = match of {
                    QuotaOf::Rooms => ("There are as many rooms as may be", "rooms at once"),
                    QuotaOf::Participants => ("There are as many people as may be", "people in all rooms together"),
                    QuotaOf::Viewers => ("There are as many viewers as may be", "viewers in all rooms together"),
                    QuotaOf::Recordings => ("There are as many recordings as may be", "rooms recorded at once"),
                };
                let detail = format!(
                    "Whoever this room is of has agreed on {most} {what}; try again in half a minute, when \
                     one has ended, or ask them for more."
                );
                Self::new(StatusCode::TOO_MANY_REQUESTS, TENANT_FULL, title, detail)
            }
            _ => Self::busy(),
        }
    }
}
