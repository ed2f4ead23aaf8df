//! **The question:** what do three keepers in other processes say, and how late is it if two of them agree? One that is
//! down, lost or lying neither hinders nor suffices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::base::limits::{CLOCK_ALLOWANCE, KEEPER_ASKS_TO_JUDGE, KEEPERS_AGREEING};
use crate::base::media::Wallclock;
use crate::core::retention::{
    BootId, Hour, KeeperId, KeyShares, RecordingId, RecordingName, Refusal, Release, Retention, Times, Witness,
};
use crate::engine::flow::Counter;
use crate::io::keeper::{Identity, KeeperClient, KeeperClientError, Request, Response, Status};
use crate::io::store::clock::{boot_id, clocks};
use crate::io::store::local_keeper::KeyCustodyError;

/// The keepers of a node; clones share them.
#[derive(Debug, Clone)]
pub struct Keepers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lines: Vec<KeeperClient>,
    /// What each told last; `None` while it is down.
    told: Mutex<Vec<Option<Status>>>,
    /// This machine's own clock: it refuses, and has no part in what is deleted.
    own: Mutex<Times>,
    agreed: Mutex<Agreed>,
    boot: BootId,
    /// Whether wraps may be missing that could be added now.
    mend_due: AtomicBool,
    errors: Counter,
}

/// What two different keepers have come to; it only rises.
#[derive(Debug, Clone, Copy)]
struct Agreed {
    /// By that no pair of keepers opens anything any more.
    refused_from: Wallclock,
    /// It has certainly come for both.
    certain: Wallclock,
}

/// What single keepers gave out.
pub(super) struct Gleaned {
    pub(super) shares: KeyShares,
    /// How many gave something out or refused.
    pub(super) said: usize,
    /// How many did neither.
    pub(super) silent: usize,
    /// What those who gave nothing met or said.
    pub(super) why: String,
}

/// How one keeper answered.
type Answered = Result<Response, KeeperClientError>;

impl Keepers {
    /// Lines to the keepers at `addresses` (`HOST:PORT`). `errors` counts what they could not do: every ask without an
    /// answer, and every time one says that its state could not be stored.
    ///
    /// # Errors
    /// When an address is none.
    pub fn new(addresses: &[String], identity: &Identity, errors: Counter) -> Result<Self, KeeperClientError> {
        let lines =
            addresses.iter().map(|address| KeeperClient::new(address, identity)).collect::<Result<Vec<_>, _>>()?;
        let boot = boot_id();
        let told = Mutex::new(vec![None; lines.len()]);
        // Nothing is certain before two keepers have told the time; what the wall clock claims is refused by until
        // then, unless it is in doubt.
        let own = Mutex::new(Times::unknown(clocks(boot)));
        let agreed = Mutex::new(Agreed { refused_from: Wallclock(0), certain: Wallclock(0) });
        Ok(Self(Arc::new(Inner { lines, told, own, agreed, boot, mend_due: AtomicBool::new(false), errors })))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lines.is_empty()
    }

    /// What each that answers told last.
    #[must_use]
    pub fn told(&self) -> Vec<Status> {
        self.0.told().iter().flatten().copied().collect()
    }

    /// The addresses of those that do not answer.
    #[must_use]
    pub fn silent(&self) -> Vec<&str> {
        let told = self.0.told();
        let silent = self.0.lines.iter().zip(told.iter()).filter(|(_, told)| told.is_none());
        silent.map(|(line, _)| line.address()).collect()
    }

