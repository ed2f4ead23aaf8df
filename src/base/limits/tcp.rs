//! Bounds of media over TCP (RFC 6544).

use std::time::Duration;

/// Connections that have not said yet whose they are, of all addresses.
pub const TCP_WAITING_MAX: usize = 256;
/// The same of one address.
pub const TCP_WAITING_OF_ADDRESS_MAX: usize = 16;
/// How long a connection may take to say whose it is, and may wait for that one to be known.
pub const TCP_HELLO_SPAN: Duration = Duration::from_secs(5);
/// How soon a connection is looked at again that named somebody whom nobody knows yet.
pub const TCP_UNKNOWN_SPACING: Duration = Duration::from_millis(50);
/// Connections taken in before those that wait have their turn.
pub const TCP_ACCEPTS_MAX: usize = 64;
/// How long none is taken in once the system has no descriptor left.
pub const TCP_REFUSED_SPAN: Duration = Duration::from_millis(500);
/// Connections that wait in the kernel to be taken in.
pub const TCP_BACKLOG_LEN: i32 = 256;
/// Connections of one client: a browser has one for each of its interfaces and of this node's addresses.
pub const PEER_STREAMS_MAX: usize = 8;
/// Connections of all clients.
pub const TCP_STREAMS_MAX: u64 = 1_024;
/// Bytes read of one connection before others have their turn.
pub const TCP_READ_LEN: usize = 64 * 1024;
/// Bytes that wait for one client: a keyframe of every picture there is, and what came with it.
pub const TCP_QUEUE_LEN_MAX: usize = 512 * 1024;
/// How long what waits for a client may have waited when more of its picture is to wait behind that.
pub const TCP_QUEUE_SPAN: Duration = Duration::from_millis(300);
/// Times of what waits are told apart by this much.
pub const TCP_QUEUE_SPACING: Duration = Duration::from_millis(10);
/// A longer datagram is of a picture; sound, reports and checks of ICE are shorter.
pub const TCP_SHORT_LEN_MAX: usize = 500;
/// Bytes that the kernel takes of a connection beyond those on their way: what waits there cannot be discarded.
pub const TCP_UNSENT_LEN: u32 = 16 * 1024;
