//! What a provider does with a call: the states of an intent and what may follow what.
//!
//! `requires_action → authorized → captured`, with `declined`, `voided` and `lapsed` (a hold nobody used in time) as the
//! other ends. Asking again for what is already so is answered as done; asking for what cannot be is declined.

use chrono::TimeDelta;
use domain::{Money, Timestamp, time};
use sqlx::SqliteConnection;

use super::GuestAnswer;
use super::calls::Making;
use super::cards::{Account, Card};
use super::file::{File, detached, unavailable};
use super::intents::{Charge, Intent, State};
use super::webhooks::note;
use crate::Error;
use crate::payments::{
    AuthorizeAnswer, AuthorizeRequest, CaptureAnswer, IntentStatus, PayoutAnswer, PayoutRequest, RefundAnswer,
    VoidAnswer,
};

/// An ordinary hold lasts so long, as cards' do.
const HOLD: TimeDelta = TimeDelta::days(7);

/// A longer hold is granted on request up to this.
const LONGEST_HOLD: TimeDelta = TimeDelta::days(30);

pub(super) async fn authorize(
    tx: &mut SqliteConnection,
    making: &Making<'_>,
    request: &AuthorizeRequest,
) -> Result<AuthorizeAnswer, Error> {
    let AuthorizeRequest { payment, booking, amount, method, hold_until } = request;
    check_positive(*amount)?;
    let intent = making.reference("pi");
    let capture_before = lapses_at(making.now, *hold_until);
    let (state, decline_code, answer) = match Card::named(method) {
        Card::Declined(code) => {
            let answer = AuthorizeAnswer::Declined { intent: Some(intent.clone()), code: code.to_owned() };
            (State::Declined, Some(code), answer)
        }
        Card::NeedsAction { .. } => {
            let url = format!("{}/{intent}", making.challenge_url);
            (State::RequiresAction, None, AuthorizeAnswer::ActionRequired { intent: intent.clone(), url })
        }
        Card::Good | Card::CaptureDeclined | Card::RefundDeclined | Card::AnswerLost => {
            (State::Authorized, None, AuthorizeAnswer::Authorized { intent: intent.clone(), capture_before })
        }
    };
    sqlx::query(
        "INSERT INTO intent (id, key, payment, booking, method, amount, currency, state, decline_code, hold_until,
             capture_before, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&intent)
    .bind(making.key)
    .bind(payment.to_string())
    .bind(booking.to_string())
    .bind(method)
    .bind(amount.minor)
    .bind(amount.currency.code())
    .bind(state.as_str())
    .bind(decline_code)
    .bind(time::to_micros(*hold_until))
    .bind((state == State::Authorized).then(|| time::to_micros(capture_before)))
    .bind(time::to_micros(making.now))
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    note(tx, &state.event(), &intent, making.now).await?;
    Ok(answer)
}

pub(super) async fn capture(
    tx: &mut SqliteConnection,
    making: &Making<'_>,
    intent: &str,
    amount: Money,
) -> Result<CaptureAnswer, Error> {
    check_positive(amount)?;
    let intent = Intent::named(tx, intent).await?;
    let declined = |code: &str| Ok(CaptureAnswer::Declined { code: code.to_owned() });
    match intent.state {
        State::Authorized => {}
        State::Captured => {
            let Charge { id, amount: taken } = intent.charge(tx).await?;
            return if taken == amount {
                Ok(CaptureAnswer::Captured { charge: id })
            } else {
                declined("already_captured")
            };
        }
        State::RequiresAction => return declined("authentication_required"),
        State::Lapsed => return declined("authorization_expired"),
        State::Voided => return declined("intent_voided"),
        State::Declined => return declined(intent.why_declined()),
    }
    intent.check_within_hold(amount)?;
    if intent.card() == Card::CaptureDeclined {
        return declined("capture_declined");
    }
    let charge = making.reference("ch");
    sqlx::query("INSERT INTO charge (id, key, intent, amount, created_at) VALUES (?, ?, ?, ?, ?)")
        .bind(&charge)
        .bind(making.key)
        .bind(&intent.id)
        .bind(amount.minor)
        .bind(time::to_micros(making.now))
        .execute(&mut *tx)
        .await
        .map_err(unavailable)?;
    intent.becomes(tx, State::Captured, making.now).await?;
    Ok(CaptureAnswer::Captured { charge })
}

pub(super) async fn void(tx: &mut SqliteConnection, making: &Making<'_>, intent: &str) -> Result<VoidAnswer, Error> {
    let intent = Intent::named(tx, intent).await?;
    match intent.state {
        State::Captured => {
            let Charge { id: charge, amount } = intent.charge(tx).await?;
            Ok(VoidAnswer::AlreadyCaptured { charge, amount })
        }
        State::Authorized | State::RequiresAction => {
            intent.becomes(tx, State::Voided, making.now).await?;
            Ok(VoidAnswer::Voided)
        }
        State::Voided | State::Lapsed | State::Declined => Ok(VoidAnswer::Voided),
    }
}