    /// Asks every keeper for its time, those that are down too; to be called every second. Tells the log what changed.
    pub async fn poll_all(&self) {
        let answered = join_all(self.0.lines.iter().map(|line| line.try_ask(Request::Time))).await;
        for (n, answered) in answered.into_iter().enumerate() {
            let address = self.0.lines[n].address();
            let now = match answered {
                Ok(Response::Time(told)) => Ok(told),
                Ok(_) => Err("it does not tell the time".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            let before = std::mem::replace(&mut self.0.told()[n], now.as_ref().ok().copied());
            match (before, &now) {
                (Some(_), Err(error)) => tracing::error!(%error, "a keeper is down"),
                (None, Ok(told)) => tracing::info!(address, keeper = %told.keeper, "a keeper answers"),
                _ => {}
            }
            let is_new = |told: &Status| before.is_none_or(|before| before.keeper != told.keeper);
            if now.as_ref().is_ok_and(is_new) {
                self.0.mend_due.store(true, Ordering::Relaxed);
            }
            let unsaved = now.as_ref().is_ok_and(|told| told.unsaved);
            if unsaved && before.is_none_or(|before| !before.unsaved) {
                tracing::error!(address, "a keeper cannot store its state: it makes no new keys");
            }
            self.0.errors.add(u64::from(now.is_err() || unsaved));
        }
        self.0.agree_on_time();
    }

    /// The latest time this node knows of: its own, or what two keepers refuse by.
    #[must_use]
    pub fn now(&self) -> Wallclock {
        let agreed = self.0.agreed().refused_from;
        self.0.own().refused_from().max(agreed)
    }

    /// What two keepers refuse by, as far as they told; nothing of this machine's own clock is in it.
    pub(super) fn refused_by_two(&self) -> Wallclock {
        self.0.agreed().refused_from
    }

    /// Whether this machine's own clock is in doubt.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.0.own().doubted().is_some()
    }

    /// How far what this node refuses by leads what two keepers that answer do; zero for what clocks differ anyway,
    /// else this machine's clock leads, or did. `None` while too few of them answer.
    pub(super) fn leads_by(&self) -> Option<Duration> {
        let now = self.now();
        let told = second_latest(&self.told(), |told| told.latest.max(told.wall))?.max(self.refused_by_two());
        let lead = Duration::from_nanos(now.0.saturating_sub(told.0));
        Some(if lead > CLOCK_ALLOWANCE { lead } else { Duration::ZERO })
    }

    /// Whether everything of an hour is refused now.
    ///
    /// # Errors
    /// When the hour has come, or it cannot be known now: the own clock is in doubt and keepers have not said better.
    pub(super) fn refuse(&self, hour: Hour) -> Result<(), Refusal> {
        let agreed = self.0.agreed().refused_from;
        let own = self.0.own();
        if hour.is_expired(own.refused_from().max(agreed)) {
            return Err(Refusal::Expired);
        }
        if own.doubted().is_some() { Err(Refusal::Doubt) } else { Ok(()) }
    }

    /// The time that has certainly come: two keepers say so. Nothing of this machine's own clock is in it.
    #[must_use]
    pub fn certain(&self) -> Wallclock {
        self.0.agreed().certain
    }

    /// A place for a recording that begins now; see [`super::KeyCustody::reserve`], which says how long it may take.
    ///
    /// # Errors
    /// When fewer than two keepers agree.
    pub async fn reserve(&self, retention: Retention) -> Result<(RecordingName, KeyShares), KeyCustodyError> {
        let up = self.0.lines.iter().filter(|line| line.is_up()).count();
        if up < KEEPERS_AGREEING {
            return Err(KeyCustodyError::TooFew { agreed: up, why: "the others do not answer".to_owned() });
        }
        let start = self.certain().min(clocks(self.0.boot).wall);
        let mut recording = RecordingName { hour: retention.expiry(start), recording: RecordingId::random() };
        let answered = self.ask(Request::Release { recording, make: true }).await;
        // Keepers whose clocks are a moment behind an hour's boundary: the hour before is near enough for them.
        let behind = answered.iter().any(|answered| matches!(answered, Ok(Response::Refused(Refusal::TooFarAhead))));
        let answered = if behind && granted(&answered) < KEEPERS_AGREEING {
            recording.hour = Hour(recording.hour.0 - 1);
            self.ask(Request::Release { recording, make: true }).await
        } else {
            answered
        };
        if granted(&answered) < self.len() {
            self.0.mend_due.store(true, Ordering::Relaxed);
        }
        agreed(answered).map(|releases| (recording, releases))
    }

    /// What opens a recording's data key, from all who answer; `make`: keepers that have no key for its hour make one,
    /// so that the data key can be wrapped for them too.
    ///
    /// # Errors
    /// When fewer than two agree.
    pub async fn releases(&self, recording: RecordingName, make: bool) -> Result<KeyShares, KeyCustodyError> {
        agreed(self.ask(Request::Release { recording, make }).await)
    }

    /// What single keepers give out, though it may be too few of them: for trying to open what must not open. One that
    /// is silent is asked again.
    pub(super) async fn whatever_is_released(&self, recording: RecordingName) -> Gleaned {
        let asked = Request::Release { recording, make: false };
        let answered = join_all(self.0.lines.iter().map(async |line| {
            let mut answered = line.try_ask(asked).await;
            for _ in 1..KEEPER_ASKS_TO_JUDGE {
                if answered.is_ok() {
                    break;
                }
                answered = line.try_ask(asked).await;
            }
            answered
        }));
        let answered = answered.await;
        let said = |answered: &&Answered| matches!(answered, Ok(Response::Released(_) | Response::Refused(_)));
        let (said, why) = (answered.iter().filter(said).count(), reasons(&answered));
        let silent = answered.len() - said;
        Gleaned { shares: KeyShares::of_several(answered.into_iter().filter_map(released)), said, silent, why }
    }

    /// Denies a recording everywhere; counts when two have stored it.
    ///
    /// # Errors
    /// When fewer than two have.
    pub async fn revoke(&self, recording: RecordingName) -> Result<(), KeyCustodyError> {
        let answered = self.ask(Request::Deny { recording }).await;
        let agreed = answered.iter().filter(|answered| matches!(answered, Ok(Response::Denied))).count();
        if agreed >= KEEPERS_AGREEING {
            return Ok(());
        }
        Err(KeyCustodyError::TooFew { agreed, why: reasons(&answered) })
    }

    /// Whether wraps may be missing that could be added now; asked once, until something changes again.
    pub(super) fn take_mend_due(&self) -> bool {
        self.0.mend_due.swap(false, Ordering::Relaxed)
    }

    /// Wraps are still missing.
    pub(super) fn set_mend_due(&self) {
        self.0.mend_due.store(true, Ordering::Relaxed);
    }

    /// Whether every keeper answers.
    pub(super) fn are_all_up(&self) -> bool {
        self.0.lines.iter().all(KeeperClient::is_up)
    }

    async fn ask(&self, ask: Request) -> Vec<Answered> {
        let answered = join_all(self.0.lines.iter().map(|line| line.ask(ask))).await;
        let failed = answered.iter().filter(|answered| matches!(answered, Err(_) | Ok(Response::Unsaved))).count();
        self.0.errors.add(failed as u64);
        answered
    }
}

impl Inner {
    fn told(&self) -> MutexGuard<'_, Vec<Option<Status>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node's own time, moved on to now.
    fn own(&self) -> Times {
        let agreed = self.agreed().refused_from;
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.advance(clocks(self.boot), if agreed > Wallclock(0) { Witness::Told(agreed) } else { Witness::Awaited });
        *own
    }

