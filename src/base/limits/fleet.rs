//! Bounds of a fleet of nodes.

use std::time::Duration;

/// Characters of a node's id, and of a region's label.
pub const FLEET_LABEL_LEN_MAX: usize = 64;
/// For how long a node's keys stand without a word of it: so much later than its end are its rooms free.
pub const FLEET_LEASE_SPAN: Duration = Duration::from_secs(5);
/// How often a node says that it lives: several words may be lost before its lease is over.
pub const FLEET_KEEP_SPACING: Duration = Duration::from_secs(1);
/// Times that one placement is asked for while others change what it was decided by.
pub const FLEET_TRIES_MAX: u32 = 64;
/// Those of them that are for the node that suits best, whoever else wants it; then the asking node is asked first.
pub const FLEET_TRIES_ELSEWHERE_MAX: u32 = 1;
/// For how long somebody who was too late takes it that others place rooms too, and stays out of their way.
pub const FLEET_CROWD_SPAN: Duration = Duration::from_secs(1);
/// How soon after the last one a node is asked for another room while that goes on.
pub const FLEET_RUSH_SPACING: Duration = Duration::from_millis(100);
/// Rooms that are placed by one transaction; etcd takes 128 operations in one.
pub const FLEET_BATCH_LEN_MAX: usize = 32;
/// Rooms that a node tells of in one transaction.
pub const FLEET_TOLD_LEN_MAX: usize = 100;
/// Transactions in which it tells on end, before what others ask comes first again.
pub const FLEET_ROUNDS_MAX: usize = 8;
/// Placements that wait for their turn.
pub const FLEET_ASKS_LEN: usize = 1024;
/// How long somebody who asks for a new room waits for etcd: longer than three members take to elect a leader, shorter
/// than a page waits.
pub const FLEET_PATIENCE: Duration = Duration::from_secs(4);
/// How long one request to etcd may take before another member is asked.
pub const FLEET_CALL_SPAN: Duration = Duration::from_secs(2);
/// How long a room may be kept for somebody who was told where it is and has not come.
pub const FLEET_CLAIM_SPAN: Duration = Duration::from_secs(10);
/// Such rooms that one address may have asked a node for at a time.
pub const FLEET_CLAIMS_PER_ADDRESS_MAX: usize = 32;
/// How often a node tells how full it is, at most.
pub const FLEET_UPDATE_SPACING: Duration = Duration::from_secs(1);
/// How long a node waits before it tries the next member of etcd.
pub const FLEET_RETRY_SPACING: Duration = Duration::from_millis(200);
/// Bytes of one record.
pub const FLEET_RECORD_LEN_MAX: usize = 4096;
/// Bytes of everything that nodes say of themselves and their rooms.
pub const FLEET_READ_LEN_MAX: usize = 64 * 1024 * 1024;
/// How often a client of ours goes where it is sent before it gives up.
pub const FLEET_REDIRECTS_MAX: usize = 5;
/// Members of etcd that are named.
pub const FLEET_ENDPOINTS_MAX: usize = 16;
/// Bytes of a certificate, a key or a password.
pub const FLEET_FILE_LEN_MAX: usize = 64 * 1024;

const _: () = assert!(FLEET_KEEP_SPACING.as_millis() * 3 < FLEET_LEASE_SPAN.as_millis());
