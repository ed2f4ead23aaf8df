//! Bounds of who waits to be let in, and of bans.

use std::time::Duration;

/// People who wait for one room: more than a host could look at.
pub const LOBBY_MAX: usize = 64;
/// Of those who show no token, as many of one address: a family's, or a classroom's.
pub const LOBBY_PER_ADDRESS_MAX: usize = 16;
/// Rooms of a node for which somebody waits.
pub const LOBBIES_MAX: usize = 256;
/// After how long somebody who waits asks again; they are told so.
pub const LOBBY_ASK_SPACING: Duration = Duration::from_secs(3);
/// After how long somebody who does not ask again is gone.
pub const LOBBY_SILENT_SPAN: Duration = Duration::from_secs(20);
/// How long somebody waits at most, whoever is there to let them in.
pub const LOBBY_SPAN: Duration = Duration::from_secs(10 * 60);
/// How long a host's leave holds for somebody who does not ask again.
pub const LOBBY_ADMITTED_SPAN: Duration = Duration::from_secs(60);
/// How long somebody whom a host refused is refused without a host's seeing them again.
pub const LOBBY_REFUSED_SPAN: Duration = Duration::from_secs(60);
/// People whom hosts of one room banned.
pub const BANS_MAX: usize = 1_024;

const _: () = assert!(LOBBY_ASK_SPACING.as_secs() * 4 < LOBBY_SILENT_SPAN.as_secs());
const _: () = assert!(LOBBY_PER_ADDRESS_MAX < LOBBY_MAX);
