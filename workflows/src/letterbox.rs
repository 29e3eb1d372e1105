//! The messages that a person was sent, as they see them beside their mail.

use domain::{NotificationId, UserId};
use engine::detached;
use store::Page;
use store::notifications::{self, Notification};

use crate::{App, Error};

/// A person's messages, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, person: UserId, page: Page) -> Result<Vec<Notification>, Error> {
    Ok(notifications::list_of_user(app.reader(), person, &page).await?)
}

/// Notes that a person has read one of their messages; said again, the first time stays.
///
/// # Errors
/// [`Error::NotFound`] when it is not theirs.
pub async fn read(app: &App, person: UserId, id: NotificationId) -> Result<Notification, Error> {
    let app = app.clone();
    detached(async move {
        let tx = app.engine.begin().await?;
        let now = tx.now().await?;
        if !notifications::mark_read(&*tx, person, id, now).await? {
            return Err(Error::NotFound);
        }
        let read = notifications::of_user(&*tx, person, id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        Ok(read)
    })
    .await
}
