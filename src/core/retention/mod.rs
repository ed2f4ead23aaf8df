//! **The question:** until when can a recording be read, and by whose leave? A pure core: clocks in, refusals and keys
//! out.
//!
//! Doors: [`Keeper`] (hour keys, their times, their refusals; its state goes into a [`StateFile`], its audit log leaves
//! as text),
//! [`Retention`] and [`Hour`] (when a recording expires), [`KeyShares`] (which keepers open a data key together),
//! [`seal`] and [`Opener`] (the sealed form of every object).
//!
//! A recording is filed under the hour of its expiry. A keeper makes one random key for each such hour, releases only
//! what is derived from it for one recording, and destroys it when the hour comes. It answers to its own [`Times`],
//! never to a clock alone: what has expired once stays expired, whatever the clock says. Nothing here reads a clock or
//! a file; time is an argument, and anyone who owns a keeper saves its bytes before an answer leaves.

mod audit;
mod chunked;
mod data_key;
mod hour;
mod hour_keys;
mod keeper;
mod key_shares;
mod locked;
mod recording_name;
mod secret;
mod state;
mod state_v1;
#[cfg(test)]
mod tests;
mod theft;
mod times;
#[cfg(test)]
mod times_tests;

pub use audit::{Audit, AuditError, AuditEvent, verify_audit};
pub use chunked::{CHUNK_BYTES, Opener, PREFIX_BYTES, SEALED_CHUNK_BYTES, Tampered, open, plain_len, seal, sealed_len};
pub use data_key::{KeeperId, Pair, RELEASE_BYTES, RecordingId, Release, unwrap, wrap};
pub use hour::{Hour, Retention, RetentionError};
pub use keeper::{Keeper, Refusal, Stats};
pub use key_shares::{KeyShares, WrappedKey};
pub use locked::secrets_are_locked;
pub use recording_name::RecordingName;
pub use secret::Secret;
pub use state::{HEADS_AT, STATE_BYTES, StateError, StateFile};
pub use theft::{Burglary, STOLEN_OVERLAP, StolenKey, stolen_keys, stolen_times};
pub use times::{BootId, Clocks, Times, Witness};
