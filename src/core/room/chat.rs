//! **The question:** what did people write, who may read it, and who says too much? Kept in memory as long as the room
//! is there, the newest only, and handed to nobody but its people.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::ParticipantId;
use crate::core::room::bucket::Bucket;
use crate::core::signal::ChatLine;

/// Why a text or a reaction is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChatRefused {
    /// There is nothing to read in it.
    #[error("There is nothing to read in it: write something.")]
    Empty,
    /// So many characters.
    #[error("A text has {max} characters at most, this has {0}: say it in parts.", max = limits::CHAT_TEXT_CHARS_MAX)]
    Long(usize),
    /// This person, or the room, said as much as may be said.
    #[error("Too much at once: wait a moment, and say it again.")]
    Often,
}

/// What one person wrote.
#[derive(Debug)]
pub struct Written {
    /// Who.
    pub from: ParticipantId,
    /// Their name.
    pub name: String,
    /// Who alone may read it.
    pub to: Option<ParticipantId>,
    /// As it came.
    pub text: String,
    /// When, by the room's clock: milliseconds since 1970.
    pub at_ms: u64,
}

/// The chat of one room.
#[derive(Debug, Default)]
pub struct Chat {
    lines: VecDeque<ChatLine>,
    /// Bytes of their names and texts.
    len: usize,
    /// Lines so far.
    count: u64,
    texts: Budgets,
    reactions: Budgets,
}

impl Chat {
    /// Takes a text; the line that those read who may.
    ///
    /// # Errors
    /// When it is empty, too long, or one too many; nothing is kept of it then.
    pub fn write(&mut self, now: Instant, written: Written) -> Result<ChatLine, ChatRefused> {
        let Written { from, name, to, text, at_ms } = written;
        // Counted first, and no further than need be: what is too long is not copied.
        let chars = text.chars().count();
        if chars > limits::CHAT_TEXT_CHARS_MAX {
            return Err(ChatRefused::Long(chars));
        }
        let text = readable(&text);
        if text.is_empty() {
            return Err(ChatRefused::Empty);
        }
        let cost = 1 + u32::try_from(text.len() / limits::SIGNAL_UNIT_LEN).unwrap_or(u32::MAX);
        if !self.texts.pay(now, from, cost, &TEXTS) {
            return Err(ChatRefused::Often);
        }
        self.count += 1;
        let line = ChatLine { id: self.count, from, name, to, text, at_ms };
        self.keep(line.clone());
        Ok(line)
    }

    /// Whether a reaction is taken now.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn react(&mut self, now: Instant, from: ParticipantId) -> Result<(), ChatRefused> {
        if self.reactions.pay(now, from, 1, &REACTIONS) { Ok(()) } else { Err(ChatRefused::Often) }
    }

    /// What somebody may read of what was written, oldest first, in parts of a message each.
    #[must_use]
    pub fn history(&self, reader: Option<ParticipantId>) -> Vec<Vec<ChatLine>> {
        let mut parts: Vec<Vec<ChatLine>> = Vec::new();
        let mut len = usize::MAX;
        for line in self.lines.iter().filter(|line| may_read(line, reader)) {
            if len.saturating_add(len_of(line)) > limits::CHAT_MESSAGE_LEN_MAX {
                parts.push(Vec::new());
                len = 0;
            }
            len += len_of(line);
            parts.last_mut().expect("one was begun for the first line").push(line.clone());
        }
        parts
    }

    /// All that is kept, oldest first, and how many lines there were so far.
    #[must_use]
    pub fn kept(&self) -> (Vec<ChatLine>, u64) {
        (self.lines.iter().cloned().collect(), self.count)
    }

    /// Goes on with what was written at another node, after so many lines.
    pub fn go_on(&mut self, lines: Vec<ChatLine>, count: u64) {
        let newest = lines.iter().map(|line| line.id).max().unwrap_or(0);
        lines.into_iter().for_each(|line| self.keep(line));
        self.count = self.count.max(count).max(newest);
    }

    /// Somebody left: what they wrote stays, and they count no longer.
    pub fn leave(&mut self, participant: ParticipantId) {
        self.texts.forget(participant);
        self.reactions.forget(participant);
    }

    fn keep(&mut self, line: ChatLine) {
        self.len += len_of(&line);
        self.lines.push_back(line);
        while self.lines.len() > limits::CHAT_LINES_MAX || self.len > limits::CHAT_HISTORY_LEN_MAX {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.len -= len_of(&oldest);
        }
    }
}

/// Whether somebody may read a line; a viewer reads what everyone may.
fn may_read(line: &ChatLine, reader: Option<ParticipantId>) -> bool {
    line.to.is_none() || reader.is_some_and(|reader| line.to == Some(reader) || line.from == reader)
}

fn len_of(line: &ChatLine) -> usize {
    line.name.len() + line.text.len()
}

/// Trimmed, and without control characters but the line feed.
fn readable(text: &str) -> String {
    let kept = text.trim().chars().filter(|c| *c == '\n' || !c.is_control());
    kept.collect::<String>().trim().to_owned()
}

/// How much may be said: by one person and by all.
struct Rates {
    person: (u32, Duration),
    room: (u32, Duration),
}

