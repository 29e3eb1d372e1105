//! Letters by the thousand, put into the database while nobody works: how long they take then is the workers' business alone.

use anyhow::{Context, Result};
use chrono::TimeDelta;
use domain::{Timestamp, UserId};
use engine::{Origin, RunId};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;
use workflows::mail::{About, Audience, Letter, Mail, Message};

use super::lab::Lab;
use crate::killed::seat::Role;

/// Begun at once.
const AT_ONCE: usize = 256;

/// Puts in so many letters to the same person; their runs are named by their numbers.
pub(super) async fn put(lab: &Lab, many: u32, run: impl Fn(u32, &Message) -> RunId) -> Result<()> {
    let rows = lab.witness.rows("select id from user_account order by id limit 1").await?;
    let to = UserId::from_uuid(rows.first().context("somebody is there")?.try_get_by_index::<Uuid>(0)?);
    let now = lab.witness.now().await?;
    let begun = (0..many).map(|n| {
        let message = about(to, now + TimeDelta::microseconds(n.into()));
        let run = run(n, &message);
        async move {
            let begun = lab.witness.engine.start::<Mail>(run, &message.key(), &message, Origin::default()).await;
            begun.map(drop).with_context(|| format!("begin {run}"))
        }
    });
    stream::iter(begun).buffer_unordered(AT_ONCE).try_collect().await
}

fn about(to: UserId, asked_at: Timestamp) -> Message {
    let about = About::Verification { asked_at };
    Message { letter: Letter::AddressInUse, to, audience: Audience::Account, about }
}

/// Ends the workers in good order; the APIs go on.
pub(super) async fn send_workers_home(lab: &Lab) -> Result<()> {
    for place in lab.of_role(Role::Worker).await {
        let well = lab.house.seats[place].lock().await.stop().await?;
        anyhow::ensure!(well, "a worker did not end in good order");
    }
    Ok(())
}

/// Starts them again.
pub(super) async fn call_workers_back(lab: &Lab) -> Result<()> {
    for place in lab.of_role(Role::Worker).await {
        lab.house.seats[place].lock().await.start()?;
    }
    Ok(())
}
