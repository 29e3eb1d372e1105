//! Faults for everybody who uses the gateway's file, whatever the process: how tests make a provider slow, down or lossy.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::SandboxGateway;
use super::file::{File, detached, unavailable};
use crate::Error;

/// Something wrong with the provider, until it is used up or cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing can be reached.
    Down,
    /// Every call takes this much longer.
    Slow(Duration),
    /// So many calls are turned away with "come back in a second".
    RateLimited(u32),
    /// So many calls fail inside the provider before anything is done, which a caller cannot know.
    Error500(u32),
    /// So many calls are carried out and their answers lost.
    TimeoutAfterCommit(u32),
    /// Every webhook is sent twice.
    WebhooksTwice,
    /// Webhooks that are due together are sent last first.
    WebhooksReversed,
}

impl Fault {
    /// The row it is stored as: one of each kind can be in force.
    fn row(self) -> (&'static str, i64) {
        match self {
            Self::Down => ("down", 1),
            Self::Slow(delay) => ("slow", i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)),
            Self::RateLimited(calls) => ("rate_limited", calls.into()),
            Self::Error500(calls) => ("error_500", calls.into()),
            Self::TimeoutAfterCommit(calls) => ("timeout_after_commit", calls.into()),
            Self::WebhooksTwice => ("webhooks_twice", 1),
            Self::WebhooksReversed => ("webhooks_reversed", 1),
        }
    }
}

impl SandboxGateway {
    /// Puts a fault in force, in place of an earlier one of its kind.
    pub async fn set_fault(&self, fault: Fault) -> Result<(), Error> {
        let (kind, amount) = fault.row();
        let file = self.file.clone();
        detached(async move {
            let mut write = file.begin().await?;
            sqlx::query("INSERT OR REPLACE INTO fault (kind, amount) VALUES (?, ?)")
                .bind(kind)
                .bind(amount)
                .execute(write.connection())
                .await
                .map_err(unavailable)?;
            write.commit().await
        })
        .await
    }

    /// Ends all faults.
    pub async fn clear_faults(&self) -> Result<(), Error> {
        let file = self.file.clone();
        detached(async move {
            let mut write = file.begin().await?;
            sqlx::query("DELETE FROM fault").execute(write.connection()).await.map_err(unavailable)?;
            write.commit().await
        })
        .await
    }

    /// What stands between a caller and the provider's front door.
    pub(super) async fn before_calling(&self) -> Result<(), Error> {
        self.check_key()?;
        for (kind, amount) in in_force(&self.file).await? {
            match kind.as_str() {
                "down" => return Err(Error::transient("the sandbox gateway is down")),
                "slow" => tokio::time::sleep(Duration::from_millis(u64::try_from(amount).unwrap_or(0))).await,
                "rate_limited" if use_up(&self.file, "rate_limited").await? => {
                    let retry_after = Some(Duration::from_secs(1));
                    return Err(Error::Transient { what: "the sandbox gateway answered 429".to_owned(), retry_after });
                }
                "error_500" if use_up(&self.file, "error_500").await? => {
                    return Err(Error::unknown("the sandbox gateway answered 500"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The same for calls that change nothing: whatever fails, nothing was done.
    pub(super) async fn before_reading(&self) -> Result<(), Error> {
        match self.before_calling().await {
            Err(Error::Unknown { what }) => Err(Error::transient(what)),
            other => other,
        }
    }
}

pub(super) async fn in_force(file: &File) -> Result<Vec<(String, i64)>, Error> {
    let faults = sqlx::query_as("SELECT kind, amount FROM fault WHERE amount > 0 ORDER BY kind");
    faults.fetch_all(file.reader()).await.map_err(unavailable)
}

async fn use_up(file: &File, kind: &'static str) -> Result<bool, Error> {
    let file = file.clone();
    detached(async move {
        let mut write = file.begin().await?;
        let hit = use_up_in(write.connection(), kind).await?;
        write.commit().await?;
        Ok(hit)
    })
    .await
}

/// Takes one off a fault that is counted; whether there was one left.
pub(super) async fn use_up_in(tx: &mut SqliteConnection, kind: &str) -> Result<bool, Error> {
    let used = sqlx::query("UPDATE fault SET amount = amount - 1 WHERE kind = ? AND amount > 0").bind(kind);
    Ok(used.execute(tx).await.map_err(unavailable)?.rows_affected() == 1)
}
