//! A disk that is full for a moment, on SQLite: what is acknowledged afterwards is written.

use anyhow::Result;
use engine::Databases;
use harness::{Backend, TestDatabase, both};
use sea_orm::{ConnectionTrait, Statement};

async fn number(db: &impl ConnectionTrait, sql: &str) -> Result<i64> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default())
}

async fn fills(db: &Databases) -> Result<()> {
    let pages = number(db.write(), "pragma page_count").await?;
    db.write().execute_unprepared(&format!("pragma max_page_count = {pages}")).await?;
    let tx = harness::begin(db.write().pool()).await?;
    let error = tx.execute_unprepared("insert into note (said) values (zeroblob(1000000))").await.unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    drop(tx);
    db.write().execute_unprepared("pragma max_page_count = 1000000").await?;
    Ok(())
}

#[test]
fn what_is_acknowledged_after_the_disk_was_full_is_written() {
    both::run(Backend::Sqlite, async |db: TestDatabase| {
        let db = db.databases().await?;
        db.write().execute_unprepared("create table note (said)").await?;
        fills(&db).await?;
        let tx = harness::begin(db.write().pool()).await?;
        tx.execute_unprepared("insert into note (said) values ('never mind')").await?;
        tx.rollback().await?;
        let tx = harness::begin(db.write().pool()).await?;
        tx.execute_unprepared("insert into note (said) values ('kept')").await?;
        tx.commit().await?;
        // Whoever looks from elsewhere sees what was committed, and that alone.
        assert_eq!(number(db.read(), "select count(*) from note where said = 'kept'").await?, 1);
        assert_eq!(number(db.read(), "select count(*) from note").await?, 1);
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
}
