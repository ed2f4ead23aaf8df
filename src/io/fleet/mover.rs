//! **The question:** how does a room that runs get to another node? That one is asked whether it takes it, etcd that it
//! be there from now on, and then it is given what the room takes along. Until it has that, the room can be taken
//! back: one of both happens, however long it takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use reqwest::{Client, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use crate::base::limits;
use crate::base::media::{RoomId, Wallclock};
use crate::core::fleet::{Fence, Label, Nowhere, Stays};
use crate::core::handover::Baggage;
use crate::io::egress::{Trouble, client};
use crate::io::fleet::placement::{Placement, Unmoved};
use crate::io::fleet::trust::Trust;

/// Where a node takes rooms that others hand over.
pub const MOVE_PATH: &str = "/v1/fleet/rooms";
/// What says who signed a request: the header's name.
pub const SIGNATURE: &str = "tessera-signature";

/// What one node says to another about a room.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum MoveWord {
    /// Whether it would take one.
    Ask {
        /// Which.
        room: RoomId,
    },
    /// It is yours from now on.
    Take {
        /// By this it is told from any before.
        fence: i64,
        /// What it takes along.
        baggage: Box<Baggage>,
    },
}

/// Where a room went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The node.
    pub node: Label,
    /// Where that one is reached, without a slash at its end.
    pub url: String,
    /// By which it has the room.
    pub fence: Fence,
}

/// Why a room stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// No node has a place for it.
    #[error("{}", nowhere(*.0))]
    Nowhere(Nowhere),
    /// A node that should take it says nothing.
    #[error(
        "node {node} does not answer ({why}): see whether it lives, and is reached from here at what it advertises, by \
         a certificate that this machine trusts"
    )]
    Silent {
        /// Which.
        node: Label,
        /// What happened on the way.
        why: String,
    },
    /// It does not take it.
    #[error("node {node} refuses it with status {status}: 403 means another [fleet] secret_file or clock there")]
    Refused {
        /// Which.
        node: Label,
        /// What it answered.
        status: u16,
    },
    /// Etcd does not answer.
    #[error("etcd does not answer")]
    Away,
    /// Others changed what it was decided by each time.
    #[error("others were faster each time")]
    Conflict,
    /// Another node has it by now.
    #[error("another node has it")]
    Lost,
    /// It was not to go any more.
    #[error("the drain was revoked")]
    Revoked,
}

fn nowhere(why: Nowhere) -> &'static str {
    match why {
        Nowhere::Full => "no other node has room for it: add machines, or wait",
        Nowhere::Draining => "every other node goes down",
        Nowhere::Region => "no other node stands in its region",
        Nowhere::Empty => "there is no other node",
    }
}

impl From<Unmoved> for MoveError {
    fn from(why: Unmoved) -> Self {
        match why {
            Unmoved::Stays(Stays::Lost) => Self::Lost,
            Unmoved::Stays(Stays::Nowhere(why)) => Self::Nowhere(why),
            Unmoved::Conflict => Self::Conflict,
            Unmoved::Away => Self::Away,
        }
    }
}

/// Moves rooms; clones are the same.
#[derive(Clone)]
pub struct Mover {
    runtime: Handle,
    placement: Placement,
    trust: Option<Trust>,
    /// Made with the first move: to read the system's certificates takes a while.
    client: Arc<OnceLock<Result<Client, String>>>,
}

impl Mover {
    /// One that asks on `runtime`. Without what nodes know each other by, or alone, no room moves.
    #[must_use]
    pub fn new(runtime: Handle, placement: Placement, trust: Option<Trust>) -> Self {
        Self { runtime, placement, trust, client: Arc::default() }
    }

    /// Who says where rooms are.
    #[must_use]
    pub const fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Whether rooms can go to other nodes.
    #[must_use]
    pub fn is_able(&self) -> bool {
        self.trust.is_some() && !self.placement.is_alone()
    }

