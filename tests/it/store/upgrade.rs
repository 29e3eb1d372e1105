//! Bringing a database up to date: once, by whoever comes first.

use harness::{TestDatabase, on_both};
use sea_orm::{ConnectionTrait, Database};

on_both!(a_migrated_database_has_nothing_pending, several_processes_may_upgrade_at_once);

async fn a_migrated_database_has_nothing_pending(db: TestDatabase) {
    assert!(migrations::pending(&db.connection).await.unwrap().is_empty());
    assert!(migrations::up(&db.connection).await.unwrap().is_empty());
}

async fn several_processes_may_upgrade_at_once(db: TestDatabase) {
    // A change that no later one builds on is taken back, so that there is one to apply.
    db.connection
        .execute_unprepared(
            "drop table idempotency_key; drop table webhook_inbox;
             delete from seaql_migrations where version = 'm0008_requests'",
        )
        .await
        .unwrap();
    let upgrade = || async {
        let own = Database::connect(&db.url).await.unwrap();
        let applied = migrations::up(&own).await.unwrap().len();
        own.close().await.unwrap();
        applied
    };
    let (a, b, c) = tokio::join!(upgrade(), upgrade(), upgrade());
    assert_eq!(a + b + c, 1);
    assert!(migrations::pending(&db.connection).await.unwrap().is_empty());
}
