//! **The question:** how does an operator dress a room, and a participant themselves? Background, logo, banner, clock,
//! avatar. Pictures are read here, on threads that nobody waits for, so that the media path sees only what is ready to
//! be drawn.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use tokio::sync::Semaphore;

use crate::base::limits;
use crate::base::media::Bitmap;
use crate::core::access::Caller;
use crate::engine::compose::overlays::{PictureError, PictureUse, read_picture};
use crate::io::api::{BrandingChange, Command, ControlHandle, Refusal};
use crate::io::http::extract::{Body, ResourcePath, RoomPath, text_of_type};
use crate::io::http::problem::Problem;
use crate::io::http::state::{NodeView, ServerState};

/// Pictures that arrive at once; each may take `limits::PICTURE_LEN_MAX`.
static UPLOADS: Semaphore = Semaphore::const_new(limits::PICTURE_UPLOADS_MAX);
/// Pictures that are decoded at once.
static DECODES: Semaphore = Semaphore::const_new(limits::PICTURE_DECODES_MAX);

/// `PUT` sets, `DELETE` takes away. The avatar hangs on a participant's own connection, so only they can set it.
pub(super) fn routes() -> Router<ServerState> {
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
    State(control): State<ControlHandle>,
    State(view): State<NodeView>,
    path: RoomPath,
    request: Request,
) -> Done {
    let picture = picture_in(request, PictureUse::Background(view.canvas)).await?;
    branding(control, path, BrandingChange::Background(Some(picture))).await
}

async fn no_background(State(control): State<ControlHandle>, path: RoomPath) -> Done {
    branding(control, path, BrandingChange::Background(None)).await
}

async fn set_logo(
    State(control): State<ControlHandle>,
    State(view): State<NodeView>,
    path: RoomPath,
    request: Request,
) -> Done {
    let picture = picture_in(request, PictureUse::logo_on(view.canvas)).await?;
    branding(control, path, BrandingChange::Logo(Some(picture))).await
}

async fn no_logo(State(control): State<ControlHandle>, path: RoomPath) -> Done {
    branding(control, path, BrandingChange::Logo(None)).await
}

async fn set_avatar(
    State(control): State<ControlHandle>,
    ResourcePath(resource): ResourcePath,
    request: Request,
) -> Done {
    let avatar = Some(picture_in(request, PictureUse::Avatar).await?);
    control.request(Caller::Anyone, |reply| Command::SetAvatar { resource, avatar, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn no_avatar(State(control): State<ControlHandle>, ResourcePath(resource): ResourcePath) -> Done {
    control.request(Caller::Anyone, |reply| Command::SetAvatar { resource, avatar: None, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_banner(State(control): State<ControlHandle>, path: RoomPath, headers: HeaderMap, body: Body) -> Done {
    let text = text_of_type(&headers, body, "text/plain")?;
    if text.len() > limits::OVERLAY_TEXT_LEN_MAX {
        let detail = format!("A banner has at most {} bytes of UTF-8.", limits::OVERLAY_TEXT_LEN_MAX);
        return Err(Problem::bad_request("bad-banner", "This is no banner", detail));
    }
    branding(control, path, BrandingChange::Banner(text)).await
}

async fn no_banner(State(control): State<ControlHandle>, path: RoomPath) -> Done {
    branding(control, path, BrandingChange::Banner(String::new())).await
}

async fn set_clock(State(control): State<ControlHandle>, path: RoomPath) -> Done {
    branding(control, path, BrandingChange::Clock(true)).await
}

async fn no_clock(State(control): State<ControlHandle>, path: RoomPath) -> Done {
    branding(control, path, BrandingChange::Clock(false)).await
}

async fn branding(control: ControlHandle, RoomPath(room): RoomPath, branding: BrandingChange) -> Done {
    control.request(Caller::Anyone, |reply| Command::SetBranding { room, branding, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The picture a request carries, read on a blocking thread. How many arrive and are read at once is bounded; the next
/// is told to come back.
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