pub(super) async fn refund(
    tx: &mut SqliteConnection,
    making: &Making<'_>,
    intent: &str,
    amount: Money,
) -> Result<RefundAnswer, Error> {
    check_positive(amount)?;
    let intent = Intent::named(tx, intent).await?;
    let declined = |code: &str| Ok(RefundAnswer::Declined { code: code.to_owned() });
    if intent.state != State::Captured {
        return declined("not_captured");
    }
    intent.check_currency(amount)?;
    let left = intent.charge(tx).await?.amount.minor - intent.refunded(tx).await?.minor;
    if amount.minor > left {
        return declined("refund_exceeds_capture");
    }
    if intent.card() == Card::RefundDeclined {
        return declined("refund_declined");
    }
    let refund = making.reference("re");
    sqlx::query("INSERT INTO refund (id, key, intent, amount, created_at) VALUES (?, ?, ?, ?, ?)")
        .bind(&refund)
        .bind(making.key)
        .bind(&intent.id)
        .bind(amount.minor)
        .bind(time::to_micros(making.now))
        .execute(&mut *tx)
        .await
        .map_err(unavailable)?;
    note(tx, "refund.settled", &intent.id, making.now).await?;
    Ok(RefundAnswer::Refunded { refund })
}

pub(super) async fn pay_out(
    tx: &mut SqliteConnection,
    making: &Making<'_>,
    request: &PayoutRequest,
) -> Result<PayoutAnswer, Error> {
    let PayoutRequest { payout, account, amount } = request;
    check_positive(*amount)?;
    if let Account::Declined(code) = Account::named(account) {
        return Ok(PayoutAnswer::Declined { code: code.to_owned() });
    }
    let transfer = making.reference("tr");
    sqlx::query(
        "INSERT INTO transfer (id, key, payout, account, amount, currency, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&transfer)
    .bind(making.key)
    .bind(payout.to_string())
    .bind(account)
    .bind(amount.minor)
    .bind(amount.currency.code())
    .bind(time::to_micros(making.now))
    .execute(tx)
    .await
    .map_err(unavailable)?;
    Ok(PayoutAnswer::Paid { transfer })
}

pub(super) async fn complete_challenge(
    tx: &mut SqliteConnection,
    intent: &str,
    answer: GuestAnswer,
    now: Timestamp,
) -> Result<IntentStatus, Error> {
    let waiting = Intent::named(tx, intent).await?;
    if waiting.state == State::RequiresAction {
        match (answer, waiting.card()) {
            (GuestAnswer::Refuses, _) => waiting.is_declined(tx, "authentication_failed", now).await?,
            (GuestAnswer::Confirms, Card::NeedsAction { then_declined: true }) => {
                waiting.is_declined(tx, "card_declined", now).await?;
            }
            (GuestAnswer::Confirms, _) => waiting.is_held(tx, lapses_at(now, waiting.hold_until), now).await?,
        }
    }
    Intent::named(tx, intent).await?.status(tx, now).await
}

pub(super) async fn retrieve(file: &File, intent: &str, now: Timestamp) -> Result<IntentStatus, Error> {
    let (file, intent) = (file.clone(), intent.to_owned());
    detached(async move {
        // One transaction, so that an intent and its charge are seen at one instant.
        #[expect(clippy::disallowed_methods, reason = "detached: nobody drops it half-way")]
        let mut tx = file.reader().begin().await.map_err(unavailable)?;
        let status = Intent::named(&mut tx, &intent).await?.status(&mut tx, now).await?;
        tx.rollback().await.map_err(unavailable)?;
        Ok(status)
    })
    .await
}

/// Lets holds go whose time has come.
pub(super) async fn lapse(tx: &mut SqliteConnection, now: Timestamp) -> Result<(), Error> {
    let lapsed: Vec<(String,)> = sqlx::query_as(
        "UPDATE intent SET state = 'lapsed' WHERE state = 'authorized' AND capture_before <= ? RETURNING id",
    )
    .bind(time::to_micros(now))
    .fetch_all(&mut *tx)
    .await
    .map_err(unavailable)?;
    for (intent,) in lapsed {
        note(tx, &State::Lapsed.event(), &intent, now).await?;
    }
    Ok(())
}

fn lapses_at(now: Timestamp, hold_until: Timestamp) -> Timestamp {
    time::truncated(hold_until.clamp(now + HOLD, now + LONGEST_HOLD))
}

fn check_positive(amount: Money) -> Result<(), Error> {
    if amount.minor > 0 { Ok(()) } else { Err(Error::misconfigured(format!("{amount} is not an amount to move"))) }
}
