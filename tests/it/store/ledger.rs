//! The ledger: whatever does not balance, comes late or changes the past is refused by the database itself.

use std::error::Error;
use std::time::Duration;

use domain::ledger::Kind;
use domain::{Account, Currency, Entry, Provider, Transaction};
use harness::wait::until;
use harness::{Backend, TestDatabase, on_both};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DbBackend, DbErr, EntityTrait, Statement};
use store::entity::{ledger_leg, ledger_transaction};
use store::ledger::{self, Posting};

use super::town::{booking_id, dawn, eur, id, user_id};

on_both!(
    what_balances_is_kept_and_adds_up,
    what_does_not_balance_is_refused,
    one_leg_is_no_transaction,
    nothing_joins_what_is_sealed,
    a_leg_that_races_with_a_seal_is_refused,
    what_is_not_sealed_is_not_committed,
    the_past_cannot_be_changed,
    a_turn_posts_once,
    what_moves_nothing_is_not_written,
    the_balance_of_an_earlier_instant_is_known,
    the_platform_knows_what_it_owes_its_hosts,
    a_sum_beyond_64_bits_is_never_wrong,
);

fn captured(minor: i64) -> Transaction {
    Transaction::captured(Provider::Sandbox, booking_id(1), eur(minor))
}

fn posting(n: u8, transaction: &Transaction) -> Posting<'_> {
    Posting { id: id(9, n), run: id(3, 1), seq: 1, n: n.into(), at: dawn(), transaction }
}

fn leg(line: i32, minor: i64) -> ledger_leg::ActiveModel {
    ledger_leg::ActiveModel {
        transaction_id: Set(id(9, 1)),
        line: Set(line),
        account: Set("bank:operating".into()),
        currency: Set("EUR".into()),
        amount_minor: Set(minor),
    }
}

fn seal() -> ledger_transaction::ActiveModel {
    ledger_transaction::ActiveModel {
        id: Set(id(9, 1)),
        run: Set(id(3, 1)),
        seq: Set(1),
        n: Set(1),
        kind: Set("captured".into()),
        at: Set(dawn().into()),
    }
}

/// Inserts legs and seal in one transaction and says why it was refused.
async fn sealed(db: &TestDatabase, legs: Vec<ledger_leg::ActiveModel>) -> Result<(), DbErr> {
    let tx = harness::begin(&db.connection).await?;
    ledger_leg::Entity::insert_many(legs).exec_without_returning(&tx).await?;
    seal().insert(&tx).await?;
    tx.commit().await
}

