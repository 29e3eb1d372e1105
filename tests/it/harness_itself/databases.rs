//! Each test has a database of its own, and it is gone afterwards.

use anyhow::Result;
use harness::{Backend, TestDatabase, on_both};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

on_both!(
    a_fresh_database_has_todays_schema_and_nothing_in_it,
    a_database_belongs_to_one_test_alone,
    a_child_process_could_open_the_same_database,
);

async fn a_fresh_database_has_todays_schema_and_nothing_in_it(fresh: TestDatabase) -> Result<()> {
    assert_eq!(migrations::pending(&fresh.connection).await?, Vec::<String>::new());
    assert_eq!(fresh.connection.execute_unprepared("DELETE FROM workflow_run").await?.rows_affected(), 0);
    Ok(())
}

async fn a_database_belongs_to_one_test_alone(mine: TestDatabase) -> Result<()> {
    let theirs = TestDatabase::fresh(mine.backend).await?;
    mine.connection.execute_unprepared("CREATE TABLE scratch (n BIGINT)").await?;
    theirs.connection.execute_unprepared("CREATE TABLE scratch (n BIGINT)").await?;
    theirs.remove().await
}

async fn a_child_process_could_open_the_same_database(mine: TestDatabase) -> Result<()> {
    mine.connection.execute_unprepared("CREATE TABLE scratch (n BIGINT)").await?;
    let again = sea_orm::Database::connect(&mine.url).await?;
    again.execute_unprepared("INSERT INTO scratch VALUES (1)").await?;
    Ok(again.close().await?)
}

#[tokio::test]
async fn a_removed_database_is_gone_from_the_server() -> Result<()> {
    let kept = TestDatabase::fresh(Backend::Postgres).await?;
    let gone = TestDatabase::fresh(Backend::Postgres).await?;
    let name = gone.url.rsplit_once('/').expect("an address ends with the database's name").1.to_owned();
    // A connection that the test forgot must not keep the database alive.
    let _forgotten = sea_orm::Database::connect(&gone.url).await?;
    gone.remove().await?;
    let question = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT 1 FROM pg_database WHERE datname = $1",
        [name.into()],
    );
    assert!(kept.connection.query_one_raw(question).await?.is_none());
    kept.remove().await
}
