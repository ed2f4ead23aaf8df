//! **The question:** how much of anything may there be? Every bound in one place, const-asserted against its
//! neighbours.

mod access;
mod acme;
mod call;
mod captions;
mod console;
mod drain;
mod fleet;
mod ice;
mod live;
mod load;
mod lobby;
mod push;
mod recordings;
mod relay;
mod silence;
mod steward;
mod support;
mod tcp;
mod traces;
mod webhook;

use std::time::Duration;

pub use access::*;
pub use acme::*;
pub use call::*;
pub use captions::*;
pub use console::*;
pub use drain::*;
pub use fleet::*;
pub use ice::*;
pub use live::*;
pub use load::*;
pub use lobby::*;
pub use push::*;
pub use recordings::*;
pub use relay::*;
pub use silence::*;
pub use steward::*;
pub use support::*;
pub use tcp::*;
pub use traces::*;
pub use webhook::*;

/// Participants in one room.
pub const PARTICIPANTS_MAX: usize = 100;
/// Viewers (WHEP) of one room on this node.
pub const VIEWERS_MAX: usize = 400;
/// Rooms side by side on one node.
pub const ROOMS_MAX: usize = 64;
/// Characters of a room's name.
pub const ROOM_NAME_LEN_MAX: usize = 64;
/// Bytes of a display name.
pub const DISPLAY_NAME_LEN_MAX: usize = 128;
/// Bytes of the name of a recording's owner.
pub const OWNER_LEN_MAX: usize = 128;
/// Bytes of what is wished of a recording, JSON.
pub const RECORDING_WISH_LEN_MAX: usize = 4 * 1024;
/// How often OpenSSL is asked whether a flight is to be sent again; it waits for a second first, and then longer.
pub const DTLS_RETRY_SPACING: Duration = Duration::from_millis(200);
/// How long after a flight its datagrams are sent once more unless another follows, each wait twice the one before it.
pub const DTLS_REPEAT_SPAN: Duration = Duration::from_millis(100);
/// How often they are: the last is 700 ms after the flight, before OpenSSL's own.
pub const DTLS_REPEATS_MAX: u32 = 3;
/// Bytes of a DTLS datagram where nobody says: what passes every path (RFC 8835 has 1,200 for all of WebRTC).
pub const DTLS_DATAGRAM_LEN: u32 = 1200;
/// Datagrams of one handshake that wait to be sent; a flight has some ten.
pub const DTLS_DATAGRAMS_MAX: usize = 64;
/// Bytes of one DTLS record (RFC 6347 section 4.1.1).
pub const DTLS_RECORD_LEN_MAX: usize = 16 * 1024;
/// Messages to one client that wait for its `welcome`.
pub const SIGNALS_BEFORE_WELCOME_MAX: usize = 8;
/// m-lines of an SDP offer: a browser that opened and closed many still stays below.
pub const SDP_SECTIONS_MAX: usize = 64;
/// Bytes of an SDP offer.
pub const SDP_LEN_MAX: usize = 64 * 1024;
/// Candidates in one trickled SDP fragment.
pub const FRAGMENT_CANDIDATES_MAX: usize = 64;
/// How long an HTTP request may take to arrive and be answered.
pub const HTTP_REQUEST_SPAN: Duration = Duration::from_secs(20);
/// How long the control thread may take to answer one command.
pub const HTTP_REPLY_SPAN: Duration = Duration::from_secs(10);
/// How long between two looks at the time while an answer that reads a recording is under way.
pub const EXPIRY_LOOK_SPAN: Duration = Duration::from_secs(1);
/// How long the last bytes of an answer that read a recording may take after its connection was closed.
pub const LAST_BYTES_SPAN: Duration = Duration::from_secs(600);
/// How long HTTP connections may linger after shutdown was asked for.
pub const HTTP_SHUTDOWN_SPAN: Duration = Duration::from_secs(2);
/// How long a client may take to send the head of a request, the next one on the same connection included, and how
/// long a TLS handshake may take.
pub const HTTP_HEAD_SPAN: Duration = Duration::from_secs(10);
/// How long nothing may come of a request's body that has begun.
pub const HTTP_STALL_SPAN: Duration = Duration::from_secs(5);
/// How long a client may take nothing of its answer: players stop reading while they have enough, and ask anew.
pub const HTTP_TAKE_SPAN: Duration = Duration::from_secs(60);
/// How long a connection may stand without a request.
pub const HTTP_IDLE_SPAN: Duration = Duration::from_secs(30);
/// Spacing of looks for connections that stand too long.
pub const HTTP_SWEEP_SPACING: Duration = Duration::from_secs(5);
/// Bytes of a request's head, and of what is read ahead on one connection.
pub const HTTP_HEAD_LEN_MAX: usize = 16 * 1024;
/// Requests on one HTTP/2 connection at once.
pub const HTTP_STREAMS_MAX: u32 = 32;
/// Answers of one connection that are made or wait to be taken, those of live HLS aside, which are no copies.
pub const HTTP_ANSWERS_AT_ONCE: usize = 4;
/// Metrics are rendered anew at most so often.
pub const METRICS_SPACING: Duration = Duration::from_millis(50);
/// Bytes that one HTTP/2 connection may send ahead of what is read.
pub const HTTP_WINDOW_LEN: u32 = 128 * 1024;
/// HTTP connections at once unless the operator asks for another number, as far as the process' descriptors allow.
pub const HTTP_CONNECTIONS: usize = 1024;
/// The most that they may ask for.
pub const HTTP_CONNECTIONS_MAX: usize = 65_536;
/// The fewest, however few descriptors there are.
pub const HTTP_CONNECTIONS_MIN: usize = 8;
/// One of so many connections may be one address's.
pub const HTTP_ADDRESS_SHARE: usize = 4;
/// File descriptors that are never left to HTTP, beside half of all others: threads, sockets, what the node opens as it
/// starts.
pub const DESCRIPTORS_KEPT: usize = 96;
/// Bytes of requests' bodies that may have arrived and not been dealt with, all together.
pub const BODIES_LEN_MAX: usize = 10 * 1024 * 1024;
/// Files of requests decoded at once: sound, pictures, posters.
pub const DECODES_AT_ONCE: usize = 1;
/// Those that wait for their turn.
pub const DECODES_WAITING_MAX: usize = 16;
/// How long the control thread may take to say that it lives.
pub const HEALTH_SPAN: Duration = Duration::from_secs(2);
/// Characters of the shortest token that an operator may set.
pub const TOKEN_LEN_MIN: usize = 16;
/// Of the longest.
pub const TOKEN_LEN_MAX: usize = 256;
/// Bytes of one data-channel message from a client.
pub const SIGNAL_LEN_MAX: usize = 64 * 1024;
/// Messages of one client that are taken each second; what comes faster waits, the newest of each type.
pub const SIGNALS_PER_SECOND: u32 = 20;
/// Messages of one client that are taken at once after a pause.
pub const SIGNALS_BURST: u32 = 64;
/// Bytes for which a message costs as much as one more; a state of the node's is spaced by it too.
pub const SIGNAL_UNIT_LEN: usize = 2048;
/// Bytes of a message that may wait.
pub const SIGNAL_HELD_LEN_MAX: usize = 16 * 1024;
/// How long a room may give up all there is to give up before nobody more is let in: who just came in at once with many
/// others has yet to settle.
pub const STRAIN_ADMITS: Duration = Duration::from_secs(10);
/// Spacing of what is told to one client about one thing: the newest of it, ten times a second at most.
pub const SIGNAL_SPACING: Duration = Duration::from_millis(100);
/// The same of a long state, which is spaced by as many times as it has [`SIGNAL_UNIT_LEN`].
pub const SIGNAL_SPACING_MAX: Duration = Duration::from_secs(1);
/// Bytes said to one client that it has not acknowledged; while there are more, nothing else is said. SCTP looks at
/// all of them again with every packet that goes to this client, media included.
pub const SIGNAL_UNACKNOWLEDGED_MAX: usize = 16 * 1024;
/// Problems that wait to be told to one client.
pub const PROBLEMS_WAITING_MAX: usize = 8;

