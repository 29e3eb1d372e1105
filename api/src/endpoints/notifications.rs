//! `/notifications`: the messages that a person was sent, beside their mail.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{BookingId, NotificationId};
use serde::Serialize;
use store::notifications::Notification;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::{App, letterbox};

use crate::body::{Json, Nothing};
use crate::caller::Caller;
use crate::page::{Listing, NoFilter, Page, Paging};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;
use crate::wire::{self, Place};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(read))
}

/// A message; its mail has the same id.
#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
struct NotificationView {
    /// Names it.
    #[schema(value_type = String, example = "ntf_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: NotificationId,
    /// Which letter, such as `booking_confirmed`.
    letter: String,
    /// About which booking.
    #[schema(value_type = Option<String>)]
    booking_id: Option<BookingId>,
    /// What became of the mail: `queued`, `sent` or `rejected`.
    status: &'static str,
    /// Since when.
    created_at: DateTime<Utc>,
    /// When you read it.
    read_at: Option<DateTime<Utc>>,
}

impl From<Notification> for NotificationView {
    fn from(notification: Notification) -> Self {
        let Notification { id, user: _, letter, booking, status, created_at, read_at } = notification;
        Self { id, letter, booking_id: booking, status: status.as_str(), created_at, read_at }
    }
}

/// Your messages
#[utoipa::path(get, path = "/notifications", tag = "notifications", security(("bearer" = [])), params(Paging), responses((status = 200, body = Listing<NotificationView>)))]
async fn list(
    caller: Caller,
    State(app): State<App>,
    page: Page<NoFilter>,
) -> Result<Listing<NotificationView>, Problem> {
    let messages = letterbox::list(&app, caller.id, wire::rows(&page)?).await?;
    Ok(page.of(messages, |message| Place::new(message.created_at, message.id.uuid()), NotificationView::from))
}

/// Mark a message as read
///
/// Said again, the first time stays.
#[utoipa::path(post, path = "/notifications/{id}/read", tag = "notifications", security(("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = NotificationView)))]
async fn read(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<NotificationId>,
    Json(Nothing {}): Json<Nothing>,
) -> Result<Json<NotificationView>, Problem> {
    Ok(Json(letterbox::read(&app, caller.id, id).await?.into()))
}
