//! **The question:** may this request see recordings, and which? Anyone may who shows the recordings' token, a
//! recorder's access token, for its room, or, for one file, a link that this node signed.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{FromRef, FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::Deserialize;

use crate::base::media::{NANOS_PER_SECOND, RoomId};
use crate::core::access::{Caller, Scope};
use crate::core::record::{Manifest, RecordedCaption, RecordedFile};
use crate::core::retention::RecordingName;
use crate::io::http::link::{LinkKey, LinkTarget};
use crate::io::http::problem::Problem;
use crate::io::store::{Archive, ReadError, Reading};
use crate::io::transfer::Transfers;

/// The node's recordings, and the token that opens this door to them.
#[derive(Clone)]
pub struct Recordings {
    /// Where they lie.
    pub archive: Arc<Archive>,
    /// What a client sends as `Authorization: Bearer …`.
    pub token: Arc<str>,
    /// What signs links for players.
    pub links: LinkKey,
    /// The way to their owner's file host, if the operator configured one.
    pub transfers: Option<Arc<Transfers>>,
}

/// The recordings, for a request that showed a token; of a recording that its path names, it opens that one.
pub(super) struct Admitted(pub Recordings);

/// Whose recordings a request may see: those of one room, or of every room as far as its key reaches.
pub(super) struct Within(Option<RoomId>, Scope);

impl Within {
    /// Whether those of this room are among them.
    pub(super) fn covers(&self, room: &RoomId) -> bool {
        self.0.as_ref().is_none_or(|only| only == room) && self.1.covers(room)
    }
}

/// One file of a recording, for a request that showed a token or a link to exactly it.
pub(super) struct Shown {
    recordings: Recordings,
    recording: RecordingName,
    take: u32,
    /// When the link ends that it was shown by.
    until: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Admitted
where
    Option<Recordings>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let recordings = Option::<Recordings>::from_ref(state).ok_or_else(Problem::not_recorded)?;
        let path = parts.uri.path();
        // What is asked of a participant names no recording: whose are told, their handler sees to.
        let named = path.split('/').nth(3).filter(|_| !path.starts_with("/v1/participants/"));
        recordings.admit(parts, named).await?;
        Ok(Self(recordings))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Within {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>();
        Ok(Self(
            caller.and_then(Caller::only_room).cloned(),
            caller.map_or(Scope::Node, |caller| caller.scope().clone()),
        ))
    }
}

impl Recordings {
    /// Whether `shown` is the recordings' token.
    pub(super) fn is_opened_by(&self, shown: &str) -> bool {
        verify_slices_are_equal(shown.as_bytes(), self.token.as_bytes()).is_ok()
    }

    /// Whether a request shows what opens them: the recordings' token, or a recorder's. To a recorder of one room, or
    /// of a tenant, no recording of another is there, nor one whose name is written in a way that only a handler reads.
    async fn admit(&self, parts: &Parts, named: Option<&str>) -> Result<(), Problem> {
        // The entrance lets those roles alone come here.
        let caller = parts.extensions.get::<Caller>();
        let Some(bearer) = caller.filter(|caller| matches!(caller, Caller::Bearer(_))) else {
            return self.shows_token(&parts.headers);
        };
        let within = Within(bearer.only_room().cloned(), bearer.scope().clone());
        let is_bound = within.0.is_some() || within.1 != Scope::Node;
        if let Some(named) = named.filter(|_| is_bound)
            && !within.covers(&self.archive.detail(recording(named)?).await?.room)
        {
            return Err(Problem::no_recording());
        }
        Ok(())
    }

    fn shows_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(Problem::unauthorized)?;
        if self.is_opened_by(shown) { Ok(()) } else { Err(Problem::unauthorized()) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shown
where
    Option<Recordings>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let recordings = Option::<Recordings>::from_ref(state).ok_or_else(Problem::not_recorded)?;
        let query = Query::<FileQuery>::try_from_uri(&parts.uri);
        let Query(FileQuery { take, until, signature }) =
            query.map_err(|error| Problem::bad_request("bad-query", "The query cannot be read", error.to_string()))?;
        let mut path = parts.uri.path().rsplit('/');
        let (file, name) = (path.next().unwrap_or_default(), path.next().unwrap_or_default());
        let (Some(until), Some(signature)) = (until, signature) else {
            recordings.admit(parts, Some(name)).await?;
            return Ok(Self { recording: recording(name)?, recordings, take, until: None });
        };
        let shown = Self {
            recording: recording(name).map_err(|_| Problem::bad_signature())?,
            recordings,
            take,
            until: Some(until),
        };
        let target = LinkTarget { recording: shown.recording, file, take, until };
        if !shown.recordings.links.signed(target, &signature) {
            return Err(Problem::bad_signature());
        }
        shown.check_not_expired()?;
        Ok(shown)
    }
}

impl Shown {
    /// The take, to be read.
    pub(super) async fn reading(&self) -> Result<Reading, Problem> {
        Ok(self.recordings.archive.read(self.recording, self.take).await?)
    }

    /// The own track, to be read.
    pub(super) async fn reading_track(&self) -> Result<Reading, Problem> {
        Ok(self.recordings.archive.read_file(self.recording, RecordedFile::Track(self.take)).await?)
    }

    /// What the recording's manifest says of it.
    pub(super) async fn manifest(&self) -> Result<Manifest, Problem> {
        Ok(self.recordings.archive.manifest(self.recording).await?)
    }

    /// What was said in the recording, as far as it was written down.
    pub(super) async fn captions(&self) -> Result<Vec<RecordedCaption>, Problem> {
        let captions = self.recordings.archive.captions(self.recording).await?;
        self.check_not_expired()?;
        Ok(captions)
    }

    /// Where the take lies in the recording, milliseconds since its zero.
    pub(super) async fn take_span(&self) -> Result<Range<u64>, Problem> {
        let manifest = self.manifest().await?;
        let take = usize::try_from(self.take).ok().and_then(|take| manifest.takes.get(take));
        let take = take.ok_or(ReadError::Missing)?;
        Ok(take.from_ms..take.from_ms + take.duration_ms)
    }

    /// Looks at the time again: the recording's, then the link's.
    pub(super) fn check_not_expired(&self) -> Result<(), Problem> {
        let custody = self.recordings.archive.custody();
        custody.refuse(self.recording.hour).map_err(ReadError::from)?;
        let now = custody.now();
        let over = self.until.is_some_and(|until| now.0 / NANOS_PER_SECOND >= until);
        if over { Err(Problem::bad_signature()) } else { Ok(()) }
    }

    /// Another file of the same take, for who came by the same way: the token is theirs to show again, a link goes on
    /// as one that ends at the same moment.
    pub(super) fn beside(&self, file: &str) -> String {
        let Self { recordings, recording, take, until } = self;
        match until {
            Some(until) => {
                let target = LinkTarget { recording: *recording, file, take: *take, until: *until };
                format!("{file}?{}", recordings.links.query(target))
            }
            None => format!("{file}?take={take}"),
        }
    }
}

#[derive(Deserialize)]
struct FileQuery {
    #[serde(default)]
    take: u32,
    until: Option<u64>,
    signature: Option<String>,
}

/// The recording a path names.
pub(super) fn recording(name: &str) -> Result<RecordingName, Problem> {
    name.parse().map_err(|_| ReadError::Missing.into())
}