/// Connections that were answered and do not stand yet. Each costs a DTLS handshake's memory, and neither a place nor a
/// room.
pub const WAITING_MAX: usize = 256;
/// Of those, the ones from one address (of IPv6: from one network of 64 bits).
pub const WAITING_PER_ADDRESS_MAX: usize = 64;
/// How long a connection that does not stand yet keeps its place from others when the list is full.
pub const WAITING_YIELDS_AFTER: Duration = Duration::from_secs(3);
/// Avatars kept for people who do not stand yet.
pub const WAITING_AVATARS_MAX: usize = 16;
/// Trickled fragments of one connection that wait for their answer.
pub const TRICKLES_WAITING_MAX: usize = 16;
/// M-lines of an offer: a participant's has seven.
pub const OFFER_LINES_MAX: usize = 64;

/// Sample rate of all sound inside the node, Hz.
pub const SAMPLE_RATE: u32 = 48_000;
/// Frames (sample pairs) in one `PcmBlock`.
pub const PCM_FRAMES: usize = 960;
/// Values in one `PcmBlock`: stereo.
pub const PCM_SAMPLES: usize = PCM_FRAMES * 2;
/// One audio tick.
pub const AUDIO_TICK: Duration = Duration::from_millis(20);
/// Voices mixed at once, at most; the loudest win.
pub const VOICES_MAX: usize = 12;
/// Mixes-minus at once: each voice's, and for a tick that of each who was one.
pub const MIX_SLOTS: usize = VOICES_MAX * 2;
/// Parts of one tick's mix: voices, and one announcement.
pub const MIX_PARTS_MAX: usize = VOICES_MAX + 1;
/// Voices mixed at once, unless configured otherwise.
pub const VOICES_DEFAULT: usize = 6;

/// Sample rate of G.711, Hz.
pub const TELEPHONE_RATE: u32 = 8_000;
/// Bytes of one incoming G.711 packet: 120 ms, as long as Opus' longest.
pub const G711_LEN_MAX: usize = 960;
/// Bytes of the shortest: 2.5 ms.
pub const G711_LEN_MIN: usize = 20;
/// Plain-RTP legs of one node, each with a UDP port of its own.
pub const LEGS_MAX: usize = 100;
/// How long a leg may send nothing that can be used before it is ended.
pub const LEG_SILENT_SPAN: Duration = Duration::from_secs(30);
/// Spacing of a leg's RTCP reports (RFC 3550 section 6.2: 5 s for a small group).
pub const LEG_REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// Datagrams of one leg that are read before the others get their turn.
pub const LEG_DATAGRAMS_A_TURN: usize = 32;
/// Bytes of a request for a leg.
pub const LEG_REQUEST_LEN_MAX: usize = 4 * 1024;

