//! **The question:** who captions the room, whose words may they write down, and of when? It keeps nothing of what was
//! said.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::base::limits;
use crate::base::media::ParticipantId;
use crate::core::room::bucket::Bucket;
use crate::core::signal::CaptionLine;

/// One captioner, of whichever room; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaptionerId(pub u64);

/// Why a caption is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaptionRefused {
    /// Whom it is about is not in the room, and was not of late.
    #[error("'participant' names nobody who is in the room or left it a moment ago")]
    Nobody,
    /// It is of another time.
    #[error("'from_ms' lies too far back, more than two minutes; the room's clock stands at {0} ms")]
    Old(u64),
    /// It is of the future.
    #[error("'to_ms' is yet to come; the room's clock stands at {0} ms")]
    Ahead(u64),
    /// They come too fast.
    #[error("at most {max} captions a second are taken", max = 1000 / limits::CAPTION_SPACING.as_millis())]
    Often,
}

/// The captioners of one room, and those who left it while they were there.
#[derive(Debug, Default)]
pub struct Captions {
    captioners: BTreeMap<CaptionerId, Bucket>,
    left: VecDeque<(ParticipantId, String, Instant)>,
}

impl Captions {
    /// One comes; false where there are as many as may be.
    pub fn begin(&mut self, captioner: CaptionerId) -> bool {
        let is_taken = self.captioners.len() < limits::CAPTIONERS_PER_ROOM_MAX;
        if is_taken {
            self.captioners.insert(captioner, Bucket::default());
        }
        is_taken
    }

    /// One goes; false if it is not known.
    pub fn end(&mut self, captioner: CaptionerId) -> bool {
        self.captioners.remove(&captioner).is_some()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.captioners.len()
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_captioned(&self) -> bool {
        !self.captioners.is_empty()
    }

    /// Somebody of this name left; what they said last may yet be captioned.
    pub fn leaves(&mut self, now: Instant, participant: ParticipantId, name: &str) {
        if !self.is_captioned() {
            return;
        }
        self.left.retain(|(_, _, at)| now.saturating_duration_since(*at) < limits::CAPTION_AGE_MAX);
        if self.left.len() == limits::CAPTION_LEFT_MAX {
            self.left.pop_front();
        }
        self.left.push_back((participant, name.to_owned(), now));
    }

    /// Takes a caption of a captioner that is there, the room's clock standing at `now_ms`; `name` knows who is here.
    ///
    /// # Errors
    /// When it cannot be of anything that was said here of late, or comes too soon after others.
    pub fn take(
        &mut self,
        (now, now_ms): (Instant, u64),
        captioner: CaptionerId,
        line: CaptionLine,
        name: impl Fn(ParticipantId) -> Option<String>,
    ) -> Result<CaptionLine, CaptionRefused> {
        let bucket = self.captioners.get_mut(&captioner).ok_or(CaptionRefused::Nobody)?;
        if !bucket.pay(now, (limits::CAPTION_BURST, limits::CAPTION_SPACING)) {
            return Err(CaptionRefused::Often);
        }
        let gone =
            || self.left.iter().rev().find(|(left, ..)| *left == line.participant).map(|(_, name, _)| name.clone());
        let name = name(line.participant).or_else(gone).ok_or(CaptionRefused::Nobody)?;
        let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        if line.to_ms > now_ms.saturating_add(millis(limits::CAPTION_AHEAD_MAX)) {
            return Err(CaptionRefused::Ahead(now_ms));
        }
        if line.from_ms.saturating_add(millis(limits::CAPTION_AGE_MAX)) < now_ms {
            return Err(CaptionRefused::Old(now_ms));
        }
        let (from_ms, to_ms) = (line.from_ms.min(now_ms), line.to_ms.min(now_ms));
        Ok(CaptionLine { name, from_ms, to_ms, ..line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn line(participant: u64, from_ms: u64, to_ms: u64) -> CaptionLine {
        let (name, text) = (String::new(), "hello".to_owned());
        CaptionLine {
            participant: ParticipantId(participant),
            name,
            from_ms,
            to_ms,
            text,
            is_final: true,
            language: None,
        }
    }

    fn here(participant: ParticipantId) -> Option<String> {
        (participant.0 == 1).then(|| "Ada".to_owned())
    }

    #[test]
    fn words_are_of_people_who_are_here_and_of_now() {
        let (mut captions, now) = (Captions::default(), Instant::now());
        let captioner = CaptionerId(7);
        assert!(captions.begin(captioner));
        let at = (now, 500_000);
        let taken = captions.take(at, captioner, line(1, 499_000, 500_900), here).unwrap();
        assert_eq!((&*taken.name, taken.from_ms, taken.to_ms), ("Ada", 499_000, 500_000), "it ends now");
        let refused = |captions: &mut Captions, line| captions.take(at, captioner, line, here).unwrap_err();
        assert_eq!(refused(&mut captions, line(2, 499_000, 499_500)), CaptionRefused::Nobody);
        assert_eq!(refused(&mut captions, line(1, 502_000, 502_001)), CaptionRefused::Ahead(500_000));
        assert_eq!(refused(&mut captions, line(1, 379_999, 390_000)), CaptionRefused::Old(500_000));
        captions.leaves(now, ParticipantId(2), "Bob");
        assert_eq!(captions.take(at, captioner, line(2, 499_000, 499_500), here).unwrap().name, "Bob");
        assert!(captions.end(captioner) && !captions.end(captioner) && !captions.is_captioned());
        assert!(captions.take(at, captioner, line(1, 499_000, 499_500), here).is_err(), "it is gone");
    }

    #[test]
    fn captioners_are_few_and_each_says_so_much() {
        let (mut captions, now) = (Captions::default(), Instant::now());
        let all: Vec<_> = (0..limits::CAPTIONERS_PER_ROOM_MAX as u64).map(CaptionerId).collect();
        assert!(all.iter().all(|captioner| captions.begin(*captioner)) && !captions.begin(CaptionerId(99)));
        let mut takes = |now, captioner| captions.take((now, 9_000), captioner, line(1, 1, 2), here).is_ok();
        assert_eq!((0..100).filter(|_| takes(now, all[0])).count(), limits::CAPTION_BURST as usize);
        assert!(takes(now, all[1]), "another has its own");
        assert!(takes(now + limits::CAPTION_SPACING, all[0]) && !takes(now + limits::CAPTION_SPACING, all[0]));
        assert!(captions.end(all[2]) && captions.begin(CaptionerId(99)));
        for n in 0..200 {
            captions.leaves(now + Duration::from_millis(n), ParticipantId(n), "");
        }
        assert_eq!(captions.left.len(), limits::CAPTION_LEFT_MAX);
    }
}
