//! **The question:** what do players ask of a recording besides its bytes? Playlists, a poster, and links that work
//! without the token.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::media::{NANOS_PER_SECOND, Wallclock};
use crate::core::fmp4::codecs;
use crate::core::record::{
    PlaylistPart, Rendition, captions_playlist, captions_vtt, chapters_vtt, media_playlist, multivariant_playlist,
    utc_text,
};
use crate::io::http::admission::{Admitted, Shown, recording};
use crate::io::http::gate::InHand;
use crate::io::http::link::{FILES, LinkTarget, deadline};
use crate::io::http::poster;
use crate::io::http::problem::Problem;
use crate::io::http::reply::private;
use crate::io::http::state::ServerState;
use crate::io::store::ReadError;

pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/v1/recordings/{recording}/link", post(link))
        .route("/v1/recordings/{recording}/master.m3u8", get(multivariant))
        .route("/v1/recordings/{recording}/media.m3u8", get(media))
        .route("/v1/recordings/{recording}/poster.jpg", get(poster_frame))
        .route("/v1/recordings/{recording}/chapters.vtt", get(chapters))
        .route("/v1/recordings/{recording}/captions.vtt", get(captions))
        .route("/v1/recordings/{recording}/captions.m3u8", get(captions_list))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkAsked {
    #[serde(default = "video")]
    file: String,
    #[serde(default)]
    take: u32,
    #[serde(default = "ten_minutes")]
    seconds: u64,
}

/// A link, signed.
#[derive(Serialize, JsonSchema)]
pub(super) struct LinkTold {
    /// Path and query of the file.
    url: String,
    /// When it ends, UTC, RFC 3339.
    expires_at: String,
}

fn video() -> String {
    FILES[0].to_owned()
}

fn ten_minutes() -> u64 {
    600
}

async fn link(
    Admitted(recordings): Admitted,
    Path(name): Path<String>,
    Json(asked): Json<LinkAsked>,
) -> Result<Response, Problem> {
    let recording = recording(&name)?;
    let LinkAsked { file, take, seconds } = asked;
    if !FILES.contains(&file.as_str()) || seconds == 0 {
        return Err(Problem::bad_link(&FILES.join(", ")));
    }
    // Only to what can be read now.
    recordings.archive.detail(recording).await?;
    let until = deadline(recording, recordings.archive.custody().now().0 / NANOS_PER_SECOND, seconds);
    let query = recordings.links.query(LinkTarget { recording, file: &file, take, until });
    let url = format!("/v1/recordings/{recording}/{file}?{query}");
    let told = LinkTold { url, expires_at: utc_text(Wallclock(until.saturating_mul(NANOS_PER_SECOND))) };
    Ok(private((StatusCode::CREATED, Json(told)).into_response()))
}

async fn multivariant(shown: Shown) -> Result<Response, Problem> {
    let mut reading = shown.reading().await?;
    let parts = reading.playlist_parts().ok_or_else(Problem::not_final)?;
    let init = reading.whole(reading.init()).await?;
    let bits = |bytes: u64, ms: u64| bytes.saturating_mul(8000) / ms.max(1);
    let rate = |part: &PlaylistPart| bits(part.bytes.end - part.bytes.start, part.ms);
    let rendition = Rendition {
        codecs: codecs(&init).ok_or(ReadError::Damaged)?,
        size: reading.size(),
        peak: parts.iter().map(rate).max().unwrap_or(0),
        average: bits(reading.len(), parts.iter().map(|part| part.ms).sum()),
    };
    let has_captions = shown.manifest().await?.captions > 0;
    let captions = has_captions.then(|| shown.beside("captions.m3u8"));
    Ok(playlist(multivariant_playlist(&rendition, &shown.beside("media.m3u8"), captions.as_deref())))
}

async fn media(shown: Shown) -> Result<Response, Problem> {
    let reading = shown.reading().await?;
    let parts = reading.playlist_parts().ok_or_else(Problem::not_final)?;
    Ok(playlist(media_playlist(&reading.init(), &parts, &shown.beside("video.mp4"))))
}

async fn poster_frame(Extension(in_hand): Extension<Arc<InHand>>, shown: Shown) -> Result<Response, Problem> {
    let mut reading = shown.reading().await?;
    let segment = reading.poster_segment().ok_or_else(Problem::not_final)?;
    let (init, segment) = (reading.whole(reading.init()).await?, reading.whole(segment).await?);
    let jpeg = in_hand.decode(move || poster::poster(&init, segment)).await?.ok_or(ReadError::Damaged)?;
    // Decoding takes its time: the hour may have come meanwhile.
    shown.check_not_expired()?;
    Ok(typed("image/jpeg", jpeg))
}

async fn chapters(shown: Shown) -> Result<Response, Problem> {
    let manifest = shown.manifest().await?;
    Ok(typed("text/vtt", chapters_vtt(&manifest.chapters, manifest.duration_ms)))
}

/// What was said, as far as a captioner wrote it down; empty where none did.
async fn captions(shown: Shown) -> Result<Response, Problem> {
    let take = shown.take_span().await?;
    Ok(typed("text/vtt", captions_vtt(&shown.captions().await?, take)))
}

async fn captions_list(shown: Shown) -> Result<Response, Problem> {
    let take = shown.take_span().await?;
    Ok(playlist(captions_playlist(take.end - take.start, &shown.beside("captions.vtt"))))
}

fn playlist(text: String) -> Response {
    typed("application/vnd.apple.mpegurl", text)
}

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    let mut response = private(body.into_response());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
