//! **The question:** how does an operator dress a room, and a participant themselves? Background, logo, banner, clock, avatar.
//! Pictures are read here, on threads that nobody waits for, so that the media path sees only what is ready to be drawn.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use tokio::sync::Semaphore;

use crate::compose::ink::{PictureError, PictureUse, read_picture};
use crate::http::problem::Problem;
use crate::http::resource::{Body, ResourcePath, RoomPath, text_of_type};
use crate::http::server::{Shared, Telling};
use crate::http::{Command, Desk, Dress, Refusal};
use crate::limits;
use crate::media::Bitmap;

/// Pictures that arrive at once; each may take `limits::PICTURE_LEN_MAX`.
static UPLOADS: Semaphore = Semaphore::const_new(limits::PICTURE_UPLOADS_MAX);
/// Pictures that are decoded at once.
static DECODES: Semaphore = Semaphore::const_new(limits::PICTURE_DECODES_MAX);

/// `PUT` sets, `DELETE` takes away. The avatar hangs on a participant's own connection, so only they can set it.
pub(super) fn routes() -> Router<Shared> {
    let pictures = Router::new()
        .route("/v1/rooms/{room}/background", put(set_background).delete(no_background))
        .route("/v1/rooms/{room}/logo", put(set_logo).delete(no_logo))
        .route("/v1/rooms/{room}/participants/{token}/avatar", put(set_avatar).delete(no_avatar))
        .layer(DefaultBodyLimit::max(limits::PICTURE_LEN_MAX));
    Router::new()
        .route("/v1/rooms/{room}/banner", put(set_banner).delete(no_banner))
        .route("/v1/rooms/{room}/clock", put(set_clock).delete(no_clock))
        .merge(pictures)
}

type Done = Result<StatusCode, Problem>;

async fn set_background(
    State(desk): State<Desk>,
    State(telling): State<Telling>,
    path: RoomPath,
    request: Request,
) -> Done {
    let picture = picture_in(request, PictureUse::Background(telling.canvas)).await?;
    dress(desk, path, Dress::Background(Some(picture))).await
}

async fn no_background(State(desk): State<Desk>, path: RoomPath) -> Done {
    dress(desk, path, Dress::Background(None)).await
}

async fn set_logo(State(desk): State<Desk>, State(telling): State<Telling>, path: RoomPath, request: Request) -> Done {
    let picture = picture_in(request, PictureUse::logo_on(telling.canvas)).await?;
    dress(desk, path, Dress::Logo(Some(picture))).await
}

async fn no_logo(State(desk): State<Desk>, path: RoomPath) -> Done {
    dress(desk, path, Dress::Logo(None)).await
}

async fn set_avatar(State(desk): State<Desk>, ResourcePath(resource): ResourcePath, request: Request) -> Done {
    let avatar = Some(picture_in(request, PictureUse::Avatar).await?);
    desk.ask(|reply| Command::Portray { resource, avatar, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn no_avatar(State(desk): State<Desk>, ResourcePath(resource): ResourcePath) -> Done {
    desk.ask(|reply| Command::Portray { resource, avatar: None, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_banner(State(desk): State<Desk>, path: RoomPath, headers: HeaderMap, body: Body) -> Done {
    let text = text_of_type(&headers, body, "text/plain")?;
    if text.len() > limits::OVERLAY_TEXT_LEN_MAX {
        let detail = format!("A banner has at most {} bytes of UTF-8.", limits::OVERLAY_TEXT_LEN_MAX);
        return Err(Problem::bad_request("bad-banner", "This is no banner", detail));
    }
    dress(desk, path, Dress::Banner(text)).await
}

async fn no_banner(State(desk): State<Desk>, path: RoomPath) -> Done {
    dress(desk, path, Dress::Banner(String::new())).await
}

async fn set_clock(State(desk): State<Desk>, path: RoomPath) -> Done {
    dress(desk, path, Dress::Clock(true)).await
}

async fn no_clock(State(desk): State<Desk>, path: RoomPath) -> Done {
    dress(desk, path, Dress::Clock(false)).await
}

async fn dress(desk: Desk, RoomPath(room): RoomPath, dress: Dress) -> Done {
    desk.ask(|reply| Command::Dress { room, dress, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The picture a request carries, read on a blocking thread. How many arrive and are read at once is bounded; the next is told to
/// come back.
async fn picture_in(request: Request, purpose: PictureUse) -> Result<Bitmap, Problem> {
    let _upload = UPLOADS.try_acquire().map_err(|_| Refusal::Busy)?;
    let file = Bytes::from_request(request, &()).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::from(PictureError::Long { len: limits::PICTURE_LEN_MAX + 1 })
        } else {
            rejection.into()
        }
    })?;
    let turn = DECODES.acquire().await.map_err(|_| Refusal::Draining)?;
    let read = tokio::task::spawn_blocking(move || {
        // Held until the reading is over, even if the client hangs up before.
        let _turn = turn;
        read_picture(&file, purpose)
    });
    Ok(read.await.map_err(|_| Refusal::Draining)??)
}
