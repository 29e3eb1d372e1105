//! The ledger in the database: append-only, balanced by triggers, read as balances.
//!
//! The legs go in first and the seals after them: the database seals no transaction that does not balance, lets no leg into a
//! sealed one, and commits no leg without a seal.

use std::collections::BTreeMap;

use domain::{Account, Currency, Entry, Money, Timestamp, Transaction, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Order};
use uuid::Uuid;

use crate::entity::{ledger_leg, ledger_transaction};
use crate::error::{Result, Unreadable};
use crate::instant::Micros;
use crate::read;

/// A movement of money and the turn that decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting<'a> {
    /// Names the transaction; the same turn gives the same name.
    pub id: Uuid,
    /// The run that decided it.
    pub run: Uuid,
    /// The turn of that run.
    pub seq: i32,
    /// Which of the turn's movements.
    pub n: i32,
    /// When it was decided.
    pub at: Timestamp,
    /// What moves.
    pub transaction: &'a Transaction,
}

/// What an account holds in one currency; debits are positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Which account.
    pub account: Account,
    /// In which currency.
    pub currency: Currency,
    /// In minor units.
    pub amount: i128,
}

/// What the platform and a host owe each other in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// Which host.
    pub host: UserId,
    /// What the host has earned and not been paid.
    pub payable: Money,
    /// What the host must give back.
    pub receivable: Money,
}

/// Writes movements down; those in which nothing moves are passed over. Only inside a transaction: a leg alone cannot be committed.
pub async fn post(conn: &impl ConnectionTrait, postings: &[Posting<'_>]) -> std::result::Result<(), DbErr> {
    let moving = || postings.iter().filter(|posting| !posting.transaction.is_empty());
    ledger_leg::Entity::insert_many(moving().flat_map(legs)).exec_without_returning(conn).await?;
    ledger_transaction::Entity::insert_many(moving().map(seal)).exec_without_returning(conn).await.map(|_| ())
}

fn legs<'a>(posting: &'a Posting<'_>) -> impl Iterator<Item = ledger_leg::ActiveModel> + 'a {
    (0..).zip(posting.transaction.entries()).map(|(line, Entry { account, amount })| ledger_leg::ActiveModel {
        transaction_id: Set(posting.id),
        line: Set(line),
        account: Set(account.to_string()),
        currency: Set(amount.currency.to_string()),
        amount_minor: Set(amount.minor),
    })
}

fn seal(posting: &Posting<'_>) -> ledger_transaction::ActiveModel {
    let Posting { id, run, seq, n, at, transaction } = posting;
    ledger_transaction::ActiveModel {
        id: Set(*id),
        run: Set(*run),
        seq: Set(*seq),
        n: Set(*n),
        kind: Set(transaction.kind().as_str().to_owned()),
        at: Set((*at).into()),
    }
}

use ledger_leg::Column::{Account as AccountName, AmountMinor, Currency as CurrencyCode, TransactionId};

/// Sums per account and currency, as text: a sum of 64-bit amounts may be longer than 64 bits.
fn sums() -> SelectStatement {
    let sum = Func::sum(Expr::col((ledger_leg::Entity, AmountMinor)));
    Query::select()
        .columns([(ledger_leg::Entity, AccountName), (ledger_leg::Entity, CurrencyCode)])
        .expr_as(Expr::expr(sum).cast_as("text"), "total")
        .from(ledger_leg::Entity)
        .group_by_columns([(ledger_leg::Entity, AccountName), (ledger_leg::Entity, CurrencyCode)])
        .order_by((ledger_leg::Entity, AccountName), Order::Asc)
        .order_by((ledger_leg::Entity, CurrencyCode), Order::Asc)
        .to_owned()
}

async fn balances_by(conn: &impl ConnectionTrait, query: &SelectStatement) -> Result<Vec<Balance>> {
    let mut balances = vec![];
    for row in conn.query_all(query).await? {
        let text = |column| row.try_get::<String>("", column);
        let (account, currency, total) = (text("account")?, text("currency")?, text("total")?);
        let balance = read_balance(&account, &currency, &total).map_err(|why| why.of("ledger_leg"))?;
        balances.push(balance);
    }
    Ok(balances)
}

fn read_balance(account: &str, currency: &str, total: &str) -> std::result::Result<Balance, Unreadable> {
    Ok(Balance {
        account: read::word("account", account)?,
        currency: read::word("currency", currency)?,
        amount: read::word("amount_minor", total)?,
    })
}

/// What one account holds, per currency.
pub async fn balance(conn: &impl ConnectionTrait, account: &Account) -> Result<Vec<Balance>> {
    let of_account = Expr::col((ledger_leg::Entity, AccountName)).eq(account.to_string());
    balances_by(conn, sums().and_where(of_account)).await
}

/// What every account holds that was ever touched, by the name of the account.
pub async fn balances(conn: &impl ConnectionTrait) -> Result<Vec<Balance>> {
    balances_by(conn, &sums()).await
}

/// What every account held at that instant, including what was decided at it.
pub async fn balances_at(conn: &impl ConnectionTrait, at: Timestamp) -> Result<Vec<Balance>> {
    let of_seal = Expr::col((ledger_transaction::Entity, ledger_transaction::Column::Id))
        .equals((ledger_leg::Entity, TransactionId));
    let until = Expr::col((ledger_transaction::Entity, ledger_transaction::Column::At)).lte(Micros::from(at).0);
    balances_by(conn, sums().inner_join(ledger_transaction::Entity, of_seal).and_where(until)).await
}

/// The sum over all accounts per currency: zero in each, or the ledger is broken.
pub fn trial(balances: &[Balance]) -> BTreeMap<Currency, i128> {
    let mut sums = BTreeMap::new();
    for Balance { currency, amount, .. } in balances {
        *sums.entry(*currency).or_default() += amount;
    }
    sums
}

/// What the platform and its hosts owe each other, for every host and currency with something left, in a fixed order.
pub async fn owed_to_hosts(conn: &impl ConnectionTrait) -> Result<Vec<Owed>> {
    let account = || Expr::col((ledger_leg::Entity, AccountName));
    // Every account of a host begins with this prefix; the semicolon is the character after the colon.
    let mut query = sums();
    query.and_where(account().gte("host:")).and_where(account().lt("host;"));
    let mut owed: BTreeMap<(UserId, Currency), Owed> = BTreeMap::new();
    for Balance { account, currency, amount } in balances_by(conn, &query).await? {
        let (host, is_payable) = match account {
            Account::HostPayable(host) => (host, true),
            Account::HostReceivable(host) => (host, false),
            _ => continue,
        };
        let nothing = Money::zero(currency);
        let entry = owed.entry((host, currency)).or_insert(Owed { host, payable: nothing, receivable: nothing });
        if is_payable {
            entry.payable.minor = within_money(-amount)?;
        } else {
            entry.receivable.minor = within_money(amount)?;
        }
    }
    Ok(owed.into_values().filter(|owed| !owed.payable.is_zero() || !owed.receivable.is_zero()).collect())
}

fn within_money(amount: i128) -> Result<i64> {
    i64::try_from(amount).map_err(|_| Unreadable::new("a balance is too large to be money").of("ledger_leg"))
}
