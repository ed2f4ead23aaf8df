//! **The question:** what of that which a room's own node says goes on to those who watch elsewhere? What it tells its
//! own viewers: all of it to who comes, and then how the room stands and what is said.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::limits;
use crate::core::signal::{FromNode, WordKind};

/// What was said last of each kind.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// In the order in which they first came, the welcome before all others.
    states: Vec<(WordKind, Arc<str>)>,
    chats: VecDeque<Arc<str>>,
}

/// What follows from one of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Everybody is told.
    Tell(WordKind, Arc<str>),
    /// Who comes from now on is.
    Kept,
    /// The room goes on at another node.
    Moved,
    /// Nothing.
    Nothing,
}

impl Words {
    /// Takes a text in; the room's clock here is `ahead_ms` ahead of the one that it goes by.
    pub(super) fn hear(&mut self, text: &str, ahead_ms: i64) -> Heard {
        // What this version does not know is nothing that a viewer of it knows.
        let Ok(Some(word)) = FromNode::parse(text) else { return Heard::Nothing };
        let (kind, word) = (word.kind(), on_clock(word, ahead_ms));
        let text: Arc<str> = word.encode().into();
        match kind {
            WordKind::Moved => Heard::Moved,
            WordKind::Lobby
            | WordKind::Speaking
            | WordKind::Send(_)
            | WordKind::Answer
            | WordKind::Problem
            | WordKind::Reaction => Heard::Nothing,
            WordKind::Caption | WordKind::Interim(_) => Heard::Tell(kind, text),
            WordKind::Chat => {
                self.chats.push_back(text);
                if self.chats.len() > limits::RELAY_CHATS_MAX {
                    self.chats.pop_front();
                }
                Heard::Kept
            }
            WordKind::State => {
                self.keep(kind, text.clone());
                Heard::Tell(kind, text)
            }
            // Of the rest viewers are told once, when they come; who came before it was known here is told then.
            _ if self.keep(kind, text.clone()) => Heard::Tell(kind, text),
            _ => Heard::Kept,
        }
    }

    /// What somebody is told who comes; nothing before the room's own node welcomed this one.
    pub(super) fn for_newcomer(&self) -> impl Iterator<Item = (WordKind, Arc<str>)> {
        let is_begun = self.states.first().is_some_and(|(kind, _)| *kind == WordKind::Welcome);
        let chats = self.chats.iter().map(|text| (WordKind::Chat, text.clone()));
        self.states.iter().cloned().chain(chats).filter(move |_| is_begun)
    }

    /// Another node says them all again.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether it is the first of its kind.
    fn keep(&mut self, kind: WordKind, text: Arc<str>) -> bool {
        let known = self.states.iter_mut().find(|(kept, _)| *kept == kind);
        let is_first = known.is_none();
        match known {
            Some((_, kept)) => *kept = text,
            None if kind == WordKind::Welcome => self.states.insert(0, (kind, text)),
            None => self.states.push((kind, text)),
        }
        is_first
    }
}

/// A scene says by an RTP timestamp from when on it holds.
fn on_clock(word: FromNode, ahead_ms: i64) -> FromNode {
    let units = ahead_ms.wrapping_mul(i64::from(limits::VIDEO_CLOCK / 1_000));
    match word {
        FromNode::Scene { width, height, after, motion_ms, tiles } => {
            // The wire's timestamps wrap at 32 bits.
            let after = i64::from(after).wrapping_add(units).rem_euclid(1 << 32);
            FromNode::Scene { width, height, after: u32::try_from(after).unwrap_or(0), motion_ms, tiles }
        }
        word => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(word: &FromNode) -> String {
        word.encode()
    }

    fn node(ends_in_s: Option<u64>) -> String {
        said(&FromNode::Node { ends_in_s })
    }

    #[test]
    fn who_comes_is_told_what_holds_and_who_is_there_what_viewers_are() {
        let mut words = Words::default();
        assert_eq!(words.hear(&node(None), 0), Heard::Tell(WordKind::Node, node(None).into()), "nobody knew");
        assert_eq!(words.for_newcomer().count(), 0, "nobody is welcome yet");
        words.hear(&said(&FromNode::Welcome { participant: None, room: "daily".parse().unwrap() }), 0);
        assert_eq!(words.hear(&node(Some(7)), 0), Heard::Kept, "viewers are not told of it");
        let chat = FromNode::Chat { lines: Vec::new() };
        for _ in 0..=limits::RELAY_CHATS_MAX {
            assert_eq!(words.hear(&said(&chat), 0), Heard::Kept);
        }
        let told: Vec<_> = words.for_newcomer().collect();
        assert_eq!(told.len(), 2 + limits::RELAY_CHATS_MAX);
        assert_eq!((told[0].0, told[1].0, &*told[1].1), (WordKind::Welcome, WordKind::Node, &*node(Some(7))));
        let moved = FromNode::Moved { url: "https://b.example".into(), pass: None };
        assert_eq!(words.hear(&said(&moved), 0), Heard::Moved);
        for nothing in ["", "{}", r#"{"v":1,"type":"later"}"#, &said(&FromNode::Answer { sdp: String::new() })] {
            assert_eq!(words.hear(nothing, 0), Heard::Nothing, "{nothing}");
        }
        words.forget();
        assert_eq!(words.for_newcomer().count(), 0);
    }

    #[test]
    fn a_scene_holds_from_the_same_picture_on_by_whichever_clock() {
        let of = |after| FromNode::Scene { width: 2, height: 2, after, motion_ms: 0, tiles: Vec::new() };
        let mut words = Words::default();
        words.hear(&said(&FromNode::Welcome { participant: None, room: "daily".parse().unwrap() }), 0);
        for (ahead_ms, told, here) in [(0, 9, 9), (2, 9, 189), (-1, 9, u32::MAX - 80), (1, u32::MAX, 89)] {
            words.hear(&said(&of(told)), ahead_ms);
            let kept = words.for_newcomer().last().map(|(_, text)| text.to_string());
            assert_eq!(kept, Some(said(&of(here))));
        }
    }
}
