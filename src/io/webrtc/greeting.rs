//! **The question:** what is said first on a data channel? `welcome`, whatever else was on its way before it; then
//! what the answer refused.

use std::borrow::Cow;

use crate::base::limits;
use crate::core::signal::{self, FromNode, ProblemKind};

/// Where one data channel stands.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    /// `welcome` is out.
    done: bool,
    /// What is to be said to this peer alone, and not before that.
    held: Vec<String>,
    /// The m-lines that an answer refused, each with its reason.
    refusals: Vec<String>,
}

impl Greeting {
    /// An answer refuses these m-lines; said after `welcome`.
    pub(super) fn refuse(&mut self, lines: Vec<String>) {
        self.refusals = lines;
    }

    /// What to write now that `text` is to be said.
    pub(super) fn pass<'a>(&mut self, text: &'a str) -> Vec<Cow<'a, str>> {
        match signal::kind_of(text) {
            Some("welcome") if !self.done => {
                self.done = true;
                let problem =
                    |why: &String| FromNode::problem(ProblemKind::LineRefused, "Not all of the offer is taken", why);
                let refused = self.refusals.iter().map(|why| problem(why).encode());
                let texts = self.held.drain(..).chain(refused).map(Cow::Owned);
                [Cow::Borrowed(text)].into_iter().chain(texts).collect()
            }
            // What is said of the room is said again after `welcome`; what is asked of this peer alone is not.
            Some("send" | "problem" | "answer") if !self.done => {
                if self.held.len() < limits::SIGNALS_BEFORE_WELCOME_MAX {
                    self.held.push(text.to_owned());
                }
                Vec::new()
            }
            Some(_) if !self.done => Vec::new(),
            _ => vec![Cow::Borrowed(text)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::signal::VideoTrack;

    #[test]
    fn case_60_welcome_not_first_is_first_whatever_was_on_its_way() {
        let mut greeting = Greeting::default();
        greeting.refuse(vec!["m-line 1 (video) is refused: no AV1".into()]);
        let room = FromNode::Room { participants: Vec::new() }.encode();
        let send = FromNode::Send { track: VideoTrack::Camera, width: 320, height: 180, fps: 30, bitrate: 1 }.encode();
        let welcome = FromNode::Welcome { participant: None, room: "daily".parse().unwrap() }.encode();
        assert!(greeting.pass(&room).is_empty() && greeting.pass(&send).is_empty());
        let said = greeting.pass(&welcome);
        assert_eq!(said[..2], [&*welcome, &*send]);
        assert!(said.len() == 3 && said[2].contains("line-refused") && said[2].contains("no AV1"), "{said:?}");
        assert_eq!(greeting.pass(&room), [&*room]);
        assert_eq!(greeting.pass(&welcome), [&*welcome]);
    }
}
