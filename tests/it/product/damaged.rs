//! What an operator reads when parts of the data are broken: what is broken is named, the rest is shown, and the exit code is 1.

use anyhow::{Context, Result};
use harness::program::Finished;
use sea_orm::ConnectionTrait;
use serde_json::Value;

use super::at_rest::{AtRest, redacted};

/// What a command says that could not read everything, and did not complain.
async fn says(there: &AtRest, words: &str) -> Result<String> {
    let Finished { code, printed, complained } = there.installation.run(words).await?;
    assert_eq!((code, complained.as_str()), (Some(1), ""), "{words}: {printed}");
    Ok(printed)
}

async fn spoil(there: &AtRest, sql: &str) -> Result<()> {
    let db = there.database().await?;
    anyhow::ensure!(db.execute_unprepared(sql).await?.rows_affected() > 0, "{sql} spoils nothing");
    Ok(db.close().await?)
}

/// What a command says while something is damaged, as text and as JSON; mended, it has nothing to say of it.
async fn spoiled(there: &AtRest, (damage, mend): (&str, &str), words: &str) -> Result<String> {
    spoil(there, damage).await?;
    let said = says(there, words).await?;
    let told: Value = serde_json::from_str(&says(there, &format!("{words} --json")).await?)?;
    let named = told.get("unreadable").or_else(|| told.get("damaged")).and_then(Value::as_array);
    let named = named.with_context(|| format!("{words} --json names what is damaged: {told}"))?.len();
    assert_eq!(said.matches("UNREADABLE").count(), named, "{words}: {said}");
    spoil(there, mend).await?;
    there.says(words).await?;
    Ok(redacted(&said))
}

#[tokio::test]
async fn a_damaged_run_is_shown_as_far_as_it_can_be_read() -> Result<()> {
    let there = AtRest::prepare().await?;
    let show = format!("workflow show {}", there.booking);
    let of_booking = "(select id from workflow_run where workflow = 'booking')";
    let run = (
        "update workflow_run set unexpected = 'many', updated_at = 'soon' where workflow = 'booking'",
        "update workflow_run set unexpected = 0, updated_at = created_at where workflow = 'booking'",
    );
    insta::assert_snapshot!("show_a_run", spoiled(&there, run, &show).await?);
    let turn = (
        format!("update workflow_journal set attempts = 'many' where seq = 0 and run = {of_booking}"),
        format!("update workflow_journal set attempts = 0 where seq = 0 and run = {of_booking}"),
    );
    insta::assert_snapshot!("show_a_turn", spoiled(&there, (&turn.0, &turn.1), &show).await?);
    let work = (
        "update workflow_work set kind = 9 where name = 'RemindHalf'",
        "update workflow_work set kind = 1 where name = 'RemindHalf'",
    );
    insta::assert_snapshot!("show_work", spoiled(&there, work, &show).await?);
    let child = (
        "update workflow_run set unexpected = 'many' where workflow = 'payment'",
        "update workflow_run set unexpected = 0 where workflow = 'payment'",
    );
    insta::assert_snapshot!("show_a_child", spoiled(&there, child, &show).await?);
    Ok(())
}

/// An event or a state that no code of ours can read is text like any other to the database.
#[tokio::test]
async fn what_contradicts_the_journal_is_named() -> Result<()> {
    let there = AtRest::prepare().await?;
    there.installation.is_forged();
    let show = format!("workflow show {}", there.booking);
    spoil(&there, "update workflow_run set state = '\"Nowhere\"' where workflow = 'booking'").await?;
    let said = says(&there, &show).await?;
    assert!(said.contains("UNREADABLE  the run's state  it is not the one that its journal leads to"), "{said}");
    spoil(&there, "update workflow_journal set event = '{' where seq = 1 and key like 'tell:%'").await?;
    let said = says(&there, &show).await?;
    assert!(said.contains("UNREADABLE  the journal  turn 1: "), "{said}");
    assert!(said.contains("what it queued is not known to this build") && said.contains("event   {\n"), "{said}");
    spoil(&there, "delete from workflow_journal where seq = 1 and key like 'tell:%'").await?;
    let said = says(&there, &show).await?;
    assert!(
        said.contains("UNREADABLE  turn 1  it is missing") && said.contains("what became of it cannot be read"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_counted_is_named_beside_the_counts() -> Result<()> {
    let there = AtRest::prepare().await?;
    let state = (
        "update workflow_run set state_name = x'ff', shape = 'new' where workflow = 'booking'",
        "update workflow_run set state_name = 'AwaitingHost', shape = 1 where workflow = 'booking'",
    );
    insta::assert_snapshot!("census_of_states", spoiled(&there, state, "workflow census").await?);
    let kind = (
        "update workflow_work set kind = 9 where name = 'RemindHalf'",
        "update workflow_work set kind = 1 where name = 'RemindHalf'",
    );
    insta::assert_snapshot!("census_of_work", spoiled(&there, kind, "workflow census booking").await?);
    spoil(&there, "update workflow_work set workflow = 'bookings' where name = 'RemindHalf'").await?;
    let strange = there.says("workflow census").await?;
    assert!(strange.contains("bookings: NOT KNOWN to this build\n  timer   RemindHalf"), "{strange}");
    Ok(())
}

#[tokio::test]
async fn damaged_queues_and_brakes_are_named_beside_the_others() -> Result<()> {
    let there = AtRest::prepare().await?;
    there.installation.run("queue pause photos --why dark --write").await?;
    there.installation.run("party pause gateway --why strike --write").await?;
    let due = (
        "update workflow_work set not_before = 'soon' where name = 'RemindHalf'",
        "update workflow_work set not_before = due where name = 'RemindHalf'",
    );
    insta::assert_snapshot!("queue_list_due", spoiled(&there, due, "queue list").await?);
    insta::assert_snapshot!("queue_depth_due", spoiled(&there, due, "queue depth engine").await?);
    let name = (
        "update workflow_work set queue = x'ff' where name = 'RemindHalf'",
        "update workflow_work set queue = 'engine' where name = 'RemindHalf'",
    );
    insta::assert_snapshot!("queue_list_name", spoiled(&there, name, "queue list").await?);
    insta::assert_snapshot!("queue_depth_name", spoiled(&there, name, "queue depth mail").await?);
    let brake = (
        "update workflow_brake set failures = 'many' where name = 'gateway'",
        "update workflow_brake set failures = 0 where name = 'gateway'",
    );
    insta::assert_snapshot!("queue_list_brake", spoiled(&there, brake, "queue list").await?);
    insta::assert_snapshot!("party_list_brake", spoiled(&there, brake, "party list").await?);
    // What is wrong elsewhere is nobody's business here.
    spoil(&there, due.0).await?;
    there.says("queue depth mail").await?;
    spoil(&there, due.1).await
}

#[tokio::test]
async fn a_damaged_schedule_is_named_beside_the_others() -> Result<()> {
    let there = AtRest::prepare().await?;
    there.says("schedule pause payouts --why strike --write").await?;
    let pause = (
        "update schedule_state set paused_at = 'then' where schedule = 'payouts'",
        "update schedule_state set paused_at = 0 where schedule = 'payouts'",
    );
    let said = spoiled(&there, pause, "schedule list").await?;
    assert!(said.lines().any(|line| line.starts_with("UNREADABLE  payouts  ")), "{said}");
    assert_eq!(said.matches("chore_").count(), 7, "the others are shown: {said}");
    Ok(())
}
