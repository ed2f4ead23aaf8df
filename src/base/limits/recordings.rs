//! Bounds of recordings: retention, keepers, uploads, spool, hand-over.

use std::time::Duration;

/// How long a recording is kept at most, from its start to its expiry. Configuration can shorten it; nothing lengthens
/// it.
pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
/// The shortest a recording may be kept: rounded down to the hour, an hour of it remains.
pub const RETENTION_MIN: Duration = Duration::from_secs(2 * 3600);
/// Hours of which a keeper may hold a key at one time: those that come within `RETENTION`.
pub const HOUR_KEYS_MAX: usize = 168;
/// Places for hour keys in a keeper's file: keys whose hour has passed by a clock that is not certain yet lie beside
/// those that are made meanwhile.
pub const HOUR_SLOTS: usize = 2 * HOUR_KEYS_MAX;
/// Recordings erased early whose hour has not come, for one keeper; beyond it erasing is refused and the caller told.
pub const DENIED_MAX: usize = 65_536;
/// Lines of a keeper's audit log that wait to be stored before it makes no more keys; keys are destroyed all the same.
pub const AUDIT_PENDING_MAX: usize = 1024;
/// Bytes of what a line of an audit log tells, its time included.
pub const AUDIT_EVENT_LEN_MAX: usize = 64;
/// Findings of a check of copies that are told one by one; all are counted.
pub const FINDINGS_TOLD_MAX: usize = 100;
/// How often a keeper that does not answer is asked for a recording before a check of keepers goes on without it.
pub const KEEPER_ASKS_TO_JUDGE: usize = 3;
/// Places of a file that may be keys or not, of which a check of copies tries so many.
pub const GUESSED_KEYS_MAX: usize = 65_536;
/// How far a wall clock may lead a keeper's own time and never be in doubt. How far it may step ahead while the machine
/// runs and still count as steady; that refills over `CLOCK_BELIEVED_AFTER`. How far what a node refuses by may lead
/// what two keepers refuse by before its operator is told.
pub const CLOCK_ALLOWANCE: Duration = Duration::from_secs(5 * 60);
/// For how much uptime, added up over boots, a clock that nothing else confirms has to go on as a clock does before
/// keys are destroyed for its sake.
pub const CLOCK_BELIEVED_AFTER: Duration = Duration::from_secs(24 * 3600);
/// For how much uptime a clock that leads and is not synchronised may be in doubt, and how long other keepers are
/// waited for: long enough for a network to come up and for NTP.
pub const CLOCK_DOUBTED_SPAN: Duration = Duration::from_secs(10 * 60);
/// How far a keeper's time may run ahead of what its file says.
pub const KEEPER_SAVED_EVERY: Duration = Duration::from_secs(60);
/// Lines that a keeper answers on at one time; beyond it lines are closed unheard.
pub const KEEPER_LINES_MAX: usize = 64;
/// How long a line may take to show its certificate, or to take an answer.
pub const KEEPER_GREETING_SPAN: Duration = Duration::from_secs(5);
/// How long a line may be silent before a keeper closes it; nodes ask every second.
pub const KEEPER_IDLE_SPAN: Duration = Duration::from_secs(60);
/// How long a keeper may take to answer, connecting included.
pub const KEEPER_ANSWER_SPAN: Duration = Duration::from_secs(1);
/// How long the beginning of a recording waits for keepers, an hour's boundary included.
pub const KEEPERS_BEGIN_SPAN: Duration = Duration::from_secs(3);
/// Keepers of a node that has several.
pub const KEEPERS: usize = 3;
/// Keepers that have to agree.
pub const KEEPERS_AGREEING: usize = 2;
/// How long another keeper's word about the time is good.
pub const WITNESS_SPAN: Duration = Duration::from_secs(10);
/// Spacing of tries to add the wraps that a keeper missed.
pub const MEND_EVERY: Duration = Duration::from_secs(10);
/// The widest spacing of them, while some cannot be added: doubled from `MEND_EVERY`.
pub const MEND_EVERY_MAX: Duration = Duration::from_secs(300);

