//! **The question:** which parts, segments and playlists does a live stream have? HTTP Live Streaming at low latency
//! (RFC 8216bis), as values and as text: pictures and sound go in, parts on a grid that all rungs of a room share come
//! out, and every decision of a server about them is made here. Nothing here reads a clock.
//!
//! Doors: [`LiveMuxer`] (frames → parts), [`Window`] (what of them can be asked for), [`media_playlist`] and
//! [`multivariant_playlist`] (what players read), [`Reload`] (when a request is answered), [`Asked`] (which piece a
//! name means), [`CaptionWindow`] (what was said, as WebVTT), [`PlaylistChecker`] (whether playlists keep the rules).

mod captions;
mod checker;
mod grid;
mod listed;
mod multivariant;
mod muxer;
mod names;
mod playlist;
mod reload;
#[cfg(test)]
mod tests;
mod window;

pub use captions::{AskedCaptions, CaptionWindow, CaptionsRendition};
pub use checker::{AskedPlaylist, News, PlaylistChecker};
pub use grid::{PARTS_PER_SEGMENT, PartId};
pub use multivariant::{Variant, multivariant_playlist};
pub use muxer::{Init, LiveMuxer, MadePart};
pub use names::Asked;
pub use playlist::{MediaPlaylist, Report, media_playlist};
pub use reload::{Reload, Wanted};
pub use window::{Part, Segment, Window, WindowSetup};
