//! What an operator does by hand, word for word: told first, done with `--write`, and then it is so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use harness::program::Finished;
use harness::wait;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;

use super::at_rest::{AtRest, redacted};
use super::installation::LIMIT;

type Content = BTreeMap<String, Vec<String>>;

/// A session at the console: what was typed, what was answered and logged, and which tables that changed.
#[derive(Default)]
struct Session(String);

impl Session {
    /// Types a command that succeeds.
    async fn types(&mut self, there: &AtRest, words: &str) -> Result<String> {
        let before = there.content().await?;
        let Finished { code, printed: said, complained } = there.installation.run(words).await?;
        ensure!(code == Some(0), "{words}: {said}{complained}");
        let changed = changed(&before, &there.content().await?);
        ensure!(words.contains("--write") || changed.is_empty(), "{words} was not to change {changed:?}");
        ensure!(
            !words.contains("--json") || serde_json::from_str::<Value>(&said).is_ok(),
            "{words} says no JSON: {said}"
        );
        writeln!(self.0, "$ innkeeper {words}\n{}", said.trim_end())?;
        complained.lines().try_for_each(|line| writeln!(self.0, "(log) {line}"))?;
        if !changed.is_empty() {
            writeln!(self.0, "# changed: {}", changed.join(", "))?;
        }
        Ok(said)
    }

    /// Every form of an act: told, done, and done again when there is nothing left to do.
    async fn act(&mut self, there: &AtRest, words: &str) -> Result<()> {
        for form in ["", " --json", " --write --actor usr_olga", " --write --json --actor usr_olga"] {
            self.types(there, &format!("{words}{form}")).await?;
        }
        Ok(())
    }
}

fn changed<'a>(before: &'a Content, after: &Content) -> Vec<&'a str> {
    // What a table numbers its rows with is nobody's business.
    let tables =
        before.iter().filter(|(table, rows)| !table.starts_with("sqlite_") && after.get(*table) != Some(*rows));
    tables.map(|(table, _)| table.as_str()).collect()
}

#[tokio::test]
async fn what_is_held_back_and_let_go_by_hand() -> Result<()> {
    let there = AtRest::prepare().await?;
    for (name, kind, thing) in
        [("queue", "queue", "mail"), ("workflow", "workflow", "booking"), ("party", "party", "gateway")]
    {
        let mut session = Session::default();
        session.act(&there, &format!("{kind} pause {thing} --why strike")).await?;
        let held: Value = serde_json::from_str(&there.says("queue list --json").await?)?;
        assert_eq!(held["brakes"][0]["target"], serde_json::json!({"kind": kind, "name": thing}), "{held}");
        session.act(&there, &format!("{kind} resume {thing}")).await?;
        insta::assert_snapshot!(format!("hold_{name}"), redacted(&session.0));
    }
    let mut width = Session::default();
    width.act(&there, "queue limit mail --at-once 2").await?;
    width.types(&there, "queue list").await?;
    width.act(&there, "queue limit mail --none").await?;
    insta::assert_snapshot!("limit_queue", redacted(&width.0));
    for words in ["queue limit mail", "queue limit mail --at-once 0", "queue limit mail --at-once 2 --none"] {
        assert_eq!(there.installation.run(words).await?.code, Some(2), "{words}");
    }
    let mut parties = Session::default();
    parties.types(&there, "party list").await?;
    parties.types(&there, "party list --json").await?;
    insta::assert_snapshot!("party_list", redacted(&parties.0));
    for words in
        ["queue pause nothing --why x", "workflow resume nothing", "party pause nothing --why x --write --json"]
    {
        let refused = there.installation.run(words).await?;
        assert_eq!((refused.code, refused.printed.as_str()), (Some(1), ""), "{words}");
        assert!(refused.complained.contains("there is no"), "{words}: {}", refused.complained);
    }
    Ok(())
}

#[tokio::test]
async fn schedules_are_run_paused_and_resumed_by_hand() -> Result<()> {
    let there = AtRest::prepare().await?;
    let mut session = Session::default();
    session.act(&there, "schedule run payouts").await?;
    session.act(&there, "schedule pause payouts --why strike").await?;
    let listed: Value = serde_json::from_str(&there.says("schedule list --json").await?)?;
    let schedules = listed["data"].as_array().context("a list")?;
    let payouts = schedules.iter().find(|one| one["name"] == "payouts").context("it is listed")?;
    assert_eq!((&payouts["paused"]["by"], &payouts["next"]), (&Value::from("usr_olga"), &Value::Null), "{payouts}");
    assert_eq!(payouts["last"]["manual_by"], "usr_olga", "{payouts}");
    session.act(&there, "schedule resume payouts").await?;
    insta::assert_snapshot!("schedule", redacted(&session.0));
    let refused = there.installation.run("schedule run chore_forget_jobs --write").await?;
    assert!(refused.code == Some(1) && refused.complained.contains("is housekeeping"), "{}", refused.complained);
    Ok(())
}

