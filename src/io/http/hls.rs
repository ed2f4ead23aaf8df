//! **The question:** how is a room watched by HLS? Playlists, parts and segments of its live rungs (RFC 8216bis), with
//! what caches in front of the node need to know. Whoever asks for a rung has it run; nobody's request takes a lock
//! that a frame waits for, or copies a byte of a part.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;

use crate::base::limits;
use crate::base::media::RungSpec;
use crate::core::access::Caller;
use crate::core::hls::{Asked, AskedCaptions, CaptionsRendition, Segment, Variant, Wanted, multivariant_playlist};
use crate::io::api::{Command, ControlHandle, Refusal};
use crate::io::http::connections::network;
use crate::io::http::extract::{Address, RoomPath};
use crate::io::http::gate::InHand;
use crate::io::http::packed;
use crate::io::http::problem::Problem;
use crate::io::http::state::ServerState;
use crate::io::live::{LiveRoom, LiveRooms, LiveRung, Missing};

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const MEDIA: &str = "video/mp4";
const CAPTIONS: &str = "text/vtt";
/// What captions are called in the place of a rung's name.
const CAPTIONS_NAME: &str = "captions";
/// A playlist that nobody waited for is old with the next part.
const BRIEF: &str = "public, max-age=1";
/// One that was waited for stays what was asked: six target durations (RFC 8216bis, appendix B).
const WAITED_FOR: &str = "public, max-age=24";
/// Room for a sound track beside the pictures, bits a second.
const SOUND_BITRATE: u64 = 96_000;

pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/hls/{room}/index.m3u8", get(multivariant))
        .route("/hls/{room}/{run}/{rung}/{piece}", get(piece))
}

/// Delivery directives (RFC 8216bis, section 6.2.5).
#[derive(Deserialize)]
struct Directives {
    #[serde(rename = "_HLS_msn")]
    msn: Option<u64>,
    #[serde(rename = "_HLS_part")]
    part: Option<u64>,
    #[serde(rename = "_HLS_skip")]
    skip: Option<String>,
}

#[derive(Deserialize)]
struct PiecePath {
    run: String,
    rung: String,
    piece: String,
}

/// One rung, asked for.
struct Found {
    live: Arc<LiveRoom>,
    rung: usize,
    /// Whose request it is.
    network: Option<IpAddr>,
    /// Whether it takes gzip.
    reads_gzip: bool,
}

impl Found {
    fn rung(&self) -> &LiveRung {
        &self.live.rungs[self.rung]
    }

    fn is_offered(&self) -> bool {
        self.live.offered().any(|(n, _)| n == self.rung)
    }
}

async fn multivariant(
    State(rooms): State<LiveRooms>,
    Extension(in_hand): Extension<Arc<InHand>>,
    RoomPath(room): RoomPath,
) -> Result<Response, Problem> {
    let live = rooms.room(&room).ok_or(Refusal::RoomNotFound)?;
    let unknown = || -> Vec<RungSpec> {
        let offered = live.offered().map(|(_, rung)| rung.spec);
        offered.filter(|spec| rooms.known_codecs(*spec).is_none()).collect()
    };
    if !unknown().is_empty() {
        let _turn = rooms.turn().await;
        let (asked, unknown) = (rooms.clone(), unknown());
        if !unknown.is_empty() {
            in_hand.decode(move || unknown.into_iter().for_each(|spec| drop(asked.codecs(spec)))).await?;
        }
    }
    let mut variants: Vec<Variant> = live.offered().filter_map(|(_, rung)| variant(&rooms, &live.run, rung)).collect();
    score(&mut variants);
    let captions = live.captions().map(|language| CaptionsRendition {
        uri: format!("{}/{CAPTIONS_NAME}/index.m3u8", live.run),
        language: language.map(str::to_owned),
    });
    let text = multivariant_playlist(&variants, captions.as_ref());
    Ok(sent(PLAYLIST, HeaderValue::from_static(BRIEF), text.into()))
}

/// As the list names it; `None` for a rung that nothing encodes.
fn variant(rooms: &LiveRooms, run: &str, rung: &LiveRung) -> Option<Variant> {
    let RungSpec { size, fps, bitrate, .. } = rung.spec;
    let edge = rung.edge();
    let running = edge.as_ref().and_then(|edge| edge.window.newest_init()).map(|init| init.codecs.clone());
    let codecs = running.or_else(|| rooms.known_codecs(rung.spec).map(|codecs| codecs.to_string()))?;
    // Encoders keep to their target over a second or two; a segment begins with its largest picture.
    let usual = u64::from(bitrate) * 5 / 4 + SOUND_BITRATE;
    let peak = edge.map_or(usual, |edge| edge.window.peak().max(usual));
    Some(Variant { uri: format!("{run}/{}/index.m3u8", rung.name), codecs, size, fps, peak, score: None })
}

/// Where there are two codecs: of one size AV1 is the better one, which players that have both would not see.
fn score(variants: &mut [Variant]) {
    if variants.iter().all(is_av1) || !variants.iter().any(is_av1) {
        return;
    }
    let sizes: Vec<u32> = variants.iter().map(|variant| variant.size.height).collect();
    for variant in variants {
        let smaller = sizes.iter().filter(|height| **height < variant.size.height).count() as u64;
        variant.score = Some(1 + smaller + u64::from(is_av1(variant)));
    }
}

fn is_av1(variant: &Variant) -> bool {
    variant.codecs.starts_with("av01")
}

