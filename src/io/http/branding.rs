//! **The question:** how does an operator dress a room, and a participant themselves? Background, logo, banner, clock,
//! avatar. Pictures are read here, on threads that nobody waits for, so that the media path sees only what is ready to
//! be drawn.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use axum::{Extension, Router};

use crate::base::limits;
use crate::base::media::{Bitmap, RoomId};
use crate::core::access::Caller;
use crate::engine::compose::overlays::{PictureError, PictureUse, read_picture};
use crate::io::api::{BrandingChange, Command, ControlHandle, Place, Refusal};
use crate::io::http::extract::{Body, ResourcePath, RoomPath, file, text_of_type};
use crate::io::http::gate::InHand;
use crate::io::http::problem::Problem;
use crate::io::http::state::{NodeView, ServerState};

/// `PUT` sets, `DELETE` takes away. The avatar hangs on a participant's own connection, so only they can set it.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/v1/rooms/{room}/background", put(set_background).delete(no_background))
        .route("/v1/rooms/{room}/logo", put(set_logo).delete(no_logo))
        .route("/v1/rooms/{room}/participants/{token}/avatar", put(set_avatar).delete(no_avatar))
        .route("/v1/rooms/{room}/banner", put(set_banner).delete(no_banner))
        .route("/v1/rooms/{room}/clock", put(set_clock).delete(no_clock))
}

type Done = Result<StatusCode, Problem>;

async fn set_background(
    State(control): State<ControlHandle>,
    State(view): State<NodeView>,
    asked: Dressing,
    request: Request,
) -> Done {
    let picture = asked.picture(&control, request, PictureUse::Background(view.canvas)).await?;
    asked.change(control, BrandingChange::Background(Some(picture))).await
}

async fn no_background(State(control): State<ControlHandle>, asked: Dressing) -> Done {
    asked.change(control, BrandingChange::Background(None)).await
}

async fn set_logo(
    State(control): State<ControlHandle>,
    State(view): State<NodeView>,
    asked: Dressing,
    request: Request,
) -> Done {
    let picture = asked.picture(&control, request, PictureUse::logo_on(view.canvas)).await?;
    asked.change(control, BrandingChange::Logo(Some(picture))).await
}

async fn no_logo(State(control): State<ControlHandle>, asked: Dressing) -> Done {
    asked.change(control, BrandingChange::Logo(None)).await
}

async fn set_avatar(
    State(control): State<ControlHandle>,
    Extension(in_hand): Extension<Arc<InHand>>,
    ResourcePath(resource): ResourcePath,
    request: Request,
) -> Done {
    let avatar = picture_in(&control, &in_hand, Place::Connection(resource), request, PictureUse::Avatar).await?;
    control.request(Caller::Anyone, |reply| Command::SetAvatar { resource, avatar: Some(avatar), reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn no_avatar(State(control): State<ControlHandle>, ResourcePath(resource): ResourcePath) -> Done {
    control.request(Caller::Anyone, |reply| Command::SetAvatar { resource, avatar: None, reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_banner(State(control): State<ControlHandle>, asked: Dressing, headers: HeaderMap, body: Body) -> Done {
    let text = text_of_type(&headers, body, "text/plain")?;
    if text.len() > limits::OVERLAY_TEXT_LEN_MAX {
        let detail = format!("A banner has at most {} bytes of UTF-8.", limits::OVERLAY_TEXT_LEN_MAX);
        return Err(Problem::bad_request("bad-banner", "This is no banner", detail));
    }
    asked.change(control, BrandingChange::Banner(text)).await
}

async fn no_banner(State(control): State<ControlHandle>, asked: Dressing) -> Done {
    asked.change(control, BrandingChange::Banner(String::new())).await
}

async fn set_clock(State(control): State<ControlHandle>, asked: Dressing) -> Done {
    asked.change(control, BrandingChange::Clock(true)).await
}

async fn no_clock(State(control): State<ControlHandle>, asked: Dressing) -> Done {
    asked.change(control, BrandingChange::Clock(false)).await
}

/// Whose room is dressed, by whom.
struct Dressing {
    caller: Caller,
    room: RoomId,
    in_hand: Arc<InHand>,
}

impl Dressing {
    async fn picture(&self, control: &ControlHandle, request: Request, purpose: PictureUse) -> Result<Bitmap, Problem> {
        picture_in(control, &self.in_hand, Place::Room(self.room.clone()), request, purpose).await
    }

    async fn change(self, control: ControlHandle, branding: BrandingChange) -> Done {
        let Self { caller, room, .. } = self;
        control.request(caller, |reply| Command::SetBranding { room, branding, reply }).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Dressing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let RoomPath(room) = RoomPath::from_request_parts(parts, state).await?;
        let known = (parts.extensions.get::<Caller>(), parts.extensions.get::<Arc<InHand>>());
        let (Some(caller), Some(in_hand)) = known else { return Err(Refusal::NotAllowed.into()) };
        Ok(Self { caller: caller.clone(), room, in_hand: in_hand.clone() })
    }
}

/// The picture that a request about `place` carries, read when its turn comes.
async fn picture_in(
    control: &ControlHandle,
    in_hand: &InHand,
    place: Place,
    request: Request,
    purpose: PictureUse,
) -> Result<Bitmap, Problem> {
    let len_max = limits::PICTURE_LEN_MAX;
    let file = file(control, in_hand, place, request, len_max).await.map_err(|problem| {
        if problem == Problem::too_large(len_max) { PictureError::Long { len: len_max + 1 }.into() } else { problem }
    })?;
    Ok(in_hand.decode(move || read_picture(&file, purpose)).await??)
}
