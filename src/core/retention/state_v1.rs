//! **The question:** what does a keeper's file of version 1 hold? Read once, when a keeper of that version is started
//! as one of this.
//!
//! Big-endian: 16 bytes of magic; the keeper's id; floor, boot and allowance of its time, and a leap that was not
//! believed if there is one; hours with their keys; recordings erased early; the audit log's seed, count, hash and
//! pending lines; SHA-256 of it all.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::base::limits::{AUDIT_PENDING_MAX, DENIED_MAX, HOUR_KEYS_MAX};
use crate::base::media::Wallclock;
use crate::core::retention::audit::Audit;
use crate::core::retention::secret::Secret;
use crate::core::retention::state::{Rest, StateError};
use crate::core::retention::{BootId, Clocks, Hour, Keeper, KeeperId, RecordingId, Times};

const MAGIC: &[u8; 16] = b"tessera keeper 1";
const CHECK_BYTES: usize = 32;

impl Keeper {
    /// The keeper that these bytes are the state of, in the form of version 1; all of it is to be saved.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn from_version_1(bytes: &[u8], clocks: Clocks) -> Result<Self, StateError> {
        let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(StateError)?;
        if digest(&SHA256, body).as_ref() != check {
            return Err(StateError);
        }
        let mut rest = Rest(body);
        if rest.take::<16>()? != *MAGIC {
            return Err(StateError);
        }
        let id = KeeperId(rest.take()?);
        let mut keeper = Self::assemble(id, times(&mut rest)?, Audit::new());
        let hours = rest.u32()? as usize;
        if hours > HOUR_KEYS_MAX {
            return Err(StateError);
        }
        for _ in 0..hours {
            let hour = Hour(rest.u32()?);
            let slot = keeper.occupy(hour).ok_or(StateError)?;
            keeper.keys.get_mut(slot).copy_from_slice(rest.key()?);
        }
        let denied = rest.list(DENIED_MAX, |rest| Ok((RecordingId(rest.take()?), Hour(rest.u32()?))))?;
        keeper.denied.extend(denied);
        keeper.audit = Audit::resumed(Secret::from_bytes(rest.key()?), rest.u64()?, rest.take()?);
        keeper.audit.pending = rest.list(AUDIT_PENDING_MAX + HOUR_KEYS_MAX + 1, |rest| {
            let len = rest.u32()? as usize;
            String::from_utf8(rest.slice(len)?.to_vec()).map_err(|_| StateError)
        })?;
        if !rest.0.is_empty() {
            return Err(StateError);
        }
        keeper.touch();
        keeper.advance(clocks, None);
        Ok(keeper)
    }
}

fn times(rest: &mut Rest<'_>) -> Result<Times, StateError> {
    let (floor, boot) = (Wallclock(rest.u64()?), BootId(rest.take()?));
    let (since_boot, _allowance) = (Duration::from_nanos(rest.u64()?), rest.u64()?);
    let latest = match rest.take()? {
        [0] => floor,
        [1] => {
            let latest = Wallclock(rest.u64()?);
            // What it claimed, for how long it stood and was withdrawn.
            rest.slice(3 * 8)?;
            latest
        }
        _ => return Err(StateError),
    };
    Ok(Times::of_one_time(floor, latest, boot, since_boot))
}