    fn agreed(&self) -> MutexGuard<'_, Agreed> {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What two keepers agree on is believed: the second latest of their times, so that one clock wrongly ahead moves
    /// nothing.
    fn agree_on_time(&self) {
        let told: Vec<_> = self.told().iter().flatten().copied().collect();
        let times = (second_latest(&told, |told| told.latest), second_latest(&told, |told| told.certain));
        if let (Some(refused_from), Some(certain)) = times {
            let mut agreed = self.agreed();
            agreed.refused_from = agreed.refused_from.max(refused_from);
            agreed.certain = agreed.certain.max(certain);
        }
    }
}

/// The latest time that two different keepers have reached.
fn second_latest(told: &[Status], time: impl Fn(&Status) -> Wallclock) -> Option<Wallclock> {
    let mut times: Vec<(KeeperId, Wallclock)> = Vec::new();
    for told in told {
        if times.iter().all(|(keeper, _)| *keeper != told.keeper) {
            times.push((told.keeper, time(told)));
        }
    }
    times.sort_by_key(|(_, time)| *time);
    times.len().checked_sub(KEEPERS_AGREEING).map(|at| times[at].1)
}

fn released(answered: Answered) -> Option<Release> {
    match answered {
        Ok(Response::Released(release)) => Some(release),
        _ => None,
    }
}

fn granted(answered: &[Answered]) -> usize {
    answered.iter().filter(|answered| matches!(answered, Ok(Response::Released(_)))).count()
}

/// Two different keepers' releases or more, or why there are not.
fn agreed(answered: Vec<Answered>) -> Result<KeyShares, KeyCustodyError> {
    let refusals: Vec<_> = answered.iter().filter_map(refusal).collect();
    let why = reasons(&answered);
    let releases = KeyShares::of_several(answered.into_iter().filter_map(released));
    let agreed = releases.keepers().len();
    if agreed >= KEEPERS_AGREEING {
        return Ok(releases);
    }
    // What two refuse no pair opens; what one refuses is not sure while another is silent.
    let lasting = |refusal: &&Refusal| matches!(refusal, Refusal::Expired | Refusal::Denied | Refusal::NoKey);
    if refusals.iter().filter(lasting).count() < KEEPERS_AGREEING {
        return Err(KeyCustodyError::TooFew { agreed, why });
    }
    // That it is gone says more than that a keeper lost its keys.
    let lasting = refusals.iter().filter(lasting);
    let told = lasting.min_by_key(|refusal| matches!(refusal, Refusal::NoKey)).expect("two were counted");
    Err((*told).into())
}

fn refusal(answered: &Answered) -> Option<Refusal> {
    match answered {
        Ok(Response::Refused(refusal)) => Some(*refusal),
        _ => None,
    }
}

fn reasons(answered: &[Answered]) -> String {
    let reason = |answered: &Answered| match answered {
        Ok(Response::Released(_) | Response::Denied) => None,
        Ok(Response::Refused(refusal)) => Some(refusal.to_string()),
        Ok(Response::Unsaved) => Some("a keeper cannot store its state".to_owned()),
        Ok(Response::NotYours) => Some("a keeper takes this node for a keeper: see its certificate".to_owned()),
        Ok(Response::Time(_)) => Some("a keeper answers what was not asked".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    answered.iter().filter_map(reason).collect::<Vec<_>>().join("; ")
}

/// How long between two calls of [`Keepers::poll_all`].
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::NANOS_PER_SECOND;

    fn told(keeper: u8, certain: u64) -> Status {
        let (keeper, certain) = (KeeperId([keeper; 8]), Wallclock(certain));
        Status { keeper, wall: certain, certain, latest: certain, in_memory: false, unsaved: false }
    }

    fn silent_keepers(errors: &Counter) -> Keepers {
        let home = tempfile::tempdir().unwrap();
        let folders = crate::io::keeper::make_certificates(home.path(), &["127.0.0.1".to_owned()]).unwrap();
        let identity = Identity::load(&crate::io::keeper::IdentityFiles::in_folder(&folders[0])).unwrap();
        let addresses = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(String::from);
        Keepers::new(&addresses, &identity, errors.clone()).unwrap()
    }

    #[test]
    fn the_time_is_what_two_keepers_agree_on() {
        let at = |told: &[Status]| second_latest(told, |told| told.certain).map(|time| time.0);
        assert_eq!(at(&[told(1, 5), told(2, 900), told(3, 7)]), Some(7), "one far ahead moves nothing");
        assert_eq!(at(&[told(1, 5), told(2, 6), told(3, 0)]), Some(5), "one far behind holds nothing up");
        assert_eq!(at(&[told(1, 5), told(2, 6)]), Some(5));
        assert_eq!(at(&[told(1, 5)]), None);
        assert_eq!(at(&[told(1, 5), told(1, 6)]), None, "the same keeper twice is one");
    }

    #[test]
    fn a_node_whose_keepers_are_silent_is_certain_of_nothing() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let errors = Counter::default();
        let keepers = silent_keepers(&errors);
        let before = clocks(keepers.0.boot).wall;
        runtime.block_on(keepers.poll_all());
        assert!(keepers.now() >= before, "it refuses by its own clock");
        assert_eq!(keepers.certain(), Wallclock(0), "and sweeps nothing for its sake");
        assert_eq!((keepers.told().len(), errors.get()), (0, 3));
        let reserved = runtime.block_on(keepers.reserve(Retention::default()));
        assert!(matches!(reserved, Err(KeyCustodyError::TooFew { agreed: 0, .. })));
    }

    /// Two honest keepers say what is certain, a third leads by a year, and so does the node's own clock.
    #[test]
    fn the_nodes_own_clock_refuses_and_sweeps_nothing() {
        let keepers = silent_keepers(&Counter::default());
        let (boot, wall) = (keepers.0.boot, clocks(keepers.0.boot).wall);
        let behind = |days: u64| wall.0 - days * 86_400 * NANOS_PER_SECOND;
        let year = wall.0 + 365 * 86_400 * NANOS_PER_SECOND;
        let told_now = [told(1, behind(1)), told(2, behind(1)), told(3, year)];
        *keepers.0.told() = told_now.map(Some).to_vec();
        for _ in 0..3 {
            keepers.0.agree_on_time();
            keepers.0.own.lock().unwrap().believe(Wallclock(year));
            assert_eq!(keepers.certain(), Wallclock(behind(1)), "nothing of its own, and no single keeper's");
            assert!(keepers.now() >= Wallclock(year), "and yet it refuses by the latest that it knows");
        }
        let hour = Hour::containing(Wallclock(behind(0)));
        assert_eq!(keepers.refuse(hour), Err(Refusal::Expired));
        assert_eq!(boot, boot_id());
    }

    #[test]
    fn a_node_whose_clock_leads_two_keepers_that_answer_knows_and_ends_nothing_by_it() {
        let keepers = silent_keepers(&Counter::default());
        let wall = clocks(keepers.0.boot).wall;
        let hour = Wallclock(wall.0 + 3600 * NANOS_PER_SECOND);
        keepers.0.own.lock().unwrap().believe(hour);
        assert_eq!(keepers.leads_by(), None, "of keepers that are silent nothing is known");
        *keepers.0.told() = vec![Some(told(1, wall.0)), Some(told(2, wall.0)), None];
        keepers.0.agree_on_time();
        let lead = keepers.leads_by().expect("it leads");
        assert!(lead > Duration::from_secs(3500) && lead < Duration::from_secs(3700), "{lead:?}");
        assert_eq!((keepers.refused_by_two(), keepers.now() >= hour), (wall, true));
        let later = hour.0 - 60 * NANOS_PER_SECOND;
        *keepers.0.told() = vec![Some(told(1, later)), Some(told(2, later)), Some(told(3, 0))];
        assert_eq!(keepers.leads_by(), Some(Duration::ZERO), "clocks differ by some minutes");
    }

    #[test]
    fn what_two_keepers_refuse_by_the_node_refuses_by_whatever_its_own_clock_says() {
        let keepers = silent_keepers(&Counter::default());
        let later = Wallclock(clocks(keepers.0.boot).wall.0 + 3 * 86_400 * NANOS_PER_SECOND);
        let (sure, early) = (told(1, 5), Wallclock(5));
        *keepers.0.told() = vec![Some(Status { latest: later, ..sure }), Some(Status { latest: later, ..told(2, 5) })];
        keepers.0.agree_on_time();
        assert_eq!((keepers.now(), keepers.certain()), (later, early));
        // One of them is set back, or restored: what was agreed on stands.
        *keepers.0.told() = vec![Some(sure), Some(told(2, 5))];
        keepers.0.agree_on_time();
        assert_eq!(keepers.now(), later);
    }

    fn release(keeper: u8) -> Answered {
        Ok(Response::Released(Release::from_bytes(&[keeper; 40])))
    }

    #[test]
    fn two_have_to_agree_and_two_have_to_refuse() {
        let silent = || Err(KeeperClientError::Silent { address: "k:1".into(), why: "gone".into() });
        let refused = |refusal| Ok(Response::Refused(refusal));
        assert_eq!(agreed(vec![release(1), release(2), silent()]).unwrap().pairs().len(), 1);
        assert_eq!(agreed(vec![release(1), release(2), release(3)]).unwrap().pairs().len(), 3);
        for few in [vec![release(1), silent(), silent()], vec![release(1), release(1), Ok(Response::Unsaved)]] {
            assert!(matches!(agreed(few), Err(KeyCustodyError::TooFew { agreed: 1, .. })));
        }
        let one = agreed(vec![release(1), silent(), refused(Refusal::Expired)]);
        assert!(matches!(one, Err(KeyCustodyError::TooFew { agreed: 1, .. })));
        let two = agreed(vec![release(1), refused(Refusal::Denied), refused(Refusal::Expired)]);
        assert!(matches!(two, Err(KeyCustodyError::Refused(Refusal::Denied))));
        for (one, other, told) in
            [(Refusal::NoKey, Refusal::Denied, Refusal::Denied), (Refusal::NoKey, Refusal::NoKey, Refusal::NoKey)]
        {
            let lost = agreed(vec![release(1), refused(one), refused(other)]);
            assert!(matches!(lost, Err(KeyCustodyError::Refused(refusal)) if refusal == told), "{lost:?}");
        }
        let error = agreed(vec![release(1), silent(), refused(Refusal::NoKey)]).unwrap_err().to_string();
        assert!(error.contains("k:1 does not answer") && error.contains("no key"), "{error}");
    }
}
