//! **The question:** may this caller do that here? What the operator allows, over the table.

use crate::base::media::RoomId;
use crate::core::access::act::Act;
use crate::core::access::caller::Caller;
use crate::core::access::table::{Asker, Leave, leave};
use crate::core::access::tenant::Scope;

/// Why there is no leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Nobody gave it.
    NotAllowed,
    /// It takes the operator's token, and none was shown.
    TokenMissing,
    /// It takes the operator's token, and there is none.
    SteeringOff,
    /// It takes an access token, and none was shown.
    AccessMissing,
    /// The token's role may not.
    WrongRole,
    /// The token is for another room, or for one room where all are asked about.
    WrongRoom,
    /// The token's key is another tenant's, or a tenant's where the node itself is asked about.
    WrongTenant,
}

/// Whether anyone who reaches the HTTP door steers rooms by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Steering {
    /// Anyone may: only this machine reaches the door.
    #[default]
    Open,
    /// Who shows the operator's token.
    ByToken,
    /// Nobody: others reach the door, and there is no token.
    Off,
}

impl Steering {
    /// As it follows from whether the operator set a token, and whether other machines reach the door.
    #[must_use]
    pub const fn new(has_token: bool, is_reached_by_others: bool) -> Self {
        match (has_token, is_reached_by_others) {
            (true, _) => Self::ByToken,
            (false, true) => Self::Off,
            (false, false) => Self::Open,
        }
    }
}

/// What the operator allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Participants may begin and end the recording of their own room.
    pub participants_may_record: bool,
    /// Participants may choose the layout of their own room.
    pub participants_choose_layout: bool,
    /// Who steers rooms from outside of them, as long as nothing is locked.
    pub steering: Steering,
    /// Keys for access tokens are set: who shows neither one nor the operator's comes in nowhere.
    pub is_locked: bool,
    /// HLS asks for no token even then.
    pub streams_are_open: bool,
}

impl Policy {
    /// Whether `caller` may do `act`, in `room` where it concerns one.
    ///
    /// # Errors
    /// [`Denied`] when they may not.
    pub fn judge(self, caller: &Caller, act: Act, room: Option<&RoomId>) -> Result<(), Denied> {
        let may = match leave(Asker::of(caller), act) {
            Leave::Yes => return keeps_to_its_own(caller, act, room),
            Leave::No if matches!(caller, Caller::Bearer(_)) => return Err(Denied::WrongRole),
            Leave::No => false,
            Leave::Streams if self.streams_are_open => true,
            Leave::Unlocked | Leave::Streams | Leave::Steering if self.is_locked => return Err(Denied::AccessMissing),
            Leave::Unlocked | Leave::Streams => true,
            Leave::Steering => match self.steering {
                Steering::Open => true,
                Steering::ByToken => return Err(Denied::TokenMissing),
                Steering::Off => return Err(Denied::SteeringOff),
            },
            Leave::Recording => self.participants_may_record,
            Leave::Layout => self.participants_choose_layout,
        };
        if may { Ok(()) } else { Err(Denied::NotAllowed) }
    }
}

