//! **The question:** how does a keeper survive a restart, and where in its file does each key lie? One file that never
//! changes its length and in which each thing is overwritten where it stands: no former content is left anywhere, and a
//! full disk hinders nothing.
//!
//! All numbers big-endian.
//!
//! | at byte | what |
//! |---|---|
//! | 64 · n, n below 336 | slot n: hour (4 bytes), key (32), start of SHA-256 of both (28); all zero where no key is |
//! | 24,576 and 24,576 + 1,425,408 | two heads: of those that are whole the one with the higher counter counts |
//!
//! A head: 16 bytes of magic; counter (8); the head's length (4); the keeper's id (8); its times (128); the audit log's
//! seed (32), then number (8) and hash (32) before its pending lines; the hours (4) that have a key, the recordings
//! erased early (16) with their hours (4), the pending events (a length byte and text), each list behind its count (4);
//! SHA-256 of it all (32).
//!
//! Keys are written and synced before the head. So a key whose hour no head names was never used, and is overwritten at
//! the next start; one that a head names and no slot holds was destroyed.

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::base::limits::{AUDIT_EVENT_LEN_MAX, AUDIT_PENDING_MAX, DENIED_MAX, HOUR_SLOTS};
use crate::core::retention::audit::{Audit, AuditEvent};
use crate::core::retention::locked::{PLACE_BYTES, Place};
use crate::core::retention::secret::{KEY_BYTES, Secret, scrub_stack};
use crate::core::retention::{Clocks, Hour, Keeper, KeeperId, RecordingId, Times};

pub(super) const MAGIC: &[u8; 16] = b"tessera keeper 2";
const CHECK_BYTES: usize = 32;
/// Magic, counter, length.
const PREFIX_BYTES: usize = 16 + 8 + 4;
/// Hour and key.
const FILLED_BYTES: usize = 4 + KEY_BYTES;

const FIXED_BYTES: usize = PREFIX_BYTES + 8 + Times::BYTES + KEY_BYTES + 8 + 32 + 3 * 4 + CHECK_BYTES;
const EVENTS: usize = AUDIT_PENDING_MAX + 2 * HOUR_SLOTS + 1;
const LONGEST_HEAD_BYTES: usize = FIXED_BYTES + 4 * HOUR_SLOTS + 20 * DENIED_MAX + (1 + AUDIT_EVENT_LEN_MAX) * EVENTS;
/// Where the heads begin, and how far apart they are.
const HEADS: usize = (HOUR_SLOTS * PLACE_BYTES).next_multiple_of(4096);
const HEAD_PLACE: usize = LONGEST_HEAD_BYTES.next_multiple_of(4096);
/// Bytes of a keeper's file.
pub const STATE_BYTES: u64 = (HEADS + 2 * HEAD_PLACE) as u64;
// As it is written above, in docs/retention.md, and in files.
/// Where its heads begin: before them are keys, which who only asks whether there is a keeper does not read.
pub const HEADS_AT: [u64; 2] = [HEADS as u64, (HEADS + HEAD_PLACE) as u64];

const _: () = assert!(HEADS == 24_576 && HEAD_PLACE == 1_425_408);

/// Bytes that are no keeper's state: damaged, cut short, or of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no keeper's state")]
pub struct StateError;

/// A keeper's file, which has `STATE_BYTES` and keeps them. A new one is all zero.
pub trait StateFile {
    /// Why it refuses.
    type Error: From<StateError>;

    /// Fills `into` from what stands at `at`.
    ///
    /// # Errors
    /// When the disk refuses, or the file ends before.
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Self::Error>;

    /// Overwrites what stands at `at`.
    ///
    /// # Errors
    /// When the disk refuses.
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Waits until the disk itself holds what was written.
    ///
    /// # Errors
    /// When the disk refuses.
    fn sync(&mut self) -> Result<(), Self::Error>;
}

impl Keeper {
    /// Stores everything that must not be forgotten: first the keys that are new or destroyed, then the rest.
    ///
    /// # Errors
    /// When the disk refuses. What could be destroyed is; [`Keeper::unsaved`] stays so, and it may be tried again.
    pub fn save<F: StateFile>(&mut self, file: &mut F) -> Result<(), F::Error> {
        let mut written = Ok(());
        let mut any = false;
        for slot in self.keys.changed() {
            any = true;
            // One that the disk refuses keeps no other key from being destroyed.
            written = written.and(file.write(slot_at(slot), self.slot(slot).bytes()));
        }
        if any {
            written = written.and(file.sync());
        }
        written?;
        file.write(head_at(self.saves + 1), &self.head())?;
        file.sync()?;
        self.saves += 1;
        self.keys.saved();
        self.saved();
        Ok(())
    }

