//! **The question:** how do a call's frames become the bytes of its recording? A pure core: frames in; pieces of
//! fragmented MP4 and a manifest that says what is missing out.
//!
//! Doors: [`Recorder`] (`handle`, `deadline`, `stats`), [`Manifest`], [`Object`] (the sealed recording's objects, their
//! names and what each is bound to; `retention/` seals them, `store/` keeps them), [`TrackRecorder`] (one participant's
//! own track), [`media_playlist`] (a finished one, for HLS players).
//!
//! A take is one file: one init segment, then fragments of at most `limits::FRAGMENT_SPAN` with both tracks, each whole
//! by itself, so that the file plays at every moment. Its time zero is its first keyframe. Sound has no hole: what is
//! missing becomes silence; a picture that is missing is one whose predecessor is shown for longer.

mod captions;
mod chapters;
mod gap;
mod manifest;
mod object;
mod playlist;
mod presence;
mod recorder;
mod take;
mod track;
mod track_entry;
mod webvtt;

pub use captions::{RecordedCaption, SpokenLine, captions_vtt};
pub use chapters::{Chapter, ChapterKind, chapters_vtt};
pub use gap::{Gap, GapReason, GapTrack};
pub use manifest::{Manifest, RecordingState, TakeEntry, utc_ms_text, utc_text};
pub use object::{Contents, Hdr, Object, ROOT, RecordedFile, SegmentEntry, folder};
pub use playlist::{PlaylistPart, Rendition, captions_playlist, media_playlist, multivariant_playlist};
pub use presence::Presence;
pub use recorder::{Event, Input, Output, Piece, PieceKind, Recorder, Setup, Span, Stats};
pub use track::{TrackInput, TrackOutput, TrackRecorder, TrackSetup};
pub use track_entry::TrackEntry;
pub use webvtt::write_cue;