/// Fan → vault: sealed objects of one recording that wait for the store: two minutes of it; then it has a gap.
pub const UPLOAD_QUEUE_LEN: usize = 64;
/// Places of that queue that are kept for what closes a recording.
pub const UPLOAD_RESERVE: usize = 8;
/// Fan → vault: sealed bytes of one recording's own tracks that wait for the store beside that queue.
pub const UPLOAD_TRACKS_BYTES: usize = 64 * 1024 * 1024;
/// What the smallest object of an own track counts there, so that objects are bounded too: 1,024 of them.
pub const UPLOAD_TRACK_BYTES_MIN: usize = 64 * 1024;
/// How long a failed try to store an object waits for the next one; doubles up to `UPLOAD_RETRY_MAX`.
pub const UPLOAD_RETRY: Duration = Duration::from_millis(200);
/// The longest wait between two tries.
pub const UPLOAD_RETRY_MAX: Duration = Duration::from_secs(10);
/// How long the store may take for an object before it waits in the spool.
pub const UPLOAD_PATIENCE: Duration = Duration::from_secs(5);
/// Objects that wait in the spool at most, whatever their length.
pub const SPOOL_OBJECTS_MAX: usize = 1_000_000;
/// How many of them are looked through for recordings that may go on.
pub const SPOOL_LOOK_AHEAD: usize = 4096;
/// Recordings whose objects leave the spool side by side.
pub const SPOOL_STORED_AT_ONCE: usize = 16;
/// How long a recording that ended may take to close: its keepers' answer, its disk, and its last object stored or in
/// the spool. Then it is told as it stands; what waits is tried on while the node runs. Nobody waits meanwhile, but for
/// a node that ends.
pub const RECORDING_CLOSE_SPAN: Duration = Duration::from_secs(10);
/// How long before a recording goes on as another one the keepers are asked for that one's key.
pub const RECORDING_ROLL_AHEAD: Duration = Duration::from_secs(60);
/// Spacing of these asks while keepers refuse.
pub const RECORDING_ROLL_RETRY: Duration = Duration::from_secs(10);
/// Spans of a recording that its hour is away, at least, while it goes on because keepers grant no key for its next
/// part.
pub const RECORDING_SPANS_LEFT: u32 = 2;
/// Parts of one recording whose last objects are on their way at once; the end of further ones is not told.
pub const RECORDING_PARTS_CLOSING_MAX: usize = 4;
/// Control → recording: events that wait while it waits for its keepers or its disk; later ones begin no chapter.
pub const RECORD_EVENTS_WAITING_MAX: usize = 256;
/// Spacing of sweeps of expired objects.
pub const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Objects under one folder of the vault that are listed whole; what is deleted may be more.
pub const LISTED_OBJECTS_MAX: usize = 1_000_000;
/// Objects to be deleted whose names are held at one time.
pub const SWEEP_LISTED_AT_ONCE: usize = 4096;
/// Objects that are deleted side by side.
pub const SWEEP_AT_ONCE: usize = 16;
/// Recordings in one answer.
pub const RECORDINGS_LISTED_MAX: usize = 1_000;
/// Bytes of a recording given out between two looks at the time.
pub const READ_PIECE_LEN: usize = 64 * 1024;
/// Width of a recording's poster, pixels; its height follows the picture's shape.
pub const POSTER_WIDTH: u32 = 640;
/// The longest that a signed link to a recording lives: a player's evening.
pub const LINK_SPAN_MAX: Duration = Duration::from_secs(12 * 3600);

/// Bytes of a recording that are handed over in one request, where a host takes it in pieces: at least the 5 MiB that
/// S3 asks for, and whole blocks of Dropbox's checksum. Longer files have longer pieces, so that they are at most
/// `HAND_OVER_PIECES_MAX`.
pub const HAND_OVER_PIECE_LEN: usize = 8 * 1024 * 1024;
/// Pieces of one file: S3's bound.
pub const HAND_OVER_PIECES_MAX: u64 = 10_000;
/// Tries to hand one file over, each from its beginning.
pub const HAND_OVER_TRIES: u32 = 5;
/// How long a failed try waits for the next one; doubles up to `HAND_OVER_RETRY_MAX`.
pub const HAND_OVER_RETRY: Duration = Duration::from_millis(500);
/// The longest wait between two tries.
pub const HAND_OVER_RETRY_MAX: Duration = Duration::from_secs(30);
/// How long a host may take nothing and give nothing before a try has failed.
pub const HAND_OVER_STALL: Duration = Duration::from_secs(60);
/// How long one piece may take, or a host's last word on a file: some put it together or scan it first.
pub const HAND_OVER_PIECE_SPAN: Duration = Duration::from_secs(10 * 60);
/// How long clearing away what a failed try left may take.
pub const HAND_OVER_CLEAR_SPAN: Duration = Duration::from_secs(10);
/// When what a failed hand-over may have left is cleared away once more: a request that was cut off may still arrive.
pub const HAND_OVER_CLEAR_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Bytes of a host's answer that are looked at.
pub const HAND_OVER_ANSWER_LEN_MAX: usize = 64 * 1024;
/// Recordings that a node hands over at one time.
pub const HAND_OVERS_AT_ONCE: usize = 2;
/// Recordings of which a node knows how their hand-over goes or went; beyond it the oldest that ended is forgotten.
pub const HAND_OVERS_KNOWN_MAX: usize = 1024;
/// Spacing of looks for recordings that are final, where all are handed over.
pub const HAND_OVER_LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long a recording that could not be handed over waits until it is tried again by itself.
pub const HAND_OVER_AGAIN_AFTER: Duration = Duration::from_secs(15 * 60);