    /// The keeper whose file this is, at what the clocks say now: what has expired meanwhile is destroyed. Nothing is
    /// written.
    ///
    /// # Errors
    /// When it is no keeper's file, or the disk refuses.
    pub fn load<F: StateFile>(file: &mut F, clocks: Clocks) -> Result<Self, F::Error> {
        let (saves, head) = newest_head(file)?;
        let mut rest = Rest(&head[PREFIX_BYTES..]);
        let id = KeeperId(rest.take()?);
        let times = Times::from_bytes(&rest.take()?).ok_or(StateError)?;
        let audit = Audit::resumed(Secret::from_bytes(rest.key()?), rest.u64()?, rest.take()?);
        let hours = rest.list(HOUR_SLOTS, |rest| Ok(Hour(rest.u32()?)))?;
        let denied = rest.list(DENIED_MAX, |rest| Ok((RecordingId(rest.take()?), Hour(rest.u32()?))))?;
        let mut keeper = Self::assemble(id, times, audit);
        rest.list(EVENTS, |rest| {
            let len = usize::from(rest.take::<1>()?[0]);
            keeper.audit.repeat(rest.slice(len)?).ok_or(StateError)
        })?;
        if !rest.0.is_empty() {
            return Err(StateError.into());
        }
        keeper.saves = saves;
        keeper.denied.extend(denied);
        keeper.read_slots(file, &hours)?;
        keeper.advance(clocks, None);
        Ok(keeper)
    }

    fn read_slots<F: StateFile>(&mut self, file: &mut F, hours: &[Hour]) -> Result<(), F::Error> {
        for slot in 0..HOUR_SLOTS {
            let mut place = Place::blank();
            file.read(slot_at(slot), place.bytes_mut())?;
            let hour = hour_in(place.bytes()).filter(|hour| hours.contains(hour) && !self.hours.contains_key(hour));
            if let Some(hour) = hour {
                self.hours.insert(hour, slot);
                self.keys.read(slot, &place.bytes()[4..FILLED_BYTES]);
            } else if *place.bytes() != [0; PLACE_BYTES] {
                self.keys.overwrite(slot);
                self.touch();
            }
        }
        // The process ended between the keys and the head.
        for hour in hours.iter().filter(|hour| !self.hours.contains_key(hour)).copied().collect::<Vec<_>>() {
            self.audit.add(self.times.refused_from(), AuditEvent::Destroyed(hour));
            self.touch();
        }
        Ok(())
    }

    fn slot(&self, slot: usize) -> Place {
        let mut place = Place::blank();
        if let Some((hour, _)) = self.hours.iter().find(|(_, held)| **held == slot) {
            let bytes = place.bytes_mut();
            bytes[..4].copy_from_slice(&hour.0.to_be_bytes());
            bytes[4..FILLED_BYTES].copy_from_slice(self.keys.get(slot));
            let check = slot_check(bytes);
            bytes[FILLED_BYTES..].copy_from_slice(&check);
        }
        place
    }

    fn head(&self) -> Zeroizing<Vec<u8>> {
        let events: Vec<&str> = self.audit.pending_events().collect();
        let len = FIXED_BYTES
            + 4 * self.hours.len()
            + 20 * self.denied.len()
            + events.iter().map(|event| 1 + event.len()).sum::<usize>();
        // Reserved at once: growing would leave copies of the seed behind.
        let mut out = Zeroizing::new(Vec::with_capacity(len));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(self.saves + 1).to_be_bytes());
        put_count(len, &mut out);
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.times.to_bytes());
        let (next, hash) = self.audit.before_pending();
        out.extend_from_slice(self.audit.seed.expose());
        out.extend_from_slice(&next.to_be_bytes());
        out.extend_from_slice(&hash);
        put_count(self.hours.len(), &mut out);
        self.hours.keys().for_each(|hour| out.extend_from_slice(&hour.0.to_be_bytes()));
        put_count(self.denied.len(), &mut out);
        for (recording, hour) in &self.denied {
            out.extend_from_slice(&recording.0);
            out.extend_from_slice(&hour.0.to_be_bytes());
        }
        put_count(events.len(), &mut out);
        for event in events {
            out.push(u8::try_from(event.len()).expect("an event is a short text"));
            out.extend_from_slice(event.as_bytes());
        }
        let check = digest(&SHA256, &out);
        out.extend_from_slice(check.as_ref());
        debug_assert_eq!(out.len(), len);
        out
    }
}

