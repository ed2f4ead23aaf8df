//! **The question:** how does a node that relays a room speak with the one that has it? By signed requests of JSON, on
//! the runtime's own threads; nobody waits for them.

use reqwest::StatusCode;
use tokio::time::timeout;

use crate::base::limits;
use crate::core::fleet::{RelayAnswer, RelayWord};
use crate::io::egress;
use crate::io::fleet::mover::Mover;

/// Where a node answers those who relay its rooms.
pub const RELAY_PATH: &str = "/v1/fleet/relays";

/// Why a relay gets no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The room is not there, or no longer.
    #[error("the room is not there")]
    Gone,
    /// It does not let itself be relayed here.
    #[error("it refuses with status {0}: 403 means another [fleet] secret_file or clock there, 409 its region")]
    Refused(u16),
    /// Nothing is answered, or nothing of use.
    #[error("it does not answer: {0}")]
    Silent(String),
}

/// Asks nodes that have rooms; clones are the same.
#[derive(Clone)]
pub struct Relayer(Mover);

impl Relayer {
    /// One that asks as `mover` does.
    #[must_use]
    pub const fn new(mover: Mover) -> Self {
        Self(mover)
    }

    /// Says a word to the node at `url`; `then` hears the answer, on a thread of the runtime.
    pub fn ask(
        &self,
        url: String,
        word: RelayWord,
        then: impl FnOnce(Result<RelayAnswer, RelayError>) + Send + 'static,
    ) {
        let relayer = self.clone();
        self.0.runtime().spawn(async move { then(relayer.answer(&url, &word).await) });
    }

    /// Tells the node at `url` that a connection is let go.
    pub fn hang_up(&self, url: &str, location: &str) {
        let (relayer, whole) = (self.clone(), format!("{url}{location}"));
        self.0.runtime().spawn(async move {
            if let Ok(client) = relayer.0.client() {
                // It would notice by itself, later.
                let _ = timeout(limits::RELAY_CALL_SPAN, client.delete(whole).send()).await;
            }
        });
    }

    async fn answer(&self, url: &str, word: &RelayWord) -> Result<RelayAnswer, RelayError> {
        let body = serde_json::to_vec(word).expect("texts and numbers are JSON");
        let asked = self.0.post(format!("{url}{RELAY_PATH}"), body, limits::RELAY_CALL_SPAN).await;
        let mut response = asked.map_err(RelayError::Silent)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(RelayError::Gone),
            status => return Err(RelayError::Refused(status.as_u16())),
        }
        let read = timeout(limits::RELAY_CALL_SPAN, egress::body(&mut response, limits::RELAY_LEN_MAX)).await;
        let unread = || RelayError::Silent("what it answers cannot be read".into());
        let (bytes, is_all) = read.map_err(|_| unread())?.map_err(|_| unread())?;
        if !is_all {
            return Err(unread());
        }
        serde_json::from_slice(&bytes).map_err(|_| unread())
    }
}
