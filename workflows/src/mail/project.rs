//! The row of a letter: that a person was told, about what, and whether the post took it.

use engine::{Changed, Project, ProjectError, Tx};
use sea_orm::DbErr;
use store::notifications::{self, Notification};

use super::Mail;

impl Project<Tx> for Mail {
    type Error = DbErr;

    const ROWS: &'static [(&'static str, &'static str)] = &[("notification", "id")];

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let rows: Vec<Notification> = changed.iter().map(row).collect();
        Ok(notifications::put(&**tx, &rows).await?)
    }
}

fn row(changed: &Changed<Mail>) -> Notification {
    let message = &changed.input;
    Notification {
        id: message.notification(),
        user: message.to,
        letter: message.letter.as_str().to_owned(),
        booking: message.about.booking_id(),
        status: changed.state.status(),
        // Only the first turn's instant is kept.
        created_at: changed.at,
        read_at: None,
    }
}