fn slot_at(slot: usize) -> u64 {
    (slot * PLACE_BYTES) as u64
}

fn head_at(counter: u64) -> u64 {
    HEADS as u64 + counter % 2 * HEAD_PLACE as u64
}

fn slot_check(slot: &[u8; PLACE_BYTES]) -> [u8; PLACE_BYTES - FILLED_BYTES] {
    let check = digest(&SHA256, &slot[..FILLED_BYTES]);
    scrub_stack();
    *check.as_ref().first_chunk().expect("28 of 32 bytes")
}

/// Who wrote the head that begins here, and what it refused by; nothing else of it is looked at.
pub(super) fn times_in(head: &[u8]) -> Option<(KeeperId, Times)> {
    let mut rest = Rest(head.strip_prefix(MAGIC)?.get(PREFIX_BYTES - MAGIC.len()..)?);
    let id = KeeperId(rest.take().ok()?);
    Some((id, Times::from_bytes(&rest.take().ok()?)?))
}

/// The hour whose key a slot holds, if it holds one.
pub(super) fn hour_in(slot: &[u8; PLACE_BYTES]) -> Option<Hour> {
    let hour = u32::from_be_bytes(*slot.first_chunk().expect("4 of 64 bytes"));
    (slot_check(slot) == slot[FILLED_BYTES..]).then_some(Hour(hour))
}

/// A head that is whole: its counter, and its bytes without their check.
type Head = (u64, Zeroizing<Vec<u8>>);

/// The head that counts.
fn newest_head<F: StateFile>(file: &mut F) -> Result<Head, F::Error> {
    let (even, odd) = (read_head(file, 0)?, read_head(file, 1)?);
    let newest = even.into_iter().chain(odd).max_by_key(|(counter, _)| *counter);
    newest.ok_or_else(|| StateError.into())
}

fn read_head<F: StateFile>(file: &mut F, parity: u64) -> Result<Option<Head>, F::Error> {
    let mut prefix = [0; PREFIX_BYTES];
    file.read(head_at(parity), &mut prefix)?;
    let counter = u64::from_be_bytes(*prefix[16..].first_chunk().expect("8 of 28 bytes"));
    let len = u32::from_be_bytes(*prefix.last_chunk().expect("4 of 28 bytes")) as usize;
    if !prefix.starts_with(MAGIC) || counter % 2 != parity || !(FIXED_BYTES..=LONGEST_HEAD_BYTES).contains(&len) {
        return Ok(None);
    }
    let mut head = Zeroizing::new(vec![0; len]);
    file.read(head_at(parity), &mut head)?;
    let (body, check) = head.split_last_chunk::<CHECK_BYTES>().expect("it is longer than that");
    if digest(&SHA256, body).as_ref() != check {
        return Ok(None);
    }
    let body_len = body.len();
    // What is cut off is no secret.
    head.truncate(body_len);
    Ok(Some((counter, head)))
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(count).expect("every list here is bounded").to_be_bytes());
}

/// What is not read yet.
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl<'a> Rest<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(StateError)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn key(&mut self) -> Result<&'a [u8; KEY_BYTES], StateError> {
        let (taken, rest) = self.0.split_first_chunk::<KEY_BYTES>().ok_or(StateError)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], StateError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(StateError)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32, StateError> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, StateError> {
        self.take().map(u64::from_be_bytes)
    }

    pub(super) fn list<T>(
        &mut self,
        max: usize,
        mut one: impl FnMut(&mut Self) -> Result<T, StateError>,
    ) -> Result<Vec<T>, StateError> {
        let count = self.u32()? as usize;
        if count > max {
            return Err(StateError);
        }
        (0..count).map(|_| one(self)).collect()
    }
}

#[cfg(test)]
mod tests;
