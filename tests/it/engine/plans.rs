//! What is asked again and again is found by an index, however much else there is.

use super::switchboard::{Line, Plan, World, order};
use super::toy::{connect, count};
use engine::Databases;
use engine::testkit::{a_claim, a_sealing, an_archiving, looks_at_leases};
use harness::{Backend, TestDatabase, on_both, wait};
use sea_orm::{ConnectionTrait, Statement, Value};
use std::time::Duration;
use uuid::Uuid;

on_both!(
    a_look_at_the_leases_reads_leases_alone,
    a_claim_reads_what_is_due_alone,
    the_archive_reads_what_is_kept_by_its_age
);

async fn a_look_at_the_leases_reads_leases_alone(db: TestDatabase) {
    let open = connect(&db).await;
    let parameters: [Value; 2] = [12_000_000_i64.into(), Uuid::nil().into()];
    for (sql, parameter) in looks_at_leases(open.backend()).into_iter().zip(parameters) {
        let plan = plan(&db, &open, Statement::from_sql_and_values(open.backend(), sql, [parameter])).await;
        assert!(plan.contains("workflow_work_leased"), "{plan}");
        let whole = ["Seq Scan on workflow_work", "SCAN workflow_work USING PRIMARY"];
        assert!(!whole.iter().any(|whole| plan.contains(whole)), "{plan}");
    }
}

/// The index is a partial one: a claim that does not say that it wants nothing leased cannot be answered from it.
async fn a_claim_reads_what_is_due_alone(db: TestDatabase) {
    let open = connect(&db).await;
    let plan = plan(&db, &open, a_claim(open.backend())).await;
    let looks = plan.matches("workflow_work_due").count();
    let each = match db.backend {
        Backend::Postgres => 3,
        Backend::Sqlite => 6,
    };
    assert_eq!(looks, each, "one for each priority (SQLite: of each queue)\n{plan}");
}

async fn the_archive_reads_what_is_kept_by_its_age(db: TestDatabase) {
    let open = connect(&db).await;
    let plan = plan(&db, &open, an_archiving(open.backend())).await;
    assert!(plan.contains("workflow_run_kept") && !plan.contains("Sort") && !plan.contains("TEMP B-TREE"), "{plan}");
}

/// A turn's new version of a run stays in its page and enters no index, the last one too.
#[test]
fn a_turn_of_a_run_enters_no_index() {
    harness::both::run(Backend::Postgres, |db| async move {
        const RUNS: i64 = 40;
        let board = Plan::default().open(&db, &World::default()).await;
        board.order(1..=RUNS.unsigned_abs().into(), &order(Line::Phone)).await;
        board.engine.settle().await.unwrap();
        let finished = count(&db, "select count(*) from workflow_run where status = 1").await;
        assert_eq!(finished, RUNS);
        // What a connection has counted is known when it ends.
        let end =
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'innkeeper writ%'
            and datname = current_database()";
        count(&db, end).await;
        let counted = async |what: &str| {
            count(&db, &format!("select {what} from pg_stat_user_tables where relname = 'workflow_run'")).await
        };
        let all = async || (counted("n_tup_upd").await >= RUNS).then_some(());
        wait::until(Duration::from_secs(20), "the server has counted every turn", all).await.unwrap();
        assert_eq!(
            counted("n_tup_upd - n_tup_hot_upd").await,
            0,
            "a turn has moved a run out of its page, or entered an index"
        );
    });
}

/// A bitmap would read whatever was sealed since the last vacuum, each time: what an index scan finds dead it marks, and passes over
/// the next time.
#[test]
fn a_sealer_walks_through_the_index_of_what_is_unsealed() {
    harness::both::run(Backend::Postgres, |db| async move {
        let open = connect(&db).await;
        let tx = harness::begin(open.write().pool()).await.unwrap();
        let (lead, unsealed) = a_sealing();
        tx.execute_raw(lead).await.unwrap();
        let explain = Statement::from_string(open.backend(), format!("explain {unsealed}"));
        let rows = tx.query_all_raw(explain).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("Index Scan using event_log_unsealed") && !plan.contains("Bitmap"), "{plan}");
        tx.rollback().await.unwrap();
    });
}

/// How the database means to carry a statement out.
async fn plan(db: &TestDatabase, open: &Databases, ask: Statement) -> String {
    let (explain, column) = match db.backend {
        Backend::Postgres => ("explain", 0),
        Backend::Sqlite => ("explain query plan", 3),
    };
    let ask = Statement { sql: format!("{explain} {}", ask.sql), ..ask };
    let rows = open.write().query_all_raw(ask).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.try_get_by_index(column).unwrap()).collect();
    lines.join("\n")
}
