//! **The question:** what does each kind of asker need for each act? The one table; `docs/access.md` shows it, and a
//! test keeps the two equal.

use crate::core::access::act::Act;
use crate::core::access::caller::Caller;
use crate::core::access::role::Role;

/// A column: a kind of asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// Over HTTP, with nothing to show.
    Anyone,
    /// Over HTTP, with a token.
    Token(Role),
    /// Over HTTP, with the operator's token.
    Operator,
    /// In a call, as a participant, by a token or without.
    Person(Option<Role>),
    /// In a call, by WHIP.
    Publisher,
    /// In a call, by WHEP.
    Viewer,
}

/// A cell: what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Nothing more.
    Yes,
    /// There is none.
    No,
    /// That no keys are set.
    Unlocked,
    /// That no keys are set, or that streams are open to all.
    Streams,
    /// That no keys are set, and what [`Steering`](crate::core::access::Steering) says.
    Steering,
    /// That participants may record.
    Recording,
    /// That participants may choose the layout.
    Layout,
}

impl Asker {
    pub(super) const fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Anyone => Self::Anyone,
            Caller::Bearer(grant) => Self::Token(grant.role),
            Caller::Operator => Self::Operator,
            Caller::Participant(_, role) => Self::Person(*role),
            Caller::Publisher => Self::Publisher,
            Caller::Viewer => Self::Viewer,
        }
    }
}

/// The table. Whoever shows nothing, or the operator's token, is let on to recordings, which then ask for their own,
/// and to handing a room over, which asks for what nodes sign with.
pub(super) const fn leave(asker: Asker, act: Act) -> Leave {
    match asker {
        Asker::Anyone => of_anyone(act),
        Asker::Token(role) => of_token(role, act),
        Asker::Operator => match act {
            Act::TakePart => Leave::No,
            _ => Leave::Yes,
        },
        Asker::Person(role) => of_person(role, act),
        Asker::Publisher => match act {
            Act::SteerOwn | Act::TakePart => Leave::Yes,
            _ => Leave::No,
        },
        Asker::Viewer => match act {
            Act::SteerOwn => Leave::Yes,
            _ => Leave::No,
        },
    }
}

const fn of_anyone(act: Act) -> Leave {
    match act {
        Act::Visit | Act::SteerOwn | Act::Archive | Act::Settle => Leave::Yes,
        Act::TakePart => Leave::No,
        Act::Look | Act::Watch | Act::Publish | Act::Join | Act::Survey => Leave::Unlocked,
        Act::Stream => Leave::Streams,
        Act::Arrange | Act::Moderate | Act::Record | Act::Push | Act::Caption | Act::Account | Act::Oversee => {
            Leave::Steering
        }
    }
}

const fn of_token(role: Role, act: Act) -> Leave {
    let may = match act {
        Act::Visit | Act::SteerOwn | Act::Look => true,
        Act::TakePart | Act::Settle => false,
        Act::Watch | Act::Stream => !matches!(role, Role::Recorder | Role::Captioner),
        Act::Publish | Act::Join => matches!(role, Role::Speaker | Role::Host | Role::Admin),
        Act::Arrange | Act::Moderate => matches!(role, Role::Host | Role::Admin),
        Act::Record => matches!(role, Role::Host | Role::Recorder | Role::Admin),
        Act::Archive => matches!(role, Role::Recorder),
        Act::Caption => matches!(role, Role::Captioner | Role::Admin),
        Act::Push | Act::Survey | Act::Account | Act::Oversee => matches!(role, Role::Admin),
    };
    if may { Leave::Yes } else { Leave::No }
}

const fn of_person(role: Option<Role>, act: Act) -> Leave {
    match (act, role) {
        (Act::SteerOwn, _) => Leave::Yes,
        // No such token lets its bearer in.
        (_, Some(Role::Viewer | Role::Recorder | Role::Captioner)) => Leave::No,
        (Act::TakePart, _) | (Act::Arrange | Act::Moderate | Act::Record, Some(Role::Host | Role::Admin)) => Leave::Yes,
        (Act::Record, None | Some(Role::Speaker)) => Leave::Recording,
        (Act::Arrange, None | Some(Role::Speaker)) => Leave::Layout,
        _ => Leave::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = include_str!("../../../docs/access.md");
    const ACTS: [Act; 18] = [
        Act::Visit,
        Act::SteerOwn,
        Act::TakePart,
        Act::Look,
        Act::Watch,
        Act::Stream,
        Act::Publish,
        Act::Join,
        Act::Arrange,
        Act::Moderate,
        Act::Record,
        Act::Archive,
        Act::Push,
        Act::Caption,
        Act::Survey,
        Act::Account,
        Act::Settle,
        Act::Oversee,
    ];

    fn printed(heads: &[&str], askers: &[Asker]) -> String {
        let rule = vec!["---"; heads.len() + 1].join("|");
        let mut table = format!("| act | {} |\n|{rule}|\n", heads.join(" | "));
        for act in ACTS {
            let cells = askers.iter().map(|asker| match leave(*asker, act) {
                Leave::Yes => "yes",
                Leave::No => "–",
                Leave::Unlocked => "open",
                Leave::Streams => "open, or `hls.open`",
                Leave::Steering => "open, as `http.token` says",
                Leave::Recording => "`participants_may_record`",
                Leave::Layout => "`participants_choose_layout`",
            });
            table += &format!("| {act:?} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
        }
        table
    }

    #[test]
    fn the_table_is_the_one_in_the_docs() {
        let mut heads = vec!["nothing"];
        let mut askers = vec![Asker::Anyone];
        heads.extend(Role::ALL.map(Role::name));
        askers.extend(Role::ALL.map(Asker::Token));
        heads.push("the operator's token");
        askers.push(Asker::Operator);
        let over_http = printed(&heads, &askers);
        println!("{over_http}");
        let people = [None, Some(Role::Speaker), Some(Role::Host), Some(Role::Admin)].map(Asker::Person);
        let askers = [&people[..], &[Asker::Publisher, Asker::Viewer]].concat();
        let in_a_call = printed(&["no token", "speaker", "host", "admin", "by WHIP", "by WHEP"], &askers);
        println!("{in_a_call}");
        assert!(DOCS.contains(&over_http), "docs/access.md has another table for HTTP than:\n{over_http}");
        assert!(DOCS.contains(&in_a_call), "docs/access.md has another table for calls than:\n{in_a_call}");
    }

    #[test]
    fn no_role_may_less_than_the_one_before_it_except_recorders() {
        let may = |role, act| leave(Asker::Token(role), act) == Leave::Yes;
        for act in ACTS {
            assert!(!may(Role::Viewer, act) || may(Role::Speaker, act), "{act:?}");
            assert!(!may(Role::Speaker, act) || may(Role::Host, act), "{act:?}");
            assert!(!may(Role::Host, act) || may(Role::Admin, act), "{act:?}");
            assert!(!may(Role::Captioner, act) || may(Role::Admin, act), "{act:?}");
            assert!(!may(Role::Recorder, act) || may(Role::Admin, act) || act == Act::Archive, "{act:?}");
        }
    }

    #[test]
    fn whoever_has_no_token_for_coming_in_may_nothing_inside_either() {
        for role in [Role::Viewer, Role::Recorder, Role::Captioner] {
            for act in ACTS.into_iter().filter(|act| *act != Act::SteerOwn) {
                assert_eq!(leave(Asker::Person(Some(role)), act), Leave::No, "{role} {act:?}");
            }
        }
    }
}
