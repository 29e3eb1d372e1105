//! `/properties`: homes, drafted, changed, published and looked at; beneath them photographs and the calendar.

mod availability;
mod body;
mod photographs;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use domain::{PropertyId, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::hosting::{self, Beginning, Home, Sketch, Wish};
use workflows::idempotency::Answer;
use workflows::{App, Error};

use self::body::{Body, Status};
use self::photographs::PhotoView;
use crate::caller::{Host, MaybeCaller};
use crate::etag::{IfMatch, of_version};
use crate::merge::MergePatch;
use crate::once::{Answered, Command};
use crate::openapi::IfMatchHeader;
use crate::page::{Listing, NoFilter, Page, Paging};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;
use crate::wire::{self, Place};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(begin, list))
        .routes(routes!(show, change))
        .merge(photographs::routes())
        .merge(availability::routes())
}

pub(super) use body::neighbourhood;
pub(super) use photographs::PhotoView as Photo;

/// A home.
#[derive(Serialize, ToSchema)]
#[schema(as = Property)]
pub(super) struct PropertyView {
    /// Names it.
    #[schema(value_type = String, example = "prp_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: PropertyId,
    /// Who offers it.
    #[schema(value_type = String)]
    host_id: UserId,
    #[serde(flatten)]
    description: Body,
    /// Its photographs in their order: the ready ones for everybody, all for its host.
    photos: Vec<PhotoView>,
    /// Since when.
    created_at: DateTime<Utc>,
    /// The last change.
    updated_at: DateTime<Utc>,
}

impl From<&Home> for PropertyView {
    fn from(home: &Home) -> Self {
        let property = &home.property;
        Self {
            id: property.id,
            host_id: property.host,
            description: Body::shown(home),
            photos: home.photographs.iter().map(PhotoView::from).collect(),
            created_at: property.created_at,
            updated_at: property.updated_at,
        }
    }
}

/// Begin a draft
///
/// Say as much as you know; the rest follows by `PATCH`.
#[utoipa::path(post, path = "/properties", tag = "properties", security(("bearer" = [])), request_body = Body, responses((status = 201, body = PropertyView)))]
async fn begin(host: Host, State(app): State<App>, command: Command<Body>) -> Result<Answered, Problem> {
    let (body, once) = command.by(host.id);
    if body.status.is_some_and(|status| status != Status::Draft) {
        return Err(Error::flaw("/status", "not_a_draft", "a home begins as a draft").into());
    }
    let units = body.units.unwrap_or(1);
    let beginning = Beginning { sketch: body.try_into()?, units };
    let begun = hosting::begin(&app, host.id, beginning, once, |home| {
        let place = format!("/properties/{}", home.property.id);
        Answer::json(201, &PropertyView::from(home))
            .with("location", place)
            .with("etag", of_version(home.property.version))
    });
    Ok(Answered(begun.await?))
}

/// Your homes
#[utoipa::path(get, path = "/properties", tag = "properties", security(("bearer" = [])), params(Paging), responses((status = 200, body = Listing<PropertyView>)))]
async fn list(host: Host, State(app): State<App>, page: Page<NoFilter>) -> Result<Listing<PropertyView>, Problem> {
    let homes = hosting::homes_of(&app, host.id, wire::rows(&page)?).await?;
    let place = |home: &Home| Place::new(home.property.created_at, home.property.id.uuid());
    Ok(page.of(homes, place, |home| PropertyView::from(&home)))
}

/// A home
///
/// Published homes are for everybody; whoever signs in sees their own in any status.
#[utoipa::path(get, path = "/properties/{id}", tag = "properties", security((), ("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = PropertyView)))]
async fn show(
    MaybeCaller(caller): MaybeCaller,
    State(app): State<App>,
    Path(id): Path<PropertyId>,
) -> Result<(HeaderMap, crate::body::Json<PropertyView>), Problem> {
    let home = hosting::home(&app, caller.map(|caller| caller.id), id).await?;
    Ok((tagged(&home), crate::body::Json(PropertyView::from(&home))))
}

/// Change a home, publish or pause it
///
/// A JSON Merge Patch (RFC 7396). Bookings and unexpired quotes keep what was agreed.
#[utoipa::path(patch, path = "/properties/{id}", tag = "properties", security(("bearer" = [])), params(("id" = String, Path), IfMatchHeader),
    request_body(content = Body, content_type = "application/merge-patch+json"), responses((status = 200, body = PropertyView)))]
async fn change(
    host: Host,
    State(app): State<App>,
    Path(id): Path<PropertyId>,
    IfMatch(expected): IfMatch,
    patch: MergePatch<Body>,
) -> Result<(HeaderMap, crate::body::Json<PropertyView>), Problem> {
    let (status, units) = (patch.said.status.map(Into::into), patch.said.units);
    let change = move |sketch: Sketch| patch.over(&Body::from(sketch))?.try_into();
    let home = hosting::edit(&app, host.id, id, Wish { expected, change, status, units }).await?;
    Ok((tagged(&home), crate::body::Json(PropertyView::from(&home))))
}

/// The tag under which a home can be changed; who may not change it gets the one of its bytes.
fn tagged(home: &Home) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if home.own {
        let tag = of_version(home.property.version).try_into().expect("a number in quotes is a header");
        headers.insert(header::ETAG, tag);
    }
    headers
}
