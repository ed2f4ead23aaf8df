//! **The question:** does this keeper let a recording be opened? It holds one key per expiry hour, and two times that
//! only rise.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::limits::{
    AUDIT_PENDING_MAX, CLOCK_ALLOWANCE, CLOCK_DOUBTED_SPAN, DENIED_MAX, HOUR_KEYS_MAX, HOUR_SLOTS, KEEPER_SAVED_EVERY,
    RETENTION,
};
use crate::base::media::Wallclock;
use crate::core::retention::audit::{Audit, AuditEvent};
use crate::core::retention::hour_keys::HourKeys;
use crate::core::retention::locked::secrets_are_locked;
use crate::core::retention::secret::fill_random;
use crate::core::retention::times::later;
use crate::core::retention::{Clocks, Hour, KeeperId, RecordingId, Release, Retention, Times, Witness};

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
    /// The clock leads on a machine that came up a moment ago: it is not known yet how late it is.
    /// Or by the clock the recording has yet to begin, so that one of the two is wrong.
    #[error(
        "the clock is in doubt: it leads, and is believed after some minutes or when it is synchronised; or it is \
             from before the recording"
    )]
    Doubt,
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
    /// How far the wall clock leads while it is in doubt: nothing opens and nothing begins; an alarm unless `None`.
    pub clock_doubted: Option<Duration>,
    /// How far what is refused leads what is certain, and so how long keys may outlive their hour.
    pub clock_uncertain: Option<Duration>,
    /// Whether the pages of this process's secrets are kept out of swap and dumps.
    pub locked: bool,
}

/// One keeper. Its owner calls [`Keeper::advance`] every second, and after each call that may change something asks
/// [`Keeper::unsaved`] and has it stored by [`Keeper::save`] before any answer leaves.
pub struct Keeper {
    pub(super) id: KeeperId,
    pub(super) times: Times,
    /// Hours with a key, and in which slot it lies.
    pub(super) hours: BTreeMap<Hour, usize>,
    pub(super) keys: HourKeys,
    pub(super) denied: BTreeMap<RecordingId, Hour>,
    pub(super) audit: Audit,
    /// How often it was stored.
    pub(super) saves: u64,
    others: Others,
    changed: bool,
    /// `refused_from` as last stored.
    saved: Wallclock,
    stats: Stats,
}

/// What other keepers told since this process began.
#[derive(Debug, Clone, Copy)]
enum Others {
    /// There are none.
    Nobody,
    /// Nothing yet; since when, by time since boot.
    Awaited(Option<Duration>),
    /// A wall clock, and this machine's clocks when it was told.
    Told(Wallclock, Clocks),
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("id", &self.id).field("times", &self.times).finish_non_exhaustive()
    }
}

impl Keeper {
    /// A first start: a new id, no keys, the wall clock's time. Other keepers are awaited, as after a restart; see
    /// [`Keeper::stand_alone`].
    #[must_use]
    pub fn new(clocks: Clocks) -> Self {
        let mut keeper = Self::assemble(KeeperId::random(), Times::new(clocks), Audit::new());
        keeper.audit.add(keeper.times.refused_from(), AuditEvent::Began);
        keeper.changed = true;
        keeper
    }

