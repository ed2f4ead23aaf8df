//! **The question:** does this keeper let a recording be opened? It holds one key per expiry hour, and a time that only
//! rises.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::limits::{DENIED_MAX, HOUR_KEYS_MAX, HOUR_SLOTS, KEEPER_SAVED_EVERY, RETENTION};
use crate::base::media::Wallclock;
use crate::core::retention::audit::{Audit, AuditEvent};
use crate::core::retention::hour_keys::HourKeys;
use crate::core::retention::locked::secrets_are_locked;
use crate::core::retention::secret::fill_random;
use crate::core::retention::{Clocks, Hour, KeeperId, Ratchet, RecordingId, Release, Retention};

/// Why a keeper says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The hour has come, by this keeper's own time.
    #[error("the hour has passed")]
    Expired,
    /// Further ahead than anything is kept.
    #[error("the hour lies more than 7 days ahead")]
    TooFarAhead,
    /// The recording was erased early.
    #[error("the recording was erased")]
    Denied,
    /// This keeper never made a key for the hour, or lost it.
    #[error("no key for that hour")]
    NoKey,
    /// As many recordings were erased early, or as many audit lines wait to be stored, as may be.
    #[error("the keeper's lists are full")]
    Full,
}

/// Figures of a keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Hour keys held.
    pub keys: usize,
    /// Recordings on the deny list.
    pub denied: usize,
    /// Hour keys made since the start of the process.
    pub made: u64,
    /// Hour keys destroyed since the start of the process.
    pub destroyed: u64,
    /// Releases refused since the start of the process.
    pub refused: u64,
    /// How far the wall clock leads without being believed; an alarm unless `None`.
    pub clock_disbelieved: Option<Duration>,
    /// Whether the pages of this process's secrets are kept out of swap and dumps.
    pub locked: bool,
}

/// One keeper. Its owner calls [`Keeper::advance`] every second, and after each call that may change something asks
/// [`Keeper::unsaved`] and has it stored by [`Keeper::save`] before any answer leaves.
pub struct Keeper {
    pub(super) id: KeeperId,
    pub(super) ratchet: Ratchet,
    /// Hours with a key, and in which slot it lies.
    pub(super) hours: BTreeMap<Hour, usize>,
    pub(super) keys: HourKeys,
    pub(super) denied: BTreeMap<RecordingId, Hour>,
    pub(super) audit: Audit,
    /// How often it was stored.
    pub(super) saves: u64,
    changed: bool,
    saved_floor: Wallclock,
    stats: Stats,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("id", &self.id).field("ratchet", &self.ratchet).finish_non_exhaustive()
    }
}

impl Keeper {
    /// A first start: a new id, no keys, the wall clock's time.
    #[must_use]
    pub fn new(clocks: Clocks) -> Self {
        let mut keeper = Self::assemble(KeeperId::random(), Ratchet::new(clocks), Audit::new());
        keeper.audit.add(keeper.ratchet.floor(), AuditEvent::Began);
        keeper.changed = true;
        keeper
    }

