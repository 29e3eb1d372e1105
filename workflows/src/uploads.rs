//! Announced files, where they are kept in a folder of our own: what an object store would otherwise do at its own address.

use std::sync::Arc;

use engine::Refusal;
use integrations::objects::{LocalObjects, UploadGrant, UploadRefused};

use crate::{App, Error};

fn of(app: &App) -> Result<&Arc<LocalObjects>, Error> {
    app.uploads.as_ref().ok_or(Error::NotFound)
}

/// What an upload address permits.
///
/// # Errors
/// [`Error::NotFound`] for an address that is not ours; [`Error::Gone`] for one that is too old.
pub async fn grant(app: &App, token: &str) -> Result<UploadGrant, Error> {
    of(app)?.grant(token, app.engine.now().await?).map_err(not_taken)
}

/// Takes an upload that fits its permission to the letter.
///
/// # Errors
/// As [`grant`]; another type or length than was agreed.
pub async fn receive(app: &App, token: &str, content_type: &str, body: Vec<u8>) -> Result<(), Error> {
    let folder = of(app)?;
    let now = app.engine.now().await?;
    folder.accept_upload(token, content_type, body, now).await.map(|_| ()).map_err(not_taken)
}

fn not_taken(why: UploadRefused) -> Error {
    match why {
        UploadRefused::Forged => Error::NotFound,
        UploadRefused::Expired => Error::Gone(Refusal::new("link_expired", "the upload address is too old")),
        UploadRefused::WrongType { .. } => Error::flaw("", "content_type", "another Content-Type was announced"),
        UploadRefused::WrongLength { .. } => Error::flaw("", "length", "another length was announced"),
        UploadRefused::NotStored(why) => not_stored(&why),
    }
}

/// A store that is full or away for a while takes the same file later.
fn not_stored(why: &integrations::Error) -> Error {
    match why {
        integrations::Error::Transient { .. } | integrations::Error::Unknown { .. } => {
            tracing::warn!(error = %why, "a file could not be kept");
            Error::Busy("the store of files")
        }
        integrations::Error::Misconfigured { .. } => Error::Broken(why.to_string().into()),
    }
}
