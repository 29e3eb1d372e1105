//! The gateway's own books: the outside view against which tests and operators check what we believe.

use domain::{BookingId, Money};
use sqlx::SqliteConnection;

use super::SandboxGateway;
use super::calls::from_text;
use super::file::{detached, unavailable};
use super::intents::currency_of;
use crate::Error;
use crate::payments::Recorded;

/// Everything the gateway has done, at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// Every intent, with what was taken and given back.
    pub intents: Vec<BookedIntent>,
    /// Every refund.
    pub refunds: Vec<BookedRefund>,
    /// Every transfer to a host.
    pub transfers: Vec<BookedTransfer>,
    /// Every key that was used.
    pub calls: Vec<BookedCall>,
}

/// An intent in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedIntent {
    /// The gateway's reference.
    pub intent: String,
    /// Our payment, as we gave it.
    pub payment: String,
    /// Our booking, as we gave it.
    pub booking: String,
    /// The key it was made under.
    pub key: String,
    /// `requires_action`, `authorized`, `captured`, `voided`, `lapsed` or `declined`.
    pub state: String,
    /// How much was to be held.
    pub amount: Money,
    /// How much was taken.
    pub captured: Money,
    /// How much was given back.
    pub refunded: Money,
}

/// A refund in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedRefund {
    /// The gateway's reference.
    pub refund: String,
    /// The intent whose money was given back.
    pub intent: String,
    /// The key it was made under.
    pub key: String,
    /// How much.
    pub amount: Money,
}

/// A transfer in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedTransfer {
    /// The gateway's reference.
    pub transfer: String,
    /// Our payout, as we gave it.
    pub payout: String,
    /// The host's account.
    pub account: String,
    /// The key it was made under.
    pub key: String,
    /// How much.
    pub amount: Money,
}

/// A key in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedCall {
    /// The key.
    pub key: String,
    /// `authorize`, `capture`, `void`, `refund` or `pay_out`.
    pub operation: String,
    /// The payment, intent or payout it is about.
    pub about: String,
    /// Which execution under this key this is: more than one means that the key came back after it was forgotten.
    pub nth: i64,
    /// How often the call was made, answered from memory all but the first time.
    pub attempts: i64,
    /// The answer.
    pub answer: Recorded,
}

impl Books {
    /// How many times a booking's money was taken and not wholly given back: more than one is a double charge.
    pub fn live_captures(&self, booking: BookingId) -> usize {
        self.of(booking).filter(|intent| intent.captured.minor > intent.refunded.minor).count()
    }

    /// How many holds a booking has on its guest's money.
    pub fn live_holds(&self, booking: BookingId) -> usize {
        self.of(booking).filter(|intent| intent.state == "authorized").count()
    }

    /// A booking's intents.
    pub fn of(&self, booking: BookingId) -> impl Iterator<Item = &BookedIntent> {
        let booking = booking.to_string();
        self.intents.iter().filter(move |intent| intent.booking == booking)
    }
}

impl SandboxGateway {
    /// Reads the books. Holds that nobody used in time count as held until the next call notices.
    pub async fn books(&self) -> Result<Books, Error> {
        let file = self.file.clone();
        detached(async move {
            #[expect(clippy::disallowed_methods, reason = "detached: nobody drops it half-way")]
            let mut tx = file.reader().begin().await.map_err(unavailable)?;
            let books = Books {
                intents: intents(&mut tx).await?,
                refunds: refunds(&mut tx).await?,
                transfers: transfers(&mut tx).await?,
                calls: calls(&mut tx).await?,
            };
            tx.rollback().await.map_err(unavailable)?;
            Ok(books)
        })
        .await
    }
}

type IntentRow = (String, String, String, String, String, i64, String, i64, i64);

async fn intents(tx: &mut SqliteConnection) -> Result<Vec<BookedIntent>, Error> {
    let rows: Vec<IntentRow> = sqlx::query_as(
        "SELECT i.id, i.payment, i.booking, i.key, i.state, i.amount, i.currency, coalesce(c.amount, 0),
             (SELECT coalesce(sum(r.amount), 0) FROM refund r WHERE r.intent = i.id)
         FROM intent i LEFT JOIN charge c ON c.intent = i.id ORDER BY i.created_at, i.id",
    )
    .fetch_all(tx)
    .await
    .map_err(unavailable)?;
    rows.into_iter()
        .map(|(intent, payment, booking, key, state, amount, currency, captured, refunded)| {
            let currency = currency_of(&currency)?;
            let [amount, captured, refunded] = [amount, captured, refunded].map(|minor| Money::new(minor, currency));
            Ok(BookedIntent { intent, payment, booking, key, state, amount, captured, refunded })
        })
        .collect()
}

async fn refunds(tx: &mut SqliteConnection) -> Result<Vec<BookedRefund>, Error> {
    let rows: Vec<(String, String, String, i64, String)> = sqlx::query_as(
        "SELECT r.id, r.intent, r.key, r.amount, i.currency FROM refund r JOIN intent i ON i.id = r.intent
         ORDER BY r.created_at, r.id",
    )
    .fetch_all(tx)
    .await
    .map_err(unavailable)?;
    rows.into_iter()
        .map(|(refund, intent, key, minor, currency)| {
            Ok(BookedRefund { refund, intent, key, amount: Money::new(minor, currency_of(&currency)?) })
        })
        .collect()
}

async fn transfers(tx: &mut SqliteConnection) -> Result<Vec<BookedTransfer>, Error> {
    let rows: Vec<(String, String, String, String, i64, String)> =
        sqlx::query_as("SELECT id, payout, account, key, amount, currency FROM transfer ORDER BY created_at, id")
            .fetch_all(tx)
            .await
            .map_err(unavailable)?;
    rows.into_iter()
        .map(|(transfer, payout, account, key, minor, currency)| {
            Ok(BookedTransfer { transfer, payout, account, key, amount: Money::new(minor, currency_of(&currency)?) })
        })
        .collect()
}

async fn calls(tx: &mut SqliteConnection) -> Result<Vec<BookedCall>, Error> {
    let rows: Vec<(String, String, String, i64, i64, String)> =
        sqlx::query_as("SELECT key, operation, about, nth, attempts, answer FROM call ORDER BY created_at, key, nth")
            .fetch_all(tx)
            .await
            .map_err(unavailable)?;
    rows.into_iter()
        .map(|(key, operation, about, nth, attempts, answer)| {
            Ok(BookedCall { key, operation, about, nth, attempts, answer: from_text(&answer)? })
        })
        .collect()
}