/// The longest announcement.
pub const ANNOUNCEMENT_SPAN: Duration = Duration::from_secs(30);
/// Bytes of an announcement's file: so long at 48 kHz, 16 bits, stereo, and its headers.
pub const ANNOUNCEMENT_LEN_MAX: usize = 6 * 1024 * 1024;
/// Bytes of one packet of an Ogg file: Opus' own are at most 61,440 (RFC 7845 section 6); a longer one may be a picture
/// among its tags.
pub const OGG_PACKET_LEN_MAX: usize = 1024 * 1024;
/// Every so many ticks of silence one packet is sent, as libopus' DTX does: 400 ms.
pub const DTX_TICKS: u64 = 20;
/// How loud a participant may be made in the mix, per cent.
pub const VOLUME_PERCENT_MAX: u16 = 400;
/// Bytes of a request to moderate.
pub const MODERATION_LEN_MAX: usize = 16 * 1024;

/// RTP clock of video, Hz (RFC 9628 and the AV1 RTP specification, section 6.1).
pub const VIDEO_CLOCK: u32 = 90_000;
/// Widest or highest picture a participant may send.
pub const INGEST_SIDE_MAX: u32 = 8192;
/// Pixels in a picture a participant may send; dav1d's `frame_size_limit`. What AV1's level 5.0 allows (AV1
/// specification, annex A.3): 4K, and screens of 5120×1440.
pub const INGEST_PIXELS_MAX: u32 = 8_912_896;
/// Frames of a track that are kept until its decoder is attached, which takes some milliseconds.
pub const HELD_FRAMES_MAX: usize = 64;
/// Pictures of one track, brought to 8 bits 4:2:0, whose memory is kept for the next ones.
pub const FLAT_PICTURES_MAX: usize = 4;
/// Luma samples of one frame of each track that the node decodes, of all together. A decoder holds some ten frames of
/// them.
pub const DECODE_PIXELS_MAX: u64 = 288 * 1024 * 1024;
/// Bytes that a process of decoders shares with the node for coded frames on their way.
pub const DECODER_RING_LEN: usize = 8 * 1024 * 1024;
/// Bytes of addresses, of which few are ever touched, that it shares for pictures: what [`DECODE_PIXELS_MAX`] may take.
pub const DECODER_ARENA_LEN: usize = 6 * 1024 * 1024 * 1024;
/// Bytes of addresses that such a process may take beside, so that it ends before the machine does.
pub const DECODER_HEAP_LEN_MAX: u64 = 6 * 1024 * 1024 * 1024;
/// Bytes of one message between the node and a process of decoders.
pub const DECODER_MESSAGE_LEN_MAX: usize = 32 * 1024;
/// Such messages that the node reads before it does something else.
pub const DECODER_MESSAGES_AT_ONCE: usize = 64;
/// Coded frames that may be on their way to such a process.
pub const DECODER_FRAMES_MAX: usize = 1024;
/// Pictures that nobody shows any more and that wait to be given back.
pub const DECODER_RETURNS_LEN: usize = 4096;
/// Characters of what such a process says about a frame.
pub const DECODER_WORD_LEN_MAX: usize = 160;
/// How long such a process may be silent about a frame before it is looked at: one that stands still is hung.
pub const DECODER_ANSWER_SPAN: Duration = Duration::from_millis(250);
/// From look to look at one that is silent and runs: if it had the processor for half of that, it is hung.
pub const DECODER_LOOK_SPAN: Duration = Duration::from_millis(100);
/// How long one that waits for the processor, or has only begun, may be silent.
pub const DECODER_STARVED_SPAN: Duration = Duration::from_secs(1);
/// How late the node's own thread may be to blame it for that.
pub const DECODER_LATE_SPAN: Duration = Duration::from_millis(100);
/// How far such a process may be behind before frames wait in their tracks' queues, where there is an order in which
/// they are given up.
pub const DECODER_BEHIND_SPAN: Duration = Duration::from_millis(50);
/// For how long its answers may gather, so that few messages are sent.
pub const DECODER_GATHER_SPAN: Duration = Duration::from_millis(1);
/// How long the first process may take to say that it is ready.
pub const DECODER_START_SPAN: Duration = Duration::from_secs(5);
/// From the start of such a process to the start of the one that takes its place, at least.
pub const DECODER_START_SPACING: Duration = Duration::from_millis(200);
/// Processes that may end over frames of one track within [`DECODER_DEATHS_SPAN`]; then it is decoded no more.
pub const DECODER_DEATHS_MAX: usize = 3;
/// How long such an end counts.
pub const DECODER_DEATHS_SPAN: Duration = Duration::from_secs(60);
/// How long a track is not decoded after its second such end, so that the others have their pictures meanwhile.
pub const DECODER_PAUSE_SPAN: Duration = Duration::from_secs(1);
/// Bytes of one incoming temporal unit.
pub const INGEST_FRAME_LEN_MAX: usize = 2 * 1024 * 1024;

/// Frames a second of one track of pictures, over some seconds; a track that has more is not shown.
pub const INGEST_FPS_MAX: u64 = 75;
/// Pixels a second of one track of pictures, over some seconds: the largest pictures forty times a second, a third more
/// than AV1's level 5.0 has.
pub const INGEST_PIXELS_A_SECOND_MAX: u64 = INGEST_PIXELS_MAX as u64 * 40;
/// Bits a second that any track of pictures may have, over some seconds, however small its tile: what software that
/// cannot be steered sends.
pub const INGEST_BITRATE_MIN: u64 = 10_000_000;
/// Bits a second that no track of pictures may have, over some seconds.
pub const INGEST_BITRATE_MAX: u64 = 40_000_000;
/// How long the frames of temporal layers are counted before fewer or more of them are decoded.
pub const TEMPORAL_WINDOW: Duration = Duration::from_secs(1);
/// How long a sender's bit rate is measured before it is judged.
pub const STEERING_WINDOW: Duration = Duration::from_secs(2);
/// How often a sender is told its limit.
pub const STEERING_SPACING: Duration = Duration::from_secs(1);
/// Bits a second that a limit leaves for sound.
pub const STEERING_SOUND: u32 = 64_000;
/// The lowest limit that is told, bits a second: below it encoders stop instead.
pub const STEERING_MIN: u32 = 150_000;