/// A letter that waits, because its queue is held back, for a person.
async fn park_a_letter(there: &AtRest) -> Result<String> {
    there.installation.run("queue pause mail --why strike --write").await?;
    there.says(&format!("workflow cancel {} --write", there.booking)).await?;
    let served = there.installation.serve("up").await?;
    let waits = async || {
        let depth: Value =
            serde_json::from_str(&there.installation.run("queue depth mail --json").await.ok()?.printed).ok()?;
        (depth["ready"].as_i64()? >= 2).then_some(())
    };
    wait::until(LIMIT, "the letters to wait", waits).await?;
    served.stop().await?;
    let db = there.database().await?;
    let park = "update workflow_work set not_before = $1, attempt = 1, error_class = 'unknown', last_error = 'the post hung up'
        where (run, seq, n) = (select w.run, w.seq, w.n from workflow_work w join workflow_run r on r.id = w.run where r.key like '%:canceled:guest' and w.kind = 0)";
    let park = Statement::from_sql_and_values(db.get_database_backend(), park, [i64::MAX.into()]);
    ensure!(db.execute_raw(park).await?.rows_affected() == 1, "one letter is parked");
    db.close().await?;
    let parked = there.says("workflow parked --workflow mail").await?;
    Ok(parked.split_whitespace().next().context("parked work has an id")?.to_owned())
}

#[tokio::test]
async fn an_operator_answers_for_a_letter_by_hand() -> Result<()> {
    let there = AtRest::prepare().await?;
    let work = park_a_letter(&there).await?;
    let run = format!("run_{}", work.split(':').next().context("work is named by its run")?);
    let mut session = Session::default();
    let resolve = format!("workflow resolve {work} --event \"Delivered\"");
    session.types(&there, &resolve).await?;
    session.types(&there, &format!("{resolve} --json")).await?;
    let nonsense = there.installation.run(&format!("workflow resolve {work} --event \"Lost\" --write")).await?;
    assert_eq!(nonsense.code, Some(1), "{}", nonsense.printed);
    assert!(nonsense.printed.contains("0 done, 1 refused"), "{}", nonsense.printed);
    assert!(!there.says(&format!("workflow show {run}")).await?.contains("is Sent"), "it still waits");

    session.types(&there, &format!("{resolve} --write --json --actor usr_olga")).await?;
    let shown = session.types(&there, &format!("workflow show {run}")).await?;
    assert!(shown.contains("is Sent, finished") && shown.contains("by usr_olga"), "{shown}");
    let again = there.installation.run(&format!("{resolve} --write")).await?;
    assert!(again.code == Some(1) && again.complained.contains("is not parked"), "{}", again.complained);
    insta::assert_snapshot!("workflow_resolve", redacted(&session.0));
    Ok(())
}

/// The whole story of a booking: letters that went out, one of them at the second try, and money that was posted.
#[tokio::test]
async fn a_story_has_every_try_every_letter_and_every_posting() -> Result<()> {
    let there = AtRest::prepare().await?;
    let work = park_a_letter(&there).await?;
    there.installation.run("queue resume mail --write").await?;
    there.says("workflow retry --workflow mail --write").await?;
    let served = there.installation.serve("up").await?;
    let done = async || {
        let queues: Value =
            serde_json::from_str(&there.installation.run("queue list --json").await.ok()?.printed).ok()?;
        let waits = |queue: &Value| queue["queue"] == "mail" || queue["ready"] != 0 || queue["leased"] != 0;
        (!queues["data"].as_array()?.iter().any(waits)).then_some(())
    };
    wait::until(LIMIT, "every letter to go out", done).await?;
    served.stop().await?;
    let mail = format!("workflow show run_{}", work.split(':').next().context("work is named by its run")?);
    insta::assert_snapshot!("show_a_letter", redacted(&there.says(&mail).await?));
    let booking = there.says(&format!("workflow show {}", there.booking)).await?;
    // The gateway's own notices come to the payment when they come: its story, and the number of the turn that it tells from, vary.
    let (until_canceled, voided) = booking.split_once("\n   3  ").context("the payment tells of its end")?;
    insta::assert_snapshot!("show_a_booking", redacted(until_canceled));
    assert!(voided.contains(r#"event   {"PaymentVoided":"#), "{voided}");
    let payment =
        booking.split_whitespace().skip_while(|word| *word != "payment").nth(1).context("it has a payment")?;
    let payment = there.says(&format!("workflow show {}", payment.trim_end_matches(':'))).await?;
    for (line, times) in [("effect  Void: answered, turn ", 1), ("posted  ledger #", 2)] {
        assert_eq!(payment.matches(line).count(), times, "{line}: {payment}");
    }
    Ok(())
}

#[tokio::test]
async fn runs_and_parked_work_are_acted_on_by_hand() -> Result<()> {
    let there = AtRest::prepare().await?;
    let mut session = Session::default();
    for words in ["workflow retry --all".to_owned(), format!("workflow cancel {}", there.booking)] {
        for form in ["", " --json", " --write --json --actor usr_olga"] {
            session.types(&there, &format!("{words}{form}")).await?;
        }
    }
    session.types(&there, "workflow retry --all --write").await?;
    insta::assert_snapshot!("workflow_acts", redacted(&session.0));
    let db = there.database().await?;
    db.execute_unprepared("update booking set phase = 'awaiting_host', seq = 99").await?;
    let mut session = Session::default();
    for form in ["", " --write", " --write --json"] {
        session.types(&there, &format!("workflow reproject booking{form}")).await?;
    }
    insta::assert_snapshot!("reproject", redacted(&session.0));
    Ok(())
}