    /// What lets people in at the room's new node, where tokens are asked for.
    #[must_use]
    pub fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// Finds a node for `room` that says it takes it, and has etcd give it the room; `then` hears which, on a thread of
    /// the runtime. Until etcd is asked, `revoked` calls it off.
    pub fn place(
        &self,
        room: RoomId,
        revoked: Arc<AtomicBool>,
        then: impl FnOnce(Result<Destination, MoveError>) + Send + 'static,
    ) {
        let mover = self.clone();
        self.runtime.spawn(async move { then(mover.find(&room, &revoked).await) });
    }

    async fn find(&self, room: &RoomId, revoked: &AtomicBool) -> Result<Destination, MoveError> {
        let (node, url) = self.placement.successor(room).map_err(MoveError::Nowhere)?;
        self.say(&node, &url, &MoveWord::Ask { room: room.clone() }).await?;
        if revoked.load(Ordering::Acquire) {
            return Err(MoveError::Revoked);
        }
        let fence = self.placement.shift(room, None, &node).await?;
        Ok(Destination { node, url, fence })
    }

    /// Gives a room that etcd gave to another node what it takes along; `then` hears that it is there, or that it came
    /// back. It ends with one of both, however long a node or etcd says nothing: meanwhile the room runs here.
    pub fn hand_over(
        &self,
        to: Destination,
        baggage: Baggage,
        then: impl FnOnce(Result<Destination, MoveError>) + Send + 'static,
    ) {
        let mover = self.clone();
        self.runtime.spawn(async move { then(mover.give(to, baggage).await) });
    }

    async fn give(&self, to: Destination, baggage: Baggage) -> Result<Destination, MoveError> {
        let room = baggage.room.clone();
        let word = MoveWord::Take { fence: to.fence.0, baggage: Box::new(baggage) };
        loop {
            let refused = match self.say(&to.node, &to.url, &word).await {
                Ok(()) => return Ok(to),
                Err(why) => why,
            };
            match self.placement.take_back(&room, &to.node).await {
                Ok(_) => return Err(refused),
                // It is neither node's: whoever has it by now has a newer fence.
                Err(Unmoved::Stays(Stays::Lost)) => return Err(MoveError::Lost),
                Err(_) => sleep(limits::MOVE_RETRY_SPACING).await,
            }
        }
    }

    /// Says a word to a node, signed; once it is taken.
    async fn say(&self, node: &Label, url: &str, word: &MoveWord) -> Result<(), MoveError> {
        let silent = |why: String| MoveError::Silent { node: node.clone(), why };
        let body = serde_json::to_vec(word).expect("texts and numbers are JSON");
        let span = limits::MOVE_CALL_SPAN;
        let status = self.post(format!("{url}{MOVE_PATH}"), body, span).await.map_err(silent)?.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(());
        }
        Err(MoveError::Refused { node: node.clone(), status: status.as_u16() })
    }

    /// Asks a node something, signed; what it answers within `span`, whatever that is.
    ///
    /// # Errors
    /// When nothing is; says why.
    pub(super) async fn post(&self, url: String, body: Vec<u8>, span: Duration) -> Result<Response, String> {
        let trust = self.trust.as_ref().ok_or("nodes share no secret")?;
        let now = Wallclock::from_system_time(SystemTime::now()).unix_seconds();
        let asked = self.client()?.post(url).header(SIGNATURE, trust.sign(now, &body));
        let asked = asked.header(header::CONTENT_TYPE, "application/json").body(body).send();
        let answered = timeout(span, asked).await.map_err(|_| format!("within {} s", span.as_secs()))?;
        answered.map_err(|error| trouble(&error))
    }

    /// By which nodes are asked. Others may well be within the operator's own network.
    pub(super) fn client(&self) -> Result<&Client, String> {
        let made = self.client.get_or_init(|| client(true, limits::MOVE_CALL_SPAN));
        made.as_ref().map_err(Clone::clone)
    }

    /// Where it asks.
    pub(super) const fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

fn trouble(error: &reqwest::Error) -> String {
    match Trouble::of(error) {
        Trouble::NotPublic => "not public".into(),
        Trouble::Unreachable(why) => why,
    }
}