/// How long a missing video packet may wait for its repair before a keyframe is asked for; as long again, for whichever
/// comes first. Where repairs take their time, longer.
pub const NACK_WAIT: Duration = Duration::from_millis(150);
/// The longest of that.
pub const NACK_WAIT_MAX: Duration = Duration::from_millis(400);
/// How late a packet is at least that came as a repair, not overtaken on its way.
pub const REPAIR_SPAN_MIN: Duration = Duration::from_millis(20);
/// How soon a keyframe that was asked for and did not come is asked for again: the request may be lost, or its answer.
pub const KEYFRAME_RETRY: Duration = Duration::from_millis(300);
/// How often one that came, and was of no use, is followed as soon: what breaks a picture twice or three times in a row
/// (a queue that was full while many joined) is not to take it away for a second.
pub const KEYFRAMES_SOON: usize = 2;
/// Within how long they count as in a row.
pub const KEYFRAME_REST: Duration = Duration::from_secs(4);
/// Packets of one video track that wait for a missing one.
pub const REORDER_PACKETS_MAX: usize = 2048;
/// Packets kept while a track has no keyframe under way: enough for a keyframe whose first packet comes last.
pub const SEEK_PACKETS_MAX: usize = 256;
/// Bytes of one incoming Opus packet: what an unfragmented datagram can carry.
pub const OPUS_LEN_MAX: usize = 1_500;

/// Peer → decode: media time queued for one track.
pub const TRACK_QUEUE_SPAN: Duration = Duration::from_millis(200);
/// Peer → decode: frames queued for one track, whatever their time says.
pub const TRACK_QUEUE_LEN: usize = 64;
/// Peer → mix: packets queued for one track (200 ms of 20 ms packets, and room for 2.5 ms ones).
pub const OPUS_QUEUE_LEN: usize = 80;
/// For how long a scene shows a screen, or none, before its encoders are set up for that: each change is a keyframe.
pub const CONTENT_SETTLE_SPAN: Duration = Duration::from_millis(500);
/// Compose → encode, in ticks.
pub const COMPOSED_QUEUE_LEN: usize = 2;
/// Composed frames at rest in one pool: what the queue to the encoder holds, one being encoded, one being drawn.
pub const RESTING_FRAMES_MAX: usize = COMPOSED_QUEUE_LEN + 2;
/// Ticks a GPU may have in flight: one being read back, one being drawn, one being uploaded.
pub const GPU_TICKS_MAX: usize = 3;
/// Bytes of a device's tables (axes, masks, stills) for one room.
pub const GPU_TABLES_LEN: u64 = 32 << 20;
/// Encode → readers: 2 s at 60 frames/s.
pub const VIDEO_FAN_LEN: usize = 120;
/// Mix → readers: 2 s of 20 ms ticks.
pub const AUDIO_FAN_LEN: usize = 100;
/// Fan → recorder: 8 s, so that a disk may pause.
pub const RECORD_FAN_LEN: usize = 480;
/// Control → room.
pub const COMMANDS_LEN: usize = 256;
/// Net, mix and compose → control.
pub const EVENTS_LEN: usize = 4096;
/// How often one repeated line may be written to the log.
pub const LOG_REPEAT_SPACING: Duration = Duration::from_secs(1);

/// How far a picture and its sound may be apart without anybody noticing (ITU-R BT.1359 puts it at 45 ms early, 125 ms
/// late).
pub const LIP_SYNC_SKEW_MAX: Duration = Duration::from_millis(40);

/// How much slower than its sound a picture's path may be, or the other way round, for their sender reports to be
/// believed.
pub const LIP_SYNC_PATH_MAX: Duration = Duration::from_millis(500);

/// The longest playout delay a jitter buffer may choose.
pub const PLAYOUT_DELAY_MAX: Duration = Duration::from_millis(200);
/// Spacing of keyframe requests to one source, and of keyframes answered on one rung.
pub const KEYFRAME_SPACING: Duration = Duration::from_secs(1);
/// Keyframes on a rung that a recorder reads.
pub const KEYFRAME_INTERVAL: Duration = Duration::from_secs(4);
/// Keyframe requests one viewer may make in a minute.
pub const KEYFRAME_REQUESTS_PER_MINUTE: usize = 6;
/// How soon after its last one a viewer has one more, whose link loses that much: nobody's picture stands still longer.
pub const KEYFRAME_REQUEST_SPAN: Duration = Duration::from_secs(5);
/// How long a tile keeps a source's last picture when nothing new arrives, before its placeholder shows.
pub const SOURCE_STALE_AFTER: Duration = Duration::from_millis(2500);