/// A token of a tenant's key leads to its own rooms alone, and to nothing of the node's own; what is told of several
/// rooms is told of its own. Not even a connection whose name it knows is steered under another's room. A token for one
/// room leads into no other, and to nothing that is of all of them. Whose a recording is shows when it is looked for.
fn keeps_to_its_own(caller: &Caller, act: Act, room: Option<&RoomId>) -> Result<(), Denied> {
    if let scope @ Scope::Tenants(_) = caller.scope() {
        let is_within = match room {
            _ if act == Act::Oversee => false,
            _ if act == Act::Visit => true,
            Some(room) => scope.covers(room),
            None => !act.is_of_room(),
        };
        if !is_within {
            return Err(Denied::WrongTenant);
        }
    }
    let Some(own) = caller.only_room() else { return Ok(()) };
    let strays = act.is_of_node() || act.is_of_room() && room != Some(own);
    if strays { Err(Denied::WrongRoom) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::ParticipantId;
    use crate::core::access::{Grant, Role};

    const STEERING: [Act; 6] = [Act::Arrange, Act::Moderate, Act::Record, Act::Push, Act::Caption, Act::Oversee];

    fn person(role: Option<Role>) -> Caller {
        Caller::Participant(ParticipantId(1), role)
    }

    fn bearer(role: Role, room: Option<&str>) -> Caller {
        Caller::Bearer(Grant::new(role, room.map(|name| name.parse().unwrap())))
    }

    #[test]
    fn participants_do_what_the_operator_lets_them_and_guests_never() {
        let strict = Policy::default();
        let open = Policy { participants_may_record: true, participants_choose_layout: true, ..strict };
        for role in [None, Some(Role::Speaker)] {
            let person = person(role);
            assert_eq!(strict.judge(&person, Act::Record, None), Err(Denied::NotAllowed));
            assert_eq!(open.judge(&person, Act::Record, None), Ok(()));
            assert_eq!(strict.judge(&person, Act::Arrange, None), Err(Denied::NotAllowed));
            assert_eq!(open.judge(&person, Act::Arrange, None), Ok(()));
            assert_eq!(open.judge(&person, Act::Moderate, None), Err(Denied::NotAllowed));
            assert_eq!(open.judge(&person, Act::Push, None), Err(Denied::NotAllowed), "nobody sends a call elsewhere");
        }
        for act in [Act::Record, Act::Arrange, Act::Moderate] {
            assert_eq!(strict.judge(&person(Some(Role::Host)), act, None), Ok(()), "a host asks nobody");
            assert_eq!(open.judge(&Caller::Publisher, act, None), Err(Denied::NotAllowed));
            assert_eq!(open.judge(&Caller::Viewer, act, None), Err(Denied::NotAllowed));
        }
        assert_eq!(strict.judge(&person(Some(Role::Host)), Act::Push, None), Err(Denied::NotAllowed));
        assert_eq!(open.judge(&Caller::Viewer, Act::TakePart, None), Err(Denied::NotAllowed));
    }

    #[test]
    fn steering_takes_a_token_as_soon_as_other_machines_reach_the_door() {
        let of = |has_token, beyond| Policy { steering: Steering::new(has_token, beyond), ..Policy::default() };
        for act in STEERING {
            assert_eq!(of(false, false).judge(&Caller::Anyone, act, None), Ok(()), "only this machine asks");
            assert_eq!(of(false, true).judge(&Caller::Anyone, act, None), Err(Denied::SteeringOff));
            for beyond in [false, true] {
                assert_eq!(of(true, beyond).judge(&Caller::Anyone, act, None), Err(Denied::TokenMissing));
                assert_eq!(of(true, beyond).judge(&Caller::Operator, act, None), Ok(()));
                assert_eq!(of(true, beyond).judge(&Caller::Viewer, act, None), Err(Denied::NotAllowed));
            }
        }
        for act in [Act::Look, Act::Join, Act::Publish, Act::Watch, Act::Stream, Act::Survey, Act::SteerOwn] {
            assert_eq!(of(false, true).judge(&Caller::Anyone, act, None), Ok(()), "joining and watching stay open");
        }
    }

    #[test]
    fn keys_lock_every_room_even_where_only_this_machine_asks() {
        let locked = Policy { is_locked: true, ..Policy::default() };
        let room: RoomId = "daily".parse().unwrap();
        let entering = [Act::Look, Act::Join, Act::Publish, Act::Watch, Act::Stream, Act::Survey];
        for act in STEERING.into_iter().chain(entering) {
            assert_eq!(locked.judge(&Caller::Anyone, act, Some(&room)), Err(Denied::AccessMissing), "{act:?}");
            assert_eq!(locked.judge(&Caller::Operator, act, Some(&room)), Ok(()), "{act:?}");
        }
        for act in [Act::Visit, Act::SteerOwn] {
            assert_eq!(locked.judge(&Caller::Anyone, act, None), Ok(()));
        }
        let streams = Policy { streams_are_open: true, ..locked };
        assert_eq!(streams.judge(&Caller::Anyone, Act::Stream, Some(&room)), Ok(()));
        assert_eq!(streams.judge(&Caller::Anyone, Act::Watch, Some(&room)), Err(Denied::AccessMissing));
    }

    #[test]
    fn a_tenants_token_leads_to_its_own_rooms_and_not_to_the_nodes_own() {
        let policy = Policy { is_locked: true, streams_are_open: true, ..Policy::default() };
        let scope = Scope::of("acme".parse().unwrap());
        let admin = Caller::Bearer(Grant { scope: scope.clone(), ..Grant::new(Role::Admin, None) });
        let room = |name: &str| name.parse::<RoomId>().unwrap();
        let (own, others, nobodys) = (room("acme~daily"), room("globex~daily"), room("daily"));
        let of_rooms = [Act::Look, Act::Join, Act::Publish, Act::Watch, Act::Stream, Act::Caption, Act::SteerOwn];
        for act in STEERING.into_iter().chain(of_rooms).filter(|act| *act != Act::Oversee) {
            assert_eq!(policy.judge(&admin, act, Some(&own)), Ok(()), "{act:?}");
            for other in [&others, &nobodys] {
                assert_eq!(policy.judge(&admin, act, Some(other)), Err(Denied::WrongTenant), "{act:?}");
            }
        }
        for act in [Act::Survey, Act::Account] {
            assert_eq!(policy.judge(&admin, act, None), Ok(()), "{act:?}: of its own rooms");
        }
        assert_eq!(policy.judge(&admin, Act::Oversee, None), Err(Denied::WrongTenant));
        let stray = Caller::Bearer(Grant { scope, ..Grant::new(Role::Admin, Some(others.clone())) });
        assert_eq!(policy.judge(&stray, Act::Join, Some(&others)), Err(Denied::WrongTenant), "whatever it claims");
    }

    #[test]
    fn a_token_for_one_room_leads_into_no_other() {
        let (daily, other): (RoomId, RoomId) = ("daily".parse().unwrap(), "daily2".parse().unwrap());
        let policy = Policy { is_locked: true, ..Policy::default() };
        let host = bearer(Role::Host, Some("daily"));
        for act in [Act::Look, Act::Join, Act::Publish, Act::Watch, Act::Stream, Act::Moderate, Act::Record] {
            assert_eq!(policy.judge(&host, act, Some(&daily)), Ok(()), "{act:?}");
            assert_eq!(policy.judge(&host, act, Some(&other)), Err(Denied::WrongRoom), "{act:?}");
            assert_eq!(policy.judge(&host, act, None), Err(Denied::WrongRoom), "{act:?}");
            assert_eq!(policy.judge(&bearer(Role::Host, None), act, Some(&other)), Ok(()), "{act:?}");
        }
        assert_eq!(policy.judge(&host, Act::Push, Some(&daily)), Err(Denied::WrongRole));
        assert_eq!(policy.judge(&host, Act::Caption, Some(&daily)), Err(Denied::WrongRole));
        let captioner = bearer(Role::Captioner, Some("daily"));
        assert_eq!(policy.judge(&captioner, Act::Caption, Some(&daily)), Ok(()));
        assert_eq!(policy.judge(&captioner, Act::Caption, Some(&other)), Err(Denied::WrongRoom));
        assert_eq!(policy.judge(&captioner, Act::Watch, Some(&daily)), Err(Denied::WrongRole));
        let admin = bearer(Role::Admin, Some("daily"));
        assert_eq!(policy.judge(&admin, Act::Push, Some(&daily)), Ok(()));
        for act in [Act::Survey, Act::Oversee] {
            assert_eq!(policy.judge(&admin, act, None), Err(Denied::WrongRoom), "{act:?}");
            assert_eq!(policy.judge(&bearer(Role::Admin, None), act, None), Ok(()), "{act:?}");
        }
    }
}
