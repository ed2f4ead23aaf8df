//! **The question:** who may do what? Every command names its caller, and every caller is judged here, whatever door
//! they came through.

use crate::base::media::ParticipantId;

/// Who stands behind a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Anyone who reaches the node's HTTP door.
    Anyone,
    /// Who showed the operator's token there.
    Operator,
    /// A participant, over their own connection.
    Participant(ParticipantId),
    /// Somebody who only publishes or only watches, over their own connection.
    Guest,
}

/// What is asked, as far as leave to ask it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// To look at rooms and at the node.
    Look,
    /// To come into a room, to publish into it or to watch it.
    Enter,
    /// To steer a connection of which one knows the token.
    SteerOwn,
    /// To change how a room looks.
    Arrange,
    /// To change how a room sounds and who is heard in it.
    Moderate,
    /// To begin or end a recording.
    Record,
    /// To send a room on to another server, and to see where it goes.
    Push,
    /// To see how the node fares, beyond what its metrics tell, and to empty it of rooms.
    Oversee,
    /// To see, hand over or erase recordings, which have a token and links of their own.
    Archive,
}

impl Act {
    /// Whether it takes the operator's leave, or a participant's.
    const fn is_steering(self) -> bool {
        matches!(self, Self::Record | Self::Moderate | Self::Arrange | Self::Push | Self::Oversee)
    }
}

/// Why there is no leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Nobody gave it.
    NotAllowed,
    /// It takes the operator's token, and none was shown.
    TokenMissing,
    /// It takes the operator's token, and there is none.
    SteeringOff,
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
    /// Who steers rooms from outside of them.
    pub steering: Steering,
}

impl Policy {
    /// Whether `caller` may do `act`.
    ///
    /// # Errors
    /// [`Denied`] when they may not.
    pub const fn judge(self, caller: Caller, act: Act) -> Result<(), Denied> {
        let may = match (caller, act) {
            (Caller::Participant(_), Act::Record) => self.participants_may_record,
            (Caller::Participant(_), Act::Arrange) => self.participants_choose_layout,
            (Caller::Participant(_), Act::Oversee | Act::Push) => false,
            (Caller::Guest, act) if act.is_steering() => false,
            (Caller::Anyone, act) if act.is_steering() => match self.steering {
                Steering::Open => true,
                Steering::ByToken => return Err(Denied::TokenMissing),
                Steering::Off => return Err(Denied::SteeringOff),
            },
            (Caller::Anyone | Caller::Operator | Caller::Participant(_) | Caller::Guest, _) => true,
        };
        if may { Ok(()) } else { Err(Denied::NotAllowed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn participants_do_what_the_operator_lets_them_and_guests_never() {
        let strict = Policy::default();
        let open = Policy { participants_may_record: true, participants_choose_layout: true, ..strict };
        let person = Caller::Participant(ParticipantId(1));
        assert_eq!(strict.judge(person, Act::Record), Err(Denied::NotAllowed));
        assert_eq!(open.judge(person, Act::Record), Ok(()));
        assert_eq!(open.judge(Caller::Guest, Act::Record), Err(Denied::NotAllowed));
        assert_eq!(strict.judge(Caller::Anyone, Act::Record), Ok(()));
        assert_eq!(strict.judge(person, Act::Arrange), Err(Denied::NotAllowed));
        assert_eq!(open.judge(person, Act::Arrange), Ok(()));
        assert_eq!(open.judge(person, Act::Push), Err(Denied::NotAllowed), "nobody sends a call elsewhere unasked");
    }
    #[test]
    fn steering_takes_a_token_as_soon_as_other_machines_reach_the_door() {
        let of = |has_token, beyond| Policy { steering: Steering::new(has_token, beyond), ..Policy::default() };
        for act in [Act::Arrange, Act::Moderate, Act::Record, Act::Push, Act::Oversee] {
            assert_eq!(of(false, false).judge(Caller::Anyone, act), Ok(()), "only this machine asks");
            assert_eq!(of(false, true).judge(Caller::Anyone, act), Err(Denied::SteeringOff));
            for beyond in [false, true] {
                assert_eq!(of(true, beyond).judge(Caller::Anyone, act), Err(Denied::TokenMissing));
                assert_eq!(of(true, beyond).judge(Caller::Operator, act), Ok(()));
                assert_eq!(of(true, beyond).judge(Caller::Guest, act), Err(Denied::NotAllowed));
            }
        }
        for act in [Act::Look, Act::Enter, Act::SteerOwn] {
            assert_eq!(of(false, true).judge(Caller::Anyone, act), Ok(()), "joining and watching stay open");
        }
    }
}