/// How long a tile goes without anything new from its source before it is marked as stalled.
pub const SOURCE_STALLED_AFTER: Duration = Duration::from_secs(1);
/// Regions of a custom layout: everyone and a screen.
pub const LAYOUT_REGIONS_MAX: usize = PARTICIPANTS_MAX + 1;
/// Bytes of a layout document.
pub const LAYOUT_LEN_MAX: usize = 64 * 1024;
/// The highest `z` of a region.
pub const LAYOUT_Z_MAX: u32 = 1000;
/// Bytes of a banner's or a clock's text.
pub const OVERLAY_TEXT_LEN_MAX: usize = 256;
/// Spacing of the layouts and pages that a room's participants choose.
pub const LAYOUT_SPACING: Duration = Duration::from_millis(200);
/// The longest span of a layout's motion.
pub const MOTION_SPAN_MAX: Duration = Duration::from_secs(5);
/// How often a command for a worker whose mailbox is full is tried again.
pub const MAILBOX_RETRY_SPACING: Duration = Duration::from_millis(2);
/// How long a room that is over may take to finish its encodes and close its recording before nobody waits for it any
/// more.
pub const ROOM_ENDING_SPAN: Duration = Duration::from_secs(12);
/// How long a process that was asked to end may take; Kubernetes kills after 30 s.
pub const STOP_SPAN: Duration = Duration::from_secs(24);
/// How long an encode that nobody watches any more goes on: people come and go, and an encoder takes a while to set up.
pub const RUNG_LINGER: Duration = Duration::from_secs(3);
/// Rungs of a room in each codec: the canvas, its half and its quarter.
pub const RUNGS_MAX: usize = 3;
/// How long a viewer's link has to be clear at most before a larger rung is tried.
pub const RUNG_PATIENCE_MAX: Duration = Duration::from_secs(20);
/// Spacing of looks at what viewers report of their links.
pub const LINK_REPORT_INTERVAL: Duration = Duration::from_millis(200);
/// How long after it stands nothing is concluded from what is reported of a link.
pub const LINK_SETTLE_SPAN: Duration = Duration::from_secs(2);
/// For so long AV1 has to be the right codec at most before a room takes it up again.
pub const CODEC_PATIENCE_MAX: Duration = Duration::from_secs(480);
/// How long a smaller tile must last before its sender is asked for less: a layout that moves does not make encoders
/// start over.
pub const SHRINK_AFTER: Duration = Duration::from_secs(3);
/// The same where it is smaller because somebody came: while many come, all who send more than they need are decoded.
pub const CROWDED_AFTER: Duration = Duration::from_millis(300);
/// How much later each further sender of a room is asked for less: most begin anew with a keyframe, and a hundred of
/// those at once are a tick that nobody sees.
pub const ASKS_APART: Duration = Duration::from_millis(20);
/// Frames a second that are asked of a shared screen at most: it is read, not looked at, so it moves less and shall be
/// sharp.
pub const SCREEN_FPS_MAX: u32 = 15;
/// How often a GPU is asked for the picture it draws.
pub const GPU_POLL_SPACING: Duration = Duration::from_millis(1);
/// How long somebody who left without wanting to be recorded stays hidden: until their tile is gone for certain.
pub const UNRECORDED_LINGER: Duration = Duration::from_secs(6);
/// Spacing of a room's views without those who do not want to be recorded: one for all who said so meanwhile.
pub const VIEW_SPACING: Duration = Duration::from_secs(3);

