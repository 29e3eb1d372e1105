//! Photographs of a home: announced, uploaded straight to the object store, then developed by a run of their own.

use chrono::TimeDelta;
use domain::{ImageId, PropertyId, UserId};
use engine::{EventKey, Origin, TurnError};
pub use integrations::objects::Object;
use integrations::objects::{UploadGrant, UploadTarget};
use store::images::{self, Image};
use store::{ImageStatus, properties};

use crate::idempotency::{Answer, Once};
use crate::photo::{self, Photo, Upload};
use crate::{App, Error};

const TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
const MAX_BYTES: u64 = 20 * 1024 * 1024;
const MAX_PHOTOGRAPHS: usize = 50;
const MAX_CAPTION: usize = 300;
/// How long an upload address works.
const WINDOW: TimeDelta = TimeDelta::hours(1);

/// A file that a host is about to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// What kind of file.
    pub content_type: String,
    /// How many bytes exactly.
    pub bytes: u64,
    /// What it shows.
    pub caption: Option<String>,
}

impl Announced {
    fn check(&self) -> Result<(), Error> {
        let Self { content_type, bytes, caption } = self;
        if content_type == "image/heic" || content_type == "image/heif" {
            return Err(Error::flaw("/content_type", "heic", "HEIC is not taken yet; send JPEG, PNG or WebP"));
        }
        if !TYPES.contains(&content_type.as_str()) {
            return Err(Error::flaw("/content_type", "unknown_value", "image/jpeg, image/png or image/webp"));
        }
        if !(1..=MAX_BYTES).contains(bytes) {
            return Err(Error::flaw("/bytes", "out_of_range", "from 1 byte to 20 MiB"));
        }
        if caption.as_ref().is_some_and(|text| text.chars().count() > MAX_CAPTION) {
            return Err(Error::flaw("/caption", "out_of_range", "at most 300 characters"));
        }
        Ok(())
    }
}

/// Makes room for a photograph and says where to send it; nothing is called, the address is computed.
///
/// # Errors
/// What in it can never be right; too many photographs.
pub async fn add_photograph(
    app: &App,
    host: UserId,
    (property, announced): (PropertyId, Announced),
    once: Once,
    render: impl FnOnce(&Image, &UploadTarget) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    announced.check()?;
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            properties::of_host(&**tx, host, property).await?.ok_or(Error::NotFound)?;
            let present = images::list_of_host(&**tx, host, property).await?;
            if present.len() >= MAX_PHOTOGRAPHS {
                return Err(Error::refused("too_many_photographs", "a home has at most 50 photographs"));
            }
            let now = tx.now().await?;
            let Announced { content_type, bytes, caption } = announced;
            let last = present.iter().map(|image| image.position).max();
            let image = Image {
                id: ImageId::mint(now, rand::random()),
                property,
                status: ImageStatus::AwaitingUpload,
                position: last.map_or(0, |position| position.saturating_add(1)),
                caption,
                content_type,
                bytes,
                found: None,
                variants: vec![],
                failure: None,
                created_at: now,
                updated_at: now,
            };
            images::put(&**tx, std::slice::from_ref(&image)).await?;
            let grant = UploadGrant {
                key: photo::upload_key(image.id),
                content_type: image.content_type.clone(),
                length: image.bytes,
                expires_at: now + WINDOW,
            };
            let target = app.ports.objects.presign_put(&grant).map_err(|why| Error::Broken(why.to_string().into()))?;
            Ok(render(&image, &target))
        })
    })
    .await
}

/// The host says that the file is there: its run begins; one that failed is tried again.
///
/// # Errors
/// [`Error::NotFound`]; what the run refuses.
pub async fn complete_upload(
    app: &App,
    host: UserId,
    (property, id): (PropertyId, ImageId),
    (once, origin): (Once, Origin),
    render: impl FnOnce(&Image) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    let key = once.event_key();
    once.carry_out(app, move |_, tx| {
        Box::pin(async move {
            let image = images::of_host(&**tx, host, property, id).await?.ok_or(Error::NotFound)?;
            develop(tx, &image, key, &origin).await?;
            let image = images::of_host(&**tx, host, property, id).await?.ok_or(Error::NotFound)?;
            Ok(render(&image))
        })
    })
    .await
}

async fn develop(tx: &engine::Tx, image: &Image, key: EventKey, origin: &Origin) -> Result<(), Error> {
    let run = photo::run_of(image.id);
    let moved = match image.status {
        ImageStatus::AwaitingUpload | ImageStatus::Uploaded => {
            let Image { id, property, content_type, bytes, created_at, .. } = image.clone();
            let upload = Upload { image: id, property, content_type, bytes, made_at: created_at };
            tx.start::<Photo>(run, &id.to_string(), &upload, origin).await
        }
        ImageStatus::Failed => tx.send::<Photo>(run, &photo::Event::TriedAgain, key, origin).await,
        ImageStatus::Processing | ImageStatus::Ready => return Ok(()),
    };
    match moved {
        Ok(_) | Err(TurnError::Duplicate) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A file that was made of a photograph, by its name among the variants.
///
/// # Errors
/// [`Error::NotFound`] for what was never made or is not ready; [`Error::Busy`] when the object store is away.
pub async fn photograph(app: &App, id: ImageId, name: &str) -> Result<Object, Error> {
    let image = images::of_anybody(app.reader(), id).await?.filter(|image| image.status == ImageStatus::Ready);
    let variant = image.into_iter().flat_map(|image| image.variants).find(|variant| variant.name == name);
    let variant = variant.ok_or(Error::NotFound)?;
    let file = app.ports.objects.get(&variant.key, variant.bytes).await.map_err(|why| {
        tracing::warn!(image.id = %id, error = %why, "a photograph's file could not be read");
        Error::Busy("the object store")
    })?;
    file.ok_or_else(|| Error::Broken(format!("the file {} of a photograph is gone", variant.key).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(content_type: &str, bytes: u64) -> Announced {
        Announced { content_type: content_type.to_owned(), bytes, caption: None }
    }

    #[test]
    fn only_photographs_of_a_bearable_size_are_taken() {
        assert!(announced("image/webp", 1).check().is_ok());
        for wrong in [
            announced("image/heic", 1),
            announced("text/html", 1),
            announced("image/png", 0),
            announced("image/png", MAX_BYTES + 1),
        ] {
            assert!(matches!(wrong.check(), Err(Error::Invalid(_))), "{wrong:?}");
        }
    }
}
