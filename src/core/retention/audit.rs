//! **The question:** which hour keys were made and destroyed, and can anybody deny it afterwards? A log of hours, not
//! of people: each line names the one before it by its hash and is signed; no room, name, recording or address stands
//! in it.
//!
//! A line is `number time event hash signature`: decimal number from 0; the keeper's time in Unix seconds; `began`,
//! `made HOUR`, `destroyed HOUR`, `clock-ahead SECONDS`, `clock-believed` or `clock-was-wrong SECONDS`; SHA-256 of the
//! line before (zeros before the first); Ed25519 over all that stands before it.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::base::limits::AUDIT_PENDING_MAX;
use crate::base::media::{NANOS_PER_SECOND, Wallclock};
use crate::core::retention::Hour;
use crate::core::retention::data_key::parse_hex;
use crate::core::retention::secret::Secret;

const HASH_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditEvent {
    /// The keeper's first start.
    Began,
    /// A key was made for this hour.
    Made(Hour),
    /// The key of this hour was destroyed.
    Destroyed(Hour),
    /// The wall clock leads by so many seconds and is not certain.
    ClockAhead(u64),
    /// What is refused and what is destroyed are one time again.
    ClockBelieved,
    /// The operator said that a clock was wrong, which led by so many seconds: the keys of all hours that it had passed
    /// were destroyed.
    ClockWasWrong(u64),
}

impl fmt::Display for AuditEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began => f.write_str("began"),
            Self::Made(hour) => write!(f, "made {hour}"),
            Self::Destroyed(hour) => write!(f, "destroyed {hour}"),
            Self::ClockAhead(seconds) => write!(f, "clock-ahead {seconds}"),
            Self::ClockBelieved => f.write_str("clock-believed"),
            Self::ClockWasWrong(seconds) => write!(f, "clock-was-wrong {seconds}"),
        }
    }
}

impl AuditEvent {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once(' ') {
            None if text == "began" => Self::Began,
            None if text == "clock-believed" => Self::ClockBelieved,
            Some(("made", hour)) => Self::Made(hour.parse().ok()?),
            Some(("destroyed", hour)) => Self::Destroyed(hour.parse().ok()?),
            Some(("clock-ahead", seconds)) => Self::ClockAhead(seconds.parse().ok()?),
            Some(("clock-was-wrong", seconds)) => Self::ClockWasWrong(seconds.parse().ok()?),
            _ => return None,
        })
    }
}

/// A log in the making: its newest lines, until their owner has stored them.
#[derive(Debug)]
pub struct Audit {
    pub(super) seed: Secret,
    pub(super) next: u64,
    pub(super) head: [u8; HASH_BYTES],
    pub(super) pending: Vec<String>,
}

impl Audit {
    pub(super) fn new() -> Self {
        Self { seed: Secret::random(), next: 0, head: [0; HASH_BYTES], pending: Vec::new() }
    }

    /// One that goes on behind so many lines, the last of which has this hash.
    pub(super) fn resumed(seed: Secret, next: u64, head: [u8; HASH_BYTES]) -> Self {
        Self { seed, next, head, pending: Vec::new() }
    }

    /// Where the log stood before the pending lines: what [`Audit::resumed`] wants.
    pub(super) fn before_pending(&self) -> (u64, [u8; HASH_BYTES]) {
        let mut head = self.head;
        if let Some(first) = self.pending.first() {
            let parsed = parts(first).is_some_and(|parts| parse_hex(parts.head, &mut head));
            assert!(parsed, "a line of our own has its parts");
        }
        (self.next - self.pending.len() as u64, head)
    }

    /// What the pending lines tell, and when: the same lines come of it again by [`Audit::repeat`], for Ed25519 signs
    /// the same alike.
    pub(super) fn pending_events(&self) -> impl Iterator<Item = &str> {
        self.pending.iter().map(|line| parts(line).expect("a line of our own has its parts").told)
    }

    /// Adds again what one of [`Audit::pending_events`] told; `None` if it is none.
    pub(super) fn repeat(&mut self, told: &[u8]) -> Option<()> {
        let (time, event) = std::str::from_utf8(told).ok()?.split_once(' ')?;
        let now = Wallclock(time.parse::<u64>().ok()?.checked_mul(NANOS_PER_SECOND)?);
        self.add(now, AuditEvent::parse(event)?);
        Some(())
    }

    /// Ed25519 public key of the signatures, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.signer().public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }

    /// Lines not stored yet, in order, without line ends.
    #[must_use]
    pub fn pending(&self) -> &[String] {
        &self.pending
    }

    /// Whether so many lines wait that no more may be added at will.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= AUDIT_PENDING_MAX
    }

    pub(super) fn stored(&mut self) {
        self.pending.clear();
    }

    pub(super) fn add(&mut self, now: Wallclock, event: AuditEvent) {
        let mut line = format!("{} {} {event} {}", self.next, now.unix_seconds(), Hex(&self.head));
        let signature = self.signer().sign(line.as_bytes());
        line = format!("{line} {}", Hex(signature.as_ref()));
        self.head = hash(&line);
        self.next += 1;
        self.pending.push(line);
    }

    fn signer(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(self.seed.expose()).expect("32 bytes are an Ed25519 seed")
    }
}