/// RTP payload bytes of one outgoing packet; with headers and SRTP it stays below a 1,280-byte IPv6 path.
pub const RTP_PAYLOAD_LEN: usize = 1_120;
/// Bits a second of one encoder beyond which a target is a mistake.
pub const ENCODER_BITRATE_MAX: u32 = 100_000_000;
/// Pictures that one temporal unit may show; an encoder shows one, a hostile one may show many (AV1's
/// `show_existing_frame`).
pub const PICTURES_PER_UNIT_MAX: usize = 8;
/// Blocks of one RED payload that are looked at: browsers send two, the format would carry hundreds.
pub const RED_BLOCKS_MAX: usize = 8;
/// Net → net: datagrams that came to another worker's socket than their peer's; those that do not fit are discarded.
pub const STRAYS_LEN: usize = 1_024;
/// Times a stray is handed on while its peer moves.
pub const STRAY_HOPS_MAX: u32 = 2;
/// Net → net: peers that move, and commands that follow them; the sender keeps what does not fit.
pub const PASSES_LEN: usize = 256;
/// Batches of datagrams that a net thread receives before commands, rooms and timers get their turn.
pub const BATCHES_A_ROUND: usize = 8;
/// How long a net thread deals with datagrams, or with commands, before media have their turn: a hundred who join at
/// once must not keep those waiting who are here.
pub const TURN_SPAN: Duration = Duration::from_millis(5);
/// From when on a net thread's round is counted as long: a frame's span at 30 frames a second.
pub const LONG_ROUND: Duration = Duration::from_millis(33);
/// How long a net thread sleeps at most.
pub const IDLE_ROUND: Duration = Duration::from_millis(500);
/// Bytes of one segmented send: the kernel's limit, less headers.
pub const SEND_RUN_LEN_MAX: usize = 60_000;
/// Bytes on their way out that leave before more is written.
pub const SEND_BATCH_LEN: usize = 256 * 1024;
/// Bytes of one UDP datagram that is looked at; longer ones are no media of ours.
pub const DATAGRAM_LEN_MAX: usize = 2_048;
/// Outgoing video packets kept for one viewer's NACKs; payloads are shared.
pub const SEND_BUFFER_PACKETS: usize = 1_000;
/// How long an outgoing video packet is kept for NACKs.
pub const SEND_BUFFER_SPAN: Duration = Duration::from_secs(3);
/// Share of the bytes sent to one viewer that may be retransmissions; beyond it they stop, and a keyframe repairs.
pub const RETRANSMISSION_SHARE_MAX: f32 = 0.5;
/// How long the simulcast layer that is taken may be silent before another one is.
pub const LAYER_SILENT_SPAN: Duration = Duration::from_secs(1);
/// How long a simulcast layer may be silent before another one is asked for a keyframe.
pub const LAYER_DRY_SPAN: Duration = Duration::from_millis(500);
/// Simulcast layers of one track that are told apart; browsers send three.
pub const LAYERS_MAX: usize = 8;
/// How long a video track keeps its codec before a keyframe of another one is taken.
pub const CODEC_SPAN_MIN: Duration = Duration::from_secs(2);
/// SSRCs of one connection that are remembered as sorted.
pub const PEER_SSRCS_MAX: usize = 32;
/// SSRCs that one m-line may be given by their payload type alone; a newer one takes the place of the oldest that is
/// not in use.
pub const LINE_SSRCS_MAX: usize = 4;
/// Addresses one peer may send from; a newer one takes the oldest's place.
pub const PEER_ADDRESSES_MAX: usize = 8;
/// A peer's timer is served at most this often.
pub const TIMER_GRAIN: Duration = Duration::from_millis(1);
/// Spacing of looks at what decoders wish of senders.
pub const WISHES_SPACING: Duration = Duration::from_millis(10);
/// Spacing of RTCP sender reports, by which receivers align picture and sound.
pub const SENDER_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Spacing of what is told of listeners' losses.
pub const LOSS_REPORT_INTERVAL: Duration = Duration::from_secs(2);
/// Times as much as came from an address that may go there before it proved to be the peer's (RFC 9000 section 8.1).
pub const AMPLIFICATION_MAX: u64 = 3;
/// Spacing of requests for that proof.
pub const PROOF_SPACING: Duration = Duration::from_millis(200);
/// How long a connection may take to come up.
pub const CONNECT_SPAN: Duration = Duration::from_secs(15);
/// How long a connection may be silent before it is closed.
pub const DISCONNECTED_SPAN: Duration = Duration::from_secs(10);
/// Frames since the last keyframe that are kept for late joiners.
pub const REPLAY_FRAMES_MAX: usize = 64;
/// Receive buffer asked of the kernel for the media socket, bytes.
pub const UDP_RECEIVE_BUFFER: usize = 8 * 1024 * 1024;
/// Send buffer asked of the kernel for the media socket, bytes.
pub const UDP_SEND_BUFFER: usize = 4 * 1024 * 1024;

/// A recording's fragment: at most this much media is lost to a crash.
pub const FRAGMENT_SPAN: Duration = Duration::from_secs(2);
/// How far sound may run behind the picture before the recorder writes silence in its place, and how long a fragment
/// outlives `FRAGMENT_SPAN` while one track waits for the other.
pub const RECORD_PATIENCE: Duration = Duration::from_millis(500);
/// The longest silence written in the place of sound that was lost, in audio ticks (an hour); beyond it a hole stays.
pub const RECORD_SILENCE_TICKS: u64 = 180_000;
/// Gaps a manifest lists one by one; the others it counts.
pub const RECORD_GAPS_MAX: usize = 1024;
/// Chapters a manifest lists; the others it counts.
pub const RECORD_CHAPTERS_MAX: usize = 512;
/// Changes of one kind closer together than this are one chapter.
pub const RECORD_CHAPTER_SPACING: Duration = Duration::from_secs(5);
/// People whose word is told apart in the chapters of one recording; all further ones count as the last.
pub const RECORD_SPEAKERS_MAX: usize = 256;
/// Stays of people that a manifest lists, by their ids; the others it counts.
pub const RECORD_PEOPLE_MAX: usize = 512;
/// A fragment of a participant's own track: longer than the composite's, for there are many and all cost the store a
/// request.
pub const TRACK_FRAGMENT_SPAN: Duration = Duration::from_secs(8);
/// How far an own track's sound may stand from where the room heard it, so that packets that follow each other touch.
pub const TRACK_SOUND_SLACK: Duration = Duration::from_millis(60);
/// Files of own tracks in one recording; later ones are not recorded.
pub const RECORD_TRACKS_MAX: usize = 1024;
/// Gaps listed of one such file; the others are counted.
pub const TRACK_GAPS_MAX: usize = 64;
/// Jitter buffer → recorder: frames or packets of one own track: 8 s of 60 frames/s, so that a disk or a keeper may
/// pause.
pub const TRACK_FAN_LEN: usize = 480;
/// Bytes kept on disk for a recording's manifest, so that a full disk can still say what the recording lacks.
pub const MANIFEST_RESERVE: usize = 16 * 1024;

