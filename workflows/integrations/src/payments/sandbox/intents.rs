//! One intent in the books: its row, its charge, and how it changes state.

use domain::{Currency, Money, Timestamp, time};
use sqlx::SqliteConnection;

use super::cards::Card;
use super::file::unavailable;
use super::webhooks::note;
use crate::Error;
use crate::payments::IntentStatus;

/// Where an intent stands in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    RequiresAction,
    Authorized,
    Captured,
    Voided,
    Lapsed,
    Declined,
}

impl State {
    const ALL: [Self; 6] =
        [Self::RequiresAction, Self::Authorized, Self::Captured, Self::Voided, Self::Lapsed, Self::Declined];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RequiresAction => "requires_action",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Lapsed => "lapsed",
            Self::Declined => "declined",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let unreadable = || Error::misconfigured(format!("reading the sandbox's books: no state {text}"));
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(unreadable)
    }

    /// The kind of webhook that tells of it.
    pub(super) fn event(self) -> String {
        format!("intent.{}", self.as_str())
    }
}

/// One row of `intent`.
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) state: State,
    pub(super) hold_until: Timestamp,
    method: String,
    amount: Money,
    decline_code: Option<String>,
    capture_before: Option<Timestamp>,
}

/// Money taken.
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) amount: Money,
}

type IntentRow = (String, String, i64, String, String, Option<String>, i64, Option<i64>);

impl Intent {
    pub(super) async fn named(tx: &mut SqliteConnection, id: &str) -> Result<Self, Error> {
        let row: Option<IntentRow> = sqlx::query_as(
            "SELECT id, method, amount, currency, state, decline_code, hold_until, capture_before FROM intent WHERE id = ?",
        )
        .bind(id)
        .fetch_optional(tx)
        .await
        .map_err(unavailable)?;
        let (id, method, minor, currency, state, decline_code, hold_until, capture_before) =
            row.ok_or_else(|| Error::misconfigured(format!("the sandbox knows no intent {id}")))?;
        Ok(Self {
            id,
            method,
            amount: Money::new(minor, currency_of(&currency)?),
            state: State::parse(&state)?,
            decline_code,
            hold_until: instant(hold_until)?,
            capture_before: capture_before.map(instant).transpose()?,
        })
    }

    pub(super) fn card(&self) -> Card {
        Card::named(&self.method)
    }

    pub(super) fn check_currency(&self, amount: Money) -> Result<(), Error> {
        if amount.currency == self.amount.currency {
            return Ok(());
        }
        Err(Error::misconfigured(format!("{amount} asked of {}, which is in {}", self.id, self.amount.currency)))
    }

    pub(super) fn check_within_hold(&self, amount: Money) -> Result<(), Error> {
        self.check_currency(amount)?;
        if amount.minor <= self.amount.minor {
            return Ok(());
        }
        Err(Error::misconfigured(format!("{amount} is more than the {} held by {}", self.amount, self.id)))
    }

    pub(super) async fn charge(&self, tx: &mut SqliteConnection) -> Result<Charge, Error> {
        let (id, minor) = sqlx::query_as("SELECT id, amount FROM charge WHERE intent = ?")
            .bind(&self.id)
            .fetch_one(tx)
            .await
            .map_err(unavailable)?;
        Ok(Charge { id, amount: Money::new(minor, self.amount.currency) })
    }

    pub(super) async fn refunded(&self, tx: &mut SqliteConnection) -> Result<Money, Error> {
        let (minor,) = sqlx::query_as("SELECT coalesce(sum(amount), 0) FROM refund WHERE intent = ?")
            .bind(&self.id)
            .fetch_one(tx)
            .await
            .map_err(unavailable)?;
        Ok(Money::new(minor, self.amount.currency))
    }

    pub(super) async fn status(&self, tx: &mut SqliteConnection, now: Timestamp) -> Result<IntentStatus, Error> {
        Ok(match (self.state, self.capture_before) {
            (State::RequiresAction, _) => IntentStatus::RequiresAction,
            (State::Authorized, Some(capture_before)) if now < capture_before => {
                IntentStatus::Authorized { capture_before }
            }
            (State::Captured, _) => {
                let captured = self.charge(tx).await?.amount;
                IntentStatus::Captured { captured, refunded: self.refunded(tx).await? }
            }
            (State::Declined, _) => IntentStatus::Declined { code: self.why_declined().to_owned() },
            (State::Authorized | State::Voided | State::Lapsed, _) => IntentStatus::Voided,
        })
    }

    pub(super) async fn becomes(&self, tx: &mut SqliteConnection, state: State, now: Timestamp) -> Result<(), Error> {
        sqlx::query("UPDATE intent SET state = ? WHERE id = ?")
            .bind(state.as_str())
            .bind(&self.id)
            .execute(&mut *tx)
            .await
            .map_err(unavailable)?;
        note(tx, &state.event(), &self.id, now).await
    }

    pub(super) async fn is_declined(&self, tx: &mut SqliteConnection, code: &str, now: Timestamp) -> Result<(), Error> {
        sqlx::query("UPDATE intent SET decline_code = ? WHERE id = ?")
            .bind(code)
            .bind(&self.id)
            .execute(&mut *tx)
            .await
            .map_err(unavailable)?;
        self.becomes(tx, State::Declined, now).await
    }

    pub(super) async fn is_held(
        &self,
        tx: &mut SqliteConnection,
        capture_before: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE intent SET capture_before = ? WHERE id = ?")
            .bind(time::to_micros(capture_before))
            .bind(&self.id)
            .execute(&mut *tx)
            .await
            .map_err(unavailable)?;
        self.becomes(tx, State::Authorized, now).await
    }

    /// The code under which it was declined.
    pub(super) fn why_declined(&self) -> &str {
        self.decline_code.as_deref().unwrap_or("card_declined")
    }
}

pub(super) fn currency_of(code: &str) -> Result<Currency, Error> {
    Currency::parse(code).map_err(|error| Error::misconfigured(format!("reading the sandbox's books: {error}")))
}

pub(super) fn instant(micros: i64) -> Result<Timestamp, Error> {
    time::from_micros(micros).ok_or_else(|| Error::misconfigured("reading the sandbox's books: no such instant"))
}