async fn piece(
    State(rooms): State<LiveRooms>,
    State(control): State<ControlHandle>,
    (Extension(caller), Address(from)): (Extension<Caller>, Address),
    headers: HeaderMap,
    RoomPath(room): RoomPath,
    path: Result<Path<PiecePath>, PathRejection>,
    directives: Result<Query<Directives>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path(PiecePath { run, rung, piece }) = path.map_err(|_| Problem::no_stream())?;
    let live = rooms.run(&room, &run).ok_or_else(Problem::no_stream)?;
    if rung == CAPTIONS_NAME {
        return captions(&live, &piece);
    }
    let asked: Asked = piece.parse().map_err(|_| Problem::no_stream())?;
    let at = live.rungs.iter().position(|known| known.name == rung);
    let rung = at.ok_or_else(Problem::no_stream)?;
    let found = Found { live, rung, network: from.map(network), reads_gzip: packed::is_read(&headers) };
    let (now, kept) = (Instant::now(), kept_for(&found.live));
    let is_on = found.rung().ask(now);
    match asked {
        // Of what is not offered any more the pieces are there for a while, and the playlist is not: so players go over
        // to another rung.
        Asked::Playlist if !found.is_offered() => Err(Problem::no_stream()),
        Asked::Playlist => {
            let Query(directives) = directives.map_err(|why| Problem::bad_directive(why.body_text()))?;
            if !is_on && !found.rung().is_over() {
                let rung = found.rung;
                control.request(caller, |reply| Command::Package { room, rung, reply }).await?;
            }
            playlist(&rooms, &found, &directives, now).await
        }
        Asked::Init(msn) => {
            let edge = found.rung().edge().ok_or_else(Problem::no_stream)?;
            let init = edge.window.init(msn).ok_or_else(Problem::no_stream)?;
            Ok(sent(MEDIA, kept, init.bytes.clone()))
        }
        Asked::Segment(msn) => {
            let edge = found.rung().edge().ok_or_else(Problem::no_stream)?;
            let whole = edge.window.segment(msn).filter(|segment| segment.is_whole);
            Ok(segment(whole.ok_or_else(Problem::no_stream)?, kept))
        }
        Asked::Part(id) => {
            let edge = found.rung().part(id, || rooms.place(found.network)).await;
            let edge = edge.map_err(|why| missing(why, false))?;
            let part = edge.window.part(id).ok_or_else(Problem::no_stream)?;
            Ok(sent(MEDIA, kept, part.bytes.clone()))
        }
    }
}

/// The captions' playlist, which nobody waits for, or a segment of them.
fn captions(live: &LiveRoom, piece: &str) -> Result<Response, Problem> {
    let now = Instant::now();
    match AskedCaptions::parse(piece).ok_or_else(Problem::no_stream)? {
        AskedCaptions::Playlist if live.captions().is_none() => Err(Problem::no_stream()),
        AskedCaptions::Playlist => {
            let text = live.captions_playlist(now).ok_or_else(Problem::late_stream)?;
            Ok(sent(PLAYLIST, HeaderValue::from_static(BRIEF), text.into()))
        }
        AskedCaptions::Segment(msn) => {
            let text = live.captions_segment(now, msn).ok_or_else(Problem::no_stream)?;
            Ok(sent(CAPTIONS, kept_for(live), text.into()))
        }
    }
}

async fn playlist(
    rooms: &LiveRooms,
    found: &Found,
    directives: &Directives,
    now: Instant,
) -> Result<Response, Problem> {
    let wanted = Wanted { msn: directives.msn, part: directives.part };
    let follows = wanted.msn.is_some();
    found.live.note_viewer(now, follows);
    let edge = found.rung().follow(wanted, || rooms.place(found.network)).await;
    let edge = edge.map_err(|why| missing(why, follows))?;
    let skips = directives.skip.as_deref().is_some_and(|skip| matches!(skip, "YES" | "v2"));
    let text = if skips { &edge.delta } else { &edge.full };
    let keep = HeaderValue::from_static(if follows { WAITED_FOR } else { BRIEF });
    let bytes = if found.reads_gzip { text.packed(packed::brief) } else { text.plain() };
    let mut response = sent(PLAYLIST, keep, bytes.clone());
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if found.reads_gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn missing(why: Missing, follows: bool) -> Problem {
    match why {
        Missing::NoSegment => Problem::bad_directive("_HLS_part needs _HLS_msn beside it".into()),
        Missing::Unknown if follows => Problem::bad_directive("nothing so far ahead was announced".into()),
        Missing::Gone | Missing::Unknown => Problem::no_stream(),
        Missing::Late => Problem::late_stream(),
        Missing::Crowded => Problem::crowded(),
    }
}

/// Names are never used again, so caches may keep what they name, as long as the node does while the room goes on; of
/// one that is over they forget it a window later.
fn kept_for(live: &LiveRoom) -> HeaderValue {
    let seconds = 2 * live.listed().as_secs() + limits::HLS_SEGMENT_SPAN.as_secs();
    HeaderValue::try_from(format!("public, max-age={seconds}")).expect("digits are visible")
}

fn sent(kind: &'static str, keep: HeaderValue, bytes: Bytes) -> Response {
    let kind = HeaderValue::from_static(kind);
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], bytes).into_response()
}

/// A whole segment: its parts one after the other.
fn segment(segment: &Segment, keep: HeaderValue) -> Response {
    let parts: Vec<Bytes> = segment.parts.iter().map(|part| part.bytes.clone()).collect();
    let body = Body::from_stream(stream::iter(parts.into_iter().map(Ok::<_, Infallible>)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA)),
        (header::CACHE_CONTROL, keep),
        (header::CONTENT_LENGTH, HeaderValue::from(segment.bytes())),
    ];
    (headers, body).into_response()
}