    pub(super) fn assemble(id: KeeperId, ratchet: Ratchet, audit: Audit) -> Self {
        Self {
            id,
            saved_floor: ratchet.floor(),
            ratchet,
            hours: BTreeMap::new(),
            keys: HourKeys::new(),
            denied: BTreeMap::new(),
            audit,
            saves: 0,
            changed: false,
            stats: Stats::default(),
        }
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> KeeperId {
        self.id
    }

    /// The latest time it knows of: what has expired by it is refused.
    #[must_use]
    pub fn now(&self) -> Wallclock {
        self.ratchet.latest()
    }

    /// The time that has certainly come: what is destroyed and swept by. A clock that is not believed has no part in
    /// it.
    #[must_use]
    pub fn certain(&self) -> Wallclock {
        self.ratchet.floor()
    }

    /// Takes what the clocks say; destroys the keys of hours that have certainly come. `witness` is another keeper's
    /// authenticated time, read within the last seconds.
    pub fn advance(&mut self, clocks: Clocks, witness: Option<Wallclock>) {
        let before = self.ratchet.disbelieved();
        self.ratchet.advance(clocks, witness);
        self.report_clock(before);
        self.destroy();
    }

    /// Takes the operator's word that the wall clock is right.
    pub fn believe(&mut self, clocks: Clocks) {
        let before = self.ratchet.disbelieved();
        self.ratchet.advance(clocks, None);
        self.ratchet.believe(clocks.wall);
        self.report_clock(before);
        self.destroy();
    }

    /// Stamps the expiry of a recording that starts now, and makes the hour's key if there is none. Stamped from the
    /// earlier of wall clock and own time, so that a clock wrongly ahead lengthens nothing.
    ///
    /// # Errors
    /// When a clock that is not believed claims that the hour has come already.
    pub fn reserve(&mut self, clocks: Clocks, retention: Retention) -> Result<Hour, Refusal> {
        self.advance(clocks, None);
        let hour = retention.expiry(clocks.wall.min(self.ratchet.floor()));
        self.make(clocks, hour)?;
        Ok(hour)
    }

    /// Makes the key of an hour that another keeper's node stamped, if there is none.
    ///
    /// # Errors
    /// When the hour has come, or lies further ahead than anything is kept.
    pub fn make(&mut self, clocks: Clocks, hour: Hour) -> Result<(), Refusal> {
        self.advance(clocks, None);
        if hour.is_expired(self.ratchet.latest()) {
            return Err(Refusal::Expired);
        }
        let longest = u64::try_from(RETENTION.as_nanos()).expect("7 days of nanoseconds fit");
        if hour.start().0 > self.ratchet.floor().0.saturating_add(longest) {
            return Err(Refusal::TooFarAhead);
        }
        if self.hours.contains_key(&hour) {
            return Ok(());
        }
        if self.audit.is_full() {
            return Err(Refusal::Full);
        }
        let slot = self.occupy(hour).ok_or(Refusal::Full)?;
        fill_random(self.keys.get_mut(slot));
        self.audit.add(self.ratchet.floor(), AuditEvent::Made(hour));
        self.stats.made += 1;
        self.changed = true;
        Ok(())
    }

    /// Gives out what opens one recording, together with other keepers' releases.
    ///
    /// # Errors
    /// When its hour has come by this keeper's own time, it was erased early, or there is no key.
    pub fn release(&mut self, clocks: Clocks, recording: RecordingId, hour: Hour) -> Result<Release, Refusal> {
        self.advance(clocks, None);
        let released = self.try_release(recording, hour);
        self.stats.refused += u64::from(released.is_err());
        released
    }

    fn try_release(&self, recording: RecordingId, hour: Hour) -> Result<Release, Refusal> {
        if hour.is_expired(self.ratchet.latest()) {
            return Err(Refusal::Expired);
        }
        if self.denied.contains_key(&recording) {
            return Err(Refusal::Denied);
        }
        let slot = *self.hours.get(&hour).ok_or(Refusal::NoKey)?;
        Ok(Release::derive(self.keys.get(slot), self.id, recording, hour))
    }

    /// Never releases anything for `recording` again. It is forgotten at its hour, when there is no key any more.
    ///
    /// # Errors
    /// When the list is full: the recording's objects must be deleted all the same.
    pub fn revoke(&mut self, clocks: Clocks, recording: RecordingId, hour: Hour) -> Result<(), Refusal> {
        self.advance(clocks, None);
        if hour <= Hour::containing(self.ratchet.floor()) || self.denied.contains_key(&recording) {
            return Ok(());
        }
        // An hour further ahead has no key and never will before it is nearer, and would stay on the list for ever.
        let last = Hour(Hour::containing(self.ratchet.floor()).0.saturating_add(HOUR_KEYS_MAX as u32));
        if hour > last {
            return Err(Refusal::TooFarAhead);
        }
        if self.denied.len() >= DENIED_MAX {
            return Err(Refusal::Full);
        }
        self.denied.insert(recording, hour);
        self.changed = true;
        Ok(())
    }

    /// Whether there is something to store before the next answer may leave.
    #[must_use]
    pub fn unsaved(&self) -> bool {
        let ahead = self.ratchet.floor().0 - self.saved_floor.0;
        self.changed || Duration::from_nanos(ahead) >= KEEPER_SAVED_EVERY
    }

    /// Something is to be stored.
    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    /// The state was stored.
    pub fn saved(&mut self) {
        self.changed = false;
        self.saved_floor = self.ratchet.floor();
    }

    /// The audit log's newest lines and the key that signs it.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The audit log's pending lines were stored.
    pub fn audit_stored(&mut self) {
        self.changed |= !self.audit.pending.is_empty();
        self.audit.stored();
    }

    /// Figures so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            keys: self.hours.len(),
            denied: self.denied.len(),
            clock_disbelieved: self.ratchet.disbelieved(),
            locked: secrets_are_locked(),
            ..self.stats
        }
    }

    /// A free slot for the key of an hour that has none; where time runs as it should each hour of a week has its own.
    pub(super) fn occupy(&mut self, hour: Hour) -> Option<usize> {
        let first = hour.0 as usize % HOUR_KEYS_MAX;
        let mut slots = (first..HOUR_SLOTS).chain(0..first);
        let slot = slots.find(|slot| self.hours.values().all(|taken| taken != slot))?;
        self.hours.insert(hour, slot);
        Some(slot)
    }

    fn destroy(&mut self) {
        let floor = self.ratchet.floor();
        while let Some(entry) = self.hours.first_entry().filter(|entry| entry.key().is_expired(floor)) {
            let (hour, slot) = entry.remove_entry();
            self.keys.erase(slot);
            self.audit.add(floor, AuditEvent::Destroyed(hour));
            self.stats.destroyed += 1;
            self.changed = true;
        }
        let denied = self.denied.len();
        self.denied.retain(|_, hour| !hour.is_expired(floor));
        self.changed |= self.denied.len() != denied;
    }

    fn report_clock(&mut self, before: Option<Duration>) {
        let after = self.ratchet.disbelieved();
        let event = match (before, after) {
            (None, Some(lead)) => AuditEvent::ClockAhead(lead.as_secs()),
            (Some(_), None) => AuditEvent::ClockBelieved,
            _ => return,
        };
        self.changed = true;
        // A clock that flaps must not fill the log's place for keys.
        if !self.audit.is_full() {
            self.audit.add(self.ratchet.floor(), event);
        }
    }
}
