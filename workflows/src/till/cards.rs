//! Another card for a booking whose first did not work; and payments and payouts as their owners see them.

use domain::{BookingId, PaymentId, PayoutId, UserId};
use engine::{Origin, TurnError};
use store::payments::{self, Payment};
use store::payouts::{self, Payout};
use store::{Page, bookings};

use crate::booking::{Booking, Event, run_of};
use crate::idempotency::{Answer, Once};
use crate::reservations::check_method;
use crate::{App, Error};

/// A payment that was just begun: the gateway has not been asked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The new payment.
    pub payment: PaymentId,
    /// For which booking.
    pub booking: BookingId,
    /// How much.
    pub amount: domain::Money,
}

/// Offers another card for a booking that waits for one.
///
/// # Errors
/// [`Error::NotFound`] when it is not this guest's; what the process refuses.
pub async fn another_card(
    app: &App,
    guest: UserId,
    (booking, method): (BookingId, String),
    (once, origin): (Once, Origin),
    render: impl FnOnce(&Offered) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    check_method(&method)?;
    let key = once.event_key();
    once.carry_out(app, move |_, tx| {
        Box::pin(async move {
            let row = bookings::of_guest(&**tx, guest, booking).await?.ok_or(Error::NotFound)?;
            let payment = PaymentId::mint(tx.now().await?, rand::random());
            let event = Event::CardOffered { payment, method };
            match tx.send::<Booking>(run_of(booking), &event, key, &origin).await {
                Err(TurnError::Duplicate) => {
                    return Err(Error::refused(
                        "card_offered",
                        "this card was offered before; see the booking's payments",
                    ));
                }
                moved => moved?,
            };
            Ok(render(&Offered { payment, booking, amount: row.total }))
        })
    })
    .await
}

/// One of a guest's payments.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn payment(app: &App, guest: UserId, id: PaymentId) -> Result<Payment, Error> {
    payments::of_guest(app.reader(), guest, id).await?.ok_or(Error::NotFound)
}

/// A guest's payments: all of them, newest first, or those of one booking.
///
/// # Errors
/// When the database fails.
pub async fn payments_of(
    app: &App,
    guest: UserId,
    booking: Option<BookingId>,
    page: Page,
) -> Result<Vec<Payment>, Error> {
    Ok(match booking {
        // One booking has a handful of cards at most: they are all on the first page.
        Some(_) if page.after.is_some() => vec![],
        Some(booking) => payments::of_booking(app.reader(), guest, booking).await?,
        None => payments::list_of_guest(app.reader(), guest, &page).await?,
    })
}

/// One of a host's payouts.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn payout(app: &App, host: UserId, id: PayoutId) -> Result<Payout, Error> {
    payouts::of_host(app.reader(), host, id).await?.ok_or(Error::NotFound)
}

/// A host's payouts, newest first.
///
/// # Errors
/// When the database fails.
pub async fn payouts_of(app: &App, host: UserId, page: Page) -> Result<Vec<Payout>, Error> {
    Ok(payouts::list_of_host(app.reader(), host, &page).await?)
}
