//! `/payments`: what a guest pays, and another card where the first did not work.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{BookingId, Money, PaymentId};
use serde::{Deserialize, Serialize};
use store::payments::Payment;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::App;
use workflows::idempotency::Answer;
use workflows::till::{self, Offered};

use crate::body::Json;
use crate::caller::Guest;
use crate::once::{Answered, Command, MustKey};
use crate::openapi::IdempotencyKey;
use crate::page::{Listing, Page, Paging};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;
use crate::wire::{self, MoneyShape, Place};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(offer, list)).routes(routes!(show))
}

/// Another card for a booking.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Card {
    /// Which booking.
    #[schema(value_type = String)]
    booking_id: BookingId,
    /// The gateway's token for the card.
    #[schema(max_length = 200, example = "pm_card_ok")]
    payment_method: String,
}

/// A payment.
#[derive(Serialize, ToSchema)]
#[schema(as = Payment)]
struct PaymentView {
    /// Names it.
    #[schema(value_type = String, example = "pay_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: PaymentId,
    /// For which booking.
    #[schema(value_type = String)]
    booking_id: BookingId,
    /// `processing`, `requires_action`, `authorized`, `captured`, `partially_refunded`, `refunded`, `voided` or `declined`.
    status: &'static str,
    /// What is to be paid.
    #[schema(value_type = MoneyShape)]
    amount: Money,
    /// What was taken.
    #[schema(value_type = MoneyShape)]
    captured: Money,
    /// What went back.
    #[schema(value_type = MoneyShape)]
    refunded: Money,
    /// Where to confirm with the bank.
    action_url: Option<String>,
    /// Why the card said no.
    decline_code: Option<String>,
    /// Until when the reserved money can be taken.
    capture_before: Option<DateTime<Utc>>,
    /// Since when.
    created_at: DateTime<Utc>,
    /// The last change.
    updated_at: DateTime<Utc>,
}

/// A payment that was just begun.
#[derive(Serialize, ToSchema)]
#[schema(as = BegunPayment)]
struct BegunView {
    /// Names it.
    #[schema(value_type = String)]
    id: PaymentId,
    /// For which booking.
    #[schema(value_type = String)]
    booking_id: BookingId,
    /// Always `processing`: the gateway is asked next.
    status: &'static str,
    /// What is to be paid.
    #[schema(value_type = MoneyShape)]
    amount: Money,
}

/// Which payments to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those for this booking.
    #[param(value_type = Option<String>)]
    booking_id: Option<BookingId>,
}

impl From<Payment> for PaymentView {
    fn from(payment: Payment) -> Self {
        let money = |minor| Money::new(minor, payment.amount.currency);
        Self {
            id: payment.id,
            booking_id: payment.booking,
            status: payment.status.as_str(),
            amount: payment.amount,
            captured: money(payment.captured_minor),
            refunded: money(payment.refunded_minor),
            action_url: payment.action_url,
            decline_code: payment.decline_code,
            capture_before: payment.capture_before,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}

/// Offer another card
///
/// For a booking whose card was declined, as long as its nights are held (see the booking's `actions`).
#[utoipa::path(post, path = "/payments", tag = "payments", security(("bearer" = [])), params(IdempotencyKey), request_body = Card,
    responses((status = 202, body = BegunView)))]
async fn offer(guest: Guest, State(app): State<App>, command: Command<Card, MustKey>) -> Result<Answered, Problem> {
    let (Card { booking_id, payment_method }, once) = command.by(guest.id);
    let card = (booking_id, payment_method);
    let begun = till::another_card(&app, guest.id, card, (once, guest.origin()), |begun| {
        let Offered { payment, booking, amount } = *begun;
        let view = BegunView { id: payment, booking_id: booking, status: "processing", amount };
        Answer::json(202, &view).with("location", format!("/payments/{payment}"))
    });
    Ok(Answered(begun.await?))
}

/// Your payments
#[utoipa::path(get, path = "/payments", tag = "payments", security(("bearer" = [])), params(Paging, Which), responses((status = 200, body = Listing<PaymentView>)))]
async fn list(guest: Guest, State(app): State<App>, page: Page<Which>) -> Result<Listing<PaymentView>, Problem> {
    let payments = till::payments_of(&app, guest.id, page.filter.booking_id, wire::rows(&page)?).await?;
    Ok(page.of(payments, |payment| Place::new(payment.created_at, payment.id.uuid()), PaymentView::from))
}

/// One of your payments
#[utoipa::path(get, path = "/payments/{id}", tag = "payments", security(("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = PaymentView)))]
async fn show(guest: Guest, State(app): State<App>, Path(id): Path<PaymentId>) -> Result<Json<PaymentView>, Problem> {
    Ok(Json(till::payment(&app, guest.id, id).await?.into()))
}