/// Posts as a turn does: in a transaction.
async fn post(db: &TestDatabase, postings: &[Posting<'_>]) -> Result<(), DbErr> {
    let tx = harness::begin(&db.connection).await?;
    ledger::post(&tx, postings).await?;
    tx.commit().await
}

fn refused(outcome: Result<impl std::fmt::Debug, DbErr>, why: &str) {
    let error = outcome.expect_err(why).to_string();
    assert!(error.contains(why), "{error} does not say {why}");
}

async fn nothing_was_written(db: &TestDatabase) {
    assert_eq!(ledger_leg::Entity::find().all(&db.connection).await.unwrap(), []);
    assert_eq!(ledger_transaction::Entity::find().all(&db.connection).await.unwrap(), []);
}

async fn what_balances_is_kept_and_adds_up(db: TestDatabase) {
    let (first, second) = (captured(10_000), captured(2_500));
    post(&db, &[posting(1, &first), posting(2, &second)]).await.unwrap();
    let balances = ledger::balances(&db.connection).await.unwrap();
    assert_eq!(ledger::trial(&balances), [(Currency::EUR, 0)].into());
    let escrow = ledger::balance(&db.connection, &Account::Escrow(booking_id(1))).await.unwrap();
    assert_eq!(escrow[0].amount, -12_500);
}

async fn what_does_not_balance_is_refused(db: TestDatabase) {
    refused(sealed(&db, vec![leg(0, 100), leg(1, -99)]).await, "does not balance");
    let other = ledger_leg::ActiveModel { currency: Set("USD".into()), ..leg(1, -100) };
    refused(sealed(&db, vec![leg(0, 100), other]).await, "does not balance");
    nothing_was_written(&db).await;
}

async fn one_leg_is_no_transaction(db: TestDatabase) {
    refused(sealed(&db, vec![leg(0, 0)]).await, "fewer than two legs");
    refused(seal().insert(&db.connection).await, "fewer than two legs");
    nothing_was_written(&db).await;
}

async fn nothing_joins_what_is_sealed(db: TestDatabase) {
    sealed(&db, vec![leg(0, 100), leg(1, -100)]).await.unwrap();
    refused(leg(2, 0).insert(&db.connection).await, "sealed");
    let two_more = ledger_leg::Entity::insert_many([leg(2, 5), leg(3, -5)]);
    refused(two_more.exec_without_returning(&db.connection).await, "sealed");
    assert_eq!(ledger_leg::Entity::find().all(&db.connection).await.unwrap().len(), 2);
}

async fn a_leg_that_races_with_a_seal_is_refused(db: TestDatabase) {
    if db.backend == Backend::Sqlite {
        return; // Its writing transactions are alone.
    }
    let sealing = harness::begin(&db.connection).await.unwrap();
    ledger_leg::Entity::insert_many([leg(0, 100), leg(1, -100)]).exec_without_returning(&sealing).await.unwrap();
    seal().insert(&sealing).await.unwrap();
    let rival = harness::begin(&db.connection).await.unwrap();
    let late = tokio::spawn(async move { leg(2, 0).insert(&rival).await });
    let waits = async || {
        let sql = "select 1 from pg_locks where locktype = 'advisory' and not granted";
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let waiting = db.connection.query_one_raw(statement).await.unwrap().is_some();
        (waiting || late.is_finished()).then_some(())
    };
    until(Duration::from_secs(30), "the late leg waits for the seal", waits).await.unwrap();
    sealing.commit().await.unwrap();
    refused(late.await.unwrap(), "sealed");
}

async fn what_is_not_sealed_is_not_committed(db: TestDatabase) {
    let tx = harness::begin(&db.connection).await.unwrap();
    ledger_leg::Entity::insert_many([leg(0, 100), leg(1, -100)]).exec_without_returning(&tx).await.unwrap();
    let refusal = tx.commit().await.unwrap_err();
    assert!(refusal.to_string().to_lowercase().contains("foreign key"), "{refusal}");
    // SQLite leaves a transaction open whose COMMIT was refused; the connection must be given back clean.
    drop(db.connection.execute_unprepared("rollback").await);
    nothing_was_written(&db).await;
}

async fn the_past_cannot_be_changed(db: TestDatabase) {
    sealed(&db, vec![leg(0, 100), leg(1, -100)]).await.unwrap();
    let before = ledger_leg::Entity::find().all(&db.connection).await.unwrap();
    for change in [
        "update ledger_leg set amount_minor = 0",
        "update ledger_leg set account = 'rev:guest_fee' where line = 0",
        "delete from ledger_leg",
        "update ledger_transaction set at = 0",
        "delete from ledger_transaction",
    ] {
        refused(db.connection.execute_unprepared(change).await, "append-only");
    }
    assert_eq!(ledger_leg::Entity::find().all(&db.connection).await.unwrap(), before);
}

async fn a_turn_posts_once(db: TestDatabase) {
    let transaction = captured(10_000);
    post(&db, &[posting(1, &transaction)]).await.unwrap();
    let again = Posting { id: id(9, 77), ..posting(1, &transaction) };
    let refusal = post(&db, &[again]).await.unwrap_err();
    assert_eq!(store::classify(&refusal), store::Class::Taken);
}

async fn what_moves_nothing_is_not_written(db: TestDatabase) {
    post(&db, &[posting(1, &captured(0))]).await.unwrap();
    post(&db, &[]).await.unwrap();
    nothing_was_written(&db).await;
}

async fn the_balance_of_an_earlier_instant_is_known(db: TestDatabase) {
    let (first, second) = (captured(10_000), captured(2_500));
    let later = Posting { at: dawn() + chrono::TimeDelta::hours(1), ..posting(2, &second) };
    post(&db, &[posting(1, &first), later]).await.unwrap();
    let held = async |at| {
        let balances = ledger::balances_at(&db.connection, at).await.unwrap();
        assert!(ledger::trial(&balances).values().all(|sum| *sum == 0));
        balances.iter().find(|b| b.account == Account::Psp(Provider::Sandbox)).map(|b| b.amount)
    };
    assert_eq!(held(dawn() - chrono::TimeDelta::microseconds(1)).await, None);
    assert_eq!(held(dawn()).await, Some(10_000));
    assert_eq!(held(dawn() + chrono::TimeDelta::hours(1)).await, Some(12_500));
}

async fn the_platform_knows_what_it_owes_its_hosts(db: TestDatabase) {
    let earned = |host, minor| {
        let entry = |account, minor| Entry { account, amount: eur(minor) };
        let entries = vec![entry(Account::Bank, minor), entry(Account::HostPayable(host), -minor)];
        Transaction::try_new(Kind::Released, entries).unwrap()
    };
    let (one, two, back) = (earned(user_id(1), 7_000), earned(user_id(2), 500), earned(user_id(2), -500));
    post(&db, &[posting(1, &one), posting(2, &two), posting(3, &back)]).await.unwrap();
    let owed = ledger::owed_to_hosts(&db.connection).await.unwrap();
    assert_eq!(owed, [ledger::Owed { host: user_id(1), payable: eur(7_000), receivable: eur(0) }]);
}

async fn a_sum_beyond_64_bits_is_never_wrong(db: TestDatabase) {
    let huge = captured(i64::MAX / 2 + 1);
    post(&db, &[posting(1, &huge), posting(2, &huge)]).await.unwrap();
    let balance = ledger::balance(&db.connection, &Account::Psp(Provider::Sandbox)).await;
    match db.backend {
        Backend::Postgres => assert_eq!(balance.unwrap()[0].amount, i128::from(i64::MAX) + 1),
        // It sums in 64 bits and says so when they do not suffice.
        Backend::Sqlite => assert!(balance.unwrap_err().source().is_some()),
    }
}