/// Ticks that `tessera compose` decodes of one file before the next one's turn.
pub const RECOMPOSE_WINDOW_TICKS: u64 = 10;
/// Bytes of decoded pictures that `tessera compose` holds; large pictures make its windows shorter, down to one tick.
pub const RECOMPOSE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of its result that are written at once.
pub const RECOMPOSE_WRITE_LEN: usize = 256 * 1024;
/// Characters of one drawn line (a name, a banner, a clock); more are not even looked at.
pub const LINE_CHARS_MAX: usize = 160;
/// Font families kept of those installed.
pub const FONT_FACES_MAX: usize = 256;
/// Stills one compositor keeps drawn: each person's portrait, mark and label with every mark, and as many from a layout
/// before.
pub const STILLS_MAX: usize = PARTICIPANTS_MAX * 10;
/// Bytes of all of these.
pub const STILLS_LEN_MAX: usize = 96 * 1024 * 1024;
/// Stills drawn in one tick (some 0.3 ms each); the others wait for the next, so that no tick is late when a hundred
/// names appear.
pub const INK_STILLS_A_TICK: usize = 8;
/// Pixels of these, and of a background that changes: a canvas of 1920×1080 takes eight ticks, so that it makes none
/// late.
pub const INK_PIXELS_A_TICK: usize = 256 * 1024;
/// Masks of shapes that one canvas keeps; one whose tiles change size all the time costs time, not memory.
pub const SHAPE_MASKS_MAX: usize = 512;
/// Pairs of extents whose weights a scaler keeps; a source that changes its size all the time costs time, not memory.
pub const SCALE_AXES_MAX: usize = 1024;
/// Bytes of an uploaded picture.
pub const PICTURE_LEN_MAX: usize = 8 * 1024 * 1024;
/// Pixels of an uploaded picture, which is read row by row.
pub const PICTURE_PIXELS_MAX: u64 = 16_000_000;
/// Of a JPEG, whose samples are all held at three bytes a pixel: what cameras of twelve megapixels make.
pub const PICTURE_JPEG_PIXELS_MAX: u64 = 12_600_000;
/// Of a picture that has to be held whole while it is put together: a progressive JPEG, an interlaced PNG.
pub const PICTURE_WHOLE_PIXELS_MAX: u64 = 6_000_000;
/// Widest or highest an uploaded picture may be.
pub const PICTURE_SIDE_MAX: u32 = 16_384;
/// Bytes that reading a PNG may take beside its pixels.
pub const PICTURE_DECODE_LEN_MAX: usize = 16 * 1024 * 1024;
/// Side of a kept avatar.
pub const AVATAR_SIDE_MAX: u32 = 512;
/// Bytes of the shortest token that opens every recording; a random one of the node's own has 128 bits.
pub const RECORDINGS_TOKEN_LEN_MIN: usize = 16;
/// Ticks that a voice with an empty jitter buffer is concealed; libopus has faded to silence by then.
pub const CONCEAL_TICKS_MAX: u32 = 5;
/// Ticks of comfort noise after a DTX packet: senders repeat one every 400 ms.
pub const COMFORT_TICKS_MAX: u32 = 25;
/// A hole in a voice's timestamps longer than this is a pause or a jump, not a loss: 1 s.
pub const HOLE_SAMPLES_MAX: u64 = SAMPLE_RATE as u64;
/// RFC 3550 appendix A.1: a sequence number further off than this begins a new source.
pub const SEQUENCE_JUMP_MAX: u64 = 3_000;
/// So many packets behind the playing position in a row mean that the source restarted.
pub const BEHIND_PACKETS_MAX: u32 = 10;
/// The shortest pitch period by which a voice is stretched: 2.5 ms, a voice of 400 Hz. In sample pairs.
pub const STRETCH_FRAMES_MIN: usize = 120;
/// The longest: 15 ms, a voice of 67 Hz; so much one call changes the length at most. In sample pairs.
pub const STRETCH_FRAMES_MAX: usize = 720;
/// Bytes of an MP4 file's `moov` or `moof`: an hour-long index of 100 tracks stays far below.
pub const MP4_INDEX_LEN_MAX: u64 = 64 * 1024 * 1024;
/// Samples in one MP4 movie's tables: 37 hours at 30 a second.
pub const MP4_SAMPLES_MAX: usize = 4_000_000;
/// Bytes of what a Matroska file says of its tracks.
pub const MATROSKA_HEAD_LEN_MAX: usize = 4 * 1024 * 1024;
/// Bytes of one block of it, all frames and what goes with them.
pub const MATROSKA_BLOCK_LEN_MAX: usize = 16 * 1024 * 1024;
/// Keyframes in the index at the end of an MP4: 46 days at one every 4 s.
pub const RANDOM_ACCESS_MAX: usize = 1_000_000;
/// Bytes of a line of parameters in a YUV4MPEG2 file.
pub const Y4M_LINE_LEN_MAX: u64 = 1024;

