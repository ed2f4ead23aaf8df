//! **The question:** how does a keeper survive a restart? Its state as bytes: everything it must not forget, hour keys
//! included.
//!
//! Big-endian: 16 bytes of magic; the keeper's id; its times ([`Times::to_bytes`]); hours with their keys; recordings
//! erased early; the audit log's seed, count, hash and pending lines; SHA-256 of it all.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::{Zeroize, Zeroizing};

use crate::base::limits::{AUDIT_LINE_LEN_MAX, AUDIT_PENDING_MAX, DENIED_MAX, HOUR_KEYS_MAX};
use crate::base::media::Wallclock;
use crate::core::retention::audit::Audit;
use crate::core::retention::secret::{KEY_BYTES, Secret};
use crate::core::retention::{BootId, Clocks, Hour, Keeper, KeeperId, RecordingId, Times};

const MAGIC: &[u8; 16] = b"tessera keeper 2";
/// Before a keeper had two times: floor, boot and allowance, and a clock that was not believed, if there was one.
const MAGIC_OF_ONE_TIME: &[u8; 16] = b"tessera keeper 1";
const CHECK_BYTES: usize = 32;

/// Bytes that are no keeper's state: damaged, cut short, or of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no keeper's state")]
pub struct StateError;

impl Keeper {
    /// Everything to be stored; secret, overwritten when let go.
    #[must_use]
    pub fn state(&self) -> Zeroizing<Vec<u8>> {
        // Reserved at once: growing would leave copies of keys behind.
        let lines: usize = self.audit.pending.iter().map(|line| line.len() + 4).sum();
        let len = 512 + self.hours.len() * (KEY_BYTES + 4) + self.denied.len() * 20 + lines;
        let mut out = Zeroizing::new(Vec::with_capacity(len));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.times.to_bytes());
        put_count(self.hours.len(), &mut out);
        for (hour, slot) in &self.hours {
            out.extend_from_slice(&hour.0.to_be_bytes());
            out.extend_from_slice(self.keys.get(*slot));
        }
        put_count(self.denied.len(), &mut out);
        for (recording, hour) in &self.denied {
            out.extend_from_slice(&recording.0);
            out.extend_from_slice(&hour.0.to_be_bytes());
        }
        out.extend_from_slice(self.audit.seed.expose());
        out.extend_from_slice(&self.audit.next.to_be_bytes());
        out.extend_from_slice(&self.audit.head);
        put_count(self.audit.pending.len(), &mut out);
        for line in &self.audit.pending {
            put_count(line.len(), &mut out);
            out.extend_from_slice(line.as_bytes());
        }
        let check = digest(&SHA256, &out);
        out.extend_from_slice(check.as_ref());
        debug_assert!(out.capacity() <= len.max(512) * 2);
        out
    }

    /// The keeper that these bytes are the state of, at what the clocks say now: what has expired meanwhile is
    /// destroyed.
    ///
    /// # Errors
    /// When the bytes are no keeper's state.
    pub fn restore(bytes: &[u8], clocks: Clocks) -> Result<Self, StateError> {
        let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(StateError)?;
        if digest(&SHA256, body).as_ref() != check {
            return Err(StateError);
        }
        let mut rest = Rest(body);
        let magic = rest.take::<16>()?;
        if magic != *MAGIC && magic != *MAGIC_OF_ONE_TIME {
            return Err(StateError);
        }
        let id = KeeperId(rest.take()?);
        let times = if magic == *MAGIC { rest.times()? } else { rest.one_time()? };
        let hours = rest.hours()?;
        let denied = rest.list(DENIED_MAX, |rest| Ok((RecordingId(rest.take()?), Hour(rest.u32()?))))?;
        let audit = rest.audit()?;
        if !rest.0.is_empty() {
            return Err(StateError);
        }
        let mut keeper = Self::assemble(id, times, audit);
        for (hour, mut key) in hours {
            let slot = keeper.occupy(hour);
            keeper.keys.get_mut(slot).copy_from_slice(&key);
            key.zeroize();
        }
        keeper.denied.extend(denied);
        keeper.advance(clocks, None);
        Ok(keeper)
    }
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(count).expect("every list here is bounded").to_be_bytes());
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(StateError)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], StateError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(StateError)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, StateError> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, StateError> {
        self.take().map(u64::from_be_bytes)
    }

    fn span(&mut self) -> Result<Duration, StateError> {
        self.u64().map(Duration::from_nanos)
    }

    fn list<T>(&mut self, max: usize, one: impl Fn(&mut Self) -> Result<T, StateError>) -> Result<Vec<T>, StateError> {
        let count = self.u32()? as usize;
        if count > max {
            return Err(StateError);
        }
        (0..count).map(|_| one(self)).collect()
    }

    fn times(&mut self) -> Result<Times, StateError> {
        Times::from_bytes(&self.take()?).ok_or(StateError)
    }

    fn one_time(&mut self) -> Result<Times, StateError> {
        let (floor, boot) = (Wallclock(self.u64()?), BootId(self.take()?));
        let (since_boot, _allowance) = (self.span()?, self.span()?);
        let latest = match self.take()? {
            [0] => floor,
            [1] => {
                let latest = Wallclock(self.u64()?);
                let (_claimed, _stood, _withdrawn) = (self.u64()?, self.span()?, self.span()?);
                latest
            }
            _ => return Err(StateError),
        };
        Ok(Times::of_one_time(floor, latest, boot, since_boot))
    }

    // In rising order and within one round of the slots, else two would share one.
    fn hours(&mut self) -> Result<Vec<(Hour, [u8; KEY_BYTES])>, StateError> {
        let hours = self.list(HOUR_KEYS_MAX, |rest| Ok((Hour(rest.u32()?), rest.take()?)))?;
        let rising = hours.is_sorted_by(|one, next| one.0 < next.0);
        let span = hours.last().zip(hours.first()).map_or(0, |(last, first)| last.0.0.saturating_sub(first.0.0));
        if rising && (span as usize) < HOUR_KEYS_MAX { Ok(hours) } else { Err(StateError) }
    }

    fn audit(&mut self) -> Result<Audit, StateError> {
        let (seed, next, head) = (Secret::from_bytes(&self.take()?), self.u64()?, self.take()?);
        let pending = self.list(AUDIT_PENDING_MAX + HOUR_KEYS_MAX + 2, |rest| {
            let len = rest.u32()? as usize;
            let line = rest.slice(len.min(AUDIT_LINE_LEN_MAX))?;
            String::from_utf8(line.to_vec()).map_err(|_| StateError)
        })?;
        Ok(Audit { seed, next, head, pending })
    }
}
