//! **The question:** how does a call reach those whose network lets no UDP through? By ICE's way over TCP (RFC
//! 6544): this side is passive, each datagram is a frame of RFC 4571, and everything else is as over UDP.
//!
//! `listener` binds the port, `door` takes connections in and reads whose each is, `connection` is one that a net
//! thread has from then on, `framing` and `queue` are what it reads and what waits for it, `polls` says which of them
//! is to be looked at.

pub(super) mod connection;
pub(super) mod door;
pub(super) mod framing;
pub(super) mod listener;
pub(super) mod polls;
mod queue;
