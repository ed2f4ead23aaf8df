//! **The question:** who may do what? Every command names its caller, and every caller is judged here, whatever door
//! they came through.

use crate::base::media::ParticipantId;

/// Who stands behind a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Anyone who reaches the node's HTTP door.
    Anyone,
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
}

/// Nobody gave leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied;

/// What the operator allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Participants may begin and end the recording of their own room.
    pub participants_may_record: bool,
    /// Participants may choose the layout of their own room.
    pub participants_choose_layout: bool,
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
            (Caller::Guest, Act::Record | Act::Moderate | Act::Arrange) => false,
            (Caller::Anyone | Caller::Participant(_) | Caller::Guest, _) => true,
        };
        if may { Ok(()) } else { Err(Denied) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn participants_do_what_the_operator_lets_them_and_guests_never() {
        let strict = Policy::default();
        let open = Policy { participants_may_record: true, participants_choose_layout: true };
        let person = Caller::Participant(ParticipantId(1));
        assert_eq!(strict.judge(person, Act::Record), Err(Denied));
        assert_eq!(open.judge(person, Act::Record), Ok(()));
        assert_eq!(open.judge(Caller::Guest, Act::Record), Err(Denied));
        assert_eq!(strict.judge(Caller::Anyone, Act::Record), Ok(()));
        assert_eq!(strict.judge(person, Act::Arrange), Err(Denied));
        assert_eq!(open.judge(person, Act::Arrange), Ok(()));
    }
}
