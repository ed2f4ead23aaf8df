//! **The question:** how are recordings listed, read and erased? Only by anyone who shows the recordings' token or, for
//! one file, a link that this node signed; after its hour every answer about a recording is the same 410, whether it
//! ever was or not.

use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use crate::base::media::{NANOS_PER_SECOND, RoomId};
use crate::core::record::{Manifest, RecordedFile};
use crate::core::retention::RecordingName;
use crate::io::http::link::{LinkKey, LinkTarget};
use crate::io::http::playback;
use crate::io::http::problem::Problem;
use crate::io::http::server::ServerState;
use crate::io::http::transfer;
use crate::io::store::{Archive, ReadError, Reading, RecordingDetail};
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

/// Everything about recordings.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/v1/recordings", get(list))
        .route("/v1/recordings/{recording}", get(detail).delete(shred))
        .route("/v1/recordings/{recording}/video.mp4", get(video))
        .route("/v1/recordings/{recording}/track.mp4", get(track))
        .merge(playback::routes())
        .merge(transfer::routes())
}

/// The recordings, for a request that showed the token.
pub(super) struct Admitted(pub Recordings);

/// One file of a recording, for a request that showed the token or a link to exactly it.
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
        recordings.shows_token(&parts.headers)?;
        Ok(Self(recordings))
    }
}

impl Recordings {
    fn shows_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(Problem::unauthorized)?;
        verify_slices_are_equal(shown.as_bytes(), self.token.as_bytes()).map_err(|_| Problem::unauthorized())
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
            recordings.shows_token(&parts.headers)?;
            return Ok(Self { recordings, recording: recording(name)?, take, until: None });
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
    async fn reading_track(&self) -> Result<Reading, Problem> {
        Ok(self.recordings.archive.read_file(self.recording, RecordedFile::Track(self.take)).await?)
    }

    /// What the recording's manifest says of it.
    pub(super) async fn manifest(&self) -> Result<Manifest, Problem> {
        Ok(self.recordings.archive.manifest(self.recording).await?)
    }

