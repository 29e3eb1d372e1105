//! The logins of a person: seen and ended by them.

use domain::{SessionId, UserId};
use store::sessions::{self, Revoked, Session};

use super::login::SignedIn;
use crate::Error;
use crate::app::App;

/// A person's live sessions, newest first: at most `limit` after the one named `after`.
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, user: UserId, after: Option<SessionId>, limit: u64) -> Result<Vec<Session>, Error> {
    let all = sessions::of_user(app.reader(), user, app.wall()).await?;
    // Ids sort by birth, and nobody has so many sessions that reading them all would hurt.
    let older = all.into_iter().filter(|session| after.is_none_or(|after| session.id < after));
    Ok(older.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
}

/// Ends one of a person's sessions; its access tokens stop counting at once, on every machine.
///
/// # Errors
/// [`Error::NotFound`] when it is not theirs or already over.
pub async fn revoke(app: &App, user: UserId, session: SessionId) -> Result<(), Error> {
    if end(app, user, session, "revoked").await? { Ok(()) } else { Err(Error::NotFound) }
}

/// Signs out: ends the session that asks. Twice is as good as once.
///
/// # Errors
/// When the database fails.
pub async fn logout(app: &App, SignedIn { user, session, role: _ }: SignedIn) -> Result<(), Error> {
    end(app, user, session, "logout").await.map(|_| ())
}

async fn end(app: &App, user: UserId, session: SessionId, why: &'static str) -> Result<bool, Error> {
    let app = app.clone();
    engine::detached(async move {
        let tx = app.engine.begin().await?;
        let revoked = Revoked { at: app.wall(), why: why.to_owned() };
        let ended = sessions::revoke(&*tx, user, session, &revoked).await?;
        tx.commit().await?;
        Ok(ended)
    })
    .await
}
