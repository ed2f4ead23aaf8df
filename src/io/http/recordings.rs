//! **The question:** how are recordings listed, read and erased? Only by anyone who shows the recordings' token, a
//! recorder's or, for one file, a link that this node signed; after its hour every answer about a recording is the same
//! 410, whether it ever was or not.

use std::ops::Range;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::media::RoomId;
use crate::core::record::utc_text;
use crate::core::retention::RecordingName;
use crate::io::http::admission::{Admitted, Recordings, Shown, Within, recording};
use crate::io::http::expiry::Expires;
use crate::io::http::problem::Problem;
use crate::io::http::reply::private;
use crate::io::http::state::ServerState;
use crate::io::store::{ReadError, Reading, RecordingDetail};
use crate::io::transfer::TransferState;

/// The list, each recording, and its files.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/v1/recordings", get(list))
        .route("/v1/recordings/{recording}", get(detail).delete(shred))
        .route("/v1/recordings/{recording}/video.mp4", get(video))
        .route("/v1/recordings/{recording}/track.mp4", get(track))
}

#[derive(Deserialize)]
struct ListQuery {
    room: Option<String>,
    owner: Option<String>,
}

/// What `GET /v1/recordings` tells.
#[derive(Serialize, JsonSchema)]
pub(super) struct Listed {
    /// What the keeper takes for the time, UTC, RFC 3339: it decides what has expired.
    now: String,
    /// Whether a file host is configured to which recordings may go.
    can_hand_over: bool,
    /// Those that have not expired, in the order of their expiry.
    recordings: Vec<RecordingDetail>,
}

/// What `GET /v1/recordings/{recording}` tells.
#[derive(Serialize, JsonSchema)]
pub(super) struct RecordingTold {
    #[serde(flatten)]
    detail: RecordingDetail,
    /// How its hand-over goes, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    hand_over: Option<TransferState>,
}

async fn list(
    Admitted(Recordings { archive, transfers, .. }): Admitted,
    within: Within,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let room = query.room.map(|room| room.parse::<RoomId>()).transpose();
    let room = room.map_err(|error| Problem::bad_request("bad-room", "This is no room's name", error.to_string()))?;
    let is_asked = |detail: &RecordingDetail| room.as_ref().is_none_or(|room| detail.room == *room);
    let of_room = |detail: &RecordingDetail| is_asked(detail) && within.covers(&detail.room);
    let of_owner = |detail: &RecordingDetail| query.owner.is_none() || detail.owner == query.owner;
    let recordings = archive.list(|detail| of_room(detail) && of_owner(detail)).await?;
    // In the order of their expiry.
    let first = recordings.first().and_then(|detail| detail.recording.parse::<RecordingName>().ok());
    // What the keeper takes for the time: clocks of browsers may be off, and this one decides.
    let now = utc_text(archive.custody().now());
    let can_hand_over = transfers.is_some();
    let mut response = private(Json(Listed { now, can_hand_over, recordings }).into_response());
    if let Some(first) = first {
        response.extensions_mut().insert(Expires(first.hour));
    }
    Ok(response)
}

async fn detail(Admitted(recordings): Admitted, Path(name): Path<String>) -> Result<Response, Problem> {
    let recording = recording(&name)?;
    let detail = recordings.archive.detail(recording).await?;
    let hand_over = recordings.transfers.and_then(|transfers| transfers.state(recording));
    Ok(private(Json(RecordingTold { detail, hand_over }).into_response()))
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

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("room names, times and numbers fit a header")
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
