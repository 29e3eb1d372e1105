//! `/properties/{id}/images`: a photograph is announced, sent straight to the object store, and then declared complete;
//! `/media`: the files that were made of it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use domain::{ImageId, PropertyId};
use serde::{Deserialize, Serialize};
use store::images::{Image, Variant};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::hosting::{self, Announced, Object};
use workflows::idempotency::Answer;
use workflows::{App, Error};

use crate::body::Nothing;
use crate::caller::Host;
use crate::once::{Answered, Command};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(announce)).routes(routes!(complete)).routes(routes!(file))
}

/// A file that you are about to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Announcement {
    /// `image/jpeg`, `image/png` or `image/webp`.
    #[schema(example = "image/jpeg")]
    content_type: String,
    /// How many bytes exactly; at most 20 MiB.
    bytes: u64,
    /// What it shows.
    #[serde(default)]
    #[schema(max_length = 300)]
    caption: Option<String>,
}

/// A photograph.
#[derive(Serialize, ToSchema)]
#[schema(as = Photo)]
pub(in crate::endpoints) struct PhotoView {
    /// Names it.
    #[schema(value_type = String, example = "img_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: ImageId,
    /// `awaiting_upload`, `processing`, `ready` or `failed`.
    status: &'static str,
    /// Its place in the order, from 0.
    position: u16,
    /// What it shows.
    caption: Option<String>,
    /// Across, once it is ready.
    width: Option<u32>,
    /// Down.
    height: Option<u32>,
    /// From which a blurred placeholder can be drawn.
    blurhash: Option<String>,
    /// Its sizes and formats, once it is ready.
    variants: Vec<VariantView>,
    /// Why it could not be used.
    failure: Option<String>,
}

/// One size and format of a photograph.
#[derive(Serialize, ToSchema)]
#[schema(as = PhotoVariant)]
struct VariantView {
    /// Such as `320.webp`.
    name: String,
    /// Where it is, for ever: the same address never shows anything else.
    #[schema(example = "/media/img_0192f0c1a2b37c4d8e5f60718293a4b5/320.webp")]
    url: String,
    /// What kind of file.
    content_type: String,
    /// Across.
    width: u32,
    /// Down.
    height: u32,
    /// How large the file is.
    bytes: u64,
}

/// Where to send the file.
#[derive(Serialize, ToSchema)]
struct UploadView {
    /// Names the photograph.
    #[schema(value_type = String)]
    id: ImageId,
    /// The request to make, with the file as its body.
    upload: Target,
}

/// A request to make.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadTarget)]
struct Target {
    /// The HTTP method.
    method: &'static str,
    /// Where, signature included.
    url: String,
    /// Headers that must be sent exactly so.
    headers: BTreeMap<String, String>,
    /// Until when it works.
    expires_at: DateTime<Utc>,
}

impl From<&Image> for PhotoView {
    fn from(image: &Image) -> Self {
        let Image { id, status, position, caption, found, variants, failure, .. } = image.clone();
        let variant = |Variant { name, key: _, content_type, width, height, bytes }| VariantView {
            url: format!("/media/{id}/{name}"),
            name,
            content_type,
            width,
            height,
            bytes,
        };
        Self {
            id,
            status: status.as_str(),
            position,
            caption,
            width: found.as_ref().map(|found| found.width),
            height: found.as_ref().map(|found| found.height),
            blurhash: found.map(|found| found.blurhash),
            variants: variants.into_iter().map(variant).collect(),
            failure,
        }
    }
}

/// Announce a photograph
///
/// Answers with the request by which the file itself is sent; afterwards call `…/complete`.
#[utoipa::path(post, path = "/properties/{id}/images", tag = "properties", security(("bearer" = [])), params(("id" = String, Path)),
    request_body = Announcement, responses((status = 201, body = UploadView)))]
async fn announce(
    host: Host,
    State(app): State<App>,
    Path(property): Path<PropertyId>,
    command: Command<Announcement>,
) -> Result<Answered, Problem> {
    let (Announcement { content_type, bytes, caption }, once) = command.by(host.id);
    let announced = Announced { content_type, bytes, caption };
    let added = hosting::add_photograph(&app, host.id, (property, announced), once, |image, target| {
        let headers = target.headers.iter().cloned().collect();
        let (method, url, expires_at) = (target.method, target.url.clone(), target.expires_at);
        Answer::json(201, &UploadView { id: image.id, upload: Target { method, url, headers, expires_at } })
    });
    Ok(Answered(added.await?))
}

/// Say that a photograph was sent
///
/// It is made fit to be shown in the background; look at the home for its status. One that failed is tried again.
#[utoipa::path(post, path = "/properties/{id}/images/{image}/complete", tag = "properties", security(("bearer" = [])),
    params(("id" = String, Path), ("image" = String, Path)), responses((status = 202, body = PhotoView)))]
async fn complete(
    host: Host,
    State(app): State<App>,
    Path(which): Path<(PropertyId, ImageId)>,
    command: Command<Nothing>,
) -> Result<Answered, Problem> {
    let (Nothing {}, once) = command.by(host.id);
    let place = format!("/properties/{}", which.0);
    let begun = hosting::complete_upload(&app, host.id, which, (once, host.origin()), move |image| {
        Answer::json(202, &PhotoView::from(image)).with("location", place)
    });
    Ok(Answered(begun.await?))
}

/// A file of a photograph
///
/// Its addresses are in the `variants` of the home's `photos`. What is there never changes, so it may be kept for ever. Anybody who
/// knows the address may look: photographs are made to be shown, and their ids cannot be guessed.
#[utoipa::path(get, path = "/media/{image}/{file}", tag = "properties", params(("image" = String, Path), ("file" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/*")))]
async fn file(
    State(app): State<App>,
    Path((image, file)): Path<(ImageId, String)>,
) -> Result<impl IntoResponse, Problem> {
    let Object { bytes, content_type } = hosting::photograph(&app, image, &file).await?;
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    let kind = HeaderValue::try_from(content_type).map_err(|why| Error::Broken(why.to_string().into()))?;
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)], bytes))
}
