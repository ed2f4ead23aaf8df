//! **The question:** how does a keeper survive a restart? Its state as bytes: everything it must not forget, hour keys
//! included.
//!
//! Big-endian: 16 bytes of magic; the keeper's id; floor, boot and allowance of the ratchet and its jump if there is
//! one; hours with their keys; recordings erased early; the audit log's seed, count, hash and pending lines; SHA-256 of
//! it all.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::{Zeroize, Zeroizing};

use crate::base::limits::{AUDIT_LINE_LEN_MAX, AUDIT_PENDING_MAX, CLOCK_ALLOWANCE, DENIED_MAX, HOUR_KEYS_MAX};
use crate::base::media::Wallclock;
use crate::core::retention::audit::Audit;
use crate::core::retention::ratchet::Jump;
use crate::core::retention::secret::{KEY_BYTES, Secret};
use crate::core::retention::{BootId, Clocks, Hour, Keeper, KeeperId, Ratchet, RecordingId};

const MAGIC: &[u8; 16] = b"tessera keeper 1";
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
        write_ratchet(&self.ratchet, &mut out);
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
        if rest.take::<16>()? != *MAGIC {
            return Err(StateError);
        }
        let id = KeeperId(rest.take()?);
        let ratchet = rest.ratchet()?;
        let hours = rest.hours()?;
        let denied = rest.list(DENIED_MAX, |rest| Ok((RecordingId(rest.take()?), Hour(rest.u32()?))))?;
        let audit = rest.audit()?;
        if !rest.0.is_empty() {
            return Err(StateError);
        }
        let mut keeper = Self::assemble(id, ratchet, audit);
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

fn write_ratchet(ratchet: &Ratchet, out: &mut Vec<u8>) {
    out.extend_from_slice(&ratchet.floor.0.to_be_bytes());
    out.extend_from_slice(&ratchet.boot.0);
    put_span(ratchet.since_boot, out);
    put_span(ratchet.allowance, out);
    out.push(u8::from(ratchet.jump.is_some()));
    if let Some(jump) = ratchet.jump {
        out.extend_from_slice(&jump.latest.0.to_be_bytes());
        out.extend_from_slice(&jump.claimed.0.to_be_bytes());
        put_span(jump.stood, out);
        put_span(jump.withdrawn, out);
    }
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(count).expect("every list here is bounded").to_be_bytes());
}

fn put_span(span: Duration, out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::try_from(span.as_nanos()).expect("a boot lasts below 584 years").to_be_bytes());
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

    fn ratchet(&mut self) -> Result<Ratchet, StateError> {
        let (floor, boot) = (Wallclock(self.u64()?), BootId(self.take()?));
        let (since_boot, allowance) = (self.span()?, self.span()?.min(CLOCK_ALLOWANCE));
        let jump = match self.take()? {
            [0] => None,
            [1] => {
                let (latest, claimed) = (Wallclock(self.u64()?), Wallclock(self.u64()?));
                Some(Jump { latest, claimed, stood: self.span()?, withdrawn: self.span()? })
            }
            _ => return Err(StateError),
        };
        Ok(Ratchet { floor, boot, since_boot, allowance, jump })
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
        let pending = self.list(AUDIT_PENDING_MAX + HOUR_KEYS_MAX + 1, |rest| {
            let len = rest.u32()? as usize;
            let line = rest.slice(len.min(AUDIT_LINE_LEN_MAX))?;
            String::from_utf8(line.to_vec()).map_err(|_| StateError)
        })?;
        Ok(Audit { seed, next, head, pending })
    }
}
