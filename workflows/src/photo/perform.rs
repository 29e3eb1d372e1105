//! The hands of a photograph: reads the upload, makes its files, keeps them.

use engine::{Attempt, Fault, Perform, faults};
use integrations::images::{Limits, Processed, RejectCode, Rejected, process};
use integrations::objects::SharedObjectStore;

use super::{Effect, Event, File, Photo, Picture, file_key, upload_key};
use crate::fault::outside;
use domain::ImageId;

/// Develops photographs.
#[derive(Clone)]
pub struct Darkroom {
    /// Where uploads lie and files go.
    pub objects: SharedObjectStore,
    /// How much of an upload we are willing to look at.
    pub limits: Limits,
}

impl Perform<Photo> for Darkroom {
    async fn perform(&self, cx: &Attempt<Photo>, Effect::Process: Effect) -> Result<Event, Fault> {
        let image = cx.input.image;
        let upload = match self.upload(image).await? {
            Ok(upload) => upload,
            Err(code) => return Ok(Event::Rejected { code: code.to_owned() }),
        };
        let limits = self.limits;
        // Half a second of pure computation: off the threads that answer people.
        let developed = tokio::task::spawn_blocking(move || process(&upload, limits)).await.map_err(Fault::poison)?;
        faults::point("photo_developed");
        match developed {
            Ok(processed) => self.keep(image, processed).await,
            Err(Rejected { code, .. }) => Ok(Event::Rejected { code: code.as_str().to_owned() }),
        }
    }
}

impl Darkroom {
    /// The upload, or the word for why there is none to look at.
    async fn upload(&self, image: ImageId) -> Result<Result<Vec<u8>, &'static str>, Fault> {
        let (key, limit) = (upload_key(image), self.limits.max_bytes as u64);
        let Some(head) = self.objects.head(&key).await.map_err(outside)? else { return Ok(Err("upload_missing")) };
        if head.bytes > limit {
            return Ok(Err(RejectCode::FileTooLarge.as_str()));
        }
        let object = self.objects.get(&key, limit).await.map_err(outside)?;
        Ok(object.map(|object| object.bytes).ok_or("upload_missing"))
    }

    /// The same upload makes the same files under the same keys, so a repeat replaces them with themselves.
    async fn keep(&self, image: ImageId, processed: Processed) -> Result<Event, Fault> {
        let Processed { variants, width, height, blurhash, sha256 } = processed;
        let mut files = Vec::with_capacity(variants.len());
        for variant in variants {
            let key = file_key(image, &variant.name);
            files.push(File {
                name: variant.name,
                width: variant.width,
                height: variant.height,
                content_type: variant.content_type.to_owned(),
                bytes: variant.bytes.len() as u64,
            });
            self.objects.put(&key, variant.bytes, variant.content_type).await.map_err(outside)?;
            faults::point("photo_file_kept");
        }
        Ok(Event::Processed { picture: Picture { width, height, blurhash, sha256, variants: files } })
    }
}
