//! **The question:** what is said to an SRT listener that is to take a stream, and when? Floor 2: the protocol of
//! draft-sharabayko-srt-01 as a caller that sends, in live mode: a handshake of version 5, datagrams numbered and kept
//! until they are acknowledged or too late, repairs on request, and AES-CTR where a passphrase is agreed. Time is an
//! argument; datagrams in, datagrams out; whatever a listener says is bounded.
//!
//! Doors: [`Caller`], [`CallerSetup`], [`Secrecy`], [`SrtError`], [`SRT_PAYLOAD`].

mod caller;
mod handshake;
mod packet;
mod secrecy;
#[cfg(test)]
mod tests;

pub use caller::{Caller, CallerSetup, CallerStats};
pub use packet::{SRT_PAYLOAD, SrtError};
pub use secrecy::{KeyLength, Secrecy};
