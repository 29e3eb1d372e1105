//! The ledger as the processes post it: one fact per movement of money, written with the turn that decides it.
//!
//! A payment posts what the gateway did (held, captured, refunded) and the refunds that it decides itself; a booking posts what the
//! agreement says (released, promised back, kept); a payout posts its own three movements. Which accounts a movement touches is
//! [`domain::ledger`]'s business.

use domain::ledger::{Parties, Transaction};
use domain::{Money, PaymentId, Refund};
use engine::{Fact, PostFacts, Posted, RunId, Tx};
use futures::future::BoxFuture;
use sea_orm::DbErr;
use store::ledger::Posting;

use crate::booking::Terms;
use crate::payment::Due;
use crate::payout::Payable;

/// How long whatever takes part in money is kept at least, in days: ten years, as the strictest of our tax offices wants its books.
pub(crate) const BOOKS_DAYS: u32 = 3653;

/// The kind under which the engine hands a movement of money to the poster.
pub const LEDGER: &str = "ledger";

fn fact(transaction: &Transaction) -> Fact {
    Fact::new(LEDGER, transaction)
}

/// The card holds the price for us.
pub(crate) fn hold_placed(due: &Due) -> Fact {
    fact(&Transaction::authorised(due.amount))
}

/// The card holds nothing for us any more.
pub(crate) fn hold_lifted(due: &Due) -> Fact {
    fact(&Transaction::hold_reversed(due.amount))
}

/// The price is with us, kept for the booking.
pub(crate) fn captured(due: &Due) -> Fact {
    fact(&Transaction::captured(due.provider, due.booking, due.amount))
}

/// A payment that nobody wants promises its money back by itself.
pub(crate) fn refund_promised(due: &Due, amount: Money) -> Fact {
    fact(&Transaction::refund_decided(due.booking, due.payment, amount))
}

/// What was promised back has gone back.
pub(crate) fn refund_settled(due: &Due, amount: Money) -> Fact {
    fact(&Transaction::refund_settled(due.provider, due.payment, amount))
}

/// The guest has come: host, platform and tax office have earned theirs.
pub(crate) fn released(terms: &Terms) -> Fact {
    fact(&Transaction::released(&parties(terms), &terms.offer.priced.shares()))
}

/// A paid booking is called off: what goes back is promised, what is kept is divided.
pub(crate) fn called_off(terms: &Terms, payment: PaymentId, split: &Refund, released: bool) -> Vec<Fact> {
    let parties = parties(terms);
    let movements: Vec<Transaction> = if released {
        let had = terms.offer.priced.shares();
        vec![Transaction::refund_after_release(&parties, payment, &had, &split.kept)]
    } else {
        Transaction::canceled(&parties, payment, split).collect()
    };
    movements.iter().filter(|movement| !movement.is_empty()).map(fact).collect()
}

fn parties(terms: &Terms) -> Parties {
    Parties { booking: terms.booking, host: terms.host, tax: terms.tax.clone() }
}

/// The host's money is on its way, after what the host owed is taken off.
pub(crate) fn payout_started(payable: &Payable) -> Vec<Fact> {
    let Payable { host, payout, amount, netted, .. } = *payable;
    let movements = [Transaction::receivable_netted(host, netted), Transaction::payout_started(host, payout, amount)];
    movements.iter().filter(|movement| !movement.is_empty()).map(fact).collect()
}

/// The host's money arrived.
pub(crate) fn payout_paid(payable: &Payable) -> Fact {
    fact(&Transaction::payout_paid(payable.provider, payable.payout, payable.amount))
}

/// The host's money never left and is on the balance again.
pub(crate) fn payout_failed(payable: &Payable) -> Fact {
    fact(&Transaction::payout_failed(payable.host, payable.payout, payable.amount))
}

/// Writes the movements that turns post into the ledger's tables, with those turns.
#[derive(Debug, Clone, Copy)]
pub struct Poster;

impl PostFacts for Poster {
    fn post<'a>(&'a self, tx: &'a Tx, facts: &'a [Posted]) -> BoxFuture<'a, Result<(), DbErr>> {
        Box::pin(async move {
            let movements: Vec<(&Posted, Transaction)> =
                facts.iter().filter(|fact| fact.kind == LEDGER).map(read).collect::<Result<_, _>>()?;
            if movements.is_empty() {
                return Ok(());
            }
            let postings: Vec<Posting<'_>> = movements.iter().map(|(fact, movement)| posting(fact, movement)).collect();
            store::ledger::post(&**tx, &postings).await
        })
    }
}

fn read(fact: &Posted) -> Result<(&Posted, Transaction), DbErr> {
    let movement = serde_json::from_str(&fact.body);
    let unreadable =
        |why| DbErr::Custom(format!("movement {}:{}:{} cannot be read: {why}", fact.run, fact.seq, fact.n));
    movement.map(|movement| (fact, movement)).map_err(unreadable)
}

/// Named for its place in its turn: a turn that is run again posts under the same name.
fn posting<'a>(fact: &Posted, transaction: &'a Transaction) -> Posting<'a> {
    let Posted { run, seq, n, at, .. } = *fact;
    let id = RunId::derive(LEDGER, &format!("{run}:{seq}:{n}"), run).uuid();
    Posting { id, run: run.uuid(), seq, n, at, transaction }
}
