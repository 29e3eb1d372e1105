//! Every letter once: one file per run of the process `mail`, one run per occasion.
//!
//! The window that is documented for SMTP (a kill between the server's "250" and our commit) does not exist here: the folder keeps a
//! letter under its Message-ID, and the look-up finds it. So the count must be exact.

use std::collections::BTreeSet;

use anyhow::Result;
use uuid::Uuid;

use super::{Found, Scene};
use crate::killed::inbox;

pub(crate) async fn once(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let letters = inbox::read(&scene.house.letters())?;
    let mut files = BTreeSet::new();
    for letter in &letters {
        let run = letter.id.split('@').next().unwrap_or_default().to_owned();
        found.expect(files.insert(run), || format!("{} is there twice", letter.id));
    }
    let mut runs = BTreeSet::new();
    for row in scene.witness.rows("select id, key, state_name from workflow_run where workflow = 'mail'").await? {
        let (run, key, state): (Uuid, String, String) =
            (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        found.expect(state == "Sent", || format!("the letter {key} is {state}"));
        let run = run.simple().to_string();
        found.expect(files.contains(&run), || format!("the letter {key} is not in the folder"));
        runs.insert(run);
    }
    for file in files.difference(&runs) {
        found.add(format!("nobody wrote the letter {file}"));
    }
    twice(scene, found).await
}

/// What is about a booking as a whole is said to each side once.
async fn twice(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let sql = "select letter, count(*) as many from notification
        where booking_id is not null and letter not in ('payment_action_needed', 'card_declined', 'payment_returned')
        group by user_id, letter, booking_id having count(*) > 1";
    for row in scene.witness.rows(sql).await? {
        let (letter, many): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        found.add(format!("{letter} was written {many} times to one reader about one booking"));
    }
    Ok(())
}