    /// Looks at the time again: the recording's, then the link's.
    pub(super) fn check_not_expired(&self) -> Result<(), Problem> {
        let now = self.recordings.archive.custody().now();
        if self.recording.hour.is_expired(now) {
            return Err(Problem::gone());
        }
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
struct ListQuery {
    room: Option<String>,
    owner: Option<String>,
}

#[derive(Deserialize)]
struct FileQuery {
    #[serde(default)]
    take: u32,
    until: Option<u64>,
    signature: Option<String>,
}

async fn list(
    Admitted(Recordings { archive, .. }): Admitted,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let room = query.room.map(|room| room.parse::<RoomId>()).transpose();
    let room = room.map_err(|error| Problem::bad_request("bad-room", "This is no room's name", error.to_string()))?;
    let of_room = |detail: &RecordingDetail| room.as_ref().is_none_or(|room| detail.room == *room);
    let of_owner = |detail: &RecordingDetail| query.owner.is_none() || detail.owner == query.owner;
    let recordings = archive.list(|detail| of_room(detail) && of_owner(detail)).await?;
    Ok(private(Json(json!({ "recordings": recordings })).into_response()))
}

async fn detail(Admitted(recordings): Admitted, Path(name): Path<String>) -> Result<Response, Problem> {
    let recording = recording(&name)?;
    let mut told = json!(recordings.archive.detail(recording).await?);
    if let Some(state) = recordings.transfers.and_then(|transfers| transfers.state(recording)) {
        told["hand_over"] = json!(state);
    }
    Ok(private(Json(told).into_response()))
}

async fn shred(
    Admitted(Recordings { archive, .. }): Admitted,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    archive.shred(recording(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn video(shown: Shown, headers: HeaderMap) -> Result<Response, Problem> {
    file(shown.reading().await?, &headers, "video/mp4")
}

async fn track(shown: Shown, headers: HeaderMap) -> Result<Response, Problem> {
    let reading = shown.reading_track().await?;
    let kind = if reading.size().width == 0 { "audio/mp4" } else { "video/mp4" };
    file(reading, &headers, kind)
}

fn file(reading: Reading, headers: &HeaderMap, kind: &'static str) -> Result<Response, Problem> {
    let len = reading.len();
    let asked =
        headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(|text| parse_range(text, len));
    let (status, range) = match asked {
        None => (StatusCode::OK, 0..len),
        Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(None) => return Ok(unsatisfiable(len)),
    };
    let name = format!("attachment; filename=\"{}\"", reading.name());
    let span = range.end - range.start;
    let about = format!("bytes {}-{}/{len}", range.start, range.end.saturating_sub(1));
    let mut response = private((status, body(reading, range)).into_response());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, span.into());
    headers.insert(header::CONTENT_DISPOSITION, text(&name));
    if status == StatusCode::PARTIAL_CONTENT {
        headers.insert(header::CONTENT_RANGE, text(&about));
    }
    Ok(response)
}

// An error in the middle, above all the deadline, cuts the connection: what was announced stays incomplete.
fn body(reading: Reading, range: Range<u64>) -> Body {
    Body::from_stream(stream::try_unfold((reading, range), async |(mut reading, range)| {
        let piece = reading.next(&range).await?;
        let rest = range.start + piece.len() as u64..range.end;
        let next = (!piece.is_empty()).then_some((piece, (reading, rest)));
        Ok::<_, ReadError>(next)
    }))
}

fn unsatisfiable(len: u64) -> Response {
    let mut response = Problem::range().into_response();
    response.headers_mut().insert(header::CONTENT_RANGE, text(&format!("bytes */{len}")));
    response
}

/// One range of bytes (RFC 9110 section 14.1.2). `None`: none that is understood, so it is ignored; `Some(None)`:
/// outside.
fn parse_range(value: &str, len: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let range = match (first, last) {
        ("", last) => len.saturating_sub(number(last)?)..len,
        (first, "") => number(first)?..len,
        (first, last) if number(first)? <= number(last)? => number(first)?..number(last)?.saturating_add(1).min(len),
        _ => return None,
    };
    Some((range.start < range.end).then_some(range))
}

pub(super) fn recording(name: &str) -> Result<RecordingName, Problem> {
    name.parse().map_err(|_| ReadError::Missing.into())
}

pub(super) fn private(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("room names, times and numbers fit a header")
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::gone(),
            ReadError::Missing => Self::no_recording(),
            ReadError::Damaged => Self::damaged(),
            ReadError::Store(error) => {
                tracing::warn!(%error, "the store did not answer");
                Self::store()
            }
        }
    }
}

impl FromRef<ServerState> for Option<Recordings> {
    fn from_ref(shared: &ServerState) -> Self {
        shared.recordings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_specification_says() {
        assert_eq!(parse_range("bytes=0-0", 100), Some(Some(0..1)));
        assert_eq!(parse_range("bytes=10-19", 100), Some(Some(10..20)));
        assert_eq!(parse_range("bytes=90-", 100), Some(Some(90..100)));
        assert_eq!(parse_range("bytes=90-500", 100), Some(Some(90..100)));
        assert_eq!(parse_range("bytes=-10", 100), Some(Some(90..100)));
        assert_eq!(parse_range("bytes=-500", 100), Some(Some(0..100)));
        assert_eq!(parse_range("bytes=100-", 100), Some(None));
        assert_eq!(parse_range("bytes=-0", 100), Some(None));
        for ignored in ["bytes=20-10", "bytes=1-2,4-5", "items=0-1", "bytes=a-", "bytes=+1-2", "bytes=-", "", "bytes=5"]
        {
            assert_eq!(parse_range(ignored, 100), None, "{ignored}");
        }
    }
}