const TEXTS: Rates = Rates {
    person: (limits::CHAT_BURST, limits::CHAT_SPACING),
    room: (limits::CHAT_ROOM_BURST, limits::CHAT_ROOM_SPACING),
};
const REACTIONS: Rates = Rates {
    person: (limits::REACTION_BURST, limits::REACTION_SPACING),
    room: (limits::REACTION_ROOM_BURST, limits::REACTION_ROOM_SPACING),
};

/// What each person, and all of them, said of late.
#[derive(Debug, Default)]
struct Budgets {
    people: BTreeMap<ParticipantId, Bucket>,
    room: Bucket,
}

impl Budgets {
    fn pay(&mut self, now: Instant, from: ParticipantId, cost: u32, rates: &Rates) -> bool {
        let person = self.people.entry(from).or_default();
        let paid = person.has_room(now, cost, rates.person) && self.room.has_room(now, cost, rates.room);
        if paid {
            person.take(now, cost, rates.person.1);
            self.room.take(now, cost, rates.room.1);
        }
        paid
    }

    fn forget(&mut self, participant: ParticipantId) {
        self.people.remove(&participant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: ParticipantId = ParticipantId(1);
    const BOB: ParticipantId = ParticipantId(2);
    const CEM: ParticipantId = ParticipantId(3);

    fn written(from: ParticipantId, text: &str) -> Written {
        Written { from, name: format!("Person {}", from.0), to: None, text: text.into(), at_ms: 0 }
    }

    #[test]
    fn a_text_is_words_and_nothing_else() {
        let (mut chat, now) = (Chat::default(), Instant::now());
        let line = chat.write(now, written(ADA, " <b>one</b>\r\n\u{0}two\u{1b}[2J \n")).unwrap();
        assert_eq!((line.id, &*line.text), (1, "<b>one</b>\ntwo[2J"));
        for nothing in ["", "  \n ", "\u{0}\u{7f}"] {
            assert_eq!(chat.write(now, written(ADA, nothing)), Err(ChatRefused::Empty));
        }
        let most = "ö".repeat(limits::CHAT_TEXT_CHARS_MAX);
        assert_eq!(chat.write(now, written(BOB, &most)).unwrap().text, most);
        let more = format!("{most}!");
        assert_eq!(chat.write(now, written(CEM, &more)), Err(ChatRefused::Long(limits::CHAT_TEXT_CHARS_MAX + 1)));
        assert_eq!(chat.history(None).concat().len(), 2, "nothing is kept of what was refused");
    }

    #[test]
    fn who_floods_is_refused_and_others_go_on_until_the_room_is_full() {
        let (mut chat, start) = (Chat::default(), Instant::now());
        let mut taken = |now, person| chat.write(now, written(ParticipantId(person), "hello")).is_ok();
        assert_eq!((0..100).filter(|_| taken(start, 1)).count(), limits::CHAT_BURST as usize);
        assert!(taken(start, 2), "another has a budget of their own");
        assert!(taken(start + limits::CHAT_SPACING, 1) && !taken(start + limits::CHAT_SPACING, 1));
        let all = (100..400).filter(|person| taken(start + limits::CHAT_SPACING, *person)).count();
        assert!(all <= limits::CHAT_ROOM_BURST as usize, "{all}");
        let hearts = (0..100).filter(|_| chat.react(start, ADA).is_ok()).count();
        assert_eq!(hearts, limits::REACTION_BURST as usize);
        chat.leave(ADA);
        assert!(chat.react(start, ADA).is_ok(), "who left is forgotten");
    }

    #[test]
    fn those_who_come_late_read_the_newest_and_never_what_was_meant_for_others() {
        let (mut chat, mut now) = (Chat::default(), Instant::now());
        chat.write(now, Written { to: Some(BOB), ..written(ADA, "a secret") }).unwrap();
        let reads = |chat: &Chat, who| chat.history(who).concat().iter().any(|line| line.text == "a secret");
        assert!(reads(&chat, Some(ADA)) && reads(&chat, Some(BOB)));
        assert!(!reads(&chat, Some(CEM)) && !reads(&chat, None));
        for n in 0..limits::CHAT_LINES_MAX + 50 {
            now += limits::CHAT_SPACING;
            chat.write(now, written(ADA, &format!("line {n}"))).unwrap();
        }
        let lines = chat.history(None).concat();
        assert_eq!(lines.len(), limits::CHAT_LINES_MAX);
        assert_eq!(&*lines.last().unwrap().text, format!("line {}", limits::CHAT_LINES_MAX + 49));
        for _ in 0..50 {
            now += limits::CHAT_SPACING * 10;
            chat.write(now, written(ADA, &"ö".repeat(limits::CHAT_TEXT_CHARS_MAX))).unwrap();
        }
        let parts = chat.history(None);
        let bytes: usize = parts.concat().iter().map(len_of).sum();
        assert!(bytes <= limits::CHAT_HISTORY_LEN_MAX && bytes > limits::CHAT_HISTORY_LEN_MAX / 2, "{bytes}");
        assert!(parts.len() < limits::CHATS_WAITING_MAX);
        assert!(parts.iter().all(|part| part.iter().map(len_of).sum::<usize>() <= limits::CHAT_MESSAGE_LEN_MAX));
    }
}
