//! **The question:** can rooms be watched by HLS, for how long back, and from whose pages?

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::config::value::Within;
use crate::base::limits;

/// `[hls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hls {
    /// Whether rooms can be watched by HLS.
    pub enabled: bool,
    /// Whether the first rung is packaged even while nobody watches.
    pub always: bool,
    /// Whether all rungs of a codec are packaged while one of them is watched.
    pub all_rungs: bool,
    /// How far back viewers may go.
    pub window_seconds: Within<{ limits::HLS_WINDOW_SECONDS_MIN }, { limits::HLS_WINDOW_SECONDS_MAX }>,
    /// Memory for one rung, MiB; where that is too little for the window, it is shorter.
    pub window_mib: Within<1, { limits::HLS_WINDOW_MIB_MAX }>,
    /// Whether pages of any origin may read it.
    pub any_origin: bool,
    /// Whether it is watched without an access token where everything else takes one.
    pub open: bool,
}

impl Hls {
    /// How far back viewers may go.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds.get().into())
    }

    /// Bytes for one rung.
    #[must_use]
    pub fn len_max(&self) -> usize {
        self.window_mib.get() as usize * 1024 * 1024
    }
}

impl Default for Hls {
    fn default() -> Self {
        let (window_seconds, window_mib) = (Within(60), Within(64));
        Self {
            enabled: true,
            always: false,
            all_rungs: true,
            window_seconds,
            window_mib,
            any_origin: false,
            open: false,
        }
    }
}
