//! A backup of PostgreSQL that is restored: what was done since is done again under the same keys, and whoever was called knows them.

use super::fences::silence;
use super::toy::{Seat, Theatre, run, terms};
use engine::Origin;
use harness::servers::Postgres;
use harness::{Backend, TestDatabase, both};
use sea_orm::Database;
use std::collections::BTreeSet;

/// Begun before the backup, and in the hands of a process while it was made.
const BEFORE: std::ops::Range<u128> = 0..12;
/// Begun after it: the restored database has never heard of them.
const AFTER: std::ops::Range<u128> = 12..20;

/// This database on a server of its own, as it is now.
async fn on(server: &Postgres, mut db: TestDatabase) -> TestDatabase {
    db.url = server.url();
    db.connection = Database::connect(server.url()).await.unwrap();
    db
}

async fn start(theatre: &Theatre, seats: std::ops::Range<u128>) {
    for n in seats {
        let terms = terms(i64::try_from(n).unwrap());
        theatre.engine.start::<Seat>(run(n), &format!("k{n}"), &terms, Origin::default()).await.unwrap();
    }
}

async fn paid(theatre: &Theatre) -> i64 {
    theatre.count("select count(*) from workflow_run where state_name = 'Paid'").await
}

/// The keys of all calls that the outside party has seen: how many calls, and how many keys.
fn calls(theatre: &Theatre) -> (usize, usize) {
    let calls = theatre.office.calls.lock().unwrap();
    (calls.len(), calls.iter().map(|(key, _)| key).collect::<BTreeSet<_>>().len())
}

#[test]
fn a_restored_backup_does_nothing_again_that_the_outside_party_knows() {
    both::run(Backend::Postgres, async |db: TestDatabase| {
        let mut server = Postgres::start().unwrap();
        let db = on(&server, db).await;
        migrations::up(&db.connection).await.unwrap();
        let theatre = Theatre::open(db.clone()).await;
        start(&theatre, BEFORE).await;
        server.back_up().unwrap();
        start(&theatre, AFTER).await;
        theatre.engine.settle().await.unwrap();
        assert_eq!((paid(&theatre).await, calls(&theatre)), (20, (20, 20)));

        server.restore().unwrap();
        let db = on(&server, db).await;
        let theatre = Theatre::beside(&db, theatre.office.clone(), 2).await;
        assert_eq!(theatre.count("select count(*) from workflow_run").await, 12, "the rest is lost with the disk");
        // Whoever held the work when the backup was made is no more.
        silence(&theatre, 1).await;
        assert_eq!(theatre.engine.rescue().await.unwrap(), 12);
        theatre.engine.settle().await.unwrap();
        assert_eq!((paid(&theatre).await, calls(&theatre)), (12, (20, 20)), "it was asked, and had done it");
        assert_eq!(*theatre.office.looked_up.lock().unwrap(), 12);
        // Clients who were never answered by this database ask again: a call each, under the key that the party knows.
        start(&theatre, AFTER).await;
        theatre.engine.settle().await.unwrap();
        assert_eq!((paid(&theatre).await, calls(&theatre)), (20, (28, 20)));
        assert_eq!(theatre.office.sold.lock().unwrap().len(), 20);
        db.prove().await.unwrap();
    });
}
