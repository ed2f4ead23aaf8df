//! **The question:** who waits to be let in, and since when? Those who come without a host's right to a room with a
//! lobby. They hold no connection: each asks again every few seconds, and is gone once they do not.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::IdError;
use crate::core::access::BearerId;
use crate::core::signal::Knocker;

/// Somebody who waits, to the hosts of one room. Text form: `k` and 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KnockId(pub u64);

/// By what somebody who asks again is known. It has no text form, for it may hold a name.
#[derive(Clone, PartialEq, Eq)]
pub enum KnockKey {
    /// By their token.
    Bearer(BearerId),
    /// Without one, by where they ask from and what they call themselves.
    Stranger(Option<IpAddr>, String),
}

/// Why somebody does not come in now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// They wait: seconds so far.
    Waits(u64),
    /// A host does not let them in.
    Refused,
    /// Nobody let them in for `limits::LOBBY_SPAN`.
    Over,
    /// As many wait as may.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    None,
    Admitted(Instant),
    Refused(Instant),
}

struct Knock {
    id: KnockId,
    key: KnockKey,
    name: String,
    since: Instant,
    /// When they asked last.
    asked: Instant,
    verdict: Verdict,
}

/// Those who wait for one room. It has no text form, for it holds names.
#[derive(Default)]
pub struct Lobby {
    knocks: Vec<Knock>,
}

impl fmt::Display for KnockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k{:016x}", self.0)
    }
}

impl FromStr for KnockId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix('k').filter(|d| d.len() == 16 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        u64::from_str_radix(digits.ok_or(IdError::Knock)?, 16).map(Self).map_err(|_| IdError::Knock)
    }
}

impl TryFrom<String> for KnockId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<KnockId> for String {
    fn from(id: KnockId) -> Self {
        id.to_string()
    }
}

impl Knock {
    fn waits(&self) -> bool {
        self.verdict == Verdict::None
    }

    /// Until when it is kept, if nothing is heard of them.
    fn ends(&self) -> Instant {
        match self.verdict {
            Verdict::None => self.asked + limits::LOBBY_SILENT_SPAN,
            Verdict::Admitted(at) => at + limits::LOBBY_ADMITTED_SPAN,
            Verdict::Refused(at) => at + limits::LOBBY_REFUSED_SPAN,
        }
    }
}

impl Lobby {
    /// Somebody asks to come in, for the first time or again; a newcomer is called `id`. A host's leave holds for one
    /// entry.
    ///
    /// # Errors
    /// [`Outside`] while they have no leave.
    pub fn ask(&mut self, now: Instant, key: &KnockKey, name: &str, id: KnockId) -> Result<(), Outside> {
        self.sweep(now);
        let Some(at) = self.knocks.iter().position(|knock| knock.key == *key) else {
            return Err(self.newcomer(now, key, name, id));
        };
        let knock = &mut self.knocks[at];
        match knock.verdict {
            Verdict::Admitted(_) => {
                self.knocks.remove(at);
                Ok(())
            }
            Verdict::Refused(_) => Err(Outside::Refused),
            Verdict::None if knock.since + limits::LOBBY_SPAN <= now => {
                self.knocks.remove(at);
                Err(Outside::Over)
            }
            Verdict::None => {
                knock.asked = now;
                Err(Outside::Waits(now.saturating_duration_since(knock.since).as_secs()))
            }
        }
    }

    fn newcomer(&mut self, now: Instant, key: &KnockKey, name: &str, id: KnockId) -> Outside {
        let of_address = |other: &&Knock| match (&other.key, key) {
            (KnockKey::Stranger(one, _), KnockKey::Stranger(other, _)) => one == other,
            _ => false,
        };
        let here = self.knocks.iter().filter(of_address).count();
        if self.knocks.len() >= limits::LOBBY_MAX || here >= limits::LOBBY_PER_ADDRESS_MAX {
            return Outside::Full;
        }
        let (key, name) = (key.clone(), name.to_owned());
        self.knocks.push(Knock { id, key, name, since: now, asked: now, verdict: Verdict::None });
        Outside::Waits(0)
    }

    /// A host lets somebody in, or not; false: they do not wait any more.
    pub fn decide(&mut self, now: Instant, id: KnockId, admits: bool) -> bool {
        self.sweep(now);
        let Some(knock) = self.knocks.iter_mut().find(|knock| knock.id == id && knock.waits()) else { return false };
        knock.verdict = if admits { Verdict::Admitted(now) } else { Verdict::Refused(now) };
        true
    }

    /// Those leave who ask no more.
    pub fn sweep(&mut self, now: Instant) {
        self.knocks.retain(|knock| knock.ends() > now);
    }