/// Where a log is not what a keeper wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the audit log was altered, or lines before it are missing")]
pub struct AuditError {
    /// Counted from 1.
    pub line: usize,
}

/// Checks a whole log, from its first line on, against the keeper's public key. What it tells, in order.
///
/// # Errors
/// At the first line that is not in its place, not signed, or not of this form.
pub fn verify_audit(log: &str, public_key: &[u8; 32]) -> Result<Vec<AuditEvent>, AuditError> {
    let mut head = [0; HASH_BYTES];
    let check = |(at, line): (usize, &str)| {
        let event = verify_line(line, at as u64, &head, public_key).ok_or(AuditError { line: at + 1 })?;
        head = hash(line);
        Ok(event)
    };
    log.lines().enumerate().map(check).collect()
}

fn verify_line(line: &str, number: u64, head: &[u8; HASH_BYTES], public_key: &[u8; 32]) -> Option<AuditEvent> {
    let parts = parts(line)?;
    let mut signature = [0; SIGNATURE_BYTES];
    let mut before = [0; HASH_BYTES];
    let well_formed = parse_hex(parts.signature, &mut signature) && parse_hex(parts.head, &mut before);
    if !well_formed || before != *head {
        return None;
    }
    UnparsedPublicKey::new(&ED25519, public_key).verify(parts.signed.as_bytes(), &signature).ok()?;
    let (time, event) = parts.told.split_once(' ')?;
    let in_place = parts.number.parse() == Ok(number) && time.parse::<u64>().is_ok();
    AuditEvent::parse(event).filter(|_| in_place)
}

/// A line taken apart.
struct Parts<'a> {
    /// All before the signature.
    signed: &'a str,
    number: &'a str,
    /// Time and event.
    told: &'a str,
    head: &'a str,
    signature: &'a str,
}

fn parts(line: &str) -> Option<Parts<'_>> {
    let (signed, signature) = line.rsplit_once(' ')?;
    let (rest, head) = signed.rsplit_once(' ')?;
    let (number, told) = rest.split_once(' ')?;
    Some(Parts { signed, number, told, head, signature })
}

fn hash(line: &str) -> [u8; HASH_BYTES] {
    digest(&SHA256, line.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::AUDIT_EVENT_LEN_MAX;

    fn log() -> (Vec<String>, [u8; 32], Vec<AuditEvent>) {
        let mut audit = Audit::new();
        let hour = Hour(490_000);
        let events = [
            AuditEvent::Began,
            AuditEvent::Made(hour),
            AuditEvent::ClockAhead(90_000),
            AuditEvent::ClockBelieved,
            AuditEvent::ClockWasWrong(31_536_000),
            AuditEvent::Destroyed(hour),
        ];
        events.iter().for_each(|event| audit.add(Wallclock(1), *event));
        (audit.pending().to_vec(), audit.public_key(), events.to_vec())
    }

    #[test]
    fn a_whole_log_is_believed_and_told() {
        let (lines, key, events) = log();
        assert_eq!(verify_audit(&lines.join("\n"), &key), Ok(events));
        assert_eq!(verify_audit("", &key), Ok(vec![]));
    }

    #[test]
    fn pending_lines_come_again_from_what_they_tell() {
        let mut audit = Audit::new();
        audit.add(Wallclock(7_000_000_000), AuditEvent::Began);
        audit.stored();
        [AuditEvent::Made(Hour(490_000)), AuditEvent::ClockAhead(90_000)]
            .iter()
            .for_each(|event| audit.add(Wallclock(9_500_000_000), *event));
        let (next, head) = audit.before_pending();
        let mut again = Audit::resumed(Secret::from_bytes(audit.seed.expose()), next, head);
        audit.pending_events().for_each(|told| again.repeat(told.as_bytes()).unwrap());
        assert_eq!((again.pending(), again.next, again.head), (audit.pending(), audit.next, audit.head));
        assert!(audit.pending_events().all(|told| told.len() <= AUDIT_EVENT_LEN_MAX));
        for none in ["", "x began", "1 ended", "1", "18446744073709551615 began"] {
            assert_eq!(again.repeat(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn whatever_was_altered_left_out_or_moved_is_told() {
        let (lines, key, _) = log();
        let altered = |n: usize, from: &str, to: &str| {
            let mut lines = lines.clone();
            assert!(lines[n].contains(from));
            lines[n] = lines[n].replacen(from, to, 1);
            verify_audit(&lines.join("\n"), &key)
        };
        assert_eq!(altered(1, "490000", "490001"), Err(AuditError { line: 2 }));
        assert_eq!(altered(5, "destroyed", "made"), Err(AuditError { line: 6 }));
        let (mut missing, mut moved) = (lines.clone(), lines.clone());
        missing.remove(2);
        moved.swap(2, 3);
        assert_eq!(verify_audit(&missing.join("\n"), &key), Err(AuditError { line: 3 }));
        assert_eq!(verify_audit(&moved.join("\n"), &key), Err(AuditError { line: 3 }));
        assert_eq!(verify_audit(&lines[1..].join("\n"), &key), Err(AuditError { line: 1 }));
        assert_eq!(verify_audit(&lines.join("\n"), &log().1), Err(AuditError { line: 1 }), "another keeper's key");
        assert_eq!(verify_audit("noise", &key), Err(AuditError { line: 1 }));
    }
}
