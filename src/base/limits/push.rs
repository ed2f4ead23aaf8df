//! Bounds of pushes: rooms that are sent on to other servers.

use std::time::Duration;

/// Pushes of one room.
pub const PUSHES_PER_ROOM_MAX: usize = 4;
/// Pushes of all rooms.
pub const PUSHES_MAX: u64 = 16;
/// Bytes of what is asked for, JSON.
pub const PUSH_REQUEST_LEN_MAX: usize = 8 * 1024;
/// Bytes of another server's URL.
pub const PUSH_URL_LEN_MAX: usize = 2 * 1024;
/// Bytes of the token that it wants.
pub const PUSH_TOKEN_LEN_MAX: usize = 4 * 1024;
/// How long another server may take to answer an offer, with all that it redirects to.
pub const PUSH_CALL_SPAN: Duration = Duration::from_secs(10);
/// How often one call may be redirected.
pub const PUSH_REDIRECTS_MAX: usize = 3;
/// Addresses of one answer that are tried.
pub const PUSH_CANDIDATES_MAX: usize = 16;
/// How long the first failed try waits for the next one, at most.
pub const PUSH_RETRY_SPAN: Duration = Duration::from_secs(1);
/// How long any does.
pub const PUSH_RETRY_SPAN_MAX: Duration = Duration::from_secs(30);
/// What was up for so long has not failed before.
pub const PUSH_STEADY_SPAN: Duration = Duration::from_secs(30);
/// How long is waited for what somebody else is to tell, who tells it in time unless they are gone.
pub const PUSH_PATIENCE_SPAN: Duration = Duration::from_secs(5);
/// Frames or packets of a stream (RTMP, SRT) that wait for its connection: four seconds at 30 pictures a second.
pub const PUSH_FAN_LEN: usize = 200;
/// Pictures, and packets of sound, that are taken before a connection is looked at again.
pub const PUSH_TURN_LEN: usize = 10;
/// How long a server may take nothing of a stream before the connection is given up.
pub const PUSH_STALL_SPAN: Duration = Duration::from_secs(10);
/// How long one of its addresses may take, before the next one is tried.
pub const PUSH_ADDRESS_SPAN: Duration = Duration::from_secs(3);
/// How long it is waited for that a goodbye is taken.
pub const PUSH_GOODBYE_SPAN: Duration = Duration::from_secs(1);
/// Ticks of sound that may be missing and are filled with silence; beyond that the sound begins anew.
pub const PUSH_SILENCE_TICKS_MAX: u64 = 50;

/// Bytes of a chunk that an RTMP server is sent.
pub const RTMP_CHUNK_LEN: usize = 4096;
/// Bytes of a message that it sends; commands have some hundred.
pub const RTMP_MESSAGE_LEN_MAX: usize = 64 * 1024;
/// Chunk streams that it uses.
pub const RTMP_CHUNK_STREAMS_MAX: usize = 16;
/// How deep objects may lie in each other in its commands (AMF0).
pub const AMF_DEPTH_MAX: usize = 8;
/// Values of one of them.
pub const AMF_VALUES_MAX: usize = 512;

/// How often a transport stream says which packets are what, at least.
pub const TS_TABLES_SPAN: Duration = Duration::from_millis(500);

/// The shortest latency that an SRT listener may be asked for, milliseconds.
pub const SRT_LATENCY_MS_MIN: u64 = 20;
/// The longest.
pub const SRT_LATENCY_MS_MAX: u64 = 8_000;
/// How often in a row the way to a listener may say that nobody is there, before that is believed.
pub const SRT_REFUSED_MAX: u32 = 16;
/// How long a listener may hold back the end of a stream.
pub const SRT_LINGER_MAX: Duration = Duration::from_millis(SRT_LATENCY_MS_MAX);
/// What it is asked for unless somebody says otherwise.
pub const SRT_LATENCY: Duration = Duration::from_millis(200);
/// Bytes of a stream's name (draft-sharabayko-srt-01, section 3.2.1.3).
pub const SRT_STREAM_ID_LEN_MAX: usize = 512;
/// Bytes of a passphrase (section 6.1.4).
pub const SRT_PASSPHRASE_LEN_MIN: usize = 10;
/// Bytes of a passphrase.
pub const SRT_PASSPHRASE_LEN_MAX: usize = 79;
/// How long nothing may be heard of an SRT listener, which says something each second.
pub const SRT_SILENCE_SPAN: Duration = Duration::from_secs(5);
/// Packets that are sent again for one report of losses.
pub const SRT_REPAIRS_MAX: usize = 256;
/// Ranges of lost packets that one report may name; a datagram has room for some 180.
pub const SRT_LOSSES_MAX: usize = 512;
/// How long an SRT listener may hear nothing (draft-sharabayko-srt-01, section 3.2.3).
pub const SRT_KEEP_ALIVE_SPAN: Duration = Duration::from_secs(1);
/// How long the last packets wait for an acknowledgement before they are sent again unasked: a report of their loss
/// needs a packet after them.
pub const SRT_TAIL_SPAN: Duration = Duration::from_millis(300);
/// Packets that are sent again so at once.
pub const SRT_TAIL_LEN: usize = 32;