    /// When the first of them leaves, or is kept no longer, if nothing is heard of them.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.knocks.iter().map(Knock::ends).min()
    }

    /// Whether nobody waits, was let in or refused a moment ago.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.knocks.is_empty()
    }

    /// Those who wait, in the order in which they came.
    #[must_use]
    pub fn waiting(&self, now: Instant) -> Vec<Knocker> {
        let told = |knock: &Knock| Knocker {
            id: knock.id.to_string(),
            name: knock.name.clone(),
            waited_s: now.saturating_duration_since(knock.since).as_secs(),
        };
        self.knocks.iter().filter(|knock| knock.waits()).map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stranger(name: &str) -> KnockKey {
        KnockKey::Stranger(Some([192, 0, 2, 1].into()), name.to_owned())
    }

    const ADA: KnockKey = KnockKey::Bearer(BearerId([7; 32]));

    #[test]
    fn who_asks_again_waits_on_and_comes_in_once_by_a_hosts_leave() {
        let (mut lobby, now) = (Lobby::default(), Instant::now());
        let ask = |lobby: &mut Lobby, s: u64, id: u64| {
            lobby.ask(now + Duration::from_secs(s), &stranger("Bob"), "Bob", KnockId(id))
        };
        assert_eq!(ask(&mut lobby, 0, 1), Err(Outside::Waits(0)));
        assert_eq!(ask(&mut lobby, 3, 2), Err(Outside::Waits(3)), "no second one");
        assert_eq!(lobby.ask(now, &ADA, "Ada", KnockId(3)), Err(Outside::Waits(0)));
        let told = lobby.waiting(now + Duration::from_secs(3));
        assert_eq!(
            told.iter().map(|one| (one.name.as_str(), one.waited_s)).collect::<Vec<_>>(),
            [("Bob", 3), ("Ada", 3)]
        );
        assert!(lobby.decide(now, KnockId(1), true) && lobby.decide(now, KnockId(3), false));
        assert!(!lobby.decide(now, KnockId(1), false), "that was decided");
        assert!(!lobby.decide(now, KnockId(9), true), "nobody");
        assert_eq!(ask(&mut lobby, 4, 4), Ok(()));
        assert_eq!(ask(&mut lobby, 5, 5), Err(Outside::Waits(0)), "leave is for one entry");
        assert_eq!(lobby.ask(now, &ADA, "Ada", KnockId(6)), Err(Outside::Refused));
        let later = now + limits::LOBBY_REFUSED_SPAN;
        assert_eq!(lobby.ask(later, &ADA, "Ada", KnockId(7)), Err(Outside::Waits(0)), "and may ask again");
    }

    #[test]
    fn nobody_waits_for_ever_and_who_is_silent_is_gone() {
        let (mut lobby, now) = (Lobby::default(), Instant::now());
        assert_eq!(lobby.deadline(), None);
        assert_eq!(lobby.ask(now, &ADA, "Ada", KnockId(1)), Err(Outside::Waits(0)));
        assert_eq!(lobby.deadline(), Some(now + limits::LOBBY_SILENT_SPAN));
        let (mut at, mut told) = (now, Err(Outside::Waits(0)));
        while told != Err(Outside::Over) {
            at += limits::LOBBY_SILENT_SPAN / 2;
            told = lobby.ask(at, &ADA, "Ada", KnockId(2));
            assert!(at <= now + limits::LOBBY_SPAN + limits::LOBBY_SILENT_SPAN, "{told:?}");
        }
        assert!(lobby.is_empty());
        assert_eq!(lobby.ask(at, &ADA, "Ada", KnockId(3)), Err(Outside::Waits(0)));
        lobby.sweep(at + limits::LOBBY_SILENT_SPAN);
        assert!(lobby.is_empty());
        lobby.decide(at, KnockId(3), true);
        assert_eq!(lobby.waiting(at), []);
    }

    #[test]
    fn few_wait_of_one_address_and_not_many_in_all() {
        let (mut lobby, now) = (Lobby::default(), Instant::now());
        for n in 0..limits::LOBBY_PER_ADDRESS_MAX {
            let told = lobby.ask(now, &stranger(&n.to_string()), "x", KnockId(n as u64));
            assert_eq!(told, Err(Outside::Waits(0)));
        }
        assert_eq!(lobby.ask(now, &stranger("more"), "x", KnockId(99)), Err(Outside::Full));
        for n in limits::LOBBY_PER_ADDRESS_MAX..limits::LOBBY_MAX {
            let key = KnockKey::Bearer(BearerId([u8::try_from(n).unwrap(); 32]));
            assert_eq!(lobby.ask(now, &key, "x", KnockId(n as u64)), Err(Outside::Waits(0)), "{n}");
        }
        assert_eq!(lobby.ask(now, &KnockKey::Bearer(BearerId([255; 32])), "x", KnockId(0)), Err(Outside::Full));
    }

    #[test]
    fn a_lobby_whose_people_never_ask_again_is_empty_after_a_while() {
        for admits in [true, false] {
            let (now, mut lobby) = (Instant::now(), Lobby::default());
            let _ = lobby.ask(now, &stranger("Bob"), "Bob", KnockId(1));
            assert!(lobby.decide(now, KnockId(1), admits));
            let due = lobby.deadline().expect("whoever was let in, or was not, is kept for a while");
            assert!(due > now && !lobby.is_empty());
            lobby.sweep(due);
            assert!(lobby.is_empty() && lobby.deadline().is_none());
        }
    }
}