    pub(super) fn assemble(id: KeeperId, times: Times, audit: Audit) -> Self {
        Self {
            id,
            saved: times.refused_from(),
            times,
            hours: BTreeMap::new(),
            keys: HourKeys::new(),
            denied: BTreeMap::new(),
            audit,
            saves: 0,
            others: Others::Awaited(None),
            changed: false,
            stats: Stats::default(),
        }
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> KeeperId {
        self.id
    }

    /// No other keeper ever tells this one the time.
    pub fn stand_alone(&mut self) {
        self.others = Others::Nobody;
    }

    /// What has expired by this is refused, for ever.
    #[must_use]
    pub fn now(&self) -> Wallclock {
        self.times.refused_from()
    }

    /// Whether there is a key for `hour`.
    #[must_use]
    pub fn has_key(&self, hour: Hour) -> bool {
        self.hours.contains_key(&hour)
    }

    /// Whether everything that was filed under `hour` before a believed clock turned out wrong is lost, though the hour
    /// itself has not come.
    #[must_use]
    pub fn was_lost(&self, hour: Hour) -> bool {
        hour.is_expired(self.times.lost_to())
    }

    /// The time that has certainly come: what is destroyed and swept by.
    #[must_use]
    pub fn certain(&self) -> Wallclock {
        self.times.destroyed_to()
    }

    /// The time that whatever lies in the store may be deleted by; see [`Times::swept_to`].
    #[must_use]
    pub fn swept_to(&self) -> Wallclock {
        self.times.swept_to()
    }

    /// Takes what the clocks say; destroys the keys of hours that have certainly come, and of those that lie so far
    /// ahead of what is certain that a clock wrongly ahead must have stamped them. `witness` is another keeper's
    /// authenticated time, read just now; it stays good while the machine runs, carried on by time since boot.
    pub fn advance(&mut self, clocks: Clocks, witness: Option<Wallclock>) {
        if let Some(wall) = witness {
            self.others = Others::Told(wall, clocks);
        }
        let before = self.alarm();
        let witness = self.witness(clocks);
        let latest = self.times.advance(clocks, witness);
        self.report_clock(before);
        self.destroy(self.times.destroyed_to());
        if let Some(latest) = latest {
            self.destroy_where(|hour| is_from_later(hour, latest));
        }
    }

    /// Takes the operator's word that the wall clock is right: it raises, and lowers nothing.
    pub fn believe(&mut self, clocks: Clocks) {
        self.advance(clocks, None);
        let before = self.alarm();
        self.times.believe(clocks.wall);
        self.changed = true;
        self.report_clock(before);
        self.destroy(self.times.destroyed_to());
    }

    /// Takes the operator's word that a clock was wrong that is believed. Every key of an hour that was refused for its
    /// sake is destroyed, and so is every key that would live for more than 7 days from now; recordings can begin
    /// again. A clock that is behind what was certain leaves no key at all: by one of the two they live too long.
    pub fn clock_was_wrong(&mut self, clocks: Clocks) {
        self.advance(clocks, None);
        let (refused, certain) = (self.times.refused_from(), self.times.destroyed_to());
        self.destroy(refused);
        self.times.was_wrong(clocks);
        let now = self.times.refused_from();
        let contradicted = later(now, CLOCK_ALLOWANCE) < certain;
        self.destroy_where(|hour| contradicted || is_from_later(hour, now));
        self.denied.retain(|_, hour| !hour.is_expired(refused) && !is_from_later(*hour, now));
        let lead = Duration::from_nanos(refused.0.saturating_sub(now.0));
        // The state has room for so many lines, however often it is said where the log takes none.
        if self.audit.pending().len() < AUDIT_PENDING_MAX + HOUR_SLOTS {
            self.audit.add(now, AuditEvent::ClockWasWrong(lead.as_secs()));
        }
        self.changed = true;
    }

    /// Stamps the expiry of a recording that starts now, and makes the hour's key if there is none; see
    /// [`Times::stamped_from`].
    ///
    /// # Errors
    /// When the clock is in doubt, or was believed once to be so late that the hour has come already.
    pub fn reserve(&mut self, clocks: Clocks, retention: Retention) -> Result<Hour, Refusal> {
        self.advance(clocks, None);
        let hour = retention.expiry(self.times.stamped_from(clocks.wall));
        self.make(clocks, hour)?;
        Ok(hour)
    }

    /// Makes the key of an hour that another keeper's node stamped, if there is none.
    ///
    /// # Errors
    /// When the hour has come, or lies further ahead than anything is kept, or the clock is in doubt.
    pub fn make(&mut self, clocks: Clocks, hour: Hour) -> Result<(), Refusal> {
        self.advance(clocks, None);
        self.refuse(hour)?;
        let longest = u64::try_from(RETENTION.as_nanos()).expect("7 days of nanoseconds fit");
        if hour.start().0 > self.times.refused_from().0.saturating_add(longest) {
            return Err(Refusal::TooFarAhead);
        }
        if self.hours.contains_key(&hour) {
            return Ok(());
        }
        if self.audit.is_full() {
            return Err(Refusal::Full);
        }
        // Refused for ever, whether or not it is certain yet that they have come; so there is always a free slot.
        let too_old = Hour(hour.0.saturating_sub(HOUR_KEYS_MAX as u32));
        self.destroy_where(|hour| hour <= too_old);
        let slot = self.occupy(hour).ok_or(Refusal::Full)?;
        fill_random(self.keys.get_mut(slot));
        self.audit.add(self.times.refused_from(), AuditEvent::Made(hour));
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
        self.refuse(hour)?;
        if self.denied.contains_key(&recording) {
            return Err(Refusal::Denied);
        }
        // What was refused for the sake of a clock that was wrong is lost, and was refused as expired.
        let missing = if self.was_lost(hour) { Refusal::Expired } else { Refusal::NoKey };
        let slot = *self.hours.get(&hour).ok_or(missing)?;
        Ok(Release::derive(self.keys.get(slot), self.id, recording, hour))
    }

    /// Whether everything of an hour is refused.
    ///
    /// # Errors
    /// When the hour has come, or it cannot be known now.
    pub fn refuse(&self, hour: Hour) -> Result<(), Refusal> {
        if hour.is_expired(self.times.refused_from()) {
            return Err(Refusal::Expired);
        }
        let is_from_later = self.hours.contains_key(&hour) && is_from_later(hour, self.times.claimed());
        if is_from_later || self.times.doubted().is_some() { Err(Refusal::Doubt) } else { Ok(()) }
    }

    /// Never releases anything for `recording` again. It is forgotten at its hour, when there is no key any more.
    ///
    /// # Errors
    /// When the list is full: the recording's objects must be deleted all the same.
    pub fn revoke(&mut self, clocks: Clocks, recording: RecordingId, hour: Hour) -> Result<(), Refusal> {
        self.advance(clocks, None);
        if hour.is_expired(self.times.refused_from()) || self.denied.contains_key(&recording) {
            return Ok(());
        }
        // An hour further ahead has no key and never will before it is nearer, and would stay on the list for ever.
        if hour > Hour::last_from(self.times.refused_from()) {
            return Err(Refusal::TooFarAhead);
        }
        if self.denied.len() >= DENIED_MAX {
            return Err(Refusal::Full);
        }
        self.denied.insert(recording, hour);
        self.changed = true;
        Ok(())
    }

    /// Whether there is something to store before the next answer may leave: what was refused once has to be refused
    /// after a power cut too.
    #[must_use]
    pub fn unsaved(&self) -> bool {
        let now = self.times.refused_from();
        let ahead = Duration::from_nanos(now.0.saturating_sub(self.saved.0));
        self.changed || ahead >= KEEPER_SAVED_EVERY || Hour::containing(now) > Hour::containing(self.saved)
    }

    /// Something is to be stored.
    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    /// The state was stored.
    pub fn saved(&mut self) {
        self.changed = false;
        self.saved = self.times.refused_from();
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
            clock_doubted: self.times.doubted(),
            clock_uncertain: self.times.uncertain(),
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

    fn destroy(&mut self, now: Wallclock) {
        self.destroy_where(|hour| hour.is_expired(now));
        let denied = self.denied.len();
        self.denied.retain(|_, hour| !hour.is_expired(now));
        self.changed |= self.denied.len() != denied;
    }

    fn destroy_where(&mut self, which: impl Fn(Hour) -> bool) {
        let gone: Vec<_> =
            self.hours.iter().filter(|(hour, _)| which(**hour)).map(|(hour, slot)| (*hour, *slot)).collect();
        for (hour, slot) in gone {
            self.hours.remove(&hour);
            self.keys.erase(slot);
            self.audit.add(self.times.refused_from(), AuditEvent::Destroyed(hour));
            self.stats.destroyed += 1;
            self.changed = true;
        }
    }

    fn witness(&mut self, clocks: Clocks) -> Witness {
        match &mut self.others {
            Others::Nobody => Witness::Nobody,
            Others::Told(wall, then) if then.boot == clocks.boot => {
                Witness::Told(later(*wall, clocks.since_boot.saturating_sub(then.since_boot)))
            }
            Others::Told(..) => Witness::Awaited,
            Others::Awaited(since) => {
                let waited = clocks.since_boot.saturating_sub(*since.get_or_insert(clocks.since_boot));
                // Nobody answers: keys must not outlive their hour for that.
                if waited < CLOCK_DOUBTED_SPAN { Witness::Awaited } else { Witness::Nobody }
            }
        }
    }

    /// How far the clock leads without being certain.
    fn alarm(&self) -> Option<Duration> {
        self.times.doubted().or(self.times.uncertain())
    }

    fn report_clock(&mut self, before: Option<Duration>) {
        let event = match (before, self.alarm()) {
            (None, Some(lead)) => AuditEvent::ClockAhead(lead.as_secs()),
            (Some(_), None) => AuditEvent::ClockBelieved,
            _ => return,
        };
        self.changed = true;
        // A clock that flaps must not fill the log's place for keys.
        if !self.audit.is_full() {
            self.audit.add(self.times.refused_from(), event);
        }
    }
}

/// Whether nothing that began by `now` can be filed under `hour`.
fn is_from_later(hour: Hour, now: Wallclock) -> bool {
    hour > Hour::last_from(later(now, CLOCK_ALLOWANCE))
}