const _: () = assert!(PCM_FRAMES as u128 * 1_000_000_000 == SAMPLE_RATE as u128 * AUDIO_TICK.as_nanos());
const _: () = assert!(SAMPLE_RATE.is_multiple_of(TELEPHONE_RATE) && G711_LEN_MIN < G711_LEN_MAX);
const _: () = assert!(SPEECH_SAMPLES as u128 == SPEECH_RATE as u128 * AUDIO_TICK.as_millis() / 1000);
const _: () = assert!(SPEECH_WAITING_MAX == VOICES_MAX * 100);
const _: () = assert!(VOICES_DEFAULT <= VOICES_MAX && VOICES_MAX < PARTICIPANTS_MAX);
const _: () = assert!(PLAYOUT_DELAY_MAX.as_nanos() <= TRACK_QUEUE_SPAN.as_nanos());
const _: () = assert!(DECODER_RING_LEN >= 2 * INGEST_FRAME_LEN_MAX);
const _: () = assert!(INGEST_PIXELS_MAX <= INGEST_SIDE_MAX * INGEST_SIDE_MAX);
const _: () = assert!(SEEK_PACKETS_MAX <= REORDER_PACKETS_MAX);
const _: () = assert!(NACK_WAIT_MAX.as_nanos() * 2 < KEYFRAME_SPACING.as_nanos());
const _: () = assert!(KEYFRAME_RETRY.as_nanos() < KEYFRAME_SPACING.as_nanos());
const _: () = assert!(RECORD_FAN_LEN >= VIDEO_FAN_LEN && RECORD_FAN_LEN >= AUDIO_FAN_LEN);
const _: () = assert!(RECORD_PATIENCE.as_nanos() < FRAGMENT_SPAN.as_nanos());
const _: () = assert!(ANNOUNCEMENT_LEN_MAX as u64 > ANNOUNCEMENT_SPAN.as_secs() * SAMPLE_RATE as u64 * 4);
const _: () = assert!(SDP_LEN_MAX >= SIGNAL_LEN_MAX);
const _: () = assert!(RELAY_LEN_MAX > SDP_LEN_MAX * 2);
const _: () = assert!((VIEWERS_HERE_MAX as usize) < VIEWERS_MAX && RELAYS_PER_ROOM_MAX == VIEWERS_MAX);
const _: () = assert!(SOURCE_STALLED_AFTER.as_nanos() < SOURCE_STALE_AFTER.as_nanos());
const _: () = assert!(UNRECORDED_LINGER.as_nanos() > MOTION_SPAN_MAX.as_nanos());
const _: () = assert!(LAYOUT_LEN_MAX <= SIGNAL_LEN_MAX);
const _: () = assert!(MIX_PARTS_MAX <= MIX_SLOTS);
const _: () = assert!(RESTING_FRAMES_MAX > COMPOSED_QUEUE_LEN);
const _: () = assert!(HTTP_SHUTDOWN_SPAN.as_nanos() < HTTP_REPLY_SPAN.as_nanos());
const _: () = assert!(
    (HTTP_SHUTDOWN_SPAN.as_nanos() + WEBHOOK_FLUSH_SPAN.as_nanos() + TRACE_FLUSH_SPAN.as_nanos()) * 2
        < STOP_SPAN.as_nanos()
);
const _: () = assert!(HTTP_REPLY_SPAN.as_nanos() < HTTP_REQUEST_SPAN.as_nanos());
const _: () = assert!(HTTP_STALL_SPAN.as_nanos() < HTTP_REQUEST_SPAN.as_nanos());
const _: () = assert!(BODIES_LEN_MAX >= PICTURE_LEN_MAX && BODIES_LEN_MAX >= ANNOUNCEMENT_LEN_MAX);
const _: () = assert!(HTTP_CONNECTIONS_MIN > HTTP_ADDRESS_SHARE);
const _: () = assert!(HLS_SEGMENT_SPAN.as_nanos() == KEYFRAME_INTERVAL.as_nanos());
const _: () = assert!(HLS_SEGMENT_SPAN.as_millis().is_multiple_of(HLS_PART_SPAN.as_millis()));
const _: () = assert!(HLS_PART_SPAN.as_millis().is_multiple_of(AUDIO_TICK.as_millis()));
const _: () = assert!(HLS_BLOCK_SPAN.as_nanos() == 3 * HLS_SEGMENT_SPAN.as_nanos());
const _: () = assert!(HLS_BLOCK_SPAN.as_nanos() < HTTP_REQUEST_SPAN.as_nanos());
const _: () = assert!(HLS_IDLE_SPAN.as_nanos() > HLS_BLOCK_SPAN.as_nanos());
const _: () = assert!(HLS_START_SPAN.as_nanos() > 2 * HLS_SEGMENT_SPAN.as_nanos() + HLS_PATIENCE_SPAN.as_nanos());
const _: () = assert!(HLS_START_SPAN.as_nanos() < HLS_BLOCK_SPAN.as_nanos());
const _: () = assert!(STILLS_MAX > PARTICIPANTS_MAX * 5);
const _: () = assert!(HOUR_KEYS_MAX as u64 * 3600 == RETENTION.as_secs());
const _: () = assert!(RETENTION_MIN.as_secs() >= 2 * 3600 && RETENTION_MIN.as_secs() < RETENTION.as_secs());
const _: () = assert!(CLOCK_BELIEVED_AFTER.as_secs().is_multiple_of(CLOCK_ALLOWANCE.as_secs()));
const _: () = assert!(UPLOAD_RESERVE < UPLOAD_QUEUE_LEN);
// While a recording's keepers are asked, what it reads waits.
const _: () = assert!(TRACK_FAN_LEN as u128 / 60 * 1000 > KEEPERS_BEGIN_SPAN.as_millis());
const _: () = assert!(RECORD_FAN_LEN as u128 / 60 * 1000 > KEEPERS_BEGIN_SPAN.as_millis());
// A store that hangs has had its last object go to the spool before the recording is given up.
const _: () = assert!(RECORDING_CLOSE_SPAN.as_millis() > KEEPERS_BEGIN_SPAN.as_millis() + UPLOAD_PATIENCE.as_millis());
// A call that ends while everybody sends camera and microphone: of each the last fragment and the head.
const _: () = assert!(UPLOAD_TRACKS_BYTES / UPLOAD_TRACK_BYTES_MIN >= 4 * PARTICIPANTS_MAX);
const _: () = assert!(KEEPERS_BEGIN_SPAN.as_millis() > 2 * KEEPER_ANSWER_SPAN.as_millis());
const _: () = assert!(KEEPERS_AGREEING * 2 > KEEPERS);
const _: () = assert!(HAND_OVER_PIECE_LEN >= 5 * 1024 * 1024 && HAND_OVER_PIECE_LEN.is_multiple_of(4 * 1024 * 1024));
const _: () = assert!(HAND_OVERS_AT_ONCE < HAND_OVERS_KNOWN_MAX);
